"""MT940 and MT950 statements and MT942 reports, read into the same Statement and Entry as camt.053 and camt.052.

What the standard demands and every bank sends is demanded here as well; what is not said is left out; what cannot be
read is refused with its line, never guessed. A file that is cut off ends in a refusal: a statement without its closing
balance is nothing, and the last line must have its end.

**The statement's id.** MT has none: ``:20:`` is often the same word every day. It is made of what the bank repeats when
it sends a statement again: ``MT940-143/1-20200608-1f0a2b3c`` is number and page of ``:28C:``, the closing date, and the
first eight digits of the account's SHA-256, so that the id may be shown where the account may not. The pages of one
numbered statement (those with an intermediate balance, :60M: or :62M:) share one id, without the page and with the year
alone, because each page closes on a day of its own. An MT942 has the time of its ``:13D:`` in place of the date.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from schemas.codes import currency_exponent
from schemas.errors import DocumentRefused
from schemas.model.statement import Detail, Entry, Statement
from schemas.mt import confirmation, fields
from schemas.mt.information import Information, read_information
from schemas.mt.message import FOREIGN_LINES_MAX, Field, Message, messages

STATEMENTS: Final = frozenset({"940", "950"})
REPORTS: Final = frozenset({"942"})
_OPENING, _CLOSING = ("60F", "60M"), ("62F", "62M")
_SINGLE = frozenset({"20", "25", "25P", "28", "28C", "60F", "60M", "62F", "62M", "13", "13D", "90C", "90D"})
_CURRENCY_LENGTH = 3


def is_mt(head: bytes) -> bool:
    """Tell by its first kilobytes whether a file holds MT messages: block 1, or :20: behind a bank's own lines.

    Every MT counts, so that one that is none of ours is refused for what it is.
    """
    for line in head.decode("latin-1").removeprefix("\u00ef\u00bb\u00bf").split("\n", FOREIGN_LINES_MAX):
        text = line.lstrip(" \t\r\x01\x02\x03")
        if text.startswith(("{1:F", "{1:A", "{1:L", ":20:")):
            return True
        if text.startswith(("<", "{", "[")):
            return False
    return False


def read(source: bytes | BinaryIO) -> Iterator[Statement | Entry]:
    """Yield each Statement, followed by its entries: the contents of a file of one or more messages.

    An MT940 or MT950 is a ``statement``, an MT942 a ``report``, an MT900 or MT910 a ``notification`` with one entry.

    Raises:
        DocumentRefused: while reading, at the first thing that cannot be read, with its line as the path; what was
            yielded before must then be dropped, because a document is whole or it is nothing.
    """
    for message in messages(source):
        if message.number in confirmation.TYPES:
            yield from confirmation.read(message)
        else:
            parts = _sort(message)
            head = _report(message, parts) if _is_report(message, parts) else _statement(message, parts)
            yield head
            for index, (line, information) in enumerate(parts.entries):
                yield _entry(head, index, line, information)


@dataclass(slots=True)
class _Parts:
    """A message's fields: those that are there once, by tag, and each :61: with the lines of its :86:."""

    single: dict[str, Field] = field(default_factory=dict)
    entries: list[tuple[Field, tuple[str, ...]]] = field(default_factory=list)

    def first(self, *tags: str) -> Field | None:
        """Return the field of the first of these tags that is there."""
        return next((self.single[tag] for tag in tags if tag in self.single), None)


def _sort(message: Message) -> _Parts:
    """Return the message's fields by what they are.

    Raises:
        DocumentRefused: a field that must not be repeated, or an entry outside of the two balances.
    """
    parts = _Parts()
    is_closed = False
    for one in message.fields:
        if one.tag in _SINGLE:
            if one.tag in parts.single:
                raise one.refuse("must not be repeated in one message")
            parts.single[one.tag] = one
            is_closed = is_closed or one.tag in {"62F", "62M", "90C", "90D"}
        elif one.tag == "61":
            if is_closed:
                raise one.refuse("an entry stands behind the closing balance or the totals")
            parts.entries.append((one, ()))
        elif one.tag == "86" and parts.entries and not is_closed:  # else it is about the statement
            line, lines = parts.entries[-1]
            parts.entries[-1] = (line, (*lines, *one.lines))
    for tags in (_OPENING, _CLOSING, ("28", "28C"), ("25", "25P")):
        if all(tag in parts.single for tag in tags):
            raise parts.single[tags[1]].refuse(f"a message has either :{tags[0]}: or :{tags[1]}:")
    return parts


def _is_report(message: Message, parts: _Parts) -> bool:
    """Tell an MT942 from an MT940, by what the file says or else by which fields there are."""
    if message.number in REPORTS:
        return True
    if message.number and message.number not in STATEMENTS:
        raise DocumentRefused(f"an MT{message.number} is no statement, report or confirmation", path=message.path)
    if not message.number and any(one.tag == "32A" for one in message.fields):
        raise DocumentRefused("it looks like an MT900 or MT910, and nothing says which of them", path=message.path)
    if message.number or parts.first(*_OPENING, *_CLOSING):
        return False
    return any(one.tag in {"34F", "13D"} for one in message.fields)


def _require(message: Message, parts: _Parts, *tags: str) -> Field:
    found = parts.first(*tags)
    if found is None:
        raise DocumentRefused(f":{tags[0]}: is missing", code="CH21", path=message.path)
    return found


