"""The net clearing house whole: flat files over a folder and real SFTP, status files, half payments, statements."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import asyncssh
import pytest

from schemas.model.money import Money
from simulators.net_clearing_house import NetClearingHouse
from simulators.server_process import hand_over
from simulators.ssh_server import SshServer
from tests.fault_proxy import Fault, FaultProxy
from tests.rails.treasury import Treasury, treasury

PROFILE = Path(__file__).parents[1] / "adapters" / "banks" / "net-clearing.toml"
ACCOUNT = "000300000001"
OPENING = Money(10_000_000_00, "KHR")
KEY = asyncssh.generate_private_key("ssh-ed25519")


@dataclass
class Clearing:
    """A treasury and the house."""

    made: Treasury
    house: NetClearingHouse

    def pay(self, count: int) -> None:
        """Order payments of a thousand riel each."""
        self.made.pay(*(self.made.order(n, amount="1000") for n in range(count)))

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Let everybody work until something holds."""
        self.made.work(condition, what)

    def close_day(self) -> None:
        """Let the house close its day, and wait until the cash account is what it says."""
        self.house.close_day()
        balance = self.house.balance(ACCOUNT).amount_minor
        self.until(lambda: self.made.cash().get(ACCOUNT) == balance, "the ledger equals the statement")
        assert self.made.faults() == []
        assert max(self.house.paid.values(), default=0) <= 1, "somebody was paid twice"


@contextmanager
def clearing(
    tmp_path: Path,
    folder: Path,
    transport: str,
    secrets: dict[str, bytes] | None = None,
    transactions_max: int = 1_000,
    **plans: str,
) -> Iterator[Clearing]:
    """Give a treasury whose house looks at a folder."""
    found: list[Treasury] = []

    def now() -> datetime:
        return found[0].clock.now().astimezone(found[0].profile.zone)

    house = NetClearingHouse(folder, {ACCOUNT: OPENING}, now, plans)
    text = PROFILE.read_text(encoding="utf-8").replace(
        "inquire_after_s = 1800", "inquire_after_s = 60\npoll_s = 1.0\nfailures_max = 100"
    )
    text = text.replace("transactions_max = 1000", f"transactions_max = {transactions_max}")
    with treasury(tmp_path / "home", f"{text}\n[transport]\n{transport}", secrets=secrets) as made:
        found.append(made)

        def works() -> None:
            """Let the house look at the folder, and clear what lies there."""
            house.collect()
            house.settle()

        made.bank = works
        yield Clearing(made, house)


def by_folder(tmp_path: Path) -> tuple[Path, str]:
    """Return the folder between us and the house, and the profile's transport."""
    folder = tmp_path / "bank"
    return folder, (
        f'kind = "folder"\nroot = "{folder}"\noutgoing = "out"\nincoming = ["in"]\nstable_s = 0\n'
        "duplicate_names_refused = true\n"
    )


def test_a_file_is_cleared_and_stated(tmp_path: Path) -> None:
    """Waiting, then Processed; one line refused; the MT940 of the day closes at the ledger's cash."""
    folder, transport = by_folder(tmp_path)
    with clearing(tmp_path, folder, transport, E2E1="E001") as this:
        this.pay(4)
        this.until(lambda: this.made.are(SETTLED=3, REJECTED=1), "the house has answered")
        this.close_day()
        assert this.made.cash() == {ACCOUNT: OPENING.amount_minor - 300_000}


def test_half_a_payment_is_in_doubt_and_never_taken_for_none(tmp_path: Path) -> None:
    """Debited and not credited: in doubt until the house has mended it, whichever way."""
    folder, transport = by_folder(tmp_path)
    with clearing(tmp_path, folder, transport, E2E1="half") as this:
        this.pay(2)
        this.until(lambda: this.made.are(SETTLED=1, IN_DOUBT=1), "half of it is done")
        this.house.mend("E2E1", credit=True)
        this.until(lambda: this.made.are(SETTLED=2), "it is mended")
        this.close_day()
        assert this.made.cash() == {ACCOUNT: OPENING.amount_minor - 200_000}


def test_a_file_that_the_house_has_had_is_refused_and_not_paid_twice(tmp_path: Path) -> None:
    """A process dies between handing over and marking; the next one hands the same name over again."""
    folder, transport = by_folder(tmp_path)
    with clearing(tmp_path, folder, transport) as this:
        this.made.kill_at = "relay.courier_handed_over"
        this.pay(2)
        this.until(lambda: this.made.are(SETTLED=2), "the house has answered")
        assert this.made.kill_at is None
        this.close_day()
        assert this.made.cash() == {ACCOUNT: OPENING.amount_minor - 200_000}


