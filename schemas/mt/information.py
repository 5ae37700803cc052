"""The information to the account owner (:86:), in the three ways that banks write it.

- structured, of German banks: ``166?00BOOKING TEXT?20EREF+...?21SVWZ+...?31ACCOUNT?32NAME``, with a business code of
  three digits in front and any sign in place of the question mark;
- slashed, of Dutch and Swiss banks and of SWIFT's own rules: ``/EREF/.../BENM//NAME/.../REMI/...``;
- free text, which is what the payer or the bank wrote, and nothing else is taken out of it.

A reference that is there twice and not the same is none: nobody can say which is meant, and a payer may have written
one of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate

from schemas.codes import RETURN_REASONS
from schemas.model.identifiers import is_uetr
from schemas.mt.fields import reference

FULL_LINE = 65
"""A field's line in the standard. One that is full was cut anywhere, a shorter one where a word ended."""
SLASHED_LINE = 60
"""In slashed information a line counts as full from here on: machines cut it anywhere, and a reference that is cut must
stay whole, even where two words of a text grow together for it."""
OWN_REASON_MAX = 35
"""A bank's own reason (Max35Text), where it is no ISO code."""

_STRUCTURED = re.compile(r"([0-9]{3})([?>@^~|*#$!&;])(?=[0-36][0-9])", re.ASCII)
_RETURN_CODES = frozenset({"108", "109", "159"})
"""Business codes of returned direct debits (company, core) and returned credit transfers."""
_RETURN_WORDS = re.compile(r"RETOUR|R(?:UE|Ü)CK(?:UE|Ü)B|R(?:UE|Ü)CKGABE")
_ISO_REASON = re.compile(r"(?<![0-9A-Za-z])[A-Z]{2}[0-9]{2}(?![0-9A-Za-z])", re.ASCII)
_LEADING_REASON = re.compile(r"[A-Z]{4}|[A-Z]{2}[0-9]{2}", re.ASCII)
_PLUS = re.compile(
    r"(EREF|KREF|MREF|CRED|DEBT|COAM|OAMT|SVWZ|ABWA|ABWE|IBAN|BIC|PURP|MDAT|SQTP|ORCR|ORMR|DDAT|RTRN)\+", re.ASCII
)
_BEHIND_TEXT = frozenset({"ABWA", "ABWE", "IBAN", "BIC"})
_SLASHED = re.compile(
    r"/(EREF|KREF|IREF|PREF|CREF|MREF|MARF|UETR|TRTP|TRCD|TRAN|IBAN|BIC|NAME|ADDR|ACCW|REMI|CSID|CNTP|ORDP|BENM|"
    r"ULTB|ULTD|ULTC|ID|RTRN|PURP|SVCL|EXCH|CHGS|OCMT|ISDT|CDTRREFTP|CDTRREF)(?=/)",
    re.ASCII,
)
_TEXTS = frozenset({"SVWZ", "REMI"})
_PARTIES = frozenset({"ORDP", "BENM", "ULTB", "ULTD", "ULTC"})


@dataclass(frozen=True, slots=True)
class Information:
    """What a :86: says.

    Attributes:
        business_code: the three digits in front (Geschäftsvorfallcode).
        booking_text: what the bank calls the entry.
    """

    end_to_end_id: str | None = None
    instruction_id: str | None = None
    uetr: str | None = None
    return_reason: str | None = None
    remittance: str | None = None
    creditor_reference: str | None = None
    counterparty_name: str | None = None
    counterparty_account: str | None = None
    business_code: str | None = None
    booking_text: str | None = None


def read_information(lines: tuple[str, ...], sign: int) -> Information:
    """Return what the lines of a :86: say, in whichever of the three ways.

    Args:
        lines: the field's lines, trailing blanks kept.
        sign: 1 for a credit to the account, -1 for a debit: it decides which party is the other side.
    """
    if _STRUCTURED.match("".join(lines).lstrip()):
        return structured(lines)
    if _SLASHED.match(lines[0].lstrip()):
        return slashed(unwrapped(lines, SLASHED_LINE), sign)
    return Information(remittance=unwrapped(lines) or None)


def unwrapped(lines: Iterable[str], full: int = FULL_LINE) -> str:
    """Return the lines as one text: glued where a line was full, else with a blank between; blanks made single."""
    return _single("".join([line if len(line.rstrip()) >= full else f"{line} " for line in lines]))


# ------------------------------------------------------------------------------------------------------- structured


def structured(lines: tuple[str, ...]) -> Information:
    """Return what ``166?00...?20...`` says. Its lines and subfields are cut anywhere, so they are glued."""
    text = "".join(lines).lstrip()
    match = _STRUCTURED.match(text)
    if match is None:
        return Information(remittance=_single(text) or None)
    parts = re.split(f"{re.escape(match[2])}([0-36][0-9])", text[match.end() - 1 :])
    values: dict[str, list[str]] = {}
    purpose: list[str] = []
    for code, value in zip(parts[1::2], parts[2::2], strict=True):
        if code[0] in "26":
            purpose.append(value)
        else:
            values.setdefault(code, []).append(value)
    subfields = {code: "".join(said) for code, said in values.items()}
    booking_text = _single(subfields.get("00", ""))
    words = plus_words(purpose)
    iso = None
    if match[1] in _RETURN_CODES or _RETURN_WORDS.search(booking_text.upper()):
        iso = _iso_reason(" ".join([booking_text, subfields.get("34", ""), "".join(purpose)]))
    return Information(
        end_to_end_id=words.get("EREF"),
        instruction_id=words.get("KREF"),
        return_reason=_reason(words["RTRN"]) if words.get("RTRN") else iso,
        remittance=words.get("SVWZ") or words.get(""),
        counterparty_name=_single(subfields.get("32", "") + subfields.get("33", "")) or None,
        counterparty_account=_account(subfields.get("38") or subfields.get("31") or words.get("IBAN") or ""),
        business_code=match[1],
        booking_text=booking_text or None,
    )


