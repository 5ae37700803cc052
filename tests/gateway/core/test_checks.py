"""Every business rule of an outgoing payment, message and batch, kept and broken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest

from gateway.core.checks import (
    AMOUNT_RULES,
    BATCH_CHECKS,
    CHECKS,
    MESSAGE_CHECKS,
    BatchFacts,
    BlockFacts,
    HeaderFacts,
    MessageFacts,
    Seen,
    SourceRules,
    check,
    check_batch,
    check_message,
    execution_day,
    missed,
    missed_day,
    needs_approval,
    rule_number,
)
from schemas.codes import REASONS
from schemas.model.money import Money
from schemas.model.payment import Account
from tests.gateway.core.check_cases import CASES, CONTEXT, MONDAY, OUR_ACCOUNT, PAYMENT, RAIL, Case, put

RULES: list[Callable[..., object]] = [*CHECKS, *MESSAGE_CHECKS, *BATCH_CHECKS]
REQUIRED = {*range(1, 30), *range(31, 37), 38, 39, *range(41, 54)}
NOW = datetime(2026, 11, 30, 2, 0, tzinfo=UTC)
HEADER = HeaderFacts(
    "NCAMKHPP-20261130-000000000001", "pacs.008.001.08", "MEFTKHPP", "NCAMKHPP", NOW, possible_duplicate=False
)


def header(**change: object) -> dict[str, HeaderFacts]:
    """Return the header with something else in it, as a change of the message."""
    return {"header": replace(HEADER, **change)}  # type: ignore[arg-type]  # a table names the fields


BLOCK = BlockFacts("B-1", 2, "4.00", (Money(150, "USD"), Money(250, "USD")))
FAST_BLOCK = replace(
    BLOCK, block_id="NCAMKHPP/ABAAKHPP/26113042", debtor_agent="NCAMKHPP", creditor_agents=("ABAAKHPPXXX",) * 2
)
MESSAGE = MessageFacts(
    header=HEADER,
    group_message_id="NCAMKHPP-20261130-000000000001",
    namespace="urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08",
    instructing_agent="MEFTKHPPXXX",
    instructed_agent="NCAMKHPP",
    now=NOW,
    tolerance=timedelta(hours=1),
    declared_count=2,
    amounts=(Money(150, "USD"), Money(250, "USD")),
    control_sum="4.00",
    signer_bic="MEFTKHPP",
    signer_accounts=frozenset({OUR_ACCOUNT}),
    debtor_accounts=frozenset({OUR_ACCOUNT}),
    known_message_ids=frozenset({"NCAMKHPP-20261130-000000000000"}),
    settlement_method="CLRG",
    clearing_system="KHR",
)
MESSAGE_CASES = [
    (1, {}, None),
    (1, header(message_id="OTHER"), ("CH16", "AppHdr/BizMsgIdr")),
    (2, {}, None),
    (2, header(definition="pacs.009.001.08"), ("FF01", "AppHdr/MsgDefIdr")),
    (3, header(from_bic="MEFTKHPPABC"), None),
    (3, header(from_bic="ABAAKHPP"), ("AGNT", "AppHdr/Fr")),
    (4, {}, None),
    (4, {"instructed_agent": "ABAAKHPP"}, ("AGNT", "AppHdr/To")),
    (5, header(created=NOW - timedelta(hours=1)), None),
    (5, header(created=NOW.replace(tzinfo=None)), ("DT02", "AppHdr/CreDt")),
    (5, header(created=NOW - timedelta(hours=1, seconds=1)), ("DT02", "AppHdr/CreDt")),
    (5, header(created=NOW + timedelta(hours=2)), ("DT02", "AppHdr/CreDt")),
    (6, {}, None),
    (6, header(possible_duplicate=True), ("DUPL", "AppHdr/PssblDplct")),
    (7, {"signer_bic": None, "signer_accounts": None}, None),
    (7, {"signer_bic": "ABAAKHPP"}, ("DS0G", "AppHdr/Sgntr")),
    (7, {"debtor_accounts": frozenset({"000999"})}, ("DS0H", "AppHdr/Sgntr")),
    (8, {}, None),
    (8, {"declared_count": 3}, ("AM18", "GrpHdr/NbOfTxs")),
    (9, {"control_sum": None}, None),
    (9, {"control_sum": "4"}, None),
    (9, {"amounts": (Money(100, "JPY"), Money(350, "USD")), "control_sum": "103.5"}, None),
    (9, {"control_sum": "4.01"}, ("AM10", "GrpHdr/CtrlSum")),
    (9, {"control_sum": "four"}, ("AM10", "GrpHdr/CtrlSum")),
    (9, {"control_sum": "٤"}, ("AM10", "GrpHdr/CtrlSum")),
    (9, {"control_sum": "NaN"}, ("AM10", "GrpHdr/CtrlSum")),
    (1, {"header": None}, None),
    (2, {"header": None}, None),
    (3, {"header": None}, None),
    (4, {"header": None}, None),
    (5, {"header": None}, None),
    (6, {"header": None}, None),
    (10, {"blocks": (BLOCK, replace(BLOCK, declared_count=None, control_sum=None))}, None),
    (10, {"blocks": (BLOCK, replace(BLOCK, declared_count=3))}, ("AM18", "PmtInf[2]/NbOfTxs")),
    (10, {"blocks": (replace(BLOCK, control_sum="4.01"),)}, ("AM10", "PmtInf[1]/CtrlSum")),
    (10, {"blocks": (replace(BLOCK, control_sum="NaN"),)}, ("AM10", "PmtInf[1]/CtrlSum")),
    (11, {}, None),
    (11, {"known_message_ids": {MESSAGE.group_message_id}}, ("DU01", "GrpHdr/MsgId")),
    (12, {"blocks": (BLOCK, replace(BLOCK, block_id="B-2"))}, None),
    (12, {"blocks": (BLOCK, BLOCK)}, ("DU02", "PmtInf[2]/PmtInfId")),
    (12, {"blocks": (BLOCK,), "known_block_ids": {"B-1"}}, ("DU02", "PmtInf[1]/PmtInfId")),
    (17, {"blocks": (BLOCK,)}, None),
    (17, {"blocks": (FAST_BLOCK,), "participants": {}}, None),
    (17, {"blocks": (replace(FAST_BLOCK, block_id="NBC/ABAAKHPP/1"),), "participants": {"NCAMKHPP": "NBC"}}, None),
    (17, {"blocks": (FAST_BLOCK,), "participants": {"NCAMKHPP": "NBC"}}, ("CH16", "PmtInf[1]/PmtInfId")),
    (17, {"blocks": (BLOCK,), "participants": {}}, ("CH16", "PmtInf[1]/PmtInfId")),
    (
        17,
        {"blocks": (replace(FAST_BLOCK, block_id="NCAMKHPP/ABAAKHPP/"),), "participants": {}},
        ("CH16", "PmtInf[1]/PmtInfId"),
    ),
    (
        17,
        {"blocks": (replace(FAST_BLOCK, block_id="NCAMKHPP/ACLBKHPP/1"),), "participants": {}},
        ("CH16", "PmtInf[1]/PmtInfId"),
    ),
    (
        17,
        {"blocks": (replace(FAST_BLOCK, creditor_agents=("ABAAKHPP", "ACLBKHPP")),), "participants": {}},
        ("CH16", "PmtInf[1]/PmtInfId"),
    ),
    (36, {}, None),
    (36, {"settlement_method": "INDA", "settlement_account": Account(OUR_ACCOUNT)}, None),
    (36, {"clearing_system": None}, ("CH21", "GrpHdr/SttlmInf/ClrSys")),
    (36, {"settlement_method": "INGA"}, ("CH21", "GrpHdr/SttlmInf/SttlmAcct")),
]
SALARY = frozenset({"SALA"})
BATCH = BatchFacts("B1", 2, {"KHR": 300}, 2, {"KHR": 300}, SALARY, SALARY, frozenset({OUR_ACCOUNT}))
BATCH_CASES = [
    (18, {}, None),
    (18, {"count": 1}, ("AM18", "batch.count")),
    (18, {"totals_minor": {"KHR": 301}}, ("AM10", "batch.totals.KHR")),
    (18, {"totals_minor": {"KHR": 300, "USD": 1}}, ("AM10", "batch.totals.USD")),
    (52, {"line_purposes": frozenset({"SALA", "PENS", "SSBE"}), "category_purposes": frozenset({"SALA", None})}, None),
    (52, {"category_purposes": frozenset({"SUPP"}), "debtor_accounts": frozenset({"1", "2"})}, None),
    (52, {"line_purposes": frozenset({"SALA", "SUPP"})}, ("FF07", "orders.purpose")),
    (52, {"category_purposes": frozenset({"SALA", "SUPP"})}, ("FF07", "orders.purpose")),
    (52, {"debtor_accounts": frozenset({"1", "2"})}, ("AG01", "orders.debtor_account")),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule}-{case.what}")
def test_each_rule_of_a_payment_keeps_and_breaks(case: Case) -> None:
    """A rule names its reason code and the field that the sender wrote, and nothing else."""
    found = [refusal for refusal in check(case.payment(), case.checked_against()) if refusal.rule == case.rule]
    assert [(refusal.code, refusal.path) for refusal in found] == list(case.refused)


@pytest.mark.parametrize(("rule", "change", "refused"), MESSAGE_CASES)
def test_each_rule_of_a_message_keeps_and_breaks(
    rule: int, change: dict[str, object], refused: tuple[str, str] | None
) -> None:
    """A header that does not fit its document is somebody's mistake or somebody's attack."""
    facts = replace(MESSAGE, **change)  # type: ignore[arg-type]  # a table of many types
    found = [(x.code, x.path) for x in check_message(facts) if x.rule == rule]
    assert found == ([refused] if refused else [])


@pytest.mark.parametrize(("rule", "change", "refused"), BATCH_CASES)
def test_each_rule_of_a_batch_keeps_and_breaks(
    rule: int, change: dict[str, object], refused: tuple[str, str] | None
) -> None:
    """A batch is released only when it is what it declared."""
    facts = replace(BATCH, **change)  # type: ignore[arg-type]  # a table of many types
    found = [(x.code, x.path) for x in check_batch(facts) if x.rule == rule]
    assert found == ([refused] if refused else [])


def test_every_required_rule_has_a_function_a_passing_and_a_failing_case() -> None:
    """A rule without both cases is a rule that nobody knows to work."""
    functions = {rule_number(rule) for rule in RULES}
    others = [(rule, refused) for rule, _, refused in (*MESSAGE_CASES, *BATCH_CASES)]
    cases = [(case.rule, bool(case.refused)) for case in CASES] + [(rule, bool(refused)) for rule, refused in others]
    assert functions >= REQUIRED
    assert {rule for rule, fails in cases if fails} == functions
    assert {rule for rule, fails in cases if not fails} == functions


def test_each_function_says_its_rule_number() -> None:
    """A reader who knows the rule's number finds its function, and the other way round."""
    for rule in RULES:
        assert (rule.__doc__ or "").startswith(f"{rule_number(rule)}: ")


