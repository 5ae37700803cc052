"""What came over FAST or Bakong for nobody goes back: two people, SOAP over TLS, the bank's own books, the ledger."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.operations import giving_back, proposals
from gateway.operations.operator import Operator
from gateway.operations.plans import Rules
from gateway.operations.proposals import Proposal
from gateway.operations.resolutions import Resolution
from gateway.operations.returns import GiveBack
from gateway.store import ledger
from schemas.errors import OperationRefused
from schemas.iso20022 import pain007
from schemas.model.money import Money
from simulators.instant_bank import DEFINITION, Reply
from tests.rails.test_instant import BOTH, OPENING, Rail, rail

CAME_IN = Money(777_00, "KHR")
PAYER_ACCOUNT, PAYER_BANK = "009900000001", "ABAAKHPP"
WITH_IT = OPENING.amount_minor + CAME_IN.amount_minor


def received(this: Rail, **changes: Any) -> tuple[int, int]:
    """Let the bank credit what nobody expects, and close its day; return the numbers of entry and exception."""
    said: dict[str, Any] = {"payer": "Sok Dara", "reference": "THEIR-7", "payer_bank": PAYER_BANK, **changes}
    this.bank.credit(this.account, CAME_IN, payer_account=PAYER_ACCOUNT, **said)
    next_day(this)
    [(entry, number)] = this.made.rows("SELECT subject, id FROM exception WHERE kind = 'unmatched_credit'")
    assert balances(this)[f"suspense:{this.account}"] == -CAME_IN.amount_minor
    return entry, number


def next_day(this: Rail) -> None:
    """Close the day, which books its statement, and begin the next one."""
    before = booked(this)
    this.bank.close_day()
    this.made.work(lambda: booked(this) > before, "the statement is booked")
    assert this.made.cash() == {this.account: this.bank.books.balance(this.account).amount_minor}
    assert this.made.faults() == []
    this.made.clock.advance(timedelta(days=1))


def booked(this: Rail) -> int:
    """Return how many statements are booked."""
    return int(this.made.rows("SELECT COUNT(*) FROM statement WHERE state = 'BOOKED'")[0][0])


def proposed(this: Rail, entry: int, amount: str | None = None, **more: str | None) -> Proposal:
    """Let one person propose to give an entry back."""
    one = Operator(this.made.gateway.store, this.made.clock, "sophea")
    give = GiveBack.by("sophea", "AC04", "account closed", **more)
    return giving_back.propose(one, entry, give, amount, "charge", rules(this))


def agreed(this: Rail, made: Proposal) -> Resolution:
    """Let another person confirm it."""
    other = Operator(this.made.gateway.store, this.made.clock, "dara")
    return proposals.confirm(other, made.exception, made.sha256, rules(this))


def rules(this: Rail) -> Rules:
    """Return the rules of the treasury's gateway."""
    return Rules.of(this.made.gateway.settings, this.made.gateway)


def balances(this: Rail) -> dict[str, int]:
    """Return every account of the ledger that is not nothing, minor units."""
    with this.made.gateway.store.transaction() as db:
        return {account: minor for (account, _), minor in ledger.balances(db).items() if minor}


def state(this: Rail, number: int) -> str:
    """Return where an exception stands."""
    return str(dict(this.made.rows("SELECT id, state FROM exception"))[number])


def paid_by_the_bank(this: Rail) -> list[tuple[int, str | None]]:
    """Return what the bank has paid out of our account, and to which account."""
    return [(one.amount_minor, one.party_account) for one in this.bank.books.payments()]


def everything(this: Rail) -> tuple[Any, ...]:
    """Return what must not change when something is said again."""
    counted = this.made.rows("SELECT COUNT(*), SUM(amount_minor) FROM transfer")
    return balances(this), this.made.states(), this.made.open(), counted, paid_by_the_bank(this)


