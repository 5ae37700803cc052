"""The central bank answers what it is asked by its own books: inquiries, recalls, requests for statements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from gateway.clock import ManualClock
from schemas.iso20022 import (
    admi002,
    admi004,
    camt,
    camt029,
    camt056,
    camt060,
    head001,
    pacs002,
    pacs004,
    pacs008,
    pacs009,
    pacs028,
)
from schemas.iso20022.parties import Settlement
from schemas.model.money import Money
from schemas.model.payment import Account, Original, Party, Payment
from schemas.model.statement import Entry, Statement
from schemas.model.status import RecallAnswer, RecallRequest
from security import xmldsig
from simulators.behaviour import Behaviour, Fate
from simulators.central_bank import CentralBank
from simulators.names import CENTRAL_BANK, TREASURY
from tests.simulators.treasury import ENVELOPE, RIEL_ACCOUNT, Office

Make = Callable[..., CentralBank]


def send(office: Office, message_id: str, definition: str, document: Any) -> bytes:
    """Return a signed message of the treasury."""
    header = head001.Header(TREASURY, CENTRAL_BANK, message_id, definition, office.clock.now())
    envelope = head001.envelope(header, document, namespace=ENVELOPE.namespace, name=ENVELOPE.name)
    return xmldsig.sign(envelope, office.keys.treasury)


def ask(office: Office, number: int, original: str, *asked: pacs028.Asked) -> bytes:
    """Return an inquiry about a message, or about transactions of it."""
    now, name = office.clock.now(), pacs008.DEFINITION
    inquiry = pacs028.Inquiry(f"Q{number}", now, TREASURY, CENTRAL_BANK, original, name, transactions=asked)
    return send(office, inquiry.message_id, pacs028.DEFINITION, pacs028.build(inquiry))


def recall(office: Office, number: int, payment: Payment, original: str = "M1") -> bytes:
    """Return a recall of a payment."""
    request = RecallRequest(
        f"R{number}", f"CASE-{number}", "DUPL", None, original, pacs008.DEFINITION, payment.end_to_end_id,
        payment.instruction_id, payment.uetr, payment.amount,
    )  # fmt: skip
    document = camt056.build(request, office.clock.now(), assigner_bic=TREASURY, assignee_bic=CENTRAL_BANK)
    return send(office, request.message_id, camt056.DEFINITION, document)


def answer(office: Office, documents: list[bytes]) -> RecallAnswer:
    """Return the one answer to a recall."""
    (document,) = documents
    (said,) = camt029.read(office.open(document))
    return said


def test_an_inquiry_is_answered_with_the_true_status(office: Office, make_bank: Make) -> None:
    """A silent bank has settled or rejected all the same, and says so when it is asked."""
    paid, rejected = office.payment(), office.payment()
    plans = {rejected.end_to_end_id: Fate(reject="AC04")}
    bank = make_bank(Behaviour(silent=1.0, plans=plans))
    assert bank.receive(office.message([paid, rejected], "M1")) == []
    whole = bank.receive(ask(office, 1, "M1"))
    assert office.statuses(whole) == {
        paid.end_to_end_id: ("ACSC", None), rejected.end_to_end_id: ("RJCT", "AC04"),
    }  # fmt: skip
    named = bank.receive(ask(office, 2, "M1", pacs028.Asked(rejected.instruction_id), pacs028.Asked("NOBODY")))
    (report,) = (office.report(document) for document in named)
    assert [(x.status, x.reason) for x in report.transactions] == [("RJCT", "AC04"), ("RJCT", "NOOR")]
    assert bank.receive(ask(office, 1, "M1")) == whole


def test_what_never_came_may_still_come(office: Office, make_bank: Make) -> None:
    """The bank does not have it: nobody has paid it, and it settles once when it comes."""
    bank, payment = make_bank(), office.payment()
    (said,) = (office.report(document) for document in bank.receive(ask(office, 1, "M1")))
    assert (said.original_message_id, said.group_status, said.group_reason) == ("M1", "RJCT", "NOOR")
    assert office.statuses(bank.receive(office.message([payment], "M1"))) == {payment.end_to_end_id: ("ACSC", None)}


def test_an_accepted_recall_brings_the_payment_back(office: Office, make_bank: Make, clock: ManualClock) -> None:
    """The answer first, then the money, with the reason that says it followed a recall."""
    payment = office.payment()
    bank = make_bank(Behaviour(recall_plans={payment.end_to_end_id: "CNCL"}))
    bank.receive(office.message([payment], "M1"))
    said = answer(office, bank.receive(recall(office, 1, payment)))
    assert (said.status, said.case_id, said.uetr) == ("CNCL", "CASE-1", payment.uetr)
    (document,) = bank.due(clock.now())
    (back,) = pacs004.read(office.open(document))
    assert (back.reason, back.uetr, back.amount) == ("FOCR", payment.uetr, payment.amount)
    again = answer(office, bank.receive(recall(office, 2, payment)))
    assert (again.status, again.reason) == ("RJCR", "ARDT")


@pytest.mark.parametrize(("fate", "reason"), [(Fate(), "CUST"), (Fate(reject="AC04"), "NOOR")])
def test_a_recall_is_refused_with_its_reason(office: Office, make_bank: Make, fate: Fate, reason: str) -> None:
    """The creditor keeps it, or there is nothing to be given back."""
    payment = office.payment()
    bank = make_bank(Behaviour(plans={payment.end_to_end_id: fate}))
    bank.receive(office.message([payment], "M1"))
    said = answer(office, bank.receive(recall(office, 1, payment)))
    assert (said.status, said.reason) == ("RJCR", reason)
    assert answer(office, bank.receive(recall(office, 2, office.payment()))).reason == "NOOR"


def test_a_pending_recall_is_decided_a_day_later(office: Office, make_bank: Make, clock: ManualClock) -> None:
    """Banks ask their customer first."""
    payment = office.payment()
    bank = make_bank(Behaviour(recall_plans={payment.end_to_end_id: "PDCR"}))
    bank.receive(office.message([payment], "M1"))
    assert answer(office, bank.receive(recall(office, 1, payment))).status == "PDCR"
    assert (bank.due(clock.now()), bank.expects()) == ([], 1)
    clock.advance(timedelta(days=1))
    first, second = bank.due(clock.now())
    assert answer(office, [first]).status == "CNCL"
    assert pacs004.read(office.open(second))[0].uetr == payment.uetr
    assert bank.expects() == 0


def test_payments_of_institutions_and_returns_settle(office: Office, make_bank: Make) -> None:
    """They move the same accounts, and are answered under their own names."""
    bank, now = make_bank(), office.clock.now()
    own = office.payment(kind="institution", debtor=Party(any_bic=TREASURY), creditor=Party(any_bic="ABAAKHPP"))
    group = pacs008.Group("M1", now, "CLRG", "KH", now.date(), TREASURY, CENTRAL_BANK)
    said = office.report(bank.receive(send(office, "M1", pacs009.DEFINITION, pacs009.build(group, [own])))[0])
    assert (said.original_message_name, said.transactions[0].status) == (pacs009.DEFINITION, "ACSC")
    back = office.payment(
        kind="return", original=Original("B1", pacs008.DEFINITION, "E", "I", None, Money(100_000, "KHR"), "AC04")
    )
    settlement = Settlement("CLRG", "KH", now.date(), TREASURY, CENTRAL_BANK)
    document = pacs004.build_given_back("M2", now, [back], settlement=settlement)
    said = office.report(bank.receive(send(office, "M2", pacs004.DEFINITION, document))[0])
    assert said.original_message_name == pacs004.DEFINITION
    assert said.transactions[0].instruction_id == back.instruction_id
    assert bank.balance(RIEL_ACCOUNT) == Money(100_000_000 - 2 * 100_000, "KHR")


def test_a_statement_is_sent_again_when_it_is_asked_for(office: Office, make_bank: Make, today: date) -> None:
    """Of a closed day; of another there is none, and the bank says so."""
    bank = make_bank()
    bank.receive(office.message([office.payment()], "M1"))
    account = Account(RIEL_ACCOUNT, currency="KHR")
    request = camt060.Request("S1", office.clock.now(), "camt.053.001.08", account, TREASURY, CENTRAL_BANK, today)
    (refused,) = bank.receive(send(office, "S1", camt060.DEFINITION, camt060.build(request)))
    assert admi002.read(office.open(refused), "B").group_reason == "NOST"
    list(bank.end_of_day(today))
    again = camt060.build(replace(request, message_id="S2"))
    (document,) = bank.receive(send(office, "S2", camt060.DEFINITION, again))
    statement, *entries = list(camt.read(office.open(document)))
    assert isinstance(statement, Statement)
    assert (statement.account, statement.duplicate, statement.closing_date) == (RIEL_ACCOUNT, True, today)
    assert [entry.amount_minor for entry in entries if isinstance(entry, Entry)] == [-100_000]


def test_a_bank_that_announces_says_when_its_day_ends(office: Office, make_bank: Make, today: date) -> None:
    """A cut-off or the end of the day may be known from the bank itself."""
    bank = make_bank(Behaviour(announces=True))
    (cut_off,) = bank.announce("CUTO", "cut-off", "KHR")
    assert admi004.read(office.open(cut_off), "B").parameters == ("KHR",)
    first = next(iter(bank.end_of_day(today)))
    assert admi004.read(office.open(first), "B").code == "EODY"
    assert make_bank().announce("CUTO", "cut-off") == []


def test_what_the_bank_cannot_work_on_is_rejected(office: Office, make_bank: Make) -> None:
    """A message of a kind that a bank gets from nobody, and a question that names nothing."""
    bank = make_bank()
    report = pacs002.build(office.report(bank.receive(office.message([office.payment()], "M1"))[0]), office.clock.now())
    (rejected,) = bank.receive(send(office, "X1", pacs002.DEFINITION, report))
    assert admi002.read(office.open(rejected), "B").original_message_id == "X1"
    (rejected,) = bank.receive(ask(office, 1, "M1", pacs028.Asked()))
    assert admi002.read(office.open(rejected), "B").original_message_id == "Q1"


def test_the_bank_asks_back_what_came_in(office: Office, make_bank: Make) -> None:
    """A recall addressed to the treasury is a message like ours."""
    request = RecallRequest("", "CASE-B", "CUST", None, "B1", pacs008.DEFINITION, uetr=office.payment().uetr)
    (document,) = make_bank().ask_back(request)
    (read,) = camt056.read(office.open(document))
    assert (read.case_id, read.uetr) == ("CASE-B", request.uetr)


def test_an_answer_to_a_recall_of_the_bank_is_taken(office: Office, make_bank: Make) -> None:
    """It needs no answer of its own."""
    bank, now = make_bank(), office.clock.now()
    said = RecallAnswer("A1", "CASE-1", "RJCR", "CUST", None, end_to_end_id="E")
    document = camt029.build([said], now, assigner_bic=TREASURY, assignee_bic=CENTRAL_BANK)
    assert bank.receive(send(office, "A1", camt029.DEFINITION, document)) == []
