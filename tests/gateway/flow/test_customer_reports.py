"""What a bank says of a customer's file moves its payments, at three levels; and what it booked as one is found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from adapters.rails import rail
from gateway.core.lifecycle import State
from gateway.flow.composing import messages_max
from schemas.iso20022 import pain007
from schemas.model.statement import Entry
from schemas.model.status import BlockStatus, Return
from simulators.stage import Stage
from tests.gateway.flow.customers import ACCOUNTS, PAYROLL, Clerk, block, of, opened_at
from tests.gateway.flow.stand import DAY, START, Killed, Stand, order

HILL, RIVER = ACCOUNTS["hill-bank"], ACCOUNTS["river-bank"]


@pytest.fixture
def hill(stage: Stage, url: str, tmp_path: Path) -> Iterator[Stand]:
    """A bank of today, on each engine."""
    with opened_at(stage, url, tmp_path, "hill-bank") as stand:
        yield stand


@pytest.fixture
def river(stage: Stage, url: str, tmp_path: Path) -> Iterator[Stand]:
    """A bank of the older kind, on each engine."""
    with opened_at(stage, url, tmp_path, "river-bank") as stand:
        yield stand


def ordered(number: int, account: str = HILL, **changes: Any) -> dict[str, Any]:
    """Return an order that is paid from an account at the bank."""
    given = {"debtor_account": {"number": account}, "charge_bearer": "SLEV"}
    return order(number, **{**given, **changes})


def booked(amount_minor: int, **said: Any) -> Entry:
    """Return a booked line without details."""
    return Entry(0, amount_minor, "KHR", "BOOK", DAY, DAY, None, "B-1", "PMNT/ICDT/DMCT", **said)


# ------------------------------------------------------------------------------------------------------------ blocks


def test_a_file_and_its_blocks_are_kept(hill: Stand) -> None:
    """A report or an entry that names a block must find its payments."""
    dollars: dict[str, Any] = {"currency": "USD", "amount": "5.00", "debtor_account": {"number": "720000000002"}}
    hill.sent(ordered(1), ordered(2), ordered(3, **dollars))
    clerk = Clerk(hill)
    kept = hill.sql(
        "SELECT message_payment.block, message_payment.payment, block.profile FROM message_payment"
        " JOIN block ON block.id = message_payment.block AND block.message = message_payment.message ORDER BY 2"
    )
    blocks = [found.block_id for _, blocks in clerk.files() for found in blocks]
    assert [tuple(row) for row in kept] == [
        (blocks[0], 1, "hill-bank"), (blocks[0], 2, "hill-bank"), (blocks[1], 3, "hill-bank")
    ]  # fmt: skip


def test_a_bank_that_takes_one_block_gets_a_file_for_each_account(river: Stand) -> None:
    """One block has one debtor account: the other account's payments go into another file."""
    river.sent(ordered(1, RIVER), ordered(2, PAYROLL), ordered(3, RIVER))
    files = Clerk(river).files()
    assert [[len(found.payments) for found in blocks] for _, blocks in files] == [[2], [1]]
    assert [blocks[0].payments[0].debtor_account.number for _, blocks in files] == [RIVER, PAYROLL]


def test_enough_numbers_are_taken_for_files_written_ahead() -> None:
    """What a rail keeps apart is not known before its orders are read: a number for each payment is enough."""
    assert messages_max(rail("customer_file"), ["KHR"] * 5, 500) == 5
    assert messages_max(rail("high_value"), ["KHR"] * 9, 2) == 5 + 2, "three kinds, each in messages of its own"


def test_a_report_that_was_kept_by_a_process_that_died_is_applied(hill: Stand) -> None:
    """Nobody brings it again where it came in the exchange that handed the file over."""
    hill.sent(ordered(1))
    hill.kill_at = "inbound.archived"
    with pytest.raises(Killed):
        hill.take(Clerk(hill).report("ACSP"))
    hill.clock.advance(timedelta(minutes=6))
    hill.step("inbound")
    assert hill.states() == {"PO-1": "ACCEPTED"}
    assert hill.open() == {}


# ------------------------------------------------------------------------------------------------------------ levels


