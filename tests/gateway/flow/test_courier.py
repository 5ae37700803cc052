"""Handing messages over to a bank off the bus: what is known of its side decides, and nothing is ever paid twice."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.file_settings import SftpSettings
from gateway.flow.asking import Asking
from gateway.flow.documents import Document, Reading
from gateway.flow.sending import doubt
from gateway.store import channels
from schemas.errors import ChannelUnavailable, DocumentRefused, GatewayError, HandoverRefused, HandoverUnknown
from simulators.stage import PROFILE
from tests.gateway.flow.stand import Killed, Stand, booked, order
from tests.gateway.flow.wire import Wire, collector, courier, wired

CUT = HandoverUnknown("cut after the last byte")
AWAY = ChannelUnavailable("nobody listens there")


def hand_over(stand: Stand, wire: Wire, *breaks: GatewayError | None, **channel: object) -> None:
    """Compose one payment and hand it over once, with something going wrong."""
    wire.breaks = deque(breaks)
    stand.compose(order())
    courier(stand, wire, **channel)
    stand.step("relay")


def state(stand: Stand) -> str:
    """Return where the one payment stands."""
    return stand.payment().state


def test_what_the_banks_side_took_is_sent(stand: Stand) -> None:
    """The archived bytes under their MsgId, once; then the letter is forgotten and an answer is waited for."""
    wire = Wire()
    hand_over(stand, wire)
    [name] = [row[0] for row in stand.sql("SELECT message_id FROM message")]
    assert [(one.name, one.content, one.operation, one.again) for one in wire.taken] == [
        (name, stand.documents()[0], "submit", False)
    ]
    assert state(stand) == "SENT"
    assert stand.sql("SELECT COUNT(*) FROM outbox WHERE kind <> 'event'") == [(0,)]
    assert stand.sql("SELECT sendings FROM message WHERE due_ms IS NOT NULL") == [(1,)]
    assert stand.faults() == []


def test_an_answer_in_the_same_exchange_is_applied_at_once(stand: Stand) -> None:
    """A bank that answers in its reply may have settled the payment before it is marked as sent."""
    wire = Wire()
    [paid] = stand.compose(order())
    [name] = [row[0] for row in stand.sql("SELECT message_id FROM message")]
    wire.answers[name] = (stand.bank.status("ACSC", [paid]),)
    courier(stand, wire)
    stand.step("relay")
    assert state(stand) == "SETTLED"
    assert stand.faults() == []


def test_what_was_not_handed_over_waits_and_goes_out_once(stand: Stand) -> None:
    """A bank that cannot be reached has nothing: the same bytes go out when it is back, and nobody is in doubt."""
    wire = Wire()
    hand_over(stand, wire, AWAY, AWAY)
    assert (state(stand), wire.taken) == ("COMPOSED", [])
    for _ in range(3):
        stand.clock.advance(timedelta(seconds=6))
        stand.step("relay")
    assert (state(stand), len(wire.taken)) == ("SENT", 1)
    assert not stand.open()


def test_a_channel_that_fails_several_times_is_down_for_a_while(stand: Stand) -> None:
    """A server that is away is not asked for every message; each time that it is still away it rests twice as long."""
    wire = Wire(away=True)
    hand_over(stand, wire, failures_max=2, down_s=100, down_s_max=150)

    def health() -> str:
        with stand.gateway.store.transaction() as db:
            channel = channels.of(db, PROFILE)
        now_ms = int(stand.clock.now().timestamp() * 1_000)
        rest_s = ((channel.down_until_ms or now_ms) - now_ms) // 1_000
        return f"{channel.health(now_ms)} {rest_s}"

    assert health() == "up 0"
    stand.clock.advance(timedelta(seconds=6))
    stand.step("relay")
    assert health() == "down 100"
    stand.clock.advance(timedelta(seconds=99))
    wire.away = False
    assert stand.step("relay") == 0, "it is not tried while it is down"
    stand.clock.advance(timedelta(seconds=2))
    wire.away = True
    stand.step("relay")
    assert health() == "down 150", "twice as long, and never longer than the profile says"
    wire.away = False
    stand.clock.advance(timedelta(seconds=151))
    assert stand.step("relay") == 1
    assert (health(), state(stand)) == ("up 0", "SENT")


def test_nothing_is_composed_for_a_channel_that_is_down_or_held(stand: Stand) -> None:
    """What was composed is bound to its rail; what was not may still take another one."""
    wire = Wire(away=True)
    hand_over(stand, wire, failures_max=1)
    stand.submit(order(2))
    stand.run("dispatch")
    assert stand.states() == {"PO-1": "COMPOSED", "PO-2": "READY"}
    wire.away = False
    stand.clock.advance(timedelta(hours=1))
    stand.step("relay")
    with stand.gateway.store.transaction() as db:
        assert channels.hold(db, PROFILE, "chief", "the bank asked for it", 1)
    stand.run("dispatch")
    assert stand.states() == {"PO-1": "SENT", "PO-2": "READY"}
    with stand.gateway.store.transaction() as db:
        assert channels.release(db, PROFILE)
    stand.run("dispatch")
    stand.step("relay")
    assert stand.states() == {"PO-1": "SENT", "PO-2": "SENT"}


def test_a_held_channel_keeps_what_is_composed_already(stand: Stand) -> None:
    """Whoever holds a channel wants nothing more to leave, whatever stage it has reached."""
    wire = Wire()
    stand.compose(order())
    courier(stand, wire)
    with stand.gateway.store.transaction() as db:
        channels.hold(db, PROFILE, "chief", "wrong account", 1)
    assert (stand.step("relay"), wire.taken, state(stand)) == (0, [], "COMPOSED")


@pytest.mark.parametrize("cuts", [1, 3])
def test_a_connection_that_is_cut_puts_the_payment_in_doubt_and_is_never_paid_twice(stand: Stand, cuts: int) -> None:
    """The bank may have it: the same bytes under the same name, which it knows, until it says so."""
    wire = Wire()
    hand_over(stand, wire, *[CUT] * cuts)
    assert state(stand) == "IN_DOUBT"
    assert stand.open() == {"handover_unknown": 1}
    for _ in range(cuts):
        stand.clock.advance(timedelta(seconds=6))
        stand.step("relay")
    assert len(wire.taken) == 1
    assert stand.closed() == {"handover_unknown": 1}
    assert state(stand) == "IN_DOUBT", "that the bank's side has it is no answer to the payment"
    stand.take(stand.bank.status("ACSC", stand.payments()))
    assert state(stand) == "SETTLED"
    assert stand.faults() == []


def test_where_a_second_copy_would_be_a_second_payment_none_is_sent(stand: Stand) -> None:
    """A side that does not know names gets a message once; after a cut only the bank's word counts."""
    wire = Wire(idempotent=False)
    hand_over(stand, wire, CUT)
    for _ in range(5):
        stand.clock.advance(timedelta(hours=1))
        stand.run("dispatch")
        stand.step("relay")
    assert (state(stand), len(wire.taken)) == ("IN_DOUBT", 1)
    [paid] = stand.payments()
    courier(stand, wire)
    collector(stand, wire)
    wire.waiting["statement"] = stand.bank.statement([booked(-paid.amount.amount_minor, paid)])
    stand.step("inbound")
    assert state(stand) == "SETTLED"
    assert stand.faults() == []
    assert stand.open() == {"handover_unknown": 1, "silent_bank": 1}
    stand.clock.advance(timedelta(hours=1))
    stand.run("dispatch")
    assert (stand.open(), stand.closed()) == ({}, {"handover_unknown": 1, "silent_bank": 1}), "nothing is in doubt now"


