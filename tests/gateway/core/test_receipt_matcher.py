"""A credit entry pays a bill only on evidence, and never more of it than is open."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.matchers.receipts import KEYS_MAX, SCORES, Bill, BillState, Credit, after, decide, keys
from gateway.core.references import normal

RF = "RF18539007547034"
ACCOUNT = "000100000001"
BILL = Bill(7, "ntr", "B-7", ACCOUNT, "KHR", 100_000, RF, "2026-12-15")
PAID = replace(BILL, received_minor=100_000, state=BillState.PAID)


def credit(amount: int = 100_000, *said: str, text: str = "", **more: Any) -> Credit:
    """Return an entry whose reference fields say this."""
    fields: dict[str, Any] = {"account": ACCOUNT, "currency": "KHR"} | more
    named = tuple(("creditor_reference", one) for one in said)
    return Credit(42, fields.pop("account"), fields.pop("currency"), amount, named, text, **fields)


CASES = {
    "full": (credit(100_000, RF), BILL, "full", "receipt_reference", 100_000, None),
    "full, in fours": (credit(100_000, "rf18 5390 0754 7034"), BILL, "full", "receipt_reference", 100_000, None),
    "full, in free text": (credit(100_000, text=f"bill {RF} Sok"), BILL, "full", "receipt_text", 100_000, None),
    "full, the rest of a bill": (
        credit(40_000, RF), replace(BILL, received_minor=60_000, state=BillState.PARTLY), "full", "receipt_reference",
        40_000, None,
    ),
    "less than open": (credit(99_999, RF), BILL, "suspended", "receipt_reference", 0, "amount_differs"),
    "a part that is allowed": (
        credit(40_000, RF), replace(BILL, partial_allowed=True), "partial", "receipt_reference", 40_000, None,
    ),
    "more than open": (credit(100_001, RF), BILL, "over", "receipt_reference", 100_000, "amount_differs"),
    "paid already": (credit(100_000, RF), PAID, "duplicate", "receipt_reference", 0, "duplicate_payment"),
    "paid already, another amount": (credit(7, RF), PAID, "suspended", "receipt_reference", 0, "amount_differs"),
    "overpaid already": (
        credit(100_000, RF), replace(PAID, state=BillState.OVERPAID), "duplicate", "receipt_reference", 0,
        "duplicate_payment",
    ),
    "withdrawn": (
        credit(100_000, RF), replace(BILL, state=BillState.WITHDRAWN), "suspended", "receipt_reference", 0,
        "unexpected_state",
    ),
    "another currency": (
        credit(100_000, RF, currency="USD"), BILL, "suspended", "receipt_reference", 0, "currency_differs",
    ),
    "another account": (credit(100_000, RF, account="9"), BILL, "unmatched", None, 0, "unmatched_credit"),
    "another reference": (credit(100_000, "RF471234567890"), BILL, "unmatched", None, 0, "unmatched_credit"),
    "no reference": (credit(100_000), BILL, "unmatched", None, 0, "unmatched_credit"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_an_entry_is(case: str) -> None:
    """One row a case: outcome, rule, what is booked on the bill, and what a person is told."""
    entry, bill, outcome, rule, applied, finding = CASES[case]
    found = decide(entry, [bill])
    assert (found.outcome, found.rule, found.applied_minor, found.finding) == (outcome, rule, applied, finding)
    assert found.applied_minor + found.suspended_minor == entry.amount_minor
    assert (found.receipt == bill.id) is (outcome != "unmatched")


LONG = replace(BILL, reference="MOEF-2026-DEPT-000123", id=8)
SHORT = replace(BILL, reference="A-123", id=10)
LOOSE = replace(BILL, reference="INV2026000123", id=9)
WEAK = {
    "a reference that was cut off": (("MOEF-2026-DEPT-0",), "", LONG, "receipt_cut"),
    "a reference that was cut off in text": ((), "for MOEF-2026-DEPT-0", LONG, "receipt_cut"),
    "a few characters": (("a123",), "", SHORT, "receipt_reference"),
    "a word of free text": ((), "invoice INV-2026/000123", LOOSE, "receipt_text"),
}


@pytest.mark.parametrize("case", WEAK)
def test_weak_evidence_counts_only_with_the_exact_amount(case: str) -> None:
    """A word that equals a reference by chance does not move a riel; a person is shown which bill it may be."""
    said, text, bill, rule = WEAK[case]
    exact = decide(credit(100_000, *said, text=text), [bill])
    assert (exact.outcome, exact.rule, exact.receipt) == ("full", rule, bill.id)
    assert exact.score < SCORES["creditor_reference"]
    for other in (99_999, 100_001):
        found = decide(credit(other, *said, text=text), [replace(bill, partial_allowed=True)])
        assert (found.outcome, found.finding) == ("unmatched", "unmatched_credit")
        assert found.evidence["bills"] == ["ntr/B-7"]
    for state in (BillState.WITHDRAWN, BillState.PAID):
        finished = replace(bill, state=state, received_minor=100_000 if state is BillState.PAID else 0)
        assert decide(credit(5, *said, text=text), [finished]).outcome == "unmatched"


def test_parts_are_allowed_by_the_bill_or_by_the_settings() -> None:
    """Some treasuries take every part that comes."""
    assert decide(credit(40_000, RF), [BILL], partial_allowed=True).outcome == "partial"


def test_of_several_bills_of_one_reference_the_amount_decides_and_then_the_oldest() -> None:
    """A customer's reference may stand on each of the bills of a year."""
    later, other = replace(BILL, id=8, due_day="2027-01-15"), replace(BILL, id=9, amount_minor=5)
    assert decide(credit(100_000, RF), [later, BILL, other]).receipt == 7
    assert decide(credit(5, RF), [later, BILL, other]).receipt == 9
    assert decide(credit(100_000, RF), [PAID, later]).receipt == 8
    assert decide(credit(100_000, RF), [BILL]).score > decide(credit(100_000, RF), [later, BILL]).score


