"""A simulated central bank beside ``gateway serve``, so that a newcomer can play with a gateway of their own.

It lives in the gateway's process, on its in-process bus, and keeps what it must not forget in ``simulated-bank`` in the
gateway's home: its key, the balances, and letters that were not delivered when the gateway stopped. It is trusted only
while it works. The end of the creditor's account number decides what becomes of a payment:

    ...001 ...004 ...006   rejected: AC01, AC04, AC06
    ...044                 settled, and returned at once: AC04
    ...099                 settled, and never answered: only the statement tells
    anything else          settled

A bank day ends a minute after the last booking, when the file ``simulated-bank/close-day`` appears, and when the
gateway stops. Each gives every account a statement, one day after the other, whatever the calendar says.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

from adapters.profile import Profile
from gateway.app import Gateway
from gateway.bus.base import BANK_EXCHANGE, Outgoing, bank_queues
from schemas.errors import BusUnavailable, ConfigurationError
from schemas.model.money import Money
from security.authority import create_authority
from security.keys import FileKey, KeyRing, KeyState
from security.trust import Pin, TrustStore
from security.trustfiles import store_certificate
from simulators.bank_letters import Envelope
from simulators.bank_service import BankService
from simulators.behaviour import Behaviour, Fate
from simulators.central_bank import CentralBank
from simulators.correspondent import Correspondent
from simulators.names import PHNOM_PENH

FOLDER: Final = "simulated-bank"
CLOSE: Final = "close-day"
BOOKS: Final = "books.json"
KEY: Final = "simulated-bank"
CERTIFICATES: Final = ("anchors/simulated-authority.pem", "signers/simulated-bank.pem")
"""What lies in the relationship's trust folder while the bank works, and in the bank's own ``trusted`` when not."""
BANKS: Final[Mapping[str, type[CentralBank]]] = {"cross_border": Correspondent}
"""Rail -> the bank at its other end, where that is not the central bank."""
QUIET_S: Final = 60
"""Seconds after the last booking in which the bank still waits for another one before it closes its day."""
WAIT_S: Final = 0.2
OPENING: Final = {"KHR": "9000000000000", "USD": "500000000"}
"""What an account holds when neither the bank nor the gateway knows it yet; other currencies begin with nothing."""
BEHAVIOUR: Final = Behaviour(
    deposits_max=1,
    daily_fee_minor=5_000,
    account_plans={
        "001": Fate(reject="AC01"),
        "004": Fate(reject="AC04"),
        "006": Fate(reject="AC06"),
        "044": Fate(give_back="AC04", after_days=0),
        "099": Fate(unmentioned=True),
    },
)


def run(gateway: Gateway, stop: threading.Event) -> threading.Thread:
    """Set the bank up and start it on a thread of its own, which ends after ``stop`` is set; return the thread.

    Call it before the gateway's workers are built: they read whom they trust when they start.

    Raises:
        ConfigurationError: the gateway is not the embedded one; a simulated bank never meets a real broker.
    """
    companion = prepare(gateway)
    thread = threading.Thread(target=companion.work, args=(stop,), name="simulated-bank", daemon=False)
    thread.start()
    return thread


def prepare(gateway: Gateway) -> Companion:
    """Return the bank, with its key made and known to the gateway.

    Raises:
        ConfigurationError: the gateway is not the embedded one.
    """
    if not gateway.settings.bus_url.startswith("memory://"):
        raise ConfigurationError("bus_url: a simulated bank is only for memory://, never beside a real broker")
    profile = next(iter(gateway.profiles.values()))
    folder = gateway.settings.home / FOLDER
    key = _key(gateway, profile, folder)
    gateway.log.warning("a simulated bank is trusted until it is closed", profile=profile.name)
    gateway.prepare()
    return Companion(gateway, profile, key, folder)


def _key(gateway: Gateway, profile: Profile, folder: Path) -> FileKey:
    """Load the bank's key, or make it, and let the gateway trust it until the bank is closed."""
    passphrase = gateway.settings.key_passphrase()
    trusted = gateway.settings.certificates_folder / profile.trust_folder
    if KeyRing(folder).entries():
        _move(folder / "trusted", trusted)
        return FileKey.load(folder, KEY, passphrase)
    at = gateway.clock.now() - timedelta(days=1)
    authority = create_authority("Simulated Certification Authority", at=at)
    name = "Simulated Central Bank"
    key = FileKey.create(
        folder, KEY, passphrase, owner_name=name, owner_bic=profile.bank_bic, at=at, certifier=authority
    )
    store_certificate(trusted, "anchors", "simulated-authority", authority.certificate)
    store_certificate(trusted, "signers", KEY, key.certificate)
    return key


def _move(source: Path, target: Path) -> None:
    """Move the bank's certificates from one folder to another; those that are not there have been moved before."""
    for name in CERTIFICATES:
        if (source / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).replace(target / name)


@dataclass(frozen=True, slots=True)
class Past:
    """What a bank remembers: the balances, and the last day that it closed."""

    balances: Mapping[str, Money]
    closed: date | None