@pytest.mark.parametrize("idempotent", [True, False])
def test_a_process_that_dies_while_it_hands_over_pays_once(stand: Stand, *, idempotent: bool) -> None:
    """It is committed that it begins; after a crash it is sent again only where the bank knows it by its name."""
    wire = Wire(idempotent=idempotent)
    stand.compose(order())
    courier(stand, wire)
    stand.kill_at = "relay.courier_handed_over"
    with pytest.raises(Killed):
        stand.step("relay")
    courier(stand, wire)
    stand.clock.advance(timedelta(minutes=11))
    stand.step("relay")
    assert len(wire.taken) == 1
    assert state(stand) == ("SENT" if idempotent else "IN_DOUBT")
    assert stand.open() == ({} if idempotent else {"handover_unknown": 1})


def test_a_process_that_dies_before_the_first_byte_leaves_a_doubt_where_nobody_can_tell(stand: Stand) -> None:
    """Whether the first byte had left is not known: the payment is in doubt although the bank has nothing."""
    wire = Wire(idempotent=False)
    stand.compose(order())
    courier(stand, wire)
    stand.kill_at = "relay.courier_leased"
    with pytest.raises(Killed):
        stand.step("relay")
    courier(stand, wire)
    stand.clock.advance(timedelta(minutes=11))
    stand.step("relay")
    assert (wire.taken, state(stand)) == ([], "IN_DOUBT")
    assert stand.sql("SELECT sendings FROM message WHERE due_ms IS NOT NULL") == [(1,)], "its answer is waited for"


