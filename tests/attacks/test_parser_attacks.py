"""Attacks on the parser: each is one generator, refused with FF01 before anything is expanded, fetched or multiplied.

Run under a time limit, since the harm of most of them is time or memory.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.errors import DocumentRefused
from schemas.iso20022.parser import DEFAULT_LIMITS, parse

Attack = Callable[[], bytes]
ATTACKS: dict[str, Attack] = {}
NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08"


def attack(generator: Attack) -> Attack:
    """Add a generator to the table under its own name."""
    ATTACKS[generator.__name__] = generator
    return generator


def message(inside: str = "", *, before: str = "", root: str = "") -> bytes:
    """Return a small document with something inside, before the root element, or among the root's attributes."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{before}'
        f'<Document xmlns="{NAMESPACE}"{root}><Nm>{inside}</Nm></Document>'
    ).encode()


@attack
def xxe_to_a_file() -> bytes:
    """An external entity that reads a local file into a name."""
    return message("&x;", before='<!DOCTYPE Document [<!ENTITY x SYSTEM "file:///etc/passwd">]>')


@attack
def xxe_to_http() -> bytes:
    """An external entity that makes the gateway call a server."""
    return message("&x;", before='<!DOCTYPE Document [<!ENTITY x SYSTEM "http://127.0.0.1:1/x">]>')


@attack
def parameter_entity() -> bytes:
    """An external parameter entity, fetched while the DTD itself is read."""
    return message(before='<!DOCTYPE Document [<!ENTITY % x SYSTEM "http://127.0.0.1:1/x.dtd"> %x;]>')


@attack
def billion_laughs() -> bytes:
    """Entities that multiply by ten, nine times over."""
    entities = "".join(f'<!ENTITY l{i + 1} "{f"&l{i};" * 10}">' for i in range(9))
    return message("&l9;", before=f'<!DOCTYPE Document [<!ENTITY l0 "lol">{entities}]>')


@attack
def quadratic_blow_up() -> bytes:
    """One long entity, used many times: below every limit on nesting."""
    return message("&x;" * 5_000, before=f'<!DOCTYPE Document [<!ENTITY x "{"x" * 20_000}">]>')


@attack
def entity_in_an_attribute() -> bytes:
    """Entities in attribute values are expanded even by parsers that leave those in text alone."""
    return message(before='<!DOCTYPE Document [<!ENTITY x "USD">]>', root=' Ccy="&x;"')


@attack
def external_dtd() -> bytes:
    """A DTD to be fetched."""
    return message(before='<!DOCTYPE Document SYSTEM "http://127.0.0.1:1/x.dtd">')


@attack
def dtd_default_attribute() -> bytes:
    """An attribute that is not in the document, but that a DTD adds: a currency for example."""
    return message(before='<!DOCTYPE Document [<!ATTLIST Nm Ccy CDATA "USD">]>')


@attack
def depth_300() -> bytes:
    """Nesting beyond any message."""
    return message("<a>" * 300 + "</a>" * 300)


@attack
def depth_100000() -> bytes:
    """Nesting that overflows the stack of whatever walks the tree."""
    return message("<a>" * 100_000 + "</a>" * 100_000)


@attack
def text_of_10_mb() -> bytes:
    """One text node."""
    return message("x" * 10_000_000)


@attack
def attribute_of_10_mb() -> bytes:
    """One attribute value."""
    return message(root=f' a="{"x" * 10_000_000}"')


@attack
def name_of_60_kb() -> bytes:
    """One element name, which parsers keep for ever."""
    return message(f"<{'a' * 60_000}/>")


@attack
def attributes_100000() -> bytes:
    """Canonicalising this one element takes 18 seconds, and no signal interrupts it."""
    return message(root="".join(f' a{i}="x"' for i in range(100_000)))


@attack
def attributes_nine() -> bytes:
    """One more than any element of ours could want."""
    return message(root="".join(f' a{i}="x"' for i in range(9)))


@attack
def attributes_3000_on_100_elements() -> bytes:
    """Short enough for every tag, and still slow to sort again and again."""
    attributes = "".join(f" a{i}=''" for i in range(3_000))
    return message(f"<a{attributes}/>" * 100)


@attack
def namespaces_10000() -> bytes:
    """Declarations that every element below has in scope."""
    return message(root="".join(f' xmlns:a{i}="urn:{i}"' for i in range(10_000)))


@attack
def nested_namespaces_over_50000_children() -> bytes:
    """Little nesting, few declarations an element, and a lookup through all of them for each child."""
    opening = "".join(f'<p:a xmlns:p="urn:{i}" xmlns:q{i}="urn:q{i}">' for i in range(200))
    return message(opening + "<b/>" * 50_000 + "</p:a>" * 200)


@attack
def xinclude_of_a_file() -> bytes:
    """An inclusion that a later tool would follow."""
    return message('<x:include xmlns:x="http://www.w3.org/2001/XInclude" href="/etc/passwd" parse="text"/>')


@attack
def stylesheet_inside() -> bytes:
    """A transformation that a later tool would run."""
    return message('<x:value-of xmlns:x="http://www.w3.org/1999/XSL/Transform" select="document(\'/etc/passwd\')"/>')


@attack
def utf7() -> bytes:
    """A DOCTYPE that no search of the bytes finds."""
    hidden = "+ADwAIQ-DOCTYPE Document +AFsAPAAh-ENTITY x SYSTEM +ACI-file:///etc/passwd+ACIAPgBdAD4-"
    return f'<?xml version="1.0" encoding="UTF-7"?>{hidden}<Document>+ACY-x;</Document>'.encode("ascii")


