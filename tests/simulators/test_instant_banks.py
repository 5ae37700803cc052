"""FAST and Bakong from end to end: the real rail and the real transport, over TLS, to a bank with its own books."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from adapters.profile import Profile, load
from adapters.rails import Received, Sent, Task, inquiry_of, rail
from adapters.transports import INQUIRE, Outbound, connect
from adapters.transports.soap import Soap
from schemas.errors import ChannelUnavailable, HandoverRefused, HandoverUnknown
from schemas.model.identifiers import message_id
from schemas.model.money import Money
from schemas.model.payment import Account, Agent, Original, Payment
from schemas.model.statement import Entry, Statement
from schemas.model.status import TransactionStatus
from security.trust import TrustStore
from simulators.bakong import BakongBank
from simulators.fast import FastBank
from simulators.instant_bank import InstantBank, Reply
from simulators.soap_service import SoapService
from simulators.web_banks import CREDENTIALS
from tests import web_stand
from tests.fault_proxy import Fault, FaultProxy
from tests.golden import examples
from tests.web_stand import Tls, served

CUTS = 100
FOLDER = Path(__file__).parents[1] / "adapters" / "instant"
DAY = date(2026, 11, 30)
OPENING = Money(1_000_000_00, "KHR")


@dataclass
class Stand:
    """A bank behind a proxy, and our side: profile, rail and transport."""

    profile: Profile
    bank: InstantBank
    proxy: FaultProxy
    transport: Soap
    numbers: Iterator[int]

    def now(self) -> datetime:
        """Return the moment, which stands still."""
        return datetime(2026, 11, 30, 9, 15, tzinfo=self.profile.zone)

    def payment(self, **changes: Any) -> Payment:
        """Return a payment to somebody at another bank."""
        made = replace(
            examples.SALARY, payment_id=7, instruction_id="TG000000000007", end_to_end_id="PO-7", execution_date=DAY,
            amount=Money(500_00, "KHR"), creditor_agent=Agent("ABAAKHPP"), debtor_agent=Agent(self.profile.bank_bic),
            charge_bearer=self.profile.message.charge_bearers[0],
            debtor_account=replace(examples.SALARY.debtor_account, number=self.profile.accounts[0].number),
        )  # fmt: skip
        return replace(made, **changes)

    def outbound(self, payment: Payment) -> tuple[Outbound, Task]:
        """Return a payment as the rail composes it."""
        task = Task(message_id("TREAKHPP", DAY, next(self.numbers)), self.now(), DAY)
        made = rail(self.profile.rail).compose(self.profile, task, [payment], None, lambda _: None)  # type: ignore[arg-type]  # nothing is signed
        return Outbound(made.name or task.message_id, made.document, made.definition), task

    def inquiry(self, sent: Outbound, task: Task, payment: Payment) -> Outbound:
        """Return the question what became of a message."""
        inquire = inquiry_of(rail(self.profile.rail))
        assert inquire is not None
        about = Sent(task.message_id, sent.name, sent.definition, task.created, DAY, (payment,), 1, payment.amount)
        made = inquire(self.profile, task, about, None)  # type: ignore[arg-type]  # nothing is signed
        return Outbound(made.name or "", made.document, made.definition, INQUIRE)

    def read(self, document: bytes) -> Received:
        """Read what came back."""
        trust = TrustStore(anchors=(), signers=())
        return rail(self.profile.rail).read(self.profile, document, trust, self.now())

    def collected(self) -> list[Received]:
        """Fetch, read and acknowledge all that waits."""
        arrivals = self.transport.receive(100)
        found = [self.read(one.source.read()) for one in arrivals]
        self.transport.done(arrivals)
        return found

    def paid(self) -> list[str | None]:
        """Return the EndToEndIds of all that the bank has paid."""
        return [one.end_to_end_id for one in self.bank.books.payments()]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """Return certificates."""
    return web_stand.tls(tmp_path_factory.mktemp("tls"))


@pytest.fixture(params=["fast", "bakong"])
def stand(request: pytest.FixtureRequest, files: Tls, tmp_path: Path) -> Iterator[Stand]:
    """Run each bank."""
    profile = load(FOLDER / f"{request.param}.toml")
    bank: FastBank | BakongBank = (FastBank if request.param == "fast" else BakongBank)(
        profile.bank_bic,
        {profile.accounts[0].number: OPENING},
        lambda: datetime(2026, 11, 30, 9, 15, tzinfo=profile.zone),
    )
    service: SoapService = bank.service(CREDENTIALS)
    vault = web_stand.vault(tmp_path / "vault", files, user=CREDENTIALS["user_name"], password=CREDENTIALS["password"])
    with served(files, service) as proxy:
        reached = profile.transport.model_copy(
            update={"base_url": f"https://127.0.0.1:{proxy.port}", "loopback_allowed": True, "read_s": 10.0}
        )
        profile = profile.model_copy(update={"transport": reached})
        transport = connect(profile, vault)
        assert isinstance(transport, Soap)
        yield Stand(profile, bank, proxy, transport, count(1))
        transport.close()
    bank.books.close()


def only(received: Received) -> TransactionStatus:
    """Return the one status that a document holds."""
    (report,) = received.reports
    return (report.transactions or report.blocks[0].transactions)[0]


def test_a_transfer_is_settled_and_answered_in_the_same_exchange(stand: Stand) -> None:
    """The answer names our payment, and the bank's booking by which its statement will name it."""
    outbound, _ = stand.outbound(stand.payment())
    (answer,) = stand.transport.send(outbound).answers
    status = only(stand.read(answer))
    assert (status.status, status.instruction_id) == ("ACSC", "TG000000000007")
    assert status.servicer_reference == next(stand.bank.books.payments()).servicer_reference
    assert stand.bank.books.balance(stand.profile.accounts[0].number) == Money(999_500_00, "KHR")


