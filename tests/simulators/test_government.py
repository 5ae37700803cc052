"""The government's orders are realistic, repeatable from a seed, and wrong exactly where it says so."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import date, time
from decimal import Decimal
from itertools import islice, pairwise
from random import Random
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from stdnum import iso11649

from gateway.bus.base import ORDERS_EXCHANGE
from gateway.core.calendar import BusinessCalendar
from gateway.core.checks import Context, CurrencyRules, RailRules, Seen, SourceRules, check
from schemas.codes import CATEGORY_PURPOSES, PURPOSES
from schemas.model.payment import Agent
from schemas.orders import BadOrder, Order, content_hash, read, to_payment
from security import jws
from simulators.defects import DEFECTS, creditor_reference
from simulators.government import ACCOUNTS, Government, Submission, sign
from simulators.names import BANKS, BIC_DIRECTORY, PROVINCES, TREASURY

TODAY = date(2026, 11, 23)
X_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/-?:().,'+ ")


def government(seed: int = 1, **options: Any) -> Government:
    """Return a government of the day."""
    return Government(Random(seed), TODAY, **options)


def orders_of(submissions: Iterable[Submission]) -> list[Order]:
    """Read messages as the gateway does; every order must have the shape of one."""
    items = [item for submission in submissions for item in read(submission.body).items]
    assert not [item for item in items if isinstance(item, BadOrder) and item.order is None]
    return [item for item in items if isinstance(item, Order)]


def test_the_same_seed_makes_the_same_orders() -> None:
    """A failing simulation is replayed from its seed."""
    days = [government(seed) for seed in (5, 5, 6)]
    texts = [list(day.singles(day.suppliers(40, bad=12))) + list(day.payroll(100, bad=9)) for day in days]
    assert texts[0] == texts[1]
    assert texts[0] != texts[2]
    assert days[0].expected == days[1].expected


def test_a_payroll_declares_what_its_chunks_carry() -> None:
    """A batch is released only when count and totals are exact, its bad lines included (rule 18)."""
    chunks = [json.loads(submission.body) for submission in government().payroll(250, bad=20, chunk=100)]
    assert [(chunk["batch"]["chunk"], len(chunk["orders"])) for chunk in chunks] == [(1, 100), (2, 100), (3, 50)]
    declared = chunks[0]["batch"]
    total = sum((Decimal(order["amount"]) for chunk in chunks for order in chunk["orders"]), Decimal())
    assert (declared["count"], declared["chunks"], set(declared["totals"])) == (250, 3, {"KHR"})
    assert Decimal(declared["totals"]["KHR"]) == total


def test_a_salary_batch_has_one_account_and_one_purpose() -> None:
    """Rule 52."""
    orders = orders_of(government().payroll(200))
    assert {order.debtor_account.number for order in orders} == {ACCOUNTS["salary", "KHR"]}
    assert {(order.purpose, order.category_purpose) for order in orders} == {("SALA", "SALA")}
    assert len({order.creditor_account.number for order in orders}) > 190


def test_supplier_orders_come_in_both_currencies_with_taxes_from_every_province() -> None:
    """The gateway is tested with what a treasury really pays."""
    day = government()
    orders = orders_of(day.singles(day.suppliers(2000)))
    assert {order.currency for order in orders} == {"KHR", "USD"}
    assert {order.purpose for order in orders} == {"SUPP", "TAXS", "WHLD"}
    towns = {order.creditor.address.town for order in orders if order.creditor.address}
    assert towns >= {province.town for province in PROVINCES}
    assert len({order.order_id for order in orders}) == len(orders)
    assert all(order.debtor_account.number == ACCOUNTS["fmis", order.currency] for order in orders)


def test_good_orders_use_known_codes_banks_and_account_lengths() -> None:
    """What is not wrong on purpose must not be wrong by accident."""
    day = government()
    digits = {bank.bic: bank.digits for bank in BANKS}
    for order in orders_of(day.singles(day.suppliers(500))):
        assert order.creditor_agent.bic in BIC_DIRECTORY
        number = order.creditor_account.number
        assert len(number) == digits.get(order.creditor_agent.bic or "", len(number))
        assert number != order.debtor_account.number
        assert order.purpose in PURPOSES
        assert order.category_purpose in CATEGORY_PURPOSES
        if order.remittance and order.remittance.creditor_reference:
            assert iso11649.is_valid(order.remittance.creditor_reference)


def test_names_are_latin_and_only_free_text_is_khmer() -> None:
    """A payee's official Latin name is never transliterated; a rail with Latin only gets no Khmer at all."""
    for khmer in (True, False):
        day = government(khmer=khmer)
        orders = orders_of([*day.singles(day.suppliers(300)), *day.payroll(300)])
        texts = [line for order in orders if order.remittance for line in order.remittance.unstructured]
        assert all(set(order.creditor.name or "") <= X_CHARACTERS for order in orders)
        assert any(not set(text) <= X_CHARACTERS for text in texts) is khmer


