"""When a payment leaves and when it settles: the rail's own business days, holidays declared late, value days."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.payment_settings import RailCalendarSettings
from adapters.profile import SHIPPED
from gateway.config import CalendarSettings
from gateway.relationships import policy
from schemas.errors import ConfigurationError
from schemas.iso20022 import pacs008
from security import xmldsig
from simulators.stage import PROFILE, Stage
from tests.gateway.flow.stand import START, Stand, dollars, opened, order

DECEMBER_2 = date(2026, 12, 2)


def profile(folder: Path, *changes: tuple[str, str]) -> Path:
    """Write the central bank's profile with changes; return its folder."""
    folder.mkdir()
    text = (SHIPPED / f"{PROFILE}.toml").read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    (folder / f"{PROFILE}.toml").write_text(text, encoding="utf-8")
    return folder


def settlement_days(stand: Stand) -> list[date]:
    """Return the settlement day of each message, as the bank reads it."""
    found = []
    for document in stand.documents():
        verified = xmldsig.verify(document, stand.stage.bank_trust, stand.clock.now())
        found.append(pacs008.read(verified.document)[0].settlement_date)
    return found


def declare_holiday(stand: Stand, *days: date) -> None:
    """Declare holidays by sub-decree, as an operator does: in the configuration, and with a restart."""
    declared = CalendarSettings(holidays=dict.fromkeys(days, "declared by sub-decree"))
    settings = stand.gateway.settings.model_copy(update={"calendar": declared})
    stand.gateway.settings = settings
    for name in ("calendar", "policy"):
        stand.gateway.__dict__.pop(name, None)
    stand.gateway.__dict__.pop("hands", None)
    stand.start()


def test_an_order_whose_day_is_declared_a_holiday_after_it_was_taken_leaves_on_the_next_one(stand: Stand) -> None:
    """It waited in the warehouse for a day on which no bank is open now; it is neither lost nor sent with that day."""
    stand.compose(order(1, execution_date=DECEMBER_2.isoformat()))
    declare_holiday(stand, DECEMBER_2, DECEMBER_2 + timedelta(days=1))
    for _ in range(3):
        stand.clock.advance(timedelta(days=1))
        stand.run("dispatch")
        assert stand.states() == {"PO-1": "READY"}
    stand.clock.advance(timedelta(days=1))
    stand.run("dispatch")
    assert stand.states() == {"PO-1": "COMPOSED"}
    assert settlement_days(stand) == [date(2026, 12, 4)]
    assert stand.faults() == []


def test_a_rail_has_business_days_of_its_own(stage: Stage, url: str, tmp_path: Path) -> None:
    """A rail that works through the weekend takes orders for a Sunday; the profile's dates stand above the others."""
    own = '[calendar]\nweekend = []\nworking_days = [2026-12-07]\n[calendar.holidays]\n2026-12-01 = "upkeep"\n'
    folder = profile(tmp_path / "p", ("[signature]", f"{own}\n[signature]"))
    gateway_days = CalendarSettings(holidays={date(2026, 12, 7): "declared"})
    with opened(stage, url, profiles_folder=folder, calendar=gateway_days) as stand:
        days = ("2026-12-01", "2026-12-06", "2026-12-07")
        stand.submit(*[order(n, execution_date=day) for n, day in enumerate(days)])
        assert {key: codes[0][0] for key, codes in stand.refusals().items()} == {"PO-0": "DT03"}
        assert stand.sql("SELECT day FROM ready ORDER BY payment") == [("2026-12-06",), ("2026-12-07",)]


def test_dollars_settle_when_the_banks_of_both_countries_are_open(stage: Stage, url: str, tmp_path: Path) -> None:
    """Two business days after they leave; riel settle the same day."""
    dated = 'cut_off = "15:00"              # (assumed)'
    folder = profile(tmp_path / "p", (dated, f'{dated}\nvalue_days = 2\nvalue_countries = ["US"]'))
    with opened(stage, url, profiles_folder=folder) as stand:
        stand.clock.advance_to(START.replace(month=12, day=23))
        stand.compose(dollars(1, execution_date="2026-12-23"), order(2, execution_date="2026-12-23"))
        assert sorted(settlement_days(stand)) == [date(2026, 12, 23), date(2026, 12, 28)]


def test_a_calendar_of_a_country_that_nobody_knows_is_refused(light: Stand) -> None:
    """With a misspelt country every day would be a business day."""
    profiles: dict[str, Any] = dict(light.gateway.profiles)
    known = profiles[PROFILE]
    profiles[PROFILE] = known.model_copy(update={"calendar": RailCalendarSettings(country="XX")})
    with pytest.raises(ConfigurationError, match=r"profile central-bank: calendar\.country: .*'XX'"):
        policy(light.gateway.settings, profiles, [2026])
