"""The calendar of a country: a library's holidays, corrected by the operator."""

from __future__ import annotations

from datetime import date

import pytest

from gateway.holidays import load_calendar
from schemas.errors import ConfigurationError

INDEPENDENCE_DAY = date(2026, 11, 9)


def test_public_holidays_are_known() -> None:
    """Independence Day has its fixed date."""
    calendar = load_calendar("KH", [2026])
    assert not calendar.is_business_day(INDEPENDENCE_DAY)
    assert calendar.is_business_day(date(2026, 11, 10))


def test_the_operators_dates_win_over_the_library() -> None:
    """The sub-decree of the year is right, the library is a seed."""
    calendar = load_calendar("KH", [2026], closed=[date(2026, 11, 10)], worked=[INDEPENDENCE_DAY, date(2026, 11, 14)])
    assert not calendar.is_business_day(date(2026, 11, 10))
    assert calendar.is_business_day(INDEPENDENCE_DAY)
    assert calendar.is_business_day(date(2026, 11, 14))


def test_an_unknown_country_is_a_configuration_error() -> None:
    """The library's own error says nothing to an operator."""
    with pytest.raises(ConfigurationError, match="QQ"):
        load_calendar("QQ", [2026])
