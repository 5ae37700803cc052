"""Bank documents in: kept before they are parsed, believed only when they are proved, applied once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from lxml import etree
from lxml.etree import _Element

from gateway.bus.base import BANK_EXCHANGE, Outgoing
from gateway.flow.inbound import Inbound
from gateway.store import archive
from schemas.errors import StoreUnavailable
from security.trust import TrustStore
from tests.gateway.flow.stand import DAY, FROM_BANK, RIEL, Killed, Stand, booked, order

Change = Callable[[bytes], bytes]


def kept(stand: Stand, document: bytes) -> bytes:
    """Return what the archive has of a document."""
    with stand.gateway.store.transaction() as db:
        return archive.get(db, archive.sha256(document))


def document_rows(stand: Stand) -> list[tuple[str, str | None]]:
    """Return (state, reason code) of each document."""
    return [tuple(row) for row in stand.sql("SELECT state, code FROM document ORDER BY received_ms, sha256")]


def test_a_document_is_kept_applied_and_acknowledged(stand: Stand) -> None:
    """Byte for byte, with what became of it, in the audit trail as well."""
    paid = stand.sent(order(1))
    document = stand.bank.status("ACSC", paid)
    stand.deliver(document)
    assert stand.states() == {"PO-1": "SETTLED"}
    assert kept(stand, document) == document
    assert document_rows(stand) == [("APPLIED", None)]
    assert stand.bus.depth(FROM_BANK) == 0
    assert stand.trails()[-1] == ("gateway", "document.apply")
    assert stand.faults() == []


def test_the_same_document_twice_changes_nothing(stand: Stand) -> None:
    """In one group, later, and through the other channel."""
    paid = stand.sent(order(1))
    document = stand.bank.giving_back(paid[0])
    assert stand.take(document, document) == ["APPLIED", "APPLIED"]
    before = stand.balances(), stand.trails(), len(stand.told())
    assert stand.take(document) == ["KNOWN"]
    stand.deliver(document, document)
    assert (stand.balances(), stand.trails(), len(stand.told())) == before
    assert document_rows(stand) == [("APPLIED", None)]
    assert stand.open() == {}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda _: b"\x00\x01 not XML", None),
        (lambda _: b"", None),
        (lambda d: d[: len(d) // 2], None),
        (lambda d: d[:-1], None),
        (lambda d: d.replace(b"ACSC", b"ACCC"), "DS0"),
        (lambda d: d.replace(b"<TxSts>", b"<TxSts> "), "DS0"),
        (lambda d: d.replace(b"<TxInfAndSts>", b"<TxInfAndSts> "), "DS0"),
        (lambda d: b"<!DOCTYPE x [<!ENTITY e 'v'>]>" + d, None),
        (lambda d: d.decode().encode("utf-16"), None),
        (lambda d: b"\x1f\x8b" + d, None),
    ],
    ids=[
        "not-xml",
        "empty",
        "truncated",
        "one-byte-short",
        "changed",
        "blank-in-a-value",
        "blank-between-elements",
        "doctype",
        "utf-16",
        "gzip-like",
    ],
)
def test_a_document_that_cannot_be_used_is_kept_and_becomes_an_exception(
    light: Stand, change: Change, code: str | None
) -> None:
    """Nothing is lost, nothing of it is believed, its neighbours are applied, and a person sees why."""
    one, two = light.sent(order(1), order(2))
    bad, good = change(light.bank.status("ACSC", [one])), light.bank.status("ACSC", [two])
    light.deliver(bad, good)
    assert light.states() == {"PO-1": "SENT", "PO-2": "SETTLED"}
    assert kept(light, bad) == bad
    assert light.open() == {"unreadable_document": 1}
    assert light.evidence("unreadable_document")["bytes"] == len(bad)
    said = light.sql("SELECT code FROM document WHERE state = 'REFUSED'")[0][0]
    assert said
    assert code is None or said.startswith(code)
    assert ("gateway", "document.refuse") in light.trails()
    light.deliver(bad)
    assert light.open() == {"unreadable_document": 1}, "the same bytes again are no second exception"
    assert light.faults() == []


@pytest.mark.parametrize(
    ("before", "after", "path"),
    [
        (b"<TxSts>", b"<TxSts> ", "TxInfAndSts/TxSts"),
        (b"<TxSts>", b"<Surprise>1</Surprise><TxSts>", "TxInfAndSts/Surprise"),
    ],
)
def test_what_breaks_the_guideline_is_refused_with_its_line_also_when_it_is_signed(
    light: Stand, before: bytes, after: bytes, path: str
) -> None:
    """Nothing is read that was not agreed, whoever signed it; and the bank is told where, not only that."""
    document = light.bank.status("ACSC", light.sent(order(1)))
    changed = document.replace(before, b"\n" + after)
    assert changed != document
    signed = light.bank.letters.sign("ST-1", "pacs.002.001.10", etree.fromstring(changed)[1])
    assert light.take(signed, changed) == ["REFUSED", "REFUSED"]
    assert light.states() == {"PO-1": "SENT"}
    found = dict(light.sql("SELECT code, detail FROM document"))
    assert f"{path}: line 3: " in found["FF01"]
    assert "Document was changed after it was signed" in found["DS0B"], "its content is nobody's"


def test_a_document_refused_before_is_tried_again_and_its_exception_closes(light: Stand) -> None:
    """The bank's certificate came late: the same bytes are good when it is there."""
    [paid] = light.sent(order(1))
    document = light.bank.status("ACSC", [paid])
    worker = light.workers["inbound"]
    assert isinstance(worker, Inbound)
    known, worker._trust = worker._trust, TrustStore
    assert light.take(document) == ["REFUSED"]
    assert light.take(document) == ["REFUSED"]
    assert light.open() == {"unreadable_document": 1}
    worker._trust = known
    assert light.take(document) == ["APPLIED"]
    assert light.states() == {"PO-1": "SETTLED"}
    assert light.open() == {}
    assert light.closed() == {"unreadable_document": 1}
    assert document_rows(light) == [("APPLIED", None)]
    assert light.take(document) == ["KNOWN"]
    assert light.faults() == []


