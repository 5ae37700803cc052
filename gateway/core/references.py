"""References as they are compared: banks change case, put blanks between, cut off, and write words before them."""

from __future__ import annotations

import re
import unicodedata

_APART = re.compile(r"[^0-9A-Z]+")
_TOKEN = re.compile(r"[0-9A-Za-z][0-9A-Za-z/.-]{4,34}")
TOKENS_MAX = 12


def normal(text: str, prefixes: tuple[str, ...] = ()) -> str:
    """Return a reference as it is compared: capitals and digits only."""
    plain = _APART.sub("", unicodedata.normalize("NFKC", text).upper())
    for prefix in prefixes:
        plain = plain.removeprefix(prefix)
    return plain


def tokens(text: str) -> tuple[str, ...]:
    """Return what may be references in a free text."""
    found = dict.fromkeys(t.strip("/.-") for t in _TOKEN.findall(text) if any(c.isdigit() for c in t))
    return tuple(found)[:TOKENS_MAX]
