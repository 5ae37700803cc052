"""Bills in from the bus, and what their sources hear: taken once, refused with every reason, told when paid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from pydantic_core import to_json

from gateway.bus.base import DEAD_QUEUE, RECEIPTS_EXCHANGE, RECEIPTS_QUEUE, Outgoing
from gateway.flow import receipts
from gateway.flow.receipts import ReceiptIntake
from gateway.store.receipts import Booking
from gateway.store.trail import Trail
from schemas.errors import Conflict, StoreUnavailable
from schemas.receipts import receipt_message
from security import jws
from simulators.stage import Stage
from tests.gateway.flow.stand import DOLLAR, RIEL, START, Stand, opened, order, single

RF = "RF18539007547034"


@pytest.fixture
def stand(stage: Stage, url: str) -> Iterator[Stand]:
    """A gateway on each engine, one of whose sources may expect money."""
    sources = dict(stage.settings.sources)
    sources["fmis"] = sources["fmis"].model_copy(update={"receipt_accounts": (RIEL, "7")})
    settings = stage.settings.model_copy(update={"sources": sources})
    with opened(replace(stage, settings=settings), url) as made:
        yield made


@pytest.fixture
def worker(stand: Stand) -> ReceiptIntake:
    """Its worker that takes bills."""
    found = stand.gateway.workers("intake", "2")[1][1]
    assert isinstance(found, ReceiptIntake)
    return found


def bill(number: int = 1, **changes: Any) -> dict[str, Any]:
    """Return a good bill."""
    fields: dict[str, Any] = {
        "bill_id": f"B-{number}", "account": RIEL, "currency": "KHR", "amount": "1000", "due_date": "2026-12-15",
        "reference": RF,
    }  # fmt: skip
    return fields | changes


def send(stand: Stand, *bills: Any, gone: tuple[Any, ...] = (), message_id: str = "M1", source: str = "fmis",
         signer: str = "") -> None:  # fmt: skip
    """Publish a message of bills under its source's signature."""
    body = receipt_message(bills, gone, message_id=message_id, source=source, created=START)
    put(stand, body, {"jws": jws.sign(body, stand.stage.source_keys[signer or source])})


def put(stand: Stand, body: bytes, headers: Mapping[str, str]) -> None:
    """Publish any body."""
    stand.messages += 1
    outgoing = Outgoing(RECEIPTS_EXCHANGE, "receipts.fmis", body, f"m{stand.messages}", dict(headers))
    assert stand.bus.publisher().publish([outgoing]) == []


def states(stand: Stand) -> dict[str, str]:
    """Return bill id -> state."""
    return dict(stand.sql("SELECT bill_id, state FROM expected_receipt ORDER BY id"))


def told(stand: Stand) -> list[tuple[str, list[tuple[str | None, str]]]]:
    """Return (type, (bill id, state) of each bill) of every event."""
    return [
        (
            event["type"].removeprefix("treasury.receipt."),
            [(b["bill_id"], b["state"]) for b in event["data"]["receipts"]],
        )
        for event in stand.told()
    ]


def test_bills_are_taken_and_each_bad_one_is_told_with_its_reasons(stand: Stand, worker: ReceiptIntake) -> None:
    """The others go on."""
    send(
        stand, bill(1), bill(2, amount="0"), {"bill_id": 5}, bill(3, account=DOLLAR), bill(4, account="7"),
        bill(5, reference="000"),
    )  # fmt: skip
    assert worker.step(0) == 1
    assert states(stand) == {"B-1": "OPEN"}
    assert told(stand) == [
        ("accepted", [("B-1", "OPEN")]),
        ("refused", [("B-2", "REFUSED"), (None, "REFUSED"), *((f"B-{n}", "REFUSED") for n in (3, 4, 5))]),
    ]
    refused = stand.told()[1]["data"]["receipts"]
    assert [one["refusals"][0]["code"] for one in refused] == ["AM01", "CH16", "AG07", "AC10", "CH16"]
    assert refused[2]["refusals"][0]["path"] == "receipts[3].account"
    assert stand.dead() == []
    assert ("fmis", "receipts.take") in stand.trails()
    assert stand.faults() == []