def test_every_reason_code_is_an_iso_code() -> None:
    """A source system looks the code up in the external code set."""
    codes = {code for case in CASES for code, _ in case.refused}
    codes |= {refused[0] for _, _, refused in (*MESSAGE_CASES, *BATCH_CASES) if refused}
    assert codes <= REASONS.keys()


def test_a_good_payment_has_no_refusal() -> None:
    """The table's cases change one thing of a payment that is good otherwise."""
    assert check(PAYMENT, CONTEXT) == []
    assert check_message(MESSAGE) == []
    assert check_batch(BATCH) == []


def test_all_refusals_are_reported_together() -> None:
    """A source mends everything at once instead of one mistake a day."""
    bad = put(put(put(PAYMENT, "amount", Money(0, "KHR")), "creditor.address.town", None), "purpose", "XXXX")
    assert [refusal.rule for refusal in check(bad, CONTEXT)] == [19, 43, 51]


def test_a_rail_has_the_rules_that_its_profile_names() -> None:
    """A rule applies to the rails whose profile names it."""
    bad = put(put(PAYMENT, "amount", Money(0, "KHR")), "purpose", "XXXX")
    context = replace(CONTEXT, rail=replace(RAIL, rules=frozenset({19})))
    assert [refusal.rule for refusal in check(bad, context)] == [19]
    assert check_message(replace(MESSAGE, declared_count=9), frozenset({9})) == []


