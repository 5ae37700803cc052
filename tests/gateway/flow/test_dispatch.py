"""Ready payments out: cut into messages, written, signed, and put into the outbox in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lxml import etree

from adapters.profile import SHIPPED
from adapters.rails import Composed, high_value
from gateway.flow.dispatch import Dispatch
from gateway.store import archive, outbox
from schemas.errors import DocumentRefused
from schemas.iso20022 import pacs008
from schemas.model.payment import Payment
from security import xmldsig
from simulators.stage import PROFILE, Stage
from tests.gateway.flow.stand import DOLLAR, RIEL, START, Killed, Stand, dollars, opened, order

MAX = 3


@pytest.fixture
def small(stage: Stage, url: str, tmp_path: Path) -> Iterator[Stand]:
    """A stand whose bank takes three transactions a message."""
    folder = tmp_path / "profiles"
    folder.mkdir()
    text = (SHIPPED / f"{PROFILE}.toml").read_text(encoding="utf-8")
    assert "transactions_max = 1000" in text
    (folder / "bank.toml").write_text(text.replace("transactions_max = 1000", f"transactions_max = {MAX}"))
    with opened(stage, url, profiles_folder=folder) as made:
        yield made


def transactions(stand: Stand) -> list[tuple[pacs008.Group, list[Payment]]]:
    """Verify the composed messages as the bank does, and read them."""
    found = []
    for document in stand.documents():
        verified = xmldsig.verify(document, stand.stage.bank_trust, stand.clock.now())
        found.append(pacs008.read(verified.document))
    return found


def refusing(stand: Stand, is_bad: Callable[[Payment], bool]) -> None:
    """Make the rail refuse to write these payments."""

    def compose(profile: Any, task: Any, payments: Sequence[Payment], key: Any, inspect: Any) -> Composed:
        if any(is_bad(p) for p in payments):
            raise DocumentRefused("no valid message can be made of it", code="FF01", path="Cdtr/Nm")
        return high_value.compose(profile, task, payments, key, inspect)

    worker = stand.workers["dispatch"]
    assert isinstance(worker, Dispatch)
    worker._rail = SimpleNamespace(compose=compose)


def test_a_composed_payment_is_signed_reserved_kept_and_vouched_for(stand: Stand) -> None:
    """One transaction: bytes, state, reservation, outbox, and the use of the key."""
    [paid] = stand.compose(order())
    assert paid.state == "COMPOSED"
    assert stand.balances() == {"payable:fmis": 100_000, f"transit:{RIEL}": -100_000}
    [(group, [written])] = transactions(stand)
    assert (written.uetr, written.end_to_end_id, written.instruction_id, written.amount) == (
        paid.uetr, paid.end_to_end_id, paid.instruction_id, paid.amount,
    )  # fmt: skip
    assert group.settlement_date == START.date()
    [(message_id, digest)] = stand.sql("SELECT message_id, sha256 FROM message")
    assert group.message_id == message_id
    assert archive.sha256(stand.documents()[0]) == digest
    assert stand.sql("SELECT message_id, sha256 FROM outbox WHERE kind = 'bank.central-bank'") == [(message_id, digest)]
    assert [action for _, action in stand.trails()] == ["payments.move", "orders.take", "payments.move", "key.sign"]
    assert stand.faults() == []


def test_message_ids_are_short_unique_and_follow_from_our_own_numbers(small: Stand) -> None:
    """At most 35 characters, never random: a resend has the same one, another message never."""
    small.compose(*[order(n) for n in range(1, 8)])
    names = [row[0] for row in small.sql("SELECT message_id FROM message ORDER BY id")]
    assert len(names) == len(set(names)) == 3
    assert all(1 <= len(name) <= 35 for name in names)
    assert [group.message_id for group, _ in transactions(small)] == names
    assert sorted(names) == names


def test_a_message_holds_at_most_what_the_profile_says(small: Stand) -> None:
    """Seven payments are three messages, and each payment is in exactly one."""
    small.compose(*[order(n) for n in range(1, 8)])
    found = transactions(small)
    assert [len(written) for _, written in found] == [3, 3, 1]
    uetrs = [p.uetr for _, written in found for p in written]
    assert sorted(uetrs) == sorted(p.uetr for p in small.payments())
    assert small.sql("SELECT message, COUNT(*) FROM message_payment GROUP BY message ORDER BY message") == [
        (1, 3), (2, 3), (3, 1),
    ]  # fmt: skip


def test_currencies_do_not_share_a_message(stand: Stand) -> None:
    """A control sum over two currencies would mean nothing."""
    stand.compose(order(1), dollars(2), order(3), dollars(4))
    assert sorted(len(written) for _, written in transactions(stand)) == [2, 2]
    assert all(len({p.amount.currency for p in written}) == 1 for _, written in transactions(stand))
    assert stand.balances() == {
        "payable:fmis": 200_000, f"transit:{RIEL}": -200_000,
        "payable:fmis USD": 2_500, f"transit:{DOLLAR} USD": -2_500,
    }  # fmt: skip
    assert stand.faults() == []


def test_a_future_order_waits_for_its_day(stand: Stand) -> None:
    """Warehoused until the day it is to be executed."""
    stand.compose(order(1, execution_date="2026-12-02"))
    assert stand.states() == {"PO-1": "READY"}
    stand.clock.advance(timedelta(days=1))
    stand.run("dispatch")
    assert stand.states() == {"PO-1": "READY"}
    stand.clock.advance(timedelta(days=1))
    stand.run("dispatch")
    assert stand.states() == {"PO-1": "COMPOSED"}
    assert transactions(stand)[0][0].settlement_date.isoformat() == "2026-12-02"


def test_what_misses_the_cut_off_settles_the_next_business_day(stand: Stand) -> None:
    """Taken in before the cut-off and composed after it: it is not sent with a date that has passed."""
    stand.submit(order(1))
    stand.clock.advance_to(START.replace(hour=8, minute=30))
    stand.run("dispatch")
    assert stand.states() == {"PO-1": "READY"}
    stand.clock.advance(timedelta(days=1, hours=-3))
    stand.run("dispatch")
    assert stand.states() == {"PO-1": "COMPOSED"}
    assert transactions(stand)[0][0].settlement_date.isoformat() == "2026-12-01"


def test_a_weekend_is_passed_over(stand: Stand) -> None:
    """Friday after the cut-off is Monday."""
    stand.clock.advance_to(START + timedelta(days=4, hours=8))
    stand.compose(order(1, execution_date="2026-12-04"))
    for days in (1, 1):
        stand.clock.advance(timedelta(days=days))
        stand.run("dispatch")
        assert stand.states() == {"PO-1": "READY"}
    stand.clock.advance(timedelta(days=1, hours=-8))
    stand.run("dispatch")
    assert transactions(stand)[0][0].settlement_date.isoformat() == "2026-12-07"


def test_one_bad_payment_is_held_and_the_others_are_sent(stand: Stand) -> None:
    """No valid message can be made of one of seven: it waits for a person with the reason, and alone."""
    stand.submit(*[order(n) for n in range(1, 8)])
    refusing(stand, lambda p: p.end_to_end_id == "E2E3")
    stand.run("dispatch")
    assert stand.states() == {f"PO-{n}": "HELD" if n == 3 else "COMPOSED" for n in range(1, 8)}
    assert stand.open() == {"cannot_compose": 1}
    assert "no valid message can be made of it" in stand.evidence("cannot_compose")["reason"]
    written = [p.end_to_end_id for _, some in transactions(stand) for p in some]
    assert sorted(written) == sorted(f"E2E{n}" for n in range(1, 8) if n != 3)
    assert stand.balances() == {"payable:fmis": 600_000, f"transit:{RIEL}": -600_000}
    assert stand.sql("SELECT COUNT(*) FROM outbox WHERE kind = 'bank.central-bank'") == [(len(transactions(stand)),)]
    assert stand.faults() == []


def test_when_all_are_bad_all_are_held_and_the_worker_comes_to_rest(stand: Stand) -> None:
    """A profile that makes nothing but invalid messages does not turn in circles."""
    stand.submit(*[order(n) for n in range(1, 4)])
    refusing(stand, lambda _: True)
    stand.run("dispatch")
    assert set(stand.states().values()) == {"HELD"}
    assert stand.open() == {"cannot_compose": 3}
    assert stand.documents() == []
    assert stand.balances() == {}
    assert stand.faults() == []


@pytest.mark.parametrize("code", ["DS0G", "DS0H"])
def test_a_key_that_may_not_sign_sends_nothing(stand: Stand, code: str) -> None:
    """A key of somebody else, or one of a relationship that does not have the account: each payment waits (rule 7)."""
    worker = stand.workers["dispatch"]
    assert isinstance(worker, Dispatch)
    if code == "DS0G":
        strange = stand.bank.stranger()
        worker._signer = lambda: strange
    else:
        others = tuple(own for own in worker._profile.accounts if own.number != RIEL)
        worker._profile = worker._profile.model_copy(update={"accounts": others})
    stand.compose(order())
    assert stand.states() == {"PO-1": "HELD"}
    assert stand.sql("SELECT reason FROM move WHERE event = 'hold'") == [(code,)]
    assert stand.open() == {"cannot_compose": 1}
    assert stand.documents() == []


def test_a_crash_while_composing_leaves_the_payments_ready(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither half a message nor a reservation without one; the next worker composes once."""

    def dies(*_: object) -> None:
        raise Killed

    stand.submit(order(1), order(2))
    monkeypatch.setattr(outbox, "add", dies)
    with pytest.raises(Killed):
        stand.step("dispatch")
    monkeypatch.undo()
    assert set(stand.states().values()) == {"READY"}
    assert stand.documents() == []
    assert stand.balances() == {}
    stand.start()
    stand.run("dispatch")
    assert set(stand.states().values()) == {"COMPOSED"}
    assert len(stand.documents()) == 1
    assert stand.faults() == []


