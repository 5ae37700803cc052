"""Single orders in: taken once whatever happens, refused with every reason, and never at the cost of others."""

from __future__ import annotations

import tracemalloc
from datetime import timedelta
from typing import Any

import pytest
from pydantic_core import from_json, to_json

from gateway.bus.base import ORDERS_QUEUE, Delivery
from gateway.flow.intake import Intake
from gateway.store import archive, outbox, payments
from schemas import orders
from schemas.errors import StoreUnavailable
from security import jws
from security.jws import OrderKey
from tests.gateway.flow.stand import DAY, DOLLAR, START, Killed, Stand, chunk, dollars, order, single


def test_a_good_order_is_ready_and_its_source_is_told(stand: Stand) -> None:
    """Taken, kept byte for byte, told and vouched for, in one transaction; then acknowledged."""
    body = stand.send(single(order(), "M1"))
    stand.run("intake")
    assert stand.states() == {"PO-1": "READY"}
    assert stand.told_of("PO-1") == ["treasury.order.accepted"]
    assert ("fmis", "orders.take") in stand.trails()
    with stand.gateway.store.transaction() as db:
        assert archive.get(db, archive.sha256(body)) == body
    assert stand.waiting_orders() == 0
    assert stand.balances() == {}, "an order moves no money"
    assert stand.faults() == []


def test_the_same_message_twice_changes_nothing(stand: Stand) -> None:
    """The broker delivers at least once: in one group, in a later one, and after a restart."""
    message = single(order(), "M1")
    for _ in range(2):
        stand.send(message)
    stand.run("intake")
    stand.start()
    stand.send(message)
    stand.run("intake")
    assert stand.states() == {"PO-1": "READY"}
    assert stand.dead() == []
    assert stand.waiting_orders() == 0
    assert len(stand.told()) == 1
    assert [action for _, action in stand.trails()].count("orders.take") == 1


@pytest.mark.parametrize("together", [True, False], ids=["in-one-group", "later"])
def test_a_message_id_with_other_content_is_a_dead_letter(stand: Stand, together: bool) -> None:
    """Two messages with one id: the first counts, the second is shown to a person with its reason."""
    stand.send(single(order(1), "M1"))
    if not together:
        stand.run("intake")
    stand.send(single(order(2), "M1"))
    stand.run("intake")
    assert stand.states() == {"PO-1": "READY"}
    [reason] = stand.dead()
    assert reason.startswith("DU01 at message_id")


@pytest.mark.parametrize("together", [True, False], ids=["in-one-group", "later"])
def test_the_same_order_in_another_message_is_taken_once(stand: Stand, together: bool) -> None:
    """(source, order id) identifies an order; the same content again is no refusal and no second payment."""
    stand.send(single(order(), "M1"))
    if not together:
        stand.run("intake")
    stand.send(single(dict(reversed(order().items())), "M2"))
    stand.run("intake")
    assert stand.states() == {"PO-1": "READY"}
    assert stand.refusals() == {}
    assert stand.dead() == []
    assert len(stand.told()) == 1


@pytest.mark.parametrize("together", [True, False], ids=["in-one-group", "later"])
def test_the_same_order_with_another_content_is_refused_as_such(stand: Stand, together: bool) -> None:
    """Neither a second payment nor silence: DU01, at the order's own number, and the first one goes on."""
    stand.send(single(order(), "M1"))
    if not together:
        stand.run("intake")
    stand.send(single(order(amount="2000"), "M2"))
    stand.run("intake")
    [paid] = stand.payments()
    assert (paid.state, paid.amount.amount_minor) == ("READY", 100_000)
    assert stand.refusals() == {"PO-1": [("DU01", "order.order_id")]}
    assert "treasury.order.refused" in stand.told_of("PO-1")


def reasons(stand: Stand) -> list[tuple[str, str, str]]:
    """Return (order id, code, message) of every reason of every refusal, oldest first."""
    rows = stand.sql("SELECT order_id, reasons FROM refusal ORDER BY id")
    return [(row[0], code, message) for row in rows for _, code, _, message in from_json(row[1])]