def test_two_equal_references_in_one_message_are_found() -> None:
    """Uniqueness holds within a message as well as against what was stored."""
    context = replace(CONTEXT, seen=Seen())
    assert check(PAYMENT, context) == []
    context.seen.add(PAYMENT)
    assert [refusal.code for refusal in check(PAYMENT, context)] == ["DU04", "DU05", "DU03"]


def test_payments_without_a_reference_do_not_collide() -> None:
    """NOTPROVIDED is no reference."""
    seen = Seen()
    seen.add(put(PAYMENT, "end_to_end_id", "NOTPROVIDED"))
    assert seen.end_to_end_ids == set()


def test_refusals_hold_no_full_account_number() -> None:
    """Refusals go to logs, events and screens."""
    bad = put(put(PAYMENT, "creditor_account.number", "00123456789A"), "debtor_account.number", "000999888777")
    messages = " ".join(refusal.message for refusal in check(bad, CONTEXT))
    assert "00123456789A" not in messages
    assert "000999888777" not in messages
    assert "*****8777" in messages


@pytest.mark.parametrize(
    ("execution_date", "now", "currency", "expected"),
    [
        (MONDAY, time(9, 0), "KHR", MONDAY),
        (MONDAY, time(15, 30), "USD", date(2026, 12, 1)),
        (date(2026, 12, 4), time(18, 0), "USD", date(2026, 12, 4)),
        (date(2026, 12, 5), time(9, 0), "USD", date(2026, 12, 7)),
        (date(2026, 11, 27), time(9, 0), "USD", MONDAY),
        (date(2026, 11, 27), time(16, 0), "USD", date(2026, 12, 1)),
    ],
)
def test_a_late_order_is_executed_on_the_next_business_day(
    execution_date: date, now: time, currency: str, expected: date
) -> None:
    """29: a late order moves; one that waited for approval counts as one for today; a future one keeps its day."""
    payment = replace(PAYMENT, execution_date=execution_date, amount=Money(100, currency))
    assert execution_day(payment, replace(CONTEXT, now_local=now)) == expected


