"""The gauges: what the metrics say of the store, the outbox, the dead letters and the keys, read every few seconds."""

from __future__ import annotations

import re
from contextlib import closing
from datetime import datetime

from cryptography import x509

from gateway.app import Gateway
from gateway.bus.base import DEAD_QUEUE
from gateway.core.casework import CaseState
from gateway.core.lifecycle import State
from gateway.metrics import Metrics
from gateway.store.session import Session
from gateway.store.times import to_ms
from schemas.errors import ConfigurationError
from security.certificates import subject_bic
from security.keys import KeyRing, KeyState

_LABEL_UNSAFE = re.compile(r"[^A-Za-z0-9._ -]")


def refresh(gateway: Gateway) -> None:
    """Set the gauges of ``gateway.metrics``, on a database connection of its own.

    Raises:
        Unavailable: the database or the broker is away; what could be read before is set.
    """
    now = gateway.clock.now()
    _certificates(gateway, now)
    with closing(gateway.store.sibling()) as store, store.transaction() as db:
        _store(db, gateway.metrics, to_ms(now))
    gateway.metrics.dead_letters.set(gateway.bus.depth(DEAD_QUEUE))


def _store(db: Session, metrics: Metrics, now_ms: int) -> None:
    counts = {state.value: 0 for state in State}
    for state, _, count, _ in db.all("count_states"):
        counts[state] += int(count)
    metrics.set_payments(counts)
    oldest = [row[2] for row in db.all("outbox_state")]
    metrics.outbox_age_seconds.set(max(0, now_ms - min(oldest)) / 1000 if oldest else 0)
    metrics.set_unreconciled({currency: int(minor) for currency, minor in db.all("unreconciled") if currency})
    found: dict[str, int] = {}
    for kind, state, count in db.all("count_exceptions"):
        if state != CaseState.RESOLVED:
            found[kind] = found.get(kind, 0) + int(count)
    metrics.set_exceptions(found)


def certificate_days(gateway: Gateway, now: datetime) -> dict[str, int]:
    """Return the days until each certificate ends: of our active keys, and of those who sign for the banks.

    A folder that cannot be read is left out: it is the worker that needs it who says so.
    """
    found: dict[str, int] = {}
    try:
        for entry in KeyRing(gateway.settings.keys_folder).entries():
            if entry.record.state is KeyState.ACTIVE:
                found[entry.record.key_id] = entry.days_left(now)
    except ConfigurationError as error:
        gateway.log.warning("keys cannot be read", reason=str(error))
    for profile in gateway.profiles.values():
        try:
            certificates = gateway.trust(profile)().certificates
        except ConfigurationError as error:
            gateway.log.warning("certificates cannot be read", profile=profile.name, reason=str(error))
            continue
        for certificate in certificates:
            name = f"{profile.name}:{_name(certificate)}"
            days = (certificate.not_valid_after_utc - now).days
            found[name] = min(days, found.get(name, days))
    return found


def _certificates(gateway: Gateway, now: datetime) -> None:
    gateway.metrics.certificate_days_left.clear()
    for name, days in certificate_days(gateway, now).items():
        gateway.metrics.certificate_days_left.labels(name).set(days)


def _name(certificate: x509.Certificate) -> str:
    """Return a short name of a certificate: whom it speaks for, else its subject."""
    text = subject_bic(certificate) or certificate.subject.rfc4514_string()
    return _LABEL_UNSAFE.sub("_", text)[:60]
