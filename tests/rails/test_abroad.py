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
from simulators.behaviour import Behaviour, Fate
from simulators.correspondent import Correspondent
from simulators.web_server import WebReply, WebRequest
from tests.adapters.test_cross_border import findings
from tests.rails.treasury import Treasury, treasury
from tests.web_stand import served, tls

PROFILE = Path(__file__).parents[1] / "adapters" / "correspondent.toml"
ACCOUNT, OTHER_ACCOUNT = "4001002003", "4001002004"
UETR = "00000000-0000-4000-8000-00000000c0f1"
OPENING = Money(10_000_000_00, "EUR")
QUIET = Behaviour()
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

    def pay_covered(self, transfer: str, cover: str, *, account: str = ACCOUNT) -> None:
        """Order a customer's transfer, and its cover from an account, each with its EndToEndId, under one UETR."""
        bank = {"any_bic": "UBSWCHZH80A"}
        first = self._order(1, uetr=UETR, end_to_end_id=transfer)
        covers = {
            name: first[name] for name in ("debtor", "debtor_account", "creditor", "creditor_account", "creditor_agent")
        }
        covers |= {
            "debtor_agent": {"bic": "TREAKHPP"}, "remittance": first["remittance"],
            "instructed_amount": {"amount": first["amount"], "currency": first["currency"]},
        }  # fmt: skip
        second = self._order(
            2, uetr=UETR, end_to_end_id=cover, kind="institution", covers=covers, debtor={"any_bic": "TREAKHPP"},
            creditor=bank, purpose=None, remittance=None, regulatory_reports=None, debtor_account={"number": account},
        )  # fmt: skip
        self.made.pay(first, second)

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
        numbers = [account.number for account in self.made.profile.accounts]
        balances = {number: self.bank.balance(number).amount_minor for number in numbers}
        self.made.work(lambda: self.made.cash() == balances, "the ledger equals the statements")
        assert self.made.faults() == []
        assert max(self.bank.settlements.values(), default=0) <= 1, "somebody was paid twice"


@contextmanager
def abroad(tmp_path: Path, behaviour: Behaviour = QUIET, accounts: str = "") -> Iterator[Abroad]:
    """Give a treasury with a correspondent abroad, which keeps more accounts if the profile names them."""
    files, found = tls(tmp_path / "tls"), list[Treasury]()
    office = Office(found)
    with served(files, office.answer) as proxy:
        text = PROFILE.read_text(encoding="utf-8").partition("[transport]")[0]
        text = re.sub(r"\[channel\].*?(?=\n\[|\Z)", "", text, flags=re.DOTALL) + TRANSPORT.format(port=proxy.port)
        text += accounts
        secrets = {
            "bank-ca.crt": files.authority.certificate.read_bytes(),
            "client.crt": files.client.certificate.read_bytes(), "client.key": files.client.key.read_bytes(),
        }  # fmt: skip
        with treasury(tmp_path / "home", text, secrets=secrets, approval_limits={"EUR": "9999999.00"}) as made:
            found.append(made)
            key: FileKey = made.stage.bank_key
            office.bank = Correspondent(
                bic=made.profile.bank_bic, customer_bic=made.profile.own_bic, key=key,
                openings={account.number: OPENING for account in made.profile.accounts},
                trust=made.stage.bank_trust, now=office.now, random=Random(1),
                envelope=Envelope(*made.profile.message.envelope), behaviour=behaviour, zone=made.profile.zone,
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


@pytest.mark.parametrize("account", [ACCOUNT, OTHER_ACCOUNT], ids=["one account", "two accounts"])
def test_a_transfer_and_its_cover_travel_under_one_uetr(tmp_path: Path, account: str) -> None:
    """Both out without a finding, both settled and stated; over another account even the EndToEndId is the same."""
    another = f'\n[[accounts]]\nnumber = "{OTHER_ACCOUNT}"\ncurrency = "EUR"\nname = "Covers"\n'
    with abroad(tmp_path, accounts=another if account == OTHER_ACCOUNT else "") as this:
        this.pay_covered("UN-2026-1", "UN-2026-1" if account == OTHER_ACCOUNT else "UN-2026-1/C", account=account)
        this.made.work(lambda: this.made.are(SETTLED=2), "the correspondent has answered")
        first, second = this.made.payments()
        assert first.uetr == second.uetr == UETR
        for document, kind in zip(this.made.documents(), ("pacs.008", "pacs.009_cov"), strict=True):
            assert UETR.encode() in document
            assert findings(document, kind) == []
        this.close_day()
        rows = this.made.rows("SELECT payment, matched, account FROM entry WHERE uetr IS NOT NULL ORDER BY payment")
        assert [tuple(row) for row in rows] == [(first.id, "settle", ACCOUNT), (second.id, "settle", account)]
        assert this.made.open() == {}
        assert sum(this.made.cash().values()) == len(this.made.profile.accounts) * OPENING.amount_minor - 2 * 101_500


@pytest.mark.parametrize("rejected", [0, 1], ids=["transfer", "cover"])
def test_the_reject_of_one_leaves_the_other_alone(tmp_path: Path, rejected: int) -> None:
    """A cover that fails is no answer to the transfer, and the reverse: one is settled and stated, one is released."""
    names = ("UN-2026-1", "UN-2026-1/C")
    with abroad(tmp_path, Behaviour(plans={names[rejected]: Fate(reject="AC04")})) as this:
        this.pay_covered(*names)
        this.made.work(lambda: this.made.are(SETTLED=1, REJECTED=1), "the correspondent has answered")
        assert this.made.payments()[rejected].state == "REJECTED"
        this.close_day()
        assert this.made.open() == {}
        assert this.made.cash() == {ACCOUNT: OPENING.amount_minor - 101_500}


def test_a_cover_whose_answer_is_lost_is_asked_about_by_its_own_message(tmp_path: Path) -> None:
    """Both are in doubt; each inquiry names one message, and its answer ends the doubt of that payment alone."""
    with abroad(tmp_path) as this:
        this.office.hangs_up = True
        this.pay_covered("UN-2026-1", "UN-2026-1/C")
        this.made.work(lambda: this.made.are(SETTLED=2), "every doubt has ended")
        assert len(this.made.doubted()) == 2
        this.office.hangs_up = False
        this.close_day()
        assert this.made.open() == {"handover_unknown": 2}


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
