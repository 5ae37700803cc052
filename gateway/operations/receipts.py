"""Bills by hand: imported from a file, looked at, and withdrawn.

A file is taken in slices, each in one transaction with its link in the audit trail; the same file again changes
nothing. The source is told of what was taken in, as if it had sent the bills itself; what was refused is for whoever
imports the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

from gateway.core.kinds import KINDS
from gateway.core.ledger import Transfer, cash
from gateway.flow import receipts
from gateway.flow.policy import Policy
from gateway.flow.receipts import Taken
from gateway.operations import lookup, orderfiles
from gateway.operations.cases import case, taken_out
from gateway.operations.operator import Operator
from gateway.operations.orderfiles import Line, OrderFile
from gateway.store import findings, ledger
from gateway.store.findings import Finding
from gateway.store.session import Row, Session
from gateway.store.times import from_ms
from gateway.store.trail import Trail
from schemas.errors import OperationRefused
from schemas.model.money import Money
from schemas.receipts import RECEIPTS_MAX, ExpectedReceipt, Item, Withdrawal, read_receipt

REASON_CHARACTERS_MAX = 400
_TRUTHS: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
"""How a CSV file, which knows nothing but text, says whether a bill may be paid in parts."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one bill of a file.

    Attributes:
        line: where it stands in the file (line, or position in a JSON list).
        outcome: NEW, KNOWN (the same bill came before; ``state`` says where it stands), REFUSED or UNREADABLE.
        reasons: (code, path, words) of a refusal; none otherwise.
    """

    line: int
    bill_id: str
    outcome: str
    state: str
    reasons: tuple[tuple[str, str, str], ...] = ()

    @property
    def is_refused(self) -> bool:
        """Whether nothing is expected because of it."""
        return self.outcome in {"REFUSED", "UNREADABLE"}


@dataclass(frozen=True, slots=True)
class BillLine:
    """A bill in a list. ``account`` is whole, and masked where a person reads it."""

    id: int
    source: str
    bill_id: str
    state: str
    amount: Money
    received: Money
    account: str
    reference: str
    due_day: str
    changed: datetime


@dataclass(frozen=True, slots=True)
class Paid:
    """What an entry of a statement paid of a bill; ``taken_back``: when the bank took the entry back, if it did."""

    entry: int
    statement: int | None
    amount: Money
    surplus: Money
    rule: str
    booking_day: str | None
    servicer_reference: str | None
    at: datetime
    taken_back: datetime | None = None


@dataclass(frozen=True, slots=True)
class BillPage:
    """Everything that is known of a bill."""

    bill: BillLine
    partial_allowed: bool
    payer: str | None
    payer_account: str | None
    announced: datetime
    reason: str | None
    sha256: str
    paid: list[Paid]


# --------------------------------------------------------------------------------------------------------------- import


def open_file(path: Path, form: str | None = None) -> OrderFile:
    """Look at a file of bills: *.ndjson, *.json or *.csv.

    Raises:
        OrderMessageRefused: it cannot be read, or is none of the three.
    """
    return orderfiles.open_file(path, form, ExpectedReceipt)


def take(by: Operator, policy: Policy, source: str, file: OrderFile) -> Iterator[Imported]:
    """Take the bills of a file in as those of a source, and yield what became of each.

    Raises:
        OperationRefused: there is no such source, or it may not expect money.
        OrderMessageRefused: the file cannot be read; what stands before that place was taken.
    """
    terms = policy.sources.get(source)
    if terms is None or not terms.receipt_accounts:
        known = ", ".join(name for name, one in policy.sources.items() if one.receipt_accounts) or "none is configured"
        raise OperationRefused(f"{source!r} is no source that may expect money (receipt_accounts): {known}")
    lines = file.lines()
    while some := list(islice(lines, RECEIPTS_MAX)):
        yield from _take(by, policy, source, file, some)


def _take(by: Operator, policy: Policy, source: str, file: OrderFile, lines: list[Line]) -> list[Imported]:
    found = [_typed(x.order) if file.form == "csv" else x.order for x in lines if x.order is not None]
    items: list[tuple[str, Item]] = [("", read_receipt(one)) for one in found]

    def work(db: Session, trail: Trail) -> list[Taken]:
        taken = receipts.take(db, policy, source, items, trail.at_ms)
        receipts.tell(db, source, [one for one in taken if one.state != "REFUSED"], trail.at_ms)
        facts = {
            "source": source, "file": file.path.name, "sha256": file.sha256, "first_line": lines[0].number,
            **receipts.counted(taken),
        }  # fmt: skip
        by.record(db, trail, "receipts.import", facts)
        return taken

    taken = iter(by.act(work) if items else [])
    return [_unreadable(line) if line.order is None else _imported(line, next(taken)) for line in lines]


def _typed(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a bill of a CSV file with the one field that is no text; what is no truth is left to be refused."""
    said = found.get("partial_allowed")
    if not isinstance(said, str) or said.lower() not in _TRUTHS:
        return found
    return {**found, "partial_allowed": _TRUTHS[said.lower()]}


