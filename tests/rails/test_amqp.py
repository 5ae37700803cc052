"""The high-value rail whole, over a real broker: a confirm is lost, an answer is lost, and nobody is paid twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from adapters.profile import SHIPPED
from gateway.bus.rabbitmq import RabbitBus
from gateway.clock import SystemClock
from schemas.iso20022 import pacs028
from simulators.bank_service import BankService
from simulators.central_bank import CentralBank
from simulators.stage import OPENINGS, PROFILE
from tests.fault_proxy import FaultProxy
from tests.rails.treasury import Treasury, treasury

pytestmark = pytest.mark.servers
ACCOUNT = "000100000001"
CHANNEL = "[channel]\ninquire_after_s = 5\ninquire_every_s = 5\n\n[transport]"
CONFIRM = b"\x00\x3c\x00\x50"
"""AMQP 0-9-1: class 60 (basic), method 80 (ack), which a broker says of nothing but a publication."""


@dataclass
class HighValue:
    """A treasury and its central bank on one broker; the proxy is in front of the treasury's side of it.

    Attributes:
        loses_answers: what the bank says of payments never arrives; what it says when it is asked does.
    """

    made: Treasury
    bank: CentralBank
    service: BankService
    proxy: FaultProxy
    loses_answers: bool = False

    def receive(self, document: bytes) -> list[bytes]:
        """Let the bank take a message; return those of its answers that arrive."""
        answers = CentralBank.receive(self.bank, document)
        return [] if self.loses_answers and pacs028.DEFINITION.encode() not in document else answers

    def close_day(self) -> None:
        """Let the bank close its day, and wait until the cash account is what its statement says."""
        self.service.end_of_day(self.made.clock.now().astimezone(self.made.profile.zone).date())
        balance = self.bank.balance(ACCOUNT).amount_minor
        self.made.work(lambda: self.made.cash().get(ACCOUNT) == balance, "the ledger equals the statement")
        assert self.made.faults() == []


@contextmanager
def high_value(tmp_path: Path, rabbit_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[HighValue]:
    """Give a treasury that writes one payment into each message."""
    found: list[Treasury] = []
    text = (SHIPPED / f"{PROFILE}.toml").read_text(encoding="utf-8")
    text = text.replace("transactions_max = 1000", "transactions_max = 1").replace("[transport]", CHANNEL)
    user, _, place = rabbit_url.rpartition("@")
    address, _, vhost = place.partition("/")
    host, _, port = address.partition(":")

    def now() -> datetime:
        return found[0].clock.now()

    theirs = RabbitBus(rabbit_url, SystemClock())
    with FaultProxy((host, int(port))) as proxy:
        ours = f"{user}@{host}:{proxy.port}/{vhost}"
        with treasury(tmp_path / "home", text, bus_url=ours, workers={"dispatch_batch": 1}) as made:
            found.append(made)
            bank = made.stage.bank(made.gateway, now, Random(1))
            service = BankService(theirs, PROFILE, bank, now)
            this = HighValue(made, bank, service, proxy)
            monkeypatch.setattr(bank, "receive", this.receive)
            made.bank = service.step
            yield this
            service.close()
            bank.close()
    theirs.close()


@pytest.mark.slow
@pytest.mark.parametrize("answers", ["come", "are lost"])
def test_a_hundred_cuts_between_the_brokers_acceptance_and_its_confirm_pay_nobody_twice(
    tmp_path: Path, rabbit_url: str, monkeypatch: pytest.MonkeyPatch, answers: str
) -> None:
    """The broker has each message, and the gateway does not hear it: the same bytes again, which the bank knows.

    Where the bank's answers get lost as well, each payment is in doubt, asked about (pacs.028), and settled once.
    """
    with high_value(tmp_path, rabbit_url, monkeypatch) as this:
        made, cuts, armed = this.made, list[bytes](), list[bool]()
        this.loses_answers = answers == "are lost"

        def loses(said: bytes) -> bool:
            """Let the confirm of the message that is just being published get lost."""
            if not armed or CONFIRM not in said:
                return False
            armed.clear()
            cuts.append(said)
            return True

        this.proxy.loses = loses
        made.pay(*(made.order(n, amount="1000") for n in range(100)))
        waits = "SELECT COUNT(*) FROM outbox WHERE message IS NOT NULL"
        for number in range(100):
            made.work(lambda: made.rows(waits)[0][0] == 1, "the next message is written", "intake", "dispatch")
            armed.append(True)
            made.turn("relay")
            assert (len(cuts), made.rows(waits)[0][0]) == (number + 1, 1), "nobody knows that the broker has it"
            made.work(lambda: made.rows(waits)[0][0] == 0, "the broker has confirmed it", "relay")
        if this.loses_answers:
            made.work(lambda: this.bank.counts["repeats"] == 100, "the bank has every message, and every one again")
            assert made.are(SENT=100)
            made.clock.advance(timedelta(seconds=made.profile.in_doubt_after_s))
        made.work(lambda: made.are(SETTLED=100), "every payment has its answer")
        assert this.bank.counts["repeats"] == 100
        assert len(made.doubted()) == (100 if this.loses_answers else 0)
        asked = made.rows("SELECT COUNT(DISTINCT about) FROM message WHERE operation = 'inquire'")
        assert asked[0][0] == (100 if this.loses_answers else 0)
        this.close_day()
        assert sorted(this.bank.settlements.values()) == [1] * 100
        assert set(this.bank.settlements) == {payment.uetr for payment in made.payments()}
        assert made.cash()[ACCOUNT] == OPENINGS[ACCOUNT].amount_minor - 100 * 100_000
        assert made.dead() == []