def test_the_more_exact_level_counts(hill: Stand) -> None:
    """A transaction before its block, a block before its message: the bank excepts from what it says in general."""
    paid = hill.sent(ordered(1), ordered(2), ordered(3, urgency="high"))
    clerk = Clerk(hill)
    [(_, blocks)] = clerk.files()
    assert hill.take(clerk.report("ACSP", [block(blocks[0], "RJCT", of(paid[0], "ACSC"), reason="AM04")])) == [
        "APPLIED"
    ]
    assert hill.states() == {"PO-1": "SETTLED", "PO-2": "REJECTED", "PO-3": "REJECTED"}
    assert hill.open() == {}
    assert hill.faults() == []


def test_a_blocks_status_is_of_its_own_payments_only(hill: Stand) -> None:
    """Another block of the same file has a status of its own."""
    other = {"name": "Ministry of Health", "address": {"country": "KH", "town": "Phnom Penh"}}
    hill.sent(ordered(1), ordered(2, debtor=other), ordered(3))
    clerk = Clerk(hill)
    [(_, blocks)] = clerk.files()
    assert [len(found.payments) for found in blocks] == [2, 1]
    hill.take(clerk.report(None, [block(blocks[0], "RJCT", reason="AC04"), block(blocks[1], "ACCP")]))
    assert hill.states() == {"PO-1": "REJECTED", "PO-2": "ACCEPTED", "PO-3": "REJECTED"}
    clerk.created += timedelta(minutes=1)
    hill.take(clerk.report("ACSC", [block(blocks[0], "PART")]))
    assert hill.states() == {"PO-1": "REJECTED", "PO-2": "SETTLED", "PO-3": "REJECTED"}
    assert hill.open() == {}


@pytest.mark.parametrize("level", ["message", "block"])
def test_part_alone_says_nothing(hill: Stand, level: str) -> None:
    """That some were rejected does not say which."""
    hill.sent(ordered(1), ordered(2))
    clerk = Clerk(hill)
    [(_, blocks)] = clerk.files()
    blocks_said = [block(blocks[0], "PART")] if level == "block" else []
    hill.take(clerk.report("PART", blocks_said))
    assert hill.states() == {"PO-1": "SENT", "PO-2": "SENT"}
    assert hill.open() == {}


def test_a_file_refused_whole_releases_each_payment(hill: Stand) -> None:
    """A group status without more is of everything in the file."""
    hill.sent(ordered(1), ordered(2))
    hill.take(Clerk(hill).report("RJCT", reason="FF01"))
    assert hill.states() == {"PO-1": "REJECTED", "PO-2": "REJECTED"}
    assert hill.balances() == {}


@pytest.mark.parametrize("what", ["block", "message", "nameless"])
def test_a_report_of_what_is_not_ours_is_for_a_person(hill: Stand, what: str) -> None:
    """Rule 57: a status of a block or message that nobody sent must be seen by somebody."""
    hill.sent(ordered(1))
    clerk = Clerk(hill)
    if what == "block":
        document = clerk.report(None, [BlockStatus("NOT-OURS", "ACSC")])
    elif what == "message":
        document = clerk.report("ACSC", original_message_id="NOT-OURS")
    else:
        document = clerk.report("RJCT").replace(b"<OrgnlMsgId>", b"<!--").replace(b"</OrgnlMsgId>", b"-->")
    assert hill.take(document) == ["APPLIED"]
    assert hill.states() == {"PO-1": "SENT"}
    assert hill.open() == {"unknown_payment": 1}


# ------------------------------------------------------------------------------------------------------ supersession


def test_a_report_made_earlier_changes_nothing_when_it_comes_later(hill: Stand) -> None:
    """Rule 58: files are fetched in any order, and what the bank said last is what holds."""
    paid = hill.sent(ordered(1), ordered(2))
    clerk = Clerk(hill, created=START + timedelta(minutes=5))
    [(_, [found])] = clerk.files()
    hill.take(clerk.report("PART", [block(found, "PART", of(paid[0], "RJCT", "AC04"))]))
    clerk.created = START
    hill.take(clerk.report("PART", [block(found, "PART", of(paid[0], "ACSC"), of(paid[1], "ACSP"))]))
    assert hill.states() == {"PO-1": "REJECTED", "PO-2": "ACCEPTED"}
    assert hill.open() == {}
    assert [action for _, action in hill.trails()].count("status.superseded") == 1
    assert hill.faults() == []


