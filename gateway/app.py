"""The composition root: from a configuration to stores, buses, keys and workers. Nothing else builds them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Protocol
from weakref import WeakSet

from adapters import homes
from adapters.profile import Profile, load_all
from adapters.rails import inquiry_of, rail, recall_answer_of, recall_of
from adapters.transport_settings import BusSettings
from adapters.transports import Transport, connect
from gateway import relationships
from gateway.bus.amqp_link import LinkSettings
from gateway.bus.base import ORDERS_QUEUE, RECEIPTS_QUEUE, Bus, Publisher, bank_queues
from gateway.bus.memory import MemoryBus
from gateway.bus.rabbitmq import RabbitBus
from gateway.clock import Clock, SystemClock, random_uetr
from gateway.config import Settings
from gateway.core.calendar import BusinessCalendar
from gateway.flow.asking import Asking
from gateway.flow.collector import Collector
from gateway.flow.courier import Courier
from gateway.flow.desk import Desk, nowhere
from gateway.flow.dispatch import Dispatch
from gateway.flow.hands import Hands, Kit, OwnHands, SecondProcess
from gateway.flow.inbound import Inbound
from gateway.flow.intake import Intake
from gateway.flow.policy import Policy
from gateway.flow.receipts import ReceiptIntake
from gateway.flow.relay import Relay
from gateway.metrics import Metrics
from gateway.store.postgres import PostgresStore
from gateway.store.session import Store
from gateway.store.sqlite import SqliteStore
from schemas.errors import ConfigurationError, KeyUnavailable
from security.jws import OrderKeys, read_public
from security.keys import FileKey, KeyRing, SigningKey
from security.trust import TrustStore
from security.trustfiles import load_trust
from security.vault import FolderVault

ROLES = ("intake", "dispatch", "relay", "inbound")
"""The workers, in the order of the flow."""
YEARS_AROUND = 1
"""Years before and after this one whose holidays are loaded."""
READ_BESIDE_BYTES = 128 * 1024
"""Orders and bank documents from this size on are read by another process on servers: chunks of batches, statements."""
KEY_LOOK_S = 60
"""How often the folders of keys and certificates are looked at again."""


class Step(Protocol):
    """A worker's unit of work."""

    def step(self, wait_s: float) -> int:
        """Do one bounded piece of work, waiting at most so long for it; return how much was done."""


