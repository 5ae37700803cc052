"""The crash points that the environment names."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.crash import CRASH_AT, CRASH_MARK, crash_points
from gateway.flow.desk import nowhere
from schemas.errors import ConfigurationError


def test_without_the_variable_every_point_is_passed() -> None:
    """Nothing of this costs anything where nobody asks for it."""
    assert crash_points({}) is nowhere
    assert crash_points({CRASH_AT: ""}) is nowhere


def test_the_process_ends_at_the_named_point_at_the_named_turn(tmp_path: Path) -> None:
    """The marker is there when it ends, and other points do not count."""
    mark, ends = tmp_path / "fired", []
    reach = crash_points({CRASH_AT: "a.b:2", CRASH_MARK: str(mark)}, lambda: ends.append(mark.read_text()))
    for point in ("a.b", "a.c", "a.c"):
        reach(point)
    assert not ends
    assert not mark.exists()
    reach("a.b")
    reach("a.b")
    assert ends == ["a.b\n"]


def test_the_first_turn_is_meant_where_none_is_named() -> None:
    """A marker is optional as well."""
    ends: list[str] = []
    crash_points({CRASH_AT: "a.b"}, lambda: ends.append("end"))("a.b")
    assert ends == ["end"]


@pytest.mark.parametrize("wanted", ["a.b:0", "a.b:x", ":1", "a.b:1:2"])
def test_a_point_that_is_written_wrongly_is_an_error(wanted: str) -> None:
    """A test that names no point would pass without having tested anything."""
    with pytest.raises(ConfigurationError, match=CRASH_AT):
        crash_points({CRASH_AT: wanted})
