"""Commercial banks that take files, whole, over real SFTP: three dialects, reports, returns, statements."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import asyncssh
import pytest

from schemas.model.money import Money
from simulators.customer_desk import Conduct, CustomerDesk
from simulators.folder_bank import FolderBank
from simulators.server_process import hand_over
from simulators.ssh_server import SshServer
from tests.fault_proxy import Fault, FaultProxy
from tests.rails.treasury import Treasury, treasury

pytestmark = pytest.mark.servers
BANKS = Path(__file__).parents[1] / "adapters" / "banks"
FORMS = {"river-bank": "MT940", "hill-bank": "camt.053.001.08", "lake-bank": "CSV"}
KEY = asyncssh.generate_private_key("ssh-ed25519")
OPENING = Money(10_000_000_00, "KHR")


@dataclass
class Files:
    """A treasury, its bank's desk, and the proxy in front of the bank's SFTP server."""

    made: Treasury
    desk: CustomerDesk
    proxy: FaultProxy

    @property
    def account(self) -> str:
        """Our account in riel there."""
        return self.made.profile.accounts[0].number

    def pay(self, count: int, first: int = 0) -> None:
        """Order payments of a thousand riel each; the first one's account is rejected, where the bank rejects any."""
        for number in range(first, first + count):
            self.made.pay(self.made.order(number, amount="1000", creditor_account={"number": f"5000000{number:02d}"}))

    def close_day(self) -> None:
        """Let the bank close its day, and wait until the cash account is what its statement says."""
        balance = self.desk.balance(self.account).amount_minor  # what comes back stands on the next statement
        self.desk.close_day()
        self.made.clock.advance(timedelta(minutes=1))
        self.made.work(lambda: self.made.cash().get(self.account) == balance, "the ledger equals the statement")
        assert self.made.faults() == []
        assert len(self.desk.paid) == len(set(self.desk.paid)), "somebody was paid twice"


@contextmanager
def files(
    tmp_path: Path, server: SshServer, name: str, *, one_a_file: bool = False, knows_names: bool = True
) -> Iterator[Files]:
    """Give a treasury whose bank is this one, over SFTP.

    Args:
        tmp_path: an empty folder.
        server: of the bank.
        name: of the bank.
        one_a_file: each payment has a file of its own.
        knows_names: the profile says that the bank refuses a file whose name it has had.
    """
    found: list[Treasury] = []

    def now() -> datetime:
        return found[0].clock.now().astimezone(found[0].profile.zone)

    server.authorise(KEY.export_public_key().decode())
    server.make("bank/out", "bank/out/taken", "bank/in")
    text = (BANKS / f"{name}.toml").read_text(encoding="utf-8").partition("[transport]")[0]
    if one_a_file:
        text = text.replace("[message]\n", "[message]\ntransactions_max = 1\n")
    with FaultProxy(("127.0.0.1", server.port)) as proxy:
        text += (
            f'\n[transport]\nkind = "sftp"\nhost = "127.0.0.1"\nport = {proxy.port}\nuser = "{server.user}"\n'
            'root = "bank"\noutgoing = "out"\nincoming = ["in"]\nstable_s = 0\n'
            f"duplicate_names_refused = {str(knows_names).lower()}\nanswer_within_s = 5.0\n"
        )
        secrets = {"client.key": KEY.export_private_key(), "bank.hosts": server.known_host(proxy.port).encode()}
        with treasury(tmp_path / "home", text, secrets=secrets) as made:
            found.append(made)
            openings = {a.number: Money(OPENING.amount_minor, a.currency) for a in made.profile.accounts}
            desk = CustomerDesk(openings, FORMS[name], now)
            bank = FolderBank(server.home / "bank", "out", "in", desk)

            def works() -> None:
                """Let the bank work; what it writes belongs to the server's user, as everything there does."""
                bank.step()
                for path in (server.home / "bank").rglob("*"):
                    hand_over(path)

            made.bank = works
            yield Files(made, desk, proxy)