def test_the_same_message_again_changes_nothing(stand: Stand, worker: ReceiptIntake) -> None:
    """A source that is not sure sends it again; so does the bus after a crash between commit and acknowledgement."""
    for _ in range(3):
        send(stand, bill(1), bill(2))
        worker.step(0)
    assert states(stand) == {"B-1": "OPEN", "B-2": "OPEN"}
    assert len(stand.told()) == 1
    assert stand.bus.depth(RECEIPTS_QUEUE) == 0


def test_the_same_bill_is_known_and_another_content_is_refused(stand: Stand, worker: ReceiptIntake) -> None:
    """Nobody changes what is expected under a known number."""
    send(stand, bill(1), bill(1), bill(1, amount="7"))
    send(stand, bill(1), bill(1, due_date="2027-01-01"), message_id="M2")
    worker.step(0)
    refused = ("refused", [("B-1", "REFUSED")])
    assert told(stand) == [("accepted", [("B-1", "OPEN")]), refused, refused]
    assert {b["refusals"][0]["code"] for e in stand.told()[1:] for b in e["data"]["receipts"]} == {"DU01"}
    assert stand.sql("SELECT amount_minor FROM expected_receipt") == [(100_000,)]


def test_a_message_id_is_not_used_for_two_contents(stand: Stand, worker: ReceiptIntake) -> None:
    """Not even for an order and a bill."""
    stand.send(single(order(1), "M1"))
    stand.run("intake")
    send(stand, bill(1))
    worker.step(0)
    assert [reason.partition(" ")[0] for reason in stand.dead()] == ["DU01"]
    assert states(stand) == {}


def test_a_bill_is_withdrawn_while_it_is_open(stand: Stand, worker: ReceiptIntake) -> None:
    """Announced and withdrawn in one message, again, and what was never announced."""
    gone: tuple[Any, ...] = ({"bill_id": "B-1", "reason": "cancelled"}, {"bill_id": "B-9"}, {"bill_id": "B-1"}, {})
    send(stand, bill(1), bill(2), gone=gone)
    worker.step(0)
    assert states(stand) == {"B-1": "WITHDRAWN", "B-2": "OPEN"}
    assert told(stand) == [
        ("accepted", [("B-1", "OPEN"), ("B-2", "OPEN")]),
        ("refused", [("B-9", "REFUSED"), (None, "REFUSED")]),
        ("withdrawn", [("B-1", "WITHDRAWN")]),
    ]
    assert stand.told()[2]["data"]["receipts"][0]["info"] == "cancelled"
    assert stand.sql("SELECT reason FROM expected_receipt WHERE id = 1") == [("cancelled",)]


def test_a_paid_bill_is_not_withdrawn(stand: Stand, worker: ReceiptIntake) -> None:
    """The money is here: it would have to go back."""
    send(stand, bill(1))
    worker.step(0)
    book(stand, Booking(1, 7, 100_000))
    send(stand, gone=({"bill_id": "B-1"},), message_id="M2")
    worker.step(0)
    assert states(stand) == {"B-1": "PAID"}
    assert told(stand)[-1] == ("refused", [("B-1", "REFUSED")])


def test_what_is_left_of_a_bill_paid_in_part_is_withdrawn(stand: Stand, worker: ReceiptIntake) -> None:
    """The rest is not expected any more; what was received stays where it is."""
    send(stand, bill(1, partial_allowed=True))
    worker.step(0)
    book(stand, Booking(1, 7, 40_000))
    send(stand, gone=({"bill_id": "B-1"},), message_id="M2")
    worker.step(0)
    assert stand.sql("SELECT state, received_minor FROM expected_receipt") == [("WITHDRAWN", 40_000)]
    assert stand.told()[-1]["data"]["receipts"][0]["received"] == "400.00"


