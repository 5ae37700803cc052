"""What the matchers may look at: the payments, bundles and other entries that queries found for a slice of entries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Any

from gateway.core.matchers.receipts import Bill
from gateway.core.matching import Candidate, EntryFacts, Match, Tolerance


@dataclass(frozen=True, slots=True)
class MatchingRules:
    """What a relationship says of matching.

    Attributes:
        order: names of the matchers, the first that knows an entry decides.
        tolerances: by currency; none where amounts must be equal.
        days: how many calendar days an entry may lie before or after the payment's day, where no reference names it.
        name_score_min: from which likeness of names, 0 to 100, an entry without a reference is matched by itself.
        margin_min: by how much the best candidate must be better than the next.
        prefixes: what the bank writes before our references.
        charge_accounts: the ledger account (``charges``, ``interest``) by bank transaction code.
        sweep_codes: bank transaction codes of transfers between our own accounts.
    """

    order: tuple[str, ...] = ()
    tolerances: Mapping[str, Tolerance] = field(default_factory=lambda: MappingProxyType({}))
    days: int = 5
    name_score_min: int = 90
    margin_min: int = 8
    prefixes: tuple[str, ...] = ()
    charge_accounts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    sweep_codes: frozenset[str] = frozenset({"SWEP", "TOPG", "ZABA"})


@dataclass(frozen=True, slots=True)
class Named:
    """A payment that an entry names: by which kind of reference, and as the entry writes it."""

    payment: int
    rule: str
    key: str


@dataclass(frozen=True, slots=True)
class Part:
    """One transaction inside an entry: its amount, signed as the entry, and the payment that it names."""

    minor: int | None
    named: Named | None
    return_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Bundle:
    """Payments that one entry may book together.

    Attributes:
        name: MsgId or PmtInfId of the batch.
        rule: ``batch_reference`` where the entry names it, ``batch_sum`` where only count or sum point to it.
    """

    name: str
    rule: str
    payments: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Leg:
    """Another entry whose other side is not known yet: in suspense, or a sweep that waits for its second leg."""

    entry: int
    account: str
    currency: str
    minor: int
    day: date | None
    matched: str
    about: int | None = None
    references: frozenset[str] = frozenset()
    reversal: bool = False


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a person may agree to: never posted by itself."""

    rule: str
    payments: tuple[int, ...]
    score: int
    evidence: Mapping[str, Any]


def waiting(entry: EntryFacts, about: int | None = None) -> Leg:
    """Return an entry that nobody has explained, as others see it."""
    return Leg(
        entry.id, entry.account, entry.currency, entry.amount_minor, entry.day, "suspense", about,
        frozenset(entry.references), entry.reversal,
    )  # fmt: skip


@dataclass(slots=True)
class Pool:
    """What was found for the entries of one slice, by the entry's number; payments stand in it as they are now.

    Attributes:
        named: payments by the entry's references, the strongest first.
        in_text: payments whose reference stands in the entry's free text.
        alike: payments of the same account, amount and currency, about the same day.
        nearby: payments of the same account and currency that are not booked yet, about the same day.
        parts: the transactions inside an entry.
        bundles: batches.
        legs: other entries with the opposite amount.
        pieces: entries that name a payment and were not matched to it, by the payment.
        left: entries of this slice that every matcher has left, by their amount; None until all have been asked.
        billed: bills that the references of a credit may name, by their numbers; ``bills`` has them as they are now.
        taken: entries that are explained by now.
        doubts: why an entry that names something was not matched to it.
        proposals: what a person may choose from.
    """

    payments: dict[int, Candidate] = field(default_factory=dict)
    named: dict[int, list[Named]] = field(default_factory=dict)
    in_text: dict[int, list[Named]] = field(default_factory=dict)
    alike: dict[int, list[int]] = field(default_factory=dict)
    nearby: dict[int, list[int]] = field(default_factory=dict)
    parts: dict[int, list[Part]] = field(default_factory=dict)
    bundles: dict[int, list[Bundle]] = field(default_factory=dict)
    legs: dict[int, list[Leg]] = field(default_factory=dict)
    pieces: dict[int, list[Leg]] = field(default_factory=dict)
    left: dict[int, list[Leg]] | None = None
    own_accounts: frozenset[str] = frozenset()
    billed: dict[int, list[int]] = field(default_factory=dict)
    bills: dict[int, Bill] = field(default_factory=dict)
    taken: set[int] = field(default_factory=set)
    doubts: dict[int, Match] = field(default_factory=dict)
    proposals: dict[int, list[Proposal]] = field(default_factory=dict)

    def doubt(self, entry: EntryFacts, match: Match) -> None:
        """Remember why an entry was not matched to what it names; the first doubt is the strongest.

        Other entries see from now on that it waits for its payment.
        """
        about = match.explanation.about
        if self.doubts.setdefault(entry.id, match) is match and about is not None:
            self.pieces.setdefault(about, []).append(waiting(entry, about))

    def waiting(self, payment: int, but: int) -> list[Leg]:
        """Return the entries that name a payment and are not explained yet, but for one."""
        found = {leg.entry: leg for leg in self.pieces.get(payment, ())}
        return [leg for leg in found.values() if leg.entry != but and leg.entry not in self.taken]

    def propose(self, entry: int, proposal: Proposal) -> None:
        """Offer a person what no rule may decide."""
        self.proposals.setdefault(entry, []).append(proposal)
