"""The stand of the flow tests on each engine, for people to work at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from simulators.stage import Stage
from tests.gateway.flow.stand import Stand, country, opened


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """Keys and configuration, made once: no test changes them."""
    return country(tmp_path_factory.mktemp("country"))


@pytest.fixture
def light(stage: Stage, tmp_path: Path) -> Iterator[Stand]:
    """A gateway with one worker of each role, on SQLite."""
    with opened(stage, f"sqlite:///{tmp_path / 'gateway.sqlite'}") as made:
        yield made


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.servers)])
def stand(request: pytest.FixtureRequest) -> Iterator[Stand]:
    """The same on each engine in turn."""
    if request.param == "sqlite":
        yield request.getfixturevalue("light")
        return
    with opened(request.getfixturevalue("stage"), request.getfixturevalue("database_url")) as made:
        yield made
