"""camt.052, camt.053 and camt.054: what a bank says happened on an account, read entry by entry.

One reader for reports, statements and notifications of every version, because banks differ more than versions do:
namespaces vary, balances come without a credit/debit indicator, entries without a status, details without amounts.
What is not said is left out; what cannot be read is refused with its path, never guessed.

A file is read in bounded memory: an entry is forgotten as soon as it is handed over.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from schemas.errors import DocumentRefused
from schemas.iso20022 import camt_places as places
from schemas.iso20022.camt_entry import ENTRY, read_entry
from schemas.iso20022.stream import beginning, elements
from schemas.iso20022.xml import Record, Shape, local_name, namespace_of
from schemas.model.money import Money
from schemas.model.statement import Entry, Statement

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from typing import BinaryIO

    from lxml.etree import _Element

KINDS = {"Stmt": "statement", "Rpt": "report", "Ntfctn": "notification"}
_MESSAGES = {"BkToCstmrStmt": "Stmt", "BkToCstmrAcctRpt": "Rpt", "BkToCstmrDbtCdtNtfctn": "Ntfctn"}
_NAMESPACE = re.compile(r"urn:iso:std:iso:20022:tech:xsd:camt\.05[234]\.001\.[0-9]{2}")
_HEADER, _STATEMENT, _BALANCE = Shape(), Shape("Bal", "Ntry"), Shape()
_DUPLICATES = frozenset({"DUPL", "CODU"})


def read(source: _Element | BinaryIO) -> Iterator[Statement | Entry]:
    """Yield each Statement, followed by its entries.

    Args:
        source: a Document element (verified), or a binary file that holds a Document or an envelope with one.

    Raises:
        DocumentRefused: while reading, at the first thing that cannot be read; what was yielded before must then be
            dropped, because a statement is whole or it is nothing. A file that is cut off or is not XML has
            ``byte N`` as its path, N being how many bytes were read.
    """
    reader = _Reader()
    for element in elements(source, frozenset({"GrpHdr", "Ntry", *KINDS})):
        yield from reader.take(element)
    if not reader.statement_count:
        raise DocumentRefused("there is no statement, report or notification in it", path="Document")


def headline(source: BinaryIO) -> tuple[str, str] | None:
    """Return definition and MsgId of a file whose root is a Document, or None for an envelope or anything else.

    Only the beginning is read; the file is left standing there.

    Raises:
        DocumentRefused: not XML, or no group header where one has to be.
    """
    definition = ""
    for event, element in beginning(source):
        if event == "start" and not definition:
            if local_name(element) != "Document":
                return None
            definition = namespace_of(element).rpartition(":")[2]
            if _NAMESPACE.fullmatch(namespace_of(element)) is None:
                return definition, ""
        elif event == "end" and local_name(element) == "GrpHdr":
            return definition, Record(element, "GrpHdr", _HEADER).opt("MsgId") or ""
    return (definition, "") if definition else None


class _Reader:
    """Where in the message the reader is: its id, and the statement whose entries are coming."""

    def __init__(self) -> None:
        self.statement_count = 0
        self._message = ""
        self._message_id = ""
        self._message_page: _Page = (None, True)
        self._statement: Statement | None = None
        self._balance_count = 0
        self._entry_count = 0

    def take(self, element: _Element) -> Iterator[Statement | Entry]:
        """Yield what the end of this element completes."""
        tag, parent = local_name(element), element.getparent()
        above = "" if parent is None else local_name(parent)
        if parent is None:
            return
        if tag == "Ntry" and above in KINDS:
            if self._statement is None:
                # Only what stands before the first entry can have been handed over with the statement.
                self._balance_count = sum(1 for _ in element.itersiblings("{*}Bal", preceding=True))
                yield self._begin(parent)
            yield self._entry(element)
        elif tag == "GrpHdr" and above in _MESSAGES:
            self._open(parent, element)
        elif tag in KINDS and above in _MESSAGES:
            if self._statement is None:
                self._balance_count = sum(1 for _ in element.iterchildren("{*}Bal"))
                yield self._begin(element)
            self._end(element)

    def _open(self, message: _Element, header: _Element) -> None:
        """Begin a message at its group header."""
        namespace = namespace_of(message)
        if _NAMESPACE.fullmatch(namespace) is None or self._message:
            raise DocumentRefused(f"expected one camt.052, 053 or 054, found {namespace[:120]}", path="Document")
        self._message = local_name(message)
        record = Record(header, f"{self._message}/GrpHdr", _HEADER)
        self._message_id = record.one("MsgId")
        self._message_page = _page(record, "MsgPgntn")

    def _begin(self, element: _Element) -> Statement:
        """Return the statement at its first entry, or at its end if it has none: all its header is there by then."""
        tag = local_name(element)
        if _MESSAGES.get(self._message) != tag:
            raise DocumentRefused(f"{tag} comes without the group header of its message", path="Document")
        self.statement_count += 1
        self._entry_count = 0
        record = Record(element, f"{self._message}/{tag}[{self.statement_count}]", _STATEMENT)
        self._statement = _read_statement(record, tag, self._message_id, self._message_page)
        return self._statement

    def _end(self, element: _Element) -> None:
        """Refuse a balance that came after the first entry: it was not there when the statement was handed over."""
        if self._statement is not None and sum(1 for _ in element.iterchildren("{*}Bal")) != self._balance_count:
            raise DocumentRefused("a balance stands behind the entries", path=f"{self._statement.path}/Bal")
        self._statement = None

    def _entry(self, element: _Element) -> Entry:
        if self._statement is None:
            raise DocumentRefused("an entry stands outside of a statement", path=self._message)
        index = self._entry_count
        self._entry_count = index + 1
        # On a statement a missing status means booked; in a notice of what may still change it must not move money.
        status = "BOOK" if self._statement.kind == "statement" else "INFO"
        return read_entry(Record(element, f"{self._statement.path}/Ntry[{index + 1}]", ENTRY), index, status)


_Page = tuple["int | None", bool]


def _page(record: Record, tag: str) -> _Page:
    """Return which page it is and whether it is the last, or None and True where there are no pages."""
    last = f"{tag}/LastPgInd"
    return record.opt_number(f"{tag}/PgNb"), record.flag(last) if record.has(last) else True


def _read_statement(record: Record, tag: str, message_id: str, message_page: _Page) -> Statement:
    """Return the header of a statement, report or notification."""
    opening, closing = _balances(record)
    currency = record.opt("Acct/Ccy")
    if currency is None and opening is not None:
        currency = opening[0].currency
    elif currency is None and (entries := record.each("Ntry", ENTRY)):
        currency = entries[0].amount("Amt").currency
    if currency is None:
        raise record.refuse("Acct/Ccy", "neither the account nor a balance nor an entry says which currency", "CH21")
    page, last_page = _page(record, f"{tag}Pgntn")
    # MsgPgntn of the group header counts messages, not pages of this statement: it is told, and proves nothing.
    told_page, told_last = message_page if page is None else (None, True)
    sequence = record.opt_number("ElctrncSeqNb")
    return Statement(
        kind=KINDS[tag],
        message_id=message_id,
        statement_id=record.one("Id"),
        account=record.opt("Acct/Id/IBAN") or record.one("Acct/Id/Othr/Id"),
        currency=currency,
        opening=opening[0] if opening else None,
        closing=closing[0] if closing else None,
        opening_date=opening[1] if opening else None,
        closing_date=closing[1] if closing else None,
        sequence=record.opt_number("LglSeqNb") if sequence is None else sequence,
        page=page or 1,
        last_page=last_page,
        created=record.opt("CreDtTm") or "",
        duplicate=record.opt("CpyDplctInd") in _DUPLICATES,
        entry_count=record.opt_number("TxsSummry/TtlNtries/NbOfNtries"),
        net_minor=_net(record, currency),
        path=record.path,
        message_page=told_page,
        message_last_page=told_last,
    )


_Balance = tuple[Money, "date | None"]


def _balances(record: Record) -> tuple[_Balance | None, _Balance | None]:
    """Return the booked opening and closing balance.

    Opening is OPBD, or PRCD, the previous closing; closing is CLBD. Where a statement has pages, the balance between
    two pages is an ITBD on each: it closes the one page and opens the next.
    """
    found: dict[str, list[_Balance]] = {}
    for balance in record.each("Bal", _BALANCE):
        code = balance.either(*places.BALANCE_TYPE) or ""
        money = balance.amount("Amt")
        if _is_debit(balance):
            money = Money(-money.amount_minor, money.currency)
        found.setdefault(code, []).append((money, balance.opt_date(*places.BALANCE_DATE)))
    between = found.get("ITBD", [])
    opening, closing = found.get("OPBD") or found.get("PRCD"), found.get("CLBD")
    if opening is None and between:
        opening, between = between[:1], between[1:]
    if closing is None and between:
        closing = between[-1:]
    return (opening[0] if opening else None), (closing[-1] if closing else None)


def _is_debit(record: Record) -> bool:
    """Say whether a balance is overdrawn. Banks leave the indicator out on a balance that is not."""
    indicator = record.opt("CdtDbtInd")
    if indicator not in {None, "CRDT", "DBIT"}:
        raise record.refuse("CdtDbtInd", f"{str(indicator)[:40]!r} is neither CRDT nor DBIT")
    return indicator == "DBIT"


def _net(record: Record, currency: str) -> int | None:
    """Return the signed total of the entries as the bank states it, or None."""
    for path, indicator in places.NET_TOTAL:
        net = record.opt_decimal(path, currency)
        if net is not None:
            return -net.amount_minor if record.opt(indicator) == "DBIT" else net.amount_minor
    credits_sum = record.opt_decimal("TxsSummry/TtlCdtNtries/Sum", currency)
    debits_sum = record.opt_decimal("TxsSummry/TtlDbtNtries/Sum", currency)
    if credits_sum is None or debits_sum is None:
        return None
    return credits_sum.amount_minor - debits_sum.amount_minor
