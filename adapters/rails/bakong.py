"""Bakong's large-value service: pain.001.001.05 over SOAP, reversals by pain.007.001.05, both ways.

The creditor bears the charges (ChrgBr CRED). The bank answers with a pain.002 and hands out what came in as pain.001.
Nothing is signed: what comes is trusted as far as the channel is.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from lxml import etree
from lxml.etree import _Element

from adapters import incoming
from adapters.profile import Profile
from adapters.rails import Composed, Facts, Received, Sent, Task, customer_file, fast
from adapters.toml import Location
from adapters.web_settings import SoapSettings
from schemas.errors import DocumentRefused
from schemas.iso20022 import pain007, stream, xml
from schemas.iso20022.customer import Initiator
from schemas.model.identifiers import payment_number
from schemas.model.payment import Original, Payment
from schemas.model.status import BlockStatus, Return, StatusReport, TransactionStatus
from security.keys import SigningKey
from security.trust import TrustStore

DEFINITION = "pain.001.001.05"
INQUIRY = "bakong.inquiry"
"""Not a message of ISO 20022: the MsgId alone is asked about."""
CHARGE_BEARER = "CRED"
_REVERSAL = "pain.007"
"""What a report calls the message that it answers, whatever version it says."""


# --------------------------------------------------------------------------------------------------------- composing


def apart(profile: Profile, payment: Payment) -> Hashable:
    """Return what the payments of one message have in common: a reversal is of one message that came in."""
    if payment.kind == "return":
        return None if payment.original is None else (payment.original.message_id, payment.original.definition)
    return customer_file.apart(profile, payment)


def not_given_back(original: Original) -> str | None:
    """Return why the bank would not know what a pain.007 reverses: that is named by the message that it came in."""
    if original.message_id is None or original.definition is None:
        return "the message that the transfer came in is not known"
    if original.end_to_end_id is None and original.instruction_id is None:
        return "neither EndToEndId nor InstrId of the transfer that came in is known"
    return None


def compose(
    profile: Profile,
    task: Task,
    payments: Sequence[Payment],
    key: SigningKey,
    inspect: Callable[[Facts], None],
) -> Composed:
    """Write a pain.001, or the pain.007 that gives back what came in; validate it, and let the caller inspect it.

    Raises:
        DocumentRefused: another charge bearer than CRED, a reversal that names nothing, a message that is not valid
            against the usage guideline, or one that the inspection refused.
    """
    if any(payment.kind == "return" for payment in payments):
        return _reversal(profile, task, payments, inspect)
    for payment in payments:
        if payment.charge_bearer != CHARGE_BEARER:
            said = f"{payment.charge_bearer}: on this rail the creditor bears the charges ({CHARGE_BEARER})"
            raise DocumentRefused(said, code="CH21", path="ChrgBr")
    made = customer_file.compose(profile, task, payments, key, inspect)
    return replace(made, name=None)  # a service, not a folder: the bank knows the message by its MsgId


def _reversal(profile: Profile, task: Task, payments: Sequence[Payment], inspect: Callable[[Facts], None]) -> Composed:
    """Write the pain.007 of transfers that came in, in one message of the bank."""
    blocks: dict[str, list[Return]] = {}
    for payment in payments:
        original = payment.original
        if original is None or original.message_id is None or payment.kind != "return":
            raise DocumentRefused("the reversal names nothing that came in", code="CH21", path="OrgnlPmtInfAndRvsl")
        blocks.setdefault(original.block_id or original.message_id, []).append(
            Return(
                message_id=task.message_id,
                return_id=payment.instruction_id,
                amount=payment.amount,
                original_message_id=original.message_id,
                original_message_name=original.definition,
                end_to_end_id=original.end_to_end_id,
                instruction_id=original.instruction_id,
                uetr=None,
                original_amount=original.amount,
                reason=original.reason,
                info=original.info,
            )
        )
    who = customer_file.settings_of(profile).initiator
    initiator = Initiator(who.name, who.identifier, who.scheme, who.issuer)
    document = pain007.build(task.message_id, task.created, blocks, initiator=initiator)
    xml.validate(document, pain007.DEFINITION, profile.message.guidelines_folder)
    inspect(_reversal_facts(document))
    return Composed(etree.tostring(document, encoding="UTF-8", xml_declaration=True), pain007.DEFINITION)


def _reversal_facts(document: _Element) -> Facts:
    """Read back what the finished pain.007 says of itself (rules 8 and 9)."""
    namespace = {"p": xml.namespace_of(document)}
    group = "p:CstmrPmtRvsl/p:GrpHdr/"

    def text(path: str) -> str:
        return document.findtext(path, default="", namespaces=namespace)

    amounts = document.iterfind("p:CstmrPmtRvsl/p:OrgnlPmtInfAndRvsl/p:TxInf/p:RvsdInstdAmt", namespace)
    return Facts(
        header=None,
        message_id=text(group + "p:MsgId"),
        namespace=namespace["p"],
        created=datetime.fromisoformat(text(group + "p:CreDtTm")),
        instructing_bic="",
        instructed_bic="",
        stated_count=text(group + "p:NbOfTxs"),
        stated_sum=text(group + "p:CtrlSum") or None,
        amounts=tuple(element.text or "" for element in amounts),
    )


def inquire(profile: Profile, task: Task, sent: Sent, key: SigningKey) -> Composed:
    """Ask what became of a message, by the name that the bank knows it by."""
    del profile, task, key
    return Composed(sent.name.encode("ascii"), INQUIRY, sent.name)


# ----------------------------------------------------------------------------------------------------------- reading


read_unsigned = customer_file.read_unsigned


def read(profile: Profile, document: bytes, trust: TrustStore, at: datetime) -> Received:
    """Read what the bank answered or handed out: a status report, a transfer, a reversal, or a statement.

    Raises:
        DocumentRefused: nothing that is read here.
    """
    definition = customer_file.definition_of(io.BytesIO(document))
    if definition is not None and definition.startswith("pain.001."):
        return incoming.received(profile, stream.whole(document))
    found = customer_file.read(profile, document, trust, at)
    return replace(found, reports=tuple(_as_ours(profile, report) for report in found.reports))


def _as_ours(profile: Profile, report: StatusReport) -> StatusReport:
    """Return a report on a reversal of ours without what it repeats of the original, which is no payment of ours.

    Blocks and EndToEndIds are those of the transfer that came in. What bears no InstrId of ours speaks of the whole
    message, where a message carries one payment.
    """
    if not (report.original_message_name or "").startswith(_REVERSAL):
        return report
    said = [*report.transactions, *(one for block in report.blocks for one in block.transactions)]
    ours = [one for one in said if payment_number(one.instruction_id) is not None]
    if ours or profile.message.transactions_max != 1:
        return replace(report, transactions=tuple(replace(one, end_to_end_id=None) for one in ours), blocks=())
    every: list[TransactionStatus | BlockStatus] = [*said, *report.blocks]
    whole = next((one for one in every if one.status is not None), None)
    if report.group_status is not None or whole is None:
        return replace(report, transactions=(), blocks=())
    return replace(
        report, group_status=whole.status, group_reason=whole.reason, group_info=whole.info, transactions=(), blocks=()
    )


# ---------------------------------------------------------------------------------------------------------- checking


def faults(profile: Profile) -> list[tuple[Location, str]]:
    """Return what this rail misses in a profile."""
    return [*customer_file.faults(profile), *_faults(profile)]


def _faults(profile: Profile) -> Iterator[tuple[Location, str]]:
    if profile.pain is not None and profile.pain.version != DEFINITION:
        yield ("pain", "version"), f"pain.version: this rail takes {DEFINITION}"
    if profile.message.charge_bearers != (CHARGE_BEARER,):
        said = f'message.charge_bearers: on this rail the creditor bears the charges: ["{CHARGE_BEARER}"]'
        yield ("message", "charge_bearers"), said
    yield from fast.operation_faults(profile)
    if isinstance(profile.transport, SoapSettings) and pain007.DEFINITION not in profile.transport.definitions:
        said = f'transport.definitions: which operation takes a reversal? "{pain007.DEFINITION}" = "give_back"'
        yield ("transport", "definitions"), said
