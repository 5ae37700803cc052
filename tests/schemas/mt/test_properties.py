"""What is written is what is read, and a file that was cut never gives another amount."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from schemas.errors import DocumentRefused
from schemas.model.statement import Entry, Statement
from schemas.mt import mt940
from tests.schemas.mt.writing import Line, statement

_CODES = st.sampled_from(["NTRF", "NMSC", "FCHG", "S103", "N068"])
_REFERENCES = st.text("ABCXYZ0189-.", min_size=1, max_size=16)
_TEXTS = st.lists(st.text("abcxyz0189-?().,'", min_size=1, max_size=12), min_size=1, max_size=3).map(" ".join)


@st.composite
def written(draw: DrawFn) -> Line:
    """An entry with everything that MT940 can say of it."""
    value_date = draw(st.dates(date(2020, 1, 1), date(2040, 12, 31)))
    days_apart = draw(st.none() | st.integers(-150, 150))
    minor = draw(st.integers(1, 10**11 - 1)) * draw(st.sampled_from([1, -1]))
    return Line(
        amount_minor=minor,
        value_date=value_date,
        booking_date=None if days_apart is None else value_date + timedelta(days=days_apart),
        reversal=draw(st.booleans()),
        type_code=draw(_CODES),
        customer_reference=draw(st.just("") | _REFERENCES),
        bank_reference=draw(st.just("") | _REFERENCES),
        information=draw(st.just("") | st.builds("/EREF/{}/REMI/{}".format, _REFERENCES, _TEXTS)),
    )


def facts(entry: Entry) -> Line:
    """Return an entry as it must have been written."""
    detail = entry.details[0] if entry.details else None
    information = f"/EREF/{detail.end_to_end_id}/REMI/{detail.remittance}" if detail and detail.remittance else ""
    return Line(
        amount_minor=entry.amount_minor,
        value_date=entry.value_date or date.min,
        booking_date=entry.booking_date,
        reversal=entry.reversal,
        type_code=entry.bank_transaction_code or "",
        customer_reference=entry.entry_reference or "",
        bank_reference=entry.servicer_reference or "",
        information=information,
    )


@settings(deadline=None, derandomize=True)
@given(
    entries=st.lists(written(), max_size=5),
    currency=st.sampled_from(["KHR", "USD", "JPY", "BHD"]),
    opening_minor=st.integers(-(10**11), 10**11),
    newline=st.sampled_from(["\n", "\r\n"]),
    end=st.sampled_from(["-", "-}", ""]),
)
def test_what_is_written_is_read(
    entries: list[Line], currency: str, opening_minor: int, newline: str, end: str
) -> None:
    """Amounts, dates, signs and references, in currencies of none, two and three decimals."""
    document = statement(entries, currency=currency, opening_minor=opening_minor, newline=newline, end=end)
    head, *found = mt940.read(document)
    assert isinstance(head, Statement)
    assert head.opening is not None
    assert head.closing is not None
    assert head.opening.amount_minor == opening_minor
    assert opening_minor + sum(one.amount_minor for one in entries) == head.closing.amount_minor
    assert [facts(one) for one in found if isinstance(one, Entry)] == entries


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    first=st.lists(written(), min_size=1, max_size=2),
    second=st.lists(written(), min_size=1, max_size=2),
    end=st.sampled_from(["-", "-}", ""]),
    newline=st.sampled_from(["\n", "\r\n"]),
)
def test_a_cut_file_is_whole_messages_or_refused(first: list[Line], second: list[Line], end: str, newline: str) -> None:
    """At every byte: half an amount is an amount, and half a statement looks like one."""
    one = statement(first, end=end, newline=newline)
    both = one + statement(second, number="8/1", end=end, newline=newline)
    whole = list(mt940.read(both))
    prefixes = [whole[: 1 + len(first)], whole]
    for cut in range(len(both)):
        try:
            found = list(mt940.read(both[:cut]))
        except DocumentRefused:
            continue
        assert found in prefixes


@settings(max_examples=20, deadline=None, derandomize=True)
@given(entries=st.lists(written(), min_size=1, max_size=2), end=st.sampled_from(["-", "-}"]))
def test_a_cut_report_is_whole_or_refused(entries: list[Line], end: str) -> None:
    """It has no closing balance; its totals or its end have to be there."""
    text = statement(entries, end=end).decode()
    lines = [line for line in text.split("\r\n") if not line.startswith((":60F:", ":62F:"))]
    lines.insert(3, ":34F:KHR0,")
    document = "\n".join(lines).encode()
    whole = list(mt940.read(document))
    assert isinstance(whole[0], Statement)
    assert whole[0].kind == "report"
    for cut in range(len(document)):
        try:
            found = list(mt940.read(document[:cut]))
        except DocumentRefused:
            continue
        assert found == whole


@settings(deadline=None, derandomize=True)
@given(st.binary(max_size=300) | st.text(":{}-\n\r 0123456789,CDRKHRFM/", max_size=300).map(str.encode))
def test_anything_else_is_refused_and_nothing_else_happens(document: bytes) -> None:
    """Whatever the bytes are, the answer is statements or a refusal."""
    mt940.is_mt(document)
    path = ""
    try:
        list(mt940.read(document))
    except DocumentRefused as refused:
        path = refused.path
    assert path.startswith(("line ", "byte ")) or not path