def test_several_bills_and_none_of_the_amount_are_for_a_person() -> None:
    """Which of them was meant is not in the entry."""
    found = decide(credit(150_000, RF), [BILL, replace(BILL, id=8, bill_id="B-8")])
    assert (found.outcome, found.evidence["bills"]) == ("unmatched", ["ntr/B-7", "ntr/B-8"])


def test_bills_of_two_sources_are_for_a_person() -> None:
    """Neither may take the other's money."""
    assert decide(credit(100_000, RF), [BILL, replace(BILL, id=8, source="customs")]).outcome == "unmatched"


def test_a_reference_is_preferred_as_it_is_written() -> None:
    """INV 123456 is the bill of that name before it is the bill 123456; and zeros in front tell two bills apart."""
    plain, named = replace(BILL, reference="123456"), replace(BILL, reference="INV123456", id=8, due_day="2027-01-15")
    assert decide(credit(100_000, "INV 123456"), [plain, named]).receipt == 8
    assert decide(credit(5, "INV 123456"), [plain, named]).outcome == "unmatched"
    padded = replace(BILL, reference="00123456", id=9)
    assert decide(credit(100_000, "00123456"), [plain, padded]).receipt == 9
    assert decide(credit(100_000, "0123456"), [plain, padded]).outcome == "unmatched"
    assert decide(credit(100_000, "0123456"), [plain]).receipt == 7


def test_a_bill_paid_by_one_entry_is_paid_for_the_next() -> None:
    """Two entries of one statement may pay the same bill."""
    first = decide(credit(100_000, RF), [BILL])
    assert decide(credit(100_000, RF), [after(BILL, first)]).outcome == "duplicate"
    over = decide(credit(100_001, RF), [BILL])
    assert after(BILL, over).state is BillState.OVERPAID
    suspended = decide(credit(9, RF), [BILL])
    assert after(BILL, suspended) == BILL


def test_the_keys_of_an_entry_are_those_of_its_bill() -> None:
    """What decides must have been looked up before."""
    assert normal(RF) in keys(credit(1, f"EREF+{RF}"))
    assert normal(RF) in keys(credit(1, text="rf18 5390 0754 7034"))
    assert (
        len(keys(credit(1, *(f"REF {n}" for n in range(99)), text=" ".join(f"AB{n:06d}" for n in range(99)))))
        == KEYS_MAX
    )


def test_the_evidence_has_no_account_number() -> None:
    """It stands in exceptions, which are read by many."""
    found = decide(credit(100_000, RF, booking_day="2026-11-30"), [BILL])
    assert ACCOUNT not in str(found.evidence)
    assert (found.evidence["said"], found.evidence["booking_day"]) == (RF, "2026-11-30")


@given(
    st.integers(1, 10**15), st.integers(1, 10**15), st.integers(0, 10**15), st.sampled_from(list(BillState)),
    st.booleans(), st.booleans(),
)  # fmt: skip
def test_no_bill_ever_receives_more_than_is_open(
    amount: int, billed: int, received: int, state: BillState, allowed: bool, strong: bool
) -> None:
    """And what is booked and what is suspended are the entry, to the last riel."""
    received = {"OPEN": 0, "PARTLY": min(received, billed - 1), "WITHDRAWN": min(received, billed)}.get(state, billed)
    bill = replace(BILL, amount_minor=billed, received_minor=received, state=state, partial_allowed=allowed)
    entry = credit(amount, RF) if strong else credit(amount, text="x")
    found = decide(entry, [bill])
    assert found.applied_minor + found.suspended_minor == amount
    assert 0 <= found.applied_minor <= (bill.open_minor if bill.is_open else 0)
    assert 0 <= found.score <= 100
    assert (found.finding is None) is (found.suspended_minor == 0)
    assert after(bill, found).received_minor <= billed
