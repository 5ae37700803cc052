"""The tables of a profile that describe a bank's statements as CSV or XLSX: ``[statements.table]`` and below."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from adapters.fields import Listed, MistakeAt, Table, Text
from schemas.tabular.layout import COLUMNS_MAX, Columns, Layout, Place, date_pattern

ColumnName = Annotated[str, Field(min_length=1, max_length=140)] | Annotated[int, Field(ge=1, le=COLUMNS_MAX)]
"""A column by its header, or by its number from 1."""
Encoding = Literal["utf-8", "cp1252", "iso-8859-1", "iso-8859-15", "cp850", "cp437"]
Words = Listed[tuple[Text, ...]]


class PlaceSettings(Table):
    """A cell outside of the table: by the label before it, or by row and column (from 1)."""

    label: Text | None = None
    row: int | None = Field(default=None, ge=1, le=1_000)
    column: int | None = Field(default=None, ge=1, le=COLUMNS_MAX)

    @model_validator(mode="after")
    def is_one_of_both(self) -> Self:
        """A label, or a row and a column."""
        if (self.label is None) != (self.row is not None and self.column is not None) or (
            self.label is not None and (self.row or self.column)
        ):
            raise ValueError("a place is { label = ... }, or { row = ..., column = ... }")
        return self

    def place(self) -> Place:
        """Return it as the reader takes it."""
        return Place(self.label, self.row or 0, self.column or 0)


class ColumnSettings(Table):
    """Which column says what, by its header or its number; see ``schemas.tabular.layout.Columns``."""

    booking_date: ColumnName
    value_date: ColumnName | None = None
    amount: ColumnName | None = None
    sign: ColumnName | None = None
    debit: ColumnName | None = None
    credit: ColumnName | None = None
    balance: ColumnName | None = None
    account: ColumnName | None = None
    currency: ColumnName | None = None
    bank_reference: ColumnName | None = None
    end_to_end_id: ColumnName | None = None
    instruction_id: ColumnName | None = None
    uetr: ColumnName | None = None
    description: ColumnName | None = None
    counterparty_name: ColumnName | None = None
    counterparty_account: ColumnName | None = None
    transaction_code: ColumnName | None = None

    @model_validator(mode="after")
    def amount_is_written_in_one_way(self) -> Self:
        """One signed column, an amount with a sign column, or two columns."""
        two = self.debit is not None and self.credit is not None
        if (self.amount is None) == (not two) or (self.amount is None) != (self.debit is not None):
            raise ValueError("an amount is either amount (with sign beside it or not), or debit and credit")
        if self.sign is not None and self.amount is None:
            raise ValueError("sign stands beside amount; debit and credit say it themselves")
        return self


class TableSettings(Table):
    """How a bank writes statements as a table; see ``schemas.tabular.layout.Layout``.

    Attributes:
        encoding: of CSV, tried in this order.
        header_row: where the header stands; left out: the first row that has every column that is named.
        first_row: where the entries begin, where no column is named by a header.
        account_number: our account, where the file does not say it; left out: the profile's only one.
        account, currency, opening, closing, opening_date, closing_date, entry_count: where these stand around it.
    """

    delimiter: Literal[",", ";", "\t", "|"] = ","
    quote: Annotated[str, Field(min_length=1, max_length=1)] = '"'
    encoding: Annotated[Listed[tuple[Encoding, ...]], Field(min_length=1)] = ("utf-8",)
    line_end_required: bool = True
    sheet: Text | None = None
    decimal_sign: Literal[".", ","] = "."
    thousands_sign: Literal["", ".", ",", " ", "'"] = ""
    date_format: str = "YYYY-MM-DD"
    header_row: int | None = Field(default=None, ge=1, le=1_000)
    first_row: int = Field(default=1, ge=1, le=1_000)
    order: Literal["oldest_first", "newest_first"] = "oldest_first"
    debit_words: Words = ("D", "DR", "DBIT")
    credit_words: Words = ("C", "CR", "CRDT")
    debit_has_minus: bool = False
    account_number: str | None = Field(default=None, pattern=r"^[A-Za-z0-9-]{1,34}$")
    account: PlaceSettings | None = None
    currency: PlaceSettings | None = None
    opening: PlaceSettings | None = None
    closing: PlaceSettings | None = None
    opening_date: PlaceSettings | None = None
    closing_date: PlaceSettings | None = None
    entry_count: PlaceSettings | None = None
    ignored_rows: Words = ()
    codes: Mapping[str, str] = Field(default_factory=dict)
    columns: ColumnSettings

    @model_validator(mode="after")
    def dialect_is_clear(self) -> Self:
        """A sign that means two things makes 1.234 a thousand times what it is."""
        try:
            date_pattern(self.date_format)
        except ValueError as error:
            raise MistakeAt(("statements", "table", "date_format"), str(error)) from error
        if self.decimal_sign == self.thousands_sign:
            raise MistakeAt(("statements", "table", "thousands_sign"), "it is the decimal sign as well")
        both = {word.upper() for word in self.debit_words} & {word.upper() for word in self.credit_words}
        if both:
            raise MistakeAt(("statements", "table", "credit_words"), f"{min(both)!r} is a debit word as well")
        if self.quote == self.delimiter:
            raise MistakeAt(("statements", "table", "quote"), "it is the delimiter as well")
        return self

    @model_validator(mode="after")
    def balances_are_known(self) -> Self:
        """Without both balances no statement can be proved, and none would be booked."""
        for name in ("opening", "closing"):
            if getattr(self, name) is None and self.columns.balance is None:
                raise MistakeAt(
                    ("statements", "table"), f"nothing says the {name} balance: {name} = {{ ... }}, or columns.balance"
                )
        return self

    @model_validator(mode="after")
    def account_is_said_once(self) -> Self:
        """In a column, at a place, or here."""
        said = [self.columns.account, self.account, self.account_number]
        if sum(one is not None for one in said) > 1:
            raise MistakeAt(
                ("statements", "table"), "the account: columns.account, account, or account_number, not two"
            )
        if self.columns.currency is not None and self.currency is not None:
            raise MistakeAt(("statements", "table", "currency"), "columns.currency says it already")
        return self

    @property
    def says_the_account(self) -> bool:
        """Whether the file or this table says the account; else it is the profile's only one."""
        return any(one is not None for one in (self.columns.account, self.account, self.account_number))

    def layout(self) -> Layout:
        """Return it as the reader takes it."""
        names = ("account", "currency", "opening", "closing", "opening_date", "closing_date", "entry_count")
        places = {name: place.place() for name in names if (place := getattr(self, name)) is not None}
        return Layout(
            columns=Columns(**self.columns.model_dump()),
            delimiter=self.delimiter,
            quote=self.quote,
            encodings=self.encoding,
            line_end_required=self.line_end_required,
            sheet=self.sheet,
            decimal_sign=self.decimal_sign,
            thousands_sign=self.thousands_sign,
            date_format=self.date_format,
            header_row=self.header_row,
            first_row=self.first_row,
            newest_first=self.order == "newest_first",
            debit_words=self.debit_words,
            credit_words=self.credit_words,
            debit_has_minus=self.debit_has_minus,
            account_number=self.account_number,
            ignored_rows=self.ignored_rows,
            codes=self.codes,
            **places,
        )
