"""A real bank's month: 24 consecutive daily statements of two accounts, in order, in any order, and twice.

The files are as banks are: two accounts a file, balances without a credit/debit indicator, entries without a status,
no sequence numbers, message page 2 without a page 1, batch entries whose count is not that of their details. The
figures that the ledger must reach are read here by a few lines of their own, not by the gateway's reader.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import structlog

from gateway.app import Gateway
from gateway.clock import ManualClock
from gateway.config import Settings
from gateway.flow.inbound import Inbound
from gateway.store import ledger, trail
from security.authority import create_authority
from security.trustfiles import store_certificate

SHARED = Path(os.environ.get("GATEWAY_SHARED", Path(__file__).resolve().parents[2] / ".." / "shared")) / "samples"
FOLDER = SHARED / "camt053" / "settlement-account"
FILES = tuple(sorted(FOLDER.glob("*.xml")))
pytestmark = pytest.mark.skipif(not FILES, reason=f"the statements are not in {FOLDER}")

CAMT = "{urn:iso:std:iso:20022:tech:xsd:camt.053.001.08}"
NOW = datetime(2024, 4, 12, 1, 0, tzinfo=UTC)
CURRENCY = "EUR"
ACCOUNTS = ("LT625883379695428516", "LT414319056143772570")
PROFILE = "settlement-bank"
PROFILE_TOML = f"""
name = "{PROFILE}"
rail = "high_value"
bank_bic = "DEUTBEB4"
own_bic = "TREAKHPP"
time_zone = "Europe/Vilnius"
[message]
envelope_namespace = "urn:example:settlement:1"
envelope_name = "Envelope"
clearing_system = "LT"
[currencies.EUR]
decimals = 2
cut_off = "15:00"
[[accounts]]
number = "{ACCOUNTS[0]}"
currency = "EUR"
name = "Settlement account"
[[accounts]]
number = "{ACCOUNTS[1]}"
currency = "EUR"
name = "Second settlement account"
[signature]
[statements]
signed = false
"""


@dataclass(frozen=True)
class Day:
    """What one file says of one account, minor units; an entry is (AcctSvcrRef, signed amount)."""

    day: str
    opening: int
    closing: int
    entries: tuple[tuple[str, int], ...]


def minor(text: str) -> int:
    """Return a decimal amount of two decimals in minor units."""
    return int(Decimal(text) * 100)


def text_at(element: ET.Element, *tags: str) -> str:
    """Return the text at a path of tags below an element, empty where there is none."""
    return element.findtext("/".join(CAMT + tag for tag in tags)) or ""


def signed(entry: ET.Element) -> int:
    """Return an entry's amount as it changes the account, minor units."""
    return minor(text_at(entry, "Amt")) * (1 if text_at(entry, "CdtDbtInd") == "CRDT" else -1)


def read_file(path: Path) -> dict[str, Day]:
    """Return what a file says, by account."""
    found = {}
    for statement in ET.parse(path).iter(f"{CAMT}Stmt"):  # noqa: S314 - the project's own sample files
        balances = {
            text_at(balance, "Tp", "CdOrPrtry", "Cd"): minor(text_at(balance, "Amt"))
            for balance in statement.iter(f"{CAMT}Bal")
        }
        entries = tuple((text_at(entry, "AcctSvcrRef"), signed(entry)) for entry in statement.iter(f"{CAMT}Ntry"))
        account = text_at(statement, "Acct", "Id", "Othr", "Id")
        found[account] = Day(path.stem, balances["OPBD"], balances["CLBD"], entries)
    return found


BOOKS: Mapping[str, Mapping[str, Day]] = {path.stem: read_file(path) for path in FILES}
"""Day -> account -> what the bank says."""


