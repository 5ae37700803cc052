"""Payments abroad whole: CBPR+ messages to a correspondent over HTTPS, answers from an inbox, statements, cuts."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

from schemas.model.money import Money
from security.keys import FileKey
from simulators.bank_letters import Envelope
from simulators.behaviour import Behaviour
from simulators.correspondent import Correspondent
from simulators.web_server import WebReply, WebRequest
from tests.rails.treasury import Treasury, treasury
from tests.web_stand import served, tls

PROFILE = Path(__file__).parents[1] / "adapters" / "correspondent.toml"
ACCOUNT = "4001002003"
OPENING = Money(10_000_000_00, "EUR")
TRANSPORT = """
[channel]
inquire_after_s = 5
inquire_every_s = 5
poll_s = 1.0

[transport]
kind = "https"
idempotent = true
base_url = "https://127.0.0.1:{port}"
loopback_allowed = true
server_ca = "bank-ca.crt"
client_certificate = "client.crt"
client_key = "client.key"
answers = false

[transport.paths]
submit = "POST /messages"
inquire = "POST /messages"
recall = "POST /messages"
answer = "POST /messages"

[transport.inbox]
list = "GET /inbox"
item = "GET /inbox/{{id}}"
done = "DELETE /inbox/{{id}}"
"""


class Office:
    """The correspondent's interface: takes messages once by their key, and keeps what it says in an inbox."""

    def __init__(self, treasury_of: list[Treasury]) -> None:
        self._treasury = treasury_of
        self._lock = threading.Lock()
        self._seen: set[str] = set()
        self.inbox: dict[str, bytes] = {}
        self.hangs_up = False
        self.bank: Correspondent | None = None

    def now(self) -> datetime:
        """Return the moment of the treasury's clock."""
        return self._treasury[0].clock.now()

    def say(self, *documents: bytes) -> None:
        """Put documents into the inbox."""
        for document in documents:
            self.inbox[f"{len(self.inbox) + len(self._seen):06d}-{len(document)}"] = document

    def answer(self, request: WebRequest) -> WebReply | None:
        """Answer one request; where it hangs up, it has taken the message all the same."""
        with self._lock:
            if request.method == "POST":
                return self._take(request)
            name = request.path.rpartition("/")[2]
            if request.method == "DELETE":
                self.inbox.pop(name, None)
                return WebReply(204)
            if name == "inbox":
                listed = ",".join(f'"{one}"' for one in self.inbox)
                return WebReply(200, f"[{listed}]".encode(), {"content-type": "application/json"})
            return WebReply(200, self.inbox[name]) if name in self.inbox else WebReply(404)

    def _take(self, request: WebRequest) -> WebReply | None:
        key = request.headers["idempotency-key"]
        if key not in self._seen:
            self._seen.add(key)
            assert self.bank is not None
            answers = self.bank.receive(request.body)
            if b"pacs.028" in request.body or not self.hangs_up:
                self.say(*answers)
        return None if self.hangs_up and b"pacs.028" not in request.body else WebReply(202)


@dataclass
class Abroad:
    """A treasury and its correspondent."""

    made: Treasury
    office: Office

    @property
    def bank(self) -> Correspondent:
        """The bank behind the office."""
        assert self.office.bank is not None
        return self.office.bank

    def pay(self, count: int, **changes: Any) -> None:
        """Order memberships to be paid abroad, with all that the rail wants to know."""
        self.made.pay(*(self._order(number, **changes) for number in range(count)))

    def _order(self, number: int, **changes: Any) -> dict[str, Any]:
        return self.made.order(number, **{
            "amount": "1000.00", "charge_bearer": "DEBT", "purpose": "SUBS",
            "debtor": {"name": "Ministry of Foreign Affairs", "address": {
                "country": "KH", "town": "Phnom Penh", "street": "Street 92"}},
            "creditor": {"name": "United Nations", "address": {
                "country": "CH", "town": "Geneva", "post_code": "1211", "lines": ["Palais des Nations"]}},
            "creditor_account": {"number": "CH9300762011623852957", "scheme": "IBAN"},
            "creditor_agent": {"bic": "UBSWCHZH80A"},
            "remittance": {"unstructured": ["Assessed contribution 2026"]},
            "regulatory_reports": [{"code": "IMF17", "country": "KH", "details": ["Membership 2026"]}],
            **changes,
        })  # fmt: skip

    def close_day(self) -> None:
        """Let the bank close its day, and wait until the ledger's cash account is what it says."""
        day = self.made.clock.now().astimezone(self.made.profile.zone).date()
        self.office.say(*self.bank.end_of_day(day))
        balance = self.bank.balance(ACCOUNT).amount_minor
        self.made.work(lambda: self.made.cash().get(ACCOUNT) == balance, "the ledger equals the statement")
        assert self.made.faults() == []
        assert max(self.bank.settlements.values(), default=0) <= 1, "somebody was paid twice"


@contextmanager
def abroad(tmp_path: Path) -> Iterator[Abroad]:
    """Give a treasury with a correspondent abroad."""
    files, found = tls(tmp_path / "tls"), list[Treasury]()
    office = Office(found)
    with served(files, office.answer) as proxy:
        text = PROFILE.read_text(encoding="utf-8").partition("[transport]")[0]
        text = re.sub(r"\[channel\].*?(?=\n\[|\Z)", "", text, flags=re.DOTALL) + TRANSPORT.format(port=proxy.port)
        secrets = {
            "bank-ca.crt": files.authority.certificate.read_bytes(),
            "client.crt": files.client.certificate.read_bytes(), "client.key": files.client.key.read_bytes(),
        }  # fmt: skip
        with treasury(tmp_path / "home", text, secrets=secrets, approval_limits={"EUR": "9999999.00"}) as made:
            found.append(made)
            key: FileKey = made.stage.bank_key
            office.bank = Correspondent(
                bic=made.profile.bank_bic, customer_bic=made.profile.own_bic, openings={ACCOUNT: OPENING}, key=key,
                trust=made.stage.bank_trust, now=office.now, random=Random(1),
                envelope=Envelope(*made.profile.message.envelope), behaviour=Behaviour(), zone=made.profile.zone,
            )  # fmt: skip
            yield Abroad(made, office)
            office.bank.close()


def test_memberships_are_paid_abroad_and_stated(tmp_path: Path) -> None:
    """Out with what the rules abroad want, settled, charged; the statement closes at the ledger's cash."""
    with abroad(tmp_path) as this:
        this.pay(3)
        this.made.work(lambda: this.made.are(SETTLED=3), "the correspondent has answered")
        this.close_day()
        assert [one.amount for one in this.bank.forwarded] == [Money(100_000, "EUR")] * 3
        assert this.made.cash() == {ACCOUNT: OPENING.amount_minor - 3 * (100_000 + 1_500)}


@pytest.mark.slow
def test_a_hundred_cuts_between_acceptance_and_reply_leave_by_inquiry(tmp_path: Path) -> None:
    """Every message is taken and no reply comes: each payment is in doubt, asked about, and settled once."""
    with abroad(tmp_path) as this:
        this.office.hangs_up = True
        this.pay(100)
        this.made.work(lambda: this.made.are(SETTLED=100), "every doubt has ended")
        assert len(this.made.doubted()) == 100
        this.office.hangs_up = False
        this.close_day()
        assert this.made.cash() == {ACCOUNT: OPENING.amount_minor - 100 * (100_000 + 1_500)}