def plus_words(subfields: Iterable[str]) -> dict[str, str | None]:
    """Return the values of ``EREF+``, ``SVWZ+`` and their like, by their words; what stands before them has no word.

    A word begins a subfield, or stands behind a blank. Inside of the payer's own text (SVWZ) only a few words do, so
    that a payer cannot write a reference there; a word may be cut by the end of a subfield.
    """
    parts = list(subfields)
    text, starts = "".join(parts), set(accumulate(map(len, parts), initial=0))
    found: list[tuple[str, str]] = []
    word, begin = "", 0
    for match in _PLUS.finditer(text):
        at_start = match.start() in starts
        inside_text = word == "SVWZ" and match[1] not in _BEHIND_TEXT
        if not at_start and (inside_text or text[match.start() - 1] != " "):
            continue
        found.append((word, text[begin : match.start()]))
        word, begin = match[1], match.end()
    found.append((word, text[begin:]))
    return _agreed(found)


# ---------------------------------------------------------------------------------------------------------- slashed


def slashed(text: str, sign: int) -> Information:
    """Return what ``/EREF/.../REMI/...`` says."""
    matches = list(_SLASHED.finditer(text))
    ends = [match.start() for match in matches[1:]] + [len(text)]
    found: list[tuple[str, str]] = []
    party = ""
    for match, end in zip(matches, ends, strict=True):
        word, value = match[1], text[match.end() : end].strip(" /")
        if word in _PARTIES:
            party = word
        elif word not in {"NAME", "ADDR", "ID", "IBAN", "BIC"}:
            party = ""
        found.append((f"{party}/{word}" if party and word not in _PARTIES else word, value))
    words = _agreed(found)
    uetr = (words.get("UETR") or "").lower()
    name, account = _counterparty(words, sign)
    return Information(
        end_to_end_id=words.get("EREF"),
        instruction_id=words.get("KREF") or words.get("IREF"),
        uetr=uetr if is_uetr(uetr) else None,
        return_reason=_reason(words["RTRN"]) if words.get("RTRN") else None,
        remittance=_remittance(words),
        creditor_reference=words.get("CDTRREF"),
        counterparty_name=name,
        counterparty_account=account,
        booking_text=words.get("TRTP"),
    )


def _counterparty(words: Mapping[str, str | None], sign: int) -> tuple[str | None, str | None]:
    """Return name and account of the other side: of a credit the ordering party, of a debit the beneficiary."""
    if words.get("CNTP"):  # account, BIC, name and town, a slash between
        account, _, name, *_ = [*str(words["CNTP"]).split("/"), "", "", ""]
        return name.strip() or None, _account(account)
    for party in ("ORDP", "BENM") if sign > 0 else ("BENM", "ORDP"):
        name_there = words.get(f"{party}/NAME") or words.get(party)
        if name_there:
            return name_there, _account(words.get(f"{party}/IBAN") or words.get("IBAN") or "")
    return words.get("NAME"), _account(words.get("IBAN") or "")


def _remittance(words: Mapping[str, str | None]) -> str | None:
    """Return the creditor's reference and the free text, as one line."""
    text = words.get("REMI") or ""
    for prefix in ("USTD//", "STRD/CUR/", "STRD/ISO/"):
        text = text.removeprefix(prefix)
    return " ".join(part for part in (words.get("CDTRREF"), text.strip(" /")) if part) or None


# ------------------------------------------------------------------------------------------------- what they share


def _agreed(found: Iterable[tuple[str, str]]) -> dict[str, str | None]:
    """Return the values by their words: texts joined, and of what else is there twice only what is the same."""
    values: dict[str, list[str]] = {}
    for word, text in found:
        value = reference(_single(text))
        if value is not None:
            values.setdefault(word, []).append(value)
    return {
        word: " ".join(said) if word in _TEXTS else said[0] if len(set(said)) == 1 else None
        for word, said in values.items()
    }


def _reason(text: str | None) -> str:
    """Return the reason of a return: the code that it begins with, else the bank's own words."""
    match = _LEADING_REASON.match(text or "")
    return match[0] if match and match[0] in RETURN_REASONS else str(text)[:OWN_REASON_MAX].strip()


def _iso_reason(text: str) -> str | None:
    """Return the one reason code of returns in a text, or None where there is none or more than one."""
    codes = {code for code in _ISO_REASON.findall(text) if code in RETURN_REASONS}
    return codes.pop() if len(codes) == 1 else None


def _account(text: str) -> str | None:
    return text.replace(" ", "") or None


def _single(text: str) -> str:
    return " ".join(text.split())
