"""Where the official ISO 20022 definitions are: beside the checkout, and in wheels that `make test` unpacks.

They are read from there and never copied into the project. Two sources hold the same definitions, made by different
people; one of them is enough.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import pytest
from lxml import etree

PROJECT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("GATEWAY_SHARED", PROJECT / ".." / "shared")) / "iso20022" / "xsd"
WHEELS = PROJECT / ".cache" / "definitions"

IN_WHEELS = frozenset(
    {"pacs.008.001.08", "camt.052.001.08", "camt.053.001.08", "camt.054.001.08", "head.001.001.02", "pain.001.001.09"}
)
"""What the wheels of requirements-definitions.lock hold. No wheel holds pacs.002.001.10 or pacs.004.001.09 whole."""


@cache
def schema(path: Path) -> etree.XMLSchema:
    """Return a compiled definition."""
    return etree.XMLSchema(file=str(path))


def shared(definition: str) -> Path | None:
    """Return the definition beside the checkout, or None."""
    path = SHARED / f"{definition}.xsd"
    return path if path.is_file() else None


def in_wheel(definition: str) -> Path | None:
    """Return the definition out of a wheel, or None."""
    found = sorted(WHEELS.rglob(f"{definition}.xsd")) if definition in IN_WHEELS else []
    return found[0] if found else None


def official(definition: str) -> etree.XMLSchema:
    """Return the official definition from either source.

    Without one the test is skipped with the reason; in CI it fails, unless no wheel could have held the definition.
    """
    path = shared(definition) or in_wheel(definition)
    if path is not None:
        return schema(path)
    if definition not in IN_WHEELS:
        pytest.skip(f"{definition} is in no wheel, and {SHARED} is absent")
    text = f"the official {definition} is neither in {SHARED} nor in {WHEELS}: `make test` unpacks it there"
    if os.environ.get("CI"):
        pytest.fail(text)
    pytest.skip(text)
