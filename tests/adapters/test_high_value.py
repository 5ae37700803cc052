"""The high-value rail: each kind of payment is its own message, and everything that the bank may send is read."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace

import pytest
from lxml import etree

from adapters.interbank.reading import READ
from adapters.rails import Facts, Plea, Sent, high_value, keys_max_of, rail
from schemas.errors import ConfigurationError, DocumentRefused
from schemas.iso20022 import (
    admi002,
    admi004,
    camt029,
    camt056,
    camt060,
    camt_build,
    pacs002,
    pacs004,
    pacs008,
    pacs009,
    pacs028,
)
from schemas.iso20022.guideline import OWN_FOLDER
from schemas.model.money import Money
from schemas.model.payment import Account, Agent, Original, Party, Payment
from schemas.model.status import RecallAnswer
from tests.adapters.interbank import DAY, NOW, Line, line
from tests.gateway.core.check_cases import PAYMENT
from tests.golden import examples

CUSTOMER = replace(PAYMENT, payment_id=42, debtor_account=Account("000100000001"))
OWN = replace(CUSTOMER, kind="institution", creditor=Party("National Treasury", None, "TREAKHPP"))
BACK = replace(
    CUSTOMER,
    kind="return",
    amount=Money(90_000_00, "KHR"),
    creditor_agent=Agent("ABAAKHPP"),
    original=Original("ABA-1", "pacs.008.001.08", "E-1", "I-1", examples.UETRS[1], Money(100_000_00, "KHR"), "AC04"),
)


@pytest.fixture(scope="module")
def ends() -> Line:
    """The treasury and its central bank."""
    return line()


def compose(ends: Line, *payments: Payment) -> tuple[str, etree._Element, Facts]:
    """Compose a message; return its definition, its Document as the bank gets it, and what was inspected."""
    seen: list[Facts] = []
    made = high_value.compose(ends.profile, ends.task(), payments, ends.key, seen.append)
    header, document = ends.opened(made.document)
    assert (header.definition, header.message_id) == (made.definition, ends.task().message_id)
    return made.definition, document, seen[0]


def test_each_kind_of_payment_is_a_message_of_its_own(ends: Line) -> None:
    """A customer's payment, an institution's and a return are three messages of ISO 20022."""
    definition, document, _ = compose(ends, CUSTOMER)
    assert (definition, pacs008.read(document)[1][0].uetr) == (pacs008.DEFINITION, CUSTOMER.uetr)
    definition, document, _ = compose(ends, OWN)
    assert (definition, pacs009.read(document)[1][0].debtor.any_bic) == (pacs009.DEFINITION, "TREAKHPP")
    definition, document, facts = compose(ends, BACK)
    (item,) = pacs004.read(document)
    assert (definition, item.uetr, item.charges_minor) == (pacs004.DEFINITION, examples.UETRS[1], 10_000_00)
    assert (facts.amounts, facts.stated_sum) == (("90000.00",), "90000.00")
    with pytest.raises(ValueError, match="one kind"):
        compose(ends, CUSTOMER, OWN)


def test_the_kinds_are_kept_apart_and_counted() -> None:
    """Dispatch cuts by the rail's key, and takes no more message numbers ahead than it can need."""
    keys = {high_value.apart(line().profile, payment) for payment in (CUSTOMER, OWN, BACK)}
    assert len(keys) == keys_max_of(rail("high_value")) == 3


@pytest.mark.parametrize("payment", [CUSTOMER, OWN, BACK], ids=lambda payment: payment.kind)
def test_what_a_message_says_is_read_back_before_it_is_signed(ends: Line, payment: Payment) -> None:
    """The rules compare the finished bytes, of whichever kind, with what was meant."""
    definition, _, facts = compose(ends, payment)
    assert facts.header is not None
    assert (facts.message_id, facts.header.message_id) == (ends.task().message_id, ends.task().message_id)
    assert (facts.instructing_bic, facts.instructed_bic) == ("TREAKHPP", "NCAMKHPP")
    assert (facts.stated_count, len(facts.amounts)) == ("1", 1)
    assert facts.namespace.endswith(definition)


