"""What is written is what is read, in every dialect; and a file that was cut never gives another amount."""

from __future__ import annotations

from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from schemas.errors import DocumentRefused
from schemas.model.statement import Entry, Statement
from tests.schemas.tabular.writing import (
    ACCOUNT,
    Dialect,
    Line,
    as_csv,
    as_xlsx,
    facts,
    layout,
    read_csv,
    read_xlsx,
    table,
)

_CURRENCIES = st.sampled_from(["KHR", "USD", "JPY", "BHD"])
_REFERENCES = st.text("ABCXYZ0189/.", min_size=1, max_size=16)
_TEXTS = st.lists(st.text("abcxyz0189-?().,;|'\"\t", min_size=1, max_size=12), min_size=1, max_size=3)
_FORMATS = ["YYYY-MM-DD", "DD/MM/YYYY", "MM/DD/YYYY", "D.M.YYYY", "DD-MMM-YY", "YYYYMMDD", "D MMM YYYY", "YY/M/D"]


@st.composite
def dialects(draw: DrawFn) -> Dialect:
    """Any way of writing that a layout can describe."""
    decimal_sign = draw(st.sampled_from([".", ","]))
    return Dialect(
        delimiter=draw(st.sampled_from([",", ";", "\t", "|"])),
        quote=draw(st.sampled_from(['"', "'"])),
        encoding=draw(st.sampled_from(["utf-8", "cp1252", "cp850", "iso-8859-15"])),
        newline=draw(st.sampled_from(["\n", "\r\n"])),
        decimal_sign=decimal_sign,
        thousands_sign=draw(st.sampled_from([sign for sign in ("", ".", ",", " ", "'") if sign != decimal_sign])),
        date_format=draw(st.sampled_from(_FORMATS)),
        sides=draw(st.sampled_from(["signed", "word", "two"])),
        minus=draw(st.sampled_from(["before", "behind", "brackets", "word"])),
        newest_first=draw(st.booleans()),
        header=draw(st.booleans()),
        balances=draw(st.sampled_from(["running", "labels"])),
        mark=draw(st.booleans()),
        everything_quoted=draw(st.booleans()),
    )


@st.composite
def lines(draw: DrawFn) -> Line:
    """An entry with everything that these tables say of it."""
    text = " ".join(" ".join(draw(st.just([]) | _TEXTS)).split())
    return Line(
        amount_minor=draw(st.integers(1, 10**11 - 1)) * draw(st.sampled_from([1, -1])),
        booking_date=draw(st.dates(date(2000, 1, 1), date(2040, 12, 31))),
        value_date=draw(st.none() | st.dates(date(2000, 1, 1), date(2040, 12, 31))),
        bank_reference=draw(st.just("") | _REFERENCES),
        end_to_end_id=draw(st.just("") | _REFERENCES),
        description="" if text in {"-", "n/a"} else text,
        transaction_code=draw(st.sampled_from(["", "TRF", "FEE"])),
    )


def adapted(dialect: Dialect) -> Dialect:
    """Return a dialect in which a table without a header can be told from what stands around it."""
    return dialect if dialect.header else Dialect(**{**vars(dialect), "balances": "running"})


@settings(deadline=None, derandomize=True, max_examples=400)
@given(dialects(), st.lists(lines(), min_size=1, max_size=6), st.integers(-(10**11), 10**11), _CURRENCIES)
def test_what_is_written_as_csv_is_read(dialect: Dialect, entries: list[Line], opening: int, currency: str) -> None:
    """Amounts, signs, dates and texts in any dialect, in currencies of none, two and three decimals."""
    dialect = adapted(dialect)
    document = as_csv(dialect, table(dialect, entries, opening, currency))
    head, *found = read_csv(document, layout(dialect), currency)
    assert isinstance(head, Statement)
    assert (head.account, head.currency) == (ACCOUNT, currency)
    assert head.opening is not None
    assert head.closing is not None
    assert head.opening.amount_minor == opening
    assert head.closing.amount_minor == opening + sum(one.amount_minor for one in entries)
    assert head.closing_date == max(one.booking_date for one in entries)
    order = entries[::-1] if dialect.newest_first else entries
    assert [facts(one) for one in found if isinstance(one, Entry)] == order


@settings(deadline=None, derandomize=True, max_examples=30)
@given(dialects(), st.lists(lines(), min_size=1, max_size=4), st.integers(-(10**11), 10**11))
def test_the_same_table_as_xlsx_and_as_csv_is_the_same_statement(
    dialect: Dialect, entries: list[Line], opening: int
) -> None:
    """Under one id as well: what a bank offers in both forms is booked once."""
    dialect = adapted(dialect)
    rows = table(dialect, entries, opening, "KHR")
    from_csv = read_csv(as_csv(dialect, rows), layout(dialect))
    from_xlsx = read_xlsx(as_xlsx(rows), layout(dialect))
    assert from_csv[0] == from_xlsx[0]
    assert [facts(one) for one in from_csv[1:] if isinstance(one, Entry)] == [
        facts(one) for one in from_xlsx[1:] if isinstance(one, Entry)
    ]


@settings(deadline=None, derandomize=True, max_examples=60)
@given(dialects(), st.lists(lines(), min_size=2, max_size=4), st.data())
def test_a_csv_that_was_cut_is_refused_or_ends_at_an_earlier_entry(
    dialect: Dialect, entries: list[Line], data: st.DataObject
) -> None:
    """Never another amount: at a line's end a file without a closing balance cannot know, and the next one shows it."""
    dialect = adapted(dialect)
    document = as_csv(dialect, table(dialect, entries, 0, "KHR"))
    whole = [facts(one) for one in read_csv(document, layout(dialect)) if isinstance(one, Entry)]
    cut = data.draw(st.integers(0, len(document) - 1))
    try:
        _, *found = read_csv(document[:cut], layout(dialect))
    except DocumentRefused:
        return
    assert dialect.balances == "running", "a closing balance behind the entries was cut off, and nobody noticed"
    assert [facts(one) for one in found if isinstance(one, Entry)] == whole[: len(found)]
