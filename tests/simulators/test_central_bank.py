"""The central bank verifies, settles by its own books, answers, and never settles anything twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from gateway.clock import ManualClock
from schemas.iso20022 import camt, pacs004
from schemas.model.money import Money
from schemas.model.payment import Account, Agent
from schemas.model.statement import Entry, Statement
from simulators.behaviour import Behaviour, Fate
from simulators.central_bank import CentralBank
from tests.simulators.treasury import DOLLAR_ACCOUNT, RIEL_ACCOUNT, Keys, Office

MakeBank = Callable[..., CentralBank]


def riel(text: str) -> Money:
    """Return an amount in KHR."""
    return Money.parse(text, "KHR")


def change(path: str, text: str) -> Callable[[Any], Any]:
    """Return what overwrites one value of a document before it is signed."""

    def alter(document: Any) -> Any:
        document.find("/".join(f"{{*}}{tag}" for tag in path.split("/"))).text = text
        return document

    return alter


def test_a_good_message_settles_and_every_transaction_is_answered(office: Office, make_bank: MakeBank) -> None:
    """The answer names each payment by its own references, or nobody could match it."""
    bank, payments = make_bank(), [office.payment("1000"), office.payment("2500")]
    report = office.report(bank.receive(office.message(payments, "M1"))[0])
    assert (report.original_message_id, report.group_status) == ("M1", None)
    assert [(item.uetr, item.instruction_id, item.status) for item in report.transactions] == [
        (payment.uetr, payment.instruction_id, "ACSC") for payment in payments
    ]
    assert bank.balance(RIEL_ACCOUNT) == riel("996500")
    assert bank.settled == {payment.uetr for payment in payments}


def test_a_tampered_message_is_refused_with_the_code_of_the_signature(office: Office, make_bank: MakeBank) -> None:
    """A simulator that only pretends to verify would let a gateway with a broken signature pass every test."""
    bank = make_bank()
    document = office.message([office.payment("1000")], "M1").replace(b">1000.00<", b">9000.00<")
    report = office.report(bank.receive(document)[0])
    assert (report.original_message_id, report.group_status, report.group_reason) == ("M1", "RJCT", "DS0B")
    assert not bank.settled


def test_a_message_signed_by_a_partner_in_the_treasurys_name_is_refused(
    keys: Keys, office: Office, make_bank: MakeBank
) -> None:
    """A valid certificate speaks for its owner only (rule 7)."""
    bank = make_bank()
    report = office.report(bank.receive(office.message([office.payment()], key=keys.stranger))[0])
    assert (report.group_status, report.group_reason) == ("RJCT", "DS0G")


def test_what_was_refused_once_never_settles_under_the_same_message_id(office: Office, make_bank: MakeBank) -> None:
    """The bank keeps its word: after RJCT for a MsgId the sender may give the money to somebody else."""
    bank = make_bank()
    bank.receive(office.message([office.payment()], "M1", to_bic="ABAAKHPP"))
    report = office.report(bank.receive(office.message([office.payment()], "M1"))[0])
    assert (report.group_status, report.group_reason) == ("RJCT", "DU01")
    assert not bank.settled


def test_a_message_that_nobody_vouches_for_does_not_take_its_message_id(office: Office, make_bank: MakeBank) -> None:
    """Otherwise one flipped bit, or anyone without a key, could keep a good message from being paid."""
    bank, good = make_bank(), office.message([office.payment()], "M1")
    bank.receive(good.replace(b">1000.00<", b">1.00<"))
    report = office.report(bank.receive(good)[0])
    assert [item.status for item in report.transactions] == ["ACSC"]
    assert len(bank.settled) == 1


def test_a_broken_message_gets_the_code_of_a_signature_or_no_answer(office: Office, make_bank: MakeBank) -> None:
    """Any other code would reject payments for good in the name of a message that nobody has signed."""
    bank, good = make_bank(), office.message([office.payment()], "M1")
    codes = set()
    for position in range(good.find(b"<AppHdr"), len(good), 7):  # the envelope around is not signed
        for answer in bank.receive(good[:position] + bytes([good[position] ^ 1]) + good[position + 1 :]):
            codes.add((office.report(answer).group_reason or "")[:3])
    assert codes == {"DS0"}
    assert not bank.settled


def test_a_broken_copy_says_nothing_about_the_message_that_settled(office: Office, make_bank: MakeBank) -> None:
    """Otherwise flipped bits in a copy would reject a payment that was made."""
    bank, good = make_bank(), office.message([office.payment()], "M1")
    bank.receive(good)
    assert bank.receive(good.replace(b">1000.00<", b">1.00<")) == []
    assert len(bank.settled) == 1


@pytest.mark.parametrize("garbage", [b"", b"not xml", b"<a/>", b"<!DOCTYPE a><a/>"])
def test_what_cannot_be_read_gets_no_answer_and_is_counted(garbage: bytes, make_bank: MakeBank) -> None:
    """An answer needs a message that it answers."""
    bank = make_bank()
    assert bank.receive(garbage) == []
    assert bank.counts["unreadable"] == 1


@pytest.mark.parametrize(
    ("header", "alter", "code"),
    [
        ({}, change("FIToFICstmrCdtTrf/GrpHdr/MsgId", "OTHER"), "FF01"),
        ({"definition": "pacs.008.001.09"}, None, "FF01"),
        ({"to_bic": "ABAAKHPP"}, None, "RC01"),
        ({}, change("FIToFICstmrCdtTrf/GrpHdr/InstgAgt/FinInstnId/BICFI", "ABAAKHPP"), "RC01"),
        ({}, change("FIToFICstmrCdtTrf/GrpHdr/NbOfTxs", "2"), "AM18"),
        ({}, change("FIToFICstmrCdtTrf/GrpHdr/CtrlSum", "1000.01"), "AM10"),
        ({}, change("FIToFICstmrCdtTrf/GrpHdr/TtlIntrBkSttlmAmt", "999.00"), "AM10"),
    ],
)
def test_a_message_whose_header_or_sums_disagree_is_refused_as_a_whole(
    header: dict[str, str], alter: Any, code: str, office: Office, make_bank: MakeBank
) -> None:
    """Rules 1 to 4, 8 and 9 concern the message, so nothing of it may settle."""
    bank = make_bank()
    changes = {**header, **({"alter": alter} if alter else {})}
    report = office.report(bank.receive(office.message([office.payment()], "M1", **changes))[0])
    assert (report.group_status, report.group_reason) == ("RJCT", code)
    assert not bank.settled


def test_the_same_bytes_again_get_the_same_answer_and_settle_once(office: Office, make_bank: MakeBank) -> None:
    """A resend after a crash is the same bytes; it must not pay again, and its sender needs the answer."""
    bank, document = make_bank(), office.message([office.payment()])
    first = bank.receive(document)
    assert bank.receive(document) == first
    assert set(bank.settlements.values()) == {1}
    assert bank.balance(RIEL_ACCOUNT) == riel("999000")


def test_a_resend_marked_as_possible_duplicate_gets_the_same_answer(office: Office, make_bank: MakeBank) -> None:
    """The mark stands in the header, so the bytes and the signature are others; the payments are the same."""
    bank, payment = make_bank(), office.payment()
    first = bank.receive(office.message([payment], "M1"))
    assert bank.receive(office.message([payment], "M1", possible_duplicate=True)) == first
    assert set(bank.settlements.values()) == {1}


def test_a_bank_may_refuse_the_same_bytes_as_a_duplicate(office: Office, make_bank: MakeBank) -> None:
    """Such a DUPL says nothing of the original, which has settled: a trap that the gateway must not fall into."""
    bank, document = make_bank(Behaviour(refuses_repeats=1.0)), office.message([office.payment()])
    bank.receive(document)
    report = office.report(bank.receive(document)[0])
    assert (report.group_status, report.group_reason) == ("RJCT", "DUPL")
    assert len(bank.settled) == 1


def test_another_message_under_a_used_id_is_refused(office: Office, make_bank: MakeBank) -> None:
    """MsgId is unique (rule 11)."""
    bank = make_bank()
    bank.receive(office.message([office.payment()], "M1"))
    report = office.report(bank.receive(office.message([office.payment()], "M1"))[0])
    assert (report.group_status, report.group_reason) == ("RJCT", "DU01")
    assert len(bank.settled) == 1


@pytest.mark.parametrize("kept", ["uetr", "end_to_end_id"])
def test_a_known_reference_under_a_new_message_id_is_a_duplicate(
    kept: str, office: Office, make_bank: MakeBank
) -> None:
    """The same payment in another message is a second payment, unless the bank sees it."""
    bank, first = make_bank(), office.payment()
    again = office.payment(**{kept: getattr(first, kept)})
    bank.receive(office.message([first]))
    answers = bank.receive(office.message([again, office.payment()]))
    assert [item.status for item in office.report(answers[0]).transactions] == ["RJCT", "ACSC"]
    assert office.report(answers[0]).transactions[0].reason == "DUPL"
    assert set(bank.settlements.values()) == {1}


def test_a_bank_without_duplicate_checks_shows_a_double_payment(office: Office, make_bank: MakeBank) -> None:
    """Tests that prove that nothing is paid twice need a bank that would do it."""
    bank, payment = make_bank(Behaviour(checks_duplicates=False)), office.payment()
    bank.receive(office.message([payment]))
    bank.receive(office.message([payment]))
    assert bank.settlements[payment.uetr] == 2
    assert bank.settled_references[payment.end_to_end_id] == 2


def test_each_transaction_is_judged_by_the_banks_own_books(office: Office, make_bank: MakeBank) -> None:
    """A rejected line never stops the others."""
    bank = make_bank()
    cases = {
        "AC02": office.payment(debtor_account=Account("999999999")),
        "AC10": office.payment(debtor_account=Account(DOLLAR_ACCOUNT)),
        "RC05": office.payment(creditor_agent=Agent("ZZZZKHPP")),
        "AM04": office.payment("2000000"),
        None: office.payment("3"),
    }
    answers = office.statuses(bank.receive(office.message(list(cases.values()))))
    assert {answers[payment.end_to_end_id][1]: payment for payment in cases.values()} == cases
    assert bank.balance(RIEL_ACCOUNT) == riel("999997")


def test_money_runs_out_in_the_order_of_the_message(office: Office, make_bank: MakeBank) -> None:
    """AM04 is for those that the balance no longer covers; a smaller one behind may still pass."""
    bank = make_bank()
    payments = [office.payment(amount) for amount in ("600000", "600000", "400000")]
    report = office.report(bank.receive(office.message(payments))[0])
    assert [item.reason for item in report.transactions] == [None, "AM04", None]
    assert bank.balance(RIEL_ACCOUNT) == riel("0")


def test_plans_decide_before_shares(office: Office, make_bank: MakeBank) -> None:
    """A test says exactly what happens to a payment, by its reference or the end of the creditor's account."""
    by_reference, by_account = office.payment(), office.payment(creditor_account=Account("700000404"))
    behaviour = Behaviour(
        rejections={"AG01": 1.0},
        plans={by_reference.end_to_end_id: Fate(reject="AC04")},
        account_plans={"0404": Fate()},
    )
    bank, other = make_bank(behaviour), office.payment()
    answers = office.statuses(bank.receive(office.message([by_reference, by_account, other])))
    assert [answers[item.end_to_end_id][1] for item in (by_reference, by_account, other)] == ["AC04", None, "AG01"]