def test_there_are_25_provinces() -> None:
    """The capital counts as one."""
    assert len({province.name for province in PROVINCES}) == len({item.khmer for item in PROVINCES}) == 25


def test_every_kind_of_defect_takes_its_turn_and_is_listed() -> None:
    """The side list is complete: a test may compare it with what was refused."""
    day = government()
    orders = list(day.suppliers(200, bad=3 * len(DEFECTS)))
    kinds = Counter(item.defect for item in day.expected)
    assert set(kinds) == {defect.name for defect in DEFECTS}
    assert len(day.expected) == 3 * len(DEFECTS)
    numbers = {order["order_id"] for order in orders}
    assert {item.order_id for item in day.expected} <= numbers


def test_the_expected_codes_do_not_stand_in_the_orders() -> None:
    """The gateway must find out by itself."""
    day = government()
    for order in day.suppliers(100, bad=30):
        assert not {"code", "codes", "defect", "expected"} & set(order)


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_a_defect_makes_one_order_wrong_in_the_way_it_says(defect: Any) -> None:
    """Each defect is visible in the order itself, and the good orders around it stay good."""
    day = government(defects=[defect])
    orders = list(day.suppliers(60, bad=5))
    bad = [item.order_id for item in day.expected]
    signs: dict[str, Callable[[Any], bool]] = {
        "unknown bank": lambda order: order["creditor_agent"]["bic"] not in BIC_DIRECTORY,
        "zero amount": lambda order: order["amount"] == "0",
        "fraction of a riel": lambda order: order["currency"] == "KHR" and order["amount"].endswith(".50"),
        "wrong purpose": lambda order: order["purpose"] not in PURPOSES,
        "missing town": lambda order: "town" not in order["creditor"]["address"],
        "account of somebody else": lambda order: order["debtor_account"]["number"] not in ACCOUNTS.values(),
        "control character": lambda order: any(character < " " for character in order["creditor"]["name"]),
        "past date": lambda order: order["execution_date"] < TODAY.isoformat(),
        "bad creditor reference": lambda order: (
            "creditor_reference" in order["remittance"]
            and not iso11649.is_valid(order["remittance"]["creditor_reference"])
        ),
    }
    if defect.name in signs:
        assert [order["order_id"] for order in orders if signs[defect.name](order)] == bad
        return
    key = "end_to_end_id" if defect.name == "duplicate end-to-end id" else "order_id"
    again = [value for value, count in Counter(order[key] for order in orders).items() if count > 1]
    assert again
    if key == "order_id":
        assert set(again) == set(bad)
        texts = {json.dumps(order, sort_keys=True) for order in orders if order["order_id"] == again[0]}
        assert len(texts) == (1 if defect.name == "repeated order" else 2)


def test_a_rail_with_decimals_gets_no_fraction_as_a_defect() -> None:
    """There a fraction of a riel is in order."""
    day = government(whole_riel=False)
    list(day.suppliers(100, bad=30))
    assert "fraction of a riel" not in {item.defect for item in day.expected}


@pytest.mark.parametrize("number", [0, 1, 42, 10**12 - 1])
def test_creditor_references_have_right_check_digits(number: int) -> None:
    """ISO 11649 (rule 50)."""
    assert iso11649.is_valid(creditor_reference(number))


