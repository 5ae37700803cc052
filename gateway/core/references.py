"""References as banks hand them on: in another case, with blanks, zeros and prefixes added, cut off, or in free text.

``normal`` is the one form by which a reference is stored and looked up. What a bank may have put before a reference is
a matter of the bank's text and never of ours, so only the reader of a bank's text strips it (``variants``). All
functions are pure, and bounded however long or hostile the text is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from string import ascii_uppercase
from typing import Literal, NamedTuple

from schemas.model.identifiers import is_creditor_reference

CUTS = (16, 35)
"""Characters after which banks cut a reference off: field :61: of an MT940, and Max35Text of ISO 20022."""
CUT_CHARACTERS_MIN = 8
"""What is left of a reference after a cut names nothing when it is shorter: sixteen characters may be mostly dashes."""
RUN_CHARACTERS_MIN = 6
"""A shorter word of free text is a year, a house number or an amount more often than a reference."""
RUN_CHARACTERS_MAX = 35
TEXT_CHARACTERS_MAX = 10_000
"""Free text beyond it is not read: all remittance of an entry is at most 9,000 characters (rule 49)."""
TOKENS_MAX = 20
WORDS_MAX = 12

BANK_PREFIXES = (
    "EREF", "KREF", "SVWZ", "ROC", "RFB", "RFS", "INV", "IPI", "CRED", "REFERENCE", "REF NO", "REF", "BILL NO", "BILL",
    "INVOICE NO", "INVOICE", "E2E", "END TO END ID", "PAYMENT OF", "NROC",
)  # fmt: skip
"""Words that banks put before a reference: code words of :86: of an MT940, and of a payer's screen."""

Kind = Literal["uetr", "rf", "instruction", "run"]
Likeness = Literal["equal", "prefixed", "cut"]


class Token(NamedTuple):
    """What in a free text may be a reference.

    Attributes:
        kind: ``uetr``, ``rf`` (ISO 11649, its check digits hold), ``instruction`` (an InstrId of ours) or ``run``.
        text: a UETR in lower case with hyphens, everything else in normal form.
    """

    kind: Kind
    text: str


_KHMER_DIGITS = {0x17E0 + digit: str(digit) for digit in range(10)}
_INVISIBLE = dict.fromkeys((0x00AD, *range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2060, 0x2070), 0xFEFF))
_FOREIGN = _KHMER_DIGITS | _INVISIBLE
_NOT_ASCII_WORD = re.compile(r"[^0-9A-Z]+")
_FOLDINGS_MAX = 4
"""Folding once more changes nothing after at most two rounds in any script; a bound, so that it ends in every case."""
_KEPT_CATEGORIES = frozenset("LMN")

_UETR = re.compile(
    r"(?<![0-9A-Z])([0-9A-F]{8})-?([0-9A-F]{4})-?(4[0-9A-F]{3})-?([89AB][0-9A-F]{3})-?([0-9A-F]{12})(?![0-9A-Z])"
)
_INSTRUCTION = re.compile(r"(?<![0-9A-Z])TG[0-9]{12,18}(?![0-9A-Z])")
_RF = re.compile(r"(?<![0-9A-Z])RF(?: ?[0-9A-Z]){3,40}(?![0-9A-Z])")
_RF_CHARACTERS_MIN, _RF_CHARACTERS_MAX = 5, 25
_RF_DIGITS = str.maketrans({letter: str(10 + place) for place, letter in enumerate(ascii_uppercase)})
_RUN = re.compile(r"[0-9A-Z]+(?:[-/._][0-9A-Z]+)*")
_PART = re.compile(r"[0-9A-Z]+")
_DIGIT = re.compile(r"[0-9]")
_WORD = re.compile(r"[0-9A-Za-z][0-9A-Za-z/.-]{4,35}")


def normal(text: str, prefixes: tuple[str, ...] = ()) -> str:
    """Return a reference without what banks change: upper case, letters and digits only, no zeros in front.

    Khmer digits become ASCII digits and compatibility forms their plain ones (NFKC); letters of any script stay. A
    reference of zeros alone is ``0``; one without letters and digits is empty, and equal to nothing.

    Args:
        text: the reference.
        prefixes: words to be taken off where they stand before it with a sign or a blank behind them.
    """
    if prefixes:
        text = _prefix(prefixes).sub("", _readable(text), count=1)
    if text.isascii():
        found = _NOT_ASCII_WORD.sub("", text.upper())
    else:
        found = text
        for _ in range(_FOLDINGS_MAX):
            before, found = found, _folded(found)
            if found == before:
                break
    return found.lstrip("0") or found[:1]


def _folded(text: str) -> str:
    """Return a text folded once: NFKC, ASCII digits, upper case, without anything but letters, marks and digits."""
    plain = unicodedata.normalize("NFKC", text).translate(_FOREIGN).upper()
    return "".join(one for one in plain if unicodedata.category(one)[0] in _KEPT_CATEGORIES)


def variants(theirs: str, prefixes: tuple[str, ...] = BANK_PREFIXES) -> tuple[str, ...]:
    """Return the normal forms that a bank's text may stand for: as it is, and without the words put before it."""
    return tuple(one for one in dict.fromkeys((normal(theirs), normal(theirs, prefixes))) if one)


