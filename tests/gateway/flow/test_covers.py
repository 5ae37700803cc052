"""A customer's transfer and its cover have one UETR: both are taken, and what a bank says meets the right one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from gateway.core.lifecycle import State
from gateway.operations import lookup
from gateway.store import payments
from gateway.store.payments import NewPayment
from gateway.store.trail import Trail
from schemas.errors import OperationRefused
from schemas.iso20022 import camt029, pacs008, pacs009
from schemas.model.money import Money
from schemas.model.statement import Detail, Entry, Statement
from schemas.model.status import RecallAnswer, TransactionStatus
from simulators.stage import PROFILE
from tests.gateway.flow.stand import BANK_BIC, DAY, OWN_BIC, RIEL, START, Paid, Stand, booked, chunk, order, single
from tests.gateway.flow.test_match_settled import both

UETR = "00000000-0000-4000-8000-00000000c0f1"
OPENING = 10**9
MINOR = 100_000
"""What either order pays, in minor units."""
BARE: dict[str, Any] = {"end_to_end_id": None, "instruction_id": None}
"""An entry that has the UETR and no other reference."""


def transfer(number: int | str = 1, **changes: Any) -> dict[str, Any]:
    """Return the order of a customer's transfer."""
    return order(number, **{"uetr": UETR, **changes})


def cover(number: int | str = 2, **changes: Any) -> dict[str, Any]:
    """Return the order of its cover, between banks."""
    bank = {"name": "Another Bank", "address": {"country": "KH", "town": "Phnom Penh"}}
    return order(number, **{
        "uetr": UETR, "kind": "institution", "debtor": {"any_bic": OWN_BIC},
        "creditor": {"any_bic": "ABAAKHPP"}, "remittance": None,
        "covers": {
            "debtor": bank, "debtor_account": {"number": "1"}, "debtor_agent": {"bic": OWN_BIC},
            "creditor": bank, "creditor_account": {"number": "2"}, "creditor_agent": {"bic": "ABAAKHPP"},
            "instructed_amount": {"amount": "1000", "currency": "KHR"},
        },
        **changes,
    })  # fmt: skip


def out(stand: Stand) -> tuple[Paid, Paid]:
    """Send both, from one account and over one relationship; return the transfer and its cover."""
    first, second = stand.sent(transfer(), cover())
    assert (first.uetr, first.state) == (second.uetr, second.state) == (UETR, "SENT")
    return first, second


def messages(stand: Stand) -> dict[int, tuple[str, str]]:
    """Return payment -> MsgId and definition of its message."""
    rows = stand.sql(
        "SELECT message_payment.payment, message.message_id, message.definition FROM message_payment"
        " JOIN message ON message.id = message_payment.message"
    )
    return {row[0]: (row[1], row[2]) for row in rows}


def says(stand: Stand, paid: Paid, status: str, *named: str, reason: str | None = None) -> bytes:
    """Return a status of one of them with the UETR and no more than these references."""
    message_id, definition = messages(stand)[paid.id]
    said = TransactionStatus(
        status, paid.end_to_end_id if "end_to_end_id" in named else None,
        paid.instruction_id if "instruction_id" in named else None, paid.uetr, None, reason,
    )  # fmt: skip
    group: dict[str, Any] = {
        "original_message_id": message_id if "message" in named else "M",
        "original_message_name": definition if "definition" in named else "pacs.000.001.01",
    }
    return stand.bank.report([said], **group)


# ------------------------------------------------------------------------------------------------------------- rule 16