class Desk:
    """The gateway with the bank's two accounts, and what its ledger says."""

    def __init__(self, gateway: Gateway, inbound: Inbound, clock: ManualClock) -> None:
        self.gateway = gateway
        self.inbound = inbound
        self.clock = clock

    def take(self, path: Path) -> str:
        """Import one file as it is; return what became of it."""
        self.clock.advance(timedelta(minutes=1))
        [(_, state)] = self.inbound.take([path.read_bytes()])
        return state

    def rows(self, name: str, **parameters: Any) -> list[Any]:
        """Return the rows of a named statement of the store."""
        with self.gateway.store.transaction() as db:
            return db.all(name, **parameters)

    def cash(self) -> dict[str, int]:
        """Return each cash account's balance, minor units."""
        with self.gateway.store.transaction() as db:
            found = ledger.balances(db)
        return {account: found.get((f"bank:{account}", CURRENCY), 0) for account in ACCOUNTS}

    def faults(self) -> list[str]:
        """Return what is wrong with ledger and audit trail."""
        with self.gateway.store.transaction() as db:
            return [*ledger.verify(db), *trail.verify(db)]

    def open_exceptions(self) -> list[tuple[str, str, int]]:
        """Return (kind, account, amount) of the open exceptions but those of entries that nothing explains."""
        rows = self.rows("list_exceptions", state="open", kind=None, count=10_000)
        return [(row[1], row[4], row[6]) for row in rows if not row[1].startswith("unmatched_")]

    def entries(self) -> Counter[tuple[str, str, int]]:
        """Return (account, reference, amount) of every entry that is posted, with how often it is."""
        with self.gateway.store.transaction() as db:
            rows = db.connection.execute(
                "SELECT e.account, e.servicer_reference, t.amount_minor, t.debit, t.credit, e.currency, t.currency"
                " FROM transfer t JOIN entry e ON e.id = t.subject"
                " WHERE t.cause IN ('suspend', 'charge')"
            ).fetchall()
        found: Counter[tuple[str, str, int]] = Counter()
        for account, reference, amount, debit, credit, currency, posted_in in rows:
            assert f"bank:{account}" in {debit, credit}
            assert currency == posted_in == CURRENCY
            found[account, reference, amount if debit == f"bank:{account}" else -amount] += 1
        return found


Open = Callable[[str | None], Desk]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the profile, and with an anchor, for whatever else this bank would sign."""
    folder = tmp_path_factory.mktemp("settlement")
    (folder / "profiles").mkdir()
    (folder / "profiles" / f"{PROFILE}.toml").write_text(PROFILE_TOML, encoding="utf-8")
    authority = create_authority("Root", at=NOW - timedelta(days=10))
    store_certificate(folder / "certificates" / PROFILE, "anchors", "root", authority.certificate)
    return folder


@pytest.fixture
def open_desk(home: Path, tmp_path: Path) -> Iterator[Open]:
    """Open a gateway on an empty database: a SQLite file, unless an address is given."""
    opened: list[Desk] = []

    def make(database_url: str | None) -> Desk:
        settings = Settings(
            home=tmp_path,
            database_url=database_url or f"sqlite:///{tmp_path / f'{len(opened)}.sqlite'}",
            profiles_folder=home / "profiles",
            certificates_folder=home / "certificates",
        )
        clock = ManualClock(NOW)
        gateway = Gateway(settings, structlog.get_logger(), clock, durable=False)
        gateway.prepare()
        inbound = gateway.inbound("inbound.test", gateway.profiles[PROFILE], "file")
        opened.append(Desk(gateway, inbound, clock))
        return opened[-1]

    yield make
    for desk in opened:
        desk.inbound._desk.store.close()
        desk.gateway.close()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.servers)])
def desk(request: pytest.FixtureRequest, open_desk: Open) -> Desk:
    """A gateway on each engine in turn."""
    return open_desk(request.getfixturevalue("database_url") if request.param == "postgres" else None)


def whole_month() -> Counter[tuple[str, str, int]]:
    """Return every entry of every file, as often as the bank booked it."""
    return Counter(
        (account, *entry) for day in BOOKS.values() for account, book in day.items() for entry in book.entries
    )


def last_closings(days: Sequence[str]) -> dict[str, int]:
    """Return each account's closing balance on the latest of these days."""
    return {account: book.closing for account, book in BOOKS[max(days)].items()}


def gaps(days: Sequence[str]) -> list[tuple[str, str, int]]:
    """Return the gap exceptions that a person must see while only these days are here."""
    chains = {account: [BOOKS[day][account] for day in sorted(days)] for account in ACCOUNTS}
    return [
        ("continuity_gap", account, later.opening - earlier.closing)
        for account, chain in chains.items()
        for earlier, later in pairwise(chain)
        if later.opening != earlier.closing
    ]


def shuffled(seed: int) -> list[Path]:
    """Return the files in an order that the seed chooses."""
    files = list(FILES)
    random.Random(seed).shuffle(files)
    return files


def test_the_samples_are_the_month_that_the_other_tests_count_on() -> None:
    """24 days, two accounts a file, each day adding up and opening where the day before closed."""
    assert len(FILES) == 24
    assert {tuple(sorted(day)) for day in BOOKS.values()} == {tuple(sorted(ACCOUNTS))}
    assert all(
        book.opening + sum(amount for _, amount in book.entries) == book.closing
        for day in BOOKS.values()
        for book in day.values()
    )
    assert gaps(list(BOOKS)) == []
    assert all(date.fromisoformat(day) for day in BOOKS)


