"""An order that was accepted stays accepted, whatever comes under its number afterwards, in whatever order."""

from __future__ import annotations

import pytest

from tests.gateway.flow.stand import Stand, order, single

GOOD, CHANGED = order(1), order(1, amount="2000")


def send(stand: Stand, *orders: dict[str, object], together: bool) -> None:
    """Send orders in messages of their own, in one group or one by one."""
    for content in orders:
        stand.send(single(content, f"M{stand.messages}"))
        if not together:
            stand.run("intake")
    stand.run("intake")


@pytest.mark.parametrize("together", [True, False], ids=["in-one-group", "one-by-one"])
def test_an_accepted_order_is_repeated_in_silence_after_a_changed_copy_was_refused(
    stand: Stand,
    together: bool,
) -> None:
    """A source that repeats everything it ever sent hears of the changed copy, and of nothing else."""
    send(stand, GOOD, CHANGED, GOOD, GOOD, together=together)
    [paid] = stand.payments()
    assert (paid.state, paid.amount.amount_minor) == ("READY", 100_000)
    assert stand.refusals() == {"PO-1": [("DU01", "order.order_id")]}
    assert stand.sql("SELECT COUNT(*) FROM refusal") == [(1,)]
    assert stand.told_of("PO-1") == ["treasury.order.accepted", "treasury.order.refused"]
    assert stand.dead() == []
    stand.run("dispatch")
    send(stand, CHANGED, GOOD, together=together)
    assert stand.states() == {"PO-1": "COMPOSED"}
    assert {code for code, _ in stand.refusals()["PO-1"]} == {"DU01"}
    assert stand.told_of("PO-1").count("treasury.order.accepted") == 1
    assert stand.faults() == []


def test_a_second_changed_copy_is_refused_like_the_first(stand: Stand) -> None:
    """Each copy that is another one has its refusal; the order goes on."""
    send(stand, GOOD, CHANGED, order(1, amount="3000"), GOOD, together=False)
    assert stand.states() == {"PO-1": "READY"}
    assert stand.sql("SELECT COUNT(*) FROM refusal") == [(2,)]
    assert stand.told_of("PO-1").count("treasury.order.accepted") == 1


@pytest.mark.parametrize("together", [True, False], ids=["in-one-group", "one-by-one"])
@pytest.mark.parametrize("arrival", ["GGC", "GCG", "CGG", "CCG", "CGC", "GCC"])
def test_the_first_of_two_rivals_wins_however_the_stream_is_cut(light: Stand, arrival: str, together: bool) -> None:
    """How many messages the broker hands out at once decides nothing."""
    stream = [{"G": GOOD, "C": CHANGED}[letter] for letter in arrival]
    send(light, *stream, together=together)
    [paid] = light.payments()
    assert paid.amount.text() == f"{stream[0]['amount']}.00"
    assert set(light.told_of("PO-1")) == {"treasury.order.accepted", "treasury.order.refused"}
    assert light.told_of("PO-1").count("treasury.order.accepted") == 1
    assert light.faults() == []