def test_a_returned_payment_comes_back_days_later_with_its_references(
    office: Office, clock: ManualClock, make_bank: MakeBank
) -> None:
    """A pacs.004 carries the original's ids (rule 55) and the difference as charges (rule 56)."""
    payment = office.payment("1000")
    behaviour = Behaviour(plans={payment.end_to_end_id: Fate(give_back="AC04", after_days=2)}, return_charge_minor=500)
    bank = make_bank(behaviour)
    bank.receive(office.message([payment], "M1"))
    assert bank.due(clock.now()) == []
    clock.advance(timedelta(days=2))
    back = pacs004.read(office.open(bank.due(clock.now())[0]))[0]
    assert (back.uetr, back.original_message_id, back.reason) == (payment.uetr, "M1", "AC04")
    assert (back.amount, back.charges_minor) == (riel("995"), 500)
    assert bank.returned == {payment.uetr}
    assert bank.balance(RIEL_ACCOUNT) == riel("999995")
    assert bank.due(clock.now()) == []


def test_manners_of_answering(office: Office, clock: ManualClock, make_bank: MakeBank) -> None:
    """Silent, late, twice, in two stages, in one word: the payment settles all the same."""
    message = [office.payment()]
    silent = make_bank(Behaviour(silent=1.0))
    assert silent.receive(office.message(message)) == []
    late = make_bank(Behaviour(late=1.0, late_s_max=60))
    assert late.receive(office.message(message)) == []
    assert len(late.due(clock.now() + timedelta(seconds=60))) == 1
    twice = make_bank(Behaviour(twice=1.0)).receive(office.message(message))
    assert twice[0] == twice[1]
    staged = make_bank(Behaviour(progress_first=1.0)).receive(office.message(message))
    assert [office.report(document).group_status for document in staged] == ["ACSP", None]
    short = office.report(make_bank(Behaviour(short=1.0)).receive(office.message(message))[0])
    assert (short.group_status, short.transactions) == ("ACSC", ())
    assert len(silent.settled) == len(late.settled) == 1


