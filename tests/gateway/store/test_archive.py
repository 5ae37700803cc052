"""The archive: every document byte for byte, in bounded parts, and a changed byte is noticed."""

from __future__ import annotations

import io
import random
from tempfile import TemporaryFile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.store import archive
from gateway.store.archive import PART_BYTES
from schemas.errors import GatewayError
from tests.gateway.flow.stand import Stand
from tests.gateway.store.attacker import change

AT_MS = 1_795_000_000_000


def put(stand: Stand, *documents: bytes) -> list[str]:
    """Keep documents; return the names of those that are new."""
    parts = [(archive.sha256(d), len(d), archive.compress(d)) for d in documents]
    with stand.gateway.store.transaction() as db:
        return archive.put(db, parts, "in", AT_MS)


def get(stand: Stand, name: str) -> bytes:
    """Return a document."""
    with stand.gateway.store.transaction() as db:
        return archive.get(db, name)


@pytest.mark.parametrize("size", [0, 1, 4_096, 4_097, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES + 7])
def test_a_document_of_any_size_comes_back_as_it_was(stand: Stand, size: int) -> None:
    """Empty, at a part's edge, and of several parts."""
    document = random.Random(size).randbytes(size)
    [name] = put(stand, document)
    assert get(stand, name) == document
    parts = stand.sql("SELECT part FROM archive_part ORDER BY part")
    assert [row[0] for row in parts] == list(range(max(1, -(-size // PART_BYTES))))
    assert stand.sql("SELECT size, direction FROM archive") == [(size, "in")]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.binary(max_size=200), min_size=1, max_size=5))
def test_any_bytes_come_back(stand: Stand, documents: list[bytes]) -> None:
    """Bytes are not text: nothing is decoded, trimmed or normalised on the way."""
    put(stand, *documents)
    assert [get(stand, archive.sha256(d)) for d in documents] == documents


def test_the_same_document_is_kept_once(stand: Stand) -> None:
    """In one call and in a later one."""
    name = archive.sha256(b"a")
    assert put(stand, b"a", b"a", b"b") == [name, archive.sha256(b"b")]
    assert put(stand, b"a") == []
    assert stand.sql("SELECT COUNT(*) FROM archive_part") == [(2,)]


def test_a_document_that_is_not_there_is_an_error(stand: Stand) -> None:
    """Not an empty one."""
    with pytest.raises(GatewayError, match="has no document"):
        get(stand, "0" * 64)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE archive_part SET data = (SELECT data FROM archive_part p ORDER BY length(data) LIMIT 1)",
        "UPDATE archive_part SET part = 9 - part",
        "DELETE FROM archive_part WHERE part = 1",
    ],
    ids=["other-bytes", "other-order", "part-missing"],
)
def test_a_changed_document_is_noticed_when_it_is_read(stand: Stand, statement: str) -> None:
    """Its name is the hash of its bytes: years later it is the same, or it says that it is not."""
    document = random.Random(1).randbytes(PART_BYTES + 10)
    put(stand, document, b"another")
    change(stand, statement)
    with pytest.raises(GatewayError, match="was changed"):
        get(stand, archive.sha256(document))


def test_one_flipped_bit_is_noticed(stand: Stand) -> None:
    """In the compressed bytes, where zlib may not even notice it as such."""
    [name] = put(stand, b"0123456789" * 1_000)
    with stand.gateway.store.transaction() as db:
        data = bytearray(db.connection.execute("SELECT data FROM archive_part").fetchone()[0])
    for position in (2, len(data) // 2, len(data) - 1):
        flipped = bytes(data[:position]) + bytes([data[position] ^ 1]) + bytes(data[position + 1 :])
        literal = f"x'{flipped.hex()}'" if stand.gateway.store.engine == "sqlite" else f"'\\x{flipped.hex()}'"
        change(stand, f"UPDATE archive_part SET data = {literal}")  # noqa: S608 - our own bytes
        with pytest.raises(GatewayError, match="was changed"):
            get(stand, name)


@pytest.mark.parametrize("size", [0, 1, 4_096, 4_097, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES + 7])
def test_a_document_from_a_file_is_stored_as_one_from_memory(stand: Stand, size: int) -> None:
    """The same name and the same parts, whichever way it came."""
    document = random.Random(size).randbytes(size)
    with TemporaryFile() as file:
        pressed = archive.press(io.BytesIO(document), file)
        assert (pressed.sha256, pressed.size) == (archive.sha256(document), size)
        assert list(pressed.parts()) == archive.compress(document)
        with stand.gateway.store.transaction() as db:
            archive.put(db, [(pressed.sha256, pressed.size, pressed.parts())], "in", AT_MS)
    assert get(stand, pressed.sha256) == document


def test_an_archived_document_is_read_like_a_file(stand: Stand) -> None:
    """In any order, line by line, across the border of two parts, and told how far it is."""
    document = b"".join(b"line %d\n" % number for number in range(700_000))
    [name] = put(stand, document)
    told: list[int] = []
    with stand.gateway.store.transaction() as db:
        file = archive.opened(db, name, told.append)
        assert not told, "the proof that it is the one that was stored is not told"
        assert file.readline() == b"line 0\n"
        for start, length in ((PART_BYTES - 3, 10), (0, 5), (len(document) - 4, 100), (len(document) + 9, 5)):
            file.seek(start)
            assert file.read(length) == document[start : start + length]
        assert file.seek(-4, io.SEEK_END) == len(document) - 4
        file.seek(0)
        assert file.read() == document
    assert told[0] == PART_BYTES
    assert max(told) == len(document)


def test_a_copy_of_an_archived_document_is_what_was_proved(stand: Stand) -> None:
    """Another process reads the copy: it has to be these bytes, all of them."""
    document = random.Random(2).randbytes(2 * PART_BYTES + 7)
    [name] = put(stand, document)
    copy = io.BytesIO()
    with stand.gateway.store.transaction() as db:
        assert archive.opened(db, name, copy=copy).read() == document
    assert copy.getvalue() == document


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM archive_part WHERE part = 1", "UPDATE archive_part SET part = 9 - part", "DELETE FROM archive"],
    ids=["part-missing", "other-order", "not-there"],
)
def test_a_changed_document_is_noticed_before_it_is_read_as_a_file(stand: Stand, statement: str) -> None:
    """Not at its end, when something has been made of its beginning."""
    [name] = put(stand, random.Random(1).randbytes(PART_BYTES + 10))
    change(stand, statement)
    with stand.gateway.store.transaction() as db, pytest.raises(GatewayError, match=r"was changed|has no document"):
        archive.opened(db, name)
