"""What a statement file is, by its content alone, and the reader for it: camt, MT, XLSX or CSV.

The one place that tells them apart. A file's name never decides, and a file that could be two things is neither:
XLSX begins as a zip archive does, XML with ``<``, MT with its blocks or ``:20:``; what is left is CSV, if the profile
says how its bank writes one, or nothing that anybody here can read.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from typing import IO, BinaryIO, Final, Literal

from adapters.profile import Profile
from adapters.rails import Received
from schemas.errors import DocumentRefused
from schemas.iso20022 import camt
from schemas.model.statement import Entry, Statement
from schemas.mt import mt940
from schemas.tabular import delimited, spreadsheet
from schemas.tabular.layout import Layout, Row
from schemas.tabular.reading import read

Kind = Literal["XML", "MT", "XLSX", "CSV"]

HEAD_BYTES: Final = 4_096
"""What a file is, stands within this."""
_CHUNK_BYTES: Final = 1 << 20
_OVERLAP_BYTES: Final = 128
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_UNREADABLE: Final = {
    b"\xd0\xcf\x11\xe0": "an old Excel file (.xls), or an encrypted one: ask for .xlsx without a password, or CSV",
    b"%PDF": "a PDF: a picture of a statement cannot be proved; ask for camt.053, MT940, .xlsx or CSV",
    b"\x1f\x8b": "packed (gzip): unpack it first",
    b"PK\x05\x06": "an empty archive",
    b"Rar!": "packed (RAR): unpack it first",
    b"7z\xbc\xaf": "packed (7z): unpack it first",
    b"\xff\xfe": "UTF-16 text: ask for UTF-8",
    b"\xfe\xff": "UTF-16 text: ask for UTF-8",
}


_KINDS: Final[dict[Kind, str]] = {
    "MT": "an MT message", "XLSX": "an Excel file or another zip archive", "CSV": "no XML: a table or another text",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class StatementFile:
    """A statement file that was recognised.

    Attributes:
        definition: ``camt.053.001.08``, ``MT``, ``XLSX`` or ``CSV``.
        message_id: MsgId of a camt; the others have none.
        items: a Statement, then its entries, then the next; read while iterating.
    """

    definition: str
    message_id: str
    items: Iterator[Statement | Entry]


def kind_of(head: bytes) -> Kind:
    """Return what a file is by its first ``HEAD_BYTES``.

    Raises:
        DocumentRefused: empty, or something that nobody here reads.
    """
    for mark, said in _UNREADABLE.items():
        if head.startswith(mark):
            raise DocumentRefused(said, path="byte 0")
    if not head.strip():
        raise DocumentRefused("empty", path="byte 0")
    if head.startswith(b"PK\x03\x04"):
        return "XLSX"
    if mt940.is_mt(head):
        return "MT"
    if head.removeprefix(_BYTE_ORDER_MARK).lstrip().startswith(b"<"):
        return "XML"
    return "CSV"


def refuse_other_than_xml(profile: Profile, document: bytes) -> None:
    """Say of a document what it is, where only signed messages are taken and it cannot be one.

    Raises:
        DocumentRefused: it is no XML.
    """
    try:
        kind = kind_of(document[:HEAD_BYTES])
        what = _KINDS.get(kind)
    except DocumentRefused as refused:
        what = refused.args[0].partition(":")[0]
    if what is not None:
        raise DocumentRefused(f"{what}; {profile.name} takes signed messages only", path="byte 0")


def unsigned(profile: Profile, source: BinaryIO) -> Received | None:
    """Read a statement file that came without a signature, where the profile takes such; None for anything else.

    It is what most rails have as ``read_unsigned``.

    Raises:
        DocumentRefused: now or while its statements are iterated.
    """
    if profile.statements.signed:
        return None
    found = opened(profile, source)
    return None if found is None else Received(found.definition, found.message_id, statements=found.items)


def opened(profile: Profile, source: BinaryIO) -> StatementFile | None:
    """Return the reader for a statement file, or None for an XML document with something around it (an envelope).

    Args:
        profile: the relationship it came over: only a table needs to know whose it is.
        source: a seekable file; it stays open until the items have been read.

    Raises:
        DocumentRefused: nothing that can be read, or a table where the profile describes none.
    """
    source.seek(0)
    kind = kind_of(source.read(HEAD_BYTES))
    source.seek(0)
    if kind == "XML":
        found = camt.headline(source)
        source.seek(0)
        return None if found is None else _document(source, *found)
    if kind == "MT":
        return StatementFile("MT", "", _with_byte(source, mt940.read(source)))
    table = profile.statements.table
    if table is None:
        said = "neither camt nor MT, and the profile does not describe a table ([statements.table])"
        raise DocumentRefused(said, code="FF03", path="byte 0")
    return StatementFile(kind, "", _table(profile, kind, table.layout(), source))


def _document(source: BinaryIO, definition: str, message_id: str) -> StatementFile:
    """Return the reader for a bare Document.

    Raises:
        DocumentRefused: it is no statement, report or notification: whatever else a bank says is signed.
    """
    if not definition.startswith(("camt.052.", "camt.053.", "camt.054.")):
        raise DocumentRefused(f"an unsigned {definition[:35] or 'document'} is not taken", code="DS0A", path="Document")
    return StatementFile(definition, message_id, camt.read(source))


def _table(profile: Profile, kind: Kind, layout: Layout, source: BinaryIO) -> Iterator[Statement | Entry]:
    """Return the reader for a table."""
    rows: Callable[[], Iterator[Row]] = partial(delimited.rows if kind == "CSV" else spreadsheet.rows, source, layout)
    accounts = [(account.number, account.currency) for account in profile.home_accounts]
    items = read(rows, layout, accounts, ragged=kind == "CSV")
    return _with_byte(source, items) if kind == "CSV" else items


def _with_byte(source: BinaryIO, items: Iterator[Statement | Entry]) -> Iterator[Statement | Entry]:
    """Yield the items; where reading stops, name the byte at which the line begins, beside the line."""
    try:
        yield from items
    except DocumentRefused as refused:
        word, _, number = refused.path.partition(" ")
        if word == "line" and number.isdecimal():
            refused.path = f"{refused.path}, byte {_byte_of(source, int(number))}"
        raise


def _byte_of(source: BinaryIO, line: int) -> int:
    """Return the byte at which a line begins, from 0."""
    source.seek(0)
    at, left = 0, line - 1
    while left and (chunk := source.read(_CHUNK_BYTES)):
        count = chunk.count(b"\n")
        if count < left:
            left -= count
            at += len(chunk)
            continue
        start = 0
        for _ in range(left):
            start = chunk.index(b"\n", start) + 1
        return at + start
    return at


def named(source: BinaryIO, numbers: Collection[str]) -> set[str]:
    """Return which of these account numbers stand in a file, or in what is packed in an XLSX, and not within others.

    Nothing that is wrong with the file is an error here.
    """
    if not numbers:
        return set()
    choice = "|".join(re.escape(number) for number in sorted(numbers, key=len, reverse=True))
    pattern = re.compile(rf"(?<![0-9A-Za-z])(?:{choice})(?![0-9A-Za-z])".encode())
    found: set[bytes] = set()
    source.seek(0)
    packed = source.read(4) == b"PK\x03\x04"
    source.seek(0)
    try:
        if not packed:
            found.update(_matches(source, pattern))
            return {number.decode() for number in found}
        spreadsheet.screen(source)
        with zipfile.ZipFile(source) as archive:
            for name in archive.namelist():
                with archive.open(name) as unpacked:
                    found.update(_matches(unpacked, pattern))
    except (DocumentRefused, *spreadsheet.BROKEN):
        pass
    return {number.decode() for number in found}


def _matches(source: IO[bytes], pattern: re.Pattern[bytes]) -> Iterator[bytes]:
    """Yield what a pattern finds, reading piece by piece; pieces overlap, so that nothing is cut in two."""
    tail, begins = b"", True
    while True:
        chunk = source.read(_CHUNK_BYTES)
        piece = tail + chunk
        for match in pattern.finditer(piece):
            if (match.start() or begins) and (match.end() < len(piece) or not chunk):
                yield match.group()
        if not chunk:
            return
        tail, begins = piece[-_OVERLAP_BYTES:], begins and len(piece) <= _OVERLAP_BYTES