@cache
def _prefix(prefixes: tuple[str, ...]) -> re.Pattern[str]:
    """Return what finds such words at the beginning of a text, each with a sign or a blank behind it."""
    words = "|".join(re.escape(word.upper()) for word in sorted(prefixes, key=len, reverse=True))
    return re.compile(rf"^[/?\s]*(?:(?:{words})[\s:/+#.=]+)+")


def cut(ours: str) -> str | None:
    """Return the normal form of what a bank leaves of our reference when it keeps 16 characters; None if all of it.

    It keeps sixteen characters of the electronic form, which has no blanks. What is too short to name anything is None
    as well.
    """
    return _cut("".join(ours.split()), CUTS[0])


def _cut(ours: str, characters: int) -> str | None:
    if len(ours) <= characters:
        return None
    left = normal(ours[:characters])
    return left if len(left) >= CUT_CHARACTERS_MIN and left != normal(ours) else None


def likeness(ours: str, theirs: str, prefixes: tuple[str, ...] = BANK_PREFIXES) -> Likeness | None:
    """Tell whether a bank's text is our reference, alone or behind a bank's words, or what a cut has left of it."""
    whole, found = normal(ours), variants(theirs, prefixes)
    if not whole:
        return None
    if whole in found:
        return "equal" if whole == found[0] else "prefixed"
    left = {_cut(ours, characters) for characters in CUTS} | {cut(ours)}
    return "cut" if any(one in left for one in found) else None


def same(ours: str, theirs: str, prefixes: tuple[str, ...] = BANK_PREFIXES) -> bool:
    """Tell whether a bank's text is our reference, under all that banks do to it.

    That is: case, blanks and punctuation, zeros in front, words put before it, and a cut after 16 or 35 characters.
    """
    return likeness(ours, theirs, prefixes) is not None


# ----------------------------------------------------------------------------------------------------------- free text


def tokens(text: str, prefixes: tuple[str, ...] = BANK_PREFIXES) -> tuple[Token, ...]:
    """Return what in a free text may be a reference: at most ``TOKENS_MAX``, those that prove themselves first.

    UETRs with or without hyphens; RF references whose check digits hold, with blanks inside or not; InstrIds of ours;
    and words of letters and digits, at least six characters long and with a digit, whole (``INV-2026/00012``) and in
    their parts.
    """
    rest = _readable(text[:TEXT_CHARACTERS_MAX])
    found: dict[Token, None] = {}
    for token in _uetrs(rest):
        found[token] = None
    rest = _UETR.sub(" | ", rest)
    for match in _INSTRUCTION.finditer(rest):
        found[Token("instruction", match.group())] = None
    rest = _INSTRUCTION.sub(" | ", rest)
    if "RF" in rest:
        for match in _RF.finditer(rest):
            for reference in _creditor_references(match.group()):
                found[Token("rf", reference)] = None
    for run in _runs(rest, prefixes):
        if len(found) >= TOKENS_MAX:
            break
        found[Token("run", run)] = None
    return tuple(found)[:TOKENS_MAX]


def words(text: str) -> tuple[str, ...]:
    """Return what in a free text may be a reference as it is written, for what is stored as it was sent.

    At most ``WORDS_MAX``: UETRs, InstrIds and RF references in their electronic form first, then words with a digit.
    """
    found = dict.fromkeys(token.text for token in tokens(text, ()) if token.kind != "run")
    plain = unicodedata.normalize("NFKC", text[:TEXT_CHARACTERS_MAX]).translate(_FOREIGN)
    found |= dict.fromkeys(word.strip("/.-") for word in _WORD.findall(plain) if _DIGIT.search(word))
    return tuple(found)[:WORDS_MAX]


def _readable(text: str) -> str:
    """Return a text in upper case, on one line with single blanks, with ASCII digits and nothing invisible in it."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).translate(_FOREIGN)
    return " ".join(text.upper().split())


def _uetrs(text: str) -> Iterator[Token]:
    for match in _UETR.finditer(text):
        yield Token("uetr", "-".join(match.groups()).lower())


def _creditor_references(words: str) -> Iterator[str]:
    """Yield the RF references that words which begin with RF may be: how many of them belong to it is not written."""
    compact = ""
    for word in words.split():
        compact += word
        if len(compact) > _RF_CHARACTERS_MAX:
            return
        if len(compact) >= _RF_CHARACTERS_MIN and _may_hold(compact) and is_creditor_reference(compact):
            yield compact


def _may_hold(compact: str) -> bool:
    """Tell at once of most words that they are no RF reference (mod 97 of ISO 7064); the rest is looked at closely."""
    return compact[2:4].isdigit() and int((compact[4:] + compact[:4]).translate(_RF_DIGITS)) % 97 == 1


def _runs(text: str, prefixes: tuple[str, ...]) -> Iterator[str]:
    """Yield the words that may be references in normal form: each whole, without a bank's prefix, and its parts."""
    for match in _RUN.finditer(text):
        word = match.group()
        if len(word) < RUN_CHARACTERS_MIN or not _DIGIT.search(word):
            continue
        found = variants(word, prefixes) if not word.isalnum() else (normal(word),)
        parts = _PART.findall(word) if not word.isalnum() else ()
        for one in (*found, *(normal(part) for part in parts if len(part) >= RUN_CHARACTERS_MIN)):
            if len(one) <= RUN_CHARACTERS_MAX and _DIGIT.search(one):
                yield one