def test_a_crash_after_the_commit_composes_nothing_twice(stand: Stand) -> None:
    """The claim and the message are one transaction."""
    stand.submit(order(1))
    stand.dies("dispatch", "dispatch.committed")
    stand.run("dispatch")
    assert len(stand.documents()) == 1


def test_a_message_says_nothing_of_other_sources(stand: Stand) -> None:
    """What travels is what the order said, Khmer included, and no internal number of a source."""
    name = "សុខ ដារ៉ា"
    stand.compose(order(1, creditor={"name": name, "address": {"country": "KH", "town": "Kep"}}))
    [document] = stand.documents()
    root = etree.fromstring(document)
    assert name in [e.text for e in root.iter("{*}Nm")]
    assert b"PO-1" not in document
    assert b"clerk" not in document


# ---------------------------------------------------------------------------------------------------------- chasing

DUE = timedelta(seconds=900)


def test_a_silent_bank_puts_payments_in_doubt_and_gets_the_same_bytes_again(stand: Stand) -> None:
    """A time-out never makes a second payment: the same bytes under the same MsgId, as often as the profile says."""
    stand.sent(order(1), order(2))
    [first] = stand.at_bank()
    for turn in range(1, 6):
        stand.clock.advance(DUE)
        stand.run("dispatch", "relay")
        assert set(stand.states().values()) == {"IN_DOUBT"}
        assert stand.at_bank() == ([first] if turn <= 3 else []), turn
    assert stand.open() == {"silent_bank": 1}
    assert len(stand.documents()) == 1
    assert stand.balances() == {"payable:fmis": 200_000, f"transit:{RIEL}": -200_000}
    assert stand.faults() == []


