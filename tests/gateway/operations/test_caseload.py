"""The work on exceptions: found again by what a person asks for, assigned, discussed, and all of it kept."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.core.kinds import KINDS, Age
from gateway.operations import caseload
from gateway.operations.caseload import NOBODY, UNRESOLVED, ExceptionPage, Search
from gateway.operations.plans import Rules
from gateway.operations.resolutions import Way
from schemas.errors import OperationRefused
from schemas.model.money import Money
from tests.gateway.flow.stand import RIEL, Stand, booked
from tests.gateway.operations.desk import OPENING, TWO, confirm, person, propose, reopen, resolve, state, suspended


def found(stand: Stand, **wanted: object) -> list[int]:
    """Return the numbers of the exceptions that a search finds."""
    with stand.gateway.store.transaction() as db:
        return [line.id for line in caseload.search(db, Search(**wanted), stand.clock.now())]  # type: ignore[arg-type]  # the test's own words


def page(stand: Stand, number: int, rules: Rules | None = None) -> ExceptionPage:
    """Return everything of an exception."""
    with stand.gateway.store.transaction() as db:
        return caseload.page(db, number, stand.clock.now(), rules or Rules())


def test_the_first_due_is_the_first_of_the_list(stand: Stand) -> None:
    """What is due depends on kind and amount: money that left before money that came, much before little."""
    credit, debit, much = suspended(stand, 700, -500, -40_000_000_000)
    assert found(stand) == [much, debit, credit]
    opened = stand.clock.now()
    kind = KINDS["unmatched_debit"]
    assert page(stand, debit).exception.due == opened + timedelta(hours=kind.hours)
    assert page(stand, much).exception.due == opened + timedelta(hours=kind.hours_large)


def test_every_filter_narrows_the_list(stand: Stand) -> None:
    """Kind, state, assignee, account, overdue, age; alone and together."""
    first, second, third = suspended(stand, 700, -500, 600)
    caseload.investigate(person(stand), first)
    caseload.assign(person(stand), second, "dara")
    resolve(stand, third, Way.RETURN)
    assert found(stand) == [second, first]
    assert sorted(found(stand, state=None)) == [first, second, third]
    assert found(stand, state="resolved") == [third]
    assert found(stand, state="investigating") == [first]
    assert found(stand, kind="unmatched_debit") == [second]
    assert found(stand, assignee="dara") == [second]
    assert found(stand, assignee=NOBODY) == []
    assert found(stand, state=None, assignee=NOBODY) == [third]
    assert found(stand, account=RIEL, count=1) == [second]
    assert found(stand, account="000100000002") == []
    assert found(stand, overdue=True) == []
    stand.clock.advance(timedelta(hours=9))
    assert found(stand, overdue=True) == [second]
    stand.clock.advance(timedelta(hours=90))
    assert found(stand, overdue=True, state=None) == [second, first], "what is resolved is never overdue"
    assert found(stand, age=Age.DAY) == []
    assert found(stand, age=Age.WEEK) == [second, first]
    assert found(stand, age=Age.WEEK, kind="unmatched_credit", assignee="sophea") == [first]


def test_an_age_bucket_holds_what_its_name_says(light: Stand) -> None:
    """To the day, whatever the hour."""
    (number,) = suspended(light, 700)
    seen = []
    for day in range(33):
        with light.gateway.store.transaction() as db:
            for age in Age:
                lines = caseload.search(db, Search(age=age), light.clock.now())
                seen += [(day, line.age_days, age, line.age) for line in lines if line.id == number]
        light.clock.advance(timedelta(days=1))
    assert len(seen) == 33
    assert all(day == days and age is shown for day, days, age, shown in seen)
    assert [age for _, _, age, _ in seen] == [Age.DAY] * 2 + [Age.WEEK] * 6 + [Age.MONTH] * 23 + [Age.OLDER] * 2


def test_a_search_for_what_does_not_exist_is_refused(light: Stand) -> None:
    """An empty list would say that there is none."""
    with pytest.raises(OperationRefused, match="no kind 'strange'"):
        found(light, kind="strange")
    with pytest.raises(OperationRefused, match="no state 'closed'"):
        found(light, state="closed")
    assert found(light, state=UNRESOLVED) == []


def test_everything_that_was_said_and_done_is_in_the_history(stand: Stand) -> None:
    """In order, by whom, each deed with the audit row that vouches for it; a comment may follow at any time."""
    (number,) = suspended(stand, -501)
    caseload.assign(person(stand, "chan"), number, "sophea")
    caseload.investigate(person(stand), number)
    caseload.comment(person(stand), number, "called the bank, asked for Mr Lim")
    made = propose(stand, number, Way.CHARGE)
    caseload.comment(person(stand, "dara"), number, "letter seen")
    confirm(stand, number, made.sha256)
    reopen(stand, number)
    resolve(stand, number, Way.LEAVE)
    caseload.comment(person(stand), number, "filed")
    shown = page(stand, number)
    assert [(n.author, n.action) for n in shown.history] == [
        ("chan", "assign"), ("sophea", "investigate"), ("sophea", "comment"), ("sophea", "propose"),
        ("dara", "comment"), ("dara", "confirm"), ("sophea", "reopen"), ("sophea", "resolve"), ("sophea", "comment"),
    ]  # fmt: skip
    assert shown.history[2].text == "called the bank, asked for Mr Lim"
    audited = {(row[1], row[7]) for row in stand.rows("trail_links", stream="operators", after=0, count=99)}
    assert all(n.audit is not None and n.audit[1:] in audited for n in shown.history)
    assert not stand.faults()


def test_a_page_says_what_may_be_done(light: Stand) -> None:
    """Kind, ways, what is in suspense, who has to agree, what waits for an answer."""
    (number,) = suspended(light, -501)
    shown = page(light, number, TWO)
    assert shown.kind is KINDS["unmatched_debit"]
    assert shown.suspended == Money(-501, "KHR")
    assert Way.CHARGE in shown.ways
    assert Way.RECEIPT not in shown.ways
    assert shown.takes_two
    assert not page(light, number).takes_two
    assert shown.proposal is None
    made = propose(light, number, Way.CHARGE)
    assert page(light, number).proposal == made
    confirm(light, number, made.sha256)
    done = page(light, number)
    assert (done.ways, done.suspended, done.proposal) == ((), None, None)
    assert done.exception.closed_by == "dara"


def test_who_looks_into_it_is_responsible(light: Stand) -> None:
    """Until somebody else is; and nobody is when it is given back."""
    (number,) = suspended(light, -501)
    caseload.investigate(person(light), number)
    assert (page(light, number).exception.assignee, state(light, number)) == ("sophea", "investigating")
    caseload.investigate(person(light, "dara"), number)
    assert page(light, number).exception.assignee == "dara"
    caseload.assign(person(light), number, None)
    assert page(light, number).exception.assignee is None


def test_what_may_not_be_done_changes_nothing(light: Stand) -> None:
    """Neither to what is resolved nor to what waits, nor without words or a name."""
    (number,) = suspended(light, -501)
    boss = person(light, "chan")
    for wrong in ("", " ", "a\nb", "x" * 101):
        with pytest.raises(OperationRefused, match="to whom"):
            caseload.assign(boss, number, wrong)
    for wrong, said in (("  ", "says nothing"), ("x" * 4_001, "4,001")):
        with pytest.raises(OperationRefused, match=said):
            caseload.comment(boss, number, wrong)
    propose(light, number, Way.CHARGE)
    with pytest.raises(OperationRefused, match="confirms or rejects"):
        caseload.investigate(boss, number)
    resolve_number = number + 1
    for deed in (caseload.investigate, lambda o, n: caseload.assign(o, n, "dara")):
        with pytest.raises(OperationRefused, match="no exception"):
            deed(boss, resolve_number)
    assert [n.action for n in page(light, number).history] == ["propose"]


def test_it_closes_by_itself_from_whatever_people_have_begun(stand: Stand) -> None:
    """The missing statement came while a proposal waited: there is nothing to agree to any more."""
    days = [stand.clock.now().date().replace(month=12, day=day) for day in (1, 2, 3)]
    statements = [
        stand.bank.statement(
            [booked(100, reference=f"N{n}", code="PMNT/RCDT/CHRG")], opening=OPENING + n * 100, day=day
        )
        for n, day in enumerate(days)
    ]
    stand.take(statements[0], statements[2])
    (gap,) = found(stand, kind="continuity_gap")
    caseload.investigate(person(stand), gap)
    made = propose(stand, gap, Way.LEAVE)
    stand.take(statements[1])
    shown = page(stand, gap)
    assert shown.exception.state == "resolved"
    assert shown.exception.closed_by == "reconcile"
    assert [n.action for n in shown.history] == ["investigate", "propose", "vanish"]
    with pytest.raises(OperationRefused, match="nothing is proposed any more"):
        confirm(stand, gap, made.sha256)
    assert not stand.faults()
