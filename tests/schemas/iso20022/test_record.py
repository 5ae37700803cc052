"""Reading by paths: what is missing, repeated or unreadable is named by its full path."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from lxml import etree

from schemas.errors import DocumentRefused
from schemas.iso20022.record import Record, Shape
from schemas.model.money import Money


def record(content: str, *groups: str) -> Record:
    """Return the record of an entry with this content."""
    return Record(etree.fromstring(f'<Ntry xmlns="urn:a">{content}</Ntry>'), "Stmt[1]/Ntry[2]", Shape(*groups))


def test_values_are_found_by_their_paths() -> None:
    """Padding is not part of a value, and an empty tag is none."""
    entry = record("<Refs><MsgId> M1\n</MsgId><TxId/></Refs><Sts><Cd>BOOK</Cd></Sts>")
    assert entry.one("Refs/MsgId") == "M1"
    assert entry.opt("Refs/TxId") is None
    assert entry.opt("Refs/UETR") is None
    assert entry.either("Sts/Prtry", "Sts/Cd") == "BOOK"
    assert entry.either("Sts/Prtry", "Sts") is None
    assert entry.has("Refs/TxId")
    assert not entry.has("Refs/UETR")


@pytest.mark.parametrize(
    ("read", "code", "path"),
    [
        (lambda entry: entry.one("Refs/UETR"), "CH21", "Refs/UETR"),
        (lambda entry: entry.one("Empty"), "CH21", "Empty"),
        (lambda entry: entry.amount("TtlAmt"), "CH21", "TtlAmt"),
        (lambda entry: entry.opt("Twice"), "FF01", "Twice"),
        (lambda entry: entry.amount("Decimals"), "CH20", "Decimals"),
        (lambda entry: entry.amount("Unknown"), "AM11", "Unknown"),
        (lambda entry: entry.amount("Text"), "AM11", "Text"),
        (lambda entry: entry.amount("Negative"), "AM12", "Negative"),
        (lambda entry: entry.opt_decimal("Text", "KHR"), "AM12", "Text"),
        (lambda entry: entry.opt_date("Text"), "DT01", "Text"),
        (lambda entry: entry.moment("Text"), "DT01", "Text"),
        (lambda entry: entry.moment("Wall"), "DT01", "Wall"),
        (lambda entry: entry.opt_number("Text"), "FF01", "Text"),
        (lambda entry: entry.opt_number("Khmer"), "FF01", "Khmer"),
        (lambda entry: entry.opt_number("Long"), "FF01", "Long"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_path(read: Callable[[Record], object], code: str, path: str) -> None:
    """An operator has to find the place in a file of a million entries."""
    entry = record(
        '<Empty> </Empty><Twice>1</Twice><Twice>1</Twice><Decimals Ccy="KHR">1.005</Decimals><Unknown Ccy="XAU">1'
        '</Unknown><Text>x</Text><Negative Ccy="KHR">-1</Negative><Wall>2026-11-23T08:00:00</Wall>'
        f"<Khmer>\u17e1</Khmer><Long>{'1' * 19}</Long>"
    )
    with pytest.raises(DocumentRefused) as refused:
        read(entry)
    assert (refused.value.code, refused.value.path) == (code, f"Stmt[1]/Ntry[2]/{path}")


def test_an_amount_may_have_zeros_in_front() -> None:
    """The schema's decimal allows them and banks send them; they change no amount."""
    entry = record('<A Ccy="KHR">01.00</A><B Ccy="KHR">000</B><C Ccy="KHR">00.5</C><D Ccy="KHR">0.10000</D>')
    assert [entry.amount(tag).amount_minor for tag in "ABCD"] == [100, 0, 50, 10]
    assert entry.opt_amount("E") is None


def test_repeated_values_and_groups_keep_their_order() -> None:
    """What belongs together stays together: each group is a record of its own, with its own path."""
    entry = record(
        "<Ustrd>b</Ustrd><Ustrd> </Ustrd><Ustrd>a</Ustrd>"
        "<Dtls><Tx><Id>1</Id></Tx></Dtls><Dtls><Tx><Id>2</Id></Tx></Dtls>",
        "Dtls/Tx",
    )
    assert entry.all("Ustrd") == ["b", "a"]
    assert entry.all("Other") == []
    found = entry.each("Dtls/Tx", Shape())
    assert [(item.one("Id"), item.path) for item in found] == [
        ("1", "Stmt[1]/Ntry[2]/Dtls/Tx[1]"),
        ("2", "Stmt[1]/Ntry[2]/Dtls/Tx[2]"),
    ]
    assert entry.each("Other", Shape()) == []


def test_foreign_namespaces_and_comments_are_not_seen() -> None:
    """Supplementary data of somebody else must not pass for a field of the message."""
    entry = record('<!-- <Id>0</Id> --><x:Id xmlns:x="urn:b">1</x:Id><Id>2</Id>')
    assert entry.one("Id") == "2"


def test_dates_numbers_and_flags_are_read_as_the_schema_means_them() -> None:
    """A booking date is the bank's calendar day, whatever offset stands behind it."""
    entry = record(
        "<Dt>2026-11-23Z</Dt><DtTm>2026-11-23T23:30:00-05:00</DtTm><At>2026-11-23T01:00:00Z</At><Nb>0070</Nb>"
        '<A>true</A><B>1</B><C>TRUE</C><Amt Ccy="USD">5</Amt><E2E>NOTPROVIDED</E2E>'
    )
    assert entry.opt_date("Dt") == entry.opt_date("None", "DtTm") == date(2026, 11, 23)
    assert entry.opt_date("None") is None
    assert entry.moment("At") == datetime(2026, 11, 23, 1, tzinfo=UTC)
    assert (entry.opt_number("Nb"), entry.opt_number("None")) == (70, None)
    assert [entry.flag(tag) for tag in ("A", "B", "C", "D")] == [True, True, False, False]
    assert entry.amount("Amt") == Money(500, "USD")
    assert entry.reference("E2E") is None


def test_a_shape_learns_once_and_reads_every_later_record_with_it() -> None:
    """The paths are nowhere listed, so the first record teaches them, and none may be missed by a later one."""
    shape = Shape()
    elements = [etree.fromstring(f"<a><b><c>{number}</c></b><b/></a>") for number in range(3)]
    assert [Record(element, "", shape).opt("b/c") for element in elements] == ["0", "1", "2"]
    assert shape.wanted == {"b/c": "leaf"}