def test_an_unmentioned_transaction_settles_without_a_word(office: Office, make_bank: MakeBank) -> None:
    """Only the statement tells; this is how a payment gets in doubt."""
    bank = make_bank(Behaviour(unmentioned=1.0))
    assert bank.receive(office.message([office.payment()])) == []
    assert len(bank.settled) == 1


def read_all(office: Office, documents: Any) -> list[Statement | Entry]:
    """Verify and read bank documents."""
    return [item for document in documents for item in camt.read(office.open(document))]


def test_notifications_tell_every_booking(office: Office, make_bank: MakeBank) -> None:
    """A camt.054 is the same fact as the statement's entry (rule 64): the same servicer's reference."""
    bank = make_bank(Behaviour(notifications=True))
    payments = [office.payment("7"), office.payment("5", "USD")]
    told = [entry for payment in payments for entry in read_all(office, bank.receive(office.message([payment]))[1:])]
    told += read_all(office, bank.deposit(RIEL_ACCOUNT, 100, "Ly Dara", "Tax"))
    booked = read_all(office, bank.end_of_day(date(2026, 11, 23)))
    facts = [
        {(item.servicer_reference, item.amount_minor) for item in items if isinstance(item, Entry)}
        for items in (told, booked)
    ]
    assert facts[0] == facts[1]
    assert len(facts[0]) == 3