def test_a_rejection_says_why_and_books_nothing(stand: Stand) -> None:
    """By the creditor's account, for want of funds, and for an account that is not ours."""
    stand.bank.habits.rejections = {"890": "AC04"}
    number = stand.payment().creditor_account.number
    assert number.endswith("890")
    other = replace(stand.payment().creditor_account, number="001234567000")
    poor = stand.payment(creditor_account=other, amount=Money(2_000_000_00, "KHR"))
    strange = stand.payment(creditor_account=other, debtor_account=replace(other, number="999"))
    for payment, reason in ((stand.payment(), "AC04"), (poor, "AM04"), (strange, "AC02")):
        (answer,) = stand.transport.send(stand.outbound(payment)[0]).answers
        assert (only(stand.read(answer)).status, only(stand.read(answer)).reason) == ("RJCT", reason)
    assert stand.paid() == []


def test_the_same_bytes_again_are_one_payment(stand: Stand) -> None:
    """The same answer again, or a refusal that says that it is known; other content under the name never passes."""
    outbound, _ = stand.outbound(stand.payment())
    first, second = stand.transport.send(outbound), stand.transport.send(outbound)
    assert first == second
    stand.bank.habits.refuses_repeats = True
    other = replace(outbound, content=outbound.content.replace(b"PO-7", b"PO-8"))
    for again in (outbound, other):
        with pytest.raises(HandoverRefused) as caught:
            stand.transport.send(again)
        assert caught.value.known
    assert stand.paid() == ["PO-7"]


@pytest.mark.parametrize("reply", [Reply.NEVER, Reply.LATER])
def test_a_bank_that_hangs_up_leaves_it_in_doubt_until_it_is_asked(stand: Stand, reply: Reply) -> None:
    """The inquiry's answer is the status that was lost; a bank may hand it out by itself as well."""
    stand.bank.habits.reply = reply
    payment = stand.payment()
    outbound, task = stand.outbound(payment)
    with pytest.raises(HandoverUnknown):
        stand.transport.send(outbound)
    (answer,) = stand.transport.send(stand.inquiry(outbound, task, payment)).answers
    assert only(stand.read(answer)).status == "ACSC"
    assert [only(one).status for one in stand.collected()] == (["ACSC"] if reply is Reply.LATER else [])


def test_an_answer_that_comes_twice_is_the_same_answer(stand: Stand) -> None:
    """In the exchange and handed out: both bytes are the same, so the second changes nothing."""
    stand.bank.habits.reply = Reply.TWICE
    (answer,) = stand.transport.send(stand.outbound(stand.payment())[0]).answers
    arrivals = stand.transport.receive(10)
    assert [one.source.read() for one in arrivals] == [answer]
    stand.transport.done(arrivals)
    assert stand.transport.receive(10) == []


