"""How the central bank behaves: which transactions it rejects or returns, and how it answers.

Shares are drawn from the bank's seeded random source; a plan for one payment (by its EndToEndId or the end of the
creditor's account number) comes before every share, so that a test can say exactly what happens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from random import Random
from typing import NamedTuple


class Fate(NamedTuple):
    """What becomes of one transaction.

    Attributes:
        reject: reason code of the rejection, or "" to settle.
        give_back: reason code of the return after settlement, or "" to keep.
        after_days: days from settlement to return.
        unmentioned: settled, but left out of the answer; only the statement tells.
    """

    reject: str = ""
    give_back: str = ""
    after_days: int = 1
    unmentioned: bool = False


SETTLED = Fate()


class Manner(NamedTuple):
    """How one message is answered.

    Attributes:
        silent: never.
        late_s: seconds later.
        twice: the same bytes again.
        progress_first: a group status ACSP before the settlement.
        short: one group status instead of one for each transaction, when all are settled.
    """

    silent: bool = False
    late_s: int = 0
    twice: bool = False
    progress_first: bool = False
    short: bool = False


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Shares (0.0 to 1.0) of transactions and messages, and switches.

    Attributes:
        rejections: reason code -> share of transactions rejected with it.
        returns: reason code -> share of transactions returned with it, 1 to ``return_days_max`` days later.
        return_days_max: 0 for returns at once.
        unmentioned: share of transactions settled and left out of the answer.
        silent, late, twice, progress_first, short: share of messages answered in that manner.
        refuses_repeats: share of repeated messages answered with RJCT DUPL instead of the first answer again.
        checks_duplicates: refuse a known UETR or EndToEndId under a new MsgId. A bank that does not would pay twice.
        answers_unverified: answer what it cannot verify with RJCT; otherwise it is dropped without a word.
        notifications: a camt.054 for everything booked.
        return_charge_minor: taken from each returned amount, in minor units.
        daily_fee_minor: booked to each account at the end of the day, in minor units.
        deposits_max: up to so many incoming credits of taxpayers a day and account.
        recalls_accepted, recalls_pending: share of recalls of settled payments that are accepted (the payment comes
            back with FOCR), or answered as pending first; all others are refused (CUST).
        recall_plans: EndToEndId -> status of the answer: ``CNCL``, ``RJCR`` or ``PDCR``.
        announces: start and end of the business day are announced (admi.004).
        plans: EndToEndId -> fate.
        account_plans: end of the creditor's account number -> fate.
    """

    rejections: Mapping[str, float] = field(default_factory=dict)
    returns: Mapping[str, float] = field(default_factory=dict)
    return_days_max: int = 3
    unmentioned: float = 0.0
    silent: float = 0.0
    late: float = 0.0
    late_s_max: int = 3600
    twice: float = 0.0
    progress_first: float = 0.0
    short: float = 0.0
    refuses_repeats: float = 0.0
    checks_duplicates: bool = True
    answers_unverified: bool = True
    notifications: bool = False
    return_charge_minor: int = 0
    daily_fee_minor: int = 0
    deposits_max: int = 0
    recalls_accepted: float = 0.0
    recalls_pending: float = 0.0
    recall_plans: Mapping[str, str] = field(default_factory=dict)
    announces: bool = False
    plans: Mapping[str, Fate] = field(default_factory=dict)
    account_plans: Mapping[str, Fate] = field(default_factory=dict)


class Moods:
    """Draws fates and manners for a behaviour.

    Args:
        behaviour: the shares and plans.
        random: the seeded source.
    """

    def __init__(self, behaviour: Behaviour, random: Random) -> None:
        self._behaviour = behaviour
        self._random = random
        shares = [(share, Fate(reject=code)) for code, share in behaviour.rejections.items()]
        shares += [(share, Fate(give_back=code)) for code, share in behaviour.returns.items()]
        shares.append((behaviour.unmentioned, Fate(unmentioned=True)))
        limits = accumulate(share for share, _ in shares)
        self._thresholds = [(limit, fate) for limit, (_, fate) in zip(limits, shares, strict=True)]
        self._unusual = self._thresholds[-1][0]
        self._suffix_lengths = sorted({len(suffix) for suffix in behaviour.account_plans}, reverse=True)

    def fate(self, end_to_end_id: str | None, creditor_account: str) -> Fate:
        """Return what becomes of a transaction: its plan, or what the draw says."""
        if self._behaviour.plans or self._suffix_lengths:
            planned = self._planned(end_to_end_id, creditor_account)
            if planned is not None:
                return planned
        if not self._unusual:
            return SETTLED
        draw = self._random.random()
        if draw >= self._unusual:
            return SETTLED
        drawn = next(fate for threshold, fate in self._thresholds if draw < threshold)
        if drawn.give_back:
            longest = self._behaviour.return_days_max
            return drawn._replace(after_days=self._random.randint(min(1, longest), longest))
        return drawn

    def _planned(self, end_to_end_id: str | None, creditor_account: str) -> Fate | None:
        if end_to_end_id and end_to_end_id in self._behaviour.plans:
            return self._behaviour.plans[end_to_end_id]
        ends = (creditor_account[-length:] for length in self._suffix_lengths)
        return next((plan for end in ends if (plan := self._behaviour.account_plans.get(end))), None)

    def manner(self) -> Manner:
        """Return how the next message is answered."""
        behaviour = self._behaviour
        return Manner(
            silent=self._happens(behaviour.silent),
            late_s=self._random.randint(1, behaviour.late_s_max) if self._happens(behaviour.late) else 0,
            twice=self._happens(behaviour.twice),
            progress_first=self._happens(behaviour.progress_first),
            short=self._happens(behaviour.short),
        )

    def refuses_repeat(self) -> bool:
        """Say whether a repeated message is refused instead of answered again."""
        return self._happens(self._behaviour.refuses_repeats)

    def recall_status(self, end_to_end_id: str | None) -> str:
        """Return how a recall of a settled payment is answered: its plan, or what the draw says."""
        planned = self._behaviour.recall_plans.get(end_to_end_id or "")
        if planned is not None:
            return planned
        if self._happens(self._behaviour.recalls_pending):
            return "PDCR"
        return "CNCL" if self._happens(self._behaviour.recalls_accepted) else "RJCR"

    def deposits(self) -> int:
        """Return how many taxpayers pay in today."""
        return self._random.randint(0, self._behaviour.deposits_max) if self._behaviour.deposits_max else 0

    def deposit_minor(self) -> int:
        """Return what a taxpayer pays in: whole units, in minor units."""
        return 100 * self._random.randint(1_000, 5_000_000)

    def _happens(self, share: float) -> bool:
        return share > 0 and self._random.random() < share
