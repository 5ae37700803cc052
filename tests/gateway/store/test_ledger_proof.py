"""`ledger verify` finds every way in which the ledger could say something that did not happen."""

from __future__ import annotations

import pytest

from gateway.operations import resolutions
from gateway.operations.operator import Operator
from gateway.operations.resolutions import Rules, Way
from tests.gateway.flow.stand import DAY, RIEL, Stand, booked, order
from tests.gateway.store.attacker import seen

OPENING = 10**9
SETTLE_AGAIN = """
INSERT INTO transfer SELECT {}, 'settle', {}, debit, credit, amount_minor, currency, at_ms
FROM transfer WHERE subject = 4 AND cause = 'settle'
"""


@pytest.fixture(scope="module")
def busy(shared: Stand) -> Stand:
    """Four payments: out, rejected, settled by a status, settled by a statement; and an entry in suspense."""
    stand = shared
    paid = stand.sent(*[order(n) for n in range(1, 5)])
    stand.take(stand.bank.status("RJCT", [paid[1]], "AC04"))
    stand.take(stand.bank.status("ACSC", [paid[2]]))
    stand.take(stand.bank.statement([booked(-100_000, paid[3]), booked(-500, reference="NB2")], OPENING))
    assert stand.states() == {"PO-1": "SENT", "PO-2": "REJECTED", "PO-3": "SETTLED", "PO-4": "SETTLED"}
    assert stand.faults() == []
    return stand


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM transfer WHERE subject = 1 AND cause = 'reserve'", "payment 1 is SENT and posted reserve x0"),
        ("DELETE FROM transfer WHERE subject = 2 AND cause = 'release'", "payment 2 is REJECTED and posted reserve x1"),
        ("DELETE FROM transfer WHERE subject = 3 AND cause = 'settle'", "payment 3 is SETTLED and posted reserve x1"),
        (
            SETTLE_AGAIN.format(1, 0),
            "payment 1 is SENT and posted reserve x1, settle x1",
        ),
        (
            SETTLE_AGAIN.format(3, 1),
            "payment 3 is SETTLED and posted reserve x1, settle x2",
        ),
        (
            "UPDATE transfer SET amount_minor = 100001 WHERE subject = 1 AND cause = 'reserve'",
            "payment 1: reserve posted",
        ),
        ("UPDATE transfer SET currency = 'USD' WHERE subject = 3 AND cause = 'settle'", "payment 3: settle posted"),
        (
            "UPDATE payment SET amount_minor = 1 WHERE id = 1",
            "payment 1: reserve posted KHR 1000.00, the payment is KHR 0.01",
        ),
        (
            "UPDATE transfer SET credit = 'bank:999999999' WHERE cause = 'settle' AND subject = 3",
            "bank:*****9999 holds KHR -1000.00, must hold KHR 0.00",
        ),
        ("DELETE FROM transfer WHERE cause = 'lead'", "bank:*****0001 holds"),
        ("DELETE FROM transfer WHERE cause = 'suspend'", "suspense:*****0001 holds"),
        ("UPDATE entry SET amount_minor = -501 WHERE matched = 'suspense'", "opening 1000000000 + entries -100501"),
        ("UPDATE statement SET closing_minor = closing_minor + 1", "bank:*****0001 holds"),
        ("UPDATE entry SET matched = NULL WHERE matched = 'suspense'", "is explained by nothing"),
        (
            "UPDATE entry SET matched = 'charge' WHERE matched = 'suspense'",
            "entry 2 of statement 1 (-500) is charge, and -500 of it is suspended",
        ),
        (
            "UPDATE entry SET matched = 'charge', suspended_minor = 0 WHERE matched = 'suspense'",
            "suspense:*****0001 holds KHR 5.00, must hold KHR 0.00",
        ),
        (
            "UPDATE entry SET suspended_minor = -499 WHERE matched = 'suspense'",
            "suspense:*****0001 holds KHR 5.00, must hold KHR 4.99",
        ),
        (
            "UPDATE entry SET suspended_minor = 1 WHERE matched = 'settle'",
            "suspense:*****0001 holds KHR 5.00, must hold KHR 4.99",
        ),
        (
            "UPDATE entry SET suspended_minor = 1 WHERE matched = 'settle'",
            "(-100000) is settle, and 0 of it is suspended",
        ),
        (
            "DELETE FROM transfer WHERE cause = 'suspend'",
            "entry 2 of statement 1 (-500) is suspense, and 0 of it is suspended",
        ),
        (
            "DELETE FROM message_payment WHERE payment = 1",
            "payment 1 is SENT and is in a message that does not know it",
        ),
        (
            (
                "INSERT INTO ready (payment, profile, lane, day, rank, currency)"
                " SELECT id, profile, lane, settlement_day, rank, currency FROM payment WHERE id = 1"
            ),
            "payment 1 is SENT and is in sight of dispatch",
        ),
        (
            "UPDATE payment SET state = 'READY' WHERE id = 1",
            "payment 1 is READY and is not in sight of dispatch",
        ),
        ("UPDATE payment SET state = 'RECEIVED' WHERE id = 1", "payment 1 is RECEIVED and waits for no batch"),
    ],
)
def test_a_broken_invariant_is_found_and_named(busy: Stand, statement: str, said: str) -> None:
    """With its rows and both figures, so that a person can start to look."""
    found, _ = seen(busy, statement)
    assert any(said in text for text in found), found


def test_a_missing_payment_is_found(busy: Stand) -> None:
    """A transfer of a payment that is not there: transit holds money for nobody."""
    found, _ = seen(busy, "DELETE FROM payment WHERE id = 1")
    assert any("transit:*****0001 holds KHR -1000.00, must hold KHR 0.00" in text for text in found)


def test_no_finding_shows_a_full_account_number(busy: Stand) -> None:
    """Findings are printed, logged and mailed."""
    text = "\n".join(seen(busy, "DELETE FROM transfer WHERE cause = 'lead'")[0])
    assert "*****0001" in text
    assert RIEL not in text


def test_a_whole_ledger_has_nothing_to_say(busy: Stand) -> None:
    """Also with a gap that is bridged, and one that was closed."""
    later = busy.bank.statement([booked(-7, reference="NB7")], 5, day=DAY.replace(month=12, day=3))
    busy.take(later)
    assert busy.open()["continuity_gap"] == 1
    assert busy.faults() == []


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "UPDATE exception SET state = 'open' WHERE id = {}",
            "out of suspense; its exception is unmatched_debit and open",
        ),
        ("DELETE FROM exception WHERE id = {}", "has KHR -7.00 out of suspense"),
        ("UPDATE exception SET currency = 'USD' WHERE id = {}", "has KHR -7.00 out of suspense"),
        ("UPDATE transfer SET amount_minor = 701 WHERE cause = 'resolve'", "has KHR -7.01 out of suspense"),
    ],
)
def test_a_resolution_that_nobody_has_made_is_found(stand: Stand, statement: str, said: str) -> None:
    """Money leaves suspense by hand only for an exception that says so."""
    stand.take(stand.bank.statement([booked(-700, reference="NB3")], OPENING))
    [row] = stand.rows("list_exceptions", state="unresolved", kind=None, count=9)
    person = Operator(stand.gateway.store, stand.clock, "sophea")
    resolutions.resolve(person, row[0], resolutions.Order(Way.CHARGE, "a fee"), Rules())
    assert stand.faults() == []
    found, _ = seen(stand, statement.format(row[0]))
    assert any(said in text for text in found), found
