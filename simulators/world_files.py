"""A third bank relationship of a simulated world: payments leave as customer files over a wire that is not the bus.

``Files`` is the relationship as the world sees it: the bank (simulators/customer_desk.py), whose books are the truth,
how it behaves from file to file, the wire to it (world_wire.py), and what it says on the telephone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from random import Random

from adapters.file_settings import FolderSettings
from adapters.profile import Profile
from gateway.core.lifecycle import OUT
from gateway.store.session import Session
from schemas.iso20022 import pain001, parser
from schemas.model.identifiers import payment_number
from schemas.model.money import Money
from schemas.model.payment import Payment
from simulators.commercial_statements import TABLE
from simulators.customer_desk import REPORTS, STATEMENTS, Conduct, CustomerDesk, Level, ToldBack
from simulators.government import ACCOUNTS
from simulators.names import PHNOM_PENH
from simulators.stage import OWN_BIC
from simulators.world_chronicle import Chronicle
from simulators.world_wire import Gate, Line, draw_wire

PROFILE = "town-bank"
BIC = "CADIKHPP"
OPENINGS = {
    "000300000001": Money(700_000_000_000_000, "KHR"),
    "000300000002": Money(40_000_000_000, "USD"),
}
"""The treasury's accounts at this bank on the first morning."""
NUMBERS = {money.currency: number for number, money in OPENINGS.items()}
DEBITED = {key: (number, number, NUMBERS[key[1]]) for key, number in ACCOUNTS.items()}
"""What each source pays from: one order in three goes to this bank."""
TOLD_BACK: tuple[ToldBack, ...] = ("", "pain.007", "pacs.004")
LEVELS: tuple[Level, ...] = ("transaction", "block", "group")
CALM_FEE_MINOR = 500
"""What the bank takes at each closing of a calm day, so that each account has one more statement at the end."""


def profile() -> Profile:
    """Return the relationship, before a world has drawn how its bank is."""
    return Profile.model_validate({
        "name": PROFILE, "rail": "customer_file", "bank_bic": BIC, "own_bic": OWN_BIC, "time_zone": "Asia/Phnom_Penh",
        "message": {"charge_bearers": ["SLEV", "DEBT", "CRED", "SHAR"]},
        "currencies": {
            "KHR": {"decimals": 0, "cut_off": "15:30", "after_cut_off": "next_business_day"},
            "USD": {"decimals": 2, "cut_off": "15:00", "after_cut_off": "next_business_day"},
        },
        "accounts": [{"number": n, "currency": money.currency, "name": "Treasury"} for n, money in OPENINGS.items()],
        "signature": {}, "statements": {"signed": False, "table": TABLE},
        "pain": {"version": "pain.001.001.09", "initiator": {"name": "General Department of National Treasury"}},
        "transport": {"kind": "folder", "root": "/town-bank", "outgoing": "in", "incoming": ["out"]},
    })  # fmt: skip


def drawn(base: Profile, random: Random) -> Profile:
    """Return the relationship as its bank wants it in one world."""
    assert base.pain is not None
    assert isinstance(base.transport, FolderSettings)
    pain = base.pain.model_copy(update={
        "version": random.choice(tuple(REPORTS)), "batch_booking": random.choice((True, False)),
        "blocks": random.choice(("one", "several")), "types_at": random.choice(("block", "transaction")),
    })  # fmt: skip
    channel = base.channel.model_copy(update={
        "failures_max": random.choice((1, 3)), "down_s": random.choice((30, 600)), "poll_s": random.choice((15, 600)),
        "outstanding_max": random.choice((2, 1_000)),
    })  # fmt: skip
    return base.model_copy(update={
        "pain": pain, "channel": channel,
        "transport": base.transport.model_copy(update={"duplicate_names_refused": random.choice((True, False))}),
        "message": base.message.model_copy(update={"transactions_max": random.choice((2, 7, 1_000))}),
        "in_doubt_after_s": random.choice((900, 7_200, 86_400)), "resends_max": random.choice((0, 3)),
    })  # fmt: skip


class Word(StrEnum):
    """What the bank says of a payment on the telephone."""

    NEVER = "never had it"
    REJECTED = "rejected"
    BOOKED = "booked"


@dataclass(frozen=True, slots=True)
class Manners:
    """How the bank of one world is.

    Attributes:
        rejections, returns: reason code -> share of payments.
        refusals: reason code -> share of files that are refused whole.
        pending, swapped, twice, silent, late: share of files that are answered in this way (``Conduct``).
        late_s_max: longest time until a report comes that is late.
        withheld_max: statements that may be held back at a closing.
        return_days_max: closings until a payment comes back.
        fee_minor: what it takes at each closing.
        itemised: it lists what it books as one entry.
        told_back: how it tells of what comes back, beside its statement.
    """

    rejections: Mapping[str, float]
    returns: Mapping[str, float]
    refusals: Mapping[str, float]
    pending: float
    swapped: float
    twice: float
    silent: float
    late: float
    late_s_max: int
    withheld_max: int
    return_days_max: int
    fee_minor: int
    itemised: bool
    told_back: ToldBack