def test_statements_balance_and_each_opens_where_the_last_one_closed(
    office: Office, clock: ManualClock, make_bank: MakeBank, today: date
) -> None:
    """Rule 61, over three days with payments, returns, charges and deposits, in pages."""
    bank = make_bank(
        Behaviour(returns={"AC06": 0.3}, rejections={"AC01": 0.1}, daily_fee_minor=700, deposits_max=3), page_size=4
    )
    closing = {RIEL_ACCOUNT: riel("1000000"), DOLLAR_ACCOUNT: Money.parse("5000", "USD")}
    booked: list[str | None] = []
    for day in range(3):
        bank.due(clock.now())
        bank.receive(office.message([office.payment() for _ in range(11)]))
        page_opening = dict(closing)
        statement: Statement | None = None
        for item in read_all(office, bank.end_of_day(today + timedelta(days=day))):
            if isinstance(item, Statement):
                assert item.opening == page_opening[item.account]
                assert item.closing is not None
                assert item.sequence == day + 1
                page_opening[item.account] = item.closing
                statement = item
            else:
                assert statement is not None
                closing[statement.account] = Money(
                    closing[statement.account].amount_minor + item.amount_minor, item.currency
                )
                booked.append(item.servicer_reference)
        assert closing == page_opening == {account: bank.balance(account) for account in closing}
        clock.advance(timedelta(days=1))
    assert bank.returned
    assert len(booked) == len(set(booked))