def test_a_refused_order_stays_refused_when_it_comes_again(stand: Stand) -> None:
    """The same bad order is refused and told again, with its reason; its correction needs a number of its own."""
    bad = order(creditor_agent={"bic": "ZZZZKHPP"})
    stand.submit(bad)
    stand.submit(bad)
    why = ("PO-1", "RC05", "ZZZZKHPP is not in the directory of high_value")
    assert reasons(stand) == [why, why]
    assert stand.told_of("PO-1") == ["treasury.order.refused"] * 2
    stand.submit(order())
    assert stand.states() == {}
    assert reasons(stand) == [why, why, ("PO-1", "DU01", "this order came before with other content")]
    assert stand.told_of("PO-1") == ["treasury.order.refused"] * 3
    stand.submit(order(2, end_to_end_id="E2E1"))
    assert stand.states() == {"PO-2": "READY"}
    assert stand.faults() == []


def test_a_refused_order_is_not_taken_when_its_reason_is_gone(stand: Stand) -> None:
    """Its number is used: refused again with DU01, and told what became of it."""
    far = order(execution_date=(DAY + timedelta(35)).isoformat())
    stand.submit(far)
    assert stand.refusals()["PO-1"][0][1] == "order.execution_date"
    stand.clock.advance(timedelta(7))
    stand.submit(far)
    assert stand.states() == {}
    assert reasons(stand)[1:] == [("PO-1", "DU01", "this order came before and is REFUSED")]
    assert stand.told_of("PO-1") == ["treasury.order.refused"] * 2
    assert stand.faults() == []


def test_a_batch_line_that_came_before_is_refused(stand: Stand) -> None:
    """The batch counts on it: it is answered, never dropped in silence, whether it was accepted or refused before."""
    bad = order(2, creditor_agent={"bic": "ZZZZKHPP"})
    stand.submit(order(1), bad)
    stand.send(chunk([order(1), bad, order(3)], "B1"))
    stand.run("intake")
    assert stand.states() == {"PO-1": "READY", "PO-3": "RECEIVED"}
    assert reasons(stand)[1:] == [
        ("PO-1", "DU01", "this order came before and is READY"),
        ("PO-2", "RC05", "ZZZZKHPP is not in the directory of high_value"),
    ]
    assert stand.told_of("PO-1") == ["treasury.order.accepted", "treasury.order.refused"]
    stand.run("dispatch")
    assert stand.states() == {"PO-1": "COMPOSED", "PO-3": "COMPOSED"}
    assert len(stand.documents()) == 1, "the payment of the refused line is paid once"
    assert stand.faults() == []


def test_all_reasons_are_told_at_once(stand: Stand) -> None:
    """A source mends everything in one round: six mistakes, six reasons, each with its field."""
    stand.submit(
        order(
            amount="10.555",
            creditor={"name": "Sok\u200bDara", "address": {"country": "ZZ", "lines": ["Street 1"]}},
            creditor_agent={"bic": "ZZZZKHPP"},
            execution_date="2026-11-02",
            purpose="ZZZZ",
        )
    )
    found = {path: code for code, path in stand.refusals()["PO-1"]}
    assert found["order.amount"] == "CH20"
    assert found["order.creditor.name"] == "CH16"
    assert found["order.creditor.address.country"].startswith("BE")
    assert found["order.creditor.address.town"].startswith("BE")
    assert found["order.creditor_agent.bic"] == "RC05"
    assert found["order.execution_date"] == "CH04"
    assert found["order.purpose"] == "FF07"
    [told] = [o for event in stand.told() for o in event["data"]["outcomes"]]
    assert (told["state"], len(told["refusals"])) == ("REFUSED", len(found))


def test_bad_orders_do_not_touch_the_good_ones_of_their_message(stand: Stand) -> None:
    """One wrong line in a batch costs that line."""
    lines = [order(1), order(2, creditor_agent={"bic": "ZZZZKHPP"}), order(3), order(4, maker=None), order(5)]
    message = chunk([line | {"maker": "clerk"} for line in lines], "B1")
    message["orders"] = lines
    stand.send(message)
    stand.run("intake", "dispatch")
    assert stand.states() == {f"PO-{n}": "COMPOSED" for n in (1, 3, 5)}
    assert stand.refusals() == {
        "PO-2": [("RC05", "orders[1].creditor_agent.bic")],
        "PO-4": [("CH21", "orders[3].maker")],
    }


