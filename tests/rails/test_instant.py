"""FAST and Bakong whole: orders in, SOAP over TLS, answers, money that comes in, statements, the ledger equal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from schemas.model.money import Money
from simulators.bakong import PATH as BAKONG_PATH
from simulators.bakong import BakongBank
from simulators.fast import PATH as FAST_PATH
from simulators.fast import FastBank
from simulators.instant_bank import Reply
from tests.fault_proxy import Fault, FaultProxy
from tests.rails.treasury import Treasury, treasury
from tests.web_stand import served, tls

PROFILES = Path(__file__).parents[1] / "adapters" / "instant"
CREDENTIALS = {"user_name": "treasury", "password": "s3cret-of-the-treasury"}
OPENING = Money(1_000_000_00, "KHR")


@dataclass
class Rail:
    """A treasury and its instant bank."""

    made: Treasury
    bank: FastBank | BakongBank
    proxy: FaultProxy

    @property
    def account(self) -> str:
        """Our account in riel there."""
        return self.made.profile.accounts[0].number

    def pay(self, *amounts: str, **changes: Any) -> None:
        """Order payments of these amounts."""
        self.made.pay(*(self.order(n, amount=amount, **changes) for n, amount in enumerate(amounts)))

    def order(self, number: int | str, **changes: Any) -> dict[str, Any]:
        """Return an order with the charges that the rail wants to have stated."""
        bearer = self.made.profile.message.charge_bearers[0]
        charges = [{"amount": "0", "currency": "KHR", "agent_bic": "NCAMKHPP"}] if bearer == "CRED" else None
        return self.made.order(number, **{"charge_bearer": bearer, "charges": charges, **changes})

    def close_day(self) -> None:
        """Let the bank close its day, and wait until the ledger's cash account is what it says."""
        self.bank.close_day()
        balance = self.bank.books.balance(self.account).amount_minor
        self.made.work(lambda: self.made.cash().get(self.account) == balance, "the ledger equals the statement")
        assert self.made.faults() == []


@contextmanager
def rail(tmp_path: Path, name: str) -> Iterator[Rail]:
    """Give a treasury whose bank is behind a proxy that can break every connection."""
    files = tls(tmp_path / "tls")
    text = (PROFILES / f"{name}.toml").read_text(encoding="utf-8")
    found: list[Treasury] = []
    openings = dict.fromkeys(re.findall(r'number = "(\d+)"\ncurrency = "KHR"', text), OPENING)

    def now() -> datetime:
        return found[0].clock.now().astimezone(found[0].profile.zone)

    bank = FastBank("NCAMKHPP", openings, now) if name == "fast" else BakongBank("NCAMKHPP", openings, now)
    path = FAST_PATH if name == "fast" else BAKONG_PATH
    with served(files, bank.service(CREDENTIALS)) as proxy:
        text = re.sub(
            r'base_url = "[^"]+"', f'base_url = "https://127.0.0.1:{proxy.port}"\nloopback_allowed = true', text
        )
        text = re.sub(r'path = "[^"]+"', f'path = "{path}"', text)
        text = re.sub(r"inquire_(after|every)_s = \d+", r"inquire_\1_s = 5", text)
        secrets = {
            "bank-ca.crt": files.authority.certificate.read_bytes(),
            "client.crt": files.client.certificate.read_bytes(), "client.key": files.client.key.read_bytes(),
            "user": CREDENTIALS["user_name"].encode(), "password": CREDENTIALS["password"].encode(),
        }  # fmt: skip
        with treasury(tmp_path / "home", text, secrets=secrets) as made:
            found.append(made)
            yield Rail(made, bank, proxy)


BOTH = pytest.mark.parametrize("name", ["fast", "bakong"])


@BOTH
def test_transfers_settle_at_once_and_the_statement_shows_them(tmp_path: Path, name: str) -> None:
    """Accepted and rejected in the same exchange; at the end of the day the cash account is the bank's balance."""
    with rail(tmp_path, name) as this:
        this.bank.habits.rejections = {"001": "AC04"}
        this.pay("1000", "2000", creditor_account={"number": "500000002"})
        this.made.pay(this.order("bad", creditor_account={"number": "500000001"}))
        this.made.work(lambda: this.made.are(SETTLED=2, REJECTED=1), "everything is answered")
        this.close_day()
        assert this.made.cash() == {this.account: OPENING.amount_minor - 300_000}
        assert not this.made.open()


@BOTH
def test_an_answer_that_never_came_is_asked_for(tmp_path: Path, name: str) -> None:
    """The bank settles and hangs up: in doubt, then an inquiry, and no second payment."""
    with rail(tmp_path, name) as this:
        this.bank.habits.reply = Reply.NEVER
        this.pay("1000")
        this.made.work(lambda: this.made.are(SETTLED=1), "the inquiry tells")
        moves = [row[0] for row in this.made.rows("SELECT event FROM move ORDER BY version")]
        assert "doubt" in moves
        this.close_day()


@BOTH
def test_money_that_comes_in_and_money_that_comes_back(tmp_path: Path, name: str) -> None:
    """A tax payment is notified and later booked once; a transfer that is given back returns its payment."""
    with rail(tmp_path, name) as this:
        this.pay("1000")
        this.made.work(lambda: this.made.are(SETTLED=1), "it is settled")
        this.bank.credit(this.account, Money(777_00, "KHR"), payer="Sok Dara", reference="TAX-7", text="tax 2026")
        [wire] = [row[0] for row in this.made.rows("SELECT wire_name FROM message WHERE operation = 'submit'")]
        [sent] = [row[0] for row in this.made.rows("SELECT message_id FROM message WHERE operation = 'submit'")]
        this.bank.give_back(wire or sent, "AC04")
        this.made.work(lambda: this.made.are(RETURNED=1), "it came back")
        this.close_day()
        assert this.made.cash() == {this.account: OPENING.amount_minor + 77_700}
        assert this.made.open() == {"unmatched_credit": 1}


@BOTH
@pytest.mark.slow
def test_a_hundred_cuts_between_acceptance_and_reply_and_not_one_payment_twice(tmp_path: Path, name: str) -> None:
    """Every one is in doubt, is asked about, and ends as the bank says; its books show each once."""
    count = 100
    with rail(tmp_path, name) as this:
        this.bank.habits.reply = Reply.NEVER
        this.pay(*(["100"] * count))
        this.made.work(lambda: this.made.are(SETTLED=count), "every doubt has ended")
        assert len(this.made.doubted()) == count
        this.close_day()
        assert this.made.cash() == {this.account: OPENING.amount_minor - count * 10_000}


@BOTH
def test_a_bank_that_was_away_gets_each_transfer_once(tmp_path: Path, name: str) -> None:
    """Connections refused, then cut before a byte was read: nothing is in doubt, and nothing is sent twice."""
    with rail(tmp_path, name) as this:
        this.proxy.fault = Fault("refuse")
        this.pay("1000", "2000")
        for _ in range(12):
            this.made.turn()
        assert "IN_DOUBT" not in this.made.states()
        this.proxy.fault = Fault("cut", times=2)
        this.made.work(lambda: this.made.are(SETTLED=2), "it is back")
        this.close_day()