def _unreadable(line: Line) -> Imported:
    code = line.error.code if line.error else "FF02"
    words = str(line.error).partition(": ")[2]  # the line's number says where
    return Imported(line.number, line.text("bill_id"), "UNREADABLE", "UNREADABLE", ((code, "", words),))


def _imported(line: Line, one: Taken) -> Imported:
    reasons = tuple((refusal.code, refusal.path, refusal.message) for refusal in one.refusals)
    outcome = "REFUSED" if one.state == "REFUSED" else "KNOWN" if one.repeated else "NEW"
    return Imported(line.number, one.bill_id or line.text("bill_id"), outcome, one.state, reasons)


# ---------------------------------------------------------------------------------------------------------------- views


def listed(db: Session, *, state: str | None, source: str | None, count: int) -> list[BillLine]:
    """Return bills, the newest first."""
    return [_line(row) for row in db.all("list_receipts", state=state, source=source, count=count)]


def page(db: Session, key: str) -> BillPage:
    """Return one bill: by its number, its id, or source/id.

    Raises:
        OperationRefused: there is no such bill, or several of them.
    """
    row = _find(db, key)
    currency = row[4]
    paid = [_paid(booking, currency) for booking in db.all("receipt_bookings", receipt=row[0])]
    return BillPage(_line(row), bool(row[11]), row[12], row[13], from_ms(row[14]), row[15], row[16], paid)


def _paid(row: Row, currency: str) -> Paid:
    entry, minor, surplus, rule, at_ms, day, reference, statement, back_ms = row
    amount, beyond = Money(minor, currency), Money(surplus, currency)
    back = from_ms(back_ms) if back_ms is not None else None
    return Paid(entry, statement, amount, beyond, rule, day, reference, from_ms(at_ms), back)


def _find(db: Session, key: str) -> Row:
    source, slash, bill_id = key.partition("/")
    number = int(key) if key.isascii() and key.isdigit() and len(key) < 19 else -1  # noqa: PLR2004 - a BIGINT's digits
    found = db.all("find_receipts", number=number, bill_id=key, source=None)
    if not found and slash:
        found = db.all("find_receipts", number=-1, bill_id=bill_id, source=source)
    if not found:
        raise OperationRefused(f"there is no bill {key!r}; gateway receipts list shows them")
    if len(found) > 1:
        names = ", ".join(f"{row[1]}/{row[2]} (number {row[0]})" for row in found)
        raise OperationRefused(f"{key!r} may be {names}; say source/id")
    return found[0]


def _line(row: Row) -> BillLine:
    amount, received = Money(row[5], row[4]), Money(row[6], row[4])
    return BillLine(row[0], row[1], row[2], row[7], amount, received, row[3], row[8], row[9], from_ms(row[10]))


# -------------------------------------------------------------------------------------------------------------- unmatch


@dataclass(frozen=True, slots=True)
class Unmatched:
    """What was taken from bills: the entry, what it had paid, and the exception that holds its money from now on."""

    entry: int
    amount: Money
    bills: tuple[str, ...]
    exception: int


