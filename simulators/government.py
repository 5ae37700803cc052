"""The government: a seeded source of realistic payment orders, single and in batches, some of them bad on purpose.

One random number a line is enough: its bits choose name, province, bank and account. Everything is generated as it is
asked for, so 400,000 salary lines need no more memory than the amounts of their batch (8 bytes a line).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from random import Random

from pydantic_core import to_json

from gateway.bus.base import ORDERS_EXCHANGE, Outgoing
from schemas.orders import CHUNK_ORDERS_MAX, VERSION, batch_messages, single_message
from security import jws
from simulators.defects import DEFECTS, Defect, Expected, Order, Scene, creditor_reference
from simulators.names import (
    BANKS,
    CENTRAL_BANK,
    KHMER_REMITTANCES,
    LATIN_REMITTANCES,
    MINISTRIES,
    PEOPLE,
    PHNOM_PENH,
    PROVINCES,
    SALARY_REMITTANCE_KHMER,
    STREETS,
    SUPPLIERS,
)

ACCOUNTS: Mapping[tuple[str, str], str] = {
    ("fmis", "KHR"): "000100000001",
    ("fmis", "USD"): "000100000002",
    ("salary", "KHR"): "000100000001",
}
"""The treasury's accounts at the central bank: (source, currency) -> number."""
TAX_ACCOUNT = "000800000001"
"""The tax department's account at the central bank; withheld tax goes there."""

_DEBTOR = {
    "name": "General Department of National Treasury",
    "address": {"country": "KH", "town": "Phnom Penh", "street": "Street 92", "post_code": "120211"},
}
_TAX_OFFICE = {
    "name": "General Department of Taxation",
    "address": {"country": "KH", "town": "Phnom Penh", "street": "Russian Federation Boulevard"},
}
_ADDRESSES = tuple(
    {"country": "KH", "town": province.town, "street": street, "post_code": province.post_code}
    for province in PROVINCES
    for street in STREETS
)
_SALARY_REMITTANCES = tuple(
    {"unstructured": [text]}
    for ministry in MINISTRIES
    for text in (f"Salary, {ministry.name}", f"{SALARY_REMITTANCE_KHMER} {ministry.khmer}")
)
_SUPPLIER_REMITTANCES = tuple(
    {"unstructured": [text]}
    for province in PROVINCES
    for latin, khmer in zip(LATIN_REMITTANCES, KHMER_REMITTANCES, strict=True)
    for text in (f"{latin}, {province.name}", f"{khmer} {province.khmer}")
)
_WITHHOLDING_PERCENT = 15
_SHARE_OF_USD = 4
"""One supplier order in four is in USD."""
_SHARE_OF_WITHHOLDING = 8
"""One supplier order in eight is followed by the transfer of the tax withheld from it."""
_SHARE_OF_REFERENCES = 10
"""One supplier order in ten carries a creditor reference instead of text."""


@dataclass(frozen=True, slots=True)
class Submission:
    """An order message as a source system writes it, not yet signed."""

    source: str
    message_id: str
    body: bytes


def sign(submission: Submission, key: jws.OrderKey) -> Outgoing:
    """Sign an order message with its source's key (detached JWS in header ``jws``), ready for the orders exchange."""
    return Outgoing(
        exchange=ORDERS_EXCHANGE,
        routing_key=f"orders.{submission.source}",
        body=submission.body,
        message_id=submission.message_id,
        headers={"jws": jws.sign(submission.body, key)},
    )


