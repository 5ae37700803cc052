"""Single pages that the bank issues again, of statements that are booked or still being collected."""

from __future__ import annotations

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
