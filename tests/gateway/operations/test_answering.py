"""What a bank asks back is answered by two people, once, whatever breaks in between; the exception closes by itself."""

from __future__ import annotations

from collections import deque
from datetime import timedelta
from typing import Any

import pytest

from adapters.profile import Profile
from adapters.rails import Composed
from adapters.transport_settings import missing
from adapters.web_settings import HttpsSettings
from gateway.flow.asking import Asking
from gateway.operations import answering, receipts
from gateway.operations.answering import Answer, Choice, Decided
from gateway.operations.operator import Operator
from gateway.operations.resolutions import Way
from schemas.errors import (
    ChannelUnavailable,
    DocumentRefused,
    GatewayError,
    HandoverRefused,
    HandoverUnknown,
    OperationMissing,
    OperationRefused,
)
from schemas.iso20022 import camt029, camt056, pacs004
from schemas.model.money import Money
from schemas.model.status import RecallRequest
from simulators.stage import PROFILE
from tests.gateway.flow.stand import BANK_BIC, OWN_BIC, RIEL, Killed, Stand, booked
from tests.gateway.flow.wire import Wire, courier, wired
from tests.gateway.operations.desk import OPENING, numbers, person, resolve
from tests.gateway.operations.test_returns import CAME_IN, UETR, billed, received, rules
from tests.gateway.operations.test_two_people import at_once, unchanged

CASE = "ABA-CASE-1"
OTHER_UETR = "22222222-2222-4222-8222-222222222222"


def asked(stand: Stand, **changes: Any) -> None:
    """Let the bank ask for a transfer back that came in."""
    letters = stand.bank.letters
    fields: dict[str, Any] = {
        "message_id": letters.next_id("RQ"), "case_id": CASE, "reason": "DUPL", "info": "sent twice",
        "original_message_id": "ABA-M-1", "original_message_name": "pacs.008.001.08", "uetr": UETR,
        "end_to_end_id": "THEIR-1", "amount": Money(50_000, "KHR"),
    }  # fmt: skip
    request = RecallRequest(**{**fields, **changes})
    document = camt056.build(request, stand.clock.now(), assigner_bic=BANK_BIC, assignee_bic=OWN_BIC)
    stand.take(letters.sign(request.message_id, camt056.DEFINITION, document))


def propose(stand: Stand, answer: Answer, key: str = CASE) -> Decided:
    """Propose an answer as its maker."""
    return answering.propose(person(stand, answer.maker), stand.gateway.profiles, key, answer, rules(stand))


def confirm(stand: Stand, made: Decided, by: str = "dara") -> Decided:
    """Let another person confirm it."""
    return answering.confirm(person(stand, by), stand.gateway.profiles, str(made.request), made.sha256, rules(stand))


def refuse(stand: Stand) -> Decided:
    """Let two people refuse."""
    return confirm(stand, propose(stand, answering.refusing("sophea", "CUST", "the payee keeps it")))


def accept(stand: Stand) -> Decided:
    """Let two people consent."""
    return confirm(stand, propose(stand, answering.accepting("sophea")))


def work(stand: Stand, **channel: object) -> None:
    """Let all workers work until there is nothing left to do, with the one that answers among them."""
    profile = wired(stand, **channel) if channel else stand.gateway.profiles[PROFILE]
    worker = asking(stand, profile)
    try:
        for _ in range(5):
            stand.clock.advance(timedelta(seconds=2))
            worker.step(0)
            stand.run("dispatch", "relay")
    finally:
        worker._desk.store.close()


def asking(stand: Stand, profile: Profile | None = None) -> Asking:
    """Return the worker that answers."""
    gateway = stand.gateway
    used = profile or gateway.profiles[PROFILE]
    return Asking(gateway.desk("asking.test"), used, gateway.policy, gateway.signer(used))


def answers(stand: Stand) -> list[bytes]:
    """Return the composed answers."""
    return [document for document in stand.documents() if camt029.DEFINITION.encode() in document]