def test_an_order_for_anothers_account_is_refused(stand: Stand) -> None:
    """Rule 38: the signature says who orders, the configuration says from which accounts."""
    stand.submit(order(debtor_account={"number": "000900000099"}))
    assert ("AC02", "order.debtor_account.number") in stand.refusals()["PO-1"]
    assert stand.states() == {}


def test_an_account_of_ours_in_another_currency_is_refused(stand: Stand) -> None:
    """Rule 25: riel are not paid from the dollar account."""
    stand.submit(order(debtor_account={"number": DOLLAR}))
    assert stand.refusals() == {"PO-1": [("AC10", "order.debtor_account.number")]}


# --------------------------------------------------------------------------------------- messages that cannot be used


def test_an_unknown_source_is_a_dead_letter(stand: Stand) -> None:
    """A key that nobody registered signs for nobody."""
    body = to_json(single(order(), "M1", source="nobody"))
    stranger = OrderKey.generate(source="nobody", key_id="nobody-1")
    stand.send(body, jws=jws.sign(body, stranger))
    stand.run("intake")
    assert [reason.split(":")[0] for reason in stand.dead()] == ["DS0E at jws.kid"]


def test_one_source_cannot_speak_for_another(stand: Stand) -> None:
    """The key is bound to its source, whatever the body claims."""
    stand.send(single(order(), "M1", source="salary"), source="fmis")
    stand.run("intake")
    assert [reason.split(":")[0] for reason in stand.dead()] == ["DS0G at source"]
    assert stand.states() == {}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda _signature: "", "DS0A"),
        (lambda signature: signature[:-8] + "AAAAAAA=", "DS0B"),
        (lambda signature: signature.split("..", maxsplit=1)[0] + "..", "DS0B"),
        (lambda _signature: "not a signature", "DS0B"),
    ],
    ids=["none", "other-bytes", "cut-off", "nonsense"],
)
def test_a_message_without_a_valid_signature_is_a_dead_letter(light: Stand, change: Any, code: str) -> None:
    """Nothing of it is parsed, let alone taken."""
    body = to_json(single(order(), "M1"))
    light.send(body, jws=change(jws.sign(body, light.stage.source_keys["fmis"])))
    light.run("intake")
    assert [reason.split(":")[0].split(" ")[0] for reason in light.dead()] == [code]
    assert light.states() == {}


def test_a_body_changed_after_signing_is_a_dead_letter(light: Stand) -> None:
    """One digit more, under the signature of the original."""
    body = to_json(single(order(amount="1000"), "M1"))
    signature = jws.sign(body, light.stage.source_keys["fmis"])
    light.send(body.replace(b'"1000"', b'"9000"'), jws=signature)
    light.run("intake")
    assert light.dead()[0].startswith("DS0B")
    assert light.states() == {}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\x00\xff not JSON", "FF02"),
        (b"", "FF02"),
        (b'{"version": "1.0"', "FF02"),
        (b"[]", "FF02"),
        (to_json(single(order(), "M1", version="2.0")), "FF01 at version"),
        (to_json(single(order(), "M1", version=1)), "FF01 at version"),
        (to_json({k: v for k, v in single(order(), "M1").items() if k != "message_id"}), "CH21 at message_id"),
        (to_json(single(order(), "M1", created="2026-11-30T08:00:00")), "DT02 at created"),
        (to_json(single(order(), "M1", orders=[order()])), "CH17 at order"),
    ],
    ids=["bytes", "empty", "cut-off", "list", "version-2", "version-number", "no-id", "no-offset", "two-forms"],
)
def test_a_message_that_cannot_be_read_is_a_dead_letter_with_its_reason(light: Stand, body: bytes, reason: str) -> None:
    """The reason code and the path travel with it, and the next message is not delayed."""
    light.send(body)
    light.send(single(order(2), "M2"))
    light.run("intake")
    [said] = light.dead()
    assert said.startswith(reason), said
    assert light.states() == {"PO-2": "READY"}


