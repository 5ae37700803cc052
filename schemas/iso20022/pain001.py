"""pain.001, CustomerCreditTransferInitiation: payments on their way to a bank that we are a customer of.

One message carries blocks (PmtInf), each of one debtor account and one execution date, with one or many transactions.
Banks take different versions; what differs between them stands in `VERSIONS`, and one builder and reader does them all.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from schemas.errors import DocumentRefused
from schemas.iso20022.customer import (
    NAMES_2009,
    NAMES_2013,
    Initiator,
    PaymentType,
    read_initiator,
    read_payment_type,
    write_initiator,
    write_payment_type,
)
from schemas.iso20022.parties import (
    CURRENT,
    Naming,
    read_account,
    read_agent,
    read_party,
    read_remittance,
    write_account,
    write_agent,
    write_party,
    write_remittance,
)
from schemas.iso20022.regulatory import read_regulatory_reports, write_regulatory_reports
from schemas.iso20022.xml import (
    NO_REFERENCE,
    NOTHING,
    Markup,
    Record,
    Shape,
    amount,
    document,
    el,
    leaf,
    local_name,
    namespace_of,
    require_namespace,
    timestamp,
)
from schemas.model.money import Money
from schemas.model.payment import Account, Agent, Party, Payment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from lxml.etree import _Element

_MESSAGE = "CstmrCdtTrfInitn"
_NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:"
_INTERMEDIARIES = ("IntrmyAgt1", "IntrmyAgt2", "IntrmyAgt3")
_HEADER, _BLOCK, _TRANSACTION = Shape(), Shape(), Shape("RgltryRptg")


@dataclass(frozen=True, slots=True)
class Version:
    """What a version of the message does in its own way.

    Attributes:
        naming: what it calls BIC and LEI.
        execution_day: where the execution date stands: ReqdExctnDt itself up to version 08, then its choice (rule 30).
        uetr: it has a tag for the UETR, from version 09 on.
    """

    naming: Naming
    execution_day: str
    uetr: bool


VERSIONS: Mapping[str, Version] = MappingProxyType(
    {
        "pain.001.001.03": Version(NAMES_2009, "ReqdExctnDt", uetr=False),
        "pain.001.001.05": Version(NAMES_2013, "ReqdExctnDt", uetr=False),
        "pain.001.001.09": Version(CURRENT, "ReqdExctnDt/Dt", uetr=True),
        "pain.001.001.11": Version(CURRENT, "ReqdExctnDt/Dt", uetr=True),
    }
)
"""Definition -> its version."""


@dataclass(frozen=True, slots=True)
class Group:
    """The group header of a pain.001.

    Attributes:
        message_id: MsgId, <= 35 characters.
        created: CreDtTm, with an offset.
        initiator: who sends it, as the bank knows it.
    """

    message_id: str
    created: datetime
    initiator: Initiator


@dataclass(frozen=True, slots=True)
class Block:
    """A payment-information block (PmtInf): payments from one account on one day.

    Attributes:
        block_id: PmtInfId, <= 35 characters; a bank that books a block as one entry names it by this.
        execution_date: ReqdExctnDt.
        payments: one or more, of the same debtor, debtor account and debtor agent.
        batch_booking: BtchBookg: True for one entry of the whole block, False for one each, None: as agreed.
        payment_type: PmtTpInf of the block. None: each transaction states its own priority and category purpose.
        charge_bearer: ChrgBr of the block. None: each transaction states its own.
    """

    block_id: str
    execution_date: date
    payments: tuple[Payment, ...]
    batch_booking: bool | None = None
    payment_type: PaymentType | None = None
    charge_bearer: str | None = None


# --------------------------------------------------------------------------------------------------- writing


def build(group: Group, blocks: Sequence[Block], definition: str) -> _Element:
    """Return the Document of one or more blocks, in a version of `VERSIONS`.

    Args:
        group: what they share.
        blocks: one or more, of payments in one currency, so that the control sum means something. A UETR is written
            where the version has a tag for it.
        definition: such as ``pain.001.001.09``.

    Raises:
        ValueError: no payments, several currencies, or a block whose payments do not belong together: a defect of the
            caller's batching.
        DocumentRefused: a value cannot be written as XML (RR10).
    """
    version = VERSIONS[definition]
    payments = [payment for block in blocks for payment in block.payments]
    header = el(
        "GrpHdr",
        leaf("MsgId", group.message_id),
        leaf("CreDtTm", timestamp(group.created)),
        _totals(payments),
        write_initiator(group.initiator, version.naming),
    )
    written = [_block(block, version) for block in blocks]
    return document(_NAMESPACE + definition, el(_MESSAGE, header, *written))


def _totals(payments: Sequence[Payment]) -> Markup:
    """Return NbOfTxs and CtrlSum (rules 8 to 10)."""
    currencies = {payment.amount.currency for payment in payments}
    if len(currencies) != 1:
        raise ValueError(f"a pain.001 carries payments of one currency, not of {sorted(currencies) or 'none'}")
    total = Money(sum(payment.amount.amount_minor for payment in payments), currencies.pop())
    return Markup(leaf("NbOfTxs", str(len(payments))) + leaf("CtrlSum", total.text()))


def _block(block: Block, version: Version) -> Markup:
    """Return one PmtInf, in the order of PaymentInstruction30."""
    first = _first(block)
    return el(
        "PmtInf",
        leaf("PmtInfId", block.block_id),
        leaf("PmtMtd", "TRF"),
        leaf("BtchBookg", None if block.batch_booking is None else str(block.batch_booking).lower()),
        _totals(block.payments),
        write_payment_type(block.payment_type),
        leaf(version.execution_day, block.execution_date.isoformat()),
        write_party("Dbtr", first.debtor, version.naming),
        write_account("DbtrAcct", first.debtor_account),
        write_agent("DbtrAgt", first.debtor_agent, version.naming),
        leaf("ChrgBr", block.charge_bearer),
        *[_transaction(payment, block, version) for payment in block.payments],
    )


def _first(block: Block) -> Payment:
    """Return the first payment of a block, after a look whether the others share with it what the block says once."""
    first = block.payments[0]
    shared = {(payment.debtor, payment.debtor_account, payment.debtor_agent) for payment in block.payments}
    bearers = {payment.charge_bearer for payment in block.payments}
    kinds = {(payment.urgency, payment.category_purpose) for payment in block.payments}
    said = block.payment_type
    if len(shared) > 1:
        raise ValueError(f"block {block.block_id}: payments of several debtors")
    if block.charge_bearer is not None and bearers != {block.charge_bearer}:
        raise ValueError(f"block {block.block_id}: charge bearer {block.charge_bearer}, its payments {sorted(bearers)}")
    if said is not None and kinds != {(said.priority or first.urgency, said.category_purpose)}:
        raise ValueError(f"block {block.block_id}: payments of another priority or category purpose than the block's")
    return first


def _transaction(payment: Payment, block: Block, version: Version) -> Markup:
    """Return one CdtTrfTxInf, in the order of CreditTransferTransaction34."""
    naming, agents = version.naming, payment.intermediary_agents
    own_type = None if block.payment_type else PaymentType(payment.urgency, category_purpose=payment.category_purpose)
    return el(
        "CdtTrfTxInf",
        el(
            "PmtId",
            leaf("InstrId", payment.instruction_id or None),
            leaf("EndToEndId", payment.end_to_end_id or NO_REFERENCE),
            leaf("UETR", payment.uetr or None) if version.uetr else NOTHING,
        ),
        write_payment_type(own_type),
        el("Amt", amount("InstdAmt", payment.amount)),
        leaf("ChrgBr", None if block.charge_bearer else payment.charge_bearer),
        write_party("UltmtDbtr", payment.ultimate_debtor, naming),
        *[write_agent(tag, agent, naming) for tag, agent in zip(_INTERMEDIARIES[: len(agents)], agents, strict=True)],
        write_agent("CdtrAgt", payment.creditor_agent, naming),
        write_party("Cdtr", payment.creditor, naming),
        write_account("CdtrAcct", payment.creditor_account),
        write_party("UltmtCdtr", payment.ultimate_creditor, naming),
        leaf("Purp/Cd", payment.purpose),
        write_regulatory_reports(payment.regulatory_reports),
        write_remittance(payment.remittance),
    )


# --------------------------------------------------------------------------------------------------- reading


@dataclass(frozen=True, slots=True)
class _Shared:
    """What a block says once for all of its payments."""

    day: date
    bearer: str | None
    kind: PaymentType | None
    debtor: Party
    account: Account
    agent: Agent


def read(document: _Element) -> tuple[Group, list[Block]]:
    """Return the group and its blocks; the version is the Document's own.

    What a pain.001 does not carry is empty in the payments: payment_id 0, source, order_id and maker ``""``.

    Raises:
        DocumentRefused: another definition, a missing or unreadable field, payments of several currencies, or a count
            (AM18, rule 8) or sum (AM10, rules 9 and 10) of the group or a block that is not that of its transactions.
    """
    namespace = namespace_of(document)
    version = VERSIONS.get(namespace.removeprefix(_NAMESPACE))
    if version is None:
        said = f"expected a Document of {', '.join(VERSIONS)}, got {namespace[:120] or local_name(document)}"
        raise DocumentRefused(said, code="FF03", path=local_name(document))
    message = require_namespace(document, namespace)
    if local_name(message) != _MESSAGE or not len(message):
        raise DocumentRefused(f"expected {_MESSAGE}, got {local_name(message)}", path=local_name(message))
    header = Record(message[0], f"{_MESSAGE}/GrpHdr", _HEADER)
    blocks = [
        _read_block(element, f"{_MESSAGE}/PmtInf[{number}]", version)
        for number, element in enumerate(message.iterchildren(f"{{{namespace}}}PmtInf"), start=1)
    ]
    if header.opt_number("NbOfTxs") is None:
        raise header.refuse("NbOfTxs", "NbOfTxs is missing", "CH21")
    _check_totals(header, [payment for block in blocks for payment in block.payments])
    return Group(header.one("MsgId"), header.moment("CreDtTm"), read_initiator(header, version.naming)), blocks


def _check_totals(record: Record, payments: Sequence[Payment]) -> None:
    """Refuse a header or block whose count or sum is not that of its transactions (rules 8 to 10)."""
    count = record.opt_number("NbOfTxs")
    if not payments or count not in (None, len(payments)):
        raise record.refuse("NbOfTxs", f"{count} transactions are stated, {len(payments)} are there", "AM18")
    currencies = {payment.amount.currency for payment in payments}
    if len(currencies) > 1:
        raise record.refuse("", f"payments of {', '.join(sorted(currencies))}: one currency a message", "AM03")
    total = Money(sum(payment.amount.amount_minor for payment in payments), currencies.pop())
    stated = record.opt_decimal("CtrlSum", total.currency)
    if stated not in (None, total):
        raise record.refuse("CtrlSum", f"{stated} is stated, the transactions sum to {total}", "AM10")


def _read_block(element: _Element, path: str, version: Version) -> Block:
    """Return one PmtInf with its payments."""
    record = Record(element, path, _BLOCK)
    if record.one("PmtMtd") != "TRF":
        raise record.refuse("PmtMtd", "only transfers (TRF) are read", "FF01")
    day = record.opt_date("ReqdExctnDt", "ReqdExctnDt/Dt", "ReqdExctnDt/DtTm")
    if day is None:
        raise record.refuse("ReqdExctnDt", "ReqdExctnDt is missing", "CH21")
    booking = record.opt("BtchBookg")
    shared = _Shared(
        day=day,
        bearer=record.opt("ChrgBr"),
        kind=read_payment_type(record),
        debtor=read_party(record, "Dbtr", version.naming) or Party(),
        account=read_account(record, "DbtrAcct"),
        agent=read_agent(record, "DbtrAgt", version.naming),
    )
    ultimate = read_party(record, "UltmtDbtr", version.naming)
    tag = f"{{{namespace_of(element)}}}CdtTrfTxInf"
    payments = tuple(
        _read_transaction(Record(child, f"{path}/CdtTrfTxInf[{number}]", _TRANSACTION), shared, ultimate, version)
        for number, child in enumerate(element.iterchildren(tag), start=1)
    )
    _check_totals(record, payments)
    return Block(
        block_id=record.one("PmtInfId"),
        execution_date=day,
        payments=payments,
        batch_booking=None if booking is None else record.flag("BtchBookg"),
        payment_type=shared.kind,
        charge_bearer=shared.bearer,
    )


def _read_transaction(record: Record, shared: _Shared, ultimate: Party | None, version: Version) -> Payment:
    """Return one CdtTrfTxInf as a payment; what it does not say itself is said by its block."""
    naming = version.naming
    kind = read_payment_type(record) or shared.kind or PaymentType()
    agents = [read_agent(record, tag, naming) for tag in _INTERMEDIARIES]
    return Payment(
        payment_id=0,
        source="",
        order_id="",
        maker="",
        instruction_id=record.opt("PmtId/InstrId") or "",
        end_to_end_id=record.one("PmtId/EndToEndId"),
        uetr=record.opt("PmtId/UETR") or "",
        amount=record.amount("Amt/InstdAmt"),
        execution_date=shared.day,
        charge_bearer=record.opt("ChrgBr") or shared.bearer or "",
        debtor=shared.debtor,
        debtor_account=shared.account,
        debtor_agent=shared.agent,
        creditor=read_party(record, "Cdtr", naming) or Party(),
        creditor_account=read_account(record, "CdtrAcct"),
        creditor_agent=read_agent(record, "CdtrAgt", naming),
        urgency=kind.priority or "normal",
        purpose=record.either("Purp/Cd", "Purp/Prtry"),
        category_purpose=kind.category_purpose,
        remittance=read_remittance(record),
        ultimate_debtor=read_party(record, "UltmtDbtr", naming) or ultimate,
        ultimate_creditor=read_party(record, "UltmtCdtr", naming),
        intermediary_agents=tuple(agent for agent in agents if agent != _NO_AGENT),
        regulatory_reports=read_regulatory_reports(record),
    )


_NO_AGENT = Agent()
