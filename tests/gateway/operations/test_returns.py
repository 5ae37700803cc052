"""Money that came in for nobody goes back to its payer: by two people, once, whatever breaks in between."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.operations import approvals, cancellation, giving_back, proposals, receipts, views
from gateway.operations.operator import Operator
from gateway.operations.plans import Rules
from gateway.operations.proposals import Proposal
from gateway.operations.resolutions import Resolution, Way
from gateway.operations.returns import GiveBack
from gateway.store import receipts as bills
from schemas.errors import OperationRefused
from schemas.iso20022 import pacs004
from schemas.model.money import Money
from schemas.receipts import Announced, read_receipt
from simulators.stage import Stage
from tests.gateway.flow.stand import RIEL, Stand, booked
from tests.gateway.flow.test_missed_cut_offs import after_the_cut_off, strict
from tests.gateway.operations.desk import OPENING, confirm, numbers, person, propose, reopen, resolve, state
from tests.gateway.operations.test_two_people import at_once, unchanged

UETR = "11111111-1111-4111-8111-111111111111"
PAYER: dict[str, Any] = {"counterparty_name": "Chan Sophal", "counterparty_account": "500000009"}
CAME_IN: dict[str, Any] = {"uetr": UETR, "end_to_end_id": "THEIR-1", "instruction_id": "ABA-I-1", **PAYER}


def rules(stand: Stand) -> Rules:
    """Return the rules of the stand's gateway."""
    return Rules.of(stand.gateway.settings, stand.gateway)


def received(stand: Stand, amount_minor: int = 50_000, **changes: Any) -> tuple[int, int]:
    """Book money that nobody can explain; return the numbers of its entry and its exception."""
    stand.take(stand.bank.statement([booked(amount_minor, reference="NB-IN", **{**CAME_IN, **changes})], OPENING))
    [(number, entry)] = [(row[0], row[7]) for row in stand.rows("list_exceptions", state="open", kind=None, count=9)]
    return entry, number


def give(maker: str = "sophea", **more: str | None) -> GiveBack:
    """Return why, and to whom."""
    return GiveBack.by(maker, "AC04", "account closed", **more)


def proposed(
    stand: Stand, entry: int, amount: str | None = None, rest: str = "charge", by: str = "sophea", **more: str | None
) -> Proposal:
    """Propose to give an entry back."""
    return giving_back.propose(person(stand, by), entry, give(by, **more), amount, rest, rules(stand))


def agreed(stand: Stand, made: Proposal, by: str = "dara") -> Resolution:
    """Let another person confirm it."""
    return confirm(stand, made.exception, made.sha256, by, rules(stand))


def given(stand: Stand) -> tuple[int, int, int]:
    """Give an entry back; return the numbers of entry, exception and payment."""
    entry, number = received(stand)
    [payment] = agreed(stand, proposed(stand, entry)).returns
    return entry, number, payment


def test_money_for_nobody_goes_back_by_two_people(stand: Stand) -> None:
    """Proposed, confirmed, composed as a pacs.004 of the transfer that came in, sent, and booked by the statement."""
    entry, number = received(stand)
    before = stand.balances()
    made = proposed(stand, entry)
    assert (stand.balances(), state(stand, number), stand.payments()) == (before, "proposed", [])
    done = agreed(stand, made)
    assert (done.way, state(stand, number)) == (Way.GIVE_BACK, "resolved")
    assert stand.balances() == {
        f"bank:{RIEL}": OPENING + 50_000,
        f"opening:{RIEL}": -OPENING,
        "payable:gateway": -50_000,
    }
    stand.run("dispatch", "relay")
    [back] = stand.payments()
    assert (back.state, back.amount, back.order_id) == ("SENT", Money(50_000, "KHR"), f"RETURN-{number}-1")
    [document] = stand.documents()
    for text in (
        pacs004.DEFINITION.encode(),
        b"AC04",
        UETR.encode(),
        b"THEIR-1",
        b"500000009",
        b"Chan Sophal",
        b"500.00",
    ):
        assert text in document
    assert f"transit:{RIEL}" in stand.balances()
    stand.take(stand.bank.status("ACSC", [back]))
    entries = [booked(-50_000, reference="NB-OUT", code="PMNT/ICDT/RRTN", instruction_id=back.instruction_id)]
    stand.take(stand.bank.statement(entries, OPENING + 50_000, statement_id="NEXT"))
    assert stand.payments()[0].state == "SETTLED"
    assert stand.balances() == {f"bank:{RIEL}": OPENING, f"opening:{RIEL}": -OPENING}
    assert numbers(stand) == []
    assert stand.faults() == []