@pytest.mark.parametrize("idempotent", [True, False])
def test_a_process_that_slept_until_its_lease_was_over_hands_nothing_over(stand: Stand, *, idempotent: bool) -> None:
    """Others have the message by now, or people have given it up because the bank had nothing of it."""
    wire = Wire(idempotent=idempotent)
    stand.compose(order())
    made = courier(stand, wire)

    def sleep(_: str) -> None:
        stand.clock.advance(timedelta(minutes=5))

    made._desk = replace(made._desk, reach=sleep)
    assert (stand.step("relay"), wire.taken) == (0, [])
    courier(stand, wire)
    stand.step("relay")
    assert (len(wire.taken), state(stand)) == ((1, "SENT") if idempotent else (0, "IN_DOUBT"))


def test_a_handover_that_may_take_long_is_nobody_elses_meanwhile(stand: Stand) -> None:
    """A bank that may take half an hour for a file is in nobody's doubt after five minutes."""
    wire = Wire(idempotent=False)
    stand.compose(order())
    made = courier(stand, wire)
    slow = SftpSettings(kind="sftp", host="bank", user="treasury", outgoing="in", answer_within_s=360)
    made._profile = made._profile.model_copy(update={"transport": slow})
    stand.kill_at = "relay.courier_leased"
    with pytest.raises(Killed):
        stand.step("relay")
    courier(stand, wire)
    stand.clock.advance(timedelta(minutes=30))
    stand.step("relay")
    assert state(stand) == "COMPOSED", "it may still be on its way"
    stand.clock.advance(timedelta(minutes=1))
    stand.step("relay")
    assert (wire.taken, state(stand)) == ([], "IN_DOUBT")


def test_what_was_handed_over_by_nobody_does_not_undo_a_later_beginning(stand: Stand) -> None:
    """A process that hears late that nothing was taken speaks of its own handover, and not of the next one."""
    wire = Wire(idempotent=False)
    stand.compose(order())
    made = courier(stand, wire)
    sheet = made._take()
    assert sheet is not None
    with stand.gateway.store.transaction() as db:
        db.connection.execute("UPDATE message SET emitting_ms = emitting_ms + 1")
    made._postpone(sheet, "nothing was taken")
    assert stand.sql("SELECT COUNT(*) FROM message WHERE emitting_ms IS NOT NULL") == [(1,)]


def test_a_name_that_the_bank_has_already_was_taken_before(stand: Stand) -> None:
    """The refusal of a second copy says that the first one arrived."""
    wire = Wire()
    hand_over(stand, wire, HandoverRefused("there is one of this name", known=True))
    assert state(stand) == "SENT"


def test_a_refusal_by_the_transport_is_no_answer_of_the_bank(stand: Stand) -> None:
    """The money stays reserved and a person is told: only the bank says that a payment is rejected."""
    wire = Wire()
    hand_over(stand, wire, HandoverRefused("no such operation", code="HTTP 404"))
    assert state(stand) == "IN_DOUBT"
    assert stand.evidence("handover_refused")["reason"] == "HTTP 404: no such operation"
    stand.clock.advance(timedelta(hours=1))
    stand.run("dispatch")
    assert stand.open()["handover_refused"] == 1, "it is in doubt for as long as nobody has said more"
    stand.take(stand.bank.status("ACSC", stand.payments()))
    stand.clock.advance(timedelta(hours=1))
    stand.run("dispatch")
    assert (state(stand), stand.open()) == ("SETTLED", {})
    assert wire.taken == []
    assert stand.faults() == []