class Files:
    """The relationship.

    Args:
        seed: of the world.
        base: the relationship that all worlds share.
        now: the world's clock.
        reach: passes a point at which another process may run, or this one may die.
        chronicle: what happens is noted there.

    Attributes:
        profile: the relationship as its bank wants it here.
        desk: the bank.
        gate: its side of the wire.
        is_calm: nothing breaks any more.
    """

    def __init__(
        self, seed: int, base: Profile, now: Callable[[], datetime], reach: Callable[[str], None], chronicle: Chronicle
    ) -> None:
        random = Random(f"{seed} files weather")
        storm = random.choice((0.0, 0.3, 1.0, 1.0, 2.0))
        self.profile = drawn(base, random)
        self._manners = draw_manners(random)
        self._random, self._chronicle = Random(f"{seed} files"), chronicle
        self.desk = CustomerDesk(
            OPENINGS, random.choice(tuple(STATEMENTS)), lambda: now().astimezone(PHNOM_PENH), checks_duplicates=False
        )
        self.gate = Gate(
            self.desk, self._take, Random(f"{seed} wire"), draw_wire(random, storm), now, reach,
            idempotent=self.profile.transport.idempotent,
        )  # fmt: skip
        self.is_calm = False

    def wire(self) -> Line:
        """Return a connection for one worker."""
        return Line(self.gate)

    def close_day(self, today: date) -> None:
        """Let the bank close its books, and begin to send the statements."""
        manners = self._manners
        withheld = 0 if self.is_calm else self._random.randint(0, manners.withheld_max)
        fee = CALM_FEE_MINOR if self.is_calm else manners.fee_minor
        self.desk.conduct = Conduct(withheld=withheld, fee_minor=fee, told_back=manners.told_back)
        self.desk.close_day()
        self._chronicle.note("files", day=today, withheld=withheld, booked=len(self.desk.booked))

    def calm(self) -> None:
        """Let nothing break on the wire from now on, and nothing be held back."""
        self.is_calm = True
        self.gate.calm()

    def expects(self, db: Session) -> bool:
        """Tell whether something will still happen: the bank owes a letter, or a payment waits for its end."""
        states = ",".join(f"'{state.value}'" for state in OUT)
        query = f"SELECT COUNT(*) FROM payment WHERE profile = '{PROFILE}' AND state IN ({states})"  # noqa: S608 - our own text
        row = db.connection.execute(query).fetchone()
        return bool(row[0]) or self.desk.expects() or not self.gate.is_empty()

    def said(self, message_id: str, number: int) -> Word:
        """Return what the bank says on the telephone of a payment, by the gateway's number of it."""
        fates = self.desk.fates.get(message_id)
        if fates is None:
            return Word.NEVER
        mine = [fate for fate in fates if payment_number(fate.payment.instruction_id) == number]
        return Word.BOOKED if any(fate.reason is None for fate in mine) else Word.REJECTED

    # ------------------------------------------------------------------------------------------------- how the bank is

    def _take(self, content: bytes) -> None:
        """Hand a file to the desk, which treats each in its own way."""
        _, blocks = pain001.read(parser.parse(content))
        payments = [payment for block in blocks for payment in block.payments]
        self.desk.conduct = conduct = self._conduct(payments)
        self.desk.take(content)
        self._chronicle.note(
            "file", payments=len(payments), rejected=len(conduct.rejections), refused=conduct.refuse_file,
            silent=conduct.silent, level=conduct.level, late_s=conduct.late_s,
        )  # fmt: skip

    def _conduct(self, payments: list[Payment]) -> Conduct:
        manners, random = self._manners, self._random

        def happens(share: float) -> bool:
            return random.random() < share

        def some(shares: Mapping[str, float]) -> dict[str, str]:
            drawn_reasons = ((payment.end_to_end_id, _reason(shares, random.random())) for payment in payments)
            return {name: reason for name, reason in drawn_reasons if reason is not None}

        pending = happens(manners.pending)
        return Conduct(
            rejections=some(manners.rejections), returns=some(manners.returns),
            refuse_file=_reason(manners.refusals, random.random()), level=random.choice(LEVELS),
            pending_first=pending, swapped=happens(manners.swapped), twice=happens(manners.twice),
            silent=happens(manners.silent),
            late_s=random.randint(0, manners.late_s_max) if happens(manners.late) else 0,
            return_days=random.randint(1, manners.return_days_max), itemised=manners.itemised,
        )  # fmt: skip


def _reason(shares: Mapping[str, float], draw: float) -> str | None:
    """Return the reason in whose share a draw lies, or None."""
    for reason, share in shares.items():
        if draw < share:
            return reason
        draw -= share
    return None


def draw_manners(random: Random) -> Manners:
    """Draw how the bank of a world is: each of its manners in some worlds only."""

    def some(most: float) -> float:
        return random.choice((0.0, 0.5, 1.0)) * most

    return Manners(
        rejections={"AC04": some(0.08), "MS03": some(0.05), "DT01": some(0.03), "ED05": some(0.03)},
        returns={"AC06": some(0.1), "FOCR": some(0.04)},
        refusals={"FF01": some(0.06), "AM10": some(0.03), "DT01": some(0.03)},
        pending=some(0.5), swapped=some(0.5), twice=some(0.3), silent=some(0.3), late=some(0.4),
        late_s_max=random.choice((600, 7_200, 172_800)), withheld_max=random.choice((0, 0, 2)),
        return_days_max=random.choice((1, 2, 3)), fee_minor=random.choice((0, 0, 300)),
        itemised=random.choice((True, False)), told_back=random.choice(TOLD_BACK),
    )  # fmt: skip
