"""Orders in."""

from tests.gateway.flow.stand import Stand, order, single


def test_a(stand: Stand) -> None:
    stand.submit(order(1), order(2))
    assert stand.states() == {"PO-1": "READY", "PO-2": "READY"}
    assert stand.faults() == []
    [p1, p2] = stand.sent()
    assert p1.state == "SENT"
    print(stand.balances(), stand.trails(), stand.reached)
    assert stand.take(stand.bank.status("ACSC", [p1, p2])) == ["APPLIED"]
    assert stand.states() == {"PO-1": "SETTLED", "PO-2": "SETTLED"}, stand.open()
    assert stand.faults() == []