def test_a_statement_entry_carries_every_reference(office: Office, make_bank: MakeBank, today: date) -> None:
    """Reconciliation matches on any of them."""
    bank, payment = make_bank(), office.payment("1000")
    bank.receive(office.message([payment], "M1"))
    entry = next(item for item in read_all(office, bank.end_of_day(today)) if isinstance(item, Entry))
    detail = entry.details[0]
    assert (detail.uetr, detail.end_to_end_id, detail.instruction_id, detail.message_id) == (
        payment.uetr,
        payment.end_to_end_id,
        payment.instruction_id,
        "M1",
    )
    assert (entry.amount_minor, entry.status, entry.booking_date) == (-100_000, "BOOK", today)
    assert entry.servicer_reference == detail.servicer_reference


def test_a_resent_statement_says_the_same_and_that_it_is_a_duplicate(
    office: Office, make_bank: MakeBank, today: date
) -> None:
    """The same facts come again, whatever was booked since."""
    bank = make_bank()
    bank.receive(office.message([office.payment()]))
    first = read_all(office, bank.end_of_day(today))
    bank.receive(office.message([office.payment()]))
    again = read_all(office, bank.resend_statement(today))
    assert [item for item in again if isinstance(item, Entry)] == [item for item in first if isinstance(item, Entry)]
    assert all(item.duplicate for item in again if isinstance(item, Statement))


def test_a_day_is_closed_once_and_in_order(make_bank: MakeBank, today: date) -> None:
    """A second close would break the chain of balances."""
    bank = make_bank()
    list(bank.end_of_day(today))
    with pytest.raises(ValueError, match="cannot be closed"):
        bank.end_of_day(today)
    with pytest.raises(ValueError, match="cannot be closed"):
        bank.end_of_day(today - timedelta(days=1))


def test_the_same_seed_makes_the_same_day(office: Office, make_bank: MakeBank) -> None:
    """A failing simulation is replayed from its seed."""
    behaviour = Behaviour(rejections={"AC01": 0.2, "AC04": 0.2}, returns={"AC06": 0.2}, unmentioned=0.1)
    document = office.message([office.payment("1") for _ in range(50)])
    first, second = make_bank(behaviour, seed=7), make_bank(behaviour, seed=7)
    assert office.statuses(first.receive(document)) == office.statuses(second.receive(document))
    other = make_bank(behaviour, seed=8)
    assert other.receive(document)
    assert other.settled != first.settled


def test_a_clerk_gives_the_answers_once_more(office: Office, make_bank: MakeBank) -> None:
    """An operator who calls the bank gets what was said, also where the bank was silent; nothing settles by it."""
    bank = make_bank(Behaviour(silent=1.0))
    bank.receive(office.message([office.payment()], "M1"))
    assert [item.status for item in office.report(bank.answer_again("M1")[0]).transactions] == ["ACSC"]
    assert bank.answer_again("M2") == []
    assert set(bank.settlements.values()) == {1}