def request_states(stand: Stand) -> list[str]:
    """Return where the recalls of banks stand."""
    return [row[0] for row in stand.sql("SELECT state FROM recall_request ORDER BY id")]


# ------------------------------------------------------------------------------------------------------------ refusing


def test_a_recall_is_refused_by_a_signed_answer(stand: Stand) -> None:
    """Under the bank's own case, with the reason of two people; the exception closes when it has left."""
    received(stand)
    asked(stand)
    assert stand.open() == {"unmatched_credit": 1, "recall_unknown": 1}
    before = stand.balances()
    refuse(stand)
    assert stand.open()["recall_unknown"] == 1
    work(stand)
    [document] = answers(stand)
    for text in (CASE, "RJCR", "CUST", "the payee keeps it", UETR, "ABA-M-1", "pacs.008.001.08"):
        assert text.encode() in document
    assert b"Sgntr" in document
    assert (stand.open(), request_states(stand)) == ({"unmatched_credit": 1}, ["CLOSED"])
    assert (stand.balances(), stand.payments()) == (before, [])
    actions = [action for _, action in stand.trails()]
    for action in ("recall.asked", "recall.propose", "recall.confirm", "key.sign", "recall.answered", "recall.closed"):
        assert action in actions
    assert stand.faults() == []


def test_something_unknown_is_refused(stand: Stand) -> None:
    """Nothing came in of it: there is nothing to give back, and the bank hears so."""
    asked(stand, uetr=OTHER_UETR, end_to_end_id=None)
    assert "no statement shows" in unchanged(stand, lambda: propose(stand, answering.accepting("sophea")))
    confirm(stand, propose(stand, answering.refusing("sophea", "NOOR")))
    work(stand)
    assert b"NOOR" in answers(stand)[0]
    assert stand.open() == {}


# ----------------------------------------------------------------------------------------------------------- accepting


def test_what_a_bank_asks_for_goes_back_by_two_people(stand: Stand) -> None:
    """A return with the reason FOCR of the whole amount; the bank hears CNCL once that has left."""
    received(stand)
    asked(stand)
    made = accept(stand)
    assert made.payment is not None
    worker = asking(stand)
    worker.step(0)
    assert answers(stand) == []
    worker._desk.store.close()
    work(stand)
    back = stand.documents()[0]
    for text in (pacs004.DEFINITION, "FOCR", UETR, "ABA-M-1", "pacs.008.001.08", "500.00"):
        assert text.encode() in back
    [document] = answers(stand)
    assert b"CNCL" in document
    assert (stand.open(), request_states(stand)) == ({}, ["CLOSED"])
    [paid] = stand.payments()
    assert (paid.state, paid.amount) == ("SENT", Money(50_000, "KHR"))
    entries = [booked(-50_000, reference="NB-OUT", code="PMNT/ICDT/RRTN", instruction_id=paid.instruction_id)]
    stand.take(stand.bank.statement(entries, OPENING + 50_000, statement_id="NEXT"))
    assert stand.payments()[0].state == "SETTLED"
    assert stand.balances() == {f"bank:{RIEL}": OPENING, f"opening:{RIEL}": -OPENING}
    assert stand.faults() == []


def test_a_rail_that_wants_the_return_alone_gets_no_answer(stand: Stand) -> None:
    """``confirms_recalls = false``: the return says it all, and its leaving closes the case."""
    received(stand)
    asked(stand)
    accept(stand)
    work(stand, confirms_recalls=False)
    assert answers(stand) == []
    assert (stand.open(), request_states(stand)) == ({}, ["CLOSED"])


def test_what_the_bank_does_not_take_has_to_be_answered_anew(stand: Stand) -> None:
    """Its return was rejected: the money is in suspense, the recall is open, and CNCL is not said a second time."""
    received(stand)
    asked(stand)
    accept(stand)
    work(stand)
    stand.take(stand.bank.status("RJCT", stand.payments(), "AC04"))
    assert request_states(stand) == ["OPEN"]
    assert stand.balances()[f"suspense:{RIEL}"] == -50_000
    confirm(stand, propose(stand, answering.accepting("sophea", account="500000012")))
    work(stand)
    assert (len(answers(stand)), request_states(stand)) == (1, ["CLOSED"])
    assert sorted(stand.states().values()) == ["REJECTED", "SENT"]
    assert stand.faults() == []