def _statement(message: Message, parts: _Parts) -> Statement:
    """Return the head of an MT940 or MT950."""
    opening_field = _require(message, parts, *_OPENING)
    closing_field = parts.first(*_CLOSING)
    if closing_field is None:
        raise DocumentRefused("cut off: the closing balance (:62F:, :62M:) is missing", code="CH21",
                              path=f"line {message.last_line}")  # fmt: skip
    if any(line.line < opening_field.line for line, _ in parts.entries) or closing_field.line < opening_field.line:
        raise opening_field.refuse("the opening balance stands behind an entry or the closing balance")
    opening, closing = fields.balance(opening_field), fields.balance(closing_field)
    number, page = _number(parts)
    is_paged = opening_field.tag == "60M" or closing_field.tag == "62M"
    account = fields.account(_require(message, parts, "25", "25P"), opening.money.currency)
    day = f"{closing.day:%Y}" if is_paged and number else f"{closing.day:%Y%m%d}"
    shown = str(number) if is_paged or page is None else f"{number}/{page}"
    entry_count, net_minor = _totals(parts, opening.money.currency)
    return Statement(
        kind="statement",
        message_id=_require(message, parts, "20").value,
        statement_id=f"MT940-{shown}-{day}-{fields.digest(account)}",
        account=account,
        currency=opening.money.currency,
        opening=opening.money,
        closing=closing.money,
        opening_date=opening.day,
        closing_date=closing.day,
        sequence=number or None,  # banks that do not count their statements write 0 on each of them
        page=max(page or 1, 1) if is_paged else 1,
        last_page=closing_field.tag == "62F",
        duplicate=message.duplicate,
        entry_count=entry_count,
        net_minor=net_minor,
        path=message.path,
    )


def _report(message: Message, parts: _Parts) -> Statement:
    """Return the head of an MT942, whose currency is that of its floor limit."""
    if not message.ended and not parts.first("90C", "90D"):
        raise DocumentRefused("cut off: neither the totals nor the end of the message are there", code="CH21",
                              path=f"line {message.last_line}")  # fmt: skip
    limit = next((one for one in message.fields if one.tag == "34F"), None)
    if limit is None:
        raise DocumentRefused(":34F: is missing, nothing says which currency", code="CH21", path=message.path)
    currency = limit.value[:_CURRENCY_LENGTH]
    if currency_exponent(currency) is None:
        raise limit.refuse(f"{currency!r} is not an ISO 4217 currency that money can be in", "AM11")
    number, page = _number(parts)
    account = fields.account(_require(message, parts, "25", "25P"), currency)
    made = parts.first("13D", "13")
    reference = _require(message, parts, "20").value
    created = fields.moment(made) if made else ""
    stamp = "".join(made.value.split()) if made else reference
    entry_count, net_minor = _totals(parts, currency)
    return Statement(
        kind="report",
        message_id=reference,
        statement_id=f"MT942-{number if page is None else f'{number}/{page}'}-{stamp}-{fields.digest(account)}",
        account=account,
        currency=currency,
        sequence=number or None,
        created=created,
        duplicate=message.duplicate,
        entry_count=entry_count,
        net_minor=net_minor,
        path=message.path,
    )


def _number(parts: _Parts) -> tuple[int, int | None]:
    """Return number and page of :28C:, 0 where the bank leaves the field out."""
    found = parts.first("28C", "28")
    return fields.numbers(found) if found else (0, None)


def _totals(parts: _Parts, currency: str) -> tuple[int | None, int | None]:
    """Return how many entries there are by the bank's count, and their signed sum; None without both totals."""
    if not {"90C", "90D"} <= parts.single.keys():
        return None, None
    credit_count, credited = fields.total(parts.single["90C"])
    debit_count, debited = fields.total(parts.single["90D"])
    if {credited.currency, debited.currency} != {currency}:
        raise parts.single["90D"].refuse(f"the totals are not in {currency}", "AC09")
    return credit_count + debit_count, credited.amount_minor - debited.amount_minor


def _entry(head: Statement, index: int, one: Field, lines: tuple[str, ...]) -> Entry:
    """Return a :61: with its :86:.

    On a statement an entry is booked. In a report it is informational, as in a camt.052 that does not say, and pending
    where the bank only expects it.
    """
    line = fields.statement_line(one, head.currency)
    information = read_information(lines, 1 if line.amount.amount_minor > 0 else -1) if lines else Information()
    detail = Detail(
        end_to_end_id=information.end_to_end_id,
        uetr=information.uetr,
        instruction_id=information.instruction_id or line.customer_reference,
        return_reason=information.return_reason,
        remittance=information.remittance,
        counterparty_name=information.counterparty_name,
        counterparty_account=information.counterparty_account,
        creditor_reference=information.creditor_reference,
    )
    status = "PDNG" if line.expected else "BOOK" if head.kind == "statement" else "INFO"
    return Entry(
        index=index,
        amount_minor=line.amount.amount_minor,
        currency=head.currency,
        status=status,
        booking_date=line.booking_date,
        value_date=line.value_date,
        entry_reference=line.customer_reference,
        servicer_reference=line.bank_reference,
        bank_transaction_code="/".join(code for code in (line.type_code, information.business_code) if code),
        reversal=line.reversal,
        charges_minor=line.charges_minor,
        additional_info=" ".join(text for text in (information.booking_text, line.supplement) if text) or None,
        details=(detail,) if detail != Detail() else (),
        path=one.path,
    )
