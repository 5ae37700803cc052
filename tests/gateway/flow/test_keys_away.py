"""Without a key that can sign, payments wait and everything else goes on; with one they go out by themselves."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.service import Worker
from schemas.errors import KeyUnavailable, Unavailable
from security.keys import FileKey, retire
from simulators.stage import PASSPHRASE, PROFILE, Stage
from tests.gateway.flow.stand import OWN_BIC, QUIET, START, Stand, opened, order

LOOK = timedelta(seconds=60)
"""How long a key in use is not looked up again."""


@pytest.fixture
def keyless(stage: Stage, url: str, tmp_path: Path) -> Iterator[Stand]:
    """A stand whose keys folder is empty."""
    folder = tmp_path / "keys"
    folder.mkdir()
    with opened(stage, url, keys_folder=folder) as made:
        yield made


@pytest.fixture
def keyed(keyless: Stand) -> Stand:
    """A stand whose keys folder may be changed."""
    install(keyless)
    return keyless


def install(stand: Stand) -> None:
    """Let an operator install the key that the bank knows."""
    own = Path(stand.stage.home) / "keys"
    shutil.copytree(own, stand.gateway.settings.keys_folder, dirs_exist_ok=True)


def another(stand: Stand) -> None:
    """Let an operator make the next key."""
    FileKey.create(
        stand.gateway.settings.keys_folder, "treasury-2", PASSPHRASE.encode(), owner_name="National Treasury",
        owner_bic=OWN_BIC, at=stand.clock.now(), profile=PROFILE, certifier=stand.stage.authority,
    )  # fmt: skip


def damaged(stand: Stand) -> None:
    """Spoil the key's file, as a full disk does."""
    file = stand.gateway.settings.keys_folder / "treasury-1.key.pem"
    file.write_bytes(file.read_bytes()[:40])


def retired(stand: Stand) -> None:
    """Let an operator retire the only key."""
    retire(stand.gateway.settings.keys_folder, "treasury-1", at=stand.clock.now())


def nowhere(stand: Stand) -> None:
    """Take the folder away: its disk is not mounted."""
    shutil.rmtree(stand.gateway.settings.keys_folder)


def test_without_a_key_payments_wait_and_nothing_is_lost(keyless: Stand) -> None:
    """It is waited for like a server that is away; each attempt leaves the payments as they were."""
    keyless.submit(order(1), order(2))
    for _ in range(3):
        with pytest.raises(KeyUnavailable) as said:
            keyless.step("dispatch")
        assert isinstance(said.value, Unavailable)
        assert PASSPHRASE not in str(said.value)
    assert set(keyless.states().values()) == {"READY"}
    assert keyless.documents() == []
    assert keyless.balances() == {}
    install(keyless)
    keyless.run("dispatch", "relay")
    assert set(keyless.states().values()) == {"SENT"}
    assert len(keyless.at_bank()) == 1
    assert keyless.faults() == []


@pytest.mark.parametrize("spoil", [damaged, retired, nowhere], ids=lambda spoil: spoil.__name__)
def test_a_key_that_is_lost_while_it_works_is_noticed_and_its_successor_takes_over(
    keyed: Stand, spoil: Callable[[Stand], None]
) -> None:
    """A key in use is looked up again after a minute, not at each message."""
    keyed.compose(order(1))
    spoil(keyed)
    if spoil is damaged:
        keyed.start()  # what is loaded is not read again, so that only the next process sees it
    keyed.clock.advance(LOOK)
    keyed.submit(order(2))
    with pytest.raises(KeyUnavailable):
        keyed.step("dispatch")
    assert keyed.states() == {"PO-1": "COMPOSED", "PO-2": "READY"}
    if spoil is damaged:
        retired(keyed)
    another(keyed)
    keyed.run("dispatch")
    assert keyed.states() == {"PO-1": "COMPOSED", "PO-2": "COMPOSED"}
    assert len(keyed.documents()) == 2
    assert keyed.faults() == []


def test_the_other_roles_work_without_a_key(keyed: Stand) -> None:
    """Orders come in, what is composed goes out, what the bank says is applied, and its statements are booked."""
    [paid] = keyed.compose(order(1))
    retired(keyed)
    keyed.clock.advance(LOOK)
    keyed.submit(order(2))
    with pytest.raises(KeyUnavailable):
        keyed.step("dispatch")
    keyed.run("intake", "relay", "inbound")
    assert keyed.states() == {"PO-1": "SENT", "PO-2": "READY"}
    keyed.deliver(keyed.bank.status("ACSC", [paid]), keyed.bank.statement([], 700))
    assert keyed.states() == {"PO-1": "SETTLED", "PO-2": "READY"}
    assert keyed.sql("SELECT state FROM statement") == [("BOOKED",)]
    assert keyed.faults() == []


def test_overdue_answers_are_noticed_without_a_key(keyed: Stand) -> None:
    """Chasing signs nothing: the same bytes go out again."""
    keyed.sent(order(1))
    sent = keyed.at_bank()
    retired(keyed)
    keyed.submit(order(2))
    keyed.clock.advance(timedelta(seconds=900))
    with pytest.raises(KeyUnavailable):
        keyed.step("dispatch")
    assert keyed.states() == {"PO-1": "IN_DOUBT", "PO-2": "READY"}
    keyed.run("relay")
    assert keyed.at_bank() == sent


class Attempts:
    """Dispatch under its service: the key comes at the third attempt, and the work ends when it is done."""

    def __init__(self, stand: Stand, stop: threading.Event) -> None:
        self.count = 0
        self._stand = stand
        self._stop = stop

    def step(self, wait_s: float) -> int:
        """Do dispatch's step."""
        del wait_s
        self.count += 1
        if self.count == 3:
            install(self._stand)
        done = self._stand.step("dispatch")
        if done:
            self._stop.set()
        return done


def test_the_worker_goes_on_by_itself_once_a_key_is_there(keyless: Stand) -> None:
    """Neither a dead process nor a person who restarts it; meanwhile it says what it waits for."""
    keyless.submit(order(1))
    stop = threading.Event()
    attempts = Attempts(keyless, stop)
    worker = Worker("dispatch", attempts, QUIET, stop, polls=True)
    worker.run()
    assert attempts.count == 3
    assert keyless.states() == {"PO-1": "COMPOSED"}
    assert not worker.waiting_for
    assert keyless.clock.now() == START