class Companion:
    """A simulated bank at work.

    Args:
        gateway: whose messages it takes.
        profile: the relationship.
        key: the bank's.
        folder: where it keeps what it must not forget.
    """

    def __init__(self, gateway: Gateway, profile: Profile, key: FileKey, folder: Path) -> None:
        self._gateway = gateway
        self._profile = profile
        self._folder = folder
        past = _past(gateway, profile, folder)
        self._accounts = tuple(past.balances)
        self._closed = past.closed
        self._stated = 0
        self._bank = BANKS.get(profile.rail, CentralBank)(
            bic=profile.bank_bic,
            customer_bic=profile.own_bic,
            openings=past.balances,
            key=key,
            trust=_trust(gateway, profile),
            now=gateway.clock.now,
            random=Random(f"{past.closed}"),
            envelope=Envelope(*profile.message.envelope),
            behaviour=BEHAVIOUR,
            clearing_system=profile.message.clearing_system or "",
        )
        self._service = BankService(gateway.bus, profile.name, self._bank, gateway.clock.now)
        self._delivered: list[Path] = []
        self._booked = 0
        self._looked_s = gateway.clock.monotonic_s()

    def work(self, stop: threading.Event) -> None:
        """Work until asked to stop, and remember what counts."""
        log = self._gateway.log
        log.info("simulated bank opened", folder=str(self._folder), close_day=f"touch {self._folder / CLOSE}")
        try:
            self._deliver_letters()
            while not stop.is_set():
                self._step(stop)
        finally:
            self.close()
        log.info("simulated bank closed")

    def close(self) -> None:
        """Close the day, keep its statements as letters for the next start, and be trusted no longer."""
        letters = list(self._bank.end_of_day(self._next_day())) if self._fresh() else []
        self._remember()
        for path in self._delivered:
            path.unlink(missing_ok=True)
        for number, letter in enumerate(letters):
            path = self._folder / "letters" / f"{self._closed}-{number}.xml"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(letter)
        self._service.close()
        self._bank.close()
        _move(self._gateway.settings.certificates_folder / self._profile.trust_folder, self._folder / "trusted")

    def _step(self, stop: threading.Event, wait_s: float = WAIT_S) -> None:
        """Take what there is, and close the day when it is time."""
        try:
            self._service.step(wait_s)
        except BusUnavailable:
            stop.wait(WAIT_S)
            return
        now_s = self._gateway.clock.monotonic_s()
        if self._fresh() != self._booked:
            self._booked, self._looked_s = self._fresh(), now_s
        asked = self._folder / CLOSE
        if asked.exists() or (self._booked and now_s - self._looked_s > QUIET_S):
            asked.unlink(missing_ok=True)
            self._service.end_of_day(self._next_day())
            self._remember()
            self._gateway.log.info("simulated bank closed its day", day=str(self._closed))

    def _fresh(self) -> int:
        """Return how many payments were booked since the day was opened."""
        return self._bank.counts["settled"] + self._bank.counts["returned"] - self._stated

    def _next_day(self) -> date:
        """Return the day that is closed now: today, or the one after the last, and keep in mind that it is closed."""
        today = self._gateway.clock.now().astimezone(PHNOM_PENH).date()
        self._closed = today if self._closed is None else max(today, self._closed + timedelta(days=1))
        self._stated += self._fresh()
        return self._closed

    def _remember(self) -> None:
        """Write the balances, so that a reader sees the old file or the new one."""
        balances = {account: self._bank.balance(account) for account in self._accounts}
        content: dict[str, Any] = {
            "closed": None if self._closed is None else self._closed.isoformat(),
            "balances": {account: [money.text(), money.currency] for account, money in balances.items()},
        }
        beside = self._folder / f"{BOOKS}.new"
        beside.write_text(json.dumps(content), encoding="utf-8")
        beside.replace(self._folder / BOOKS)

    def _deliver_letters(self) -> None:
        """Deliver the statements that were left when the gateway stopped."""
        letters = sorted((self._folder / "letters").glob("*.xml"))
        _, queue = bank_queues(self._profile.name)
        publisher = self._gateway.bus.publisher()
        publisher.publish([
            Outgoing(BANK_EXCHANGE, queue, path.read_bytes(), path.stem, content_type="application/xml")
            for path in letters
        ])  # fmt: skip
        publisher.close()
        self._delivered = letters


def _past(gateway: Gateway, profile: Profile, folder: Path) -> Past:
    """Return what the bank remembers; at first that is what the gateway's last statements say."""
    path = folder / BOOKS
    if path.exists():
        content = json.loads(path.read_text(encoding="utf-8"))
        balances = {account: Money.parse(text, currency) for account, (text, currency) in content["balances"].items()}
        return Past(balances, content["closed"] and date.fromisoformat(content["closed"]))
    with gateway.store.transaction() as db:
        closings = db.all("last_closings")
    found = {account: Money(minor, currency) for account, currency, minor, _, _ in closings}
    fresh = {a.number: Money.parse(OPENING.get(a.currency, "0"), a.currency) for a in profile.home_accounts}
    days = [date.fromisoformat(row[3]) for row in closings if row[3]]
    return Past({number: found.get(number, money) for number, money in fresh.items()}, max(days, default=None))


def _trust(gateway: Gateway, profile: Profile) -> TrustStore:
    """Return the gateway's own certificates, as the bank would have been given them."""
    entries = KeyRing(gateway.settings.keys_folder).entries()
    active = [x for x in entries if x.record.profile in {"", profile.name} and x.record.state is KeyState.ACTIVE]
    return TrustStore(pins=[Pin(entry.certificate, profile.own_bic) for entry in active])