def test_a_repetition_is_dropped_once_people_have_decided(stand: Stand) -> None:
    """A letter that waited for a channel must not leave after its payment was given up, and perhaps ordered anew."""
    wire = Wire()
    hand_over(stand, wire, CUT)
    [paid] = stand.payments()
    stand.take(stand.bank.status("RJCT", [paid], "AC04"))
    wire.taken.clear()
    stand.clock.advance(timedelta(minutes=1))
    stand.step("relay")
    assert wire.taken == []
    assert stand.sql("SELECT COUNT(*) FROM outbox WHERE kind <> 'event'") == [(0,)]
    assert stand.faults() == []


def test_a_document_that_breaks_unforeseen_is_set_aside_and_stops_no_other(stand: Stand) -> None:
    """Nobody delivers a file again: it would stop the worker of every bank at each start."""
    wire = Wire()
    [paid] = stand.sent(order())
    made = collector(stand, wire)
    broken, good = b"<broken/>", stand.bank.status("ACSC", [paid])
    read = made._inbound._read

    def breaks(document: Document) -> Reading:
        if document.content == broken:
            raise RuntimeError("a defect")
        return read(document)

    made._inbound._read = breaks  # type: ignore[method-assign]  # a defect of ours
    wire.waiting.update({"broken.xml": broken, "status.xml": good})
    stand.step("inbound")
    assert (state(stand), sorted(wire.let_go)) == ("SETTLED", ["broken.xml", "status.xml"])
    assert stand.open() == {"document_failed": 1}


def test_a_return_of_nothing_is_told_and_posts_nothing(stand: Stand) -> None:
    """A pacs.004 whose charges eat all of it: no transfer of zero can be posted, and no document stops a worker."""
    [paid] = stand.sent(order())
    stand.take(stand.bank.status("ACSC", [paid]))
    zero = replace(paid.amount, amount_minor=0)
    stand.take(stand.bank.giving_back(paid, zero, charges_minor=paid.amount.amount_minor))
    assert state(stand) == "SETTLED"
    assert sum(stand.open().values()) == 1
    assert stand.faults() == []


def test_a_hundred_cuts_and_not_one_payment_twice(stand: Stand) -> None:
    """Between the bank's acceptance and its reply, a hundred times."""
    wire = Wire()
    wire.breaks = deque([CUT] * 100)
    courier(stand, wire)
    for number in range(20):
        stand.submit(order(number))
        stand.run("dispatch")
    for _ in range(300):
        stand.clock.advance(timedelta(seconds=6))
        stand.step("relay")
    names = [one.name for one in wire.taken]
    assert len(names) == len(set(names)) == stand.sql("SELECT COUNT(*) FROM message")[0][0]
    assert set(stand.states().values()) == {"IN_DOUBT"}
    assert stand.faults() == []


def test_documents_are_kept_before_they_are_let_go(stand: Stand) -> None:
    """A crash in between makes them arrive again, which changes nothing."""
    wire = Wire()
    [paid] = stand.sent(order())
    wire.waiting["status.xml"] = stand.bank.status("ACSC", [paid])
    collector(stand, wire)
    stand.kill_at = "inbound.collected"
    with pytest.raises(Killed):
        stand.step("inbound")
    assert (state(stand), wire.let_go) == ("SETTLED", [])
    collector(stand, wire)
    stand.step("inbound")
    assert (wire.let_go, wire.waiting) == (["status.xml"], {})
    assert stand.sql("SELECT COUNT(*), MIN(state) FROM document") == [(1, "APPLIED")]
    assert stand.faults() == []


def test_what_cannot_be_decrypted_is_kept_and_told(stand: Stand) -> None:
    """It may be the only copy of a statement; whoever has the key can read it later."""
    wire = Wire(waiting={"statement.pgp": b"not for us"})
    wire.faults["statement.pgp"] = DocumentRefused("cannot be decrypted with our key", code="DS0D")
    collector(stand, wire)
    stand.step("inbound")
    assert stand.open() == {"unreadable_document": 1}
    assert stand.evidence("unreadable_document")["reason"] == "DS0D: cannot be decrypted with our key"
    assert wire.let_go == ["statement.pgp"]


def test_the_banks_side_is_looked_at_as_often_as_the_profile_says(stand: Stand) -> None:
    """A bank counts requests; and one that is away is asked again, not waited for."""
    wire = Wire(away=True)
    collector(stand, wire, poll_s=60)
    assert stand.step("inbound") == 0
    wire.away = False
    wire.waiting["nothing.xml"] = b"<nothing/>"
    stand.clock.advance(timedelta(seconds=59))
    assert stand.step("inbound") == 0
    stand.clock.advance(timedelta(seconds=2))
    assert stand.step("inbound") == 1
    assert stand.open() == {"unreadable_document": 1}