@pytest.mark.parametrize(
    "orders", [(transfer(), cover()), (cover(), transfer())], ids=["transfer first", "cover first"]
)
@pytest.mark.parametrize("how", ["one by one", "in one group", "in one chunk"])
def test_a_transfer_and_its_cover_are_taken_in_either_order(
    stand: Stand, orders: Sequence[Mapping[str, Any]], how: str
) -> None:
    """A treasury may order them together or apart; what comes third under their UETR is refused."""
    if how == "in one chunk":
        stand.send(chunk(orders, "B"))
    for number, one in enumerate(orders if how != "in one chunk" else ()):
        stand.send(single(one, f"M{number}"))
        if how == "one by one":
            stand.run("intake")
    stand.run("intake")
    assert set(stand.states()) == {"PO-1", "PO-2"}
    assert stand.refusals() == {}
    assert sorted(tuple(row) for row in stand.sql("SELECT order_id, cover FROM payment")) == [("PO-1", 0), ("PO-2", 1)]
    stand.submit(transfer(3), cover(4))
    assert stand.refusals() == {"PO-3": [("DU03", "order.uetr")], "PO-4": [("DU03", "order.uetr")]}


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize(
    "second",
    [cover(2, amount="1001"), cover(2, covers=None), transfer(2)],
    ids=["in another amount", "no cover", "no cover either"],
)
def test_nothing_else_shares_a_uetr(stand: Stand, second: Mapping[str, Any], *, together: bool) -> None:
    """A payment between banks that covers nothing, or another amount, is no cover of that transfer."""
    stand.send(single(transfer(), "M1"))
    if not together:
        stand.run("intake")
    stand.send(single(second, "M2"))
    stand.run("intake")
    assert stand.refusals() == {"PO-2": [("DU03", "order.uetr")]}


@pytest.mark.parametrize("body", [b"", b"no JSON", b"[]", b'{"kind":"return"}'])
def test_a_cover_of_what_nobody_can_read_is_refused(light: Stand, body: bytes) -> None:
    """A stored order that somebody has damaged stops no other order, and is no transfer that could be covered."""
    damaged = NewPayment(
        9, State.HELD, "fmis", "PO-9", None, PROFILE, RIEL, "E2E9", UETR, MINOR, "KHR", DAY.isoformat(), "c", body,
        held=True,
    )  # fmt: skip
    with light.gateway.store.transaction() as db:
        payments.add(db, [damaged], Trail("test", "tester", 1), "test")
    light.submit(cover(), order(3))
    assert light.refusals() == {"PO-2": [("DU03", "order.uetr")]}
    assert light.states()["PO-3"] == "READY"


def test_a_cover_alone_is_taken(stand: Stand) -> None:
    """The transfer may have gone to its bank another way than through the gateway."""
    [paid] = stand.sent(cover())
    assert (paid.uetr, paid.state) == (UETR, "SENT")
    stand.take(stand.bank.status("ACSC", [paid], original_message_id="M"))
    assert stand.states() == {"PO-2": "SETTLED"}


# ------------------------------------------------------------------------------------------------------------- answers


@pytest.mark.parametrize("named", ["message", "definition", "instruction_id", "end_to_end_id"])
@pytest.mark.parametrize("place", [0, 1], ids=["transfer", "cover"])
def test_an_answer_moves_the_one_that_it_names(stand: Stand, named: str, place: int) -> None:
    """Rejecting one leaves the other alone; any one thing that the bank repeats beside the UETR is enough."""
    both = out(stand)
    stand.take(says(stand, both[place], "RJCT", named, reason="AC04"))
    assert stand.states()[both[place].order_id] == "REJECTED"
    assert stand.states()[both[1 - place].order_id] == "SENT"
    stand.take(says(stand, both[1 - place], "ACSC", named))
    assert stand.states()[both[1 - place].order_id] == "SETTLED"
    assert stand.open() == {}
    assert stand.faults() == []


def test_an_answer_that_names_neither_is_for_a_person(stand: Stand) -> None:
    """The UETR alone: a guess would give the money of one back for the other."""
    first, second = out(stand)
    stand.take(says(stand, second, "RJCT", reason="AC04"))
    assert stand.states() == {"PO-1": "SENT", "PO-2": "SENT"}
    assert stand.evidence("ambiguous_payment")["payments"] == [first.id, second.id]
    assert stand.evidence("ambiguous_payment")["uetr"] == UETR