def test_a_chunk_carries_at_most_a_thousand_orders() -> None:
    """The bound of one message."""
    with pytest.raises(ValueError, match="1 to 1000"):
        next(government().payroll(10, chunk=1001))


def test_a_signed_message_verifies_as_its_sources() -> None:
    """What the gateway receives is what a source system would send."""
    key = jws.OrderKey.of(ec.generate_private_key(ec.SECP256R1()), source="salary", key_id="salary-1")
    outgoing = sign(next(government().payroll(3)), key)
    assert (outgoing.exchange, outgoing.routing_key) == (ORDERS_EXCHANGE, "orders.salary")
    assert jws.verify(outgoing.body, outgoing.headers["jws"], jws.OrderKeys([key])).source == "salary"
    assert json.loads(outgoing.body)["message_id"] == outgoing.message_id


def refusals(day: Government, orders: Iterable[dict[str, Any]]) -> dict[str, set[str]]:
    """Return order id -> reason codes of the gateway's own checks; only orders that are refused are in it."""
    seen, known, found = Seen(), dict[str, str](), dict[str, set[str]]()
    rail = RailRules(
        name="central-bank",
        currencies={"KHR": CurrencyRules(decimals=0), "USD": CurrencyRules(decimals=2)},
        directory=frozenset(BIC_DIRECTORY),
    )
    source = SourceRules("fmis", frozenset(ACCOUNTS.values()))
    context = Context(rail, source, TODAY, time(9, 0), BusinessCalendar(), seen)
    for number, submission in enumerate(day.singles(orders), start=1):
        item = read(submission.body).items[0]
        if isinstance(item, BadOrder):
            found.setdefault(str(item.order_id), set()).update(refusal.code for refusal in item.refusals)
            continue
        content = content_hash(item)
        if known.setdefault(item.order_id, content) != content:
            found.setdefault(item.order_id, set()).add("DU01")
            continue
        payment = to_payment(
            item,
            source="fmis",
            batch_id=None,
            payment_id=number,
            instruction_id=f"I{number}",
            uetr=f"00000000-0000-4000-8000-{number:012d}",
            debtor_agent=Agent(TREASURY),
        )
        if refused := check(payment, context):
            found.setdefault(item.order_id, set()).update(refusal.code for refusal in refused)
        seen.add(payment)
    return found


def test_the_gateways_checks_refuse_exactly_the_bad_orders_with_the_expected_codes() -> None:
    """The side list and the checks were written apart; each proves the other."""
    defects = [defect for defect in DEFECTS if defect.name != "repeated order"]
    day = government(defects=defects)
    found = refusals(day, list(day.suppliers(400, bad=5 * len(defects))))
    assert set(found) == {item.order_id for item in day.expected}
    for item in day.expected:
        assert found[item.order_id] & set(item.codes), item


def test_salaries_pass_every_check() -> None:
    """Good lines of a payroll are good."""
    day = government()
    orders = [order for chunk in day.payroll(500) for order in json.loads(chunk.body)["orders"]]
    assert refusals(day, orders) == {}


def test_a_long_payroll_is_made_as_it_is_asked_for() -> None:
    """400,000 lines must not stand in memory at once."""
    first = list(islice(government().payroll(50_000, chunk=10), 2))
    assert len(first) == 2


def test_a_source_may_pay_from_several_accounts() -> None:
    """Each order has one of them, and so has the tax that was withheld from it; a payroll has one for all its lines."""
    here, there = "000100000001", "000300000001"
    day = government(accounts={("fmis", "KHR"): (here, there), ("salary", "KHR"): (here, there)})
    orders = list(day.suppliers(60))
    assert Counter(order["debtor_account"]["number"] for order in orders).keys() == {here, there}
    taxes = [(net, tax) for net, tax in pairwise(orders) if tax["order_id"].startswith("TX-")]
    assert taxes
    assert all(net["debtor_account"] == tax["debtor_account"] for net, tax in taxes)
    payrolls = [{order.debtor_account.number for order in orders_of(day.payroll(20))} for _ in range(12)]
    assert {tuple(numbers) for numbers in payrolls} == {(here,), (there,)}
