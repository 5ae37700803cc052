"""What people do to payments on their way: cancel, decide over a doubt, re-issue; and what the bank says to it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from adapters.web_settings import HttpsSettings
from gateway.flow.asking import Asking, due_at
from gateway.operations import approvals, cancellation, channels, doubts, reissue
from gateway.operations.cancellation import Cancellation
from gateway.operations.doubts import Choice
from gateway.operations.operator import Operator
from schemas.errors import HandoverUnknown, OperationRefused
from schemas.iso20022 import camt029
from schemas.model.status import RecallAnswer, TransactionStatus
from simulators.bank_letters import ORIGINAL
from simulators.stage import PROFILE
from tests.gateway.flow.stand import BANK_BIC, OWN_BIC, Stand, booked, order
from tests.gateway.flow.test_changed_orders import BROKEN, CHANGES, Change, edit
from tests.gateway.flow.wire import Wire, courier, wired


def person(stand: Stand, name: str) -> Operator:
    """Return somebody at work."""
    return Operator(stand.gateway.store, stand.clock, name)


def cancel(stand: Stand, reason: str = "DUPL", order_id: str = "PO-1") -> Cancellation:
    """Let an operator cancel a payment."""
    return cancellation.cancel(person(stand, "olga"), stand.gateway.profiles, order_id, reason, "ordered twice")


def asking(stand: Stand, **channel: object) -> Asking:
    """Return the worker that writes inquiries and recalls."""
    gateway, profile = stand.gateway, wired(stand, **channel)
    return Asking(gateway.desk("asking.test"), profile, gateway.policy, gateway.signer(profile))


def ask(stand: Stand, **channel: object) -> int:
    """Let it write what is due."""
    worker = asking(stand, **channel)
    try:
        return worker.step(0)
    finally:
        worker._desk.store.close()


def answer(stand: Stand, status: str, reason: str | None = None, case_id: str | None = None) -> None:
    """Let the bank answer the only recall, which is of the first payment."""
    [case] = [row[0] for row in stand.sql("SELECT case_id FROM recall")]
    letters, paid = stand.bank.letters, stand.payment()
    said = RecallAnswer(
        letters.next_id("RA"), case_id or case, status, reason, None, "M", paid.end_to_end_id, paid.instruction_id,
        paid.uetr, original_message_name=ORIGINAL,
    )  # fmt: skip
    document = camt029.build([said], stand.clock.now(), assigner_bic=BANK_BIC, assignee_bic=OWN_BIC)
    stand.take(letters.sign(said.message_id, camt029.DEFINITION, document))


def recall_states(stand: Stand) -> Sequence[str]:
    """Return where the recalls stand."""
    return [row[0] for row in stand.sql("SELECT state FROM recall ORDER BY id")]


# ------------------------------------------------------------------------------------------------------ cancellation


def test_what_has_not_left_is_withdrawn_at_once(stand: Stand) -> None:
    """READY: nothing is composed, nobody is asked, and the source hears of it."""
    stand.submit(order())
    made = cancel(stand)
    assert (made.outcome, made.state.value, made.case_id) == ("withdrawn", "CANCELLED", None)
    stand.run("dispatch")
    assert stand.documents() == []
    assert "treasury.payment.cancelled" in stand.told_of("PO-1")
    assert stand.faults() == []


def test_what_the_bank_may_have_is_asked_back(stand: Stand) -> None:
    """A recall: signed, sent, about exactly this payment; the money stays reserved until the bank has answered."""
    stand.sent(order())
    made = cancel(stand)
    assert (made.outcome, made.state.value) == ("asked", "CANCEL_REQUESTED")
    assert ask(stand) == 1
    stand.run("relay")
    recall = stand.documents()[-1]
    assert b"camt.056.001.08" in recall
    assert stand.payment().uetr.encode() in recall
    assert recall_states(stand) == ["SENT"]
    assert stand.balances()["transit:000100000001"] == -100_000
    with pytest.raises(OperationRefused, match=r"asked back already|nothing to ask back"):
        cancel(stand)
    assert stand.faults() == []


def test_a_recall_that_the_bank_grants_frees_the_money(stand: Stand) -> None:
    """Before settlement, a granted recall is the end of the payment."""
    stand.sent(order())
    cancel(stand)
    ask(stand)
    answer(stand, "CNCL")
    assert (stand.payment().state, recall_states(stand)) == ("CANCELLED", ["ACCEPTED"])
    assert stand.balances() == {}
    assert stand.faults() == []


def test_a_message_of_which_the_bank_has_cancelled_a_payment_is_not_sent_again(stand: Stand) -> None:
    """The bank has it; what is cancelled may have been ordered anew, and must not be there a second time."""
    stand.sent(order(1), order(2))
    cancel(stand)
    ask(stand)
    answer(stand, "CNCL")
    assert stand.states() == {"PO-1": "CANCELLED", "PO-2": "SENT"}
    stand.run("relay")
    stand.at_bank()
    stand.clock.advance(timedelta(hours=1))
    stand.run("dispatch", "relay")
    assert stand.states() == {"PO-1": "CANCELLED", "PO-2": "IN_DOUBT"}
    assert stand.at_bank() == []
    assert stand.open() == {"silent_bank": 1}


def test_a_recall_that_is_pending_changes_nothing(stand: Stand) -> None:
    """The bank asks the payee; it may take weeks."""
    stand.sent(order())
    cancel(stand)
    ask(stand)
    answer(stand, "PDCR")
    assert (stand.payment().state, recall_states(stand)) == ("CANCEL_REQUESTED", ["PENDING"])
    answer(stand, "CNCL")
    assert stand.payment().state == "CANCELLED"


def test_a_refused_recall_is_a_case_with_its_reason(stand: Stand) -> None:
    """The payment goes on where it was, and a person reads why."""
    stand.sent(order())
    cancel(stand)
    ask(stand)
    answer(stand, "RJCR", "CUST")
    assert (stand.payment().state, recall_states(stand)) == ("ACCEPTED", ["REFUSED"])
    assert stand.evidence("recall_refused")["reason"] == "CUST"
    stand.take(stand.bank.status("ACSC", stand.payments()))
    assert stand.payment().state == "SETTLED"
    assert stand.faults() == []


def test_a_return_that_answers_a_recall_closes_it(stand: Stand) -> None:
    """After settlement the money comes back by a return, whatever was said before."""
    [paid] = stand.sent(order())
    stand.take(stand.bank.status("ACSC", [paid]))
    made = cancel(stand, "FRAD")
    assert (made.outcome, made.state.value) == ("asked", "SETTLED")
    ask(stand)
    answer(stand, "RJCR", "LEGL")
    assert stand.open() == {"recall_refused": 1}
    stand.take(stand.bank.giving_back(paid, reason="FOCR"))
    assert (stand.payment().state, recall_states(stand)) == ("RETURNED", ["CLOSED"])
    assert stand.open() == {}
    assert stand.faults() == []


def test_a_payment_that_settles_while_it_is_asked_back_is_settled(stand: Stand) -> None:
    """The bank's settlement counts more than our wish."""
    [paid] = stand.sent(order())
    cancel(stand)
    ask(stand)
    stand.take(stand.bank.status("ACSC", [paid]))
    answer(stand, "RJCR", "ARDT")
    assert stand.payment().state == "SETTLED"
    assert stand.faults() == []


