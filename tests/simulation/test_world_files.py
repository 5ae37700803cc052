"""Customer files in simulated worlds: everything goes wrong on their way somewhere, and what is broken is found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from gateway.flow.collector import Collector
from gateway.flow.courier import Sheet
from gateway.operations import doubts
from schemas.model.money import Money
from simulators import world
from simulators.customer_desk import REPORTS, STATEMENTS, CustomerDesk
from simulators.world import WorldBroken, run
from simulators.world_files_checks import file_troubles
from simulators.world_wire import Gate

_DEFINITIONS = "SELECT definition FROM document WHERE channel = 'folder' AND state = 'APPLIED'"


def test_everything_happens_to_files_in_some_worlds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faults, dialects and decisions that no world ever has prove nothing."""
    seen, forms = Counter[str](), set[object]()

    def troubles(books: Any, files: Any) -> list[str]:
        seen.update(files.gate.happened)
        seen.update(p.state for p in books.payments if p.profile == files.profile.name)
        confirmed = books.rows("SELECT body FROM trail WHERE action = 'doubt.confirm'")
        seen.update(choice for (body,) in confirmed for choice in doubts.Choice if f'"choice":"{choice}"' in body)
        seen.update(row[0] for row in books.rows("SELECT action FROM trail WHERE action LIKE 'channel.%'"))
        seen.update(row[0] for row in books.rows(_DEFINITIONS))
        pain = files.profile.pain
        forms.update((pain.version, pain.batch_booking, files.gate.idempotent, files.desk.form))
        return file_troubles(books, files)

    monkeypatch.setattr(world, "file_troubles", troubles)
    _run_all(range(1, 25))
    assert seen.keys() >= {
        "away", "outage", "refused", "cut before", "cut after", "known", "unheard", "delayed", "doubled", "broken",
        "SETTLED", "REJECTED", "RETURNED", "settle", "reject", "resend", "channel.hold", "channel.release",
        "pain.007.001.05", "pacs.004.001.09",
    }  # fmt: skip
    assert forms == {*REPORTS, *STATEMENTS, True, False}


# ------------------------------------------------------------------------ banks and gateways that are broken on purpose


def bank_pays_a_name_twice(patch: pytest.MonkeyPatch) -> None:
    """A bank that says that it knows names, and takes what comes again for another file."""
    patch.setattr(Gate, "knows", lambda *_: False)


def bank_books_what_it_has_rejected(patch: pytest.MonkeyPatch) -> None:
    """A bank that reports a payment as rejected, and books it all the same."""
    real = CustomerDesk._decision

    def decision(self: Any, message_id: str, name: str, decided: Any) -> Any:
        return real(self, message_id, name, [(block, ["AC04", *reasons[1:]]) for block, reasons in decided])

    patch.setattr(CustomerDesk, "_decision", decision)


def bank_takes_money_in_silence(patch: pytest.MonkeyPatch) -> None:
    """A bank whose books hold less than its statements say."""
    real = CustomerDesk.balance

    def balance(self: Any, account: str) -> Money:
        money = real(self, account)
        return Money(money.amount_minor - 1, money.currency)

    patch.setattr(CustomerDesk, "balance", balance)


def courier_forgets_that_it_has_begun(patch: pytest.MonkeyPatch) -> None:
    """Hand over again what another process had begun to hand over when it died."""
    patch.setattr(Sheet, "begun", property(lambda _: False, lambda *_: None), raising=False)


def collector_lets_go_first(patch: pytest.MonkeyPatch) -> None:
    """Let the bank forget letters that nobody has kept."""
    real = Collector._take
    patch.setattr(Collector, "_take", lambda self, arrivals: real(self, arrivals[1:]))


@pytest.mark.parametrize(
    ("breaks", "check"),
    [
        (bank_pays_a_name_twice, "no_file_is_paid_twice"),
        (bank_books_what_it_has_rejected, "both_know_the_same_of_files|unexpected_state"),
        (bank_takes_money_in_silence, "the_cash_is_the_file_banks"),
        (courier_forgets_that_it_has_begun, "no_file_is_paid_twice"),
        (collector_lets_go_first, "the_cash_is_the_file_banks|every_file_has_its_end|every_booking_is_one_entry"),
    ],
)
def test_what_is_broken_about_files_is_found(
    breaks: Callable[[pytest.MonkeyPatch], None], check: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checks that could not fail would prove nothing."""
    breaks(monkeypatch)
    with pytest.raises(WorldBroken, match=check):
        _run_all(range(1, 40))


def _run_all(seeds: Iterable[int]) -> None:
    for seed in seeds:
        run(seed)