def test_an_unsigned_document_is_refused(light: Stand) -> None:
    """Neither an envelope without a signature nor a bare Document, where the profile asks for one."""
    [paid] = light.sent(order(1))
    signed = light.bank.status("ACSC", [paid])
    start, end = signed.index(b"<Sgntr>"), signed.index(b"</Sgntr>") + len(b"</Sgntr>")
    bare = signed[signed.index(b"<Document") : signed.index(b"</Document>") + len(b"</Document>")]
    assert light.take(signed[:start] + signed[end:], bare) == ["REFUSED", "REFUSED"]
    assert light.states() == {"PO-1": "SENT"}
    assert light.open() == {"unreadable_document": 2}


def test_a_document_signed_by_another_bank_is_refused(light: Stand) -> None:
    """A valid key of our own authority, but not this bank's: in its own name, and in the name of our bank."""
    [paid] = light.sent(order(1))
    stranger = light.bank.stranger()
    for number, bic in enumerate(("NCAMKHPP", "ABAAKHPP"), 1):
        statement = light.bank.statement(
            [booked(-100_000, paid)], 100_000_000, by=light.bank.writer(bic, stranger), day=DAY + timedelta(number)
        )
        assert light.take(statement) == ["REFUSED"]
    assert light.states() == {"PO-1": "SENT"}
    assert light.sql("SELECT COUNT(*) FROM statement") == [(0,)]
    codes = {row[0] for row in light.sql("SELECT code FROM document")}
    assert all(code.startswith("DS0") for code in codes), codes


def test_a_document_for_somebody_else_is_refused(light: Stand) -> None:
    """Signed by our bank, addressed to another customer."""
    [paid] = light.sent(order(1))
    light.bank.letters._customer_bic = "ABAAKHPP"
    assert light.take(light.bank.status("ACSC", [paid])) == ["REFUSED"]
    assert light.states() == {"PO-1": "SENT"}


def test_a_document_above_the_limit_is_refused_unread_and_kept(light: Stand) -> None:
    """The limit is a setting; the bytes are kept in parts all the same."""
    worker = light.workers["inbound"]
    assert isinstance(worker, Inbound)
    limit = worker._desk.limits.model_copy(update={"document_bytes_max": 1_000})
    object.__setattr__(worker._desk, "limits", limit)
    big = b"<a>" + b"x" * 6_000_000
    assert light.take(big) == ["REFUSED"]
    assert light.sql("SELECT code FROM document") == [("FF01",)]
    assert kept(light, big) == big
    assert light.sql("SELECT COUNT(*) FROM archive_part") == [(2,)]