def test_an_answer_to_a_recall_that_nobody_asked_for_moves_nothing(stand: Stand) -> None:
    """A case of somebody else's, or an invented one."""
    stand.sent(order())
    cancel(stand)
    ask(stand)
    answer(stand, "CNCL", case_id="RC999999999999")
    assert stand.payment().state == "CANCEL_REQUESTED"
    assert stand.open() == {"recall_unknown": 1}


def test_an_answer_that_nobody_understands_is_not_taken_for_pending(stand: Stand) -> None:
    """A status in no list may be a yes or a no: the recall goes on waiting, and a person reads what the bank said."""
    stand.sent(order())
    cancel(stand)
    ask(stand)
    before = recall_states(stand)
    answer(stand, "MODI")
    assert (stand.payment().state, recall_states(stand)) == ("CANCEL_REQUESTED", before)
    assert stand.sql("SELECT answer FROM recall") == [(None,)]
    assert stand.open() == {"recall_unknown": 1}
    assert stand.evidence("recall_unknown")["status"] == "MODI"
    answer(stand, "CNCL")
    assert stand.payment().state == "CANCELLED"


@pytest.mark.parametrize("reason", ["", "because", "AC04"])
def test_a_cancellation_has_a_reason_that_banks_know(stand: Stand, reason: str) -> None:
    """It is written into the message; a bank refuses any other."""
    stand.sent(order())
    with pytest.raises(OperationRefused, match="no cancellation reason"):
        cancel(stand, reason)


