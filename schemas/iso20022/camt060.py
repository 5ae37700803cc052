"""camt.060.001.05, AccountReportingRequest: please send the statement of a day once more, or at last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from schemas.errors import DocumentRefused
from schemas.iso20022.originals import write_agent_party
from schemas.iso20022.parties import read_account, write_account
from schemas.iso20022.xml import Record, Shape, document, el, leaf, local_name, require_namespace, timestamp
from schemas.model.payment import Account

if TYPE_CHECKING:
    from datetime import date, datetime

    from lxml.etree import _Element

DEFINITION = "camt.060.001.05"
NAMESPACE = f"urn:iso:std:iso:20022:tech:xsd:{DEFINITION}"
_MESSAGE = "AcctRptgReq"
_SHAPE, _REQUEST = Shape("RptgReq"), Shape()
_EVERYTHING = "ALLL"
"""QueryType3Code: all that there is of the period, not only what changed."""


@dataclass(frozen=True, slots=True)
class Request:
    """A report that is asked for.

    Attributes:
        definition: of the message that is wanted, such as ``camt.053.001.08``.
        account: whose; its currency where the bank keeps several under one number.
        owner_bic, servicer_bic: of the account.
        day: the bank's own calendar day.
    """

    message_id: str
    created: datetime
    definition: str
    account: Account
    owner_bic: str
    servicer_bic: str
    day: date


def build(request: Request) -> _Element:
    """Return the Document that asks for one report.

    Raises:
        DocumentRefused: a value cannot be written as XML (RR10).
    """
    content = el(
        _MESSAGE,
        el("GrpHdr", leaf("MsgId", request.message_id), leaf("CreDtTm", timestamp(request.created))),
        el(
            "RptgReq",
            leaf("Id", request.message_id),
            leaf("ReqdMsgNmId", request.definition),
            write_account("Acct", request.account),
            write_agent_party("AcctOwnr", request.owner_bic),
            leaf("AcctSvcr/FinInstnId/BICFI", request.servicer_bic),
            el(
                "RptgPrd",
                leaf("FrToDt/FrDt", request.day.isoformat()),
                leaf("Tp", _EVERYTHING),
            ),
        ),
    )
    return document(NAMESPACE, content)


def read(document: _Element) -> Request:
    """Return the report that is asked for.

    Raises:
        DocumentRefused: another definition, more than one report, or a missing field.
    """
    message = require_namespace(document, NAMESPACE)
    if local_name(message) != _MESSAGE:
        raise DocumentRefused(f"expected {_MESSAGE}, got {local_name(message)}", path=local_name(message))
    record = Record(message, _MESSAGE, _SHAPE)
    asked = record.each("RptgReq", _REQUEST)
    if len(asked) != 1:
        raise record.refuse("RptgReq", f"{len(asked)} reports are asked for, not one")
    one = asked[0]
    day = one.opt_date("RptgPrd/FrToDt/FrDt")
    if day is None:
        raise one.refuse("RptgPrd/FrToDt/FrDt", "no day is asked for", "CH21")
    return Request(
        message_id=record.one("GrpHdr/MsgId"),
        created=record.moment("GrpHdr/CreDtTm"),
        definition=one.one("ReqdMsgNmId"),
        account=read_account(one, "Acct"),
        owner_bic=one.one("AcctOwnr/Agt/FinInstnId/BICFI"),
        servicer_bic=one.one("AcctSvcr/FinInstnId/BICFI"),
        day=day,
    )