def test_a_consent_that_became_a_refusal_is_told(stand: Stand) -> None:
    """The bank must not believe that the money comes."""
    received(stand)
    asked(stand)
    accept(stand)
    work(stand)
    stand.take(stand.bank.status("RJCT", stand.payments(), "AC04"))
    refuse(stand)
    work(stand)
    assert [b"CNCL" in x for x in answers(stand)] == [True, False]
    assert request_states(stand) == ["CLOSED"]


# ------------------------------------------------------------------------------------------------------ two people


def test_who_confirms_sees_to_whom_the_money_goes(light: Stand) -> None:
    """As the proposal was made, and only that can be confirmed."""
    received(light)
    asked(light)
    assert "to Chan Sophal, account *****0009, bank " in propose(light, answering.accepting("sophea")).text
    made = propose(light, answering.accepting("sophea", account="999999999", name="Sophea Cousin"))
    with light.gateway.store.transaction() as db:
        page = answering.page(db, CASE)
    assert page.proposal is not None
    assert page.proposal.text == made.text
    assert "KHR 500.00 to Sophea Cousin, account *****9999" in made.text
    assert "not the payer that the statement names" in made.text
    assert "999999999" not in str(page)
    assert confirm(light, made).text == made.text


def test_the_maker_confirms_nothing(stand: Stand) -> None:
    """Nor anybody what is not the proposal that was seen."""
    received(stand)
    asked(stand)
    first = propose(stand, answering.refusing("sophea", "CUST"))
    assert "another person" in unchanged(stand, lambda: confirm(stand, first, "sophea"))
    second = propose(stand, answering.accepting("chenda"))
    assert "not the SHA-256" in unchanged(stand, lambda: confirm(stand, first))
    assert answering.reject(person(stand, "dara"), CASE, "ask the ministry") == first.request
    assert "nothing is proposed" in unchanged(stand, lambda: confirm(stand, second))


def test_what_would_do_something_else_by_now_is_refused(stand: Stand) -> None:
    """The money was resolved otherwise in the meantime."""
    _, number = received(stand)
    asked(stand)
    made = propose(stand, answering.accepting("sophea"))

    resolve(stand, number, Way.RETURN)
    assert "is explained" in unchanged(stand, lambda: confirm(stand, made))


def test_of_many_who_confirm_at_once_one_does(stand: Stand) -> None:
    """One return, one answer."""
    received(stand)
    asked(stand)
    made = propose(stand, answering.accepting("sophea"))

    def one(operator: Operator) -> object:
        return answering.confirm(operator, stand.gateway.profiles, CASE, made.sha256, rules(stand))

    done = at_once(stand, *[one] * 4)
    assert sum(isinstance(x, Decided) for x in done) == 1
    work(stand)
    assert (len(stand.payments()), len(answers(stand))) == (1, 1)
    assert stand.faults() == []


def test_a_bank_that_asks_twice_gets_the_money_once(stand: Stand) -> None:
    """A reminder in another document, under another case: the second one is refused (ARDT)."""
    received(stand)
    asked(stand)
    asked(stand, case_id="ABA-CASE-2")
    accept(stand)
    again = answering.accepting("sophea")
    assert "given back already" in unchanged(stand, lambda: propose(stand, again, "ABA-CASE-2"))
    confirm(stand, propose(stand, answering.refusing("sophea", "ARDT"), "ABA-CASE-2"))
    work(stand)
    assert (request_states(stand), len(answers(stand))) == (["CLOSED", "CLOSED"], 2)


def test_an_answer_is_final(stand: Stand) -> None:
    """What was answered is not answered otherwise."""
    received(stand)
    asked(stand)
    refuse(stand)
    assert "is answered" in unchanged(stand, lambda: propose(stand, answering.accepting("sophea")))


