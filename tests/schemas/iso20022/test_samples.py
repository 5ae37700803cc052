"""What only several real files, or messages beside statements, can show; each file has a row in tests/samples."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from lxml import etree

from schemas.errors import DocumentRefused
from schemas.iso20022 import camt, head001, pacs002, pacs004, pacs008
from schemas.iso20022.parser import parse
from schemas.model.statement import Entry, Statement

SHARED = Path(os.environ.get("GATEWAY_SHARED", Path(__file__).resolve().parents[3] / ".." / "shared")) / "samples"
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason=f"the sample files are not in {SHARED}")


def read(path: Path) -> list[tuple[Statement, list[Entry]]]:
    """Return the statements of a file with their entries."""
    found: list[tuple[Statement, list[Entry]]] = []
    with path.open("rb") as source:
        for item in camt.read(source):
            if isinstance(item, Statement):
                found.append((item, []))
            else:
                found[-1][1].append(item)
    return found


def adds_up(statement: Statement, entries: list[Entry]) -> bool:
    """Say whether opening and booked entries make the closing; a statement without both has nothing to prove."""
    if statement.opening is None or statement.closing is None:
        return True
    booked = sum(entry.amount_minor for entry in entries if entry.status == "BOOK")
    return statement.opening.amount_minor + booked == statement.closing.amount_minor


def test_the_settlement_accounts_days_add_up_and_follow_each_other() -> None:
    """24 real days of two accounts: no indicator on balances, no status on entries, message page 2 without page 1."""
    files = sorted((SHARED / "camt053" / "settlement-account").glob("*.xml"))
    closing: dict[str, int] = {}
    for path in files:
        found = read(path)
        assert len(found) == 2
        for statement, entries in found:
            assert adds_up(statement, entries), path.name
            assert (statement.page, statement.last_page, statement.sequence) == (1, True, None)
            assert {entry.status for entry in entries} <= {"BOOK"}
            assert statement.opening is not None
            assert statement.closing is not None
            assert closing.get(statement.account, statement.opening.amount_minor) == statement.opening.amount_minor
            closing[statement.account] = statement.closing.amount_minor
    assert (len(files), len(closing)) == (24, 2)


def test_a_real_batchs_count_is_not_that_of_its_details() -> None:
    """80 transactions stated, one listed: the count is the bank's word and proves nothing."""
    (_, entries), _ = read(SHARED / "camt053" / "settlement-account" / "2024-03-11.xml")
    assert (entries[3].batch_count, len(entries[3].details), entries[3].amount_minor) == (80, 1, 244871942)


def test_real_notifications_mix_debits_and_credits_in_one_entry() -> None:
    """The signed sum of up to 500 transactions is the entry's amount."""
    files = sorted((SHARED / "camt054" / "notifications").glob("*.xml"))
    assert len(files) == 6
    for path in files:
        for statement, entries in read(path):
            assert statement.kind == "notification"
            for entry in entries:
                amounts = [detail.amount_minor or 0 for detail in entry.details]
                assert sum(amounts) == entry.amount_minor
                assert min(amounts) < 0 < max(amounts)
                assert entry.status == "INFO"


def test_published_messages_of_a_rail_are_read() -> None:
    """Examples that others published, by their own guidelines."""
    folder = SHARED / "rtgs" / "cbpr"

    def body(name: str) -> tuple[head001.Header, etree._Element]:
        header, document = head001.split(parse((folder / name).read_bytes()))
        return head001.read(header), document

    header, document = body("pacs008_credit_transfer_sample.xml")
    group, payments = pacs008.read(document)
    assert header.message_id == group.message_id
    assert (header.from_bic, header.to_bic) == (group.instructing_bic, group.instructed_bic)
    assert [str(payment.amount) for payment in payments] == ["EUR 750000.00"]
    _, document = body("pacs002_status_report_sample.xml")
    report = pacs002.read(document)
    assert [(item.status, item.original_message_id) for item in report.transactions] == [("ACSP", "P008-20260412-4410")]
    _, document = body("pacs004_payment_return_sample.xml")
    (item,) = pacs004.read(document)
    assert (str(item.amount), str(item.original_amount), item.reason) == ("GBP 125000.00", "GBP 125000.00", "AC04")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("rtgs/head001.nosignature.xml", "holds AppHdr"),
        ("rtgs/head001.signature.xml", "holds AppHdr"),
        ("rtgs/pacs002.ACTC.xml", "holds AppHdr, MessageStatusReport"),
    ],
)
def test_a_published_message_that_is_not_ours_is_refused_for_a_stated_reason(name: str, reason: str) -> None:
    """Another rail's envelope is not guessed at."""
    with pytest.raises(DocumentRefused, match=reason):
        head001.split(parse((SHARED / name).read_bytes()))
