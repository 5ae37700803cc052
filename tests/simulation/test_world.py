"""Whole treasuries, simulated from seeds: each must add up, come out the same every time, and be able to fail."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer

from gateway.core import ledger as ledger_core
from gateway.core import lifecycle
from gateway.core.lifecycle import Event, Move, Posting, State
from gateway.core.matchers import sweeps
from gateway.flow import intake, notices, outcomes, reconcile, statements, statuses
from gateway.store import archive, ledger, outbox
from schemas.iso20022.parser import parse
from security import xmldsig
from security.trust import TrustStore
from simulators import bank_books, bank_rules, central_bank, commercial_bank, world, world_weather
from simulators.behaviour import Behaviour
from simulators.world import WorldBroken, run
from simulators.world_cashiers import cashier_troubles
from simulators.world_commerce_checks import commercial_troubles
from simulators.world_ground import ground

ROOT = Path(__file__).resolve().parents[2]
SEEDS = 300
SEEDS_A_TEST = 10
"""Few enough that parallel test processes share them out evenly."""


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1, SEEDS + 1, SEEDS_A_TEST))
def test_every_world_adds_up(first: int) -> None:
    """Faults, crashes and delays change when things happen, never what they come to."""
    orders = sum(run(seed).orders for seed in range(first, first + SEEDS_A_TEST))
    assert orders > SEEDS_A_TEST


def test_a_seed_gives_the_same_world_every_time() -> None:
    """A failure that cannot be repeated cannot be found: neither process nor hash seed may change what happens."""
    seed = 5
    script = f"from simulators.world import run; print(run({seed}).digest)"
    digests = {run(seed).digest}
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
        digests.add(done.stdout.strip())
    assert len(digests) == 1


def test_other_seeds_give_other_worlds() -> None:
    """A generator that ignored its seed would test one world three hundred times."""
    reports = [run(seed) for seed in (1, 2, 3)]
    assert len({report.digest for report in reports}) == len(reports)


def test_the_worlds_are_stormy_enough() -> None:
    """Calm worlds prove nothing: every kind of fault and many a crash must have happened in a few of them."""
    reports = [run(seed) for seed in range(1, 13)]
    kinds = {kind for report in reports for kind in report.faults}
    assert kinds == {"lost", "doubled", "reordered", "delayed", "corrupted", "away", "unacknowledged"}
    assert sum(report.crashes for report in reports) > len(reports)
    states = {state for report in reports for state in report.states}
    assert {"SETTLED", "REJECTED", "RETURNED", "CANCELLED"} <= states


def test_the_commercial_bank_writes_in_every_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forms that no world ever has prove nothing: each of them, and each thing that may happen, is in a few worlds."""
    forms, kinds = Counter[str](), Counter[str]()

    def troubles(books: Any, commerce: Any) -> list[str]:
        forms.update(commerce.post.forms)
        kinds.update(movement.kind for movement in commerce.bank.booked())
        return commercial_troubles(books, commerce)

    monkeypatch.setattr(world, "commercial_troubles", troubles)
    _run_all(range(1, 13))
    for form in ("camt.052", "camt.053.001.02", "camt.053.001.08 paged", "camt.054", "CSV", "MT940", "MT942"):
        assert any(name.startswith(form) for name in forms), form
    assert set(kinds) == {"sweep", "charge", "interest", "bill", "credit", "debit", "reversal"}