class Government:
    """Ministries and provinces that pay people and suppliers on one day.

    Args:
        random: the seeded source of every choice.
        today: the day of the orders; it is also part of their numbers, so days do not collide.
        accounts: the accounts that each source pays from, by (source, currency): one, or several of which each order,
            and each payroll, has one.
        whole_riel: the rail has no decimals in KHR, so a fraction of a riel is a defect.
        khmer: free text may be Khmer; False for a rail with the Latin character set only.
        defects: the kinds of bad orders that may be made.

    Attributes:
        expected: what must become of each bad order made so far, in order.
    """

    def __init__(
        self,
        random: Random,
        today: date,
        *,
        accounts: Mapping[tuple[str, str], str | tuple[str, ...]] = ACCOUNTS,
        whole_riel: bool = True,
        khmer: bool = True,
        defects: Sequence[Defect] = DEFECTS,
    ) -> None:
        self._random = random
        self._today = today
        self._accounts = accounts
        self._step = 1 if khmer else 2
        """Remittance texts stand in pairs, Latin first: every second one is Latin."""
        self._defects = [defect for defect in defects if defect.needs != "riel" or whole_riel]
        self._turn = 0
        self._orders = 0
        self._messages = 0
        self._day = f"{today:%Y%m%d}"
        self._created = datetime.combine(today, datetime.min.time(), PHNOM_PENH) + timedelta(hours=8)
        self.expected: list[Expected] = []

    def suppliers(self, count: int, *, bad: int = 0, source: str = "fmis", batched: bool = False) -> Iterator[Order]:
        """Yield supplier orders in KHR and USD, some followed by the tax withheld from them; ``bad`` of them are bad.

        The first order is always good, so that a bad one can repeat it. Orders for a ``batch`` are asked for with
        ``batched``: their defects are such that only the bad line itself is refused.
        """
        spoiled = set(self._random.sample(range(1, count), bad)) if bad else set()
        previous: Order | None = None
        withheld: tuple[Order, str] | None = None
        for position in range(count):
            if withheld is not None:
                order = self._tax(*withheld)
                withheld = None
            else:
                order = self._supplier(source)
                if self._random.randrange(_SHARE_OF_WITHHOLDING) == 0 and position not in spoiled:
                    withheld = order, order["order_id"]
            if position in spoiled:
                self._spoil(order, source, previous, batched=batched)
            else:
                previous = dict(order)
            yield order

    def singles(self, orders: Iterable[Order], *, source: str = "fmis") -> Iterator[Submission]:
        """Write each order as a message of its own."""
        for order in orders:
            message_id = self._next_message_id(source)
            body = single_message(order, message_id=message_id, source=source, created=self._created)
            yield Submission(source, message_id, body)

    def batch(
        self, orders: Sequence[Order], *, source: str = "fmis", chunk: int = CHUNK_ORDERS_MAX
    ) -> Iterator[Submission]:
        """Write orders as the chunks of one batch that declares their count and their total in each currency."""
        batch_id = self._next_message_id(source)
        parts = batch_messages(
            orders, batch_id=batch_id, source=source, created=self._created, chunk_orders=_checked_chunk(chunk)
        )
        for message_id, body in parts:
            yield Submission(source, message_id, body)

    def payroll(
        self, lines: int, *, bad: int = 0, chunk: int = CHUNK_ORDERS_MAX, source: str = "salary"
    ) -> Iterator[Submission]:
        """Write a payroll: one debtor account, every line SALA, in chunks of at most ``chunk`` lines.

        A bad line is refused by itself and never stops the batch: its amount counts in the declared total as written.
        """
        amounts = array("q", (60_000_000 + 1_000_000 * draw for draw in self._random.choices(range(400), k=lines)))
        usable = [defect for defect in self._defects if not defect.alone]
        positions = sorted(self._random.sample(range(lines), bad))
        spoiled = {position: usable[turn % len(usable)] for turn, position in enumerate(positions)}
        for position, defect in spoiled.items():  # the total is declared before the lines are written
            amounts[position] = defect.declared_minor(amounts[position])
        orders = self._salaries(source, amounts, spoiled)
        batch_id, chunks = self._next_message_id(source), -(-lines // _checked_chunk(chunk))
        declared: Order = {
            "batch_id": batch_id,
            "count": lines,
            "totals": {"KHR": _text(sum(amounts))},
            "chunks": chunks,
        }
        envelope: Order = {"version": VERSION, "source": source, "created": self._created.isoformat()}
        for number in range(1, chunks + 1):
            message_id = f"{batch_id}-{number}"
            content = {"batch": declared | {"chunk": number}, "orders": list(islice(orders, chunk))}
            yield Submission(source, message_id, to_json(envelope | {"message_id": message_id} | content))

    def _next_message_id(self, source: str) -> str:
        self._messages += 1
        return f"{source}-{self._day}-{self._messages:07d}"

    def _numbers(self, source: str, currency: str) -> tuple[str, ...]:
        """Return the accounts that a source pays from in a currency."""
        said = self._accounts[source, currency]
        return (said,) if isinstance(said, str) else said

    def _salaries(self, source: str, amounts: Iterable[int], spoiled: Mapping[int, Defect]) -> Iterator[Order]:
        numbers = self._numbers(source, "KHR")
        account = {"number": self._random.choice(numbers) if len(numbers) > 1 else numbers[0]}
        today, prefix = self._today.isoformat(), f"SAL-{self._day}-"
        remittances, bits = _SALARY_REMITTANCES[:: self._step], self._random.getrandbits
        for position, minor in enumerate(amounts):
            self._orders += 1
            draw = bits(96)
            bank = BANKS[draw & 7]
            order: Order = {
                "order_id": f"{prefix}{self._orders:07d}",
                "maker": f"payroll-{draw % 7}",
                "end_to_end_id": f"{prefix}{self._orders:07d}",
                "amount": _text(minor),
                "currency": "KHR",
                "execution_date": today,
                "debtor": _DEBTOR,
                "debtor_account": account,
                "creditor": {"name": PEOPLE[draw >> 3 & 1023], "address": _ADDRESSES[(draw >> 13) % len(_ADDRESSES)]},
                "creditor_account": {"number": _account_number(draw >> 30, bank.digits)},
                "creditor_agent": {"bic": bank.bic},
                "purpose": "SALA",
                "category_purpose": "SALA",
                "remittance": remittances[(draw >> 22) % len(remittances)],
            }
            if position in spoiled:
                self._apply(spoiled[position], order, source, None)
            yield order

    def _supplier(self, source: str) -> Order:
        self._orders += 1
        draw = self._random.getrandbits(160)
        ministry, name = MINISTRIES[draw & 15], SUPPLIERS[draw >> 4 & 511]
        bank = BANKS[draw >> 13 & 7]
        currency = "USD" if (draw >> 16) % _SHARE_OF_USD == 0 and (source, "USD") in self._accounts else "KHR"
        numbers, size = self._numbers(source, currency), draw >> 110
        minor = 5_000 + size % 20_000_000 if currency == "USD" else 100 * (100_000 + size % 900_000_000)
        texts = _SUPPLIER_REMITTANCES[:: self._step]
        referenced = (draw >> 18) % _SHARE_OF_REFERENCES == 0
        number = f"PO-{self._day}-{self._orders:07d}"
        return {
            "order_id": number,
            "maker": f"m{ministry.code}-officer-{draw % 5}",
            "end_to_end_id": number,
            "amount": _text(minor),
            "currency": currency,
            "execution_date": self._today.isoformat(),
            "debtor": _DEBTOR,
            "debtor_account": {"number": numbers[(draw >> 22) % len(numbers)]},
            "ultimate_debtor": {"name": ministry.name},
            "creditor": {"name": name, "address": _ADDRESSES[(draw >> 24) % len(_ADDRESSES)]},
            "creditor_account": {"number": _account_number(draw >> 50, bank.digits)},
            "creditor_agent": {"bic": bank.bic},
            "purpose": "SUPP",
            "category_purpose": "SUPP",
            "remittance": {"creditor_reference": creditor_reference(self._orders)}
            if referenced
            else texts[(draw >> 40) % len(texts)],
        }

    def _tax(self, net: Order, net_id: str) -> Order:
        """Return the transfer of the tax that was withheld from an order, rounded to whole units."""
        self._orders += 1
        number = f"TX-{self._day}-{self._orders:07d}"
        tax = max(100, _minor(net["amount"]) * _WITHHOLDING_PERCENT // 10_000 * 100)
        return {
            "order_id": number,
            "maker": net["maker"],
            "end_to_end_id": number,
            "amount": _text(tax),
            "currency": net["currency"],
            "execution_date": net["execution_date"],
            "debtor": _DEBTOR,
            "debtor_account": net["debtor_account"],
            "creditor": _TAX_OFFICE,
            "creditor_account": {"number": TAX_ACCOUNT},
            "creditor_agent": {"bic": CENTRAL_BANK},
            "purpose": "WHLD" if self._orders % 2 else "TAXS",
            "category_purpose": "TAXS",
            "remittance": {"unstructured": [f"Withholding tax {_WITHHOLDING_PERCENT} percent of {net_id}"]},
        }

    def _spoil(self, order: Order, source: str, previous: Order | None, *, batched: bool) -> None:
        """Make an order bad, with the defects taking turns."""
        while True:
            defect = self._defects[self._turn % len(self._defects)]
            self._turn += 1
            if defect.fits(order, previous, batched=batched):
                self._apply(defect, order, source, previous)
                return

    def _apply(self, defect: Defect, order: Order, source: str, previous: Order | None) -> None:
        defect.spoil(order, Scene(self._today, previous))
        self.expected.append(Expected(source, order["order_id"], defect.name, defect.codes))


def _account_number(draw: int, digits: int) -> str:
    """Return an account number of so many digits that never starts with 0, as the treasury's own do."""
    first = 10 ** (digits - 1)
    return str(first + draw % (9 * first))


def _checked_chunk(chunk: int) -> int:
    if not 0 < chunk <= CHUNK_ORDERS_MAX:
        raise ValueError(f"a chunk has 1 to {CHUNK_ORDERS_MAX} orders, not {chunk}")
    return chunk


def _text(minor: int) -> str:
    """Write minor units (two decimals, KHR and USD alike); whole amounts without decimals."""
    whole, cents = divmod(minor, 100)
    return f"{whole}.{cents:02d}" if cents else str(whole)


def _minor(text: str) -> int:
    whole, _, cents = text.partition(".")
    return int(whole) * 100 + int(cents.ljust(2, "0"))
