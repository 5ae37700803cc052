"""The position shows every account, how current it is, and sums that nobody adds up by hand."""

from __future__ import annotations

from datetime import timedelta

from schemas.model.money import Money
from tests.gateway.flow.stand import DAY, DOLLAR, RIEL, Stand, booked, dollars
from tests.gateway.reports.days import CLOSING, OPENING, live, positions


def test_every_account_is_shown_with_its_last_statement_day(stand: Stand) -> None:
    """Also the one of which no statement has ever come: PEFA asks for all active accounts."""
    live(stand)
    stand.sent(dollars(9))
    found = {one.account: one for one in positions(stand).accounts}
    riel = found[RIEL]
    assert (riel.opening, riel.closing) == (Money(OPENING, "KHR"), Money(CLOSING, "KHR"))
    assert (riel.received, riel.paid, riel.entries) == (Money(100_900, "KHR"), Money(-201_200, "KHR"), 6)
    assert (riel.transit, riel.transit_count) == (Money(-200_000, "KHR"), 2)
    assert (riel.suspended, riel.book_balance) == (Money(400, "KHR"), Money(CLOSING - 100_000, "KHR"))
    assert riel.current == "current"
    dollar = found[DOLLAR]
    assert (dollar.opening, dollar.statement, dollar.current) == (None, None, "no statement")
    assert (dollar.transit_count, dollar.transit) == (1, Money(-1_250, "USD"))


def test_several_statements_of_a_day_are_one_day(stand: Stand) -> None:
    """The first one opens it, the last one closes it."""
    stand.take(
        stand.bank.statement([booked(-5)], OPENING, statement_id="A", sequence=1),
        stand.bank.statement([booked(7)], OPENING - 5, statement_id="B", sequence=2),
    )
    riel = positions(stand).accounts[0]
    assert (riel.opening, riel.closing) == (Money(OPENING, "KHR"), Money(OPENING + 2, "KHR"))
    assert (riel.received, riel.paid, riel.entries) == (Money(7, "KHR"), Money(-5, "KHR"), 2)


def test_an_account_grows_old_by_business_days_and_then_by_the_week(light: Stand) -> None:
    """A weekend makes nobody late; a week does."""
    light.take(light.bank.statement([], OPENING))
    seen = []
    for _ in range(9):
        one = positions(light).accounts[0]
        assert one.statement is not None
        seen.append((one.statement.age_days, one.statement.age_business_days, one.current))
        light.clock.advance(timedelta(days=1))
    assert seen[:3] == [(0, 0, "current"), (1, 1, "current"), (2, 2, "within a week")]
    assert seen[6:] == [(6, 4, "within a week"), (7, 5, "within a week"), (8, 6, "late")]


def test_totals_are_by_currency(light: Stand) -> None:
    """There is no sum over currencies, and what is missing is counted."""
    live(light)
    riel, dollar = positions(light).totals
    assert (riel.currency, riel.accounts, riel.without_statement, riel.closing) == ("KHR", 1, 0, Money(CLOSING, "KHR"))
    assert (dollar.currency, dollar.accounts, dollar.without_statement) == ("USD", 1, 1)
    assert dollar.closing == Money(0, "USD")


def test_a_statement_of_a_day_that_has_not_begun_here_counts(light: Stand) -> None:
    """The bank's day may begin before ours; its age is then nothing, not less."""
    light.take(light.bank.statement([], OPENING, day=DAY + timedelta(days=1)))
    one = positions(light).accounts[0]
    assert one.statement is not None
    assert (one.closing, one.statement.age_days) == (Money(OPENING, "KHR"), 0)