def sent(*payments: Payment, count: int | None = None) -> Sent:
    """Return a message of payments as the store hands it over."""
    total = Money(sum(payment.amount.amount_minor for payment in payments), "KHR")
    return Sent("M-1", "M-1", pacs008.DEFINITION, NOW, DAY, payments, count or len(payments), total)


def test_an_inquiry_asks_about_a_whole_message_or_about_some_payments(ends: Line) -> None:
    """Where all of a message is in doubt one question is enough; else each payment is named."""
    other = replace(CUSTOMER, payment_id=43, instruction_id="TG000000000043", end_to_end_id="NOTPROVIDED")
    made = high_value.inquire(ends.profile, ends.task("Q-1"), sent(CUSTOMER, other), ends.key)
    whole = pacs028.read(ends.opened(made.document)[1])
    assert (whole.original_message_id, whole.original_count, whole.transactions) == ("M-1", 2, ())
    made = high_value.inquire(ends.profile, ends.task("Q-2"), sent(other, count=2), ends.key)
    some = pacs028.read(ends.opened(made.document)[1])
    assert some.transactions == (pacs028.Asked("TG000000000043", None, other.uetr),)
    assert made.definition == pacs028.DEFINITION


def test_a_recall_names_payment_case_and_reason(ends: Line) -> None:
    """The bank must know which payment, and why; the case ties its answer to our question."""
    plea = Plea("CASE-7", CUSTOMER, "DUPL", "ordered twice")
    made = high_value.recall(ends.profile, ends.task("R-1"), sent(CUSTOMER), plea, ends.key)
    (asked,) = camt056.read(ends.opened(made.document)[1])
    assert (asked.case_id, asked.reason, asked.info, asked.uetr) == ("CASE-7", "DUPL", "ordered twice", CUSTOMER.uetr)
    assert (asked.original_message_id, asked.amount, asked.settlement_date) == ("M-1", CUSTOMER.amount, DAY)


def test_a_statement_is_asked_for_by_account_and_day(ends: Line) -> None:
    """An account that the profile does not have is a mistake, not a question."""
    made = high_value.request_statement(ends.profile, ends.task("S-1"), "000100000001", DAY, ends.key)
    asked = camt060.read(ends.opened(made.document)[1])
    assert (asked.account, asked.day) == (Account("000100000001", currency="KHR"), DAY)
    assert (asked.owner_bic, asked.servicer_bic) == ("TREAKHPP", "NCAMKHPP")
    with pytest.raises(ConfigurationError, match="no account"):
        high_value.request_statement(ends.profile, ends.task("S-2"), "999", DAY, ends.key)


def test_a_message_that_breaks_the_guideline_is_not_signed(ends: Line) -> None:
    """What the bank would refuse does not leave."""
    plea = Plea("/CASE/", CUSTOMER, "DUPL")
    with pytest.raises(DocumentRefused, match="FF01"):
        high_value.recall(ends.profile, ends.task("R-1"), sent(CUSTOMER), plea, ends.key)


ANSWER = RecallAnswer("B-1", "CASE-7", "RJCR", "CUST", None, "M-1", "E-1", original_message_name=pacs008.DEFINITION)
NOTICE = replace(examples.NOTIFICATION, message_id="B-1")
FROM_BANK: dict[str, tuple[str, Callable[[], etree._Element]]] = {
    "reports": (pacs002.DEFINITION, lambda: pacs002.build(replace(examples.REPORT, message_id="B-1"), NOW)),
    "returns": (
        pacs004.DEFINITION,
        lambda: pacs004.build("B-1", NOW, [examples.RETURN], settlement=examples.SETTLEMENT),
    ),
    "recall_answers": (
        camt029.DEFINITION,
        lambda: camt029.build([ANSWER], NOW, assigner_bic="NCAMKHPP", assignee_bic="TREAKHPP"),
    ),
    "recalls": (
        camt056.DEFINITION,
        lambda: camt056.build(
            replace(examples.RECALL, message_id="B-1"), NOW, assigner_bic="NCAMKHPP", assignee_bic="TREAKHPP"
        ),
    ),
    "events": (admi004.DEFINITION, lambda: admi004.build(examples.CUT_OFF)),
    "statements": ("camt.054.001.08", lambda: camt_build.build_notification("B-1", NOW, NOTICE, examples.ENTRIES)),
}