def test_an_answer_that_names_both_is_for_a_person(stand: Stand) -> None:
    """The message of one and the InstrId of the other: the bank errs, and nothing moves."""
    first, second = out(stand)
    said = TransactionStatus("RJCT", None, first.instruction_id, UETR, None, "AC04")
    message_id, definition = messages(stand)[second.id]
    stand.take(stand.bank.report([said], original_message_id=message_id, original_message_name=definition))
    assert stand.states() == {"PO-1": "SENT", "PO-2": "SENT"}
    assert stand.open() == {"ambiguous_payment": 1}


def test_both_answered_in_one_go(stand: Stand) -> None:
    """Two reports that are applied together speak of two payments."""
    first, second = out(stand)
    stand.take(says(stand, first, "RJCT", "message", reason="AC04"), says(stand, second, "ACSC", "message"))
    assert stand.states() == {"PO-1": "REJECTED", "PO-2": "SETTLED"}
    assert stand.faults() == []


@pytest.mark.parametrize("place", [0, 1], ids=["transfer", "cover"])
def test_a_return_gives_back_the_one_that_it_names(stand: Stand, place: int) -> None:
    """A pacs.004 names the message that it returns, and may have no InstrId."""
    both = out(stand)
    stand.take(*(says(stand, paid, "ACSC", "message") for paid in both))
    definition = (pacs008.DEFINITION, pacs009.DEFINITION)[place]
    back = stand.bank.giving_back(
        both[place], instruction_id=None, end_to_end_id=None, original_message_name=definition
    )
    stand.take(back)
    assert stand.states()[both[place].order_id] == "RETURNED"
    assert stand.states()[both[1 - place].order_id] == "SETTLED"
    assert stand.faults() == []


def test_an_answer_to_a_recall_is_of_the_payment_that_was_asked_back(stand: Stand) -> None:
    """Both are asked back; a camt.029 that repeats no case names the message of one of them."""
    both = out(stand)
    with stand.gateway.store.transaction() as db:
        for paid in both:
            db.run(
                "add_recall", id=paid.id, payment=paid.id, case_id=f"C{paid.id}", reason="DUPL", info=None, by="ops",
                now_ms=1,
            )  # fmt: skip
            db.run("recall_written", id=paid.id, message=1)
    message_id, definition = messages(stand)[both[1].id]
    answer = RecallAnswer(
        "RA1", None, "RJCR", "CUST", None, message_id, None, None, UETR, original_message_name=definition
    )
    letters = stand.bank.letters
    document = camt029.build([answer], stand.clock.now(), assigner_bic=BANK_BIC, assignee_bic=OWN_BIC)
    stand.take(letters.sign("RA1", camt029.DEFINITION, document))
    assert [tuple(row) for row in stand.sql("SELECT payment, state FROM recall ORDER BY payment")] == [
        (both[0].id, "SENT"), (both[1].id, "REFUSED"),
    ]  # fmt: skip


# ------------------------------------------------------------------------------------------------------------- entries


def shown(stand: Stand) -> list[tuple[Any, ...]]:
    """Return the entries with what explains them."""
    return [tuple(row) for row in stand.sql("SELECT matched, payment FROM entry ORDER BY statement, position")]


def line(paid: Paid, number: int = 1, sign: int = -1, **detail: Any) -> Entry:
    """Return a booked line of one of them, with the bank's own reference NB1, NB2 ..."""
    return booked(sign * MINOR, paid, reference=f"NB{number}", **detail)


