"""A bank that takes its customers' files: pain.001 out; pain.002 back, and statements in whatever form it has.

What comes back carries no signature of its own: it is trusted as far as the channel is, over which nobody but the bank
can leave anything. A returned payment comes as a line of the statement, from some banks as a pacs.004 or pain.007 too.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import BinaryIO

from lxml import etree
from lxml.etree import _Element

from adapters import statement_files
from adapters.pain_settings import PainSettings
from adapters.profile import Profile
from adapters.rails import BlockFacts, Composed, Facts, Received, Task
from adapters.toml import Location
from schemas.errors import ConfigurationError, DocumentRefused
from schemas.iso20022 import camt, pacs004, pain001, pain002, pain007, stream, xml
from schemas.iso20022.customer import Initiator, PaymentType
from schemas.model.identifiers import is_x_text
from schemas.model.payment import Agent, Payment
from security.keys import SigningKey
from security.trust import TrustStore

BLOCKS_MAX = 9_999
"""A PmtInfId is the MsgId (30 characters) and a number of four digits behind it, 35 characters in all."""
_REPORTS = ("pain.", "pacs.", "admi.")
"""Not statements: what a bank says of payments, which is read as a whole."""


# --------------------------------------------------------------------------------------------------------- composing


def apart(profile: Profile, payment: Payment) -> Hashable:
    """Return what payments of one file must have in common, where the bank takes one block a file."""
    settings = settings_of(profile)
    return _shared(settings, payment) if settings.blocks == "one" else None


def compose(
    profile: Profile,
    task: Task,
    payments: Sequence[Payment],
    key: SigningKey,
    inspect: Callable[[Facts], None],
) -> Composed:
    """Write a pain.001, validate it, and let the caller inspect what it says. The file itself is not signed.

    Raises:
        DocumentRefused: the file is not valid against the usage guideline, the inspection refused it, or a payment is
            ordered in another currency than it is paid in, which these files do not say.
    """
    del key
    for payment in payments:
        if payment.instructed_amount is not None and payment.instructed_amount.currency != payment.amount.currency:
            text = "a payment ordered in one currency and paid in another is not for this rail"
            raise DocumentRefused(text, code="AG03", path="CdtTrfTxInf/Amt")
    settings = settings_of(profile)
    who = settings.initiator
    group = pain001.Group(task.message_id, task.created, Initiator(who.name, who.identifier, who.scheme, who.issuer))
    blocks = _blocks(settings, task, payments)
    document = pain001.build(group, [block for block, _ in blocks], settings.version)
    xml.validate(document, settings.version, profile.message.guidelines_folder)
    inspect(facts(document))
    return Composed(
        etree.tostring(document, encoding="UTF-8", xml_declaration=True),
        settings.version,
        settings.name_of(task.message_id, task.created),
        {block.block_id: numbers for block, numbers in blocks},
    )


def settings_of(profile: Profile) -> PainSettings:
    """Return the profile's table of this message family.

    Raises:
        ConfigurationError: it has none.
    """
    if profile.pain is None:
        raise ConfigurationError(f"{profile.name}: pain: missing, and the rail {profile.rail} needs it")
    return profile.pain


def _shared(settings: PainSettings, payment: Payment) -> Hashable:
    """Return what the payments of one block have in common: whatever the block says once for all of them."""
    return (
        payment.debtor_account,
        payment.debtor,
        payment.debtor_agent,
        payment.charge_bearer if settings.charge_bearer_at == "block" else None,
        (payment.urgency, payment.category_purpose) if settings.types_at == "block" else None,
    )


def _blocks(
    settings: PainSettings, task: Task, payments: Sequence[Payment]
) -> list[tuple[pain001.Block, tuple[int, ...]]]:
    """Cut the payments into blocks, each with the gateway's numbers of its payments.

    Raises:
        DocumentRefused: more blocks than there are ids for; with fewer payments a file can be made of them.
    """
    groups: dict[Hashable, list[Payment]] = {}
    for payment in payments:
        groups.setdefault(_shared(settings, payment), []).append(payment)
    if len(groups) > BLOCKS_MAX:
        raise DocumentRefused(f"{len(groups)} blocks, at most {BLOCKS_MAX} have ids", path="PmtInf")
    return [
        (_block(settings, task, number, group), tuple(payment.payment_id for payment in group))
        for number, group in enumerate(groups.values(), start=1)
    ]


def _block(settings: PainSettings, task: Task, number: int, payments: Sequence[Payment]) -> pain001.Block:
    """Return a block; its id is the same whenever the same message is composed."""
    first = payments[0]
    kind = PaymentType(
        first.urgency if settings.priority else None,
        settings.service_level,
        settings.local_instrument,
        first.category_purpose,
    )
    if settings.member_id is not None:
        agent = Agent(clearing_system=settings.clearing_system, member_id=settings.member_id)
        payments = [replace(payment, debtor_agent=agent) for payment in payments]
    return pain001.Block(
        block_id=f"{task.message_id}-{number:04d}",
        execution_date=task.settlement_date,
        payments=tuple(payments),
        batch_booking=settings.batch_booking,
        payment_type=kind if settings.types_at == "block" else None,
        charge_bearer=first.charge_bearer if settings.charge_bearer_at == "block" else None,
    )


def facts(document: _Element) -> Facts:
    """Read back what the finished file says, from the elements themselves (rules 8 to 12)."""
    namespace = {"p": xml.namespace_of(document)}

    def text(element: _Element, path: str) -> str:
        return element.findtext(path, default="", namespaces=namespace)

    group = "p:CstmrCdtTrfInitn/p:GrpHdr/"
    blocks = tuple(
        BlockFacts(
            text(block, "p:PmtInfId"),
            text(block, "p:NbOfTxs") or None,
            text(block, "p:CtrlSum") or None,
            tuple(element.text or "" for element in block.iterfind("p:CdtTrfTxInf/p:Amt/p:InstdAmt", namespace)),
            text(block, "p:DbtrAgt/p:FinInstnId/p:BICFI"),
            tuple(text(one, "p:CdtrAgt/p:FinInstnId/p:BICFI") for one in block.iterfind("p:CdtTrfTxInf", namespace)),
        )
        for block in document.iterfind("p:CstmrCdtTrfInitn/p:PmtInf", namespace)
    )
    return Facts(
        header=None,
        message_id=text(document, group + "p:MsgId"),
        namespace=namespace["p"],
        created=datetime.fromisoformat(text(document, group + "p:CreDtTm")),
        instructing_bic="",
        instructed_bic="",
        stated_count=text(document, group + "p:NbOfTxs"),
        stated_sum=text(document, group + "p:CtrlSum") or None,
        amounts=tuple(amount for block in blocks for amount in block.amounts),
        blocks=blocks,
    )


# ----------------------------------------------------------------------------------------------------------- reading


def read(profile: Profile, document: bytes, trust: TrustStore, at: datetime) -> Received:
    """Read what the bank has left: a status report, returns, or a statement.

    Raises:
        DocumentRefused: nothing that is read here.
    """
    del trust, at
    definition = definition_of(io.BytesIO(document))
    if definition is None or not definition.startswith(_REPORTS):
        if (statement := read_unsigned(profile, io.BytesIO(document))) is not None:
            return statement
        raise DocumentRefused("not a message that this rail takes", code="FF03", path="byte 0")
    root = stream.whole(document)
    folder = profile.message.guidelines_folder
    if folder is not None and (folder / f"{definition}.xsd").is_file():
        xml.validate(root, definition, folder)
    if definition.startswith("pain.002."):
        report = pain002.read(root, profile.zone)
        return Received(definition, report.message_id, reports=(report,))
    if definition == pain007.DEFINITION:
        returns = tuple(pain007.read(root))
    elif definition == pacs004.DEFINITION:
        returns = tuple(pacs004.read(root))
    else:
        raise DocumentRefused(f"{definition[:35]} is not a message that this rail takes", code="FF03", path="Document")
    return Received(definition, returns[0].message_id, returns=returns)


def read_unsigned(profile: Profile, source: BinaryIO) -> Received | None:
    """Read a statement file, in bounded memory; None for what is no statement.

    Raises:
        DocumentRefused: now or while its statements are iterated.
    """
    if profile.statements.signed:
        return None
    definition = definition_of(source)
    source.seek(0)
    is_report = definition is not None and definition.startswith(_REPORTS)
    return None if is_report else statement_files.unsigned(profile, source)


def definition_of(source: BinaryIO) -> str | None:
    """Return which message an XML document is, or None for anything else."""
    source.seek(0)
    head = source.read(statement_files.HEAD_BYTES)
    source.seek(0)
    if statement_files.kind_of(head) != "XML":
        return None
    found = camt.headline(source)
    return None if found is None else found[0]


# ---------------------------------------------------------------------------------------------------------- checking


def faults(profile: Profile) -> list[tuple[Location, str]]:
    """Return what this rail misses in a profile."""
    if profile.pain is None:
        return [(("pain",), f"pain: missing, and the rail {profile.rail} needs it")]
    found: list[tuple[Location, str]] = []
    who = profile.pain.initiator
    if profile.message.character_set == "x":
        found += [
            (("pain", "initiator", name), f"pain.initiator.{name}: not in the X character set, which this bank takes")
            for name in ("name", "identifier", "scheme", "issuer")
            if not is_x_text(getattr(who, name) or "")
        ]
    if profile.statements.signed:
        said = "statements.signed: nothing that comes over this rail carries a signature; say signed = false"
        found.append((("statements", "signed"), said))
    return found