@pytest.mark.parametrize("field", FROM_BANK)
def test_what_the_bank_says_is_received(ends: Line, field: str) -> None:
    """Each of its messages reaches the flow in the one field that is meant for it."""
    definition, build = FROM_BANK[field]
    got = high_value.read(ends.profile, ends.from_bank("B-1", definition, build()), ends.trust, NOW)
    assert (got.definition, got.message_id) == (definition, "B-1")
    content = getattr(got, field)
    assert len(list(content)) > 0
    assert not any(getattr(got, other) for other in FROM_BANK if other != field)


def test_a_rejected_message_is_a_report_of_the_whole(ends: Line) -> None:
    """A message that the bank's system could not read has settled nothing."""
    document = admi002.build("M-1", "FF01", NOW, info="not well-formed")
    got = high_value.read(ends.profile, ends.from_bank("B-1", admi002.DEFINITION, document), ends.trust, NOW)
    assert [(r.original_message_id, r.group_status, r.group_reason) for r in got.reports] == [("M-1", "RJCT", "FF01")]


@pytest.mark.parametrize("field", ["reports", "returns", "recall_answers", "recalls"])
def test_a_header_with_another_id_is_refused(ends: Line, field: str) -> None:
    """Rule 1: else an old message could travel under a new header."""
    definition, build = FROM_BANK[field]
    with pytest.raises(DocumentRefused, match="rule 1"):
        high_value.read(ends.profile, ends.from_bank("OTHER", definition, build()), ends.trust, NOW)


def test_what_only_we_send_is_not_taken(ends: Line) -> None:
    """A payment that comes in as a message is not for this gateway: the bank books it and tells us."""
    document = pacs028.build(replace(examples.INQUIRY, message_id="B-1"))
    with pytest.raises(DocumentRefused, match="FF03"):
        high_value.read(ends.profile, ends.from_bank("B-1", pacs028.DEFINITION, document), ends.trust, NOW)


def test_every_message_that_is_taken_has_a_guideline() -> None:
    """What comes in is validated before anything of it is used."""
    assert {definition for definition in READ if not (OWN_FOLDER / f"{definition}.xsd").is_file()} == set()


@pytest.mark.parametrize(
    ("document", "what"),
    [
        (b"date;amount\n2026-11-30;5\n", "no XML: a table or another text"),
        (b"%PDF-1.7 ...", "a PDF"),
        (b"\xd0\xcf\x11\xe0", "an old Excel file (.xls), or an encrypted one"),
        (gzip.compress(b"<Document/>"), "packed (gzip)"),
        (b"PK\x03\x04 ...", "an Excel file or another zip archive"),
        (b"{1:F01BANKKHPPXXXX0000000000}{2:O9400000}{4:\r\n:20:1\r\n:25:2\r\n-}", "an MT message"),
        (b"", "empty"),
    ],
)
def test_a_wrong_file_is_called_what_it_is_where_only_signed_messages_come(
    ends: Line, document: bytes, what: str
) -> None:
    """Whoever imported it sees at once that it is the wrong file, and what this bank sends."""
    with pytest.raises(DocumentRefused) as caught:
        high_value.read(ends.profile, document, ends.trust, NOW)
    assert str(caught.value) == f"FF01 at byte 0: {what}; central-bank takes signed messages only"
