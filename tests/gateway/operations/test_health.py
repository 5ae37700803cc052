"""The gauges say what is in the store, and nothing that was there before."""

from __future__ import annotations

from datetime import timedelta

from gateway.operations import health
from tests.gateway.flow.stand import Stand, booked, order


def gauge(stand: Stand, name: str, **labels: str) -> float | None:
    """Return a metric's value."""
    return stand.gateway.metrics.registry.get_sample_value(name, labels)


def test_the_gauges_follow_the_store(stand: Stand) -> None:
    """Payments, outbox, exceptions, amounts, dead letters."""
    stand.compose(order(1), order(2, amount="2000"))
    stand.clock.advance(timedelta(seconds=90))
    health.refresh(stand.gateway)
    assert gauge(stand, "gateway_payments", state="COMPOSED") == 2
    assert gauge(stand, "gateway_payments", state="SETTLED") == 0
    assert gauge(stand, "gateway_outbox_age_seconds") == 90
    assert gauge(stand, "gateway_dead_letters") == 0
    stand.run("relay")
    stand.take(stand.bank.statement([booked(-100_000, stand.payment()), booked(-500, reference="NB2")]))
    stand.send(b"not an order")
    stand.run("intake")
    health.refresh(stand.gateway)
    assert gauge(stand, "gateway_payments", state="SETTLED") == 1
    assert gauge(stand, "gateway_payments", state="SENT") == 1
    assert gauge(stand, "gateway_unreconciled_minor", currency="KHR") == 500
    assert gauge(stand, "gateway_exceptions_open", kind="unmatched_debit") == 1
    assert gauge(stand, "gateway_dead_letters") == 1


def test_the_days_of_every_certificate_are_counted(light: Stand) -> None:
    """Of our keys and of those who sign for the bank: either end stops the line."""
    found = health.certificate_days(light.gateway, light.clock.now())
    assert set(found) == {"treasury-1", "central-bank:NCAMKHPP"}
    light.clock.advance(timedelta(days=2))
    later = health.certificate_days(light.gateway, light.clock.now())
    assert {name: days - later[name] for name, days in found.items()} == dict.fromkeys(found, 2)
    health.refresh(light.gateway)
    assert gauge(light, "gateway_certificate_days_left", key_id="treasury-1") == later["treasury-1"]