def test_a_profile_without_a_way_to_ask_is_not_asked_over(stand: Stand) -> None:
    """The key that is missing is named, the payment stays where it is, and no question is planned."""
    stand.sent(order())
    transport = HttpsSettings(
        kind="https", base_url="https://bank.example", server_ca="ca.pem", paths={"submit": "POST /payments"}
    )
    profile = wired(stand, inquire_after_s=60)
    mute = profile.model_copy(update={"transport": transport})
    with pytest.raises(OperationRefused, match=r"transport\.paths\.recall is missing"):
        cancellation.cancel(person(stand, "olga"), {PROFILE: mute}, "PO-1", "DUPL")
    assert stand.payment().state == "SENT"
    assert due_at(stand.clock.now(), profile) is not None
    assert due_at(stand.clock.now(), mute) is None


def test_what_is_over_is_not_cancelled(stand: Stand) -> None:
    """Rejected: there is nothing to ask back."""
    [paid] = stand.sent(order())
    stand.take(stand.bank.status("RJCT", [paid], "AC04"))
    with pytest.raises(OperationRefused, match="nothing to ask back"):
        cancel(stand)


# ------------------------------------------------------------------------------------------------------------ inquiry


def silent(stand: Stand, **channel: object) -> None:
    """Send a payment to a bank that says nothing until its time is over, and let it be asked."""
    stand.sent(order())
    settings = {"inquire_after_s": 10, "inquire_every_s": 60, **channel}
    profile = wired(stand, **settings)
    stand.workers["dispatch"]._profile = profile  # type: ignore[attr-defined]  # the worker's own profile
    stand.clock.advance(timedelta(seconds=901))
    stand.step("dispatch")


def test_a_silent_bank_is_asked_and_its_answer_ends_the_doubt(stand: Stand) -> None:
    """A time-out makes a doubt and an inquiry, never a second payment."""
    silent(stand)
    assert stand.payment().state == "IN_DOUBT"
    assert ask(stand, inquire_after_s=10) == 0, "not before the profile's time"
    stand.clock.advance(timedelta(seconds=11))
    assert ask(stand, inquire_after_s=10, inquire_every_s=60) == 1
    assert b"pacs.028.001.03" in stand.documents()[-1]
    assert stand.sql("SELECT sendings, inquiries FROM message WHERE operation = 'submit'") == [(1, 1)]
    stand.take(stand.bank.status("ACSC", stand.payments()))
    assert stand.payment().state == "SETTLED"
    stand.clock.advance(timedelta(hours=1))
    assert ask(stand, inquire_after_s=10) == 0
    assert stand.faults() == []


@pytest.mark.parametrize("made", [CHANGES[0], BROKEN], ids=["amount", "not JSON"])
def test_the_bank_is_not_asked_about_an_order_that_was_changed(stand: Stand, made: Change) -> None:
    """Nothing is signed of what it says, it keeps nobody else waiting, and a person is told once."""
    silent(stand)
    edit(stand, stand.payment(), made)
    before = stand.documents()
    for _ in range(2):
        stand.clock.advance(timedelta(seconds=61))
        assert ask(stand, inquire_after_s=10, inquire_every_s=60) == 0
    assert stand.documents() == before
    assert stand.evidence("order_changed")["reason"].endswith("the bank is not asked about it")
    assert stand.payment().state == "IN_DOUBT"


@pytest.mark.parametrize("made", [CHANGES[0], BROKEN], ids=["amount", "not JSON"])
def test_an_order_that_was_changed_is_not_asked_back(stand: Stand, made: Change) -> None:
    """The recall would say what nobody accepted; whoever wanted it hears that it was not sent."""
    stand.sent(order())
    edit(stand, stand.payment(), made)
    cancel(stand)
    before = stand.documents()
    ask(stand)
    stand.run("relay")
    assert stand.documents() == before
    assert recall_states(stand) == ["REFUSED"]
    assert stand.evidence("recall_refused")["answer"] == "not sent"
    assert stand.open()["order_changed"] == 1