@pytest.mark.parametrize(
    ("changes", "said"), [({"amount": Money(40_000, "KHR")}, "ask it which"), ({"amount": Money(1, "USD")}, "ask it")]
)
def test_money_of_another_amount_is_another_transfer(light: Stand, changes: dict[str, Any], said: str) -> None:
    """What is asked for has to be what came in."""
    received(light)
    asked(light, **changes)
    assert said in unchanged(light, lambda: propose(light, answering.accepting("sophea")))


@pytest.mark.parametrize(
    ("came", "changes", "said"),
    [
        ({}, {"uetr": OTHER_UETR}, "has the UETR"),
        ({"uetr": None}, {"end_to_end_id": "THEIR-2"}, "has the EndToEndId THEIR-1"),
    ],
)
def test_an_entry_that_is_named_otherwise_is_another_transfer(
    light: Stand, came: dict[str, Any], changes: dict[str, Any], said: str
) -> None:
    """Of the same amount, and given by its number; the same holds where only one side knows a UETR."""
    entry, _ = received(light, **came)
    asked(light, **changes)
    assert said in unchanged(light, lambda: propose(light, answering.accepting("sophea", entry=entry)))


def test_an_entry_of_another_instruction_is_another_transfer(light: Stand) -> None:
    """Where the statement has kept the InstrId, and no UETR tells them apart."""
    entry, _ = received(light, uetr=None)
    light.sql("UPDATE entry SET instruction = 'ABA-I-1' RETURNING id")
    asked(light, instruction_id="ABA-I-2")
    consent = answering.accepting("sophea", entry=entry)
    assert "has the InstrId ABA-I-1" in unchanged(light, lambda: propose(light, consent))


def test_an_entry_of_another_bank_is_another_transfer(light: Stand) -> None:
    """What came in over one relationship is not given back because the bank of another asks."""
    entry, _ = received(light)
    asked(light)
    light.sql("UPDATE statement SET profile = 'another-bank' RETURNING id")
    assert "another-bank" in unchanged(light, lambda: propose(light, answering.accepting("sophea", entry=entry)))


def test_what_only_one_side_names_does_not_differ(light: Stand) -> None:
    """A statement without references, and a recall with them: a person has said which entry it is."""
    entry, _ = received(light, uetr=None, end_to_end_id="NOTPROVIDED", instruction_id=None)
    asked(light, instruction_id="ABA-I-1")
    confirm(light, propose(light, answering.accepting("sophea", entry=entry)))
    assert len(light.payments()) == 1


def test_of_several_entries_a_person_says_which(light: Stand) -> None:
    """Two transfers under one EndToEndId, and a recall without a UETR."""
    entries = [booked(50_000, reference=f"NB{n}", **{**CAME_IN, "uetr": None}) for n in (1, 2)]
    light.take(light.bank.statement(entries, OPENING))
    asked(light, uetr=None)
    assert "--entry NUMBER" in unchanged(light, lambda: propose(light, answering.accepting("sophea")))
    [first, _] = [row[0] for row in light.sql("SELECT id FROM entry ORDER BY id")]
    confirm(light, propose(light, answering.accepting("sophea", entry=first)))
    assert len(light.payments()) == 1


def test_what_paid_a_bill_is_taken_from_it_first(stand: Stand) -> None:
    """Then it can be given back like any other."""
    entry = billed(stand)
    asked(stand)
    assert f"receipts unmatch {entry}" in unchanged(stand, lambda: propose(stand, answering.accepting("sophea")))
    receipts.unmatch(person(stand, "sophea"), entry, "the bank asks for it")
    accept(stand)
    work(stand)
    assert request_states(stand) == ["CLOSED"]
    assert stand.faults() == []


def test_a_reason_that_refuses_nothing_is_refused() -> None:
    """It is written into the message."""
    with pytest.raises(OperationRefused, match="refuses no recall"):
        answering.refusing("sophea", "DUPL")


