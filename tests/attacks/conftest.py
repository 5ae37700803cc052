"""What all attacks share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from simulators.stage import Stage
from tests.attacks.forge import Scene, build_scene
from tests.gateway.flow.stand import Stand, country, opened


@pytest.fixture(scope="session")
def scene() -> Scene:
    """One scene for all attacks: none of them changes it."""
    return build_scene()


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """Keys and configuration, made once: no attack changes them."""
    return country(tmp_path_factory.mktemp("country"))


@pytest.fixture
def stand(stage: Stage, tmp_path: Path) -> Iterator[Stand]:
    """A gateway to attack, with one worker of each role."""
    with opened(stage, f"sqlite:///{tmp_path / 'gateway.sqlite'}") as made:
        yield made
