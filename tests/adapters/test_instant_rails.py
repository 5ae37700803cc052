"""FAST and Bakong: one transfer a message, what the bank answers and hands out, and what a profile must say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from adapters.profile import Profile, check_profiles, load
from adapters.rails import Composed, Facts, Sent, Task, inquiry_of, not_given_back, rail
from schemas.errors import DocumentRefused
from schemas.iso20022 import pain001, pain002, pain007
from schemas.iso20022.customer import Initiator
from schemas.model.identifiers import message_id
from schemas.model.money import Money
from schemas.model.payment import Agent, Original, Payment, Remittance
from schemas.model.statement import Entry, Statement
from schemas.model.status import BlockStatus, Return, StatusReport, TransactionStatus
from security.trust import TrustStore
from tests.golden import examples

FOLDER = Path(__file__).parent / "instant"
FAST, BAKONG = load(FOLDER / "fast.toml"), load(FOLDER / "bakong.toml")
DAY = date(2026, 11, 30)
AT = datetime(2026, 11, 30, 9, 15, tzinfo=FAST.zone)
TASK = Task(message_id("TREAKHPP", DAY, 42), AT, DAY)
TRUST = TrustStore(anchors=(), signers=())
ORIGINAL = Original("B-MSG-7", "pain.001.001.05", "RENT-7", "B-I-7", None, Money(500_00, "KHR"), "AC04", block_id="B-7")


def payment(profile: Profile, **changes: Any) -> Payment:
    """Return a payment from the first account of ours on a rail."""
    made = replace(
        examples.SALARY, payment_id=7, instruction_id="TG000000000007", end_to_end_id="PO-7",
        amount=Money(500_00, "KHR"), execution_date=DAY, creditor_agent=Agent("ABAAKHPPXXX"),
        charge_bearer=profile.message.charge_bearers[0], debtor_agent=Agent(profile.bank_bic),
        debtor_account=replace(examples.SALARY.debtor_account, number=profile.accounts[0].number),
    )  # fmt: skip
    return replace(made, **changes)


def composed(profile: Profile, *payments: Payment) -> tuple[Composed, Facts]:
    """Return a message and what it says of itself."""
    seen: list[Facts] = []
    made = rail(profile.rail).compose(profile, TASK, payments, None, seen.append)  # type: ignore[arg-type]  # unsigned
    return made, seen[0]


def handed_out(profile: Profile, *payments: Payment, day: date = DAY) -> bytes:
    """Return a transfer as the bank hands it to us."""
    del profile
    group = pain001.Group("B-MSG-1", AT, Initiator("Another bank"))
    block = pain001.Block("ABAAKHPP/NCAMKHPP/1", day, payments, charge_bearer=payments[0].charge_bearer)
    return etree.tostring(pain001.build(group, [block], "pain.001.001.05"))


def mirrored(profile: Profile, **changes: Any) -> Payment:
    """Return a transfer of somebody else to the first account of ours."""
    ours = payment(profile)
    return replace(
        ours, debtor=ours.creditor, creditor=ours.debtor, debtor_account=ours.creditor_account,
        creditor_account=ours.debtor_account, debtor_agent=ours.creditor_agent, creditor_agent=ours.debtor_agent,
        **changes,
    )  # fmt: skip


def read(profile: Profile, document: bytes) -> tuple[Sequence[Return], list[Statement | Entry], list[StatusReport]]:
    """Return what a document says."""
    found = rail(profile.rail).read(profile, document, TRUST, datetime(2026, 11, 30, 3, tzinfo=UTC))
    return found.returns, list(found.statements or ()), list(found.reports)


# ------------------------------------------------------------------------------------------------------------- FAST


def test_a_transfer_is_one_message_under_a_pmtinfid_of_both_banks() -> None:
    """The bank knows it by sender, receiver and reference; we must be able to find it by the same."""
    made, facts = composed(FAST, payment(FAST))
    assert made.name == "NCAMKHPP/ABAAKHPP/26113042"
    assert made.blocks == {made.name: (7,)}
    _, (block,) = pain001.read(etree.fromstring(made.document))
    assert (block.block_id, block.payments[0].amount) == (made.name, Money(500_00, "KHR"))
    assert (facts.participants, facts.blocks[0].debtor_agent, facts.blocks[0].creditor_agents) == (
        {},
        "NCAMKHPP",
        ("ABAAKHPPXXX",),
    )
    assert composed(FAST, payment(FAST))[0] == made, "the same message has the same id"


def test_codes_of_participants_come_from_the_profile() -> None:
    """Where the rail names banks in its own way, the profile says how."""
    named = FAST.model_copy(update={"instant": FAST.instant.model_copy(update={"participants": {"NCAMKHPP": "NBCG"}})})
    assert composed(named, payment(FAST))[0].name == "NBCG/ABAAKHPP/26113042"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"amount": Money(500_50, "KHR")}, "whole riel"),
        ({"amount": Money(500_00, "USD")}, "whole riel"),
        ({"creditor_agent": Agent(clearing_system="KH", member_id="12")}, "RC01"),
        ({"kind": "return"}, "names nothing"),
    ],
)
def test_what_the_rail_does_not_carry_is_not_written(changes: dict[str, Any], words: str) -> None:
    """A fraction of a riel, another currency, a bank without a BIC, a refund of nothing."""
    with pytest.raises(DocumentRefused, match=words):
        composed(FAST, payment(FAST, **changes))


def test_a_message_carries_one_transfer() -> None:
    """A second one would have no answer of its own."""
    with pytest.raises(DocumentRefused, match="carries one"):
        composed(FAST, payment(FAST), payment(FAST))


def test_a_refund_is_a_new_transfer_that_names_what_it_gives_back() -> None:
    """Purpose REFU, and the reference of the original where the profile says that it stands."""
    given = payment(FAST, kind="return", original=ORIGINAL)
    _, (block,) = pain001.read(etree.fromstring(composed(FAST, given)[0].document))
    assert (block.payments[0].purpose, block.payments[0].end_to_end_id) == ("REFU", "RENT-7")
    in_text = FAST.model_copy(update={"instant": FAST.instant.model_copy(update={"refund_names": "remittance"})})
    _, (block,) = pain001.read(etree.fromstring(composed(in_text, given)[0].document))
    assert (block.payments[0].end_to_end_id, block.payments[0].remittance.unstructured[0]) == ("PO-7", "RENT-7")


@pytest.mark.parametrize("version", ["pain.002.001.03", "pain.002.001.05", "pain.002.001.10"])
def test_an_answer_of_any_version_is_a_status_of_the_transfer(version: str) -> None:
    """Which version the bank answers in is not published; a refund's answer repeats another EndToEndId than ours."""
    said = TransactionStatus("ACSC", end_to_end_id="RENT-7", instruction_id="TG000000000007", servicer_reference="N1")
    block = BlockStatus("NCAMKHPP/ABAAKHPP/26113042", "ACSC", transactions=(said,))
    report = StatusReport("B-1", TASK.message_id, "pain.001.001.05", None, None, None, blocks=(block,), created=AT)
    _, _, (found,) = read(FAST, etree.tostring(pain002.build(report, version)))
    (one,) = found.blocks[0].transactions
    assert (one.status, one.instruction_id, one.end_to_end_id) == ("ACSC", "TG000000000007", None)
    assert (found.blocks[0].block_id, one.servicer_reference) == ("NCAMKHPP/ABAAKHPP/26113042", "N1")


