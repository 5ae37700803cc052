"""A bank that takes files: what is composed for three dialects, what is read back, and what a profile must say."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from adapters.profile import Profile, check_profiles, load
from adapters.rails import Composed, Facts, Task, apart_of, customer_file, keys_max_of, rail
from schemas.errors import ConfigurationError, DocumentRefused
from schemas.iso20022 import pain001, xml
from schemas.model.identifiers import message_id
from schemas.model.money import Money
from schemas.model.payment import Agent, Payment
from security.trust import TrustStore
from tests.golden import examples

BANKS = Path(__file__).parent / "banks"
RIVER, HILL, LAKE = (load(BANKS / f"{name}-bank.toml") for name in ("river", "hill", "lake"))
DAY = date(2026, 11, 30)
AT = datetime(2026, 11, 30, 9, 15, tzinfo=RIVER.zone)
TASK = Task(message_id("TREAKHPP", DAY, 42), AT, DAY)
TRUST = TrustStore(anchors=(), signers=())


def payment(number: int, profile: Profile, **changes: Any) -> Payment:
    """Return a payment from the first account of ours at a bank."""
    account = profile.accounts[0]
    made = replace(
        examples.SALARY, payment_id=number, instruction_id=f"TG{number:012d}", end_to_end_id=f"PO-{number}",
        amount=Money(100_00 * number, account.currency), execution_date=DAY, uetr=examples.UETRS[0],
        debtor_account=replace(examples.SALARY.debtor_account, number=account.number),
        debtor_agent=Agent(profile.bank_bic), creditor=replace(examples.SALARY.creditor, name="Sok Dara"),
    )  # fmt: skip
    return replace(made, **changes)


def composed(profile: Profile, payments: Sequence[Payment], task: Task = TASK) -> tuple[Composed, Facts]:
    """Return a file and what it says of itself."""
    seen: list[Facts] = []
    made = rail(profile.rail).compose(profile, task, payments, None, seen.append)  # type: ignore[arg-type]  # unsigned
    return made, seen[0]


@pytest.mark.parametrize("profile", [RIVER, HILL, LAKE], ids=lambda p: p.name)
def test_the_bank_reads_in_the_file_what_was_ordered(profile: Profile) -> None:
    """Each dialect says the same payments: references, amounts, accounts and names arrive as they were."""
    payments = [payment(n, profile) for n in (1, 2, 3)]
    made, facts = composed(profile, payments)
    assert profile.pain is not None
    xml.validate(etree.fromstring(made.document), profile.pain.version)
    group, blocks = pain001.read(etree.fromstring(made.document))
    assert (group.message_id, group.created, made.definition) == (TASK.message_id, AT, profile.pain.version)
    assert len(blocks) == 1
    uetr = pain001.VERSIONS[profile.pain.version].uetr
    agent = Agent(clearing_system="KHNCS", member_id="0042") if profile is LAKE else Agent(profile.bank_bic)
    expected = [
        replace(p, payment_id=0, source="", order_id="", maker="", uetr=p.uetr if uetr else "", debtor_agent=agent)
        for p in payments
    ]
    assert list(blocks[0].payments) == expected
    assert facts.blocks[0].amounts == facts.amounts == ("100.00", "200.00", "300.00")
    assert (facts.message_id, facts.stated_count, facts.stated_sum) == (TASK.message_id, "3", "600.00")


def test_a_dialect_is_what_the_profile_says() -> None:
    """What one bank needs, another refuses: nothing of it stands in code."""
    river, hill, lake = (composed(bank, [payment(1, bank)])[0].document for bank in (RIVER, HILL, LAKE))
    assert b"<BIC>RIVRKHPP</BIC>" in river
    assert b"<BtchBookg>true</BtchBookg>" in river
    assert b"<SvcLvl><Cd>NURG</Cd></SvcLvl>" in river
    assert b"<InitgPty><Id><OrgId><Othr><Id>0000700112</Id>" in river
    assert b"<BtchBookg>false</BtchBookg>" in hill
    assert b"<ReqdExctnDt><Dt>2026-11-30</Dt></ReqdExctnDt>" in hill
    assert hill.index(b"<CdtTrfTxInf>") < hill.index(b"<ChrgBr>")
    assert b"<LclInstrm><Prtry>PAYROLL-RUN</Prtry></LclInstrm>" in lake
    assert b"InstrPrty" not in lake
    assert b"<ClrSysId><Cd>KHNCS</Cd></ClrSysId><MmbId>0042</MmbId>" in lake


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["SLEV", "SHAR"])), min_size=1, max_size=12))
def test_each_payment_is_in_one_block_with_what_the_block_says(kinds: list[tuple[int, str]]) -> None:
    """What a block says once holds for all of it, and the ids of blocks are unique, short, and the same again."""
    payments = [
        payment(n, HILL, charge_bearer=bearer, debtor_account=replace(examples.SALARY.debtor_account, number=f"72{a}"))
        for n, (a, bearer) in enumerate(kinds, 1)
    ]
    made, facts = composed(HILL, payments)
    assert sorted(n for inside in made.blocks.values() for n in inside) == [p.payment_id for p in payments]
    assert [block.block_id for block in facts.blocks] == list(made.blocks)
    assert all(len(block_id) <= 35 for block_id in made.blocks)
    assert len(made.blocks) == len({a for a, _ in kinds})
    assert composed(HILL, payments)[0] == made


def test_where_one_block_is_taken_files_are_cut_by_what_a_block_shares() -> None:
    """A bank that takes one block a file gets one file for each debtor account and kind of payment."""
    apart = apart_of(customer_file)
    assert apart is not None
    one = payment(1, RIVER)
    other = replace(one.debtor_account, number="710000000003")
    assert apart(RIVER, one) == apart(RIVER, payment(2, RIVER))
    for change in ({"debtor_account": other}, {"urgency": "high"}, {"charge_bearer": "SHAR"}):
        assert apart(RIVER, replace(one, **change)) != apart(RIVER, one)
    assert apart(HILL, replace(one, debtor_account=other)) == apart(HILL, one)


def test_a_files_name_is_made_by_the_banks_pattern() -> None:
    """Banks refuse a name that they have had: it holds our MsgId, and is the same when the file is sent again."""
    assert composed(RIVER, [payment(1, RIVER)])[0].name == "PAY_20261130_TREAKHPP-20261130-000000000042.xml"
    assert composed(HILL, [payment(1, HILL)])[0].name == "TREAKHPP-20261130-000000000042.xml"


def test_a_refused_inspection_leaves_nothing_behind() -> None:
    """What a rule refuses is never handed to anybody."""

    def refuse(_: Facts) -> None:
        raise DocumentRefused("no")

    with pytest.raises(DocumentRefused, match="no"):
        customer_file.compose(HILL, TASK, [payment(1, HILL)], None, refuse)  # type: ignore[arg-type]  # unsigned


def test_what_cannot_be_written_is_refused_with_its_place() -> None:
    """A payment without a payee would be refused by the bank, with its whole file."""
    with pytest.raises(DocumentRefused, match="Cdtr"):
        composed(HILL, [payment(1, HILL), payment(2, HILL, creditor=replace(examples.SALARY.creditor, name=None))])


# ----------------------------------------------------------------------------------------------------------- reading


def test_a_payment_ordered_in_another_currency_is_not_for_these_files() -> None:
    """A pain.001 of this rail says one amount; to leave the ordered one out would pay something else."""
    other = payment(1, HILL, instructed_amount=Money(5_00, "EUR"), exchange_rate="4100")
    with pytest.raises(DocumentRefused, match="AG03"):
        composed(HILL, [other])


def written(definition: str) -> bytes:
    """Return a golden message as bytes."""
    return etree.tostring(examples.MESSAGES[definition](), encoding="UTF-8", xml_declaration=True)


def read(document: bytes, profile: Profile = HILL) -> Any:
    """Return what a document says."""
    return customer_file.read(profile, document, TRUST, datetime(2026, 11, 30, tzinfo=UTC))


@pytest.mark.parametrize("definition", ["pain.002.001.03", "pain.002.001.10", "pain.002.001.12"])
def test_a_status_report_is_taken_over_the_banks_channel(definition: str) -> None:
    """It carries no signature; who may leave a file there is the channel's business."""
    document = written(definition)
    assert customer_file.read_unsigned(HILL, io.BytesIO(document)) is None
    received = read(document)
    assert (received.definition, received.message_id) == (definition, "BANK-20261123-9")
    assert [block.block_id for block in received.reports[0].blocks] == [b.block_id for b in examples.CUSTOMER_BLOCKS]
    assert received.reports[0].created == examples.CREATED