@pytest.mark.parametrize("point", ["inbound.archived", "inbound.applied"])
def test_a_crash_between_two_steps_applies_once(stand: Stand, point: str) -> None:
    """Kept and not applied, or applied and not acknowledged: the document comes again, and counts once."""
    paid = stand.sent(order(1))
    document = stand.bank.status("ACSC", paid)
    stand.bus.publisher().publish([Outgoing(BANK_EXCHANGE, FROM_BANK, document, "d")])
    stand.dies("inbound", point)
    assert stand.states() == {"PO-1": "SENT" if point == "inbound.archived" else "SETTLED"}
    assert stand.bus.depth(FROM_BANK) == 1
    stand.run("inbound")
    assert stand.states() == {"PO-1": "SETTLED"}
    assert stand.bus.depth(FROM_BANK) == 0
    assert stand.told_of("PO-1").count("treasury.payment.settled") == 1
    assert stand.faults() == []


def test_a_lost_database_loses_no_document(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was received is taken again when the database is back."""
    paid = stand.sent(order(1))

    def away(*_: object) -> None:
        raise StoreUnavailable

    stand.bus.publisher().publish([Outgoing(BANK_EXCHANGE, FROM_BANK, stand.bank.status("ACSC", paid), "d")])
    monkeypatch.setattr(archive, "put", away)
    with pytest.raises(StoreUnavailable):
        stand.step("inbound")
    monkeypatch.undo()
    stand.run("inbound")
    assert stand.states() == {"PO-1": "SETTLED"}


def test_a_document_is_applied_whole_or_not_at_all(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that dies while telling the sources has moved nothing."""
    paid = stand.sent(order(1))
    document = stand.bank.status("ACSC", paid)

    def dies(*_: object) -> None:
        raise Killed

    monkeypatch.setattr("gateway.flow.outcomes.send", dies)
    with pytest.raises(Killed):
        stand.take(document)
    monkeypatch.undo()
    assert stand.states() == {"PO-1": "SENT"}
    assert stand.balances() == {"payable:fmis": 100_000, f"transit:{RIEL}": -100_000}
    stand.start()
    assert stand.take(document) == ["APPLIED"]
    assert stand.states() == {"PO-1": "SETTLED"}
    assert stand.faults() == []


def test_a_document_that_breaks_us_is_retried_alone_and_ends_with_its_reason(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A defect of ours costs the one document that shows it; it is in the archive already."""
    one, two = stand.sent(order(1), order(2))
    bad, good = stand.bank.status("ACSC", [one]), stand.bank.status("ACSC", [two])
    worker = stand.workers["inbound"]
    assert isinstance(worker, Inbound)
    real = worker._rail.read

    def breaks(profile: object, document: bytes, *more: object) -> object:
        if document == bad:
            raise ZeroDivisionError("a defect")
        return real(profile, document, *more)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(worker._rail, "read", breaks)
    stand.deliver(bad, good)
    assert stand.states() == {"PO-1": "SENT", "PO-2": "SETTLED"}
    assert stand.dead() == ["ZeroDivisionError: a defect"]
    assert kept(stand, bad) == bad
    monkeypatch.undo()
    stand.bus.replay([])
    stand.run("inbound")
    assert stand.states() == {"PO-1": "SETTLED", "PO-2": "SETTLED"}


def test_a_statement_that_breaks_off_while_it_is_read_posts_nothing_and_spares_its_neighbours(light: Stand) -> None:
    """A statement is read while it is applied: at the first thing that cannot be read all of it is taken back."""
    one, two = light.sent(order(1), order(2))

    def spoil(document: _Element) -> None:
        last = list(document.iter("{*}Ntry"))[-1]
        indicator = last.find("{*}CdtDbtInd")
        assert indicator is not None
        indicator.text = "NEITHER"

    entries = [booked(-100_000, one), booked(-7, reference="NB2")]
    statement = light.bank.statement(entries, 100_000_000, alter=spoil)
    assert light.take(light.bank.status("ACSC", [two]), statement) == ["APPLIED", "REFUSED"]
    assert light.states() == {"PO-1": "SENT", "PO-2": "SETTLED"}
    assert light.sql("SELECT COUNT(*) FROM entry") == [(0,)]
    assert light.sql("SELECT COUNT(*) FROM statement") == [(0,)]
    assert light.open() == {"unreadable_document": 1}
    assert "Ntry[2]/CdtDbtInd" in light.evidence("unreadable_document")["reason"]
    assert light.faults() == []


def test_a_hundred_documents_are_applied_in_their_order(stand: Stand) -> None:
    """ACTC, then ACSC for each of many, in one go."""
    paid = stand.sent(*[order(n) for n in range(1, 21)])
    documents = [stand.bank.status(status, [p]) for p in paid for status in ("ACTC", "ACSP", "ACSC")]
    stand.deliver(*documents)
    assert set(stand.states().values()) == {"SETTLED"}
    assert stand.open() == {}
    assert stand.faults() == []