@dataclass
class Gateway:
    """One process of the gateway.

    Args:
        settings: the configuration.
        clock, new_uetr, reach: time, randomness and crash points; given, so that a simulation can replay a seed.
        log: a structlog logger.
        second_process: let another process read and write documents (``gateway.flow.hands``) where the workers share
            this one, and read orders and bank documents while this one stores them where they do not.
    """

    settings: Settings
    log: Any
    clock: Clock = field(default_factory=SystemClock)
    new_uetr: Callable[[], str] = random_uetr
    reach: Callable[[str], None] = nowhere
    metrics: Metrics = field(default_factory=Metrics)
    durable: bool = True
    second_process: bool = False
    _siblings: WeakSet[Store] = field(default_factory=WeakSet, init=False, repr=False)
    _readers: list[Hands] = field(default_factory=list, init=False, repr=False)

    # --------------------------------------------------------------------------------------------------- resources

    @property
    def is_embedded(self) -> bool:
        """Whether database and bus both live in this process."""
        return self.settings.database_url.startswith("sqlite:") and self.settings.bus_url.startswith("memory:")

    @cached_property
    def store(self) -> Store:
        """The first connection to the database; workers get siblings of it."""
        url = self.settings.database_url
        if url.startswith("sqlite:///"):
            return SqliteStore(Path(url.removeprefix("sqlite:///")), durable=self.durable)
        return PostgresStore(url)

    @cached_property
    def _shared(self) -> Store:
        """The one connection of the embedded workers; its transactions take turns."""
        return self.store.sibling()

    @cached_property
    def bus(self) -> Bus:
        """The broker, or the one inside this process."""
        url = self.settings.bus_url
        if url.startswith("memory://"):
            return MemoryBus(self.clock, retry_limit=self.settings.workers.retries_max)
        return RabbitBus(LinkSettings(url), self.clock, retry_limit=self.settings.workers.retries_max)

    @cached_property
    def profiles(self) -> Mapping[str, Profile]:
        """The bank relationships in use, by name: those of the folder, and shipped ones that are named."""
        folder, named = self.settings.profile_folder, self.settings.profiles
        empty = named and folder.is_dir() and not any(folder.glob("*.toml"))
        known = {} if empty else load_all(folder)
        names = named or tuple(known)
        if any(name not in known for name in names):
            known = load_all() | known
        missing = [name for name in names if name not in known]
        if missing:
            raise ConfigurationError(absent_profile(self.settings, missing))
        used = {name: known[name] for name in names}
        faults = [f"{names[place]}: {said}" for place, _, said in homes.faults([*used.values()], names)]
        if faults:
            raise ConfigurationError("\n".join(["profiles:", *faults]))
        return used

    @cached_property
    def calendar(self) -> BusinessCalendar:
        """The business days around this year."""
        return relationships.own_calendar(self.settings.calendar, self._years)

    @property
    def _years(self) -> range:
        year = self.clock.now().year
        return range(year - YEARS_AROUND, year + YEARS_AROUND + 1)

    @cached_property
    def policy(self) -> Policy:
        """Who may order what, over which relationship."""
        return relationships.policy(self.settings, self.profiles, self._years)

    @cached_property
    def order_keys(self) -> OrderKeys:
        """The sources' public keys."""
        return OrderKeys(
            read_public(key.file, source=name, key_id=key.kid)
            for name, source in self.settings.sources.items()
            for key in source.keys
        )

    def trust(self, profile: Profile) -> Callable[[], TrustStore]:
        """Return a function that gives whose signatures a bank's documents carry, read again every minute.

        Raises:
            ConfigurationError: the folder cannot be used now; later, what was read last goes on holding.
        """
        folder = self.settings.certificates_folder / profile.trust_folder
        required = profile.signature.revocation_required
        held = _Trust(
            load_trust(folder, revocation_required=required), self.clock.now() + timedelta(seconds=KEY_LOOK_S)
        )

        def current() -> TrustStore:
            now = self.clock.now()
            if now >= held.until:
                held.until = now + timedelta(seconds=KEY_LOOK_S)
                try:
                    held.store = load_trust(folder, revocation_required=required)
                except ConfigurationError as error:
                    self.log.warning("trust folder cannot be read, what was read last holds", reason=str(error))
            return held.store

        return current

    def vault(self, profile: Profile) -> FolderVault:
        """Return where the secrets of a relationship's transport lie."""
        return FolderVault(self.settings.secrets_folder / profile.name)

    def transport(self, profile: Profile) -> Transport:
        """Return a connection to a bank off the bus, for one worker; not connected yet."""
        return connect(profile, self.vault(profile))

    def signer(self, profile: Profile) -> Callable[[], SigningKey]:
        """Return a function that gives the key that signs for a profile now, looked up again every minute."""
        ring, found = KeyRing(self.settings.keys_folder), _Signer()

        def current() -> SigningKey:
            now = self.clock.now()
            if found.key is None or now >= found.until:
                try:
                    entry = ring.signer(profile.name, now)
                    if found.key is None or found.key.key_id != entry.record.key_id:
                        passphrase = self.settings.key_passphrase()
                        found.key = FileKey.load(self.settings.keys_folder, entry.record.key_id, passphrase)
                except ConfigurationError as error:  # payments wait until a person has seen to the keys
                    found.key = None
                    raise KeyUnavailable(str(error)) from error
                found.until = now + timedelta(seconds=KEY_LOOK_S)
            return found.key

        return current

    def kit(self) -> Kit:
        """Return what the work needs that needs no database."""
        trust = cache(lambda name: self.trust(self.profiles[name]))
        signer = cache(lambda name: self.signer(self.profiles[name]))
        return Kit(self.policy, self.order_keys, self.profiles, lambda name: trust(name)(), lambda name: signer(name)())

    @cached_property
    def hands(self) -> Hands:
        """Who does the work that needs no database; a second process has the same configuration as this one."""
        if self.second_process and self.is_embedded:
            return SecondProcess(self.kit(), self.settings, self.log)
        return OwnHands(self.kit())

    def _reader(self) -> Hands:
        """Return who reads orders, or the documents of one bank; the workers of several are threads of one process."""
        if self.is_embedded or not self.second_process:
            return self.hands
        self._readers.append(SecondProcess(self.kit(), self.settings, self.log, READ_BESIDE_BYTES))
        return self._readers[-1]

    def start_hands(self) -> None:
        """Start the other processes of the workers that were made by now, so that no document waits for one to load."""
        for hands in (self.hands, *self._readers):
            hands.start()

    def prepare(self) -> None:
        """Bring the database and the broker's topology up to date, and make our accounts known."""
        self.store.migrate()
        with self.store.transaction() as db:
            for profile in self.profiles.values():
                relationships.add_accounts(db, profile)
        self.declare()

    def declare(self) -> None:
        """Create what is missing of the broker's exchanges and queues, and each source's own queue of events."""
        self.bus.declare(tuple(self.profiles))
        if not self.settings.bus_url.startswith("memory://"):  # nobody else can ever listen inside this process
            for source in self.settings.sources:
                self.bus.bind_events(f"events.{source}", f"#.{source}")

    # ----------------------------------------------------------------------------------------------------- workers

    def desk(self, stream: str, *, shared: bool = True) -> Desk:
        """Return one worker's tools, with a database connection of its own.

        On SQLite all workers of a process share one: a connection forgets all that it has read whenever another one
        writes, and only one of them can work at a time. A worker in another thread cannot share it.
        """
        store = self._shared if self.is_embedded and shared else self.store.sibling()
        self._siblings.add(store)
        return Desk(
            store, self.clock, stream, self.log.bind(worker=stream), self.settings.workers,
            self.metrics, self.reach,
        )  # fmt: skip

    def workers(self, role: str, instance: str, bus: Bus | None = None) -> list[tuple[str, Step]]:
        """Return the workers of a role, one a bank relationship where it has one, by the name of their audit stream.

        Args:
            role: one of ``ROLES``.
            instance: tells this process's audit streams from those of others.
            bus: another bus to work on, in a simulation.
        """
        bus = bus or self.bus
        if role == "intake":
            return self._intake(instance, bus)
        if role == "relay":
            return self._relay(instance, bus)
        found: list[tuple[str, Step]] = []
        for profile in self.profiles.values():
            name = f"{role}.{profile.name}.{instance}"
            found.append((name, self._of_profile(role, name, profile, bus)))
            if role == "dispatch" and _asks(profile):
                name = f"asking.{profile.name}.{instance}"
                found.append((name, Asking(self.desk(name), profile, self.policy, self.signer(profile))))
        return found

    def _relay(self, instance: str, bus: Bus) -> list[tuple[str, Step]]:
        """Return the worker of everything that goes over the bus, and one for each bank that is reached otherwise."""
        of_bus = {
            n: p.in_doubt_after_s * 1_000 for n, p in self.profiles.items() if isinstance(p.transport, BusSettings)
        }
        name = f"relay.{instance}"
        found: list[tuple[str, Step]] = [(name, Relay(self.desk(name), bus.publisher(), of_bus))]
        for profile in self.profiles.values():
            if not isinstance(profile.transport, BusSettings):
                name = f"relay.{profile.name}.{instance}"
                found.append((name, Courier(*self._bank_side(name, profile))))
        return found

    def _intake(self, instance: str, bus: Bus) -> list[tuple[str, Step]]:
        """Return the worker that takes orders, and where a source may announce bills the one that takes them."""
        name, bills = f"intake.{instance}", f"intake.receipts.{instance}"
        prefetch = self.settings.workers.intake_batch
        consumer = bus.consumer(ORDERS_QUEUE, self._prefetch(prefetch))
        found: list[tuple[str, Step]] = [
            (name, Intake(self.desk(name), consumer, self._reader(), self.policy, self.new_uetr))
        ]
        if any(source.receipt_accounts for source in self.settings.sources.values()):
            consumer = bus.consumer(RECEIPTS_QUEUE, prefetch)
            found.append((bills, ReceiptIntake(self.desk(bills), consumer, self.order_keys, self.policy)))
        return found

    def _of_profile(self, role: str, name: str, profile: Profile, bus: Bus) -> Step:
        if role == "dispatch":
            return Dispatch(self.desk(name), profile, self.policy, self.signer(profile), self.hands)
        if role == "inbound" and not isinstance(profile.transport, BusSettings):
            return Collector(*self._bank_side(name, profile))
        if role == "inbound":
            _, queue = bank_queues(profile.name)
            consumer = bus.consumer(queue, self._prefetch(self.settings.workers.inbound_batch))
            return Inbound(self.desk(name), consumer, profile, self.trust(profile), hands=self._reader())
        raise ConfigurationError(f"there is no worker called {role}; there are {', '.join(ROLES)}")

    def _bank_side(self, name: str, profile: Profile) -> tuple[Desk, Profile, Transport, Inbound]:
        """Return what a worker needs that speaks to a bank's own server, and has a thread of its own for it."""
        desk = self.desk(name, shared=False)
        inbound = Inbound(desk, None, profile, self.trust(profile), profile.transport.kind, hands=OwnHands(self.kit()))
        return desk, profile, self.transport(profile), inbound

    def inbound(self, name: str, profile: Profile, channel: str = "bus") -> Inbound:
        """Return an inbound worker of a relationship that documents are handed to."""
        return Inbound(self.desk(name), None, profile, self.trust(profile), channel, hands=self.hands)

    def _prefetch(self, batch: int) -> int:
        """Return how many unsettled deliveries a consumer may have: one batch in hand, and one that comes meanwhile."""
        return 2 * batch

    def publisher(self) -> Publisher:
        """Open a publisher, for those who send orders."""
        return self.bus.publisher()

    def close(self) -> None:
        """Close what this process has opened itself."""
        for hands in self._readers:
            hands.close()
        if "hands" in self.__dict__:
            self.hands.close()
        if "bus" in self.__dict__:
            self.bus.close()
        for store in self._siblings:
            store.close()
        if "store" in self.__dict__:
            self.store.close()


@dataclass
class _Trust:
    """The trust store in use, and until when its folder is not read again."""

    store: TrustStore
    until: Any


@dataclass
class _Signer:
    """The key in use, and until when it is not looked up again."""

    key: FileKey | None = None
    until: Any = None


def _asks(profile: Profile) -> bool:
    """Tell whether a bank can be asked anything, or is answered when it asks."""
    made_by = rail(profile.rail)
    return any(of(made_by) is not None for of in (inquiry_of, recall_of, recall_answer_of))


def absent_profile(settings: Settings, names: Sequence[str]) -> str:
    """Say that there are no profiles of these names, and what to do about it."""
    folder = settings.profiles_folder
    where = f"put its file into {folder}" if folder else "name the folder that holds its file with profiles_folder"
    return f"profiles: there is no profile called {', '.join(names)}; correct the name, or {where}"