def test_a_recall_from_before_recalls_were_kept_is_answered_by_other_means(light: Stand) -> None:
    """Only its exception is there, and whoever asks for the case is told what to do with it."""
    asked(light)
    light.sql("DELETE FROM recall_request RETURNING id")
    [number] = numbers(light, "recall_unknown")
    refusal = answering.refusing("sophea", "NOOR")
    said = unchanged(light, lambda: propose(light, refusal))
    assert "by other means" in said
    assert f"gateway exceptions resolve {number} --as close" in said
    assert "no bank has asked" in unchanged(light, lambda: propose(light, refusal, "ABA-CASE-2"))
    resolve(light, number, Way.CLOSE)
    assert "no bank has asked" in unchanged(light, lambda: propose(light, refusal))


def test_a_number_that_is_the_case_of_another_names_neither(light: Stand) -> None:
    """Money must not go back because two things have one name."""
    asked(light, case_id="ABA-CASE-1")
    asked(light, case_id="1")
    refusal = answering.refusing("sophea", "NOOR")
    assert "may be the recalls #1, #2" in unchanged(light, lambda: propose(light, refusal, "1"))
    assert propose(light, refusal, "#1").case_id == "ABA-CASE-1"
    assert propose(light, refusal, "#2").case_id == "1"
    assert propose(light, refusal, "2").case_id == "1"


# ------------------------------------------------------------------------------------------------------- what breaks


@pytest.mark.parametrize("consent", [False, True])
def test_an_answer_that_cannot_be_written_leaves_nothing_hanging(stand: Stand, *, consent: bool) -> None:
    """The return of a consent says it all, and its case closes; a refusal is open again, and says why."""
    received(stand)
    asked(stand)
    (accept if consent else refuse)(stand)

    def none(*_: object) -> Composed:
        raise DocumentRefused("no valid answer", code="FF01", path="x")

    worker = asking(stand)
    worker._answers._answer = none
    for _ in range(4):
        stand.clock.advance(timedelta(seconds=2))
        stand.run("dispatch", "relay")
        worker.step(0)
    worker._desk.store.close()
    assert (answers(stand), stand.faults()) == ([], [])
    assert request_states(stand) == ["CLOSED" if consent else "OPEN"]
    if consent:
        assert stand.open() == {}
        return
    assert "no valid answer can be written" in str(stand.sql("SELECT text FROM exception_note"))
    refuse(stand)
    work(stand)
    assert (len(answers(stand)), request_states(stand)) == (1, ["CLOSED"])


def test_what_is_open_again_meanwhile_is_not_answered(stand: Stand) -> None:
    """A worker that has found it to be answered finds it open once it holds it."""
    received(stand)
    asked(stand)
    refuse(stand)
    stand.sql("UPDATE recall_request SET state = 'OPEN' RETURNING id")
    worker = asking(stand)
    with stand.gateway.store.transaction() as db:
        worker._answers._write_one(db, 1, stand.gateway.desk("asking.test").trail())
    worker._desk.store.close()
    assert (answers(stand), request_states(stand)) == ([], ["OPEN"])


@pytest.mark.parametrize("point", ["dispatch.answered", "dispatch.recalls_closed"])
@pytest.mark.parametrize("consent", [False, True])
def test_a_crash_between_two_steps_neither_loses_nor_doubles_an_answer(
    stand: Stand, point: str, *, consent: bool
) -> None:
    """What is to be done stands in the database, and the next process does it."""
    received(stand)
    asked(stand)
    (accept if consent else refuse)(stand)
    stand.kill_at = point
    with pytest.raises(Killed):
        work(stand)
    stand.start()
    work(stand)
    assert (len(answers(stand)), request_states(stand)) == (1, ["CLOSED"])
    assert len(stand.payments()) == int(consent)
    assert stand.faults() == []


