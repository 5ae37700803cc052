"""Writing markup: values are escaped, what XML cannot carry is refused, and moments have offsets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from schemas.errors import DocumentRefused
from schemas.iso20022.xml import (
    NOTHING,
    amount,
    document,
    el,
    join,
    leaf,
    namespace_of,
    require_namespace,
    timestamp,
)
from schemas.model.money import Money

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08"


def test_a_value_never_becomes_markup() -> None:
    """A payee's name must not be able to add a second creditor to the message."""
    name = "</Nm></Cdtr><Cdtr><Nm>Mallory</Nm></Cdtr>&amp;]]>"
    root = document(NAMESPACE, el("Cdtr", leaf("Nm", name)))
    assert [child.tag for child in root.iter()] == [f"{{{NAMESPACE}}}{tag}" for tag in ("Document", "Cdtr", "Nm")]
    assert root[0][0].text == name


def test_a_path_writes_each_of_its_tags() -> None:
    """The path in the code is the path in the document."""
    root = document(NAMESPACE, leaf("CdtrAgt/FinInstnId/BICFI", "ACLBKHPP"))
    assert root.findtext("p:CdtrAgt/p:FinInstnId/p:BICFI", namespaces={"p": NAMESPACE}) == "ACLBKHPP"


def test_an_absent_value_writes_nothing_and_an_empty_element_neither() -> None:
    """Banks refuse empty tags, so an optional part is either there with content or not there at all."""
    assert leaf("Nm", None) == NOTHING
    assert amount("Amt", None) == NOTHING
    assert el("Dbtr", leaf("Nm", None), el("PstlAdr")) == NOTHING
    assert join([]) == NOTHING


@pytest.mark.parametrize("value", ["a\x00b", "a\x07b", "\ud800", "\ufffe"])
def test_a_character_that_xml_cannot_carry_is_refused(value: str) -> None:
    """It would make the whole batch unreadable for the bank."""
    with pytest.raises(DocumentRefused) as refused:
        document(NAMESPACE, leaf("Nm", value))
    assert refused.value.code == "RR10"


def test_a_carriage_return_survives_parsing() -> None:
    """XML turns a literal one into a newline, and the signature would then be over another text than was approved."""
    assert document(NAMESPACE, leaf("Nm", "a\rb"))[0].text == "a\rb"


def test_an_amount_carries_its_currency_and_all_its_decimals() -> None:
    """A yen has no decimals, a dinar has three."""
    assert amount("Amt", Money(5, "KHR")) == '<Amt Ccy="KHR">0.05</Amt>'
    assert amount("Amt", Money(5, "JPY")) == '<Amt Ccy="JPY">5</Amt>'
    assert amount("Amt", Money(5, "BHD")) == '<Amt Ccy="BHD">0.005</Amt>'


def test_a_moment_is_written_with_its_offset() -> None:
    """Rule 5: without an offset the bank cannot know which moment is meant."""
    phnom_penh = timezone(timedelta(hours=7))
    assert timestamp(datetime(2026, 11, 23, 8, tzinfo=phnom_penh)) == "2026-11-23T08:00:00+07:00"
    assert timestamp(datetime(2026, 11, 23, 8, 0, 0, 5999, tzinfo=UTC)) == "2026-11-23T08:00:00.005+00:00"
    with pytest.raises(ValueError, match="no offset"):
        timestamp(datetime(2026, 11, 23, 8))  # noqa: DTZ001 - this is the point


def test_a_document_of_another_definition_is_refused() -> None:
    """A version that was not agreed may mean something else by the same tags."""
    root = document(NAMESPACE, leaf("FIToFICstmrCdtTrf/GrpHdr/MsgId", "M1"))
    assert namespace_of(require_namespace(root, NAMESPACE)) == NAMESPACE
    with pytest.raises(DocumentRefused, match="expected a Document of"):
        require_namespace(root, NAMESPACE.replace("08", "09"))
    with pytest.raises(DocumentRefused, match="holds 0"):
        require_namespace(document(NAMESPACE, NOTHING), NAMESPACE)
