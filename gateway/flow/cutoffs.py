"""Before a cut-off: payments for today that have not left are told, while something can still be done about them."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from adapters.profile import Profile
from gateway.flow.desk import Desk
from gateway.flow.policy import Relationship
from gateway.store import findings
from gateway.store.findings import Finding
from gateway.store.session import Session
from gateway.store.trail import Trail

KIND = "cut_off_near"
LOOK_MS = 30_000
"""How often the queue is counted while a cut-off is near."""


class CutOffWatch:
    """Watches the cut-offs of one bank relationship; without ``cut_off_warning_min`` it does nothing.

    Args:
        desk: store, clock.
        profile: its cut-offs, and how long before them somebody is told.
        relationship: its business days.
    """

    def __init__(self, desk: Desk, profile: Profile, relationship: Relationship) -> None:
        self._desk = desk
        self._profile = profile
        self._relationship = relationship
        self._warning = timedelta(minutes=profile.cut_off_warning_min)
        self._look_ms = 0

    def look(self) -> None:
        """Tell of what has not left of currencies whose cut-off is near, and close what has left or is too late."""
        trail = self._desk.trail()
        if not self._warning or trail.at_ms < self._look_ms:
            return
        self._look_ms = trail.at_ms + LOOK_MS
        local = self._desk.now().astimezone(self._relationship.zone)
        near = {
            currency: settings.cut_off
            for currency, settings in self._profile.currencies.items()
            if self._is_near(local, settings.cut_off)
        }
        with self._desk.store.transaction() as db:
            told = self._tell(db, local, near, trail) if near else set()
            for identity, currency in db.all("told_of_cut_offs", profile=self._profile.name):
                if identity not in told:
                    why = "its payments have left" if currency in near else "the cut-off has passed"
                    findings.close(db, KIND, identity, "dispatch", why, trail.at_ms)

    def _is_near(self, local: datetime, cut_off: time) -> bool:
        """Tell whether a cut-off of today comes within the warning."""
        at = datetime.combine(local.date(), cut_off, local.tzinfo)
        return self._relationship.calendar.is_business_day(local.date()) and at - self._warning <= local < at

    def _tell(self, db: Session, local: datetime, near: dict[str, time], trail: Trail) -> set[str]:
        """Open or renew a finding for each currency of which something has not left; return their identities."""
        day, told = local.date().isoformat(), set()
        waiting = {row[0]: row[1:] for row in db.all("waiting_today", profile=self._profile.name, day=day)}
        for currency, cut_off in near.items():
            ready, held = (int(count) for count in waiting.get(currency, (0, 0)))
            self._desk.metrics.cut_off_waiting.labels(self._profile.name, currency).set(ready + held)
            if not ready + held:
                continue
            identity = f"{self._profile.name}:{currency}:{day}"
            evidence = {"cut_off": f"{cut_off:%H:%M}", "day": day, "ready": ready, "held": held}
            found = Finding(KIND, identity, self._profile.name, currency=currency, evidence=evidence)
            if findings.open_all(db, [found], trail.at_ms):
                self._desk.log.warning("cut-off is near", profile=self._profile.name, currency=currency, **evidence)
            else:
                findings.open_again(db, found, trail.at_ms)
            told.add(identity)
        return told
