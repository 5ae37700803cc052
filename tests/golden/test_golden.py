"""Golden files: what each message looks like, byte for byte, so that a change of it is seen by whoever reviews it.

After a change that is meant: ``GATEWAY_GOLDEN=write python -m pytest tests/golden``, and read the difference.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from lxml import etree

from schemas.errors import DocumentRefused
from schemas.iso20022 import xml
from tests.golden.examples import MESSAGES, definition_of, guidelines_of
from tests.official import definitions

FOLDER = Path(__file__).parent


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_is_written_as_its_golden_file(name: str) -> None:
    """A silent change of a message is a change of what the bank receives."""
    built = MESSAGES[name]()
    etree.indent(built)
    written = etree.tostring(built, encoding="UTF-8", xml_declaration=True, with_tail=False) + b"\n"
    path = FOLDER / f"{name}.xml"
    if os.environ.get("GATEWAY_GOLDEN") == "write":
        path.write_bytes(written)
    assert written == path.read_bytes()


@pytest.mark.parametrize("name", MESSAGES)
def test_a_golden_message_is_valid_against_the_official_definition(name: str) -> None:
    """Our guideline is stricter than the standard, never beside it."""
    definitions.official(definition_of(name)).assertValid(MESSAGES[name]())


@pytest.mark.parametrize("name", MESSAGES)
def test_a_golden_message_is_valid_against_our_guideline(name: str) -> None:
    """What is sent is validated before it is signed, so our own messages must pass."""
    xml.validate(MESSAGES[name](), definition_of(name), guidelines_of(name))


def _variants(root: etree._Element) -> list[etree._Element]:
    """Return the message with each element in turn taken out, doubled, emptied or filled with too much."""
    count = sum(1 for _ in root.iter())
    text = etree.tostring(root)
    changed = []
    for number in range(1, count):
        for change in ("remove", "repeat", "empty", "fill"):
            copy = etree.fromstring(text)
            element = list(copy.iter())[number]
            parent = element.getparent()
            assert parent is not None
            if change == "remove":
                parent.remove(element)
            elif change == "repeat":
                parent.insert(parent.index(element), etree.fromstring(etree.tostring(element, with_tail=False)))
            elif len(element) == 0:
                element.text = "" if change == "empty" else "9" * 600
            changed.append(copy)
    return changed


@pytest.mark.parametrize("definition", sorted(definitions.IN_WHEELS & MESSAGES.keys()))
def test_both_sources_of_a_definition_accept_and_refuse_the_same(definition: str) -> None:
    """A fresh clone checks against the wheels: they must judge as the catalogue does, also broken messages."""
    ours, theirs = definitions.shared(definition), definitions.in_wheel(definition)
    if ours is None or theirs is None:
        pytest.skip(f"only one source of {definition} is here: {ours or theirs or 'none'}")
    first, second = definitions.schema(ours), definitions.schema(theirs)
    variants = _variants(MESSAGES[definition]())
    verdicts = [(first.validate(variant), second.validate(variant)) for variant in variants]
    assert [number for number, (one, other) in enumerate(verdicts) if one != other] == []
    assert {one for one, _ in verdicts} == {True, False}


@pytest.mark.parametrize("name", MESSAGES)
def test_our_guideline_accepts_nothing_that_the_official_definition_refuses(name: str) -> None:
    """A guideline restricts. One that let something else through would send the bank what it must refuse."""
    official = definitions.official(definition_of(name))
    for variant in _variants(MESSAGES[name]()):
        try:
            xml.validate(variant, definition_of(name), guidelines_of(name))
        except DocumentRefused:
            continue
        official.assertValid(variant)
