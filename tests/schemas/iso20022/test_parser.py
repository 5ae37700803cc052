"""The hardened parser lets every honest document through; what it refuses is in tests/attacks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from lxml import etree

from schemas.errors import DocumentRefused
from schemas.iso20022.parser import DEFAULT_LIMITS, Limits, parse, scan

SHARED = Path(os.environ.get("GATEWAY_SHARED", Path(__file__).resolve().parents[3] / ".." / "shared"))
WITH_COMMENTS = {
    "abn_amro.xml",
    "cross_river_pain_002_batch_rejected.xml",
    "cross_river_pain_002_transaction_rejected.xml",
}
"""Published samples whose authors added comments; a bank's own file has none."""


@pytest.mark.parametrize(
    "document",
    [
        b"<a/>",
        b"\n<a/>\n",
        b"\xef\xbb\xbf<a/>",
        b'<?xml version="1.0"?><a/>',
        b"<?xml version='1.0' encoding='utf-8'?>\r\n<a/>",
        b'\xef\xbb\xbf<?xml version="1.0" encoding="UTF-8" standalone="no"?><a/>',
        b'<?xml version = "1.0" standalone="yes" ?><a/>',
    ],
)
def test_every_usual_beginning_of_a_utf8_document_is_read(document: bytes) -> None:
    """Banks write the declaration in many ways, or not at all, with or without a byte order mark."""
    assert parse(document).tag == "a"


def test_khmer_text_and_escaped_markup_are_read_as_they_are() -> None:
    """Names are in Khmer, and a remittance line may speak of markup: neither is an attack."""
    document = "<a><b>ក្រសួងសេដ្ឋកិច្ច</b><c>&lt;!DOCTYPE &amp; &lt;?x?&gt; &#x1F600;</c></a>".encode()
    assert [child.text for child in parse(document)] == ["ក្រសួងសេដ្ឋកិច្ច", "<!DOCTYPE & <?x?> \U0001f600"]


def test_a_remittance_text_cannot_make_a_document_refused() -> None:
    """Whoever pays in one riel chooses the remittance text; it must not be able to block a whole statement."""
    text = (
        "xmlns:a='x' xmlns=\"http://www.w3.org/2001/XInclude\" " * 100
        + "a=b=c=d=e=f=g=h=i=j=k xsi:schemaLocation='x y'"
    )
    assert parse(f"<a><b>{text}</b><b>{text}</b></a>".encode())[1].text == text


def test_a_quoted_text_that_looks_like_a_declaration_is_not_one() -> None:
    """A declaration is an attribute of a tag, not a part of another attribute's value."""
    assert scan(b"<a b=\" xmlns='relative' \" c='>' xmlns='urn:x'/>") == {b"urn:x"}


def test_the_namespaces_declared_are_returned() -> None:
    """The signature's check and the caller can rely on knowing each namespace of the document."""
    assert scan(b"<a xmlns='urn:a'><p:b xmlns:p = \"urn:b\"/></a>") == {b"urn:a", b"urn:b"}


def test_limits_are_inclusive() -> None:
    """A document exactly at a limit is read, one step further it is refused."""
    limits = Limits(size=60, run=40, attributes=2, namespaces=1, declarations=2)
    parse(b'<a xmlns="urn:a" b="1" c="2"><b xmlns="urn:b"/></a>', limits)
    for document in (
        b"<a>" + b" " * 60 + b"</a>",
        b"<a>" + b" " * 40 + b"</a>",
        b'<a b="1" c="2" d="3"/>',
        b'<a xmlns="urn:a" xmlns:b="urn:b"/>',
        b'<a><b xmlns="u:a"/><b xmlns="u:a"/><b xmlns="u:a"/></a>',
    ):
        with pytest.raises(DocumentRefused):
            parse(document, limits)


def test_more_signs_than_attributes_are_counted_in_the_tree() -> None:
    """The quick look at the bytes may suspect a text full of equals signs, but only attributes decide."""
    assert parse(b'<a b="=========" c="1">=========</a>').get("c") == "1"


def test_a_hint_is_read_only_where_nobody_validates() -> None:
    """Real statements often carry xsi:schemaLocation; a validator would follow it, a plain reader does not."""
    document = (
        b'<a xmlns="urn:a" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="urn:a a.xsd"/>'
    )
    assert etree.QName(parse(document, Limits(hints=True))).localname == "a"
    with pytest.raises(DocumentRefused, match="xsi"):
        parse(document)


def test_an_unused_xsi_declaration_is_no_hint() -> None:
    """Many writers declare the prefix and never use it."""
    assert parse(b'<a xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"/>').tag == "a"


@pytest.mark.parametrize(
    ("document", "path"),
    [
        (b"<a>\n<b>\n</a>", "line 3"),
        (b"<a>\0</a>", "byte 3"),
        (b"<a>\xff</a>", "byte 3"),
        (b"<a><!-- --></a>", "byte 3"),
    ],
)
def test_a_refusal_says_where(document: bytes, path: str) -> None:
    """An operator who gets the file back looks at that place first."""
    with pytest.raises(DocumentRefused) as refused:
        parse(document)
    assert (refused.value.code, refused.value.path) == ("FF01", path)


@pytest.mark.parametrize("document", [b"", b" ", b"not xml", b"{}", b"<", b"<a", b"</a>", b"<a></b>", b"<a>&amp</a>"])
def test_what_is_not_xml_is_refused_with_its_code(document: bytes) -> None:
    """Whatever arrives, the caller sees one kind of error."""
    with pytest.raises(DocumentRefused) as refused:
        parse(document)
    assert refused.value.code == "FF01"


def test_a_large_message_is_read() -> None:
    """10,000 transactions have about 5 MB, and libxml2's own limits must not be in the way up to the size limit."""
    transaction = b'<Tx><Id>E2E-1</Id><Amt Ccy="KHR">1250</Amt></Tx>'
    count = DEFAULT_LIMITS.size // len(transaction) - 1
    assert len(parse(b"<a>" + transaction * count + b"</a>")) == count


@pytest.mark.parametrize("limits", [Limits(hints=True)])
def test_real_bank_files_are_read(limits: Limits) -> None:
    """No limit may be so tight that a file which banks really send is refused."""
    files = sorted((SHARED / "samples").rglob("*.xml")) if SHARED.is_dir() else []
    if not files:
        pytest.skip(f"no sample files in {SHARED}")
    for file in files:
        if file.name in WITH_COMMENTS:
            with pytest.raises(DocumentRefused):
                parse(file.read_bytes(), limits)
        else:
            assert len(parse(file.read_bytes(), limits)) > 0