def test_comments_and_character_data_sections_do_no_harm_in_a_report() -> None:
    """Banks write their narratives as CDATA, and what was never signed may have comments."""
    document = written("pain.002.001.10").replace(b"one of two", b"<!-- x --><![CDATA[one <of> two]]>")
    assert read(document).reports[0].blocks[0].info == "one <of> two"


@pytest.mark.parametrize("definition", ["pain.007.001.05", "pacs.004.001.09"])
def test_a_return_is_taken_in_either_form(definition: str) -> None:
    """Some banks tell their customer of a returned payment by the interbank message, some by a reversal."""
    received = read(written(definition))
    assert [item.instruction_id for item in received.returns] == [examples.SALARY.instruction_id]


def test_a_statement_is_read_piece_by_piece() -> None:
    """It may be of any size, and comes in the form the bank has."""
    document = written("camt.053.001.08")
    received = customer_file.read_unsigned(HILL, io.BytesIO(document))
    assert received is not None
    assert received.statements is not None
    assert len(list(received.statements)) == 1 + len(examples.ENTRIES)
    again = read(document)
    assert (again.definition, again.message_id) == (received.definition, received.message_id)


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (b"", "FF01"),
        (b"%PDF-1.7", "FF01"),
        (b"\x00\x01 nothing", "FF03"),
        (b"<Document xmlns='urn:iso:std:iso:20022:tech:xsd:pain.002.001.03'><CstmrPmtStsRpt>", "FF01"),
        (b"<Envelope><Document/></Envelope>", "FF03"),
        (written("pacs.008.001.08"), "FF03"),
        (written("pain.002.001.10")[:-40], "FF01"),
        (b"<!DOCTYPE d []>" + written("pain.002.001.10").partition(b"?>")[2].strip(), "FF01"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_code(document: bytes, code: str) -> None:
    """A cut-off or foreign file changes nothing and is kept for a person."""
    with pytest.raises(DocumentRefused) as refused:
        read(document)
    assert refused.value.code == code


def test_a_banks_own_guideline_of_its_reports_is_held_against_them(tmp_path: Path) -> None:
    """Where the operator has the bank's guideline, what breaks it is not taken."""
    guideline = Path(xml.__file__).parent.parent / "xsd"
    for name in ("types.xsd", "customer-status-report.xsd", "pain.002.001.10.xsd"):
        (tmp_path / name).write_bytes((guideline / name).read_bytes())
    strict = HILL.model_copy(update={"message": HILL.message.model_copy(update={"guidelines_folder": tmp_path})})
    assert read(written("pain.002.001.10"), strict).reports
    with pytest.raises(DocumentRefused, match="Unknown"):
        read(written("pain.002.001.10").replace(b"<GrpSts>", b"<Unknown/><GrpSts>"), strict)


# --------------------------------------------------------------------------------------------------------- profiles


def test_the_banks_of_the_tests_are_right() -> None:
    """They are examples of how a commercial bank is described."""
    assert check_profiles(sorted(BANKS.glob("*.toml"))) == []


def changed(old: str, new: str, tmp_path: Path) -> list[str]:
    """Return what is found in the older bank's profile after a change."""
    text = (BANKS / "river-bank.toml").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "bank.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    return [str(finding).removeprefix(f"{path}:").partition(": ")[2] for finding in check_profiles([path])]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[pain]", "[paint]", "paint: unknown key"),
        ('version = "pain.001.001.03"', 'version = "pain.001.001.02"', "pain.version: should be"),
        ('"PAY_{date}_{message_id}.xml"', '"PAY_{date}.xml"', "pain.file_name: 'PAY_{date}.xml' has no {message_id}"),
        ('"PAY_{date}_{message_id}.xml"', '"../{message_id}"', "is not a plain file name"),
        ('"PAY_{date}_{message_id}.xml"', '"{message_id}{account}"', "may stand in braces"),
        ('"PAY_{date}_{message_id}.xml"', '"{message_id"', "pain.file_name: "),
        ('identifier = "0000700112"\n', "", "pain.initiator: a name or an identifier is missing"),
        ('identifier = "0000700112"', 'name = "T"', "pain.initiator: scheme and issuer are of an identifier"),
        ('service_level = "NURG"', 'member_id = "0042"', "pain: clearing_system and member_id are given together"),
        ("batch_booking = true", 'types_at = "transaction"', "pain.types_at: service_level and local_instrument"),
        ("signed = false", "signed = true", "statements.signed: nothing that comes over this rail carries"),
        ('identifier = "0000700112"', 'identifier = "0000_700112"', "pain.initiator.identifier: not in the X"),
    ],
)
def test_a_mistake_in_the_files_settings_is_named(old: str, new: str, said: str, tmp_path: Path) -> None:
    """A misspelt profile must not be found out by the bank."""
    found = changed(old, new, tmp_path)
    assert any(said in finding for finding in found), found


def test_a_profile_without_files_says_so(tmp_path: Path) -> None:
    """The check finds it; composing without it is a mistake of the configuration too."""
    text = (BANKS / "river-bank.toml").read_text(encoding="utf-8")
    before, _, rest = text.partition("[pain]")
    path = tmp_path / "bank.toml"
    path.write_text(before + "[currencies" + rest.partition("[currencies")[2], encoding="utf-8")
    assert "pain: missing, and the rail customer_file needs it" in str(check_profiles([path])[0])
    with pytest.raises(ConfigurationError, match="pain: missing"):
        composed(load(path), [payment(1, RIVER)])


def test_this_rail_keeps_apart_what_its_blocks_need_and_nobody_knows_how_much() -> None:
    """So dispatch takes as many numbers ahead as there are payments."""
    assert apart_of(rail(load(BANKS / "river-bank.toml").rail)) is not None
    assert keys_max_of(rail(load(BANKS / "river-bank.toml").rail)) is None
    assert MappingProxyType(Composed(b"", "pacs.008.001.08").blocks) == {}