def test_a_bank_is_asked_only_so_often(stand: Stand) -> None:
    """Then a person is told; the payment stays in doubt."""
    silent(stand)
    asked = 0
    for _ in range(8):
        stand.clock.advance(timedelta(seconds=61))
        asked += ask(stand, inquire_after_s=10, inquire_every_s=60, inquiries_max=3)
    assert asked == 3
    assert stand.evidence("inquiry_unanswered")["inquiries"] == 3
    assert stand.payment().state == "IN_DOUBT"


def test_a_message_that_the_bank_never_had_goes_out_again_under_its_own_name(stand: Stand) -> None:
    """Asked, the bank says NOOR: the same bytes again, which it would know if they had come after all."""
    silent(stand)
    stand.clock.advance(timedelta(seconds=11))
    ask(stand, inquire_after_s=10)
    stand.run("relay")
    before = stand.at_bank()
    stand.take(stand.bank.status("RJCT", stand.payments(), "NOOR"))
    assert stand.payment().state == "IN_DOUBT"
    stand.run("relay")
    [again] = stand.at_bank()
    assert again in before
    assert stand.faults() == []


def test_nor_does_one_answer_of_many_make_a_message_unheard(stand: Stand) -> None:
    """A bank that knows one payment of a message has the message."""
    stand.sent(order(1), order(2))
    first, second = stand.payments()
    stand.take(stand.bank.status("ACSC", [first]))
    stand.take(
        stand.bank.report(
            [TransactionStatus("RJCT", second.end_to_end_id, second.instruction_id, second.uetr, "M", "NOOR")]
        )
    )
    assert stand.sql("SELECT COUNT(*) FROM outbox WHERE kind <> 'event'") == [(0,)]


@pytest.mark.parametrize(
    ("status", "changes"),
    [("RJCT", {"end_to_end_id": "OTHER"}), ("RJCT", {"instruction_id": "TG000000000999"}), ("PART", {})],
    ids=["another EndToEndId", "another InstrId", "no rejection"],
)
def test_only_a_clear_word_makes_a_message_unheard(stand: Stand, status: str, changes: dict[str, str]) -> None:
    """References that contradict each other name no payment, and only a rejection can say that nothing came."""
    silent(stand)
    stand.take(stand.bank.status(status, stand.payments(), "NOOR", **changes))
    assert stand.payment().state == "IN_DOUBT"
    assert stand.open().get("unexpected_state", 0) == (1 if changes else 0)
    assert stand.sql("SELECT COUNT(*) FROM outbox WHERE kind <> 'event'") == [(0,)]


# -------------------------------------------------------------------------------------------------------------- doubt


def in_doubt(stand: Stand) -> None:
    """Bring a payment into doubt."""
    stand.sent(order())
    stand.clock.advance(timedelta(seconds=901))
    stand.step("dispatch")
    stand.run("relay")
    assert stand.payment().state == "IN_DOUBT"


def confirm(stand: Stand, by: str, digest: str | None = None) -> doubts.Decided:
    """Let somebody confirm what is proposed for the only payment in doubt, as the list shows it."""
    with stand.gateway.store.transaction() as db:
        shown = [one.sha256 for one in doubts.listed(db, 10)]
    return doubts.confirm(person(stand, by), stand.gateway.profiles, "PO-1", digest or (shown or [""])[0] or "")


@pytest.mark.parametrize(("choice", "state"), [(Choice.SETTLE, "SETTLED"), (Choice.REJECT, "REJECTED")])
def test_two_people_decide_over_a_doubt(stand: Stand, choice: Choice, state: str) -> None:
    """One proposes, another confirms; both names are in the audit trail."""
    in_doubt(stand)
    doubts.propose(person(stand, "olga"), "PO-1", choice, "Mr Sok of the bank, by telephone")
    assert stand.payment().state == "IN_DOUBT"
    with pytest.raises(OperationRefused, match="another person"):
        confirm(stand, "olga")
    made = confirm(stand, "pierre")
    assert (made.done, stand.payment().state) == (True, state)
    assert {("olga", "doubt.propose"), ("pierre", "doubt.confirm")} <= set(stand.trails())
    assert stand.faults() == []


