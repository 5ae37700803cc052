"""The stand of the flow tests, on each engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from simulators.stage import Stage
from tests.gateway.flow.stand import Stand, country, opened

ENGINES = ["sqlite", pytest.param("postgres", marks=pytest.mark.servers)]


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """Keys and configuration, made once: no test changes them."""
    return country(tmp_path_factory.mktemp("country"))


@pytest.fixture(params=ENGINES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database of each engine in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'gateway.sqlite'}"
    found: str = request.getfixturevalue("database_url")
    return found


@pytest.fixture
def stand(stage: Stage, url: str) -> Iterator[Stand]:
    """A gateway with one worker of each role, on each engine."""
    with opened(stage, url) as made:
        yield made


@pytest.fixture
def light(stage: Stage, tmp_path: Path) -> Iterator[Stand]:
    """The same on SQLite only, for what has nothing to do with the database."""
    with opened(stage, f"sqlite:///{tmp_path / 'gateway.sqlite'}") as made:
        yield made