@pytest.mark.parametrize("name", FORMS)
def test_files_come_to_rest_in_the_ledger(tmp_path: Path, own_ssh: SshServer, name: str) -> None:
    """Out as a file, back as a report and a statement in the bank's own form; one line rejected."""
    with files(tmp_path, own_ssh, name) as this:
        this.desk.conduct = Conduct(rejections={"500000001": "AC01"})
        this.pay(4)
        this.made.work(lambda: this.made.states()["REJECTED"] == 1, "the bank has reported")
        this.close_day()
        assert this.made.are(SETTLED=3, REJECTED=1)
        assert this.made.cash()[this.account] == OPENING.amount_minor - 300_000
        assert not this.made.open()


def test_a_return_of_the_next_day_comes_back_to_the_ledger(tmp_path: Path, own_ssh: SshServer) -> None:
    """Paid today, back tomorrow with its reason, whichever document says it first."""
    with files(tmp_path, own_ssh, "hill-bank") as this:
        this.desk.conduct = Conduct(returns={"500000001": "AC04"})
        this.pay(2)
        this.made.work(lambda: this.made.are(ACCEPTED=2), "the bank has accepted")
        this.close_day()
        this.made.clock.advance(timedelta(days=1))
        this.close_day()
        assert this.made.are(SETTLED=1, RETURNED=1)
        assert this.made.cash()[this.account] == OPENING.amount_minor - 100_000


@pytest.mark.slow
def test_cuts_on_the_way_pay_nobody_twice(tmp_path: Path, own_ssh: SshServer) -> None:
    """Connections cut at many places; every file is there once in the end, and the statement agrees."""
    with files(tmp_path, own_ssh, "hill-bank") as this:
        for number in range(12):
            this.proxy.cut()
            this.proxy.fault = Fault("cut_request", after=2_500 + 250 * number, times=3)
            this.pay(1, first=number)
            for _ in range(12):
                this.made.turn()
        this.proxy.fault = Fault()
        this.made.work(lambda: len(this.desk.paid) == 12, "everything has arrived")
        this.close_day()
        assert this.made.cash()[this.account] == OPENING.amount_minor - 12 * 100_000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("knows_names", "reported"), [(False, "ACCEPTED"), (True, "IN_DOUBT")], ids=["never again", "the same again"]
)
def test_a_hundred_cuts_between_taking_and_reply_leave_by_the_banks_word(
    tmp_path: Path, own_ssh: SshServer, *, knows_names: bool, reported: str
) -> None:
    """The server renames, the bank takes the file away, and nobody hears of either: its reports tell, and its books.

    This bank cannot be asked. Its report of the file ends the doubt; where it knows a file by its name it gets the same
    one again, refuses that as a duplicate, which says nothing of the first one, and its statement ends the doubt.
    """
    with files(tmp_path, own_ssh, "hill-bank", one_a_file=True, knows_names=knows_names) as this:
        out, cut, lock = own_ssh.home / "bank" / "out", set[str](), threading.Lock()
        works = this.made.bank
        assert works is not None

        def takes(_reply: bytes) -> bool:
            """Take a file when it appears for the first time; the reply to the rename that let it appear gets lost."""
            with lock:
                appeared = {path.name for path in out.glob("*.xml")} - cut
                if appeared:
                    works()
                    cut.update(appeared)
                return bool(appeared)

        def in_turn() -> None:
            """Let the bank work while it is not just taking a file."""
            with lock:
                works()

        this.made.bank, this.proxy.loses = in_turn, takes
        this.made.pay(*(this.made.order(n, amount="1000") for n in range(100)))
        reports = 200 if knows_names else 100
        told = "SELECT COUNT(*) FROM document WHERE state = 'APPLIED'"
        this.made.work(lambda: this.made.rows(told)[0][0] == reports, "every report has come")
        assert this.made.are(**{reported: 100})
        assert len(cut) == 100
        assert len(this.made.doubted()) == 100
        this.close_day()
        assert this.made.are(SETTLED=100)
        assert len(this.desk.paid) == 100
        assert this.made.cash()[this.account] == OPENING.amount_minor - 100 * 100_000