def unmatch(by: Operator, entry: int, reason: str) -> Unmatched:
    """Take an entry from the bills that it has paid: they are open again, and all of its money is in suspense.

    The source is told, and the entry is never booked on these bills again by itself.

    Raises:
        OperationRefused: it has paid no bill, a part of it was taken out of suspense, or no reason is given.
    """
    reason = reason.strip()[:REASON_CHARACTERS_MAX]
    if not reason:
        raise OperationRefused("say why: the money of a bill that was paid is in suspense again")

    def work(db: Session, trail: Trail) -> Unmatched:
        if 0 < entry <= lookup.NUMBER_MAX:
            db.one("lock_account_of_entry", entry=entry)
        row = db.one("lock_entry", id=entry) if 0 < entry <= lookup.NUMBER_MAX else None
        if row is None or row[5] != "receipt":
            raise OperationRefused(f"entry {entry} has paid no bill; gateway receipts show BILL lists its entries")
        _, _, account, currency, minor, *_ = row
        _close_surplus(db, entry, trail)
        now = receipts.unbook(db, [entry], trail)
        paid = db.all("postings_of", subject=entry, cause="receipt")
        net = sum(m * (debit.startswith("bank:") - credit.startswith("bank:")) for _, debit, credit, m, _, _ in paid)
        legs = len(db.all("postings_of", subject=entry, cause="suspend"))
        ledger.post(db, [
            Transfer("receipt", entry, paid[-1][0] + 1, paid[-1][2], paid[-1][1], net, currency),
            cash("suspend", entry, legs, account, f"suspense:{account}", net, currency),
        ], trail.at_ms)  # fmt: skip
        db.pick([(entry, "suspense", None, str(minor))])
        db.run("explain_entries")
        bills = tuple(f"{bill.source}/{bill.bill_id}" for bill in now.values())
        evidence = {"entry": entry, "amount": Money(minor, currency).text(), "why": f"taken from its bill: {reason}"}
        profile = db.value("profile_of_entry", id=entry)
        found = Finding("unmatched_credit", str(entry), profile, account, currency, minor, entry, evidence)
        findings.open_again(db, found, trail.at_ms)
        by.record(db, trail, "receipts.unmatch", {
            "entry": entry, "receipts": sorted(now), "amount": Money(net, currency).text(), "reason": reason,
        })  # fmt: skip
        db.pick([(None, "unmatched_credit")])
        number = db.all("exceptions_of_entry", entry=entry, identity=str(entry))[-1][0]
        return Unmatched(entry, Money(net, currency), bills, number)

    return by.act(work)


def _close_surplus(db: Session, entry: int, trail: Trail) -> None:
    """Close what asks for the surplus of an entry alone, unless somebody has decided on that."""
    db.pick((None, kind.name) for kind in KINDS.values() if kind.holds_money)
    for number, state, _ in db.all("exceptions_of_entry", entry=entry, identity=str(entry)):
        if taken_out(db.all("postings_of", subject=number, cause="resolve")):
            raise OperationRefused(
                f"entry {entry}: what it brought beyond its bill was taken out of suspense; first: gateway exceptions "
                f"reopen {number}"
            )
        if state != "resolved":
            findings.close(db, case(db, number).kind, str(entry), trail.actor, "taken from its bill", trail.at_ms)


# ------------------------------------------------------------------------------------------------------------- withdraw


def withdraw(by: Operator, policy: Policy, key: str, reason: str) -> BillPage:
    """Withdraw a bill that is still open: nothing is expected any more; its source is told.

    Raises:
        OperationRefused: there is no such bill, it is paid or withdrawn already, or no reason is given.
    """
    if not reason.strip() or not reason.isprintable():
        raise OperationRefused("say why, in printable characters: the source is told")

    def work(db: Session, trail: Trail) -> BillPage:
        row = _find(db, key)
        number, source, bill_id = row[0], row[1], row[2]
        (one,) = receipts.take(db, policy, source, [("", Withdrawal(bill_id=bill_id, reason=reason))], trail.at_ms)
        if one.refusals:
            raise OperationRefused(f"bill {key}: {one.refusals[0].message}")
        if one.repeated:
            raise OperationRefused(f"bill {key} is withdrawn already")
        receipts.tell(db, source, [one], trail.at_ms)
        by.record(db, trail, "receipts.withdraw", {"receipt": number, "source": source, "bill_id": bill_id,
                                                   "reason": reason})  # fmt: skip
        return page(db, str(number))

    return by.act(work)