def test_the_same_person_does_not_confirm(light: Stand) -> None:
    """Whoever wants it given back is not who agrees; and one person alone never is enough, whatever the limits."""
    entry, number = received(light)
    made = proposed(light, entry)
    assert "another person" in unchanged(light, lambda: agreed(light, made, "sophea"))
    proposals.reject(person(light, "dara"), number, "it is somebody's")
    alone: dict[str, Any] = {"rules": rules(light), "give_back": give()}
    assert "let another person" in unchanged(light, lambda: resolve(light, number, Way.GIVE_BACK, **alone))
    assert "receipts return" in unchanged(light, lambda: resolve(light, number, Way.GIVE_BACK, rules=rules(light)))


def test_who_confirms_sees_to_whom_the_money_goes(light: Stand) -> None:
    """Amount, payee, masked account and bank; and that it is somebody else than the statement names."""
    entry, _ = received(light)
    payer = proposed(light, entry)
    assert "KHR 500.00 to Chan Sophal, account *****0009, bank " in payer.text
    assert "not the payer" not in payer.text
    other = proposed(light, entry, account="999999999", name="Sophea Cousin", bank="ABAAKHPP")
    assert "Sophea Cousin, account *****9999, bank ABAAKHPP (not the payer that the statement names)" in other.text
    assert "999999999" not in str(proposals.shown(other))
    part = proposed(light, entry, "450.00", account="999999999")
    assert "KHR 450.00 to Chan Sophal, account *****9999" in part.text
    assert "not the payer that the statement names" in part.text
    assert "*****9999" in agreed(light, part).resolution


def test_a_payee_that_the_statement_does_not_name_is_the_makers_word(light: Stand) -> None:
    """Whoever confirms has to find out elsewhere whose account it is."""
    entry, _ = received(light, counterparty_account=None)
    made = proposed(light, entry, account="999999999")
    assert "(the statement names no account: the maker does)" in made.text


def test_it_is_given_back_once(stand: Stand) -> None:
    """Neither proposed again, nor confirmed again, nor resolved otherwise, nor taken up again."""
    entry, number, payment = given(stand)
    assert f"payment {payment}" in unchanged(stand, lambda: proposed(stand, entry))
    assert f"payment {payment} gives its money back" in unchanged(stand, lambda: reopen(stand, number))
    assert "resolved already" in unchanged(stand, lambda: propose(stand, number, Way.CHARGE))
    stand.run("dispatch", "relay")
    assert f"payment {payment}" in unchanged(stand, lambda: proposed(stand, entry))


def test_of_many_who_confirm_at_once_one_does(stand: Stand) -> None:
    """One payment; the others read why not."""
    entry, number = received(stand)
    made = proposed(stand, entry)

    def one(operator: Operator) -> object:
        return proposals.confirm(operator, number, made.sha256, rules(stand))

    done = at_once(stand, *[one] * 4)
    assert sum(isinstance(x, Resolution) for x in done) == 1
    assert len(stand.payments()) == 1
    assert stand.faults() == []


def test_a_newer_proposal_takes_the_place_of_the_one_before(stand: Stand) -> None:
    """Two proposals are one return: the SHA-256 of the first confirms nothing any more."""
    entry, _ = received(stand)
    first = proposed(stand, entry)
    second = proposed(stand, entry, "400.00", by="chenda")
    assert "not the SHA-256" in unchanged(stand, lambda: agreed(stand, first))
    agreed(stand, second)
    assert [p.amount for p in stand.payments()] == [Money(40_000, "KHR")]


def test_a_part_goes_back_and_the_rest_is_something_else(stand: Stand) -> None:
    """The message says what was kept (rule 56), and the ledger where it is."""
    entry, _ = received(stand)
    agreed(stand, proposed(stand, entry, "450", "receipt:fmis"))
    stand.run("dispatch", "relay")
    [document] = stand.documents()
    assert b"450.00</RtrdIntrBkSttlmAmt>" in document
    assert stand.balances()["receipts:fmis"] == -5_000
    assert stand.faults() == []


@pytest.mark.parametrize(
    ("amount", "rest", "said"),
    [
        ("500.01", "charge", "more than"),
        ("0", "charge", "nothing is no return"),
        ("1e2", "charge", "--amount"),
        ("499", "match:7", "what is kept"),
        ("499", "receipt:nobody", "no source"),
    ],
)
def test_what_is_no_return_is_refused(light: Stand, amount: str, rest: str, said: str) -> None:
    """More than came in, nothing, and a rest that is nothing."""
    entry, _ = received(light)
    assert said in unchanged(light, lambda: proposed(light, entry, amount, rest))


