"""The read models on each engine: everything that a day leaves behind can be looked at, and proved."""

from __future__ import annotations

import pytest

from gateway.operations import (
    approvals,
    caseload,
    channels,
    lookup,
    proofs,
    refusals,
    submission,
    views,
    waiting,
)
from gateway.operations.caseload import Search
from gateway.operations.operator import Operator
from gateway.operations.orderfiles import Line
from gateway.operations.refusals import Wanted
from schemas.errors import OperationRefused
from schemas.model.money import Money
from tests.gateway.flow.stand import RIEL, Stand, booked, chunk, order
from tests.gateway.store.attacker import change


@pytest.fixture
def lived(stand: Stand) -> Stand:
    """A stand with a batch, a refused order, a held payment, an answered message and a statement."""
    stand.submit(order("bad", amount="0"), order("held", amount="4000000001"))
    stand.send(chunk([order(1), order(2, amount="2000")], "B1"))
    stand.run("intake", "dispatch", "relay")
    stand.take(stand.bank.status("ACSC", [stand.payment("PO-1")]))
    stand.take(stand.bank.status("RJCT", [stand.payment("PO-2")], "AC01"), b"no document")
    stand.take(
        stand.bank.statement([booked(-100_000, stand.payment("PO-1")), booked(70, reference="X")], opening=500_000)
    )
    return stand


def test_payments_and_batches_are_shown(lived: Stand) -> None:
    """In lists and alone, under each of their names."""
    with lived.gateway.store.transaction() as db:
        lines = views.payments(db, state=None, source=None, count=10)
        assert [line.order_id for line in lines] == ["PO-2", "PO-1", "PO-held"]
        assert [line.order_id for line in views.payments(db, state="HELD", source="fmis", count=10)] == ["PO-held"]
        assert views.payments(db, state=None, source="nobody", count=10) == []
        page = views.payment(db, "fmis/PO-1")
        assert [step.after for step in page.moves] == ["READY", "COMPOSED", "SENT", "SETTLED"]
        assert [posting.cause for posting in page.postings] == ["reserve", "settle"]
        assert page.payment.amount == Money(100_000, "KHR")
        assert page.order["creditor"]["name"] == "Sok Dara"
        assert views.payment(db, page.payment.uetr.upper()).payment == page.payment
        assert views.payment(db, str(page.payment.id)).message_id == page.message_id
        (batch,) = views.batches(db, 10)
        assert (batch.batch_id, batch.received, batch.totals) == ("B1", 2, [Money(300_000, "KHR")])


def test_statements_exceptions_and_messages_are_shown(lived: Stand) -> None:
    """What the bank said, and what did not fit."""
    with lived.gateway.store.transaction() as db:
        (line,) = views.statements(db, account=None, count=10)
        assert views.statements(db, account=RIEL, count=10) == [line]
        assert views.statements(db, account="other", count=10) == []
        assert views.statement(db, line.id).closing == Money(400_070, "KHR")
        entries = views.entries(db, line.id, currency="KHR", count=10)
        assert [entry.matched for entry in entries] == ["settle", "suspense"]
        found = caseload.search(db, Search(), lived.clock.now())
        assert [one.kind for one in found] == ["unreadable_document", "unmatched_credit"]
        assert caseload.line(db, found[1].id, lived.clock.now()).amount == Money(70, "KHR")
        (message,) = views.messages(db, 10)
        assert views.message(db, message.message_id) == views.message(db, str(message.id)) == message
        states = views.message_states(db, message.id)
        assert states == [("REJECTED", 1, Money(200_000, "KHR")), ("SETTLED", 1, Money(100_000, "KHR"))]
        documents = views.documents(db, 10)
        assert sorted(one.state for one in documents) == ["APPLIED", "APPLIED", "APPLIED", "REFUSED"]
        assert views.document(db, documents[0].sha256[:12]) == documents[0]
        accounts = {line.account: line.balance for line in views.balances(db, {})}
        assert accounts[f"bank:{RIEL}"] == Money(400_070, "KHR")


def test_what_is_not_there_is_refused(lived: Stand) -> None:
    """Each by its own name."""
    with lived.gateway.store.transaction() as db:
        for look in (
            lambda: views.payment(db, "nothing"),
            lambda: views.statement(db, 99),
            lambda: caseload.line(db, 99, lived.clock.now()),
            lambda: views.message(db, "99"),
            lambda: views.document(db, "abcdef"),
        ):
            with pytest.raises(OperationRefused, match="there is no"):
                look()


def test_the_ledger_is_proved_with_the_rows_of_a_violation(lived: Stand) -> None:
    """Each invariant by name; what is broken shows what stands behind it."""
    with lived.gateway.store.transaction() as db:
        assert all(proof.holds for proof in proofs.ledger_proofs(db))
        assert not list(proofs.audit_breaks(db))
    lived.sql("UPDATE payment SET state = 'SENT' WHERE order_id = 'PO-2' RETURNING id")
    lived.sql("UPDATE entry SET matched = NULL, suspended_minor = 0 WHERE amount_minor = 70 RETURNING id")
    with lived.gateway.store.transaction() as db:
        broken = {proof.invariant: proof for proof in proofs.ledger_proofs(db) if not proof.holds}
    assert set(broken) == {
        "transit holds exactly the payments that are out at the bank",
        "suspense holds exactly what nobody has explained, and statement gaps",
        "every payment posted what its state says, once",
        "every entry of a booked statement is explained once",
    }
    assert all(proof.rows for proof in broken.values())
    titles = {rows.title for proof in broken.values() for rows in proof.rows}
    assert {"what each cause posted to it", "its newest transfers", "its moves", "the entry"} <= titles


