"""The payment side of a commercial bank: customers' files in; reports at three levels, bookings and statements out.

It reads and writes by the schemas alone, never by a rail's code. What goes wrong is asked for in a `Conduct`, so that a
test says exactly what happens. What it writes is a letter, with the moment from which on it lies in a folder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import count
from types import MappingProxyType
from typing import Literal, NamedTuple

from lxml import etree

from schemas.errors import DocumentRefused
from schemas.iso20022 import pain001, pain002, parser
from schemas.model.money import Money
from schemas.model.payment import Payment
from schemas.model.status import BlockStatus, StatusReport, TransactionStatus
from simulators.commercial_statements import Kind, Movement, Sheet, Writer, camt, csv, mt940
from simulators.customer_returns import Original, told_back

Level = Literal["transaction", "block", "group"]
ToldBack = Literal["", "pain.007", "pacs.004"]
REPORTS: Mapping[str, str] = MappingProxyType({
    "pain.001.001.03": "pain.002.001.03", "pain.001.001.05": "pain.002.001.05", "pain.001.001.09": "pain.002.001.10",
    "pain.001.001.11": "pain.002.001.12",
})  # fmt: skip
"""The version that a file came in -> the one that it is answered in."""
STATEMENTS: Mapping[str, Writer] = MappingProxyType({
    "camt.053.001.02": camt("053", "02"), "camt.053.001.08": camt("053", "08"),
    "MT940": mt940("structured", blocks=True), "CSV": csv,
})  # fmt: skip
"""The forms that statements come in."""
LATER = timedelta(minutes=10)
"""From what comes first to what comes after it: a whole file after a broken one, a decision after PDNG."""
CUT = 0.6
"""How much of a broken file is there."""


@dataclass(frozen=True, slots=True)
class Conduct:
    """How the desk behaves.

    Attributes:
        rejections: EndToEndId, creditor's account, or the last three digits of that -> reason code; the others of a
            file are accepted.
        returns: likewise, for what is booked and comes back on the next day.
        refuse_file: reason code with which each file is refused whole.
        level: at which a report speaks, where one status holds for all of a block or message; else it is more exact.
        pending_first: PDNG for the whole file, and the decision later.
        swapped: what was made first comes last.
        twice: each report comes a second time, the same bytes.
        late_s: seconds until a report comes.
        silent: there are no reports.
        cut: each report comes cut off before it comes whole.
        withheld: statements that are not sent until one more day has been closed.
        return_days: closings after which what was booked comes back.
        fee_minor: what the bank takes at each closing for an account that was ever used.
        itemised: a statement lists what was booked as one entry, where its form has a place for that.
        told_back: what comes back is told by a message of its own as well (pain.007, or pacs.004).
    """

    rejections: Mapping[str, str] = field(default_factory=dict)
    returns: Mapping[str, str] = field(default_factory=dict)
    refuse_file: str | None = None
    level: Level = "transaction"
    pending_first: bool = False
    swapped: bool = False
    twice: bool = False
    late_s: int = 0
    silent: bool = False
    cut: bool = False
    withheld: int = 0
    return_days: int = 1
    fee_minor: int = 0
    itemised: bool = False
    told_back: ToldBack = ""


FLAWLESS = Conduct()


class Fate(NamedTuple):
    """What the desk has decided of one payment: why it is rejected, or None where it is booked."""

    payment: Payment
    reason: str | None


@dataclass(frozen=True, slots=True, order=True)
class Letter:
    """A file for the customer: from when on it lies in the folder, its number, name and bytes."""

    due: datetime
    number: int
    name: str
    content: bytes


@dataclass(slots=True)
class _Account:
    """An account of the customer: what is on it, and what was booked since its last statement."""

    balance: Money
    opening: Money
    sequence: int = 0
    movements: list[Movement] = field(default_factory=list)


@dataclass(slots=True)
class _Returning:
    """A payment that comes back: to which account, why, and after how many closings of the books."""

    account: str
    original: Original
    reason: str
    closings: int


class CustomerDesk:
    """The desk and its books.

    Args:
        openings: the customer's accounts, and what is on them at first.
        statements: one of `STATEMENTS`.
        now: the bank's clock.
        conduct: how it behaves; it may be changed at any time.
        checks_duplicates: it refuses a file of a MsgId that it has had (DU01); else it pays what comes again.

    Attributes:
        form: of its statements.
        letters: what is under way to the customer.
        paid: EndToEndIds in the order in which they were booked.
        fates: MsgId -> what was decided of its payments, each time that it came.
        returned: what came back of what was booked.
        booked: every booking, in order.
    """

    def __init__(
        self,
        openings: Mapping[str, Money],
        statements: str,
        now: Callable[[], datetime],
        conduct: Conduct = FLAWLESS,
        *,
        checks_duplicates: bool = True,
    ) -> None:
        self._accounts = {number: _Account(money, money) for number, money in openings.items()}
        self._write, self.form, self._now = STATEMENTS[statements], statements, now
        self.conduct = conduct
        self.letters: list[Letter] = []
        self.paid: list[str] = []
        self.fates: dict[str, list[Fate]] = {}
        self.returned: list[Payment] = []
        self.booked: list[Movement] = []
        self._checks_duplicates = checks_duplicates
        self._numbers = count(1)
        self._known: set[str] = set()
        self._returning: list[_Returning] = []
        self._withheld: list[tuple[str, bytes]] = []

    def balance(self, account: str) -> Money:
        """Return what is on an account."""
        return self._accounts[account].balance

    def expects(self) -> bool:
        """Tell whether something will still come of what it has taken: a letter, a statement, or a return."""
        unstated = any(account.movements for account in self._accounts.values())
        return bool(self.letters or self._returning or self._withheld or unstated)

    def due(self) -> list[Letter]:
        """Take the letters whose time has come, in the order in which they lie there."""
        now = self._now()
        come = sorted(letter for letter in self.letters if letter.due <= now)
        self.letters = [letter for letter in self.letters if letter.due > now]
        return come

    # --------------------------------------------------------------------------------------------------------- files

    def take(self, content: bytes) -> None:
        """Take a customer's file: decide on its payments, book them, and put the reports on their way."""
        try:
            root = parser.parse(content)
            group, blocks = pain001.read(root)
        except DocumentRefused as refused:
            self._report([self._whole("NOTPROVIDED", "pain.001.001.03", "RJCT", refused.code)], "pain.001.001.03")
            return
        name = etree.QName(root).namespace.rpartition(":")[2]
        fates = self.fates.setdefault(group.message_id, [])
        is_known = self._checks_duplicates and group.message_id in self._known
        if is_known or self.conduct.refuse_file:
            reason = "DU01" if is_known else self.conduct.refuse_file
            if not is_known:
                fates += [Fate(payment, reason) for block in blocks for payment in block.payments]
            self._report([self._whole(group.message_id, name, "RJCT", reason)], name)
            return
        self._known.add(group.message_id)
        decided = [(block, [self._decide(payment) for payment in block.payments]) for block in blocks]
        for block, reasons in decided:
            fates += map(Fate, block.payments, reasons)
        reports = [self._decision(group.message_id, name, decided)]
        if self.conduct.pending_first:
            reports.insert(0, self._whole(group.message_id, name, "PDNG", None))
        self._report(reports, name)
        for block, reasons in decided:
            self._book_block(group.message_id, name, block, reasons)

    def _decide(self, payment: Payment) -> str | None:
        """Return why a payment is rejected, or None; the money of what is accepted is taken into account at once."""
        account = self._accounts.get(payment.debtor_account.number)
        if (reason := _asked(self.conduct.rejections, payment)) is not None:
            return reason
        if account is None:
            return "AC02"
        if payment.amount.currency != account.balance.currency:
            return "AM03"
        if payment.amount.amount_minor > account.balance.amount_minor:
            return "AM04"
        self._add(account, -payment.amount.amount_minor)
        return None

    def _book_block(self, message_id: str, version: str, block: pain001.Block, reasons: Sequence[str | None]) -> None:
        """Book what was accepted: as one entry where the customer wants that, else one by one."""
        accepted = [p for p, reason in zip(block.payments, reasons, strict=True) if reason is None]
        if not accepted:
            return
        number = block.payments[0].debtor_account.number
        self.paid += [payment.end_to_end_id for payment in accepted]
        if block.batch_booking:
            total = sum(payment.amount.amount_minor for payment in accepted)
            inside = accepted if self.conduct.itemised else ()
            self._book(number, "payment", -total, text=block.block_id, inside=inside)
        else:
            for payment in accepted:
                self._book(number, "payment", -payment.amount.amount_minor, payment)
        for payment in accepted:
            if (back := _asked(self.conduct.returns, payment)) is not None:
                original = Original(message_id, version, block.block_id, payment)
                self._returning.append(_Returning(number, original, back, self.conduct.return_days))

    def _book(
        self, account: str, kind: Kind, minor: int, payment: Payment | None = None, text: str = "",
        reason: str | None = None, inside: Sequence[Payment] = (),
    ) -> None:  # fmt: skip
        movement = self._movement(account, kind, minor, payment, text, reason)
        parts = [self._movement(account, kind, -x.amount.amount_minor, x, "", None) for x in inside]
        movement = replace(movement, inside=tuple(replace(part, is_inside=True) for part in parts))
        self._accounts[account].movements.append(movement)
        self.booked.append(movement)

    def _movement(
        self, account: str, kind: Kind, minor: int, payment: Payment | None, text: str, reason: str | None
    ) -> Movement:
        number = next(self._numbers)
        party = payment.creditor.name if payment else None
        return Movement(
            number,
            account,
            minor,
            kind,
            self._day(),
            f"PD{number:08d}",
            payment.end_to_end_id if payment else None,
            text,
            party if party and party.isascii() else None,
            payment.creditor_account.number if payment else None,
            reason,
        )

    def _day(self) -> date:
        return self._now().date()

    # ------------------------------------------------------------------------------------------------------- reports

    def _whole(self, message_id: str, name: str, status: str, reason: str | None) -> StatusReport:
        """Return a report of one status for a whole message."""
        return StatusReport(f"PR-{next(self._numbers):08d}", message_id, name, status, reason, None)

    def _decision(
        self, message_id: str, name: str, decided: Sequence[tuple[pain001.Block, Sequence[str | None]]]
    ) -> StatusReport:
        """Return what was decided, at the level that the conduct asks for where that says it all."""
        everything = [reason for _, reasons in decided for reason in reasons]
        status, reason = _summed(everything)
        if self.conduct.level == "group" and status != "PART":
            return self._whole(message_id, name, status, reason)
        report = self._whole(message_id, name, status, None)
        blocks = tuple(self._block(block, reasons) for block, reasons in decided)
        return StatusReport(report.message_id, message_id, name, status, None, None, blocks=blocks)

    def _block(self, block: pain001.Block, reasons: Sequence[str | None]) -> BlockStatus:
        status, reason = _summed(reasons)
        if self.conduct.level != "transaction" and status != "PART":
            return BlockStatus(block.block_id, status, reason)
        said = [
            TransactionStatus(
                "RJCT" if why else "ACSP", p.end_to_end_id, p.instruction_id or None, p.uetr or None, None, why
            )
            for p, why in zip(block.payments, reasons, strict=True)
        ]
        return BlockStatus(block.block_id, status, transactions=tuple(said))

    def _report(self, reports: Sequence[StatusReport], version: str) -> None:
        """Put reports on their way; each is made later than the one before it, however they come."""
        if self.conduct.silent:
            return
        definition, now = REPORTS[version], self._now()
        come = now + timedelta(seconds=self.conduct.late_s)
        moments = [come + place * LATER for place in range(len(reports))]
        if self.conduct.swapped:
            moments.reverse()
        for place, (report, moment) in enumerate(zip(reports, moments, strict=True)):
            made = StatusReport(
                report.message_id, report.original_message_id, report.original_message_name, report.group_status,
                report.group_reason, None, blocks=report.blocks, created=now + place * timedelta(seconds=1),
            )  # fmt: skip
            content = etree.tostring(pain002.build(made, definition), encoding="UTF-8", xml_declaration=True)
            self._send(moment, f"{definition}-{report.message_id}.xml", content)

    def _send(self, due: datetime, name: str, content: bytes) -> None:
        """Put a file on its way, with what goes wrong on it."""
        if self.conduct.cut:
            self.letters.append(Letter(due, next(self._numbers), f"cut-{name}", content[: int(len(content) * CUT)]))
            due += LATER
        self.letters.append(Letter(due, next(self._numbers), name, content))
        if self.conduct.twice:
            self.letters.append(Letter(due, next(self._numbers), f"again-{name}", content))

    # ---------------------------------------------------------------------------------------------------- statements

    def close_day(self) -> None:
        """Close the books of the day: a statement for each account on which something was booked."""
        self._charge()
        for number, account in self._accounts.items():
            if not account.movements:
                continue
            account.sequence += 1
            name = f"{self.form}-{number}-{account.sequence:04d}"
            sheet = Sheet(
                number, name, name[-35:], account.sequence, self._day(), account.opening, account.balance,
                tuple(account.movements), self._now(),
            )  # fmt: skip
            self._withheld.append((name, self._write(sheet)))
            account.opening, account.movements = account.balance, []
        while len(self._withheld) > self.conduct.withheld:
            name, content = self._withheld.pop(0)
            self.letters.append(Letter(self._now(), next(self._numbers), name, content))
        self._give_back()

    def _charge(self) -> None:
        """Take the fee of the day."""
        for number, account in self._accounts.items():
            if self.conduct.fee_minor and (account.movements or account.sequence):
                self._add(account, -self.conduct.fee_minor)
                self._book(number, "charge", -self.conduct.fee_minor)

    def _give_back(self) -> None:
        """Book what comes back: it stands on the statement of the next day."""
        for one in self._returning:
            one.closings -= 1
        for one in (x for x in self._returning if not x.closings):
            payment = one.original.payment
            self._add(self._accounts[one.account], payment.amount.amount_minor)
            self._book(one.account, "return", payment.amount.amount_minor, payment, reason=one.reason)
            self.returned.append(payment)
            if self.conduct.told_back:
                name = f"{self.conduct.told_back}-{next(self._numbers):08d}"
                self._send(
                    self._now(), name, told_back(self.conduct.told_back, name, one.original, one.reason, self._now())
                )
        self._returning = [one for one in self._returning if one.closings]

    def _add(self, account: _Account, minor: int) -> None:
        account.balance = Money(account.balance.amount_minor + minor, account.balance.currency)


def _asked(table: Mapping[str, str], payment: Payment) -> str | None:
    """Return the reason that a table has for a payment."""
    number = payment.creditor_account.number
    return next((table[key] for key in (payment.end_to_end_id, number, number[-3:]) if key in table), None)


def _summed(reasons: Sequence[str | None]) -> tuple[str, str | None]:
    """Return the one status of several payments, and its reason where all have the same."""
    if not any(reasons):
        return "ACSP", None
    if not all(reasons):
        return "PART", None
    return "RJCT", reasons[0] if len(set(reasons)) == 1 else None
