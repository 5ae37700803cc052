"""What every simulated world stands on: keys, certificates and rules, made once a process; a database to copy.

The keys are derived from fixed words and the signatures are deterministic (RFC 6979), so a seed gives the same bytes
on every machine. They protect nothing.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from adapters.profile import Profile
from adapters.transports import Transport
from gateway.app import Gateway
from gateway.clock import Clock, ManualClock
from gateway.config import WorkerSettings
from gateway.flow.desk import Desk
from gateway.metrics import Metrics
from gateway.store.session import Store
from security.authority import create_authority
from security.certificates import generate
from security.jws import OrderKey, OrderKeys
from security.keys import FileKey, SigningKey
from security.trust import TrustStore
from simulators import world_commerce as commercial
from simulators import world_files as files
from simulators.bank_letters import Envelope
from simulators.stage import OPENINGS, PROFILE, SOURCES, VALID_BEFORE, StagedSettings

START = datetime(2026, 11, 30, 1, 0, tzinfo=UTC)
"""A Monday morning, 08:00 in Phnom Penh, after the Water Festival."""
APPROVAL_LIMITS = {"KHR": "600000000", "USD": "150000.00"}
"""Low enough that some of the orders need an approver."""


@dataclass(frozen=True)
class Ground:
    """What all seeds of one process share; nothing of it changes.

    Attributes:
        stranger_key: another bank's, certified by the same authority: what it signs in the bank's name is forged.
        resources: what a gateway would make for itself, by the name of its attribute.
        folder: holds the template database; removed with this object.
    """

    settings: StagedSettings
    own_key: FileKey
    bank_key: FileKey
    stranger_key: FileKey
    source_keys: dict[str, OrderKey]
    bank_trust: TrustStore
    gateway_trust: TrustStore
    resources: dict[str, Any]
    envelope: Envelope
    folder: TemporaryDirectory[str]

    @property
    def commercial_profile(self) -> Profile:
        """The relationship of which only statements come."""
        profile: Profile = self.resources["commercial_profile"]
        return profile

    @property
    def files_profile(self) -> Profile:
        """The relationship that customer files go out over, before a world has drawn how its bank is."""
        profile: Profile = self.resources["files_profile"]
        return profile

    @property
    def profile(self) -> Profile:
        """The relationship that payments go out over."""
        profile: Profile = self.resources["profiles"][PROFILE]
        return profile

    def gateway(
        self,
        path: Path,
        clock: Clock,
        log: Any,
        *,
        new_uetr: Callable[[], str],
        reach: Callable[[str], None],
        limits: WorkerSettings,
        guard: Callable[[Store], Store],
        file_bank: Profile,
        wire: Callable[[], Transport],
    ) -> SimulatedGateway:
        """Return a gateway on its own copy of the template database.

        Args:
            path: where the copy is made.
            clock: the world's.
            log: a structlog logger.
            new_uetr: makes a fresh UETR.
            reach: called at every crash point.
            limits: how much the workers take at once.
            guard: what stands around every worker's database.
            file_bank: the relationship that customer files go out over, as its bank is in this world.
            wire: makes a connection to that bank.
        """
        shutil.copyfile(Path(self.folder.name) / "template.sqlite", path)
        settings = self.settings.model_copy(update={"database_url": f"sqlite:///{path}", "workers": limits})
        made = SimulatedGateway(
            settings, log, clock, new_uetr, reach, self.resources["metrics"], durable=False, guard=guard, wire=wire
        )
        made.own_key, made.gateway_trust = self.own_key, self.gateway_trust
        for name in ("calendar", "policy", "order_keys"):
            setattr(made, name, self.resources[name])
        made.profiles = {**self.resources["profiles"], file_bank.name: file_bank}
        return made


def _unguarded(store: Store) -> Store:
    return store


def _nowhere() -> Transport:
    raise AssertionError("no wire leads anywhere")


@dataclass
class SimulatedGateway(Gateway):
    """A gateway with keys that are in memory, and whose workers' databases can be made to fail.

    Attributes:
        own_key, gateway_trust: the treasury's key, and whom it trusts.
        opened: the databases opened since somebody last looked, so that they close with the worker that dies.
    """

    guard: Callable[[Store], Store] = _unguarded
    wire: Callable[[], Transport] = _nowhere
    opened: list[Store] = field(default_factory=list)
    own_key: FileKey = field(init=False)
    gateway_trust: TrustStore = field(init=False)

    def trust(self, profile: Profile) -> Callable[[], TrustStore]:
        """Whose signatures the bank's documents carry."""
        del profile
        return lambda: self.gateway_trust

    def signer(self, profile: Profile) -> Callable[[], SigningKey]:
        """Return what gives the treasury's key."""
        del profile
        return lambda: self.own_key

    def transport(self, profile: Profile) -> Transport:
        """Return a connection to the bank that takes files."""
        del profile
        return self.wire()

    def desk(self, stream: str, *, shared: bool = True) -> Desk:
        """Return one worker's tools, with a guarded database; one thread runs all, so that all share a connection."""
        del shared
        desk = super().desk(stream)
        self.opened.append(desk.store)
        return replace(desk, store=self.guard(desk.store))


