"""The correspondent abroad takes what the rail writes, charges, forwards, answers and reports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest

from adapters.rails import Plea, Sent, cross_border
from schemas.iso20022 import pacs004, pacs008
from schemas.model.money import Money
from schemas.model.payment import Payment
from schemas.model.statement import Entry
from schemas.model.status import StatusReport
from simulators.bank_letters import Envelope
from simulators.behaviour import Behaviour, Fate
from simulators.correspondent import Correspondent, Forwarded
from tests.adapters.interbank import DAY, NOW, line
from tests.adapters.test_cross_border import PROFILE
from tests.golden import examples

ENDS = line(PROFILE)
ACCOUNT = "4001002003"
OPENING = Money(10_000_000_00, "EUR")
CUSTOMER = replace(examples.MEMBERSHIP, intermediary_agents=examples.MEMBERSHIP.intermediary_agents[:1])


@pytest.fixture
def make() -> Callable[..., Correspondent]:
    """Open a correspondent with a behaviour."""

    def opened(behaviour: Behaviour | None = None) -> Correspondent:
        return Correspondent(
            bic=ENDS.profile.bank_bic,
            customer_bic=ENDS.profile.own_bic,
            openings={ACCOUNT: OPENING},
            key=ENDS.bank_key,
            trust=ENDS.bank_trust,
            now=lambda: NOW,
            random=Random(1),
            envelope=Envelope(*ENDS.profile.message.envelope),
            behaviour=behaviour or Behaviour(),
            zone=ENDS.profile.zone,
        )

    return opened


def pay(bank: Correspondent, payment: Payment) -> StatusReport:
    """Send a payment over the rail, and read the report that comes back."""
    made = cross_border.compose(ENDS.profile, ENDS.task(), [payment], ENDS.key, lambda _: None)
    (answer,) = bank.receive(made.document)
    return cross_border.read(ENDS.profile, answer, ENDS.trust, NOW).reports[0]


def test_a_payment_is_charged_and_forwarded(make: Callable[..., Correspondent]) -> None:
    """The debtor bears the charges: the full amount arrives at the next bank."""
    bank = make()
    report = pay(bank, CUSTOMER)
    assert [(x.uetr, x.status) for x in report.transactions] == [(CUSTOMER.uetr, "ACSC")]
    assert bank.forwarded == [Forwarded(CUSTOMER.uetr, "DEUTDEFF", CUSTOMER.amount)]
    assert bank.balance(ACCOUNT) == Money(OPENING.amount_minor - CUSTOMER.amount.amount_minor - 15_00, "EUR")


def test_shared_charges_are_taken_from_the_amount(make: Callable[..., Correspondent]) -> None:
    """Less arrives, and nothing more leaves the account."""
    bank = make()
    pay(bank, replace(CUSTOMER, charge_bearer="SHAR"))
    assert bank.forwarded[0].amount == Money(CUSTOMER.amount.amount_minor - 15_00, "EUR")
    assert bank.balance(ACCOUNT) == Money(OPENING.amount_minor - CUSTOMER.amount.amount_minor, "EUR")


def test_an_institutions_payment_and_a_cover_are_forwarded(make: Callable[..., Correspondent]) -> None:
    """Either is a pacs.009 to it."""
    bank = make()
    for number, payment in enumerate((examples.COVER, replace(examples.COVER, covers=None))):
        task = ENDS.task(f"M-{number}")
        own = replace(payment, uetr=examples.UETRS[number], end_to_end_id=f"E-{number}")
        made = cross_border.compose(ENDS.profile, task, [own], ENDS.key, lambda _: None)
        report = cross_border.read(ENDS.profile, bank.receive(made.document)[0], ENDS.trust, NOW).reports[0]
        assert (report.original_message_name, report.transactions[0].status) == ("pacs.009.001.08", "ACSC")
    assert len(bank.forwarded) == 2


def test_it_returns_and_reports(make: Callable[..., Correspondent]) -> None:
    """What comes back from abroad is a pacs.004; the day's statement has payment, charges and return."""
    plans = {CUSTOMER.end_to_end_id: Fate(give_back="AC01", after_days=0)}
    bank = make(Behaviour(plans=plans))
    pay(bank, CUSTOMER)
    (document,) = bank.due(NOW)
    (back,) = cross_border.read(ENDS.profile, document, ENDS.trust, NOW).returns
    assert (back.uetr, back.reason, back.amount) == (CUSTOMER.uetr, "AC01", CUSTOMER.amount)
    (page,) = bank.end_of_day(DAY)
    statements = cross_border.read(ENDS.profile, page, ENDS.trust, NOW).statements
    assert statements is not None
    moved = [item.amount_minor for item in statements if isinstance(item, Entry)]
    assert moved == [-CUSTOMER.amount.amount_minor, -15_00, CUSTOMER.amount.amount_minor]


def test_it_answers_recalls(make: Callable[..., Correspondent]) -> None:
    """An accepted recall brings the money back."""
    bank = make(Behaviour(recalls_accepted=1.0))
    pay(bank, CUSTOMER)
    task = ENDS.task()
    sent = Sent(
        task.message_id, task.message_id, pacs008.DEFINITION, NOW, DAY, (CUSTOMER,), 1, CUSTOMER.amount
    )  # fmt: skip
    asked = cross_border.recall(ENDS.profile, ENDS.task("R-1"), sent, Plea("C-1", CUSTOMER, "CUST"), ENDS.key)
    (answer,) = bank.receive(asked.document)
    (said,) = cross_border.read(ENDS.profile, answer, ENDS.trust, NOW).recall_answers
    assert (said.case_id, said.status) == ("C-1", "CNCL")
    assert cross_border.read(ENDS.profile, bank.due(NOW)[0], ENDS.trust, NOW).definition == pacs004.DEFINITION
