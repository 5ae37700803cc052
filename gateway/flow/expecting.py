"""Statements that should have come by now: told once a day and account, and closed by the statement that comes."""

from __future__ import annotations

from datetime import date, datetime

from adapters.profile import Profile
from gateway.core.calendar import BusinessCalendar
from gateway.store import findings
from gateway.store.findings import Finding
from gateway.store.session import Session
from gateway.store.trail import Trail
from schemas.model.identifiers import mask_account

KIND = "missing_statement"


def day_due(profile: Profile, calendar: BusinessCalendar, now: datetime) -> date | None:
    """Return the last business day whose statement should be here, or None where the profile expects none.

    A statement is due on the business day after its own, by ``statements.expected_by`` of the bank's own clock.
    """
    by = profile.statements.expected_by
    if by is None:
        return None
    local = now.astimezone(profile.zone)
    arrival = local.date() if local.time() >= by else calendar.previous_business_day(local.date())
    if not calendar.is_business_day(arrival):
        arrival = calendar.previous_business_day(arrival)
    return calendar.previous_business_day(arrival)


def tell(db: Session, profile: Profile, day: date, trail: Trail) -> None:
    """Open an exception for each account whose last statement is of an earlier day than the one that is due.

    An account that never had a statement is not waited for: nobody knows yet from which day on it has any.
    """
    for account in profile.home_accounts:
        last = db.value("last_closing_day", account=account.number, currency=account.currency)
        if last is None or last >= day.isoformat():
            continue
        evidence = {
            "account": mask_account(account.number), "day": day.isoformat(), "last_statement_day": last,
            "why": "the bank should have sent the statement of this day by now",
        }  # fmt: skip
        identity = f"{account.number}:{account.currency}:{day.isoformat()}"
        found = Finding(KIND, identity, profile.name, account.number, account.currency, evidence=evidence)
        findings.open_all(db, [found], trail.at_ms)


def close(db: Session, account: str, currency: str, day: str, statement: int, trail: Trail) -> None:
    """Close what was missing up to the day of a statement that is booked now."""
    last = f"{account}:{currency}:{day}"
    for (identity,) in db.all("missing_statements", account=account, currency=currency, last=last):
        findings.close(db, KIND, identity, "reconcile", f"statement {statement} came", trail.at_ms)