def test_a_bank_that_never_got_it_does_not_know_it(stand: Stand) -> None:
    """An inquiry that overtakes its payment must not be taken for a rejection."""
    payment = stand.payment()
    outbound, task = stand.outbound(payment)
    with pytest.raises(HandoverRefused, match="Unknown") as caught:
        stand.transport.send(stand.inquiry(outbound, task, payment))
    assert not caught.value.known


def test_a_hundred_cuts_between_acceptance_and_reply_are_a_hundred_payments_found_by_inquiry(stand: Stand) -> None:
    """Each in doubt, each in the bank's books once, and each out of doubt when the bank is asked."""
    habits = stand.bank.habits
    for number in range(CUTS):
        payment = stand.payment(
            payment_id=number + 1, instruction_id=f"TG{number + 1:012d}", end_to_end_id=f"P-{number}"
        )
        outbound, task = stand.outbound(payment)
        habits.before_reply = stand.proxy.cut
        with pytest.raises(HandoverUnknown):
            stand.transport.send(outbound)
        habits.before_reply = lambda: None
        (answer,) = stand.transport.send(stand.inquiry(outbound, task, payment)).answers
        assert (only(stand.read(answer)).status, only(stand.read(answer)).instruction_id) == (
            "ACSC",
            payment.instruction_id,
        )
    assert stand.paid() == [f"P-{number}" for number in range(CUTS)]


def test_what_comes_in_is_handed_out_until_it_is_acknowledged(stand: Stand) -> None:
    """Money of others: a notification, which names payer and reference."""
    account = stand.profile.accounts[0].number
    stand.bank.credit(account, Money(250_00, "KHR"), payer="Sok Dara", reference="RENT-7", text="Licence 12")
    first, second = stand.transport.receive(10), stand.transport.receive(10)
    assert [one.source.read() for one in first] == [one.source.read() for one in second]
    first[0].source.seek(0)
    head, entry = list(stand.read(first[0].source.read()).statements or ())
    assert isinstance(head, Statement)
    assert isinstance(entry, Entry)
    assert (head.kind, head.account, entry.amount_minor) == ("notification", account, 250_00)
    assert (entry.details[0].counterparty_name, entry.details[0].end_to_end_id) == ("Sok Dara", "RENT-7")
    stand.transport.done(first)
    stand.transport.done(second)  # the bank says that it knows: that is no error
    assert stand.transport.receive(10) == []


def test_a_payment_that_comes_back_is_a_return_of_ours(stand: Stand) -> None:
    """A refund with REFU on FAST, a reversal on Bakong: both name our payment."""
    outbound, _ = stand.outbound(stand.payment())
    stand.transport.send(outbound)
    stand.bank.give_back(outbound.name, "AC04")
    ((item,),) = [one.returns for one in stand.collected()]
    assert item.end_to_end_id == "PO-7"
    assert item.amount == Money(500_00, "KHR")
    assert stand.bank.books.balance(stand.profile.accounts[0].number) == OPENING
    with pytest.raises(ValueError, match="returned before"):
        stand.bank.give_back(outbound.name, "AC04")


def came_in(stand: Stand, amount: Money) -> Payment:
    """Let somebody's transfer come in; return what gives it back."""
    account = stand.profile.accounts[0].number
    stand.bank.credit(account, amount, payer="Sok Dara", reference="RENT-7")
    (came,) = stand.collected()
    head, entry = list(came.statements or ())
    assert isinstance(head, Statement)
    assert isinstance(entry, Entry)
    (detail,) = entry.details
    assert (detail.counterparty_account, detail.counterparty_bank) == ("009900000001", "ABAAKHPP")
    original = Original(
        came.message_id, came.definition, detail.end_to_end_id, detail.instruction_id, None, amount, "AC04",
        block_id=head.statement_id,
    )  # fmt: skip
    return stand.payment(
        kind="return", original=original, amount=amount, creditor_account=Account(detail.counterparty_account or "")
    )


