"""A bank that nobody here wrote: files into its folder, reports, returns and statements back, the ledger proved.

mock-bank reads pain.001 and writes pain.002, pacs.004, camt.054 and camt.053 by its own understanding of the standard.
"""

from __future__ import annotations

import json
import threading
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mockbank import Config, make_server

from adapters import transports
from adapters.transports import Outbound, Transport
from gateway.flow.inbound import Inbound
from security.vault import FolderVault
from simulators.stage import Stage
from tests.gateway.flow.customers import opened_at
from tests.gateway.flow.stand import Stand, order

OURS, PAYEE, CLOSED = "NL41MOCK0000000001", "NL30MOCK0000000005", "NL84MOCK0000000003"
OPENING_MINOR = 12_500_000
"""What the bank has on our account when it starts."""


@dataclass
class Outside:
    """The bank in a thread of its own, and our real transport to its folders."""

    url: str
    stand: Stand
    transport: Transport

    def ask(self, method: str, path: str, **body: Any) -> Any:
        """Ask the bank's control plane; return its answer."""
        content = json.dumps(body).encode() if body else None
        request = urllib.request.Request(self.url + path, method=method, data=content)  # noqa: S310 - our own server
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - as above
            return json.load(answer)

    def carry(self) -> None:
        """Hand every file over that was not handed over yet, and let the bank look into its folder."""
        known = dict(self.stand.sql("SELECT sha256, message_id FROM message"))
        for document, name in zip(self.stand.documents(), known.values(), strict=True):
            self.transport.send(Outbound(f"{name}.xml", document, "pain.001.001.09"))
        self.ask("POST", "/_mock/drop/scan")

    def fetch(self) -> Counter[str]:
        """Take what the bank has left; return how many documents there were of each kind."""
        inbound = self.stand.workers["inbound"]
        assert isinstance(inbound, Inbound)
        arrivals = self.transport.receive(100)
        arrivals = sorted(arrivals, key=lambda a: int(a.name.rpartition("-")[2].partition(".")[0]))
        for arrival in arrivals:
            if inbound.is_unsigned(arrival.source):
                assert inbound.take_file(arrival.source)[1] == "APPLIED"
            else:
                arrival.source.seek(0)
                assert self.stand.take(arrival.source.read()) == ["APPLIED"]
        self.transport.done(arrivals)
        return Counter(arrival.name[:8] for arrival in arrivals)

    def pass_days(self, days: int) -> None:
        """Let days pass at the bank."""
        self.ask("POST", f"/_mock/advance?days={days}")

    def cash_minor(self) -> int:
        """Return what the bank itself has on our account."""
        return next(int(a["balance"]) for a in self.ask("GET", "/_mock/accounts") if a["id"] == "ACME")


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Run the bank on a free port and these folders, and on a clock that only moves when it is told to."""
    for name in ("in", "out"):
        (folder / name).mkdir()
    settings = Config(
        port=0, quiet=True, clock="2026-11-30T09:00", timezone="Asia/Phnom_Penh", drop_dir=str(folder / "in"),
        pickup_dir=str(folder / "out"), drop_settle_ms=0,
    )  # fmt: skip
    server = make_server(settings)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def outside(stage: Stage, tmp_path: Path) -> Iterator[Outside]:
    """The bank, a gateway that knows it, and the folders between them."""
    url = f"sqlite:///{tmp_path / 'gateway.sqlite'}"
    with running(tmp_path) as address, opened_at(stage, url, tmp_path, "euro-bank") as stand:
        profile = stand.gateway.profiles["euro-bank"]
        made = transports.connect(profile, FolderVault(tmp_path))
        stand.workers["inbound"].close()  # type: ignore[attr-defined]  # the test carries files itself, and looks at each
        stand.workers["inbound"] = stand.gateway.inbound("inbound.outside", profile, "folder")
        try:
            yield Outside(address, stand, made)
        finally:
            made.close()


def euros(number: int, amount: str = "100.00", account: str = PAYEE) -> dict[str, Any]:
    """Return an order in euro from our account at the bank."""
    return order(
        number, amount=amount, currency="EUR", charge_bearer="SLEV",
        debtor_account={"number": OURS, "scheme": "IBAN"}, creditor_account={"number": account, "scheme": "IBAN"},
    )  # fmt: skip


def bank_cash(stand: Stand) -> int:
    """Return what the ledger has on our account at the bank."""
    return stand.balances().get(f"bank:{OURS} EUR", 0)


def test_a_hundred_lines_are_paid_reported_booked_and_reconciled_to_zero(outside: Outside) -> None:
    """Ledger, statement and the bank's own books are equal, and every line is explained."""
    stand = outside.stand
    stand.sent(*[euros(n, f"{n}.{n % 100:02d}", CLOSED if n % 10 == 0 else PAYEE) for n in range(1, 101)])
    outside.carry()
    assert outside.fetch() == {"pain.002": 1, "camt.054": 1}
    assert Counter(stand.states().values()) == {"SETTLED": 90, "REJECTED": 10}
    assert {row[0] for row in stand.sql("SELECT reason FROM payment WHERE state = 'REJECTED'")} == {"AC04"}
    outside.pass_days(1)
    assert outside.fetch() == {"camt.053": 1}
    assert Counter(stand.states().values()) == {"SETTLED": 90, "REJECTED": 10}
    assert stand.open() == {}
    assert stand.faults() == []
    assert bank_cash(stand) == outside.cash_minor()
    assert stand.balances().get(f"transit:{OURS} EUR", 0) == 0


