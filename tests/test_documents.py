"""What is generated from the code into docs/ is what the code says today."""

from __future__ import annotations

from pathlib import Path

from gateway.core.lifecycle import diagram

DOCS = Path(__file__).resolve().parents[1] / "docs"


def test_the_lifecycle_diagram_is_the_table() -> None:
    """A picture that shows another lifecycle than the table is worse than none; `make docs` writes it again."""
    assert diagram() in (DOCS / "lifecycle.md").read_text(encoding="utf-8")