def test_an_approval_is_bound_on_each_engine(lived: Stand) -> None:
    """The same row, hash and audit link."""
    with lived.gateway.store.transaction() as db:
        seen = approvals.proposal(db, "PO-held")
    operator = Operator(lived.gateway.store, lived.clock, "chief")
    made = approvals.decide(operator, "PO-held", "approve", seen.sha256)
    assert made.state == "READY"
    lived.run("dispatch")
    assert lived.payment("PO-held").state == "COMPOSED"
    assert ("chief", "payment.approve") in lived.trails()
    with lived.gateway.store.transaction() as db:
        [decided] = views.payment(db, "PO-held").approvals
        assert (decided.approver, decided.decision, decided.sha256) == ("chief", "approve", seen.sha256)
    assert not lived.faults()


def test_the_outcome_of_orders_is_found(lived: Stand) -> None:
    """For the report of a submitted file."""
    lines = [Line(1, {"order_id": "PO-1"}), Line(2, {"order_id": "PO-bad"}), Line(3, {"order_id": "PO-unknown"})]
    with lived.gateway.store.transaction() as db:
        found = submission._found(db, "fmis", [submission._Sent("another message", b"", lines)])
    states = [found.of("another message", n, line.order_id) for n, line in enumerate(lines)]
    assert [state for state, _ in states] == ["SETTLED", "REFUSED", "UNKNOWN"]
    assert states[1][1][0][0] == "AM01"


def test_a_key_that_names_two_payments_is_never_guessed(light: Stand) -> None:
    """An order id of digits is not the number of a payment: only with its source before it."""
    light.submit(order(1, order_id="2"), order(2, order_id="1"))
    with light.gateway.store.transaction() as db:
        assert lookup.payment(db, "1").order_id == "2"
        assert lookup.payment(db, "fmis/1").order_id == "1"


def test_refused_orders_are_found_by_all_that_is_known_of_them(lived: Stand) -> None:
    """On each engine: by source, batch, code and order, and counted; one that is no payment is told where it is."""
    with lived.gateway.store.transaction() as db:
        [one] = refusals.listed(db, Wanted(), 10)
        assert (one.source, one.order_id, one.reasons[0].code) == ("fmis", "PO-bad", "AM01")
        assert refusals.listed(db, Wanted("fmis", None, "am01"), 10) == [one]
        assert refusals.listed(db, Wanted(batch="B1"), 10) == refusals.listed(db, Wanted(code="AC01"), 10) == []
        assert [(c.source, c.code, c.orders) for c in refusals.counted(db, Wanted())] == [("fmis", "AM01", 1)]
        assert refusals.of_order(db, "PO-bad") == refusals.of_order(db, "fmis/PO-bad") == [one]
        with pytest.raises(OperationRefused, match="gateway refusals show fmis/PO-bad"):
            lookup.payment(db, "PO-bad")


def test_what_came_of_a_payment_and_why_one_waits_is_found(lived: Stand) -> None:
    """On each engine: the step after a rejection, the payment in its place, and a queue's place."""
    with lived.gateway.store.transaction() as db:
        rejected = views.payment(db, "PO-2")
        assert rejected.aftermath.advice is not None
        assert rejected.aftermath.advice.step.startswith("correct the account number")
        assert rejected.aftermath.reissued_as is None
        assert waiting.reasons(lived.gateway, db, rejected.payment) == []
    lived.submit(order(9, execution_date="2026-12-01"))
    lived.run("intake")
    with lived.gateway.store.transaction() as db:
        assert waiting.reasons(lived.gateway, db, lookup.payment(db, "PO-9")) == [
            "it is for 2026-12-01; the bank's day is 2026-11-30"
        ]
        [channel] = channels.listed(db, lived.gateway.profiles, lived.clock.now())
        assert channel.ready == 1


def test_the_archive_is_proved_on_each_engine(lived: Stand) -> None:
    """Whole, and with a document gone."""
    seen: list[int] = []
    assert list(proofs.archive_faults(lived.gateway.store, lambda: seen.append(1))) == []
    with lived.gateway.store.transaction() as db:
        assert len(seen) == db.value("archive_count") > 0
    gone = lived.sql("SELECT sha256 FROM message")[0][0]
    change(lived, f"DELETE FROM archive WHERE sha256 = '{gone}'")  # noqa: S608  a SHA-256 of our own
    [fault] = proofs.archive_faults(lived.gateway.store, lambda: None)
    assert (fault.sha256, fault.direction, fault.fault) == (gone, "out", "it is gone")
    assert fault.names[0].startswith("message ")