@BOTH
def test_money_for_nobody_goes_back_to_its_payer(tmp_path: Path, name: str) -> None:
    """From the transfer that came in to the statement that shows it leave; the payer's bank is the one it came from."""
    with rail(tmp_path, name) as this:
        entry, number = received(this)
        made = proposed(this, entry)
        assert f"to Sok Dara, account *****0001, bank {PAYER_BANK}" in made.text
        assert "statement names no" not in made.text
        assert state(this, number) == "proposed"
        assert paid_by_the_bank(this) == []
        agreed(this, made)
        this.made.work(lambda: this.made.are(SETTLED=1), "the bank has settled the return")
        assert paid_by_the_bank(this) == [(-CAME_IN.amount_minor, PAYER_ACCOUNT)]
        [(definition,)] = this.made.rows("SELECT definition FROM message WHERE operation = 'submit'")
        [document] = this.made.documents()
        if name == "fast":
            assert definition == DEFINITION
            for text in (
                b"<Cd>REFU</Cd>",
                b"<EndToEndId>THEIR-7</EndToEndId>",
                PAYER_ACCOUNT.encode(),
                b"NCAMKHPP/ABAA",
            ):
                assert text in document
        else:
            assert definition == pain007.DEFINITION
            for text in (b"<OrgnlMsgId>IN", b"<OrgnlEndToEndId>THEIR-7<", b"ABAAKHPP/NCAMKHPP/IN", b"<Cd>AC04</Cd>"):
                assert text in document
        next_day(this)
        assert balances(this) == {
            f"bank:{this.account}": OPENING.amount_minor,
            f"opening:{this.account}": -OPENING.amount_minor,
        }
        assert state(this, number) == "resolved"
        assert this.made.open() == Counter()


@BOTH
def test_nothing_that_comes_twice_gives_it_back_twice(tmp_path: Path, name: str) -> None:
    """The credit, the confirmation, the bank's answer and both statements: a second time changes nothing."""
    with rail(tmp_path, name) as this:
        entry, number = received(this)
        made = proposed(this, entry)
        agreed(this, made)
        with pytest.raises(OperationRefused, match="resolved already"):
            agreed(this, made)
        this.bank.habits.reply = Reply.TWICE
        this.made.work(lambda: this.made.are(SETTLED=1), "the bank has settled the return")
        next_day(this)
        before = everything(this)
        documents = this.made.rows("SELECT COUNT(*) FROM document")
        with pytest.raises(OperationRefused, match="payment 1"):
            proposed(this, entry)
        assert state(this, number) == "resolved"
        for document in this.made.received():
            this.bank.hand_out(document.decode())
        this.made.work(lambda: not this.bank.incoming(), "everything is fetched again")
        for _ in range(5):
            this.made.turn()
        assert everything(this) == before
        assert this.made.rows("SELECT COUNT(*) FROM document") == documents
        assert this.made.faults() == []


@BOTH
def test_an_answer_that_never_came_gives_it_back_once(tmp_path: Path, name: str) -> None:
    """The bank books the return and hangs up: in doubt, an inquiry, and no second message."""
    with rail(tmp_path, name) as this:
        entry, number = received(this)
        agreed(this, proposed(this, entry))
        this.bank.habits.reply = Reply.NEVER
        this.made.work(lambda: this.made.are(SETTLED=1), "the inquiry tells")
        assert len(this.made.doubted()) == 1
        next_day(this)
        assert paid_by_the_bank(this) == [(-CAME_IN.amount_minor, PAYER_ACCOUNT)]
        assert f"suspense:{this.account}" not in balances(this)
        assert state(this, number) == "resolved"


@BOTH
def test_what_only_the_statement_says_left_is_settled_by_it(tmp_path: Path, name: str) -> None:
    """No answer, and nobody asks: the statement's entry is found to be the return."""
    with rail(tmp_path, name) as this:
        entry, number = received(this)
        agreed(this, proposed(this, entry))
        this.bank.habits.reply = Reply.NEVER
        this.made.work(lambda: bool(paid_by_the_bank(this)), "the bank has it")
        this.bank.close_day()
        this.made.work(lambda: this.made.are(SETTLED=1), "it is settled", "inbound")
        assert this.made.rows("SELECT matched FROM entry WHERE amount_minor < 0") == [("settle",)]
        assert this.made.cash() == {this.account: OPENING.amount_minor}
        assert f"suspense:{this.account}" not in balances(this)
        assert (state(this, number), this.made.open()) == ("resolved", Counter(handover_unknown=1))
        assert this.made.faults() == []


@BOTH
def test_a_return_that_the_bank_rejects_is_in_suspense_again(tmp_path: Path, name: str) -> None:
    """The payer's account is closed: nothing left, the exception is open, and it can be given back otherwise."""
    with rail(tmp_path, name) as this:
        entry, number = received(this)
        this.bank.habits.rejections = {"001": "AC04"}
        agreed(this, proposed(this, entry))
        this.made.work(lambda: this.made.are(REJECTED=1), "the bank rejects it")
        assert (state(this, number), paid_by_the_bank(this)) == ("reopened", [])
        assert balances(this)[f"suspense:{this.account}"] == -CAME_IN.amount_minor
        assert balances(this)[f"bank:{this.account}"] == WITH_IT
        assert this.made.faults() == []
        next_day(this)
        assert balances(this)[f"bank:{this.account}"] == WITH_IT
        this.bank.habits.rejections = {}
        agreed(this, proposed(this, entry))
        this.made.work(lambda: this.made.are(REJECTED=1, SETTLED=1), "it is open again, and goes")
        next_day(this)
        assert f"suspense:{this.account}" not in balances(this)
        assert state(this, number) == "resolved"