def test_no_more_is_composed_than_may_be_outstanding(stand: Stand) -> None:
    """A slow bank's queue does not grow without end; what waits may still take another rail."""
    profile = stand.gateway.profiles[PROFILE]
    small = profile.model_copy(update={"channel": profile.channel.model_copy(update={"outstanding_max": 2})})
    dispatch = stand.workers["dispatch"]
    dispatch._profile = small  # type: ignore[attr-defined]  # the worker's own profile, with another bound
    wire = Wire()
    courier(stand, wire)
    for number in range(4):
        stand.submit(order(number))
        stand.run("dispatch")
        stand.step("relay")
    assert sorted(stand.states().values()) == ["READY", "READY", "SENT", "SENT"]
    first = next(p for p in stand.payments() if p.state == "SENT")
    stand.take(stand.bank.status("ACSP", [first]))
    stand.run("dispatch")
    stand.step("relay")
    assert sorted(stand.states().values()) == ["ACCEPTED", "SENT", "SENT", "SENT"], "one answered, one message more"


def actions(stand: Stand) -> list[str]:
    """Return what the audit trail says of messages."""
    return [action for _, action in stand.trails() if action.startswith("message.")]


def test_what_is_put_off_or_known_already_stands_in_the_audit_trail(stand: Stand) -> None:
    """Whoever asks later why a payment left late, or was not handed over a second time, reads it there."""
    hand_over(stand, Wire(), AWAY, HandoverRefused("it is here", code="409", known=True))
    stand.clock.advance(timedelta(seconds=6))
    stand.step("relay")
    assert [one for one in actions(stand) if one in {"message.postpone", "message.known"}] == [
        "message.postpone", "message.known",
    ]  # fmt: skip
    assert state(stand) == "SENT"
    assert stand.faults() == []


@pytest.mark.parametrize("trouble", [CUT, AWAY])
def test_a_question_that_fails_keeps_no_payments_back(stand: Stand, trouble: GatewayError) -> None:
    """The bank was reached, or was asked nothing: only payments that were not handed over take the channel down."""
    wire = Wire()
    hand_over(stand, wire, failures_max=1, down_s_max=60)
    profile = wired(stand, inquire_after_s=1)
    stand.clock.advance(timedelta(seconds=profile.in_doubt_after_s + 1))
    with stand.gateway.store.transaction() as db:
        doubt(db, [1], "no answer", stand.gateway.desk("test").trail())
        db.pick([(1,)])
        db.run("ask_about", at_ms=0)
    gateway = stand.gateway
    worker = Asking(gateway.desk("asking.test"), profile, gateway.policy, gateway.signer(profile))
    assert worker.step(0) == 1
    worker._desk.store.close()
    wire.breaks = deque([trouble] * 3)
    for _ in range(4):
        stand.step("relay")
        with stand.gateway.store.transaction() as db:
            channel = channels.of(db, PROFILE)
            assert (channel.failures, channel.health(stand.gateway.desk("test").now_ms())) == (0, channels.Health.UP)
        stand.clock.advance(timedelta(seconds=61))
    assert [one.operation for one in wire.taken][-1] == "inquire"
    assert actions(stand).count("message.postpone") == 3


def test_a_second_doubt_is_asked_about_anew(stand: Stand) -> None:
    """What was asked in the first one, until the bank answered, says nothing of the second."""
    [paid] = stand.sent(order())
    trail = stand.gateway.desk("test").trail()
    with stand.gateway.store.transaction() as db:
        doubt(db, [1], "no answer", trail)
        for _ in range(3):
            db.run("inquired", id=1, next_ms=0)
        assert doubt(db, [1], "still none", trail) == 1
    assert stand.sql("SELECT inquiries FROM message") == [(3,)]
    stand.take(stand.bank.status("ACSP", [paid]))
    assert state(stand) == "ACCEPTED"
    with stand.gateway.store.transaction() as db:
        doubt(db, [1], "and then nothing", trail)
    assert stand.sql("SELECT inquiries FROM message") == [(0,)]
    assert state(stand) == "IN_DOUBT"