def test_an_inquiry_asks_by_the_pmtinfid() -> None:
    """It is the only name that the bank has for a transfer whose answer was lost."""
    inquire = inquiry_of(rail("fast"))
    assert inquire is not None
    ours = payment(FAST)
    sent = Sent(TASK.message_id, "NCAMKHPP/ABAAKHPP/26113042", "pain.001.001.05", AT, DAY, (ours,), 1, ours.amount)
    made = inquire(FAST, TASK, sent, None)  # type: ignore[arg-type]  # nothing is signed on this rail
    assert (made.name, made.document, made.definition) == (sent.name, sent.name.encode(), "fast.inquiry")


# ------------------------------------------------------------------------------------------------------- what comes in


@pytest.mark.parametrize("profile", [FAST, BAKONG], ids=lambda p: p.name)
def test_money_of_others_is_a_notification(profile: Profile) -> None:
    """It announces what the statement will show: account, amount, references, and who paid."""
    came = mirrored(profile, remittance=Remittance(("Licence 12",)), purpose=None, end_to_end_id="RENT-7")
    returns, (head, entry), _ = read(profile, handed_out(profile, came))
    assert not returns
    assert isinstance(head, Statement)
    assert isinstance(entry, Entry)
    assert (head.kind, head.account, head.statement_id) == (
        "notification",
        profile.accounts[0].number,
        "ABAAKHPP/NCAMKHPP/1",
    )
    assert (entry.amount_minor, entry.currency, entry.booking_date) == (500_00, "KHR", DAY)
    (detail,) = entry.details
    assert (detail.end_to_end_id, detail.remittance, detail.payment_information_id) == (
        "RENT-7",
        "Licence 12",
        "ABAAKHPP/NCAMKHPP/1",
    )
    assert detail.counterparty_name == came.debtor.name