def test_a_late_return_comes_by_message_and_by_statement_once(outside: Outside) -> None:
    """A payment that comes back days later is given back once, though three documents speak of it."""
    stand = outside.stand
    outside.ask(
        "PATCH", "/_mock/accounts/ACME", behaviour="return-later",
        parameters={"days": 3, "reason": "MD07", "end_to_end_id": "E2E2"},
    )  # fmt: skip
    stand.sent(euros(1), euros(2, "55.50"))
    outside.carry()
    outside.pass_days(1)
    outside.fetch()
    assert stand.states() == {"PO-1": "SETTLED", "PO-2": "SETTLED"}
    outside.pass_days(3)
    assert set(outside.fetch()) == {"pacs.004", "camt.054", "camt.053"}
    assert stand.states() == {"PO-1": "SETTLED", "PO-2": "RETURNED"}
    assert stand.balances()[f"returned:{OURS} EUR"] == -5_550
    outside.pass_days(1)
    outside.fetch()
    assert stand.open() == {}
    assert stand.faults() == []
    assert bank_cash(stand) == outside.cash_minor() == OPENING_MINOR - 10_000


def test_a_silent_bank_is_found_out_by_what_it_books(outside: Outside) -> None:
    """No report ever comes: the payments are settled when a notification and the statement show them."""
    stand = outside.stand
    outside.ask("PATCH", "/_mock/accounts/ACME", behaviour="silent")
    stand.sent(euros(1), euros(2))
    outside.carry()
    assert set(stand.states().values()) == {"COMPOSED"}, "the test itself has carried the file"
    assert outside.fetch() == {"camt.054": 1}
    outside.pass_days(1)
    outside.fetch()
    assert set(stand.states().values()) == {"SETTLED"}
    assert stand.open() == {}
    assert bank_cash(stand) == outside.cash_minor()


def test_payments_without_cover_are_rejected_and_the_rest_is_paid(outside: Outside) -> None:
    """AM04 for what no longer fits; what does is paid, and the money of the others is free again."""
    stand = outside.stand
    outside.ask("PATCH", "/_mock/accounts/ACME", behaviour="insufficient-funds", balance=25_000)
    stand.sent(euros(1, "200.00"), euros(2, "100.00"), euros(3, "50.00"))
    outside.carry()
    outside.pass_days(1)
    outside.fetch()
    assert stand.states() == {"PO-1": "SETTLED", "PO-2": "REJECTED", "PO-3": "SETTLED"}
    assert stand.sql("SELECT reason FROM payment WHERE state = 'REJECTED'") == [("AM04",)]
    assert stand.faults() == []
    assert bank_cash(stand) == outside.cash_minor() == 0


def test_the_same_file_twice_is_refused_as_a_duplicate_and_changes_nothing(outside: Outside) -> None:
    """DUPL says nothing of the first copy, whose payments go on as they were reported."""
    stand = outside.stand
    stand.sent(euros(1))
    outside.carry()
    outside.fetch()
    [document] = stand.documents()
    outside.transport.send(Outbound("AGAIN.xml", document, "pain.001.001.09", again=True))
    outside.ask("POST", "/_mock/drop/scan")
    outside.fetch()
    outside.pass_days(1)
    outside.fetch()
    assert stand.states() == {"PO-1": "SETTLED"}
    assert stand.faults() == []
    assert bank_cash(stand) == outside.cash_minor() == OPENING_MINOR - 10_000


def test_an_entry_that_the_statement_leaves_out_is_missed(outside: Outside) -> None:
    """A statement with a hole does not add up: nothing of it is booked, and a person is told."""
    stand = outside.stand
    outside.ask("PATCH", "/_mock/accounts/ACME", behaviour="statement-gap")
    stand.sent(euros(1), euros(2))
    outside.carry()
    outside.pass_days(1)
    outside.fetch()
    assert stand.open() == {"balance_break": 1}
    assert stand.faults() == []
