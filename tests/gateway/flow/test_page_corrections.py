"""Single pages that the bank issues again, of statements that are booked or still being collected."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schemas.model.money import Money
from tests.gateway.flow.stand import RIEL, Stand, booked

OPENING = 10**9
BANK = f"bank:{RIEL}"


def page(stand: Stand, number: int, amount: int, opening: int, pages: int = 3) -> bytes:
    """Return one page of a statement with one unexplained entry, between the balances of that page."""
    entry = booked(amount, reference=f"NB{number}")
    closing = Money(opening + amount, "KHR")
    return stand.bank.statement([entry], opening, page=number, last_page=number == pages, closing=closing)


def test_a_correction_of_the_last_page_alone_takes_the_place_of_that_page(stand: Stand) -> None:
    """Each page opens with the balance between it and the one before, which is no opening balance of the statement."""
    stand.take(page(stand, 1, -500, OPENING), page(stand, 2, 300, OPENING - 500), page(stand, 3, -40, OPENING - 200))
    stand.take(page(stand, 3, -140, OPENING - 200))
    assert stand.sql("SELECT state, opening_minor, closing_minor FROM statement ORDER BY id") == [
        ("SUPERSEDED", OPENING, OPENING - 240),
        ("BOOKED", OPENING, OPENING - 340),
    ]
    assert stand.balances()[BANK] == OPENING - 340
    assert stand.faults() == []


def test_a_correction_that_the_bank_takes_back_is_taken_back(stand: Stand) -> None:
    """What was said first, and then corrected, is a new version when the bank says it again later."""
    first, second = booked(-500, reference="NB1"), booked(-700, reference="NB1")
    for entry in (first, second, first):
        stand.take(stand.bank.statement([entry], OPENING))
        stand.clock.advance(timedelta(hours=1))
    assert stand.balances()[BANK] == OPENING - 500
    assert stand.faults() == []


def test_what_is_said_again_holds_against_what_was_made_in_between_and_comes_last(stand: Stand) -> None:
    """The statement as it is booked was issued again; an older correction of it must not undo that."""
    documents = []
    for minor in (-500, -700, -500):
        documents.append(stand.bank.statement([booked(minor, reference="NB1")], OPENING))
        stand.clock.advance(timedelta(hours=1))
    first, between, again = documents
    for document in (first, again, between):
        stand.take(document)
    assert stand.balances()[BANK] == OPENING - 500
    assert stand.open()["statement_differs"] == 1
    assert stand.faults() == []


def test_a_correction_with_fewer_pages_drops_a_page_of_the_first_version_that_came_before_it(stand: Stand) -> None:
    """The bank corrects two pages to one, and what was the second page comes first: it is no page of the correction."""
    first = [page(stand, 1, -500, OPENING, 2), page(stand, 2, 300, OPENING - 500, 2)]
    stand.clock.advance(timedelta(hours=1))
    corrected = page(stand, 1, -600, OPENING, 1)
    stand.take(first[1])
    stand.take(corrected)
    assert stand.sql("SELECT state, entries, closing_minor FROM statement") == [("BOOKED", 1, OPENING - 600)]
    stand.take(first[0])
    assert stand.balances()[BANK] == OPENING - 600
    assert stand.faults() == []


@pytest.mark.parametrize("pages", [3, 4])
def test_a_page_of_the_first_version_beyond_the_end_of_the_correction_is_none_of_it(stand: Stand, pages: int) -> None:
    """The bank corrects three pages, or more, to two; the third one comes when the end of the correction is here."""
    amounts, opening, first = [-500, 300, -40, 7][:pages], OPENING, []
    for number, amount in enumerate(amounts, 1):
        first.append(page(stand, number, amount, opening, pages))
        opening += amount
    stand.clock.advance(timedelta(hours=1))
    later = [page(stand, 1, -600, OPENING, 2), page(stand, 2, 200, OPENING - 600, 2)]
    for document in (later[1], first[2], first[1], first[0], later[0], *first[3:]):
        stand.take(document)
    assert stand.sql("SELECT state, entries, closing_minor FROM statement") == [("BOOKED", 2, OPENING - 400)]
    assert stand.balances()[BANK] == OPENING - 400
    assert stand.open()["statement_differs"] >= 1
    assert stand.faults() == []


def test_a_page_of_the_correction_is_not_replaced_by_an_older_one(stand: Stand) -> None:
    """Pages of two versions come in any order: what holds is the later version, whole."""
    first = [page(stand, 1, -500, OPENING, 2), page(stand, 2, 300, OPENING - 500, 2)]
    stand.clock.advance(timedelta(hours=1))
    later = [page(stand, 1, -600, OPENING, 2), page(stand, 2, 200, OPENING - 600, 2)]
    for document in (first[0], later[1], first[1], later[0]):
        stand.take(document)
    assert stand.sql("SELECT state FROM statement") == [("BOOKED",)]
    assert stand.balances()[BANK] == OPENING - 400
    assert stand.faults() == []