@BOTH
def test_a_part_goes_back_and_the_rest_is_a_charge(tmp_path: Path, name: str) -> None:
    """The bank takes less than came in, once; what was kept stays ours."""
    with rail(tmp_path, name) as this:
        entry, _ = received(this)
        agreed(this, proposed(this, entry, "700"))
        this.made.work(lambda: this.made.are(SETTLED=1), "the bank has settled the return")
        next_day(this)
        assert paid_by_the_bank(this) == [(-700_00, PAYER_ACCOUNT)]
        assert balances(this)[f"charges:{this.account}"] == -77_00
        assert f"suspense:{this.account}" not in balances(this)


def test_the_payers_bank_is_taken_from_the_statement_where_that_names_it(tmp_path: Path) -> None:
    """A credit of which only the statement tells, with the bank that it came from."""
    with rail(tmp_path, "fast") as this:
        this.bank.habits.statements_name_banks = True
        entry, _ = received(this, handed_out=False, payer_bank="ACLBKHPP")
        made = proposed(this, entry)
        assert "bank ACLBKHPP" in made.text
        agreed(this, made)
        this.made.work(lambda: this.made.are(SETTLED=1), "the bank has settled the return")
        next_day(this)
        assert f"suspense:{this.account}" not in balances(this)


def test_a_payers_bank_that_nobody_names_has_to_be_said(tmp_path: Path) -> None:
    """The error says why it is not known; a bank that is another one than the bank knows is rejected by it."""
    with rail(tmp_path, "fast") as this:
        entry, number = received(this, handed_out=False)
        with pytest.raises(OperationRefused, match=r"the payer's bank is not known.*DbtrAgt.*--to-bank BIC"):
            proposed(this, entry)
        wrong = proposed(this, entry, bank="ACLBKHPP")
        assert "the statement names no bank: the maker does" in wrong.text
        agreed(this, wrong)
        this.made.work(lambda: this.made.are(REJECTED=1), "the bank knows where it came from")
        assert state(this, number) == "reopened"
        agreed(this, proposed(this, entry, bank=PAYER_BANK))
        this.made.work(lambda: this.made.are(REJECTED=1, SETTLED=1), "it goes")


def test_a_reversal_of_what_only_the_statement_tells_of_cannot_be_written(tmp_path: Path) -> None:
    """Bakong names the message that it came in, and nobody knows that."""
    with rail(tmp_path, "bakong") as this:
        entry, _ = received(this, handed_out=False)
        with pytest.raises(OperationRefused, match="the message that the transfer came in is not known"):
            proposed(this, entry, bank=PAYER_BANK)


def test_a_transfer_without_an_end_to_end_id_is_named_by_its_instruction(tmp_path: Path) -> None:
    """What stands for no reference names nothing; the bank knows the InstrId."""
    with rail(tmp_path, "fast") as this:
        entry, _ = received(this, reference="NOTPROVIDED")
        agreed(this, proposed(this, entry))
        this.made.work(lambda: this.made.are(SETTLED=1), "the bank has settled the return")
        next_day(this)
        assert f"suspense:{this.account}" not in balances(this)


def test_who_paid_is_not_guessed_from_the_amount(tmp_path: Path) -> None:
    """Two paid the same on one day, one of them unannounced: each gets back its own, at its own bank."""
    with rail(tmp_path, "fast") as this:
        this.bank.credit(
            this.account, CAME_IN, payer="Sok Dara", reference="A", payer_account="009900000007", handed_out=False
        )
        this.bank.credit(
            this.account,
            CAME_IN,
            payer="Chan Sophal",
            reference="B",
            payer_account="009900000008",
            payer_bank="ACLBKHPP",
        )
        next_day(this)
        names = dict(this.made.rows("SELECT end_to_end_id, id FROM entry WHERE matched = 'suspense'"))
        with pytest.raises(OperationRefused, match="--to-bank"):
            proposed(this, names["A"])
        assert "to Chan Sophal, account *****0008, bank ACLBKHPP" in proposed(this, names["B"]).text
