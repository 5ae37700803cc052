"""A gateway on each engine, for what can only be shown on a database with something in it."""

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


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.servers)])
def stand(request: pytest.FixtureRequest, stage: Stage, tmp_path: Path) -> Iterator[Stand]:
    """A gateway with one worker of each role, on each engine."""
    postgres = request.param == "postgres"
    url = request.getfixturevalue("database_url") if postgres else f"sqlite:///{tmp_path / 'gateway.sqlite'}"
    with opened(stage, url) as made:
        yield made