def book(stand: Stand, *bookings: Booking) -> None:
    """Book what entries paid, as reconciliation does."""
    with stand.gateway.store.transaction() as db:
        receipts.book(db, bookings, Trail("test", "tester", 1_795_000_000_000))


def test_the_source_hears_what_was_booked(stand: Stand, worker: ReceiptIntake) -> None:
    """Of each entry: how much of the bill it paid, what is received in all, and what came beyond it."""
    send(stand, bill(1, partial_allowed=True), bill(2))
    worker.step(0)
    book(stand, Booking(1, 7, 40_000, rule="receipt_text", booking_day="2026-11-30"), Booking(2, 8, 100_000, 500))
    [event] = stand.told()[1:]
    assert event["type"] == "treasury.receipt.booked"
    first, second = event["data"]["receipts"]
    assert (first["state"], first["booked"], first["received"], first["amount"]) == (
        "PARTLY",
        "400.00",
        "400.00",
        "1000.00",
    )
    assert (first["booking_date"], first.get("surplus")) == ("2026-11-30", None)
    assert (second["state"], second["surplus"]) == ("OVERPAID", "5.00")
    with pytest.raises(Conflict):
        book(stand, Booking(2, 9, 1))


@pytest.mark.parametrize(("signer", "source", "code"), [("salary", "fmis", "DS0G"), ("salary", "salary", "AG07")])
def test_a_source_speaks_for_itself_and_only_if_it_may_expect_money(
    stand: Stand, worker: ReceiptIntake, signer: str, source: str, code: str
) -> None:
    """Who may order payments may not thereby say whose the money is that comes in."""
    send(stand, bill(1), source=source, signer=signer)
    worker.step(0)
    assert [reason.partition(" ")[0].rstrip(":") for reason in stand.dead()] == [code]
    assert states(stand) == {}


@pytest.mark.parametrize(("body", "code"), [(b"{}", "DS0A"), (b"x" * 4_000_001, "FF01")])
def test_nothing_is_read_that_is_not_signed(stand: Stand, worker: ReceiptIntake, body: bytes, code: str) -> None:
    """Nor what is too large to be looked at."""
    put(stand, body, {})
    assert worker.step(0) == 1
    assert stand.dead()[0].startswith(code)


def test_a_message_that_breaks_something_does_not_hold_up_those_behind_it(
    stand: Stand, worker: ReceiptIntake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is retried, counted, and ends among the dead letters."""
    real = receipts.take

    def take(db: Any, policy: Any, source: str, items: Any, at_ms: int) -> Any:
        if items[0][1].bill_id == "B-1":
            raise RuntimeError("unforeseen")
        return real(db, policy, source, items, at_ms)

    monkeypatch.setattr(receipts, "take", take)
    send(stand, bill(1), message_id="M1")
    send(stand, bill(2), message_id="M2")
    for _ in range(20):
        worker.step(0)
    assert states(stand) == {"B-2": "OPEN"}
    assert stand.bus.depth(DEAD_QUEUE) == 1
    assert "unforeseen" in stand.dead()[0]


@pytest.mark.parametrize("error", [StoreUnavailable("away"), Conflict("first")])
def test_what_a_lost_database_kept_from_being_taken_is_taken_next(
    stand: Stand, worker: ReceiptIntake, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Nothing is acknowledged that is not committed."""

    def fail(*_: Any) -> Any:
        raise error

    send(stand, bill(1))
    with monkeypatch.context() as patch:
        patch.setattr(receipts, "tell", fail)
        with pytest.raises(type(error)):
            worker.step(0)
    assert states(stand) == {}
    assert worker.step(0) == 1
    assert states(stand) == {"B-1": "OPEN"}


def test_no_worker_takes_bills_where_nobody_may_expect_money(stage: Stage, url: str) -> None:
    """A treasury without bills has one connection less; messages wait in the queue until a source is configured."""
    with opened(stage, url) as plain:
        assert len(plain.gateway.workers("intake", "1")) == 1
        put(plain, to_json({}), {})
        assert plain.bus.depth(RECEIPTS_QUEUE) == 1
