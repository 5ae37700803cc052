"""What credit transfers between banks share: pacs.008 for customers, pacs.009 for institutions.

Two layouts of the same fields. In a group, transactions of one currency share settlement date, total and agents, which
stand in the group header once; so does a domestic rail. A single transfer names its date and agents itself, and the
header has no totals; so does a correspondent of the CBPR+ usage guidelines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from schemas.errors import DocumentRefused
from schemas.iso20022.parties import Settlement, read_agent, write_agent, write_settlement
from schemas.iso20022.xml import NOTHING, Markup, Record, Shape, amount, el, join, leaf, timestamp
from schemas.model.money import Money
from schemas.model.payment import Agent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from lxml.etree import _Element

    from schemas.model.payment import Payment

URGENCY = {"normal": "NORM", "high": "HIGH"}
PRIORITY = {"NORM": "normal", "HIGH": "high"}
INTERMEDIARIES_MAX = 3
_HEADER = Shape()
_INTERMEDIARY_TAGS = tuple(f"IntrmyAgt{number}" for number in range(1, INTERMEDIARIES_MAX + 1))
_NO_AGENT = Agent()


@dataclass(frozen=True, slots=True)
class Group:
    """The group header of a pacs.008 or pacs.009.

    Attributes:
        message_id: MsgId, <= 35 characters.
        created: CreDtTm, with an offset.
        settlement_method: CLRG, INDA, INGA or COVE.
        clearing_system: with CLRG; at most 3 characters are an ISO code (Cd), more are the rail's own name (Prtry).
        settlement_account: with INDA and INGA (rule 36).
    """

    message_id: str
    created: datetime
    settlement_method: str
    clearing_system: str | None
    settlement_date: date
    instructing_bic: str
    instructed_bic: str
    settlement_account: str | None = None


# --------------------------------------------------------------------------------------------------- writing


def total_of(payments: Sequence[Payment], name: str) -> Money:
    """Return the sum of payments that go into one message.

    Raises:
        ValueError: no payments, or payments of several currencies: a defect of the caller's batching.
    """
    currencies = {payment.amount.currency for payment in payments}
    if len(currencies) != 1:
        raise ValueError(f"a {name} carries payments of one currency, not of {sorted(currencies) or 'none'}")
    return Money(sum(payment.amount.amount_minor for payment in payments), currencies.pop())


def write_group_header(group: Group, total: Money, count: int) -> Markup:
    """Return the GrpHdr of a group: what its transactions share."""
    return el(
        "GrpHdr",
        leaf("MsgId", group.message_id),
        leaf("CreDtTm", timestamp(group.created)),
        leaf("NbOfTxs", str(count)),
        leaf("CtrlSum", total.text()),
        amount("TtlIntrBkSttlmAmt", total),
        leaf("IntrBkSttlmDt", group.settlement_date.isoformat()),
        write_settlement(_settlement(group, between=True)),
    )


def write_single_header(group: Group) -> Markup:
    """Return the GrpHdr of a single transfer, which names its date and its agents itself."""
    return el(
        "GrpHdr",
        leaf("MsgId", group.message_id),
        leaf("CreDtTm", timestamp(group.created)),
        leaf("NbOfTxs", "1"),
        write_settlement(_settlement(group, between=False)),
    )


def _settlement(group: Group, *, between: bool) -> Settlement:
    return Settlement(
        group.settlement_method,
        group.clearing_system,
        group.settlement_date,
        group.instructing_bic if between else None,
        group.instructed_bic if between else None,
        group.settlement_account,
    )


def write_references(payment: Payment) -> Markup:
    """Return PmtId."""
    return el(
        "PmtId",
        leaf("InstrId", payment.instruction_id),
        leaf("EndToEndId", payment.end_to_end_id),
        leaf("UETR", payment.uetr),
    )


def write_type(payment: Payment) -> Markup:
    """Return PmtTpInf."""
    return el(
        "PmtTpInf",
        leaf("InstrPrty", URGENCY[payment.urgency]),
        leaf("CtgyPurp/Cd", payment.category_purpose),
    )


def write_between(single: Group | None) -> Markup:
    """Return InstgAgt and InstdAgt of a single transfer; in a group they stand in the header."""
    if single is None:
        return NOTHING
    return join(
        (
            leaf("InstgAgt/FinInstnId/BICFI", single.instructing_bic),
            leaf("InstdAgt/FinInstnId/BICFI", single.instructed_bic),
        )
    )


def write_intermediaries(agents: Sequence[Agent]) -> Markup:
    """Return IntrmyAgt1 to IntrmyAgt3, nearest to the sender first.

    Raises:
        DocumentRefused: more than three (CH17).
    """
    if not agents:
        return NOTHING
    if len(agents) > INTERMEDIARIES_MAX:
        text = f"{len(agents)} intermediary agents; a message has room for {INTERMEDIARIES_MAX}"
        raise DocumentRefused(text, code="CH17", path="CdtTrfTxInf/IntrmyAgt")
    return join([write_agent(f"IntrmyAgt{number}", agent) for number, agent in enumerate(agents, start=1)])


# --------------------------------------------------------------------------------------------------- reading


def header_of(message: _Element, path: str) -> Record:
    """Return the group header of a message, to be read."""
    return Record(message[0], f"{path}/GrpHdr", _HEADER)


def read_group(header: Record, settlement: Settlement, first: Record, day: date) -> Group:
    """Return the group; a single transfer names the agents itself."""
    return Group(
        message_id=header.one("MsgId"),
        created=header.moment("CreDtTm"),
        settlement_method=settlement.method,
        clearing_system=settlement.clearing_system,
        settlement_date=day,
        instructing_bic=settlement.instructing_bic or first.one("InstgAgt/FinInstnId/BICFI"),
        instructed_bic=settlement.instructed_bic or first.one("InstdAgt/FinInstnId/BICFI"),
        settlement_account=settlement.account,
    )


def read_intermediaries(record: Record) -> tuple[Agent, ...]:
    """Return the intermediary agents that are there, nearest to the sender first."""
    found = [read_agent(record, tag) for tag in _INTERMEDIARY_TAGS]
    return tuple(agent for agent in found if agent != _NO_AGENT)


def read_urgency(record: Record) -> str:
    """Return ``normal`` or ``high``; a message that says nothing is normal.

    Raises:
        DocumentRefused: another priority.
    """
    priority = record.opt("PmtTpInf/InstrPrty") or "NORM"
    if priority not in PRIORITY:
        raise record.refuse("PmtTpInf/InstrPrty", f"{priority[:40]!r} is neither NORM nor HIGH")
    return PRIORITY[priority]


def read_day(record: Record, settlement: Settlement) -> date:
    """Return the settlement day, which stands in the header or in the transaction.

    Raises:
        DocumentRefused: in neither (CH21).
    """
    day = settlement.date or record.opt_date("IntrBkSttlmDt")
    if day is None:
        raise record.refuse("IntrBkSttlmDt", "IntrBkSttlmDt is missing, here and in the group header", "CH21")
    return day


def check_totals(header: Record, payments: Sequence[Payment]) -> None:
    """Refuse a header whose count or sums are not those of its transactions (rules 8 and 9).

    Raises:
        DocumentRefused: AM18 or AM10.
    """
    count = header.opt_number("NbOfTxs")
    if not payments or count != len(payments):
        raise header.refuse("NbOfTxs", f"{count} transactions are stated, {len(payments)} are there", "AM18")
    currency = payments[0].amount.currency
    total = sum(payment.amount.amount_minor for payment in payments)
    one_currency = all(payment.amount.currency == currency for payment in payments)
    stated = (
        ("CtrlSum", header.opt_decimal("CtrlSum", currency) if one_currency else None),
        ("TtlIntrBkSttlmAmt", header.opt_amount("TtlIntrBkSttlmAmt")),
    )
    for path, money in stated:
        if money is not None and not (one_currency and money == Money(total, currency)):
            raise header.refuse(path, f"{money} is stated, the transactions sum to {Money(total, currency)}", "AM10")
