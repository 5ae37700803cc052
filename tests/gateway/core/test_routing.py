"""Over which rail a payment leaves: the first route that matches, the first usable rail in it, and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.calendar import BusinessCalendar
from gateway.core.routing import Asked, Now, RailFacts, Route, RoutingTable
from schemas.model.money import Money

RIEL, DOLLAR = ("1", "KHR"), ("2", "USD")
NOON = datetime(2026, 11, 30, 5, 0, tzinfo=UTC)
"""12:00 in Phnom Penh, on a Monday."""
TODAY = date(2026, 11, 30)
ZONE = ZoneInfo("Asia/Phnom_Penh")


def rail(name: str, **changes: Any) -> RailFacts:
    """Return a rail that takes riel and dollars until 15:30, up to 1,000 of each."""
    fields: dict[str, Any] = {
        "profile": name, "debits": frozenset({RIEL, DOLLAR}), "limits_minor": {"KHR": 100_000, "USD": 100_000},
        "cut_offs": {"KHR": time(15, 30), "USD": time(15, 30)}, "zone": ZONE, "calendar": BusinessCalendar(),
    }  # fmt: skip
    return RailFacts(**{**fields, **changes})


def asked(**changes: Any) -> Asked:
    """Return what routes look at: 500 riel to ABA, for today."""
    fields: dict[str, Any] = {
        "source": "fmis", "account": "1", "amount": Money(50_000, "KHR"), "day": TODAY, "creditor_bank": "ABAAKHPP",
        "creditor_country": "KH", "purpose": "SALA", "category_purpose": "SALA",
    }  # fmt: skip
    return Asked(**{**fields, **changes})


def table(*routes: Route, **rails: RailFacts) -> RoutingTable:
    """Return a table over the rails a (the home), b and c."""
    known = {name: rail(name) for name in "abc"}
    return RoutingTable({**known, **rails}, {RIEL: "a", DOLLAR: "a"}, routes)


def test_without_routes_a_payment_leaves_over_its_accounts_home() -> None:
    """As before there were any."""
    decision = table().decide(asked(), Now(NOON))
    assert (decision.route, decision.profiles, decision.chosen) == (None, ("a",), "a")


def test_the_first_route_that_matches_decides() -> None:
    """An operator reads the table from the top, and so does the gateway."""
    chosen = table(
        Route("never", ("c",), sources=frozenset({"payroll"})),
        Route("first", ("b", "a"), currencies=frozenset({"KHR"})),
        Route("second", ("c",)),
    ).decide(asked(), Now(NOON))
    assert (chosen.route, chosen.profiles) == ("first", ("b", "a"))
    assert [(look.route, look.matched) for look in chosen.looked] == [("never", False), ("first", True)]


CONDITIONS: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"sources": frozenset({"fmis"})}, {"source": "payroll"}, "source payroll is not fmis"),
    ({"kinds": frozenset({"customer"})}, {"kind": "return"}, "kind return is not customer"),
    ({"currencies": frozenset({"KHR"})}, {"amount": Money(1, "USD"), "account": "2"}, "currency USD is not KHR"),
    (
        {"currencies": frozenset({"KHR"}), "amount_from_minor": 50_000},
        {"amount": Money(49_999, "KHR")},
        "KHR 499.99 is below KHR 500.00",
    ),
    (
        {"currencies": frozenset({"KHR"}), "amount_to_minor": 50_000},
        {"amount": Money(50_001, "KHR")},
        "KHR 500.01 is above KHR 500.00",
    ),
    (
        {"creditor_banks": frozenset({"ABAAKHPP", "ACLBKHPP"})},
        {"creditor_bank": "CADIKHPP"},
        "creditor bank CADIKHPP is not ABAAKHPP or ACLBKHPP",
    ),
    (
        {"creditor_banks": frozenset({"ABAAKHPP"})},
        {"creditor_bank": None},
        "creditor bank is not stated, and is not ABAAKHPP",
    ),
    ({"creditor_countries": frozenset({"KH"})}, {"creditor_country": "US"}, "creditor country US is not KH"),
    ({"purposes": frozenset({"SALA"})}, {"purpose": "TAXS"}, "purpose TAXS is not SALA"),
    ({"category_purposes": frozenset({"SALA"})}, {"category_purpose": "GOVT"}, "category purpose GOVT is not SALA"),
    ({"urgency": "normal"}, {"urgency": "high"}, "urgency high is not normal"),
]


@pytest.mark.parametrize(("condition", "other", "reason"), CONDITIONS)
def test_each_condition_matches_what_it_names_and_says_why_it_does_not_match(
    condition: dict[str, Any], other: dict[str, Any], reason: str
) -> None:
    """Whoever asks why a payment went this way gets an answer for every route above it."""
    routes = table(Route("r", ("b",), **condition))
    assert routes.decide(asked(), Now(NOON)).profiles == ("b",)
    missed = routes.decide(asked(**other), Now(NOON))
    assert (missed.route, missed.profiles) == (None, ("a",))
    assert missed.looked[0].reason == reason


def test_a_rail_that_is_closed_for_today_is_open_for_tomorrow() -> None:
    """The cut-off is about today: what leaves on another day has not missed it."""
    routes = table(Route("open", ("b", "a"), before_cut_off=True), Route("closed", ("c",)))
    late = NOON.replace(hour=8, minute=30)
    assert routes.decide(asked(), Now(NOON)).route == "open"
    assert routes.decide(asked(), Now(late)).route == "closed"
    assert routes.decide(asked(day=date(2026, 12, 1)), Now(late)).route == "open"
    weekend = NOON.replace(day=28)
    assert routes.decide(asked(day=date(2026, 11, 28)), Now(weekend)).route == "closed"
    always = rail("b", cut_offs={"KHR": None})
    assert table(*routes.routes, b=always).decide(asked(), Now(late)).route == "open"


def test_a_channel_that_is_away_is_seen_where_a_route_asks_for_it() -> None:
    """And only there: which rail is wanted does not depend on a line that is down for a minute."""
    routes = table(Route("up", ("b",), channel_up=True), Route("else", ("b", "c")))
    assert routes.is_moving
    assert routes.decide(asked(), Now(NOON)).route == "up"
    assert routes.decide(asked(), Now(NOON, {"b"})).route == "else"
    assert not table(Route("r", ("b",))).is_moving


def test_a_fallback_is_chosen_while_the_wanted_rail_is_away_or_closed() -> None:
    """The same whether the order comes a minute before or after the line broke, or the cut-off passed."""
    routes = table(Route("r", ("b", "c")), c=rail("c", cut_offs={"KHR": time(17)}))
    assert routes.decide(asked(), Now(NOON)).chosen == "b"
    away = routes.decide(asked(), Now(NOON, {"b"}))
    assert (away.profiles, away.chosen, away.can_leave) == (("b", "c"), "c", True)
    assert "rail b: usable, but not now: its channel is held or down" in list(away.lines())
    late = routes.decide(asked(), Now(NOON.replace(hour=9)))
    assert (late.chosen, late.not_now) == ("c", (("b", "its cut-off has passed, or it is closed today"),))
    both = routes.decide(asked(), Now(NOON.replace(hour=9), {"c"}))
    assert (both.chosen, both.can_leave) == ("b", False)


def test_a_rail_that_cannot_carry_the_payment_is_passed_over() -> None:
    """It may not debit the account, does not take the currency, or its limit is below the amount."""
    routes = table(
        Route("r", ("b", "c", "a")), b=rail("b", debits=frozenset({DOLLAR})), c=rail("c", limits_minor={"KHR": 49_999})
    )
    decision = routes.decide(asked(), Now(NOON))
    assert decision.profiles == ("a",)
    assert decision.passed_over == (
        ("b", "it does not debit this account in KHR"), ("c", "KHR 500.00 is above its limit of KHR 499.99"),
    )  # fmt: skip
    assert list(decision.lines()) == [
        "route r: matches: every condition holds",
        "rail b: not usable: it does not debit this account in KHR",
        "rail c: not usable: KHR 500.00 is above its limit of KHR 499.99",
        "chosen: a; no fallback",
    ]


def test_where_no_rail_is_usable_none_is_chosen_and_one_that_knows_the_account_judges() -> None:
    """The order is refused by the rules of that rail, which say best what is wrong with it."""
    routes = table(
        Route("r", ("b", "c")), b=rail("b", debits=frozenset()), c=rail("c", limits_minor={"KHR": 1, "USD": None})
    )
    decision = routes.decide(asked(), Now(NOON))
    assert (decision.route, decision.profiles, decision.chosen) == ("r", (), "c")
    nobody = table(Route("r", ("b",)), b=rail("b", debits=frozenset())).decide(asked(), Now(NOON))
    assert (nobody.profiles, nobody.chosen) == ((), "a")
    assert list(nobody.lines())[-1] == "chosen: none; no rail may carry this payment"


def test_an_account_that_is_not_ours_is_not_routed() -> None:
    """The source hears of it from the business rules."""
    decision = table(Route("r", ("b",))).decide(asked(account="9"), Now(NOON))
    assert (decision.route, decision.profiles, decision.chosen) == (None, (), None)


NAMES = st.frozensets(st.sampled_from("xyz"), max_size=2)
ROUTES = st.builds(
    Route,
    st.just("r"),
    st.just(("b",)),
    currencies=st.sampled_from([frozenset({"KHR"}), frozenset({"KHR", "USD"})]),
    amount_from_minor=st.none() | st.integers(0, 3),
    amount_to_minor=st.none() | st.integers(0, 3),
    sources=NAMES,
    purposes=NAMES,
    urgency=st.sampled_from([None, "normal", "high"]),
    channel_up=st.sampled_from([None, True, False]),
)
PAYMENTS = st.builds(
    lambda source, purpose, urgency, minor: asked(
        source=source, purpose=purpose, urgency=urgency, amount=Money(minor, "KHR")
    ),
    st.sampled_from("xyz"), st.sampled_from(["x", "y", None]), st.sampled_from(["normal", "high"]), st.integers(0, 4),
)  # fmt: skip


@given(ROUTES, ROUTES, PAYMENTS, st.booleans())
def test_a_route_that_is_called_unreachable_never_decides(one: Route, two: Route, paid: Asked, away: bool) -> None:
    """An operator is told of a route that does nothing, and never of one that does something."""
    routes = table(replace(one, name="above"), replace(two, name="below"))
    if one.covers(two):
        assert routes.decide(paid, Now(NOON, {"b"} if away else ())).route != "below"
    assert one.covers(one)
    assert Route("all", ("a",)).covers(one)
