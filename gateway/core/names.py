"""Names as they are compared: without case, punctuation and invisible characters, and Khmer in one order of its marks.

Khmer can be typed in several orders that look the same on the page (a subscript before or after a vowel), with
invisible joiners and spaces between words, and with letters that Unicode advises against. Unicode's own normal forms
leave all of that as it is, so the order of the Khmer syllable (Unicode Standard, chapter 16.4) is made here.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad\u17b4\u17b5"))
_DISCOURAGED = str.maketrans({"\u17a3": "\u17a2", "\u17a4": "\u17a2\u17b6", "\u17b2": "\u17b1", "\u17d3": "\u17c6"})
_SPELT = (("\u17c1\u17b8", "\u17be"), ("\u17c1\u17b6", "\u17c4"))
"""Vowels that are typed as two signs and look like one."""
_DIGITS = str.maketrans("០១២៣៤៥៦៧៨៩", "0123456789")
_MARKS = re.compile("(?:\u17d2[\u1780-\u17b3]|[\u17b6-\u17d1\u17dd])+")
_MARK = re.compile("\u17d2[\u1780-\u17b3]|[\u17b6-\u17d1\u17dd]")
_SUBSCRIPT_RO = "\u17d2\u179a"
_APART = re.compile(r"[^\w\u1780-\u17d3\u17dd]+", re.UNICODE)
_TITLES = frozenset({"mr", "mrs", "ms", "dr", "he", "co", "ltd", "plc", "llc", "inc", "company", "limited"})


@lru_cache(maxsize=4_096)
def normal_name(name: str) -> str:
    """Return a name as it is compared: words in lower case, without titles and legal forms where more is left."""
    text = unicodedata.normalize("NFKC", name).translate(_INVISIBLE).translate(_DISCOURAGED).translate(_DIGITS)
    text = _MARKS.sub(_in_order, text.casefold())
    words = _APART.sub(" ", text).split()
    said = [word for word in words if word not in _TITLES]
    return " ".join(said or words)


def _in_order(found: re.Match[str]) -> str:
    """Return the marks of one Khmer syllable in their standard order: subscripts, shifters, vowels, signs."""
    text = "".join(sorted(_MARK.findall(found.group()), key=_place))
    for typed, meant in _SPELT:
        text = text.replace(typed, meant)
    return text


def _place(mark: str) -> int:
    if mark == _SUBSCRIPT_RO:
        return 1
    if mark[0] == "\u17d2":
        return 0
    if mark in "\u17c9\u17ca":
        return 2
    return 3 if "\u17b6" <= mark <= "\u17c5" else 4
