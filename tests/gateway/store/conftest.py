"""A gateway on each engine, for what can only be shown on a database with something in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from simulators.stage import Stage
from tests.gateway.flow.stand import Stand, country, opened
from tests.templates import copy_of


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """Keys and configuration, made once: no test changes them."""
    return country(tmp_path_factory.mktemp("country"))


ENGINES = ["sqlite", pytest.param("postgres", marks=pytest.mark.servers)]


@pytest.fixture(params=ENGINES)
def stand(request: pytest.FixtureRequest, stage: Stage, tmp_path: Path) -> Iterator[Stand]:
    """A gateway with one worker of each role, on each engine."""
    postgres = request.param == "postgres"
    url = request.getfixturevalue("database_url") if postgres else f"sqlite:///{tmp_path / 'gateway.sqlite'}"
    with opened(stage, url) as made:
        yield made


@pytest.fixture(scope="module", params=ENGINES)
def shared(request: pytest.FixtureRequest, stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """The same, shared by the tests of a module: they take back what they change."""
    if request.param == "sqlite":
        with opened(stage, f"sqlite:///{tmp_path_factory.mktemp('shared') / 'gateway.sqlite'}") as made:
            yield made
        return
    copied = copy_of(request.getfixturevalue("postgres"), request.getfixturevalue("tables"))
    with copied as url, opened(stage, url) as made:
        yield made
