"""Fixtures of the tests with real worker processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.crash.country import Country

Found = Callable[..., Country]
"""Founds a country; the arguments are those of ``Country`` after the servers' addresses."""


@pytest.fixture
def found(request: pytest.FixtureRequest, tmp_path: Path, rabbit_url: str) -> Iterator[Found]:
    """Return a function that founds a country on the shared servers; it ends with the test.

    Its database has no tables where it is not to be ``prepared``.
    """
    made: list[Country] = []

    def make(**settings: Any) -> Country:
        home = tmp_path / str(len(made))
        home.mkdir()
        database = "database_url" if settings.get("prepared", True) else "bare_database_url"
        made.append(Country(home, request.getfixturevalue(database), rabbit_url, **settings))
        return made[-1]

    yield make
    for country in made:
        country.close()
