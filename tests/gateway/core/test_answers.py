"""What a bank's status code does to a payment."""

from __future__ import annotations

import pytest

from gateway.core.answers import DUPLICATE_REASONS, LATE_REASONS, UNDECIDED_REASONS, event_of
from gateway.core.lifecycle import OUT, Event, Move, advance
from schemas.codes import STATUS_REASONS

CODES = {
    "RCVD": Event.ACCEPT,
    "ACTC": Event.ACCEPT,
    "ACCP": Event.ACCEPT,
    "ACSP": Event.ACCEPT,
    "ACWC": Event.ACCEPT,
    "PDNG": Event.ACCEPT,
    "ACSC": Event.SETTLE,
    "ACCC": Event.SETTLE,
    "RJCT": Event.REJECT,
    "BLCK": Event.DOUBT,
    "CANC": Event.CANCEL,
    "PART": None,
    "XXXX": None,
    "": None,
    "acsc": None,
}


@pytest.mark.parametrize(("code", "event"), CODES.items())
def test_a_status_code_is_one_event_or_says_nothing_of_a_payment(code: str, event: Event | None) -> None:
    """PART is of a group; a code that nobody knows moves no money."""
    assert event_of(code, None) is event


@pytest.mark.parametrize("reason", ["AM05", "DUPL", "DU01", "DU02", "DU03", "DU04", "DU05"])
def test_a_rejection_as_duplicate_leaves_the_fate_open(reason: str) -> None:
    """The bank refuses the copy; the original may have been paid. To release its money would pay it twice."""
    assert event_of("RJCT", reason) is Event.DOUBT


@pytest.mark.parametrize("reason", ["ED05", "ED06", "FF10", "DS0A", "DS0B", "DS0H"])
def test_a_rejection_that_speaks_of_the_transport_leaves_the_fate_open(reason: str) -> None:
    """A broken copy or a system failure says nothing of another copy that may have arrived."""
    assert event_of("RJCT", reason) is Event.DOUBT


@pytest.mark.parametrize("reason", [None, "AC01", "AC04", "AM04", "MS03", "RC05", "NARR", "unheard-of"])
def test_any_other_rejection_releases_the_money(reason: str | None) -> None:
    """The bank has looked at the payment itself and refused it."""
    assert event_of("RJCT", reason) is Event.REJECT


@pytest.mark.parametrize("reason", [None, "AC01", "AC04", "AM04", "MS03", "RC05", "NARR", "unheard-of"])
def test_any_other_rejection_of_a_message_sent_again_releases_the_money_too(reason: str | None) -> None:
    """What is wrong with the payment itself is wrong with each of its copies."""
    assert event_of("RJCT", reason, sent_again=True) is Event.REJECT


LATE = ["TM01", "DT01", "DT02", "DT03", "DT04", "DT05", "CH03", "CH04"]


@pytest.mark.parametrize("reason", LATE)
def test_a_rejection_as_late_releases_the_money_only_if_it_was_sent_once(reason: str) -> None:
    """The second copy may be late although the first was taken in time; a message sent once is late, and no more."""
    assert event_of("RJCT", reason) is Event.REJECT
    assert event_of("RJCT", reason, sent_again=True) is Event.DOUBT


def test_every_late_reason_is_tried() -> None:
    """And none of them is one that leaves the fate open anyhow."""
    assert set(LATE) == LATE_REASONS
    assert not LATE_REASONS & (DUPLICATE_REASONS | UNDECIDED_REASONS)


@pytest.mark.parametrize("reason", sorted(DUPLICATE_REASONS | UNDECIDED_REASONS))
def test_a_doubtful_rejection_stays_one_when_the_message_was_sent_again(reason: str) -> None:
    """The more so."""
    assert event_of("RJCT", reason, sent_again=True) is Event.DOUBT


@pytest.mark.parametrize("sent_again", [False, True])
@pytest.mark.parametrize("reason", sorted(DUPLICATE_REASONS | UNDECIDED_REASONS | LATE_REASONS))
def test_a_reason_matters_in_a_rejection_only(reason: str, *, sent_again: bool) -> None:
    """A settled payment is settled whatever else is said of it."""
    assert event_of("ACSC", reason, sent_again=sent_again) is Event.SETTLE


def test_the_ledger_moves_on_settlement_alone() -> None:
    """ACTC, ACCP and ACSP are technical: no state of a payment that is out posts anything on them."""
    accepting = {code for code, event in CODES.items() if event is Event.ACCEPT}
    assert accepting == {"RCVD", "ACTC", "ACCP", "ACSP", "ACWC", "PDNG"}
    for state in OUT:
        move = advance(state, Event.ACCEPT)
        assert not (isinstance(move, Move) and move.postings)


def test_the_reasons_are_known_to_iso() -> None:
    """A misspelt code here would release money that it should keep; signature codes come as DS0A to DS0H."""
    assert DUPLICATE_REASONS - {"DU03"} <= STATUS_REASONS
    assert {"ED05", "ED06", "FF10"} <= STATUS_REASONS
    assert LATE_REASONS <= STATUS_REASONS
