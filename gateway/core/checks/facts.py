"""What the checks look at beside the payment: the rules of a rail and of a source, what was seen, and totals."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Literal

from gateway.core.calendar import BusinessCalendar
from schemas.model.identifiers import NOT_PROVIDED, bic8
from schemas.model.money import Money
from schemas.model.payment import Account, Agent, Payment
from schemas.model.refusal import Refusal

NOTHING: tuple[Refusal, ...] = ()
"""What a rule that holds returns."""


@dataclass(frozen=True, slots=True)
class CurrencyRules:
    """One currency on one rail.

    Attributes:
        decimals: how many the rail takes, never more than the currency has (whole riel: 0).
        limit_minor: the largest payment, in minor units of the currency, or None for no limit.
        cut_off: local time of the rail from which an order is late; None for a rail that never closes.
        after_cut_off: what happens to a late order for today.
    """

    decimals: int
    limit_minor: int | None = None
    cut_off: time | None = None
    after_cut_off: Literal["next_business_day", "refuse"] = "next_business_day"


@dataclass(frozen=True, slots=True)
class RailRules:
    """What a rail takes, from its profile.

    Attributes:
        currencies: ISO 4217 code -> rules of that currency on this rail.
        character_set: ``x`` for the X character set everywhere, ``utf-8`` for free text in any script.
        remittance: ``unstructured``, ``structured``, or ``either`` of them (never both in one payment).
        account_patterns: BIC8 of a bank -> pattern of its account numbers, matched against the whole number.
        account_pattern: the pattern of every other bank.
        directory: the banks that can be reached, by BIC8; None where any bank of the world can be.
        remittance_lines_max: free lines of remittance in one payment.
        addresses_required: a party that has no BIC of its own has an address.
        regulatory_reporting: a customer's payment carries a regulatory report (rule 53).
        days_ahead_max: how far ahead an order may be dated.
        rules: numbers of the rules that hold on this rail, or None for every rule.
    """

    name: str
    currencies: Mapping[str, CurrencyRules]
    directory: frozenset[str] | None
    charge_bearers: frozenset[str] = frozenset({"DEBT", "CRED", "SHAR", "SLEV"})
    character_set: Literal["x", "utf-8"] = "utf-8"
    remittance: Literal["unstructured", "structured", "either"] = "either"
    account_patterns: Mapping[str, re.Pattern[str]] = field(default_factory=dict)
    account_pattern: re.Pattern[str] = re.compile(r"[0-9]{9,15}", re.ASCII)
    clearing_system: str | None = None
    settlement_method: str | None = "CLRG"
    days_ahead_max: int = 30
    rules: frozenset[int] | None = None
    remittance_lines_max: int = 10
    addresses_required: bool = False
    regulatory_reporting: bool = False


@dataclass(frozen=True, slots=True)
class SourceRules:
    """What a source system may do.

    Attributes:
        debtor_accounts: the accounts it may pay from.
        approval_limits_minor: currency -> the largest amount that needs no second person.
    """

    name: str
    debtor_accounts: frozenset[str]
    approval_limits_minor: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Seen:
    """References that are taken already, as far as the caller has put them here.

    Intake puts in what the store has of its orders' EndToEndIds and UETRs, and those of each order that it takes;
    InstrIds it does not, which are made of the payments' own numbers.
    """

    end_to_end_ids: set[tuple[str, str]] = field(default_factory=set)
    """(debtor account number, EndToEndId)."""
    uetrs: set[str] = field(default_factory=set)
    instruction_ids: set[str] = field(default_factory=set)

    def add(self, payment: Payment) -> None:
        """Remember the references of a payment that was taken."""
        self.take(payment.debtor_account.number, payment.end_to_end_id, payment.uetr)
        self.instruction_ids.add(payment.instruction_id)

    def take(self, account: str, end_to_end_id: str, uetr: str) -> None:
        """Remember references that were taken."""
        if end_to_end_id != NOT_PROVIDED:
            self.end_to_end_ids.add((account, end_to_end_id))
        self.uetrs.add(uetr)


@dataclass(frozen=True, slots=True)
class Context:
    """All that a payment is checked against. ``today`` and ``now_local`` are in the rail's time zone."""

    rail: RailRules
    source: SourceRules
    today: date
    now_local: time
    calendar: BusinessCalendar
    seen: Seen = field(default_factory=Seen)


