"""MT900 and MT910: one booked entry each, and never a guess which way the money went."""

from __future__ import annotations

from datetime import date

import pytest

from schemas.errors import DocumentRefused
from schemas.model.statement import Detail, Entry, Statement
from schemas.mt import mt940

UETR = "0b3f1d52-8a49-4c77-9d10-3f5c1d2e4a6b"
BODY = ":20:BANK-1\n:21:TG000000000042\n:25:000111222333\n:13D:2611231530+0700\n:32A:261123KHR1250,5\n"


def message(number: str, rest: str = "", *, body: str = BODY, block3: str = f"{{3:{{121:{UETR.upper()}}}}}") -> bytes:
    """Return a confirmation of this type."""
    return (
        f"{{1:F01AAAAKHPPAXXX0000000000}}{{2:O{number}1200261123AAAAKHPPAXXX00000000002611231200N}}{block3}{{4:\n"
        f"{body}{rest}-}}\n"
    ).encode()


def read(document: bytes) -> tuple[Statement, Entry]:
    """Return the notification and its entry."""
    head, entry = mt940.read(document)
    assert isinstance(head, Statement)
    assert isinstance(entry, Entry)
    return head, entry


def test_a_confirmation_of_debit_is_a_notification_with_one_booked_debit() -> None:
    """:21: is our own reference of the payment, :20: the bank's, and field 121 the UETR."""
    head, entry = read(message("900", ":72:/INS/AAAAKHPP\n//AND MORE\n"))
    assert head == Statement(
        kind="notification", message_id="BANK-1", statement_id="MT900-BANK-1-20261123-21850913",
        account="000111222333", currency="KHR", created="2026-11-23T15:30:00+07:00", path="line 2",
    )  # fmt: skip
    assert entry == Entry(
        index=0, amount_minor=-125050, currency="KHR", value_date=date(2026, 11, 23), entry_reference="TG000000000042",
        servicer_reference="BANK-1", additional_info="/INS/AAAAKHPP AND MORE",
        details=(Detail(uetr=UETR, instruction_id="TG000000000042"),), path="line 6",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("ordered", "name", "account"),
    [
        (":50K:/000999\nSOK DARA\nSTREET 1\n", "SOK DARA", "000999"),
        (":50K:SOK DARA\n", "SOK DARA", None),
        (":50F:/000999\n1/SOK\n1/DARA\n2/STREET 1\n3/KH/PHNOM PENH\n", "SOK DARA", "000999"),
        (":50A:/000999\nAAAAKHPP\n", None, "000999"),
        (":52D:THE BANK\nTOWN\n", "THE BANK", None),
        (":52A:AAAAKHPP\n:50K:SOK DARA\n", "SOK DARA", None),
        ("", None, None),
    ],
)
def test_a_credits_counterparty_is_who_ordered_it(ordered: str, name: str | None, account: str | None) -> None:
    """The customer before the bank; of a debit there is none in the message."""
    _, entry = read(message("910", ordered))
    assert entry.amount_minor == 125050
    assert (entry.details[0].counterparty_name, entry.details[0].counterparty_account) == (name, account)
    assert read(message("900", ordered))[1].details[0].counterparty_name is None


def test_the_type_may_stand_in_a_line_of_the_banks_own() -> None:
    """Files without block headers have it there."""
    _, entry = read(b"AAAAKHPP\n910\nAAAAKHPP\n" + BODY.encode() + b"-\n")
    assert entry.amount_minor == 125050


def test_an_acknowledgement_before_a_message_is_no_part_of_it() -> None:
    """Interfaces write it on the same line; the type and the UETR are those of the message."""
    acknowledged = b"{1:F21AAAAKHPPAXXX0000000000}{4:{177:2611231530}{451:0}}"
    assert read(acknowledged + message("900")) == read(message("900"))


def test_references_that_are_none_are_none() -> None:
    """They would match every other payment without one."""
    _, entry = read(message("910", body=BODY.replace("TG000000000042", "NONREF"), block3=""))
    assert (entry.entry_reference, entry.details[0].instruction_id, entry.details[0].uetr) == (None, None, None)


@pytest.mark.parametrize(
    ("document", "code", "path"),
    [
        (BODY.encode(), "FF01", "line 1"),
        (message("910").replace(b"-}", b""), "CH21", "line 6"),
        (message("910", body=BODY.replace(":32A:261123KHR1250,5\n", "")), "CH21", "line 2"),
        (message("910", body=BODY.replace(":25:000111222333\n", "")), "CH21", "line 2"),
        (message("910", body=BODY.replace("1250,5", "1250,555")), "CH20", "line 6"),
        (message("910", body=BODY.replace("1250,5", "1250.5")), "FF01", "line 6"),
        (message("910", body=BODY.replace("32A:261123", "32A:261323")), "DT01", "line 6"),
        (message("910", ":32A:261123KHR1,\n"), "FF01", "line 7"),
    ],
)
def test_a_confirmation_that_cannot_be_read_is_refused_with_its_place(document: bytes, code: str, path: str) -> None:
    """Without the type nobody knows whether the money came or went; without its end, what else it says."""
    with pytest.raises(DocumentRefused) as refused:
        list(mt940.read(document))
    assert (refused.value.code, refused.value.path) == (code, path)
