"""The stand of the flow tests, and a person at it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.operations.operator import Operator
from tests.gateway.flow.conftest import light, stage, stand, url
from tests.gateway.flow.stand import Stand

__all__ = ["light", "stage", "stand", "url"]

Person = Callable[[Stand, str], Operator]


@pytest.fixture
def person() -> Person:
    """Put a person at a stand."""
    return lambda stand, name: Operator(stand.gateway.store, stand.clock, name)
