"""The complete product of states and events, against a table written down here a second time and by hand."""

from __future__ import annotations

import re
from itertools import product

import pytest

from gateway.core.lifecycle import (
    EVENT_MEANINGS,
    FINAL,
    LATE,
    MOVES,
    OUT,
    Conflict,
    Event,
    Late,
    Move,
    Posting,
    State,
    advance,
    diagram,
)

# One line a state, one column an event. "." contradicts what is known, "=" is known already, else the next state and
# what the ledger posts: r(eserve), s(ettle), l (release), g(ive back).
TABLE = """
                  pass  hold refuse  approve decline   withdraw  compose    send accept   settle    reject     return      doubt    request_cancel   refuse_cancel cancel
RECEIVED          READY HELD REFUSED .       .         CANCELLED .          .    .        .         .          .           .        .                .             .
REFUSED           .     .    .       .       .         .         .          .    .        .         .          .           .        .                .             .
HELD              .     .    .       READY   CANCELLED CANCELLED .          .    .        .         .          .           .        .                .             .
READY             .     HELD REFUSED .       .         CANCELLED COMPOSED/r .    .        .         .          .           .        .                .             .
COMPOSED          .     .    .       .       .         .         .          SENT ACCEPTED SETTLED/s REJECTED/l RETURNED/sg IN_DOUBT CANCEL_REQUESTED .             .
SENT              .     .    .       .       .         .         .          =    ACCEPTED SETTLED/s REJECTED/l RETURNED/sg IN_DOUBT CANCEL_REQUESTED .             .
ACCEPTED          .     .    .       .       .         .         .          =    =        SETTLED/s REJECTED/l RETURNED/sg IN_DOUBT CANCEL_REQUESTED .             .
IN_DOUBT          .     .    .       .       .         .         .          =    ACCEPTED SETTLED/s REJECTED/l RETURNED/sg =        CANCEL_REQUESTED .             .
REJECTED          .     .    .       .       .         .         .          =    =        .         =          .           =        .                .             .
SETTLED           .     .    .       .       .         .         .          =    =        =         .          RETURNED/g  =        .                =             .
RETURNED          .     .    .       .       .         .         .          =    =        =         .          =           =        .                =             .
CANCEL_REQUESTED  .     .    .       .       .         .         .          =    =        SETTLED/s REJECTED/l RETURNED/sg =        .                ACCEPTED      CANCELLED/l
CANCELLED         .     .    .       .       .         .         .          =    =        .         .          .           =        .                .             =
"""  # noqa: E501 - a table is read as a table
POSTINGS = {"r": Posting.RESERVE, "s": Posting.SETTLE, "l": Posting.RELEASE, "g": Posting.GIVE_BACK}


def expected() -> dict[tuple[State, Event], Move | Late | Conflict]:
    """Read the table."""
    head, *lines = TABLE.strip("\n").splitlines()
    events = [Event(name) for name in head.split()]
    found: dict[tuple[State, Event], Move | Late | Conflict] = {}
    for line in lines:
        name, *cells = line.split()
        for event, cell in zip(events, cells, strict=True):
            to, _, letters = cell.partition("/")
            outcome = Move(State(to), tuple(POSTINGS[x] for x in letters)) if cell not in {".", "="} else None
            found[State(name), event] = outcome or (Late() if cell == "=" else Conflict())
    return found


EXPECTED = expected()


def test_the_table_here_names_every_state_and_every_event() -> None:
    """A state or event that is added later must be thought through against all others."""
    assert EXPECTED.keys() == set(product(State, Event))
    assert len(EXPECTED) == len(State) * len(Event) == 208


@pytest.mark.parametrize(("state", "event"), sorted(EXPECTED), ids=str)
def test_a_pair_of_state_and_event_does_what_the_table_says(state: State, event: Event) -> None:
    """What is not allowed is tested as completely as what is."""
    assert advance(state, event) == EXPECTED[state, event]


def test_a_pair_is_a_move_or_late_and_never_both() -> None:
    """Else the order of two lookups would decide what happens to money."""
    assert not MOVES.keys() & LATE


def test_nothing_leaves_a_final_state() -> None:
    """A late word of the bank cannot bring a finished payment back."""
    assert not [pair for pair in MOVES if pair[0] in FINAL]


def test_a_settled_payment_leaves_by_a_return_only() -> None:
    """Money that is gone comes back by a return or not at all."""
    assert [pair for pair in MOVES if pair[0] is State.SETTLED] == [(State.SETTLED, Event.RETURN)]


def test_every_state_is_reached_and_leads_to_an_end() -> None:
    """A state that nothing reaches is dead code; one from which no end is reached holds money for ever."""
    ways = {state: {move.to for (start, _), move in MOVES.items() if start is state} for state in State}

    def from_here(state: State) -> set[State]:
        seen, left = {state}, [state]
        while left:
            new = ways[left.pop()] - seen
            seen |= new
            left += new
        return seen

    assert from_here(State.RECEIVED) == set(State)
    assert all(from_here(state) & {*FINAL, State.SETTLED} for state in State)


def test_money_is_reserved_exactly_while_the_bank_may_act() -> None:
    """A move into such a state from outside reserves; a move out of it settles or releases, once; no other posts so."""
    for (state, _), move in MOVES.items():
        before, after = state in OUT, move.to in OUT
        assert (Posting.RESERVE in move.postings) == (after and not before)
        assert ({Posting.SETTLE, Posting.RELEASE} & set(move.postings) != set()) == (before and not after)
        assert len(move.postings) == len(set(move.postings))


def test_no_technical_answer_posts_anything() -> None:
    """The ledger moves on settlement or a booked entry, never on ACTC, ACCP or ACSP; nor does sending or silence."""
    silent = {Event.ACCEPT, Event.SEND, Event.DOUBT, Event.HOLD, Event.APPROVE, Event.REQUEST_CANCEL}
    assert not [move for (_, event), move in MOVES.items() if event in silent and move.postings]


def test_a_payment_is_never_composed_twice() -> None:
    """A second message would be a second payment: READY is the only way in, and nothing leads back to it."""
    assert [state for state, event in MOVES if event is Event.COMPOSE] == [State.READY]
    back = [state for (state, _), move in MOVES.items() if move.to is State.READY]
    assert set(back) == {State.RECEIVED, State.HELD}
    assert not [move for (state, _), move in MOVES.items() if state in OUT and move.to in {State.HELD, State.READY}]


def test_every_event_says_what_it_means() -> None:
    """The documents explain the events with these words."""
    assert EVENT_MEANINGS.keys() == set(Event)
    assert all(EVENT_MEANINGS.values())


def test_the_diagram_draws_every_move_and_nothing_else() -> None:
    """The picture in the documents is this table, or it is wrong."""
    drawn = re.findall(r"^    (\w+) --> (\w+): (\w+)(?: / (.+))?$", diagram(), re.MULTILINE)
    moves = {
        (state.value, move.to.value, event.value, " + ".join(move.postings)) for (state, event), move in MOVES.items()
    }
    assert len(drawn) == len(moves)
    assert set(drawn) == moves
    assert diagram().startswith("stateDiagram-v2\n    [*] --> RECEIVED\n")
    ends = set(re.findall(r"^    (\w+) --> \[\*\]$", diagram(), re.MULTILINE))
    assert ends == {*FINAL, State.SETTLED}