def test_who_paid_must_be_known(light: Stand) -> None:
    """Where the statement does not say it, a person does; and the transfer has to be named by something."""
    entry, _ = received(light, counterparty_account=None)
    assert "--to-account" in unchanged(light, lambda: proposed(light, entry))
    agreed(light, proposed(light, entry, account="500000010"))
    light.run("dispatch")
    assert b"500000010" in light.documents()[0]


def test_what_names_nothing_cannot_be_given_back(light: Stand) -> None:
    """The rail's own module says so."""
    entry, _ = received(light, uetr=None, end_to_end_id=None, instruction_id=None)
    assert "neither InstrId, EndToEndId nor UETR" in unchanged(light, lambda: proposed(light, entry))


def test_the_message_that_it_came_in_is_named_where_the_bank_has_announced_it(stand: Stand) -> None:
    """A notification is not that message; the transfer itself, as an instant rail hands it over, is."""
    stand.take(stand.bank.notification([booked(50_000, reference="NB-IN", **CAME_IN)]))
    entry, _ = received(stand)
    [(digest, notified)] = stand.sql("SELECT sha256, message_id FROM document WHERE definition LIKE 'camt.054%'")
    made = proposed(stand, entry)
    with stand.gateway.store.transaction() as db:
        statement = f"UPDATE document SET definition = 'pacs.008.001.08' WHERE sha256 = '{digest}'"  # noqa: S608 - a hash
        db.connection.execute(statement)
    assert "something else by now" in unchanged(stand, lambda: agreed(stand, made))
    agreed(stand, proposed(stand, entry))
    stand.run("dispatch")
    [document] = stand.documents()
    assert f"<OrgnlMsgId>{notified}</OrgnlMsgId><OrgnlMsgNmId>pacs.008.001.08</OrgnlMsgNmId>".encode() in document


def test_a_reason_that_is_none_is_refused() -> None:
    """And a bank that is none."""
    with pytest.raises(OperationRefused, match="no return reason"):
        GiveBack.by("sophea", "XX99")
    with pytest.raises(OperationRefused, match="no BIC"):
        GiveBack.by("sophea", "AC04", bank="NOBANK")


def test_money_that_left_or_is_explained_is_not_given_back(light: Stand) -> None:
    """There is nothing to give back of a debit, and of what a person has explained."""
    entry, number = received(light)
    resolve(light, number, Way.CHARGE)
    assert f"exceptions reopen {number}" in unchanged(light, lambda: proposed(light, entry))
    assert "no statement has an entry 999" in unchanged(light, lambda: proposed(light, 999))


def test_what_the_bank_refuses_is_in_suspense_again(stand: Stand) -> None:
    """The money is still ours: the exception is open, and it can be given back otherwise."""
    entry, number, _ = given(stand)
    stand.run("dispatch", "relay")
    stand.take(stand.bank.status("RJCT", stand.payments(), "AC04"))
    assert stand.payments()[0].state == "REJECTED"
    assert state(stand, number) == "reopened"
    assert stand.balances()[f"suspense:{RIEL}"] == -50_000
    assert stand.faults() == []
    agreed(stand, proposed(stand, entry, account="500000011"))
    stand.run("dispatch", "relay")
    assert stand.states() == {f"RETURN-{number}-1": "REJECTED", f"RETURN-{number}-2": "SENT"}
    assert stand.faults() == []


def test_what_is_withdrawn_before_it_leaves_is_in_suspense_again(stand: Stand) -> None:
    """A part of it as well: all that the resolution had posted is posted back."""
    entry, number = received(stand)
    [payment] = agreed(stand, proposed(stand, entry, "450", "receipt:fmis")).returns
    cancellation.cancel(person(stand, "olga"), stand.gateway.profiles, str(payment), "CUST")
    assert (stand.payments()[0].state, state(stand, number)) == ("CANCELLED", "reopened")
    assert stand.balances()[f"suspense:{RIEL}"] == -50_000
    assert "receipts:fmis" not in stand.balances()
    resolve(stand, number, Way.RETURN)
    assert stand.faults() == []


def test_what_misses_its_cut_off_is_in_suspense_again(stage: Stage, tmp_path: Path) -> None:
    """A rail that refuses what is late refuses a return as well, which then has given nothing back."""
    with strict(stage, f"sqlite:///{tmp_path / 'gateway.sqlite'}", tmp_path) as stand:
        stand.start()
        entry, number, _ = given(stand)
        after_the_cut_off(stand)
        assert (stand.payments()[0].state, state(stand, number)) == ("REFUSED", "reopened")
        assert stand.balances()[f"suspense:{RIEL}"] == -50_000
        assert stand.faults() == []
        agreed(stand, proposed(stand, entry))
        assert stand.payments()[1].state == "READY"


