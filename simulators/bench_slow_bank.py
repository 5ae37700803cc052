"""The part of ``gateway bench rails`` with a bank that answers once a second, among nine that take files at once.

The floor is the nine banks without the slow one, in the same run: as fast as they are, nobody should notice it.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

from gateway.app import Gateway
from gateway.clock import SystemClock
from simulators import bench_banks
from simulators.bench_banks import number, order, ready, until, working
from simulators.bench_rails import Measured
from simulators.bench_watch import BenchFailed
from simulators.servers import PostgresServer
from simulators.stage import Stage
from simulators.tls_files import TlsAuthority
from simulators.web_server import WebReply, WebRequest, WebServer

BANKS = 9
SLOW = "slow-bank"
ANSWER_S = 1.0
"""What the slow bank needs for an answer, one after the other."""


class SlowBank:
    """A bank over HTTPS that answers once a second, however many ask.

    Attributes:
        answered: how many messages it has taken.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self.answered = 0

    def __call__(self, request: WebRequest) -> WebReply:
        """Take one message."""
        with self._turn:
            time.sleep(ANSWER_S)
            self.answered += request.method == "POST"
        return WebReply()


def measure(home: Path, postgres: PostgresServer, messages: int) -> Measured:
    """Return what nine banks take for so many messages each, beside a slow one; the floor is without it."""
    alone_s, _, _ = _send(home / "nine", postgres, messages, slow=False)
    seconds, memory_mb, answered = _send(home / "ten", postgres, messages, slow=True)
    facts = {"banks": BANKS, "messages": BANKS * messages, "slow_bank_answers": answered}
    return Measured(seconds, {"nine banks alone": alone_s}, memory_mb, facts)


def _send(home: Path, postgres: PostgresServer, messages: int, *, slow: bool) -> tuple[float, dict[str, int], int]:
    """Return the seconds until nine banks have their messages, the memory, and the slow bank's answers meanwhile."""
    authority, bank = TlsAuthority(home / "tls", SystemClock().now()), SlowBank()
    client = authority.client("treasury")
    vault = {
        "bank-ca.crt": authority.certificate.read_bytes(), "client.crt": client.certificate.read_bytes(),
        "client.key": client.key.read_bytes(),
    }  # fmt: skip
    accounts = {f"bank-{n}": f"77000000000{n}" for n in range(1, BANKS + 1)}
    url = postgres.fresh_database()
    with WebServer(authority.server("bank"), bank) as server:
        profiles = [
            bench_banks.profile(name, account, _folder(home / name), transactions_max=1)
            for name, account in accounts.items()
        ]
        if slow:
            accounts[SLOW] = "780000000001"
            host, port = server.address
            transport = (
                f'kind = "https"\nbase_url = "https://{host}:{port}"\nloopback_allowed = true\n'
                'server_ca = "bank-ca.crt"\n'
                'client_certificate = "client.crt"\nclient_key = "client.key"\nanswers = false\n'
                '[transport.paths]\nsubmit = "POST /payments"\n'
            )
            profiles.append(bench_banks.profile(SLOW, accounts[SLOW], transport, transactions_max=1))
        made = bench_banks.country(home, url, profiles, {SLOW: vault} if slow else {})
        gateway = bench_banks.opened(made)
        try:
            order(gateway, made, list(accounts.values()), messages)
            ready(gateway, messages * len(accounts))
            for _, worker in gateway.workers("dispatch", "bench"):
                while worker.compose():  # type: ignore[attr-defined]  # the worker of dispatch
                    pass
            seconds, memory_mb = _watch(gateway, made, messages)
            left = number(gateway, f"SELECT COUNT(*) FROM message WHERE profile = '{SLOW}' AND sent_ms IS NULL")  # noqa: S608 - our own constant
            if slow and not left:
                raise BenchFailed("the slow bank was done before the others: let there be more messages")
            return seconds, memory_mb, bank.answered
        finally:
            gateway.close()


def _watch(gateway: Gateway, made: Stage, messages: int) -> tuple[float, dict[str, int]]:
    """Return the seconds from the first message that left the nine banks' queues to the last, and the memory."""
    of_nine = f"SELECT COUNT(*) FROM message WHERE sent_ms IS NOT NULL AND profile <> '{SLOW}'"  # noqa: S608 - as above
    span = f"SELECT MAX(sent_ms) - MIN(sent_ms) FROM message WHERE profile <> '{SLOW}'"  # noqa: S608 - as above
    with working(made, "relay") as memory:
        until(lambda: number(gateway, of_nine), BANKS * messages, "messages sent")
    return number(gateway, span) / 1_000, memory.peak_mb


def _folder(root: Path) -> str:
    """Return a transport over a folder of this machine, which is made."""
    for name in ("out", "in"):
        (root / name).mkdir(parents=True)
    return f'kind = "folder"\nroot = "{root}"\noutgoing = "out"\nincoming = ["in"]\nstable_s = 0.0\n'