@pytest.mark.parametrize(
    ("today", "now", "expected"),
    [
        (MONDAY, time(15, 29, 59), date(2026, 11, 27)),
        (MONDAY, time(15, 30), MONDAY),
        (MONDAY, time(23, 59), MONDAY),
        (date(2026, 12, 5), time(18, 0), date(2026, 12, 4)),
        (date(2026, 12, 29), time(18, 0), date(2026, 12, 28)),
    ],
    ids=["before", "at it", "after", "a Saturday", "a holiday"],
)
def test_what_was_to_leave_until_the_last_cut_off_has_missed_it(today: date, now: time, expected: date) -> None:
    """29: a day that is no business day has no cut-off of its own, so that what is for it is in time until the next."""
    assert missed_day("KHR", replace(CONTEXT, today=today, now_local=now)) == expected


@pytest.mark.parametrize("currency", ["USD", "EUR"])
def test_nothing_misses_a_cut_off_that_only_moves_it(currency: str) -> None:
    """29: the rail takes it on the next business day, or has no such currency."""
    assert missed_day(currency, replace(CONTEXT, now_local=time(18, 0))) is None


def test_nothing_misses_a_cut_off_on_a_rail_without_the_rule() -> None:
    """29: where an order that comes late is not refused, none is afterwards."""
    rail = replace(CONTEXT.rail, rules=frozenset({27, 28}))
    assert missed_day("KHR", replace(CONTEXT, rail=rail, now_local=time(18, 0))) is None


def test_a_missed_cut_off_has_the_code_of_an_order_that_comes_late() -> None:
    """29: a source need not know when it was found out; a holiday has the cut-off of the day after it."""
    late = replace(CONTEXT, now_local=time(16, 0))
    [at_intake] = check(PAYMENT, late)
    found = missed("KHR", date(2026, 12, 29), late)
    assert (found.rule, found.code, found.path) == (at_intake.rule, at_intake.code, at_intake.path)
    assert found.message == "the cut-off for KHR on 2026-12-30 was 15:30, and it had not left"


def test_an_amount_above_the_sources_limit_needs_approval() -> None:
    """A currency for which the source has no limit always waits for a second person."""
    source = SourceRules("fmis", frozenset({OUR_ACCOUNT}), {"KHR": 125_000_000})
    assert not needs_approval(PAYMENT, source)
    assert needs_approval(replace(PAYMENT, amount=Money(125_000_001, "KHR")), source)
    assert needs_approval(replace(PAYMENT, amount=Money(1, "USD")), source)


def test_the_amount_rules_are_those_of_the_amounts_module() -> None:
    """The list of rules that say nothing of an unreadable amount follows the module."""
    in_module = {rule_number(rule) for rule in CHECKS if rule.__module__.endswith(".amounts")}
    assert in_module == AMOUNT_RULES
