"""A net clearing house with books of its own: takes flat files, answers with status files, and states what it booked.

Its columns are written down here once more, as its own handbook has them, so that a mistake of the rail is not
mirrored. It debits the sender and credits the receiver in two steps; a plan can stop it in between.

    house = NetClearingHouse(folder, {"000300000001": Money(1_000_000_00, "KHR")}, clock.now)
    house.collect()     # takes what lies in ``out``: Waiting
    house.settle()      # the clearing session: Processed, Error, or Suspended
    house.close_day()   # one MT940 an account into ``in``
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from schemas.model.money import Money

LINE = 280
END = "\r\n"
LINES_MIN = 3
"""Header, one detail, trailer."""
_HIDDEN = "."


@dataclass(slots=True)
class Line:
    """One payment of a file, and what became of it."""

    instruction: str
    end_to_end_id: str
    amount: Money
    account: str
    word: str = "Waiting"
    reason: str = ""
    debited: bool = False
    credited: bool = False


@dataclass(slots=True)
class Taken:
    """A file that was taken: whose account it debits, and its lines."""

    debtor_account: str
    lines: list[Line]
    word: str = "Waiting"
    reason: str = ""


@dataclass(slots=True)
class _Day:
    """An account's open day: what it began with, and (signed minor units, reference) of what was booked."""

    opening_minor: int
    booked: list[tuple[int, str]] = field(default_factory=list)
    sequence: int = 1