@pytest.mark.parametrize(("minutes", "copies"), [(-1, 0), (1, 1)], ids=["made earlier", "made later"])
def test_a_message_is_unheard_only_where_that_is_the_banks_last_word(hill: Stand, minutes: int, copies: int) -> None:
    """A report that the bank made before it took the file says no more that the file never came."""
    paid = hill.sent(ordered(1))
    transport = hill.gateway.profiles["hill-bank"].transport.model_copy(update={"duplicate_names_refused": True})
    profile = hill.gateway.profiles["hill-bank"].model_copy(update={"transport": transport})
    hill.workers["inbound"]._profile = profile  # type: ignore[attr-defined]  # the worker's own profile
    clerk = Clerk(hill, created=START)
    [(_, [found])] = clerk.files()
    hill.take(clerk.report(None, [block(found, None, of(paid[0], "ACSP"))]))
    clerk.created = START + timedelta(minutes=minutes)
    hill.take(clerk.report(None, [block(found, None, of(paid[0], "RJCT", "NOOR"))]))
    assert hill.states() == {"PO-1": "ACCEPTED"}
    assert hill.sql("SELECT COUNT(*) FROM outbox WHERE kind <> 'event'") == [(copies,)]


def test_a_report_made_later_counts(hill: Stand) -> None:
    """A rejection may follow an acceptance; one made after a settlement contradicts it, and is for a person."""
    paid = hill.sent(ordered(1), ordered(2))
    clerk = Clerk(hill)
    [(_, [found])] = clerk.files()
    for minutes, status in enumerate(("ACCP", "RJCT"), 1):
        clerk.created = START + timedelta(minutes=minutes)
        hill.take(clerk.report(None, [block(found, None, of(paid[0], status, None))]))
    assert hill.states()["PO-1"] == "REJECTED"
    for minutes, status in enumerate(("ACSC", "RJCT"), 3):
        clerk.created = START + timedelta(minutes=minutes)
        hill.take(clerk.report(None, [block(found, None, of(paid[1], status, None))]))
    assert hill.states()["PO-2"] == "SETTLED"
    assert hill.open() == {"unexpected_state": 1}


def test_two_reports_at_once_are_told_apart_by_their_times(hill: Stand) -> None:
    """What comes together is applied together, in whatever order it lay in the folder."""
    paid = hill.sent(ordered(1))
    clerk = Clerk(hill, created=START + timedelta(seconds=2))
    [(_, [found])] = clerk.files()
    late = clerk.report(None, [block(found, None, of(paid[0], "RJCT", "AC01"))])
    clerk.created = START + timedelta(seconds=1)
    early = clerk.report("ACCP")
    assert hill.take(late, early) == ["APPLIED", "APPLIED"]
    assert hill.states() == {"PO-1": "REJECTED"}
    assert hill.open() == {}


def test_a_report_that_contradicts_itself_makes_no_true_one_late(hill: Stand) -> None:
    """It moved nothing, so what was said before it and comes after it still counts."""
    paid = hill.sent(ordered(1), ordered(2))
    clerk = Clerk(hill, created=START + timedelta(seconds=2))
    [(_, [found])] = clerk.files()
    mixed = replace(of(paid[0], "RJCT", "AC01"), end_to_end_id=paid[1].end_to_end_id)
    hill.take(clerk.report(None, [block(found, None, mixed)]))
    clerk.created = START + timedelta(seconds=1)
    hill.take(clerk.report(None, [block(found, None, of(paid[0], "ACSC", None))]))
    assert hill.states()["PO-1"] == "SETTLED"
    assert hill.open() == {"unexpected_state": 1}


def test_reports_made_in_the_same_moment_both_count(hill: Stand) -> None:
    """Many banks state whole seconds: an acceptance and a rejection of one second are not told apart by them."""
    paid = hill.sent(ordered(1))
    clerk = Clerk(hill)
    [(_, [found])] = clerk.files()
    hill.take(clerk.report("ACCP"))
    hill.take(clerk.report(None, [block(found, None, of(paid[0], "RJCT", "AC01"))]))
    assert hill.states() == {"PO-1": "REJECTED"}


def test_a_report_without_its_time_counts_as_it_comes(hill: Stand) -> None:
    """Nobody can say when it was made: the lifecycle alone decides."""
    hill.sent(ordered(1))
    clerk = Clerk(hill)
    created = clerk.created.isoformat().encode()
    document = clerk.report("ACCP").replace(b"<CreDtTm>" + created + b"</CreDtTm>", b"")
    assert hill.take(document) == ["APPLIED"]
    assert hill.states() == {"PO-1": "ACCEPTED"}
    assert hill.sql("SELECT told_ms FROM payment") == [(None,)]


