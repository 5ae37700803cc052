"""camt.029.001.09, ResolutionOfInvestigation: what a bank says of a recall."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from schemas.errors import DocumentRefused
from schemas.iso20022.originals import opt_uetr, write_agent_party, write_original_message
from schemas.iso20022.pacs002 import read_reason, write_reason
from schemas.iso20022.xml import (
    NOTHING,
    Markup,
    Record,
    Shape,
    document,
    el,
    leaf,
    local_name,
    require_namespace,
    timestamp,
)
from schemas.model.status import RecallAnswer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from lxml.etree import _Element

DEFINITION = "camt.029.001.09"
NAMESPACE = f"urn:iso:std:iso:20022:tech:xsd:{DEFINITION}"
_MESSAGE = "RsltnOfInvstgtn"
_MESSAGE_SHAPE, _DETAILS = Shape("CxlDtls"), Shape("OrgnlGrpInfAndSts", "TxInfAndSts")
_GROUP, _TRANSACTION = Shape(), Shape()
_OF_TRANSACTION = {"CNCL": "ACCR", "RJCR": "RJCR", "PDCR": "PDCR"}
"""Status of the case (ExternalInvestigationExecutionConfirmation1Code) -> TxCxlSts, where there is such a one."""
_OF_CASE = {"ACCR": "CNCL", "RJCR": "RJCR", "PDCR": "PDCR", "PACR": "PECR"}
"""TxCxlSts or GrpCxlSts -> status of the case."""


# --------------------------------------------------------------------------------------------------- writing


def build(answers: Sequence[RecallAnswer], created: datetime, *, assigner_bic: str, assignee_bic: str) -> _Element:
    """Return the Document that answers one case.

    Args:
        answers: one a transaction, all of one message, one case and one status.
        created: CreDtTm, with an offset.
        assigner_bic: who answers.
        assignee_bic: who has asked, and whose case it is.

    Raises:
        ValueError: no answer, or answers of several cases or statuses.
        DocumentRefused: a value cannot be written as XML (RR10).
    """
    if len({(answer.message_id, answer.case_id, answer.status) for answer in answers}) != 1:
        raise ValueError("a camt.029 answers one case with one status")
    first = answers[0]
    case = el("RslvdCase", leaf("Id", first.case_id), write_agent_party("Cretr", assignee_bic))
    content = el(
        _MESSAGE,
        el(
            "Assgnmt",
            leaf("Id", first.message_id),
            write_agent_party("Assgnr", assigner_bic),
            write_agent_party("Assgne", assignee_bic),
            leaf("CreDtTm", timestamp(created)),
        ),
        case if first.case_id is not None else NOTHING,
        leaf("Sts/Conf", first.status),
        el("CxlDtls", *[_transaction(answer) for answer in answers]),
    )
    return document(NAMESPACE, content)


def _transaction(answer: RecallAnswer) -> Markup:
    """Return TxInfAndSts, in the order of PaymentTransaction102."""
    original = write_original_message(answer.original_message_id, answer.original_message_name)
    return el(
        "TxInfAndSts",
        original,
        leaf("OrgnlInstrId", answer.instruction_id),
        leaf("OrgnlEndToEndId", answer.end_to_end_id),
        leaf("OrgnlUETR", answer.uetr),
        leaf("TxCxlSts", _OF_TRANSACTION.get(answer.status)),
        write_reason("CxlStsRsnInf", answer.reason, answer.info),
    )


# --------------------------------------------------------------------------------------------------- reading


def read(document: _Element) -> list[RecallAnswer]:
    """Return what is said: one answer a transaction, or one of the whole case where none is named.

    Raises:
        DocumentRefused: another definition, or an answer without a status.
    """
    message = require_namespace(document, NAMESPACE)
    if local_name(message) != _MESSAGE:
        raise DocumentRefused(f"expected {_MESSAGE}, got {local_name(message)}", path=local_name(message))
    record = Record(message, _MESSAGE, _MESSAGE_SHAPE)
    status = record.opt("Sts/Conf")
    answers = []
    for details in record.each("CxlDtls", _DETAILS):
        groups = details.each("OrgnlGrpInfAndSts", _GROUP)
        case = groups[0] if groups else None
        of_case = _answer(case, record, status) if case else None
        transactions = [_answer(one, record, status, of_case) for one in details.each("TxInfAndSts", _TRANSACTION)]
        answers += transactions or ([of_case] if of_case else [])
    if answers:
        return answers
    if status is None:
        raise record.refuse("Sts", "the answer says nothing: neither a confirmation nor a status", "CH21")
    return [RecallAnswer(record.one("Assgnmt/Id"), record.opt("RslvdCase/Id"), status, None, None, path=record.path)]


def _answer(record: Record, message: Record, status: str | None, of_case: RecallAnswer | None = None) -> RecallAnswer:
    """Return what one part says; what it leaves open, ``of_case`` or the whole message says."""
    reason, info = read_reason(record, "CxlStsRsnInf")
    own = record.opt("TxCxlSts") or record.opt("GrpCxlSts")
    found = _OF_CASE.get(own, own) if own else (of_case.status if of_case else status)
    if found is None:
        raise record.refuse("TxCxlSts", "neither the transaction nor the case has a status", "CH21")
    answer = RecallAnswer(
        message_id=message.one("Assgnmt/Id"),
        case_id=record.opt("RslvdCase/Id") or message.opt("RslvdCase/Id"),
        status=found,
        reason=reason,
        info=info,
        original_message_id=record.opt("OrgnlGrpInf/OrgnlMsgId") or record.opt("OrgnlMsgId"),
        original_message_name=record.opt("OrgnlGrpInf/OrgnlMsgNmId") or record.opt("OrgnlMsgNmId"),
        end_to_end_id=record.reference("OrgnlEndToEndId"),
        instruction_id=record.reference("OrgnlInstrId"),
        uetr=opt_uetr(record),
        path=record.path,
    )
    if of_case is None:
        return answer
    return replace(
        answer,
        case_id=answer.case_id or of_case.case_id,
        reason=answer.reason or of_case.reason,
        info=answer.info or of_case.info,
        original_message_id=answer.original_message_id or of_case.original_message_id,
        original_message_name=answer.original_message_name or of_case.original_message_name,
    )