class NetClearingHouse:
    """The house.

    Args:
        folder: with ``out`` (files for it) and ``in`` (its answers); where files of an SFTP server lie, or a share.
        balances: of our accounts.
        now: the clock.
        plans: EndToEndId -> a reason of its own (``E001``) to refuse a line, or ``half`` to stop after the debit.

    Attributes:
        tells: it says by itself what becomes of a file; else only who asks hears of it.
        paid: EndToEndId -> how often its creditor was credited.
    """

    def __init__(
        self, folder: Path, balances: Mapping[str, Money], now: Callable[[], datetime],
        plans: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self._out, self._in, self._taken = folder / "out", folder / "in", folder / "taken"
        for path in (self._out, self._in, self._taken):
            path.mkdir(parents=True, exist_ok=True)
        self._now, self._plans = now, dict(plans or {})
        self._currencies = {account: money.currency for account, money in balances.items()}
        self._days = {account: _Day(money.amount_minor) for account, money in balances.items()}
        self._files: dict[str, Taken] = {}
        self._answers = 0
        self.tells = True
        self.paid: Counter[str] = Counter()

    def balance(self, account: str) -> Money:
        """Return what an account holds now."""
        day = self._days[account]
        return Money(day.opening_minor + sum(amount for amount, _ in day.booked), self._currencies[account])

    def collect(self) -> None:
        """Take every complete file that lies there, and say of each that it waits, or why it was refused."""
        for path in sorted(self._out.iterdir()):
            if path.name.startswith(_HIDDEN) or not path.is_file():
                continue
            document = path.read_bytes()
            if document.startswith(b"Q"):
                self._answer(document[1:81].decode("ascii").rstrip())
                path.unlink()
            elif path.name in self._files:
                # The first of its name goes on as if nothing had happened; the second is not looked into.
                self._write(path.name, Taken("", [], "Error", "E900"))
                path.unlink()
            else:
                self._files[path.name] = _read(document)
                self._tell(path.name)
                path.rename(self._taken / path.name)

    def settle(self) -> None:
        """Run the clearing session over all files that wait, and tell what became of their lines."""
        for name, taken in self._files.items():
            if taken.word != "Waiting":
                continue
            for line in taken.lines:
                self._clear(taken.debtor_account, line)
            words = {line.word for line in taken.lines}
            taken.word = words.pop() if len(words) == 1 else "Processed"
            self._tell(name)

    def mend(self, end_to_end_id: str, *, credit: bool) -> None:
        """Finish what is half done, by crediting the receiver or by giving the sender the money back, and tell it."""
        for name, taken in self._files.items():
            for line in taken.lines:
                if line.end_to_end_id == end_to_end_id and line.debited and not line.credited:
                    if credit:
                        self._credit(line)
                    else:
                        line.debited, line.word, line.reason = False, "Error", "E002"
                        self._days[taken.debtor_account].booked.append((line.amount.amount_minor, line.instruction))
                    self._tell(name)

    def close_day(self) -> None:
        """Write the statement of each account (MT940), and open the next day."""
        stamp = self._now()
        for account, day in self._days.items():
            currency, closing = self._currencies[account], self.balance(account)
            lines = [
                f":20:NCS{day.sequence}", f":25:{account}", f":28C:{day.sequence}/1",
                f":60F:{_balance(Money(day.opening_minor, currency), stamp)}",
                *(_entry(Money(amount, currency), reference, stamp) for amount, reference in day.booked),
                f":62F:{_balance(closing, stamp)}", "-",
            ]  # fmt: skip
            name = f"STATEMENT-{account}-{day.sequence}.txt"
            self._leave(name, "".join(f"{line}{END}" for line in lines))
            self._days[account] = _Day(closing.amount_minor, sequence=day.sequence + 1)

    def _clear(self, debtor_account: str, line: Line) -> None:
        """Debit the sender, then credit the receiver, unless a plan says otherwise or the money is not there."""
        plan = self._plans.get(line.end_to_end_id, "")
        if plan.startswith("E"):
            line.word, line.reason = "Error", plan
            return
        if self.balance(debtor_account).amount_minor < line.amount.amount_minor:
            line.word, line.reason = "Error", "E003"
            return
        self._days[debtor_account].booked.append((-line.amount.amount_minor, line.instruction))
        line.debited = True
        if plan == "half":
            # The house itself calls it an error: what it means is for who reads the two sides.
            line.word, line.reason = "Error", "E500"
            return
        self._credit(line)

    def _credit(self, line: Line) -> None:
        line.credited, line.word, line.reason = True, "Processed", ""
        self.paid[line.end_to_end_id] += 1

    def _tell(self, name: str) -> None:
        """Say what became of a file without having been asked."""
        if self.tells:
            self._answer(name)

    def _answer(self, name: str) -> None:
        """Say what became of a file; of one that never came, that it is not known."""
        self._write(name, self._files.get(name) or Taken("", [], "Unknown"))

    def _write(self, name: str, taken: Taken) -> None:
        stamp = self._now()
        lines = [f"S{name:80}{taken.word:10}{taken.reason:4}{stamp:%Y%m%d%H%M%S}"]
        if taken.word != "Waiting":
            for line in taken.lines:
                sides = "".join("Y" if side else "N" for side in (line.debited, line.credited))
                lines.append(f"L{line.instruction:35}{line.word:10}{line.reason:4}{sides}{stamp:%Y%m%d}")
        lines.append(f"E{len(lines) - 1:06}")
        self._answers += 1
        self._leave(f"{self._answers:06}-{name}", "".join(f"{line:160}{END}" for line in lines))

    def _leave(self, name: str, text: str) -> None:
        """Put a file for us there, whole."""
        hidden = self._in / f".{name}"
        hidden.write_bytes(text.encode("ascii"))
        hidden.rename(self._in / name)


def _read(document: bytes) -> Taken:
    """Read a file by the house's handbook; one that breaks it is refused whole (E010)."""
    wrong = Taken("", [], "Error", "E010")
    try:
        text = document.decode("ascii")
    except UnicodeDecodeError:
        return wrong
    lines = text.removesuffix(END).split(END)
    if not text.endswith(END) or {len(line) for line in lines} != {LINE} or len(lines) < LINES_MIN:
        return wrong
    header, *details, trailer = lines
    kinds = (header[0], {line[0] for line in details}, trailer[0])
    currency = header[80:83]
    payments = [
        Line(line[7:42].rstrip(), line[42:77].rstrip(), Money(int(line[77:95]), currency), line[106:140].rstrip())
        for line in details
    ]
    total = sum(payment.amount.amount_minor for payment in payments)
    stated = (int(trailer[1:7]), int(trailer[7:27]), int(trailer[27:33]))
    numbered = [int(line[1:7]) for line in details] == list(range(1, len(details) + 1))
    if kinds != ("H", {"D"}, "T") or stated != (len(details), total, len(lines)) or not numbered:
        return wrong
    return Taken(header[83:103].lstrip("0").rjust(12, "0"), payments)


def _balance(money: Money, day: datetime) -> str:
    side, digits = ("C" if money.amount_minor >= 0 else "D"), f"{abs(money.amount_minor):03}"
    return f"{side}{day:%y%m%d}{money.currency}{digits[:-2]},{digits[-2:]}"


def _entry(money: Money, reference: str, day: datetime) -> str:
    side, digits = ("C" if money.amount_minor >= 0 else "D"), f"{abs(money.amount_minor):03}"
    return f":61:{day:%y%m%d%m%d}{side}{digits[:-2]},{digits[-2:]}NTRF{reference}"