def test_two_people_let_a_message_go_out_again(stand: Stand) -> None:
    """Exactly its bytes, under its own name, also where the bank's side would not know a second copy."""
    wire = Wire(idempotent=False)
    stand.compose(order())
    courier(stand, wire)
    stand.kill_at = "relay.courier_leased"
    with pytest.raises(BaseException, match="courier_leased"):
        stand.step("relay")
    courier(stand, wire)
    stand.clock.advance(timedelta(minutes=11))
    stand.step("relay")
    assert (stand.payment().state, wire.taken) == ("IN_DOUBT", [])
    doubts.propose(person(stand, "olga"), "PO-1", Choice.RESEND, "the bank has nothing of it, its log was read to us")
    confirm(stand, "pierre")
    stand.step("relay")
    assert [one.content for one in wire.taken] == [stand.documents()[0]]
    assert wire.taken[0].again


def test_what_was_seen_is_what_is_confirmed(stand: Stand) -> None:
    """A proposal that was exchanged after somebody had looked at it is not confirmed unseen."""
    in_doubt(stand)
    seen = doubts.propose(person(stand, "olga"), "PO-1", Choice.SETTLE, "the bank's letter").sha256
    doubts.propose(person(stand, "olga"), "PO-1", Choice.RESEND, "the bank's letter")
    with pytest.raises(OperationRefused, match="not the SHA-256 of what is proposed"):
        confirm(stand, "pierre", seen)
    assert stand.payment().state == "IN_DOUBT"


def test_a_message_goes_out_again_whole_or_not_at_all(stand: Stand) -> None:
    """Two people decide over one payment; the others of its message were answered, and would be paid again."""
    first, second = stand.sent(order(1), order(2))
    stand.take(stand.bank.status("ACSC", [second]))
    stand.clock.advance(timedelta(seconds=901))
    stand.step("dispatch")
    assert stand.states()[first.order_id] == "IN_DOUBT"
    with pytest.raises(OperationRefused, match="whole or not at all"):
        doubts.propose(person(stand, "olga"), "PO-1", Choice.RESEND, "nobody knows it")


def test_what_still_waits_to_leave_is_not_given_up(stand: Stand) -> None:
    """Given up and ordered anew, it would leave all the same once the channel is back, and be paid twice."""
    stand.sent(order())
    stand.clock.advance(timedelta(seconds=901))
    stand.step("dispatch")  # in doubt, and the same bytes wait to be sent again
    with pytest.raises(OperationRefused, match="still waits to be handed over"):
        doubts.propose(person(stand, "olga"), "PO-1", Choice.REJECT, "not received")
    stand.run("relay")
    doubts.propose(person(stand, "olga"), "PO-1", Choice.REJECT, "not received")
    confirm(stand, "pierre")
    assert stand.payment().state == "REJECTED"


def never_had(stand: Stand, wire: Wire, *orders: int) -> None:
    """Compose payments whose message is cut off before the bank has it."""
    stand.compose(*[order(number) for number in orders])
    wire.breaks.append(HandoverUnknown("cut before the last byte"))
    courier(stand, wire)
    stand.step("relay")
    wire.taken.clear()


def test_what_waits_to_go_out_again_is_not_sent_a_third_time(stand: Stand) -> None:
    """Decided on before it has left, that would be done after it had left, and be paid twice."""
    wire = Wire(idempotent=False)
    never_had(stand, wire, 1)
    doubts.propose(person(stand, "olga"), "PO-1", Choice.RESEND, "the bank has nothing of it")
    confirm(stand, "pierre")
    with pytest.raises(OperationRefused, match="still waits to be handed over"):
        doubts.propose(person(stand, "sok"), "PO-1", Choice.RESEND, "the bank has nothing of it")
    stand.step("relay")
    assert len(wire.taken) == 1


