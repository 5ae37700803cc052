"""A treasury with one day behind it, in a folder, and a command line that works on it."""

from __future__ import annotations

import json
import os
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from typer.testing import CliRunner, Result

from gateway.app import ROLES, Gateway
from gateway.cli import app
from gateway.cli.shell import Shell
from gateway.clock import ManualClock
from simulators.bank_service import BankService
from simulators.behaviour import Behaviour
from simulators.government import Government, sign
from simulators.stage import PASSPHRASE, PROFILE, Stage, set_up

START = datetime(2026, 11, 30, 2, 0, tzinfo=UTC)
"""A Monday morning in Phnom Penh."""
SOURCE_PASSPHRASE = "a source's own"


def configuration(stage: Stage) -> str:
    """Return the configuration file of a stage, as an operator would have written it."""
    lines = [
        f'database_url = "{stage.settings.database_url}"', f'bus_url = "{stage.settings.bus_url}"',
        'passphrase_file = "passphrase"', f'profiles = ["{PROFILE}"]',
    ]  # fmt: skip
    for name, source in stage.settings.sources.items():
        key = source.keys[0]
        lines += [
            f"[sources.{name}]", f'keys = [{{ kid = "{key.kid}", file = "{key.file}" }}]',
            f"accounts = {json.dumps(list(source.accounts))}", f"[sources.{name}.approval_limits]",
            *(f'{currency} = "{limit}"' for currency, limit in source.approval_limits.items()),
        ]  # fmt: skip
    return "\n".join(lines) + "\n"


@dataclass
class Office:
    """A folder with a configured gateway, its bank, and a command line in it."""

    stage: Stage
    clock: ManualClock
    seed: random.Random = field(default_factory=lambda: random.Random(1))

    @property
    def home(self) -> Path:
        """The gateway's folder."""
        return self.stage.home

    def run(self, *arguments: object, user: str = "") -> Result:
        """Run a command; ``user`` is put behind it as ``--by``."""
        given = ["--config", str(self.home / "gateway.toml"), *map(str, arguments), *(["--by", user] if user else [])]
        return CliRunner().invoke(app, given, obj=Shell(self.clock))

    def ok(self, *arguments: object, user: str = "") -> str:
        """Run a command that must succeed, and return what it printed."""
        result = self.run(*arguments, user=user)
        assert result.exit_code == 0, result.output
        return result.stdout

    def json(self, *arguments: object, user: str = "") -> Any:
        """Run a command with --json that must succeed, and return what it printed."""
        return json.loads(self.ok(*arguments, "--json", user=user))

    def refused(self, *arguments: object, status: int = 1, user: str = "") -> str:
        """Run a command that must fail with a clear line and no traceback, and return that line."""
        result = self.run(*arguments, user=user)
        assert result.exit_code == status, result.output
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
        assert "Traceback" not in result.output
        return result.stderr

    def gateway(self) -> Gateway:
        """Return a gateway process of this folder."""
        seed = self.seed
        log = structlog.wrap_logger(structlog.ReturnLogger(), processors=[lambda *_: ("",)])
        made = self.stage.gateway(
            self.clock, log, new_uetr=lambda: str(uuid.UUID(int=seed.getrandbits(128), version=4)), durable=False
        )
        made.prepare()
        return made

    def day(
        self, orders: Callable[[Government], list[Any]], behaviour: Behaviour | None = None, *, answer: bool = True
    ) -> None:
        """Let the government's messages through all workers, to the bank and back, to the end of the day."""
        gateway = self.gateway()
        behaviour = behaviour or Behaviour()
        bank = BankService(
            gateway.bus, PROFILE, self.stage.bank(gateway, self.clock.now, self.seed, behaviour), self.clock.now
        )
        messages = orders(Government(self.seed, self.clock.now().date()))
        gateway.publisher().publish([sign(one, self.stage.source_keys[one.source]) for one in messages])
        workers = [worker for role in ROLES for _, worker in gateway.workers(role, "1")]

        def work() -> None:
            while sum(worker.step(0) for worker in workers) + (bank.step(0) if answer else 0):
                pass

        work()
        if answer:
            bank.end_of_day(self.clock.now().date())
            work()
        gateway.close()

    def source_key(self, source: str = "fmis") -> Path:
        """Return the file of a source's private key, encrypted."""
        path = self.home / f"{source}.key.pem"
        if not path.exists():
            self.stage.source_keys[source].write(path, SOURCE_PASSPHRASE.encode())
        return path


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    """Return a configured gateway with an empty database."""
    for name in [name for name in os.environ if name.startswith("GATEWAY_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GATEWAY_SOURCE_PASSPHRASE", SOURCE_PASSPHRASE)
    monkeypatch.setenv("COLUMNS", "200")
    return furnish(tmp_path / "treasury")


def furnish(home: Path, **settings: Any) -> Office:
    """Return an office in a folder, its database empty."""
    stage = set_up(home, START - timedelta(days=30), **settings)
    passphrase = stage.home / "passphrase"
    passphrase.write_text(PASSPHRASE + "\n")
    passphrase.chmod(0o600)
    (stage.home / "gateway.toml").write_text(configuration(stage))
    made = Office(stage, ManualClock(START))
    made.gateway().close()
    return made
