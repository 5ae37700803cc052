"""A treasury to reconcile, on each engine; where a test module has a stand of its own, that one counts."""

from __future__ import annotations

from tests.gateway.flow.conftest import light, stage, stand, url

__all__ = ["light", "stage", "stand", "url"]