@pytest.mark.parametrize("choice", [Choice.RESEND, Choice.REJECT])
def test_what_was_proposed_before_a_message_left_is_not_done_after_it(stand: Stand, choice: Choice) -> None:
    """That the bank had nothing of it was true then: now it would be paid twice, or paid and given up."""
    wire = Wire(idempotent=False)
    never_had(stand, wire, 1, 2)
    seen = {
        key: doubts.propose(person(stand, "olga"), key, made, "the bank has nothing of it").sha256
        for key, made in {"PO-1": Choice.RESEND, "PO-2": choice}.items()
    }
    doubts.confirm(person(stand, "pierre"), stand.gateway.profiles, "PO-1", seen["PO-1"])
    stand.step("relay")
    with pytest.raises(OperationRefused, match="its message has left once more"):
        doubts.confirm(person(stand, "pierre"), stand.gateway.profiles, "PO-2", seen["PO-2"])
    stand.step("relay")
    assert len(wire.taken) == 1


def test_what_left_while_the_bank_was_asked_is_not_decided_on(stand: Stand) -> None:
    """Its answer on the telephone is of before: whoever says how often the message had left then is told."""
    wire = Wire(idempotent=False)
    never_had(stand, wire, 1)
    doubts.propose(person(stand, "olga"), "PO-1", Choice.RESEND, "the bank has nothing of it")
    confirm(stand, "pierre")
    with stand.gateway.store.transaction() as db:
        [seen] = doubts.listed(db, 10)
    stand.step("relay")
    with pytest.raises(OperationRefused, match="has left 2 times by now, not 1"):
        doubts.propose(person(stand, "sok"), "PO-1", Choice.RESEND, "the bank has nothing of it", seen.sendings)
    assert doubts.propose(person(stand, "sok"), "PO-1", Choice.SETTLE, "the bank has it now", 2).done is False


def test_a_recall_that_leads_nowhere_is_decided_by_two_people(stand: Stand) -> None:
    """The bank never answers it, or knows no such payment: that is no acceptance, and nobody else would move it on."""
    in_doubt(stand)
    cancel(stand)
    ask(stand)
    answer(stand, "RJCR", "NOOR")
    assert (stand.payment().state, recall_states(stand)) == ("CANCEL_REQUESTED", ["REFUSED"])
    doubts.propose(person(stand, "olga"), "PO-1", Choice.REJECT, "the bank's list of the day")
    confirm(stand, "pierre")
    assert stand.payment().state == "REJECTED"
    assert stand.faults() == []


def test_a_payment_that_is_to_be_stopped_is_not_sent_afresh(stand: Stand) -> None:
    """Neither because the bank is silent, nor because it says that it never had it."""
    stand.sent(order())
    cancel(stand)
    stand.take(stand.bank.status("RJCT", stand.payments(), "NOOR"))
    stand.clock.advance(timedelta(seconds=901))
    stand.step("dispatch")
    assert stand.sql("SELECT COUNT(*) FROM outbox WHERE kind <> 'event' AND message = 1") == [(0,)]


def test_a_recall_never_overtakes_its_payment(stand: Stand) -> None:
    """After an outage both would wait; the bank must hear of the payment first."""
    stand.compose(order())
    cancel(stand)
    assert ask(stand) == 0
    stand.run("relay")
    stand.clock.advance(timedelta(seconds=2))
    assert ask(stand) == 1


def test_a_proposal_for_a_payment_that_has_moved_is_void(stand: Stand) -> None:
    """What the bank has said since counts more than what people thought before."""
    in_doubt(stand)
    doubts.propose(person(stand, "olga"), "PO-1", Choice.REJECT, "nobody knows it")
    stand.take(stand.bank.status("ACSP", stand.payments()))
    with pytest.raises(OperationRefused, match="not in doubt"):
        confirm(stand, "pierre")
    stand.clock.advance(timedelta(seconds=901))
    stand.step("dispatch")
    assert stand.payment().state == "IN_DOUBT"
    with pytest.raises(OperationRefused, match="moved since"):
        confirm(stand, "pierre")


def test_a_statement_that_shows_what_people_had_given_up_is_told(stand: Stand) -> None:
    """They were wrong: the money left. Nothing is lost: it is in suspense, with an exception."""
    in_doubt(stand)
    doubts.propose(person(stand, "olga"), "PO-1", Choice.REJECT, "nobody knows it")
    confirm(stand, "pierre")
    paid = stand.payment()
    stand.take(stand.bank.statement([booked(-paid.amount.amount_minor, paid)]))
    assert stand.open()["unexpected_state"] == 1
    assert stand.faults() == []