def test_a_newer_minor_version_with_unknown_fields_is_taken(light: Stand) -> None:
    """Contracts grow: a consumer ignores what it does not know."""
    light.send(single(order(colour="red"), "M1", version="1.7", priority="?"))
    light.run("intake")
    assert light.states() == {"PO-1": "READY"}


class Handed:
    """A consumer that hands out what no broker would carry."""

    def __init__(self, delivery: Delivery) -> None:
        self.deliveries = [delivery]
        self.dead: list[str] = []

    def receive(self, limit: int, wait_s: float) -> list[Delivery]:
        """Hand it out, once."""
        del limit, wait_s
        taken, self.deliveries = self.deliveries, []
        return taken

    def acknowledge(self, deliveries: list[Delivery]) -> None:
        """Never used."""
        raise AssertionError(deliveries)

    def dead_letter(self, delivery: Delivery, reason: str) -> None:
        """Note the reason."""
        del delivery
        self.dead.append(reason)


def test_a_message_of_200_megabytes_is_refused_without_being_read(light: Stand) -> None:
    """Its length is known before its signature is computed, and nothing of its size is allocated again."""
    body = b" " * 200_000_000
    consumer = Handed(Delivery(1, ORDERS_QUEUE, "orders.fmis", body, "M1", {"jws": "x..y"}))
    worker = light.workers["intake"]
    assert isinstance(worker, Intake)
    worker._consumer.close()
    worker._consumer = consumer  # type: ignore[assignment]  # it does what intake asks of one
    tracemalloc.start()
    try:
        assert worker.step(0) == 1
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert consumer.dead == ["FF01: 200000000 bytes, more than 4000000"]
    assert peak < 5_000_000


def test_a_message_just_above_the_limit_is_refused_and_one_at_the_limit_is_taken(light: Stand) -> None:
    """The limit is a setting with a name, and inclusive."""
    limit = light.gateway.settings.workers.message_bytes_max
    body = to_json(single(order(), "M1"))
    light.send(body + b" " * (limit - len(body)))
    light.send(to_json(single(order(2), "M2")) + b" " * limit)
    light.run("intake")
    assert light.states() == {"PO-1": "READY"}
    assert light.dead()[0].startswith("FF01")


# ------------------------------------------------------------------------------------------------------- approvals


def test_an_order_above_the_limit_waits_for_a_second_person(stand: Stand) -> None:
    """At the limit it passes, one riel above it is held, and its source is told."""
    stand.submit(order(1, amount="4000000000"), order(2, amount="4000000001"), dollars(3, amount="1000000.01"))
    assert stand.states() == {"PO-1": "READY", "PO-2": "HELD", "PO-3": "HELD"}
    assert stand.told_of("PO-2") == ["treasury.payment.held"]
    stand.run("dispatch")
    assert stand.states() == {"PO-1": "COMPOSED", "PO-2": "HELD", "PO-3": "HELD"}


# ------------------------------------------------------------------------------------------- when something breaks


def test_a_crash_between_commit_and_acknowledgement_takes_nothing_twice(stand: Stand) -> None:
    """The message comes again, and is known."""
    stand.send(single(order(), "M1"))
    stand.dies("intake", "intake.committed")
    assert stand.states() == {"PO-1": "READY"}
    assert stand.waiting_orders() == 1
    stand.run("intake")
    assert stand.waiting_orders() == 0
    assert stand.states() == {"PO-1": "READY"}
    assert len(stand.told()) == 1
    assert stand.faults() == []