def test_several_transfers_of_one_message_are_told_apart() -> None:
    """Each is an entry of its own, under an id of its own."""
    document = handed_out(FAST, mirrored(FAST, purpose=None), mirrored(FAST, purpose=None, end_to_end_id="PO-8"))
    _, found, _ = read(FAST, document)
    heads = [one.statement_id for one in found if isinstance(one, Statement)]
    assert heads == ["ABAAKHPP/NCAMKHPP/1#1", "ABAAKHPP/NCAMKHPP/1#2"]


@pytest.mark.parametrize(
    ("named", "expected"),
    [("PO-7", (None, "PO-7")), ("TG000000000007", ("TG000000000007", None)), ("NOTPROVIDED", (None, None))],
)
def test_a_refund_that_comes_in_is_a_return_of_our_payment(named: str, expected: tuple[str | None, str | None]) -> None:
    """By our EndToEndId or InstrId; one that names nothing is a return that nobody knows, not an unnoticed credit."""
    document = handed_out(FAST, mirrored(FAST, purpose="REFU", end_to_end_id=named))
    (item,), statements, _ = read(FAST, document)
    assert not statements
    assert (item.instruction_id, item.end_to_end_id) == expected
    assert (item.amount, item.settlement_date, item.return_id) == (Money(500_00, "KHR"), DAY, "ABAAKHPP/NCAMKHPP/1")


@pytest.mark.parametrize("document", [b"ACK", b"<a/>", b"", b"\x00", b'<Document xmlns="urn:a"/>'])
@pytest.mark.parametrize("profile", [FAST, BAKONG], ids=lambda p: p.name)
def test_what_is_no_message_is_refused_and_kept(profile: Profile, document: bytes) -> None:
    """Whatever an operation answers: a person sees it."""
    with pytest.raises(DocumentRefused):
        read(profile, document)


# ----------------------------------------------------------------------------------------------------------- Bakong


def test_a_large_payment_is_one_whose_charges_the_creditor_bears() -> None:
    """The rail takes CRED and nothing else; its name on the wire is its MsgId."""
    made, facts = composed(BAKONG, payment(BAKONG))
    _, (block,) = pain001.read(etree.fromstring(made.document))
    assert block.payments[0].charge_bearer == "CRED"
    assert (made.name, facts.participants, facts.message_id) == (None, None, TASK.message_id)
    with pytest.raises(DocumentRefused, match="creditor bears"):
        composed(BAKONG, payment(BAKONG, charge_bearer="DEBT"))


def test_what_came_in_is_given_back_by_a_reversal() -> None:
    """A pain.007 that names the bank's message, block and references, and says why."""
    made, facts = composed(BAKONG, payment(BAKONG, kind="return", original=ORIGINAL))
    assert made.definition == "pain.007.001.05"
    (item,) = pain007.read(etree.fromstring(made.document))
    assert (item.original_message_id, item.end_to_end_id, item.instruction_id) == ("B-MSG-7", "RENT-7", "B-I-7")
    assert (item.reason, item.amount, item.return_id) == ("AC04", Money(500_00, "KHR"), "TG000000000007")
    assert b"<OrgnlPmtInfId>B-7</OrgnlPmtInfId>" in made.document
    assert (facts.stated_count, facts.amounts, facts.message_id) == ("1", ("500.00",), TASK.message_id)
    with pytest.raises(DocumentRefused, match="names nothing"):
        composed(BAKONG, payment(BAKONG, kind="return"))


def test_reversals_share_a_message_only_with_those_of_the_same_original() -> None:
    """A pain.007 is of one message of the bank, and carries no payments."""
    apart = rail("bakong").apart  # type: ignore[attr-defined]  # a function that rails may have
    given = payment(BAKONG, kind="return", original=ORIGINAL)
    other = payment(BAKONG, kind="return", original=replace(ORIGINAL, message_id="B-MSG-8"))
    assert len({apart(BAKONG, one) for one in (given, other, payment(BAKONG))}) == 3


def test_a_reversal_that_comes_in_is_a_return() -> None:
    """Of the payment whose references it repeats."""
    item = Return(
        "", "R-1", Money(500_00, "KHR"), TASK.message_id, "pain.001.001.05", "PO-7", "TG000000000007", None,
        Money(500_00, "KHR"), "AC04", "account closed",
    )  # fmt: skip
    document = etree.tostring(pain007.build("B-R-1", AT, {f"{TASK.message_id}-0001": [item]}))
    (found,), _, _ = read(BAKONG, document)
    assert (found.instruction_id, found.reason, found.info) == ("TG000000000007", "AC04", "account closed")


# ----------------------------------------------------------------------------------------------------- the profiles