# -------------------------------------------------------------------------------------------------- what comes back


def test_a_reversal_brings_the_money_back(hill: Stand) -> None:
    """A pain.007 after settlement is a return like any other."""
    [paid] = hill.sent(ordered(1))
    clerk = Clerk(hill)
    [(group, [found])] = clerk.files()
    hill.take(clerk.report("ACSC"))
    back = Return(
        "", "RV-1", paid.amount, group.message_id, "pain.001.001.05", paid.end_to_end_id, paid.instruction_id, None,
        paid.amount, "AC04", None,
    )  # fmt: skip
    document = pain007.build("RV-9", datetime(2026, 11, 30, 5, tzinfo=UTC), {found.block_id: [back]})
    assert hill.take(etree.tostring(document)) == ["APPLIED"]
    assert hill.states() == {"PO-1": "RETURNED"}
    assert hill.balances() == {"payable:fmis": 100_000, f"returned:{HILL}": -100_000}
    assert hill.faults() == []


# -------------------------------------------------------------------------------------------------------- statements


@pytest.mark.parametrize("place", ["batch", "both", "detail", "reference", "text"])
def test_an_entry_that_books_a_block_settles_its_payments_less_the_rejected(hill: Stand, place: str) -> None:
    """Batch booking: one debit, named by the PmtInfId, wherever the bank writes it."""
    other = {"name": "Ministry of Health", "address": {"country": "KH", "town": "Phnom Penh"}}
    paid = hill.sent(ordered(1), ordered(2), ordered(3), ordered(4, debtor=other))
    clerk = Clerk(hill)
    [(group, blocks)] = clerk.files()
    first, second = (found.block_id for found in blocks)
    hill.take(clerk.report("PART", [block(blocks[0], "PART", of(paid[1], "RJCT", "AC04"))]))
    document = clerk.statement([booked(-200_000), booked(-100_000, additional_info=second)], HILL)
    root = etree.fromstring(document)
    _say(root, place, first, group.message_id)
    assert hill.take(etree.tostring(root)) == ["APPLIED"]
    assert hill.states() == {"PO-1": "SETTLED", "PO-2": "REJECTED", "PO-3": "SETTLED", "PO-4": "SETTLED"}
    assert hill.open() == {}
    assert hill.balances() == {"payable:fmis": 300_000, f"bank:{HILL}": -300_000}
    assert hill.faults() == []


def _say(root: etree._Element, place: str, block_id: str, message_id: str) -> None:
    """Write the block into the first entry of a statement."""
    entry = root.find(".//{*}Ntry")
    assert entry is not None
    namespace = etree.QName(entry).namespace
    markup = {
        "batch": f"<NtryDtls><Btch><PmtInfId>{block_id}</PmtInfId></Btch></NtryDtls>",
        "both": f"<NtryDtls><Btch><MsgId>{message_id}</MsgId><PmtInfId>{block_id}</PmtInfId></Btch></NtryDtls>",
        "detail": f"<NtryDtls><TxDtls><Refs><PmtInfId>{block_id}</PmtInfId></Refs></TxDtls></NtryDtls>",
        "reference": f"<NtryRef>{block_id}</NtryRef>",
        "text": f"<AddtlNtryInf>COLLECTIVE ORDER {block_id} 2 ITEMS</AddtlNtryInf>",
    }[place]
    new = etree.fromstring(f'<x xmlns="{namespace}">{markup}</x>')[0]
    if place == "reference":
        entry.insert(0, new)
    else:
        entry.append(new)


def test_a_block_that_was_booked_with_another_sum_waits_for_a_person(hill: Stand) -> None:
    """What the bank took of a block must be what is open of it, or somebody has to look."""
    hill.sent(ordered(1), ordered(2))
    clerk = Clerk(hill)
    [(_, [found])] = clerk.files()
    root = etree.fromstring(clerk.statement([booked(-150_000)], HILL))
    _say(root, "batch", found.block_id, "")
    hill.take(etree.tostring(root))
    assert set(hill.states().values()) == {State.SENT}
    assert hill.open() == {"batch_sum_differs": 1}
    assert hill.faults() == []