@pytest.mark.parametrize(
    "point", ["dispatch.committed", "relay.bank_leased", "relay.bank_published", "relay.bank_marked"]
)
def test_a_crash_between_two_steps_neither_loses_nor_doubles_it(stand: Stand, point: str) -> None:
    """One message, the same bytes however often it left, and one payment."""
    given(stand)
    role = point.partition(".")[0]
    if role == "relay":
        stand.run("dispatch")
    stand.dies(role, point)
    stand.clock.advance(timedelta(seconds=stand.gateway.settings.workers.lease_s + 1))
    stand.run("dispatch", "relay")
    assert len({body for _, body in stand.at_bank()}) == 1
    assert [p.state for p in stand.payments()] == ["SENT"]
    assert len(stand.documents()) == 1
    assert stand.faults() == []


def test_an_order_that_was_changed_afterwards_does_not_leave(stand: Stand) -> None:
    """Confirmed is what the SHA-256 says; and a person who looks at it reads the order."""
    _, _, payment = given(stand)
    with stand.gateway.store.transaction() as db:
        seen = approvals.proposal(db, str(payment))
        assert (seen.order.kind, seen.order.maker) == ("return", "sophea")
        assert [each.approver for each in views.payment(db, str(payment)).approvals] == ["dara"]


REFERENCE = "RF18539007547034"


def billed(stand: Stand, paid_minor: int = 50_000) -> int:
    """Let an entry pay a bill; return the entry's number."""
    said = read_receipt({
        "bill_id": "B-1", "account": RIEL, "currency": "KHR", "amount": "500", "due_date": "2026-12-15",
        "reference": REFERENCE, "payer_name": "Sok Dara",
    })  # fmt: skip
    assert isinstance(said, Announced)
    with stand.gateway.store.transaction() as db:
        bills.add(db, "fmis", [said], 0)
    stand.take(stand.bank.statement([booked(paid_minor, reference="NB-IN", **CAME_IN, remittance=REFERENCE)], OPENING))
    [(entry, matched)] = stand.sql("SELECT id, matched FROM entry")
    assert matched == "receipt"
    return int(entry)


@pytest.mark.parametrize("paid_minor", [50_000, 60_000])
def test_what_paid_a_bill_is_taken_from_it_first(stand: Stand, paid_minor: int) -> None:
    """Then the bill is open again, its source knows, and the money can go back, with what came beyond the bill."""
    entry = billed(stand, paid_minor)
    assert f"receipts unmatch {entry}" in unchanged(stand, lambda: proposed(stand, entry))
    made = receipts.unmatch(person(stand, "sophea"), entry, "paid by somebody else's mistake")
    assert (made.bills, made.amount) == (("fmis/B-1",), Money(50_000, "KHR"))
    assert stand.balances()[f"suspense:{RIEL}"] == -paid_minor
    assert stand.sql("SELECT state, received_minor FROM expected_receipt") == [("OPEN", 0)]
    assert stand.told()[-1]["type"] == "treasury.receipt.reversed"
    assert stand.faults() == []
    assert "has paid no bill" in unchanged(stand, lambda: receipts.unmatch(person(stand, "sophea"), entry, "again"))
    agreed(stand, proposed(stand, entry))
    assert stand.payments()[0].amount == Money(paid_minor, "KHR")
    assert stand.faults() == []


def test_what_was_taken_from_a_bill_does_not_pay_it_again(stand: Stand) -> None:
    """The next statement looks again at what waits, and leaves it where a person has put it."""
    entry = billed(stand)
    receipts.unmatch(person(stand, "sophea"), entry, "paid by mistake")
    stand.take(stand.bank.statement([booked(1_000, reference="NB2")], OPENING + 50_000, statement_id="NEXT"))
    assert stand.sql("SELECT matched FROM entry ORDER BY id") == [("suspense",), ("suspense",)]
    assert stand.sql("SELECT state FROM expected_receipt") == [("OPEN",)]
    assert stand.faults() == []


def test_taking_from_a_bill_needs_a_reason(light: Stand) -> None:
    """Those who look at it later must understand it."""
    entry = billed(light)
    assert "say why" in unchanged(light, lambda: receipts.unmatch(person(light, "sophea"), entry, " "))
