"""Attacks on the time that reading takes: small input that a careless pattern would need hours or for ever to refuse.

Nothing can interrupt a regular expression or a schema, and nothing else of the process runs meanwhile. Each attack is
therefore read by a process of its own, which is killed after a minute; without its mend it would take half an hour, and
most of them for ever.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.transports import soap_envelope
from schemas.errors import DocumentRefused
from schemas.iso20022 import guideline
from schemas.iso20022.parser import DEFAULT_LIMITS, parse
from schemas.tabular import spreadsheet
from security.xmldsig import verify
from tests.attacks.forge import AT, build_scene, compose

ROOT = Path(__file__).resolve().parents[2]
KILLED_AFTER_S = 60
NAME_BYTES = DEFAULT_LIMITS.run - 100
ATTACKS: dict[str, Callable[[], object]] = {}


def attack(reading: Callable[[], object]) -> Callable[[], object]:
    """Add the reading of an attack to the table under its own name."""
    ATTACKS[reading.__name__] = reading
    return reading


@attack
def names_without_an_end() -> object:
    """A thousand names as long as a run may be, each of them shared between name and attributes in every way."""
    return parse(b"<e>" + (b"<" + b"a" * NAME_BYTES + b" xmlns <b/>") * 900 + b"</e>")


@attack
def cdata_without_an_end() -> object:
    """Two million sections begin, and none ends: looking for each one's end reads all that follows."""
    return soap_envelope.read(b"<![CDATA[" * 2_000_000, 64 << 20)


@attack
def blanks_before_no_element() -> None:
    """Blanks that are one gap, or two, or four hundred."""
    spreadsheet._check_prologue("xl/workbook.xml", b" " * 400 + b"x")


@attack
def instructions_before_no_element() -> None:
    """The same with comments and processing instructions between the blanks."""
    spreadsheet._check_prologue("xl/workbook.xml", b" <!-- --> <?x ?> " * 200 + b"x")


@attack
def mistakes_that_nobody_signed() -> object:
    """700,000 wrong transactions in a message of the bank: the schema's complaints cost the square of their number."""
    scene = build_scene()
    wrong = b"<CdtTrfTxInf><PmtId/></CdtTrfTxInf>" * 700_000
    forged = compose(scene.bank).replace(b"</FIToFICstmrCdtTrf>", wrong + b"</FIToFICstmrCdtTrf>")
    return verify(forged, scene.trust, AT, validate=lambda root: guideline.validate(root[1], "pacs.008.001.08"))


@pytest.mark.parametrize("name", ATTACKS)
def test_what_has_no_end_is_refused(name: str) -> None:
    """It is refused like any other document, by a process that nobody had to kill."""
    code = f"from tests.attacks import {Path(__file__).stem} as own; own.read({name!r})"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, timeout=KILLED_AFTER_S, check=True)


def read(name: str) -> None:
    """Read an attack, in the process that may be killed; only a refusal lets it end well."""
    with pytest.raises(DocumentRefused):
        ATTACKS[name]()