def test_money_for_nobody_goes_back_in_the_worlds(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it or a part, and the bank, which rejects more than elsewhere, settles some of it and rejects some."""
    seen = Counter[str]()

    def troubles(books: Any) -> list[str]:
        seen.update(p.state for p in books.payments if p.source == ledger_core.OWN_SOURCE)
        kept = "SELECT COUNT(*) FROM transfer WHERE cause = 'resolve' AND credit LIKE 'charges:%'"
        seen["kept"] += books.rows(kept)[0][0]
        return cashier_troubles(books)

    monkeypatch.setattr(world, "cashier_troubles", troubles)
    often = {"rejections": {"AC04": 0.15}}
    monkeypatch.setattr(world_weather, "Behaviour", lambda **how: Behaviour(**{**how, **often}))
    _run_all(range(1, 25))
    assert seen.keys() >= {"SETTLED", "REJECTED", "kept"}
    assert seen["SETTLED"] > seen["REJECTED"]


def test_the_chronicle_tells_what_happened(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever replays a seed reads it line by line."""
    world.command(seed=2, verbose=True)
    told = capsys.readouterr().out
    assert "closing" in told
    assert "1 of 1 worlds add up" in told


def test_a_broken_world_says_how_to_replay_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A seed is worth nothing to who does not know what to do with it."""
    monkeypatch.setattr(world, "troubles", lambda _books: ["the sky fell"])
    with pytest.raises(typer.Exit):
        world.command(seeds=1, seed=9)
    assert "gateway world --seed 9 --verbose\n  - the sky fell" in capsys.readouterr().err


# ---------------------------------------------------------------------- gateways and banks that are broken on purpose


def pays_for_acceptance(patch: pytest.MonkeyPatch) -> None:
    """Post to the ledger when the bank has only accepted a payment."""
    moves = dict(lifecycle.MOVES)
    for state in (State.COMPOSED, State.SENT, State.IN_DOUBT):
        moves[state, Event.ACCEPT] = Move(State.ACCEPTED, (Posting.SETTLE,))
    patch.setattr(lifecycle, "MOVES", moves)


def posts_twice_the_amount(patch: pytest.MonkeyPatch) -> None:
    """Post a settlement with another amount than the payment's."""
    real = ledger.post_picked

    def post_picked(db: Any, like: Any, at_ms: int) -> None:
        if like.cause != "settle":
            real(db, like, at_ms)
            return
        rows = db.connection.execute("SELECT pick.id, amount_minor FROM pick JOIN payment ON payment.id = pick.id")
        made = [replace(like, subject=n, amount_minor=minor * (1 if n % 7 else 2)) for n, minor in rows.fetchall()]
        ledger.post(db, made, at_ms)

    patch.setattr(ledger, "post_picked", post_picked)


def forgets_what_it_leased(patch: pytest.MonkeyPatch) -> None:
    """Drop a letter from the outbox before it is published."""
    real = outbox.lease

    def lease(db: Any, *arguments: Any) -> Any:
        leased = real(db, *arguments)
        outbox.finish(db, [letter.id for letter in leased])
        return leased

    patch.setattr(outbox, "lease", lease)


def tells_half(patch: pytest.MonkeyPatch) -> None:
    """Keep some outcomes from the sources."""
    real = outcomes.moved
    patch.setattr(outcomes, "moved", lambda move: real(move) if move.payment.id % 5 else _nothing(real(move)))


def _nothing(outcome: outcomes.Outcome) -> outcomes.Outcome:
    return outcome._replace(state=State.ACCEPTED)  # a state that no source hears of


def believes_a_duplicate_is_a_rejection(patch: pytest.MonkeyPatch) -> None:
    """Release the money when the bank says that a message came before."""
    patch.setattr(
        statuses, "event_of", lambda status, _, **_more: {"RJCT": Event.REJECT, "ACSC": Event.SETTLE}.get(status)
    )


def believes_anyone(patch: pytest.MonkeyPatch) -> None:
    """Take a document whoever of the authority's customers has signed it."""
    patch.setattr(TrustStore, "require_owner", lambda *_: None)


def leaves_out_what_it_cannot_explain(patch: pytest.MonkeyPatch) -> None:
    """Post only the entries that name a payment."""
    real = ledger.post
    patch.setattr(
        ledger, "post",
        lambda db, transfers, at_ms: real(db, [t for t in transfers if t.cause != "suspend"], at_ms),
    )  # fmt: skip


def forgets_messages(patch: pytest.MonkeyPatch) -> None:
    """Acknowledge order messages of which nothing was kept."""
    real = intake.Intake._take

    def take(self: Any, group: list[Any]) -> None:
        kept = [letter for letter in group if not letter.message.message_id.endswith("3")]
        self._consumer.acknowledge([letter.delivery for letter in group if letter not in kept])
        self._settled([letter.delivery for letter in group if letter not in kept])
        if kept:
            real(self, kept)

    patch.setattr(intake.Intake, "_take", take)


def joins_what_does_not_join(patch: pytest.MonkeyPatch) -> None:
    """Put statements in a row whatever their balances say: the cash would not be the bank's."""
    patch.setattr(reconcile, "_lead", lambda *_: None)


def bank_pays_what_comes_again(patch: pytest.MonkeyPatch) -> None:
    """A bank that forgets what it has answered, and does not look at the references either."""
    patch.setattr(bank_books.Books, "answer", lambda *_: None)
    patch.setattr(bank_books.Books, "keep_answer", lambda *_: None)
    patch.setattr(world_weather, "Behaviour", lambda **how: Behaviour(**{**how, "checks_duplicates": False}))


def composes_anew(patch: pytest.MonkeyPatch) -> None:
    """Send other bytes under another MsgId instead of the same again, to a bank that looks at nothing else."""
    real, readings = archive.get, Counter[str]()

    def get(db: Any, name: str) -> bytes:
        document = real(db, name)
        readings[name] += 1
        return document if readings[name] == 1 else _renamed(document, f"{readings[name] % 100:02d}")

    patch.setattr(archive, "get", get)
    patch.setattr(world_weather, "Behaviour", lambda **how: Behaviour(**{**how, "checks_duplicates": False}))


def _renamed(document: bytes, suffix: str) -> bytes:
    """Return a message under another MsgId, signed anew; what is not signed is to another bank, and stays as it is."""
    root = parse(document)
    signature = root.find("{*}AppHdr/{*}Sgntr")
    if signature is None:
        return document
    root[0].remove(signature)
    for element in root.iter("{*}BizMsgIdr", "{*}MsgId"):
        element.text = f"{(element.text or '')[:-3]}X{suffix}"
    return xmldsig.sign(root, ground().own_key)


def bank_pays_in_silence(patch: pytest.MonkeyPatch) -> None:
    """A bank that books money which is on no statement."""
    real = central_bank.CentralBank.end_of_day

    def end_of_day(self: Any, day: Any) -> Any:
        documents = list(real(self, day))
        self.books.move(self.books.accounts[0], -1)
        return documents

    patch.setattr(central_bank.CentralBank, "end_of_day", end_of_day)


def bank_denies_what_was_given_back(patch: pytest.MonkeyPatch) -> None:
    """A bank that takes what is given back, and says that it does not."""
    real = bank_rules.status_of

    def status_of(movement: Any, today: Any) -> Any:
        said = real(movement, today)
        return said if movement.original is None else replace(said, status="RJCT", reason="AC04", settlement_date=None)

    patch.setattr("simulators.central_bank.status_of", status_of)


def bank_gets_more_than_was_paid_in(patch: pytest.MonkeyPatch) -> None:
    """Deposits of half of what is given back."""
    real = bank_books.Books.deposits
    patch.setattr(
        bank_books.Books, "deposits", lambda self: (x._replace(amount_minor=x.amount_minor // 2) for x in real(self))
    )


def finds_no_other_leg(patch: pytest.MonkeyPatch) -> None:
    """Let every leg of a sweep wait for another one."""
    patch.setattr(sweeps, "_fits", lambda *_: False)


def takes_every_version_for_a_later_one(patch: pytest.MonkeyPatch) -> None:
    """Believe the statement that comes last, whenever it was made."""
    patch.setattr(statements, "_is_older", lambda *_: False)


def loses_notices(patch: pytest.MonkeyPatch) -> None:
    """Never find on a statement what was announced."""
    patch.setattr(notices, "link", lambda *_: 0)


def commercial_bank_pays_in_silence(patch: pytest.MonkeyPatch) -> None:
    """A commercial bank whose books hold more than its statements say."""
    real = commercial_bank.CommercialBank.booked

    def booked(self: Any) -> Any:
        movements = real(self)
        return [*movements, *movements[:1]]

    patch.setattr(commercial_bank.CommercialBank, "booked", booked)


@pytest.mark.parametrize(
    ("breaks", "check"),
    [
        (pays_for_acceptance, "the_ledger_is_whole|Conflict|lying"),
        (posts_twice_the_amount, "the_ledger_is_whole"),
        (forgets_what_it_leased, "still open|every_source_knows"),
        (tells_half, "every_source_knows"),
        (believes_a_duplicate_is_a_rejection, "both_know_the_same|only_a_person"),
        (believes_anyone, "forged"),
        (leaves_out_what_it_cannot_explain, "the_cash_is_the_banks"),
        (forgets_messages, "every_order_has_one_fate"),
        (joins_what_does_not_join, "the_cash_is_the_banks|the_ledger_is_whole"),
        (composes_anew, "nothing_is_paid_twice"),
        (bank_pays_what_comes_again, "nothing_is_paid_twice"),
        (bank_pays_in_silence, "the_cash_is_the_banks"),
        (bank_denies_what_was_given_back, "both_know_the_returns"),
        (bank_gets_more_than_was_paid_in, "no_credit_goes_back_twice"),
        (finds_no_other_leg, "own_transfers_hold_the_missing_legs"),
        (takes_every_version_for_a_later_one, "the_cash_is_the_commercial_banks|every_movement_is_one_entry"),
        (loses_notices, "notices_posted_nothing|notified_not_booked"),
        (commercial_bank_pays_in_silence, "every_movement_is_one_entry"),
    ],
)
def test_what_is_broken_on_purpose_is_found(
    breaks: Callable[[pytest.MonkeyPatch], None], check: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checks that could not fail would prove nothing."""
    breaks(monkeypatch)
    with pytest.raises(WorldBroken, match=check):
        _run_all(range(1, 25))


def _run_all(seeds: Iterable[int]) -> None:
    for seed in seeds:
        run(seed)
