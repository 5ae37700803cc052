"""What all attacks share."""

from __future__ import annotations

import pytest

from tests.attacks.forge import Scene, build_scene


@pytest.fixture(scope="session")
def scene() -> Scene:
    """One scene for all attacks: none of them changes it."""
    return build_scene()