MISTAKES = [
    ("fast", "transactions_max = 1", "transactions_max = 2", "message.transactions_max"),
    ("fast", "decimals = 0", "decimals = 2", "currencies.KHR.decimals"),
    ("fast", '"pain.001.001.05"', '"pain.001.001.09"', "pain.version"),
    ("fast", "signed = false", "signed = true", "statements.signed"),
    ("fast", "[instant]", '[instant]\nparticipants = { NCAMKHPP = "ABCDEFGHIJK" }', "instant.participants.NCAMKHPP"),
    ("fast", "[transport.operations.inquire]", "[transport.operations.recall]", "channel.inquire_after_s"),
    ("bakong", 'charge_bearers = ["CRED"]', 'charge_bearers = ["SLEV"]', "message.charge_bearers"),
    ("bakong", '"pain.001.001.05"', '"pain.001.001.03"', "pain.version"),
    ("bakong", "[transport.operations.submit]", "[transport.operations.recall]", "transport.operations.submit"),
    ("bakong", "[transport.operations.give_back]", "[transport.operations.recall]", "transport.definitions"),
    ("bakong", '"pain.007.001.05" = "give_back"', "", "which operation takes a reversal"),
    ("bakong", 'client_key = "client.key"', "", "client_key"),
    ("bakong", '"{document}"', '"{dokument}"', "places"),
]


def test_the_profiles_of_these_tests_have_no_mistakes() -> None:
    """They are the examples to copy from."""
    assert check_profiles([FOLDER / "fast.toml", FOLDER / "bakong.toml"]) == []


@pytest.mark.parametrize(("name", "right", "wrong", "words"), MISTAKES)
def test_a_mistake_in_a_profile_is_found_with_its_line(
    tmp_path: Path, name: str, right: str, wrong: str, words: str
) -> None:
    """`gateway profiles check` says it before the bank does."""
    text = (FOLDER / f"{name}.toml").read_text()
    assert right in text
    path = tmp_path / f"{name}.toml"
    path.write_text(text.replace(right, wrong, 1))
    found = check_profiles([path])
    assert any(words in one.message for one in found), found
    assert all(1 < one.line <= text.count("\n") + 1 for one in found), found


# ------------------------------------------------------------------------------------------------------- giving back


@pytest.mark.parametrize(
    ("name", "without", "said"),
    [
        ("fast", (), None),
        ("fast", ("message_id", "definition", "end_to_end_id"), None),
        ("fast", ("end_to_end_id", "instruction_id"), "neither EndToEndId nor InstrId"),
        ("bakong", (), None),
        ("bakong", ("message_id",), "the message that the transfer came in"),
        ("bakong", ("end_to_end_id", "instruction_id"), "neither EndToEndId nor InstrId"),
        ("high_value", ("message_id", "definition", "end_to_end_id"), None),
        ("high_value", ("end_to_end_id", "instruction_id"), "neither InstrId, EndToEndId nor UETR"),
        ("net_clearing", (), "nothing is given back"),
    ],
)
def test_a_rail_says_what_it_cannot_give_back(name: str, without: tuple[str, ...], said: str | None) -> None:
    """Before anybody orders it: the bank has to know what a return gives back."""
    gaps: dict[str, Any] = dict.fromkeys(without)
    why = not_given_back(rail(name), replace(ORIGINAL, **gaps))
    assert why is None if said is None else said in str(why)


def answered(**changes: Any) -> bytes:
    """Return a report on a reversal, with blocks as a bank repeats them: those of the transfer that came in."""
    status = TransactionStatus("ACSC", "THEIR-1", **changes)
    blocks = (BlockStatus("ABAAKHPP/NCAMKHPP/1", "ACSC", transactions=(status,)),)
    report = StatusReport("ST-1", "TREAKHPP-1", "pain.007.001.05", None, None, None, (), blocks, AT)
    return etree.tostring(pain002.build(report, "pain.002.001.05"))


@pytest.mark.parametrize(
    ("said", "transactions", "group"),
    [
        ({"instruction_id": "TG000000000007"}, [("TG000000000007", None)], None),
        ({"instruction_id": "ABA-I-1"}, [], "ACSC"),
        ({}, [], "ACSC"),
    ],
)
def test_an_answer_to_a_reversal_is_of_ours_and_not_of_what_it_reverses(
    said: dict[str, str], transactions: list[tuple[str, str | None]], group: str | None
) -> None:
    """EndToEndId and PmtInfId are the original's: taken for ours, they would name nobody, or another payment."""
    (report,) = rail("bakong").read(BAKONG, answered(**said), TRUST, AT).reports
    assert [(one.instruction_id, one.end_to_end_id) for one in report.transactions] == transactions
    assert (report.group_status, report.blocks) == (group, ())
    assert report.original_message_id == "TREAKHPP-1"
    several = BAKONG.model_copy(update={"message": BAKONG.message.model_copy(update={"transactions_max": 5})})
    (report,) = rail("bakong").read(several, answered(**said), TRUST, AT).reports
    assert report.group_status is None  # of which of its payments the bank speaks, nobody can tell
