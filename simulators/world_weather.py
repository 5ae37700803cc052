"""What may go wrong in the world of a seed: drawn once, so that some worlds are calm and others are stormy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from gateway.config import WorkerSettings
from simulators.behaviour import Behaviour
from simulators.faults import Faults
from simulators.world_people import Plan

STORE_POINTS = ("store.idle", "store.uncommitted", "store.committed", "store.told")
"""Around every transaction (world_workers.py): there are thousands of them in a world."""
FLOW_POINTS = (
    "intake.committed", "dispatch.released", "dispatch.committed", "dispatch.chased", "relay.bank_leased",
    "relay.bank_published", "relay.bank_marked", "relay.event_leased", "relay.event_published", "relay.event_marked",
    "relay.courier_leased", "relay.courier_handed_over", "relay.courier_marked", "inbound.archived", "inbound.applied",
    "inbound.acknowledged", "inbound.collected", "inbound.let_go",
)  # fmt: skip
"""The points that the gateway's workers name; what is not here dies like everything else."""


@dataclass(frozen=True, slots=True)
class Weather:
    """One world's mischief.

    Attributes:
        days: days of faults.
        stride_s: longest time in which nothing happens there; shorter than a bank may take to answer, or longer.
        turn_s: there are so many steps that one is made in this time.
        plan: how many orders each of them has.
        faults: what happens to the messages of which queue.
        crashes, crashes_max: where and how often processes die.
        interruptions, stalls: how often a process is overtaken between two of its steps, or sleeps there.
        breaks: how often the database's connection breaks at a transaction.
        forgeries: how often somebody lies, a moment.
        limits: how much the workers take at once; little, so that they meet.
        page_size: entries on a page of a statement.
    """

    days: int
    stride_s: int
    turn_s: int
    plan: Plan
    behaviour: Behaviour
    faults: Mapping[str, Faults]
    crashes: Mapping[str, float]
    crashes_max: int
    interruptions: float
    stalls: float
    breaks: float
    forgeries: float
    limits: WorkerSettings
    page_size: int


def draw(random: Random) -> Weather:
    """Draw the weather."""
    storm = random.choice((0.0, 0.3, 1.0, 1.0, 2.0))
    lines = random.randint(5, 20)
    suppliers = random.randint(6, 20)
    stride_s = random.choice((250, 1_000))
    return Weather(
        days=random.choice((1, 2, 2, 2, 3)),
        plan=Plan(lines, random.randint(2, 7), suppliers, random.randint(0, 2), random.randint(0, 5)),
        behaviour=_behaviour(random),
        faults=_faults(random, storm),
        stride_s=stride_s,
        turn_s=random.choice((35, 100)),
        crashes={
            **dict.fromkeys(STORE_POINTS, 0.0005 * storm),
            **dict.fromkeys(FLOW_POINTS, 0.04 * storm),
            "*": 0.002 * storm,
        },
        crashes_max=100,
        interruptions=random.choice((0.0, 0.02, 0.1)),
        stalls=random.choice((0.0, 0.005, 0.02)) * storm,
        breaks=random.choice((0.0, 0.002, 0.01)) * storm,
        forgeries=random.choice((0.0, 0.02)),
        limits=_limits(random),
        page_size=random.choice((2, 7, 7, 5_000)),
    )


def _faults(random: Random, storm: float) -> dict[str, Faults]:
    """Return what happens on the bus; what was confirmed on the events' exchange is never lost or changed.

    A source that misses an event has no reason to ask for it, and a broker that confirmed a message keeps it. Between
    the organisations there is more than one broker, so orders and bank messages do get lost.
    """

    def share(most: float) -> float:
        return random.random() * most * storm

    def on_the_way() -> Faults:
        return Faults(
            lost=share(0.1), doubled=share(0.15), reordered=share(0.2), delayed=share(0.2), corrupted=share(0.06),
            away=share(0.06), unacknowledged=share(0.06), delay_ticks_max=random.choice((2, 10, 40)),
        )  # fmt: skip

    inside = Faults(
        doubled=share(0.1), reordered=share(0.2), delayed=share(0.1), away=share(0.06), unacknowledged=share(0.06)
    )
    return {"orders.*": on_the_way(), "bank.*.out": on_the_way(), "bank.*.in": on_the_way(), "*": inside}


def _behaviour(random: Random) -> Behaviour:
    """Return how the bank is: each of its manners in some worlds only."""

    def some(most: float) -> float:
        return random.choice((0.0, 0.5, 1.0)) * most

    return Behaviour(
        rejections={"AC04": some(0.06), "MS03": some(0.04)},
        returns={"AC06": some(0.08), "FOCR": some(0.03)},
        return_days_max=random.choice((0, 1, 2)),
        unmentioned=some(0.06),
        silent=some(0.15),
        late=some(0.2),
        late_s_max=random.choice((600, 7_200)),
        twice=some(0.2),
        progress_first=some(0.4),
        short=some(0.4),
        refuses_repeats=some(0.6),
        answers_unverified=random.random() < 0.7,  # noqa: PLR2004 - most banks answer
        notifications=random.random() < 0.5,  # noqa: PLR2004 - one in two
        return_charge_minor=random.choice((0, 200)),
        daily_fee_minor=random.choice((0, 500)),
        deposits_max=random.choice((0, 2)),
    )


def _limits(random: Random) -> WorkerSettings:
    return WorkerSettings(
        intake_batch=random.choice((1, 3, 500)),
        dispatch_batch=random.choice((2, 7, 5_000)),
        relay_batch=random.choice((1, 4, 500)),
        inbound_batch=random.choice((1, 3, 20)),
        reconcile_batch=random.choice((1, 5, 10_000)),
        lease_s=random.choice((5, 60)),
    )