# ------------------------------------------------------------------------------------------------------------ reissue


def remake(stand: Stand, key: str = "PO-1", **changes: str) -> reissue.Reissued:
    """Let a maker order a payment anew with other fields."""
    gateway = stand.gateway
    fields = {name.replace("__", "."): value for name, value in changes.items()}
    return reissue.reissue(
        person(stand, "olga"), gateway.policy, gateway.new_uetr, key, fields, "the payee's letter of today"
    )


def test_a_rejected_payment_is_corrected_by_a_maker_and_a_checker(stand: Stand) -> None:
    """A new payment with references of its own, linked to the old one, and held until somebody else approves it."""
    [paid] = stand.sent(order())
    stand.take(stand.bank.status("RJCT", [paid], "AC01"))
    made = remake(stand, creditor_account__number="500000099")
    new = stand.payment("PO-1-R1")
    assert (new.state, new.end_to_end_id, made.replaces) == ("HELD", "E2E1-R1", paid.id)
    assert new.uetr != paid.uetr
    with pytest.raises(OperationRefused, match="olga made the order"):
        approvals.decide(person(stand, "olga"), "PO-1-R1", "approve", made.sha256)
    approvals.decide(person(stand, "pierre"), "PO-1-R1", "approve", made.sha256)
    stand.run("dispatch", "relay")
    assert b"500000099" in stand.documents()[-1]
    stand.take(stand.bank.status("ACSC", [stand.payment("PO-1-R1")]))
    assert stand.states() == {"PO-1": "REJECTED", "PO-1-R1": "SETTLED"}
    assert stand.faults() == []


def test_what_came_back_pays_the_re_issue(stand: Stand) -> None:
    """The returned money goes out again: the budget line is charged once."""
    [paid] = stand.sent(order())
    stand.take(stand.bank.status("ACSC", [paid]), stand.bank.giving_back(paid))
    assert stand.balances()["returned:000100000001"] == -100_000
    made = remake(stand)
    approvals.decide(person(stand, "pierre"), "PO-1-R1", "approve", made.sha256)
    stand.run("dispatch", "relay")
    stand.take(stand.bank.status("ACSC", [stand.payment("PO-1-R1")]))
    assert stand.balances() == {"bank:000100000001": -100_000, "payable:fmis": 100_000}
    assert stand.faults() == []


def test_a_re_issue_that_is_rejected_gives_the_returned_money_back_to_its_account(stand: Stand) -> None:
    """It was never paid out: what came back is there again, for the next try."""
    [paid] = stand.sent(order())
    stand.take(stand.bank.status("ACSC", [paid]), stand.bank.giving_back(paid))
    made = remake(stand)
    approvals.decide(person(stand, "pierre"), "PO-1-R1", "approve", made.sha256)
    stand.run("dispatch", "relay")
    stand.take(stand.bank.status("RJCT", [stand.payment("PO-1-R1")], "AC04"))
    assert stand.balances() == {"returned:000100000001": -100_000, "payable:fmis": 100_000}
    assert stand.faults() == []


def test_a_payment_is_ordered_anew_for_the_day_of_the_bank(stand: Stand) -> None:
    """At one o'clock in the night the day in Phnom Penh is another one than in London; nobody needs to say so."""
    [paid] = stand.sent(order())
    stand.take(stand.bank.status("RJCT", [paid], "AC01"))
    stand.clock.advance(timedelta(hours=16))
    assert stand.clock.now().hour == 18, "of the day before, in London"
    remake(stand)
    assert stand.sql("SELECT settlement_day FROM payment WHERE order_id = 'PO-1-R1'") == [("2026-12-01",)]


