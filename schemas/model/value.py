"""What the model's classes are made of: immutable values, compared by what they hold.

They are as frozen dataclasses with slots are, and made by C code: those set each field through a call, which took a
tenth of the time that the gateway spent on a payment (docs/decisions/0021-values-are-made-by-c-code.md). What works on
dataclasses works on them: ``dataclasses.replace``, ``fields``, ``asdict``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, make_dataclass
from functools import cache
from typing import Any

from msgspec import Struct


class _Fields:
    """Says the fields of a class in the way that the functions of ``dataclasses`` ask for them."""

    def __get__(self, _: object, owner: type[Struct]) -> Mapping[str, Field[Any]]:
        return _fields(owner)


@cache
def _fields(owner: type[Struct]) -> Mapping[str, Field[Any]]:
    """Return the fields by name; they are asked for when the class is whole."""
    alike: Any = make_dataclass(owner.__name__, owner.__struct_fields__)
    found: Mapping[str, Field[Any]] = alike.__dataclass_fields__
    return found


class Value(Struct, frozen=True):
    """An immutable value; its classes say ``frozen=True`` once more, so that type checkers know."""

    __dataclass_fields__ = _Fields()