@pytest.mark.parametrize("named", ["instruction_id", "end_to_end_id"])
@pytest.mark.parametrize("answered", [False, True])
def test_an_entry_books_the_one_that_it_names(stand: Stand, named: str, *, answered: bool) -> None:
    """Both stand in one statement, the cover first: each settles its own payment."""
    both = out(stand)
    if answered:
        stand.take(*(says(stand, paid, "ACSC", "message") for paid in both))
    names = {"instruction_id": None, "end_to_end_id": None}
    lines = [line(paid, n, **{**names, named: getattr(paid, named)}) for n, paid in enumerate(reversed(both), start=1)]
    stand.take(stand.bank.statement(lines, OPENING))
    assert shown(stand) == [("settle", both[1].id), ("settle", both[0].id)]
    assert stand.states() == {"PO-1": "SETTLED", "PO-2": "SETTLED"}
    assert stand.balances()[f"bank:{RIEL}"] == OPENING - 2 * MINOR
    assert stand.open() == {}
    assert stand.faults() == []


def test_an_entry_books_the_one_whose_reference_the_bank_told(stand: Stand) -> None:
    """An answer gave the bank's own reference of the cover, and the entry has no other."""
    both = out(stand)
    message_id, definition = messages(stand)[both[1].id]
    said = TransactionStatus("ACSP", None, None, UETR, servicer_reference="NB7")
    stand.take(stand.bank.report([said], original_message_id=message_id, original_message_name=definition))
    stand.take(stand.bank.statement([line(both[0], 7, **BARE)], OPENING))
    assert shown(stand) == [("settle", both[1].id)]
    assert stand.states() == {"PO-1": "SENT", "PO-2": "SETTLED"}


def test_two_entries_without_another_reference_book_both(stand: Stand) -> None:
    """They have one amount and one account: whichever entry is whose, both payments settle, once each."""
    both = out(stand)
    stand.take(stand.bank.statement([line(both[0], 1, **BARE), line(both[0], 2, **BARE)], OPENING))
    assert shown(stand) == [("settle", both[0].id), ("settle", both[1].id)]
    assert stand.open() == {}
    assert stand.faults() == []


def test_one_entry_that_may_be_either_waits_until_it_can_be_told(stand: Stand) -> None:
    """Nobody knows which of them left; once the other is rejected, the next statement explains the entry."""
    both = out(stand)
    stand.take(stand.bank.statement([line(both[0], 1, **BARE)], OPENING))
    assert shown(stand) == [("suspense", None)]
    assert stand.states() == {"PO-1": "SENT", "PO-2": "SENT"}
    assert f"{both[0].id} and {both[1].id}" in stand.evidence("unmatched_debit")["why"]
    assert [p["payments"] for p in stand.evidence("unmatched_debit")["proposed"]] == [[both[0].id], [both[1].id]]
    stand.take(says(stand, both[0], "RJCT", "message", reason="AC04"))
    stand.take(stand.bank.statement([], OPENING - MINOR, statement_id="next"))
    assert shown(stand) == [("settle", both[1].id)]
    assert stand.states() == {"PO-1": "REJECTED", "PO-2": "SETTLED"}
    assert stand.open() == {}
    assert stand.faults() == []


def test_two_entries_of_two_statements_book_both_once(stand: Stand) -> None:
    """The first waits for a person; the second shows that both have left. A third one is one too many."""
    both = out(stand)
    for number in (1, 2, 3):
        left = OPENING - (number - 1) * MINOR
        stand.take(stand.bank.statement([line(both[0], number, **BARE)], left, statement_id=f"S{number}"))
    assert sorted(shown(stand), key=str) == [("settle", both[0].id), ("settle", both[1].id), ("suspense", None)]
    assert stand.open() == {"duplicate_entry": 1}
    assert stand.faults() == []


def test_an_entry_is_of_the_one_that_the_bank_has_settled(stand: Stand) -> None:
    """Its entry has to come in any case, and no payment moves by a guess."""
    both = out(stand)
    stand.take(says(stand, both[1], "ACSC", "message"))
    stand.take(stand.bank.statement([line(both[0], 1, **BARE)], OPENING))
    assert shown(stand) == [("settle", both[1].id)]
    assert stand.states() == {"PO-1": "SENT", "PO-2": "SETTLED"}
    assert stand.open() == {}