def test_the_next_try_after_a_rejected_one_is_paid_from_what_came_back(stand: Stand) -> None:
    """The source is charged once for what its payee gets once, however many tries that takes."""
    [paid] = stand.sent(order())
    stand.take(stand.bank.status("ACSC", [paid]), stand.bank.giving_back(paid))
    key = "PO-1"
    for code in ("AC04", "AC01"):
        made = remake(stand, key)
        key = made.order_id
        approvals.decide(person(stand, "pierre"), key, "approve", made.sha256)
        stand.run("dispatch", "relay")
        stand.take(stand.bank.status("RJCT", [stand.payment(key)], code))
    assert stand.balances() == {"returned:000100000001": -100_000, "payable:fmis": 100_000}
    made = remake(stand, key)
    approvals.decide(person(stand, "pierre"), made.order_id, "approve", made.sha256)
    stand.run("dispatch", "relay")
    stand.take(stand.bank.status("ACSC", [stand.payment(made.order_id)]))
    assert stand.balances() == {"bank:000100000001": -100_000, "payable:fmis": 100_000}
    assert stand.faults() == []


def test_a_re_issue_from_another_account_is_not_paid_from_the_returned_money(stand: Stand) -> None:
    """What came back lies on the account that it came back to."""
    [paid] = stand.sent(order())
    stand.take(stand.bank.status("ACSC", [paid]), stand.bank.giving_back(paid))
    made = remake(stand, debtor_account__number="000100000002", currency="USD", amount="1.00")
    approvals.decide(person(stand, "pierre"), "PO-1-R1", "approve", made.sha256)
    stand.run("dispatch", "relay")
    assert stand.balances()["returned:000100000001"] == -100_000
    assert "returned:000100000002 USD" not in stand.balances()
    assert stand.faults() == []


def test_a_payment_is_re_issued_once(stand: Stand) -> None:
    """The second try would pay the same thing twice; the re-issue itself may be re-issued."""
    [paid] = stand.sent(order())
    stand.take(stand.bank.status("RJCT", [paid], "AC01"))
    remake(stand)
    with pytest.raises(OperationRefused, match="re-issued already, as PO-1-R1"):
        remake(stand)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"creditor_account__number": "12"}, "breaks rules"),
        ({"amount": "0"}, "breaks rules"),
        ({"order_id": "PO-2"}, "has its own"),
        ({"creditor__shoe_size__left": "44", "creditor__name": ""}, "breaks rules|cannot be used"),
        ({"amount__value": "5"}, "no such field"),
        ({"execution_date": "tomorrow"}, "cannot be used"),
    ],
)
def test_a_correction_keeps_the_rules(stand: Stand, changes: dict[str, str], said: str) -> None:
    """A person who corrects by hand is held to the same rules as a source; nothing is stored."""
    [paid] = stand.sent(order())
    stand.take(stand.bank.status("RJCT", [paid], "AC01"))
    with pytest.raises(OperationRefused, match=said):
        remake(stand, **changes)
    assert len(stand.payments()) == 1


def test_only_what_ended_without_being_paid_is_re_issued(stand: Stand) -> None:
    """A payment that is out, or paid, is not ordered again."""
    stand.sent(order())
    with pytest.raises(OperationRefused, match="only what was rejected or came back"):
        remake(stand)


# ----------------------------------------------------------------------------------------------------------- channels


def test_a_channel_is_held_and_released_by_people(stand: Stand) -> None:
    """Who, why and since when; nothing leaves meanwhile."""
    gateway = stand.gateway
    channels.hold(person(stand, "chief"), gateway.profiles, PROFILE, "the bank's account is frozen")
    with gateway.store.transaction() as db:
        [page] = channels.listed(db, gateway.profiles, stand.clock.now())
    assert (page.health, page.held_by, page.held_reason) == ("held", "chief", "the bank's account is frozen")
    stand.compose(order())
    assert stand.payment().state == "READY"
    with pytest.raises(OperationRefused, match="held already, by chief"):
        channels.hold(person(stand, "olga"), gateway.profiles, PROFILE, "again")
    channels.release(person(stand, "olga"), gateway.profiles, PROFILE)
    stand.run("dispatch", "relay")
    assert stand.payment().state == "SENT"
    with pytest.raises(OperationRefused, match="not held"):
        channels.release(person(stand, "olga"), gateway.profiles, PROFILE)
    with pytest.raises(OperationRefused, match="no channel"):
        channels.hold(person(stand, "olga"), gateway.profiles, "nobody", "x")
    with pytest.raises(OperationRefused, match="needs a reason"):
        channels.hold(person(stand, "olga"), gateway.profiles, PROFILE, " ")