def test_a_late_answer_ends_the_doubt_and_closes_the_exception(stand: Stand) -> None:
    """What the bank says in the end counts; the exception closes by itself."""
    stand.sent(order(1), order(2))
    stand.clock.advance(DUE)
    stand.run("dispatch", "relay")
    one, two = stand.payments()
    stand.take(stand.bank.status("ACSC", [one]))
    stand.take(stand.bank.status("RJCT", [two], "AC04"))
    assert stand.states() == {"PO-1": "SETTLED", "PO-2": "REJECTED"}
    stand.clock.advance(DUE)
    stand.run("dispatch", "relay")
    assert stand.open() == {}
    assert stand.closed() == {"silent_bank": 1}
    assert stand.faults() == []


def test_a_partly_answered_message_leaves_only_the_rest_in_doubt(stand: Stand) -> None:
    """The bank answered one of two; nothing happens to that one."""
    one, _ = stand.sent(order(1), order(2))
    stand.take(stand.bank.status("ACSC", [one]))
    stand.clock.advance(DUE)
    stand.run("dispatch")
    assert stand.states() == {"PO-1": "SETTLED", "PO-2": "IN_DOUBT"}
    assert stand.evidence("silent_bank")["payments_without_answer"] == 1


def test_an_answered_message_is_not_chased(stand: Stand) -> None:
    """Nor is one that was not sent yet: the bank cannot answer what it never got."""
    paid = stand.sent(order(1))
    stand.take(stand.bank.status("ACSC", paid))
    stand.submit(order(2))
    stand.run("dispatch")
    stand.clock.advance(DUE * 10)
    stand.run("dispatch")
    assert stand.states() == {"PO-1": "SETTLED", "PO-2": "COMPOSED"}
    assert stand.open() == {}