@attack
def utf7_without_declaration() -> bytes:
    """The same for a reader that guesses encodings."""
    return b"+ADw-Document+AD4APA-/Document+AD4-"


@attack
def utf16_with_a_mark() -> bytes:
    """UTF-16 with its byte order mark."""
    return '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE a><a/>'.encode("utf-16")


@attack
def utf16_without_a_mark() -> bytes:
    """UTF-16 that is only known by its NUL bytes."""
    return '<?xml version="1.0" encoding="UTF-16LE"?><a/>'.encode("utf-16-le")


@attack
def utf16_big_endian() -> bytes:
    """UTF-16, the other way round."""
    return '<?xml version="1.0"?><a/>'.encode("utf-16-be")


@attack
def utf32() -> bytes:
    """UTF-32 with its byte order mark."""
    return '<?xml version="1.0" encoding="UTF-32"?><a/>'.encode("utf-32")


@attack
def ebcdic() -> bytes:
    """What a mainframe sends, and what hides markup from an ASCII filter."""
    return '<?xml version="1.0" encoding="IBM037"?><!DOCTYPE a><a/>'.encode("cp037")


@attack
def latin1_declared() -> bytes:
    """Another encoding by declaration: the same bytes would be two different names for two readers."""
    return '<?xml version="1.0" encoding="ISO-8859-1"?><a>Ã©</a>'.encode()


@attack
def mark_against_declaration() -> bytes:
    """A UTF-8 mark, and a declaration of UTF-16."""
    return b'\xef\xbb\xbf<?xml version="1.0" encoding="UTF-16"?><a/>'


@attack
def xml_1_1() -> bytes:
    """XML 1.1 allows control characters and other line ends."""
    return b'<?xml version="1.1" encoding="UTF-8"?><a>&#x85;</a>'


@attack
def invalid_utf8() -> bytes:
    """Bytes that are no character."""
    return message().replace(b"<Nm>", b"<Nm>\xc3\x28")


@attack
def overlong_utf8() -> bytes:
    """A ``<`` in two bytes, invisible to a search for it."""
    return message().replace(b"<Nm>", b"<Nm>\xc0\xbcscript>")


@attack
def nul() -> bytes:
    """A NUL, where C code believes that the text ends."""
    return message("a\0b")


@attack
def control_character() -> bytes:
    """A character that XML does not have, as a reference."""
    return message("&#x1;")


@attack
def lone_surrogate() -> bytes:
    """Half a character, in bytes."""
    return message().replace(b"<Nm>", b"<Nm>\xed\xa0\x80")


@attack
def lone_surrogate_reference() -> bytes:
    """Half a character, as a reference."""
    return message("&#xD800;")


@attack
def second_root() -> bytes:
    """Two documents in one: which one was checked, which one is read?"""
    return message() + b"<Document/>"


@attack
def text_after_the_root() -> bytes:
    """Anything after the end."""
    return message() + b"x"


@attack
def schema_location() -> bytes:
    """A schema to be fetched by whoever validates."""
    hint = 'xsi:schemaLocation="urn:x http://127.0.0.1:1/x.xsd"'
    return message(root=f' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" {hint}')


@attack
def schema_location_below() -> bytes:
    """The same on an inner element, with another prefix."""
    hint = 's:noNamespaceSchemaLocation="http://127.0.0.1:1/x.xsd"'
    return message(f'<a xmlns:s="http://www.w3.org/2001/XMLSchema-instance" {hint}/>')


@attack
def cdata_splitting() -> bytes:
    """A value in pieces: filters see the pieces, readers the whole."""
    return message("<![CDATA[DE89]]>37<![CDATA[0400]]>")


@attack
def comment_in_a_value() -> bytes:
    """Some readers see DE89, others DE8937."""
    return message("DE89<!--x-->37")


@attack
def stylesheet_instruction() -> bytes:
    """A processing instruction that a browser follows."""
    return message(before='<?xml-stylesheet type="text/xsl" href="http://127.0.0.1:1/x.xsl"?>')


@attack
def instruction_after_the_root() -> bytes:
    """A processing instruction at the end."""
    return message() + b"<?php phpinfo() ?>"


@attack
def relative_namespace() -> bytes:
    """Canonicalisers disagree on, or fail at, namespaces that are not absolute."""
    return message('<p:a xmlns:p="relative"/>')


@attack
def namespace_by_reference() -> bytes:
    """A namespace spelled with character references."""
    return message('<p:a xmlns:p="http&#58;//www.w3.org/2001/XInclude"/>')


@attack
def document_over_the_size_limit() -> bytes:
    """More than any message; nothing of it is looked at."""
    return b"<a>" + b"<b/>" * (DEFAULT_LIMITS.size // 4) + b"</a>"


@pytest.mark.timeout(10)
@pytest.mark.parametrize("name", ATTACKS)
def test_a_parser_attack_is_refused(name: str) -> None:
    """Every attack of the table ends as one refusal with FF01, and quickly."""
    document = ATTACKS[name]()
    with pytest.raises(DocumentRefused) as refused:
        parse(document)
    assert refused.value.code == "FF01"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file that must not be read."""
    file = tmp_path / "secret"
    file.write_text("the-secret")
    return file


def test_a_refusal_never_shows_what_an_attack_reached_for(secret: Path) -> None:
    """An error message is an answer too: it must not carry the content of a file."""
    document = message("&x;", before=f'<!DOCTYPE Document [<!ENTITY x SYSTEM "{secret.as_uri()}">]>')
    with pytest.raises(DocumentRefused) as refused:
        parse(document)
    assert "the-secret" not in str(refused.value)