@pytest.mark.parametrize("trouble", [ChannelUnavailable("away"), HandoverUnknown("the line broke")])
def test_an_answer_over_a_broken_line_leaves_later(stand: Stand, trouble: Exception) -> None:
    """The same bytes; the exception stays open until they have left."""
    received(stand)
    asked(stand)
    refuse(stand)
    profile = wired(stand)
    worker = asking(stand, profile)
    worker.step(0)
    wire = Wire(breaks=deque([trouble]))
    messenger = courier(stand, wire)
    messenger.step(0)
    stand.clock.advance(timedelta(seconds=30))
    worker.step(0)
    assert stand.open()["recall_unknown"] == 1
    messenger.step(0)
    stand.clock.advance(timedelta(seconds=2))
    worker.step(0)
    assert {one.operation for one in wire.taken} == {"answer"}
    assert len({one.content for one in wire.taken}) == 1
    assert "recall_unknown" not in stand.open()
    worker._desk.store.close()


REFUSALS = [HandoverRefused("HTTP 422: no such case"), OperationMissing("transport.paths.answer: missing")]


@pytest.mark.parametrize("trouble", REFUSALS)
def test_an_answer_that_the_banks_side_refused_has_to_be_given_anew(stand: Stand, trouble: GatewayError) -> None:
    """The bank never got it: the recall is open, whatever becomes of the exception, and the next answer leaves."""
    received(stand)
    asked(stand)
    refuse(stand)
    profile = wired(stand)
    worker = asking(stand, profile)
    worker.step(0)
    wire = Wire(breaks=deque([trouble]))
    messenger = courier(stand, wire)
    messenger.step(0)
    assert (request_states(stand), wire.taken) == (["OPEN"], [])
    assert stand.open() == {"unmatched_credit": 1, "recall_unknown": 1, "handover_refused": 1}
    assert "did not take the answer" in str(stand.sql("SELECT text FROM exception_note"))
    [number] = numbers(stand, "handover_refused")
    resolve(stand, number, Way.CLOSE)
    stand.clock.advance(timedelta(seconds=2))
    worker.step(0)
    assert request_states(stand) == ["OPEN"]
    refuse(stand)
    stand.clock.advance(timedelta(seconds=2))
    worker.step(0)
    messenger.step(0)
    stand.clock.advance(timedelta(seconds=2))
    worker.step(0)
    worker._desk.store.close()
    assert (len(wire.taken), request_states(stand)) == (1, ["CLOSED"])
    assert stand.open() == {"unmatched_credit": 1}


def test_a_consent_whose_answer_the_banks_side_refused_closes_with_its_return(light: Stand) -> None:
    """The money is back, and says so itself; the refusal stays for a person."""
    received(light)
    asked(light)
    accept(light)
    wire, profile = Wire(), wired(light)
    messenger, worker = courier(light, wire), asking(light, profile)
    for trouble in (None, HandoverRefused("HTTP 422: no such case"), None):
        wire.breaks.append(trouble)
        light.run("dispatch")
        messenger.step(0)
        light.clock.advance(timedelta(seconds=2))
        worker.step(0)
    worker._desk.store.close()
    assert ([one.operation for one in wire.taken], request_states(light)) == (["submit"], ["CLOSED"])
    assert light.open() == {"handover_refused": 1}


def test_a_profile_without_a_way_to_answer_is_told_beforehand(light: Stand) -> None:
    """Before a message is signed that could not leave; what is given back needs no answer."""
    received(light)
    asked(light)
    https: dict[str, Any] = {"kind": "https", "base_url": "https://bank.example", "server_ca": "ca.pem"}
    transport = HttpsSettings(**https, paths={"submit": "POST /payments"})
    profile = light.gateway.profiles[PROFILE].model_copy(update={"transport": transport})
    profiles = {PROFILE: profile}

    def said(answer: Answer) -> Decided:
        return answering.propose(person(light, "sophea"), profiles, CASE, answer, rules(light))

    assert "transport.paths.answer is missing" in unchanged(light, lambda: said(answering.refusing("sophea", "CUST")))
    assert said(answering.accepting("sophea")).choice is Choice.ACCEPT
    assert missing(transport, "submit") is None
    assert missing(light.gateway.profiles[PROFILE].transport, "answer") is None