@cache
def ground() -> Ground:
    """Return what this process's worlds stand on."""
    at = START - timedelta(days=VALID_BEFORE)
    numbers = iter(range(1, 1_000))
    authority = create_authority(
        "Simulated Certification Authority", at=at, private_key=generate(secret=_secret("authority")),
        serial_numbers=lambda: next(numbers),
    )  # fmt: skip

    def key(name: str, owner: str, bic: str) -> FileKey:
        return FileKey.generate(
            name, owner_name=owner, owner_bic=bic, at=at, certifier=authority,
            private_key=generate(secret=_secret(name)),
        )  # fmt: skip

    own, bank = key("treasury-1", "Treasury (simulated)", "TREAKHPP"), key("bank-1", "Bank (simulated)", "NCAMKHPP")
    stranger = key("other-1", "Another bank (simulated)", "ABAAKHPP")
    source_keys = {
        name: OrderKey.generate(source=name, key_id=f"{name}-1", secret=_secret(f"source {name}")) for name in SOURCES
    }
    folder = TemporaryDirectory(prefix="gateway-world-")
    settings = _settings(Path(folder.name))
    model = Gateway(settings, None, ManualClock(START), durable=False)
    central = model.profiles
    model.profiles = {
        **central, commercial.PROFILE: commercial.profile(central[PROFILE]), files.PROFILE: files.profile(),
    }  # fmt: skip
    model.prepare()
    model.close()
    resources = {
        "profiles": central, "calendar": model.calendar, "policy": commercial.expecting(model.policy),
        "commercial_profile": model.profiles[commercial.PROFILE], "files_profile": model.profiles[files.PROFILE],
        "metrics": Metrics(),
        "order_keys": OrderKeys(
            OrderKey.of(k.public_key, source=k.source, key_id=k.key_id) for k in source_keys.values()
        ),
    }  # fmt: skip
    message = central[PROFILE].message
    return Ground(
        settings, own, bank, stranger, source_keys,
        bank_trust=TrustStore(anchors=[authority.certificate], signers=[own.certificate, stranger.certificate]),
        gateway_trust=TrustStore(anchors=[authority.certificate], signers=[bank.certificate, stranger.certificate]),
        resources=resources, envelope=Envelope(*message.envelope), folder=folder,
    )  # fmt: skip


def _settings(folder: Path) -> StagedSettings:
    unused = folder / "none.pem"
    return StagedSettings(
        home=folder,
        database_url=f"sqlite:///{folder / 'template.sqlite'}",
        profiles=(PROFILE,),
        sources={
            name: {
                "keys": [{"kid": f"{name}-1", "file": unused}],
                "accounts": [*OPENINGS, *files.OPENINGS],
                "approval_limits": APPROVAL_LIMITS,
            }
            for name in SOURCES
        },
    )


def _secret(words: str) -> int:
    """Return the number that a simulated key is derived from."""
    return int.from_bytes(sha256(f"simulated {words}".encode()).digest())