@contextmanager
def by_sftp(
    tmp_path: Path, server: SshServer, transactions_max: int = 1_000, **plans: str
) -> Iterator[tuple[Clearing, FaultProxy]]:
    """Give the same over real SFTP, behind a proxy that breaks connections."""
    server.authorise(KEY.export_public_key().decode())
    server.make("bank/out", "bank/in", "bank/taken")
    with FaultProxy(("127.0.0.1", server.port)) as proxy:
        transport = (
            f'kind = "sftp"\nhost = "127.0.0.1"\nport = {proxy.port}\nuser = "{server.user}"\nroot = "bank"\n'
            'outgoing = "out"\nincoming = ["in"]\nstable_s = 0\nduplicate_names_refused = true\nanswer_within_s = 5.0\n'
        )
        secrets = {"client.key": KEY.export_private_key(), "bank.hosts": server.known_host(proxy.port).encode()}
        with clearing(tmp_path, server.home / "bank", transport, secrets, transactions_max, **plans) as this:
            house_works = this.made.bank
            assert house_works is not None

            def works() -> None:
                """Let the house work; what it writes belongs to the server's user, as everything there does."""
                house_works()
                for path in (server.home / "bank").rglob("*"):
                    hand_over(path)

            this.made.bank = works
            yield this, proxy


@pytest.mark.servers
def test_the_same_over_real_sftp(tmp_path: Path, own_ssh: SshServer) -> None:
    """The transport changes nothing of what becomes of a payment."""
    with by_sftp(tmp_path, own_ssh, E2E1="E001") as (this, _):
        this.pay(3)
        this.until(lambda: this.made.are(SETTLED=2, REJECTED=1), "the house has answered")
        this.close_day()
        assert this.made.cash() == {ACCOUNT: OPENING.amount_minor - 200_000}


@pytest.mark.servers
@pytest.mark.slow
def test_a_hundred_cuts_between_taking_and_reply_leave_by_inquiry(tmp_path: Path, own_ssh: SshServer) -> None:
    """The server renames, the house takes the file away, and nobody hears of either: asked about, and paid once."""
    with by_sftp(tmp_path, own_ssh, transactions_max=1) as (this, proxy):
        this.house.tells = False  # what takes a payment out of doubt is its answer to an inquiry
        out, cut, lock = own_ssh.home / "bank" / "out", set[str](), threading.Lock()
        works = this.made.bank
        assert works is not None

        def takes(_reply: bytes) -> bool:
            """Take a file as soon as it has appeared; the reply to the rename that let it appear gets lost."""
            with lock:
                appeared = {path.name for path in out.glob("NCS-*.txt")}
                if appeared:
                    this.house.collect()
                    cut.update(appeared)
                return bool(appeared)

        def in_turn() -> None:
            """Let the house work while it is not just taking a file."""
            with lock:
                works()

        this.made.bank, proxy.loses = in_turn, takes
        this.pay(100)
        this.until(lambda: this.made.are(SETTLED=100), "every doubt has ended")
        assert len(cut) == 100
        assert len(this.made.doubted()) == 100
        asked = this.made.rows("SELECT COUNT(DISTINCT about) FROM message WHERE operation = 'inquire'")
        assert asked[0][0] == 100
        assert {row[0] for row in this.made.rows("SELECT sendings FROM message WHERE operation = 'submit'")} == {1}
        this.close_day()
        assert len(this.house.paid) == 100
        assert this.made.cash() == {ACCOUNT: OPENING.amount_minor - 100 * 100_000}


@pytest.mark.servers
@pytest.mark.slow
def test_connections_that_are_cut_anywhere_pay_nobody_twice(tmp_path: Path, own_ssh: SshServer) -> None:
    """A hundred files, each connection cut after some more bytes than the one before: each is paid once in the end."""
    with by_sftp(tmp_path, own_ssh) as (this, proxy):
        for number in range(20):
            proxy.cut()
            proxy.fault = Fault("cut_request", after=2_500 + 150 * number, times=5)
            this.made.pay(*(this.made.order(f"{number}-{n}", amount="1000") for n in range(2)))
            for _ in range(15):
                this.made.turn()
        proxy.fault = Fault()
        assert proxy.accepted > 40, "hardly a connection was cut"
        this.until(lambda: this.made.are(SETTLED=40), "everything is cleared")
        this.close_day()
        assert this.made.cash() == {ACCOUNT: OPENING.amount_minor - 40 * 100_000}