def test_after_each_day_the_cash_account_is_the_closing_balance(desk: Desk) -> None:
    """This equality is what the ledger is for; what nobody explains waits in suspense, and is posted all the same."""
    come: list[str] = []
    for path in FILES:
        assert desk.take(path) == "APPLIED"
        come.append(path.stem)
        assert desk.cash() == last_closings(come), path.name
        assert desk.faults() == [], path.name
        assert desk.open_exceptions() == [], path.name
    assert desk.entries() == whole_month()


@pytest.mark.parametrize(
    "files", [list(reversed(FILES)), *map(shuffled, range(5))], ids=["reversed", *(f"seed-{n}" for n in range(5))]
)
def test_in_any_order_gaps_open_and_close_by_themselves(files: list[Path], open_desk: Open) -> None:
    """Banks send late and again; each gap is an exception with its amount until the missing day arrives."""
    desk, come, gapped = open_desk(None), [], False
    for path in files:
        assert desk.take(path) == "APPLIED"
        come.append(path.stem)
        gapped = gapped or gaps(come) != []
        assert desk.cash() == last_closings(come), path.name
        assert sorted(desk.open_exceptions()) == sorted(gaps(come)), path.name
        assert desk.faults() == [], path.name
    assert desk.open_exceptions() == []
    assert desk.entries() == whole_month()
    resolved = desk.rows("list_exceptions", state="resolved", kind="continuity_gap", count=1_000)
    assert {row[11] for row in resolved} == ({"reconcile"} if gapped else set()), "no person had to close a gap"


@pytest.mark.servers
def test_in_any_order_on_the_other_engine(open_desk: Open, database_url: str) -> None:
    """The same on PostgreSQL, once: the chain is kept by SQL, and the engines must not differ."""
    desk, come = open_desk(database_url), []
    for path in shuffled(99):
        assert desk.take(path) == "APPLIED"
        come.append(path.stem)
        assert desk.cash() == last_closings(come), path.name
        assert sorted(desk.open_exceptions()) == sorted(gaps(come)), path.name
    assert desk.faults() == []
    assert desk.entries() == whole_month()


def test_the_order_of_arrival_leaves_no_trace_in_the_balances(open_desk: Open) -> None:
    """Every account, suspense and opening as well, holds the same in the end."""
    found = []
    for files in (list(FILES), list(reversed(FILES)), shuffled(7)):
        desk = open_desk(None)
        for path in files:
            desk.take(path)
        with desk.gateway.store.transaction() as db:
            found.append({name: held for name, held in ledger.balances(db).items() if held})
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("seed", [None, 3], ids=["in-order", "shuffled"])
def test_the_same_files_again_change_nothing(seed: int | None, open_desk: Open) -> None:
    """A statement that comes twice is known by its bytes."""
    desk = open_desk(None)
    for path in FILES:
        desk.take(path)
    before = desk.entries(), desk.cash(), len(desk.rows("list_statements", account=None, count=1_000))
    for path in FILES if seed is None else shuffled(seed):
        assert desk.take(path) == "KNOWN"
        assert desk.faults() == []
    assert (desk.entries(), desk.cash(), len(desk.rows("list_statements", account=None, count=1_000))) == before
    assert desk.open_exceptions() == []


def test_the_same_statements_in_other_bytes_change_nothing(open_desk: Open) -> None:
    """Sent again under a new MsgId and creation time, a statement is known by its own id and content."""
    desk = open_desk(None)
    for path in FILES:
        desk.take(path)
    before = desk.entries(), desk.cash()
    for path in FILES:
        again = path.read_text(encoding="utf-8").replace("<GrpHdr><MsgId>MSG", "<GrpHdr><MsgId>AGAIN", 1)
        assert "<MsgId>AGAIN" in again
        [(_, state)] = desk.inbound.take([again.encode()])
        assert state == "APPLIED"
    assert (desk.entries(), desk.cash()) == before
    assert desk.open_exceptions() == []
    assert desk.faults() == []


def test_all_files_at_once_are_the_same_as_one_by_one(open_desk: Open) -> None:
    """A restart finds a full inbox."""
    desk = open_desk(None)
    states = desk.inbound.take([path.read_bytes() for path in (*shuffled(11), *FILES)])
    assert {state for _, state in states} == {"APPLIED"}
    assert desk.cash() == last_closings(list(BOOKS))
    assert desk.entries() == whole_month()
    assert desk.faults() == []
    assert desk.open_exceptions() == []
