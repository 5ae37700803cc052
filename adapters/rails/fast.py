"""FAST, the central bank's real-time rail in riel: one pain.001.001.05 a transfer, over SOAP.

The bank knows a transfer by its PmtInfId, ``sender/receiver/reference`` (rule 17), and answers it with a pain.002.
Money comes in as pain.001 as well; one with the purpose REFU gives a payment of ours back, and so do we with what came
in.
Nothing is signed: what comes is trusted as far as the channel is.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from lxml import etree

from adapters import incoming
from adapters.profile import Profile
from adapters.rails import Composed, Facts, Received, Sent, Task, customer_file
from adapters.toml import Location
from adapters.web_settings import SoapSettings
from schemas.errors import DocumentRefused
from schemas.iso20022 import pain001, stream, xml
from schemas.iso20022.customer import Initiator, PaymentType
from schemas.model.identifiers import IDENTIFIER_LENGTH_MAX, bic8
from schemas.model.payment import Original, Payment, Remittance
from schemas.model.status import StatusReport
from security.keys import SigningKey
from security.trust import TrustStore

DEFINITION = "pain.001.001.05"
INQUIRY = "fast.inquiry"
"""Not a message of ISO 20022: the PmtInfId alone is asked about."""
CURRENCY = "KHR"
REFERENCE_LENGTH_MAX = 17
"""The day (six digits) and the number of the message (eleven at most)."""


# --------------------------------------------------------------------------------------------------------- composing


def compose(
    profile: Profile,
    task: Task,
    payments: Sequence[Payment],
    key: SigningKey,
    inspect: Callable[[Facts], None],
) -> Composed:
    """Write the pain.001 of one transfer, validate it, and let the caller inspect what it says.

    Raises:
        DocumentRefused: more than one payment, a fraction of a riel, a refund that names nothing, a message that is
            not valid against the usage guideline, or one that the inspection refused.
    """
    del key
    if len(payments) != 1:
        raise DocumentRefused(f"{len(payments)} payments, and a message of this rail carries one", path="PmtInf")
    payment = _as_sent(profile, payments[0])
    settings = customer_file.settings_of(profile)
    who = settings.initiator
    block = pain001.Block(
        block_id=_block_id(profile, task, payment),
        execution_date=task.settlement_date,
        payments=(payment,),
        batch_booking=settings.batch_booking,
        payment_type=PaymentType(
            payment.urgency if settings.priority else None,
            settings.service_level,
            settings.local_instrument,
            payment.category_purpose,
        ),
        charge_bearer=payment.charge_bearer,
    )
    group = pain001.Group(task.message_id, task.created, Initiator(who.name, who.identifier, who.scheme, who.issuer))
    document = pain001.build(group, [block], DEFINITION)
    xml.validate(document, DEFINITION, profile.message.guidelines_folder)
    inspect(replace(customer_file.facts(document), participants=profile.instant.participants))
    return Composed(
        etree.tostring(document, encoding="UTF-8", xml_declaration=True),
        DEFINITION,
        block.block_id,
        {block.block_id: (payment.payment_id,)},
    )


def _as_sent(profile: Profile, payment: Payment) -> Payment:
    """Return the payment as this rail wants it: whole riel, and a refund with its purpose and what it gives back."""
    amount = payment.amount
    if amount.currency != CURRENCY or amount.amount_minor % 100:
        raise DocumentRefused(f"{amount}: this rail takes whole riel only", code="CH20", path="Amt/InstdAmt")
    if payment.kind != "return":
        return payment
    original = payment.original
    named = None if original is None else original.end_to_end_id or original.instruction_id
    if named is None:
        raise DocumentRefused("the refund names nothing that came in", code="CH21", path="CdtTrfTxInf")
    if profile.instant.refund_names == "end_to_end_id":
        return replace(payment, purpose=profile.instant.refund_purpose, end_to_end_id=named)
    remittance = Remittance((named, *payment.remittance.unstructured))
    return replace(payment, purpose=profile.instant.refund_purpose, remittance=remittance)


def not_given_back(original: Original) -> str | None:
    """Return why the bank would not know what a refund gives back: it is named by its EndToEndId or InstrId."""
    if original.end_to_end_id or original.instruction_id:
        return None
    return "neither EndToEndId nor InstrId of the transfer that came in is known"


def _block_id(profile: Profile, task: Task, payment: Payment) -> str:
    """Return ``sender/receiver/reference``; the same whenever the same message is composed.

    Raises:
        DocumentRefused: an agent without a BIC, or more than 35 characters.
    """
    codes = []
    for agent, path in ((payment.debtor_agent, "DbtrAgt"), (payment.creditor_agent, "CdtrAgt")):
        if agent.bic is None:
            raise DocumentRefused("no BIC, by which this rail names the bank", code="RC01", path=path)
        codes.append(profile.instant.participants.get(bic8(agent.bic), bic8(agent.bic)))
    number = task.message_id.rpartition("-")[2].lstrip("0")
    name = f"{codes[0]}/{codes[1]}/{task.settlement_date:%y%m%d}{number}"
    if len(name) > IDENTIFIER_LENGTH_MAX:
        raise DocumentRefused(f"{name} is longer than {IDENTIFIER_LENGTH_MAX} characters", path="PmtInf/PmtInfId")
    return name


def inquire(profile: Profile, task: Task, sent: Sent, key: SigningKey) -> Composed:
    """Ask what became of a transfer, by its PmtInfId."""
    del profile, task, key
    return Composed(sent.name.encode("ascii"), INQUIRY, sent.name)


# ----------------------------------------------------------------------------------------------------------- reading


read_unsigned = customer_file.read_unsigned


def read(profile: Profile, document: bytes, trust: TrustStore, at: datetime) -> Received:
    """Read what the bank answered or handed out: a status report, a transfer that came in, or a statement.

    Raises:
        DocumentRefused: nothing that is read here.
    """
    definition = customer_file.definition_of(io.BytesIO(document))
    if definition is not None and definition.startswith("pain.001."):
        return incoming.received(profile, stream.whole(document))
    found = customer_file.read(profile, document, trust, at)
    if profile.instant.refund_names != "end_to_end_id" or not found.reports:
        return found
    return replace(found, reports=tuple(_by_instruction(report) for report in found.reports))


def _by_instruction(report: StatusReport) -> StatusReport:
    """Leave out the EndToEndId where the InstrId is there: of a refund it is that of the transfer it gives back."""
    return replace(
        report,
        blocks=tuple(
            replace(
                block,
                transactions=tuple(
                    replace(one, end_to_end_id=None if one.instruction_id else one.end_to_end_id)
                    for one in block.transactions
                ),
            )
            for block in report.blocks
        ),
    )


# ---------------------------------------------------------------------------------------------------------- checking


def faults(profile: Profile) -> list[tuple[Location, str]]:
    """Return what this rail misses in a profile."""
    return [*customer_file.faults(profile), *_faults(profile)]


def _faults(profile: Profile) -> Iterator[tuple[Location, str]]:
    if profile.pain is not None and profile.pain.version != DEFINITION:
        yield ("pain", "version"), f"pain.version: this rail takes {DEFINITION}"
    if profile.message.transactions_max != 1:
        yield ("message", "transactions_max"), "message.transactions_max: each transfer is a message, so it is 1"
    for currency, settings in profile.currencies.items():
        if currency != CURRENCY:
            yield ("currencies", currency), f"currencies.{currency}: this rail carries {CURRENCY} only"
        elif settings.decimals:
            yield (
                ("currencies", currency, "decimals"),
                "currencies.KHR.decimals: this rail takes whole riel, so it is 0",
            )
    own = profile.instant.participants.get(bic8(profile.bank_bic), bic8(profile.bank_bic))
    for bank, code in profile.instant.participants.items():
        if len(own) + len(code) + 2 + REFERENCE_LENGTH_MAX > IDENTIFIER_LENGTH_MAX:
            said = f"instant.participants.{bank}: too long, a PmtInfId of both codes and a reference has 35 characters"
            yield ("instant", "participants", bank), said
    yield from operation_faults(profile)


def operation_faults(profile: Profile) -> Iterator[tuple[Location, str]]:
    """Yield the operations that payments need and the transport of a profile does not have."""
    if not isinstance(profile.transport, SoapSettings):
        return
    operations = set(profile.transport.operations)
    if "submit" not in operations:
        yield ("transport", "operations"), "transport.operations.submit: missing, so nothing could be sent"
    for definition, operation in profile.transport.definitions.items():
        if operation not in operations:
            place: Location = ("transport", "definitions", definition)
            yield (
                place,
                f"transport.definitions: {definition} goes by transport.operations.{operation}, which is missing",
            )
