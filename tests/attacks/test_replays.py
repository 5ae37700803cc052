"""What the bank has signed comes again, from whoever has seen it: with other bytes around it, and after later news."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable

import pytest

from gateway.store import archive
from tests.gateway.flow.stand import Stand, booked, order
from tests.gateway.operations.test_answering import asked
from tests.gateway.operations.test_in_flight import answer, ask, cancel, recall_states

ORDER_OF_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def seen(stand: Stand) -> list[bytes]:
    """Return every document of the bank, as somebody has it who listens on the way."""
    names = [row[0] for row in stand.sql("SELECT sha256 FROM document ORDER BY received_ms, sha256")]
    with stand.gateway.store.transaction() as db:
        return [archive.get(db, name) for name in names]


def with_a_blank(document: bytes) -> bytes:
    """Return a document with a blank between its two parts, which nobody signs."""
    return document.replace(b"</AppHdr>", b"</AppHdr> ", 1)


def with_another_value(document: bytes) -> bytes:
    """Return a document with the other value that proves the same under ECDSA: s subtracted from the curve's order."""
    begin = document.index(b"SignatureValue>") + len(b"SignatureValue>")
    end = document.index(b"<", begin)
    value = b64decode(document[begin:end])
    other = ORDER_OF_P256 - int.from_bytes(value[32:])
    return document[:begin] + b64encode(value[:32] + other.to_bytes(32)) + document[end:]


OTHERWISE = pytest.mark.parametrize("otherwise", [with_a_blank, with_another_value])
Otherwise = Callable[[bytes], bytes]


@OTHERWISE
def test_an_old_answer_does_not_undo_a_later_one(stand: Stand, otherwise: Otherwise) -> None:
    """Pending, then granted, and then the first answer once more."""
    stand.sent(order())
    cancel(stand)
    ask(stand)
    answer(stand, "PDCR")
    [pending] = seen(stand)
    answer(stand, "CNCL")
    stand.take(otherwise(pending))
    assert recall_states(stand) == ["ACCEPTED"]
    assert stand.sql("SELECT state FROM document WHERE detail LIKE 'a copy of document %'") == [("APPLIED",)]


@OTHERWISE
def test_what_the_bank_asks_back_is_asked_once(stand: Stand, otherwise: Otherwise) -> None:
    """The same case of the same message, however often somebody sends it."""
    asked(stand)
    *_, request = seen(stand)
    stand.take(otherwise(request), otherwise(otherwise(request)))
    assert len(stand.sql("SELECT id FROM recall_request")) == 1


@OTHERWISE
def test_a_statement_that_is_sent_again_is_the_one_that_is_known(stand: Stand, otherwise: Otherwise) -> None:
    """Nothing of it is booked, compared or asked about once more."""
    stand.take(stand.bank.statement([booked(-500, reference="NB1")], opening=1_000_000))
    [statement] = seen(stand)
    before = stand.open()
    stand.take(otherwise(statement))
    assert stand.sql("SELECT COUNT(*) FROM statement") == [(1,)]
    assert stand.open() == before
    assert stand.faults() == []


def test_the_same_words_under_a_new_message_id_are_news(stand: Stand) -> None:
    """A bank may say a thing twice; the lifecycle and the matching know what that means."""
    [paid] = stand.sent(order())
    stand.take(stand.bank.status("ACTC", [paid]))
    stand.take(stand.bank.status("ACTC", [paid]))
    assert stand.sql("SELECT state, detail FROM document") == [("APPLIED", None)] * 2


def test_two_copies_at_once_are_one(stand: Stand) -> None:
    """They come in one window, and are applied in one transaction."""
    [paid] = stand.sent(order())
    document = stand.bank.status("ACSC", [paid])
    stand.take(document, with_a_blank(document))
    assert stand.payment().state == "SETTLED"
    assert stand.open() == {}
    assert len(stand.sql("SELECT sha256 FROM document WHERE content_sha256 IS NOT NULL")) == 1