def test_events_are_written_with_their_cause_or_not_at_all(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that dies before the outbox is written has taken nothing; the next one takes and tells."""

    def dies(*_: object) -> None:
        raise Killed

    stand.send(single(order(), "M1"))
    monkeypatch.setattr(outbox, "add", dies)
    with pytest.raises(Killed):
        stand.step("intake")
    monkeypatch.undo()
    assert stand.payments() == []
    assert stand.told() == []
    assert stand.trails() == []
    assert stand.sql("SELECT COUNT(*) FROM inbox") == [(0,)]
    stand.start()
    stand.run("intake")
    assert stand.told_of("PO-1") == ["treasury.order.accepted"]


def test_a_lost_database_loses_no_message(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was received and not settled is taken first when the database is back."""
    stand.send(single(order(), "M1"))

    def away(*_: object) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(payments, "add", away)
    with pytest.raises(StoreUnavailable):
        stand.step("intake")
    monkeypatch.undo()
    assert stand.states() == {}
    stand.run("intake")
    assert stand.states() == {"PO-1": "READY"}
    assert stand.dead() == []


def test_a_message_that_breaks_us_is_retried_alone_and_ends_with_its_reason(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A defect of ours costs the one message that shows it, not the queue behind it."""
    real = orders.payment_of_json

    def breaks(stored: bytes, **more: Any) -> Any:
        if b'"PO-2"' in stored:
            raise ZeroDivisionError("a defect")
        return real(stored, **more)

    monkeypatch.setattr(orders, "payment_of_json", breaks)
    for number in (1, 2, 3):
        stand.send(single(order(number), f"M{number}"))
    stand.run("intake")
    assert stand.states() == {"PO-1": "READY", "PO-3": "READY"}
    assert stand.dead() == ["ZeroDivisionError: a defect"]
    monkeypatch.undo()
    assert stand.bus.replay([]) == 1
    stand.run("intake")
    assert stand.states()["PO-2"] == "READY"


def test_references_that_are_taken_are_refused(stand: Stand) -> None:
    """Rules 13 and 16 against the database and within one group; NOTPROVIDED is nobody's reference."""
    uetr = "00000000-0000-4000-8000-000000000001"
    stand.submit(order(1, uetr=uetr))
    stand.send(single(order(2, end_to_end_id="E2E1"), "M2"))
    stand.send(single(order(3, uetr=uetr), "M3"))
    stand.send(single(order(4, end_to_end_id="SAME"), "M4"))
    stand.send(single(order(5, end_to_end_id="SAME"), "M5"))
    stand.send(single(order(6, end_to_end_id=None), "M6"))
    stand.send(single(order(7, end_to_end_id=None), "M7"))
    stand.send(single(dollars(8, end_to_end_id="SAME"), "M8"))
    stand.run("intake")
    assert {order_id: found[0][1] for order_id, found in stand.refusals().items()} == {
        "PO-2": "order.end_to_end_id",
        "PO-3": "order.uetr",
        "PO-5": "order.end_to_end_id",
    }
    assert set(stand.states()) == {"PO-1", "PO-4", "PO-6", "PO-7", "PO-8"}


def test_the_day_of_an_order_is_kept(stand: Stand) -> None:
    """A future order is dated; an order after the cut-off is for the next business day."""
    stand.submit(order(1), order(2, execution_date="2026-12-02"))
    stand.clock.advance_to(START.replace(hour=8, minute=31))
    stand.submit(order(3))
    days = dict(stand.sql("SELECT order_id, settlement_day FROM payment"))
    assert days == {"PO-1": "2026-11-30", "PO-2": "2026-12-02", "PO-3": "2026-12-01"}


@pytest.mark.parametrize("field", ["order_id", "end_to_end_id", "maker", "uetr"])
@pytest.mark.parametrize("hidden", ["\0", "\x1b", "\n"], ids=["nul", "escape", "newline"])
def test_a_control_character_in_an_identifier_refuses_that_order_alone(stand: Stand, field: str, hidden: str) -> None:
    """No database, log or terminal is asked what it makes of it, and the good orders of the message go on."""
    stand.send(single(order(1), "M1"))
    stand.send(single({**order(2), field: f"PO-2{hidden}x"}, "M2"))
    stand.run("intake")
    assert stand.states() == {"PO-1": "READY"}
    assert stand.dead() == []
    assert len(stand.refusals()) == 1
    assert stand.faults() == []