def test_what_came_in_can_be_given_back(stand: Stand) -> None:
    """A new transfer with REFU on FAST; a reversal on Bakong. Each is taken once, and the same message is the same."""
    back = came_in(stand, Money(250_00, "KHR"))
    outbound, task = stand.outbound(back)
    answers = [stand.transport.send(outbound).answers for _ in range(2)]
    assert answers[0] == answers[1]
    assert only(stand.read(answers[0][0])).status == "ACSC"
    assert stand.transport.send(stand.inquiry(outbound, task, back)).answers == answers[0]
    assert stand.bank.books.balance(stand.profile.accounts[0].number) == OPENING
    (again,) = stand.transport.send(stand.outbound(back)[0]).answers
    assert (only(stand.read(again)).status, only(stand.read(again)).reason) == ("RJCT", "DUPL")
    assert len(stand.paid()) == 1


def test_what_is_given_back_is_what_came_in_and_goes_to_its_payer(stand: Stand) -> None:
    """Nothing that never came, no more than came, and on FAST to nobody else and no other bank."""
    back = came_in(stand, Money(250_00, "KHR"))
    assert back.original is not None
    strange = replace(back.original, end_to_end_id="NEVER", instruction_id=None)
    wrong = [(replace(back, original=strange), "NOOR"), (replace(back, amount=Money(251_00, "KHR")), "AM09")]
    if stand.profile.rail == "fast":
        wrong.append((replace(back, creditor_account=Account("009900000002")), "AC01"))
        wrong.append((replace(back, creditor_agent=Agent("ACLBKHPP")), "RC01"))
    else:
        wrong.append((replace(back, original=replace(back.original, block_id="X")), "NOOR"))
        wrong.append((replace(back, original=replace(back.original, message_id="X")), "NOOR"))
    for payment, reason in wrong:
        (answer,) = stand.transport.send(stand.outbound(payment)[0]).answers
        assert (only(stand.read(answer)).status, only(stand.read(answer)).reason) == ("RJCT", reason)
    assert stand.paid() == []


def test_the_days_statement_adds_up_to_what_was_paid(stand: Stand) -> None:
    """Opening, entries and closing; the entry bears the reference that the answer gave."""
    outbound, _ = stand.outbound(stand.payment())
    stand.transport.send(outbound)
    stand.bank.close_day()
    (received,) = stand.collected()
    head, *entries = list(received.statements or ())
    assert isinstance(head, Statement)
    assert head.opening == OPENING
    assert head.closing == stand.bank.books.balance(stand.profile.accounts[0].number)
    assert [one.amount_minor for one in entries if isinstance(one, Entry)] == [-500_00]


def test_another_password_is_refused_and_never_shown(stand: Stand, tmp_path: Path, files: Tls) -> None:
    """Credentials in the body are the bank's way; what they are stays in the vault."""
    vault = web_stand.vault(tmp_path / "other", files, user="treasury", password="wrong-secret")
    made = connect(stand.profile, vault)
    with pytest.raises(HandoverRefused, match="unknown user") as caught:
        made.send(stand.outbound(stand.payment())[0])
    assert "wrong-secret" not in str(caught.value)
    made.close()
    assert stand.paid() == []


def test_many_callers_at_once_are_served_one_after_the_other(stand: Stand, files: Tls, tmp_path: Path) -> None:
    """Each worker has a transport of its own; the bank's books stay right."""
    vault = web_stand.vault(tmp_path / "many", files, user="treasury", password="simulated")
    outbounds = [stand.outbound(stand.payment(end_to_end_id=f"P-{number}"))[0] for number in range(20)]

    def hand_over(part: list[Outbound]) -> None:
        made = connect(stand.profile, vault)
        for one in part:
            made.send(one)
        made.close()

    threads = [threading.Thread(target=hand_over, args=(outbounds[start::4],)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(filter(None, stand.paid())) == sorted(f"P-{number}" for number in range(20))


def test_a_bank_that_is_down_took_nothing(stand: Stand) -> None:
    """Nobody answers behind the address: the same bytes may go later."""
    stand.proxy.fault = Fault("refuse")
    with pytest.raises(ChannelUnavailable):
        stand.transport.send(stand.outbound(stand.payment())[0])
    assert stand.paid() == []