@dataclass(frozen=True, slots=True)
class HeaderFacts:
    """A business application header; BICs in any length, compared by bank."""

    message_id: str
    definition: str
    from_bic: str
    to_bic: str
    created: datetime
    possible_duplicate: bool


@dataclass(frozen=True, slots=True)
class BlockFacts:
    """A payment-information block of a pain.001: its PmtInfId, what it states, and the amounts and agents in it."""

    block_id: str
    declared_count: int | None
    control_sum: str | None
    amounts: Sequence[Money]
    debtor_agent: str = ""
    creditor_agents: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """A message's header beside its group header, as the finished message of ours says them before it is signed.

    Attributes:
        header: the business application header, or None on a rail that has none; its rules hold then of themselves.
        now, tolerance: against which the creation date is compared.
        control_sum: CtrlSum as written, or None where the message states none.
        amounts: of the transactions, in their order.
        signer_bic: for whom the key speaks, by its certificate; None where that names nobody.
        signer_accounts: the accounts for which this key may sign, or None for any.
        debtor_accounts: the accounts that the message debits.
        known_message_ids: MsgIds that were used before, where the caller knows them; a unique key of the database holds
            it across messages (rule 11).
        settlement_account: SttlmAcct, where stated.
        blocks: the payment-information blocks of a pain.001.
        known_block_ids: PmtInfIds that were used before, likewise (rule 12).
        participants: on a rail whose PmtInfId is ``sender/receiver/reference``: BIC8 -> the bank's code where it is
            not its BIC8; None on all others.
    """

    header: HeaderFacts | None
    group_message_id: str
    namespace: str
    instructing_agent: str
    instructed_agent: str
    now: datetime
    tolerance: timedelta
    declared_count: int
    amounts: Sequence[Money]
    control_sum: str | None = None
    signer_bic: str | None = None
    signer_accounts: frozenset[str] | None = None
    debtor_accounts: frozenset[str] = frozenset()
    known_message_ids: Collection[str] = frozenset()
    settlement_method: str | None = None
    clearing_system: str | None = None
    settlement_account: Account | None = None
    blocks: Sequence[BlockFacts] = ()
    known_block_ids: Collection[str] = frozenset()
    participants: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class BatchFacts:
    """A whole batch of a source: what it declared, and what arrived, from sums in the store.

    Attributes:
        declared_totals_minor, totals_minor: currency -> exact sum in minor units.
        category_purposes: of all lines; None stands for lines without one.
        line_purposes: purpose of each line, or its category purpose where it has none.
    """

    batch_id: str
    declared_count: int
    declared_totals_minor: Mapping[str, int]
    count: int
    totals_minor: Mapping[str, int]
    category_purposes: frozenset[str | None]
    line_purposes: frozenset[str | None]
    debtor_accounts: frozenset[str]


def same_bank(one: Agent, other: Agent) -> bool:
    """Tell whether two agents are one bank, by BIC8; without both BICs they are not known to be."""
    return one.bic is not None and other.bic is not None and bic8(one.bic) == bic8(other.bic)


def other_agents(payment: Payment) -> list[tuple[str, Agent]]:
    """Return (path, agent) of the banks beside the creditor's that the source wrote; most payments have none."""
    if not payment.intermediary_agents and payment.covers is None:
        return []
    found = [(f"intermediary_agents[{index}]", agent) for index, agent in enumerate(payment.intermediary_agents)]
    covered = payment.covers
    if covered is not None:
        found += [("covers.debtor_agent", covered.debtor_agent), ("covers.creditor_agent", covered.creditor_agent)]
        between = enumerate(covered.intermediary_agents)
        found += [(f"covers.intermediary_agents[{index}]", agent) for index, agent in between]
    return found