def test_money_that_came_back_for_either_is_for_a_person(stand: Stand) -> None:
    """Which of two was returned decides what is paid again: an entry with the UETR alone does not say."""
    both = out(stand)
    lines = [line(both[0], 1), line(both[1], 2), line(both[0], 3, 1, return_reason="AC04", **BARE)]
    stand.take(stand.bank.statement(lines, OPENING))
    assert shown(stand) == [("settle", both[0].id), ("settle", both[1].id), ("suspense", None)]
    assert stand.open() == {"unmatched_credit": 1}
    assert stand.states() == {"PO-1": "SETTLED", "PO-2": "SETTLED"}
    stand.take(stand.bank.giving_back(both[1], original_message_name=pacs009.DEFINITION))
    stand.take(stand.bank.statement([], OPENING - MINOR, statement_id="next"))
    assert shown(stand)[2] == ("return", both[1].id)
    assert stand.open() == {}
    assert stand.faults() == []


def test_the_shortcut_leaves_both_to_matching(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a few statements book for thousands of entries is what the matchers say of each, also beside these two."""
    paid = stand.sent(transfer(), cover(), order(3), order(4))
    lines = [line(paid[2], 1, **BARE), line(paid[1], 2, instruction_id=None), line(paid[0], 3, **BARE)]
    statement = Statement(
        "statement",
        "M",
        "S",
        RIEL,
        "KHR",
        Money(OPENING, "KHR"),
        Money(OPENING - 3 * MINOR, "KHR"),
        DAY,
        DAY,
        created=START.isoformat(),
    )
    one, other, explained = both(stand, monkeypatch, [[statement, *lines]])
    assert one == other
    assert explained == 1
    assert [entry[3:5] for entry in one.entries] == [
        ("settle", paid[2].id),
        ("settle", paid[1].id),
        ("settle", paid[0].id),
    ]
    assert one.faults == []


def test_a_batch_entry_books_both(stand: Stand) -> None:
    """Two transactions inside one entry, each with the UETR alone."""
    both = out(stand)
    inside = Detail(amount_minor=-MINOR, uetr=UETR)
    stand.take(stand.bank.statement([replace(booked(-2 * MINOR), details=(inside, inside))], OPENING))
    assert sorted(tuple(row) for row in stand.sql("SELECT payment, matched FROM allocation")) == [
        (both[0].id, "settle"), (both[1].id, "settle"),
    ]  # fmt: skip
    assert stand.states() == {"PO-1": "SETTLED", "PO-2": "SETTLED"}
    assert stand.open() == {}
    assert stand.faults() == []


def test_a_notification_moves_the_one_that_it_names_and_neither_otherwise(stand: Stand) -> None:
    """What is announced is as ambiguous as what is booked."""
    both = out(stand)
    stand.take(stand.bank.notification([line(both[0], 1, **BARE)], statement_id="N1"))
    assert stand.states() == {"PO-1": "SENT", "PO-2": "SENT"}
    stand.take(stand.bank.notification([line(both[1], 2)], statement_id="N2"))
    assert stand.states() == {"PO-1": "SENT", "PO-2": "SETTLED"}


# -------------------------------------------------------------------------------------------------------------- people


def test_who_names_the_uetr_is_told_of_both(light: Stand) -> None:
    """A person who approves, cancels or looks must say which of the two."""
    both = out(light)
    with light.gateway.store.transaction() as db:
        with pytest.raises(OperationRefused) as refused:
            lookup.payment(db, UETR.upper())
        assert [lookup.payment(db, str(paid.id)).id for paid in both] == [paid.id for paid in both]
    for paid in both:
        assert f"{paid.id} (fmis/{paid.order_id})" in str(refused.value)
    assert both[0].amount == Money(MINOR, "KHR")
