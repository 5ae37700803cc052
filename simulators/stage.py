"""A whole country to run against: a gateway with its keys, a central bank that knows it, and a government that orders.

Everything is made in one folder from one seed: the gateway's configuration, keys and database as an operator would
have them, and the bank's and the sources' own keys, which the gateway only knows the public halves of.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from random import Random
from typing import Any

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from gateway.app import Gateway
from gateway.clock import Clock
from gateway.config import DEFAULT_NAME, Settings
from gateway.flow.desk import nowhere
from schemas.model.money import Money
from security.authority import Authority, create_authority
from security.jws import OrderKey
from security.keys import FileKey
from security.trust import TrustStore
from security.trustfiles import store_certificate
from simulators.bank_letters import Envelope
from simulators.behaviour import Behaviour
from simulators.central_bank import FLAWLESS, CentralBank

PROFILE = "central-bank"
OWN_BIC, BANK_BIC = "TREAKHPP", "NCAMKHPP"
PASSPHRASE = "only for simulations"  # noqa: S105  it protects nothing
SOURCES = ("fmis", "salary")
OPENINGS = {
    "000100000001": Money(900_000_000_000_000, "KHR"),
    "000100000002": Money(50_000_000_000, "USD"),
}
"""The treasury's accounts at the bank on the first morning."""
APPROVAL_LIMITS = {"KHR": "4000000000", "USD": "1000000.00"}
_CUT_OFF = re.compile(r'^cut_off = ".*"', re.MULTILINE)
VALID_BEFORE = 30
"""Days that keys and certificates are older than the first morning."""


class StagedSettings(Settings):
    """A configuration that the environment does not touch: the database that it names may be a real one."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what the simulation says and nothing else."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)


@dataclass(frozen=True)
class Stage:
    """What was set up, and the keys of those outside the gateway."""

    settings: Settings
    home: Path
    bank_key: FileKey
    bank_trust: TrustStore
    authority: Authority
    source_keys: dict[str, OrderKey]

    def gateway(
        self,
        clock: Clock,
        log: Any,
        *,
        new_uetr: Callable[[], str],
        reach: Callable[[str], None] = nowhere,
        durable: bool = True,
        second_process: bool = False,
    ) -> Gateway:
        """Return a gateway process of this country."""
        return Gateway(self.settings, log, clock, new_uetr, reach, durable=durable, second_process=second_process)

    def bank(
        self,
        gateway: Gateway,
        now: Callable[[], datetime],
        random: Random,
        behaviour: Behaviour = FLAWLESS,
        **more: Any,
    ) -> CentralBank:
        """Return the central bank, which has the gateway's certificate and its own key."""
        profile = gateway.profiles[PROFILE]
        return CentralBank(
            bic=profile.bank_bic,
            customer_bic=profile.own_bic,
            openings=OPENINGS,
            key=self.bank_key,
            trust=self.bank_trust,
            now=now,
            random=random,
            envelope=Envelope(*profile.message.envelope),
            behaviour=behaviour,
            clearing_system=profile.message.clearing_system or "",
            **more,
        )


def set_up(
    home: Path,
    at: datetime,
    *,
    database_url: str | None = None,
    bus_url: str = "memory://",
    approval_limits: Mapping[str, str] = APPROVAL_LIMITS,
    profile: str = PROFILE,
    own_bic: str = OWN_BIC,
    bank_bic: str = BANK_BIC,
    **settings: Any,
) -> Stage:
    """Make the folder of a gateway with its keys, and those of the bank and the sources.

    Args:
        home: an empty folder.
        at: when keys and certificates begin to be valid.
        database_url: ``sqlite:///...`` inside the folder if left out.
        bus_url: as in the configuration.
        approval_limits: amount by currency above which an order waits for an approval.
        profile: the relationship that the keys are for.
        own_bic: our BIC there.
        bank_bic: the BIC of the bank.
        settings: more of the configuration.
    """
    authority = create_authority("Simulated Certification Authority", at=at)
    bank_key = FileKey.generate(
        "bank-1", owner_name="National Bank of Cambodia (simulated)", owner_bic=bank_bic, at=at, certifier=authority
    )
    own_key = FileKey.create(
        home / "keys", "treasury-1", PASSPHRASE.encode(), owner_name="National Treasury (simulated)",
        owner_bic=own_bic, at=at, profile=profile, certifier=authority,
    )  # fmt: skip
    trust = home / "certificates" / profile
    store_certificate(trust, "anchors", "authority", authority.certificate)
    store_certificate(trust, "signers", "bank-1", bank_key.certificate)
    keys: dict[str, OrderKey] = {}
    sources: dict[str, Any] = {}
    for name in SOURCES:
        key = OrderKey.generate(source=name, key_id=f"{name}-1")
        path = home / "sources" / f"{name}-1.pem"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(key.public_pem())
        keys[name] = key
        sources[name] = {
            "keys": [{"kid": f"{name}-1", "file": path}],
            "accounts": list(OPENINGS),
            "approval_limits": dict(approval_limits),
        }
    made = StagedSettings(
        home=home,
        database_url=database_url or f"sqlite:///{home / 'gateway.sqlite'}",
        bus_url=bus_url,
        keys_folder=home / "keys",
        certificates_folder=home / "certificates",
        passphrase=PASSPHRASE,
        profiles=(PROFILE,),
        sources=sources,
        **settings,
    )
    bank_trust = TrustStore(anchors=[authority.certificate], signers=[own_key.certificate])
    return Stage(made, home, bank_key, bank_trust, authority, keys)


def write_configuration(stage: Stage, open_days: Sequence[date] = ()) -> Path:
    """Write the stage's configuration into its folder, so that the ``gateway`` command works on it; return the file.

    The passphrase is written beside it (mode 0600), and so are the sources' own keys, which a real gateway never has.

    Args:
        stage: what was set up.
        open_days: days on which the banks are open around the clock, so that one can play with it at any time.
    """
    secret = stage.home / "passphrase"
    secret.touch(mode=0o600)
    secret.write_text(f"{PASSPHRASE}\n", encoding="utf-8")
    settings = stage.settings
    lines = [
        "# A SIMULATION: these keys and this passphrase protect nothing, and no bank knows these accounts.",
        f"database_url = {_text(settings.database_url.replace(f'{stage.home}/', ''))}",
        f"bus_url = {_text(settings.bus_url)}",
        'keys_folder = "keys"',
        'certificates_folder = "certificates"',
        'passphrase_file = "passphrase"',
        f"profiles = {_text(list(settings.profiles))}",
    ]
    if open_days:
        _write_profiles(stage)
        lines.append('profiles_folder = "profiles"')
    for name, source in settings.sources.items():
        stage.source_keys[name].write(stage.home / "sources" / f"{name}-1.key.pem", PASSPHRASE.encode())
        files = ((key.kid, str(key.file.relative_to(stage.home))) for key in source.keys)
        keys = ", ".join(f"{{ kid = {_text(kid)}, file = {_text(file)} }}" for kid, file in files)
        lines += ["", f"[sources.{name}]", f"keys = [{keys}]", f"accounts = {_text(list(source.accounts))}"]
        lines += ["", f"[sources.{name}.approval_limits]"]
        lines += [f"{currency} = {_text(limit)}" for currency, limit in source.approval_limits.items()]
    if open_days:
        days = ", ".join(day.isoformat() for day in open_days)
        lines += ["", "# Somebody plays here at any time: no weekends, no holidays, and no cut-off.", "[calendar]"]
        lines.append(f"working_days = [{days}]")
    path = stage.home / DEFAULT_NAME
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _write_profiles(stage: Stage) -> None:
    """Copy the bank relationships into the stage's folder, without their cut-offs."""
    folder = stage.home / "profiles"
    folder.mkdir()
    for name in stage.settings.profiles:
        text = (stage.settings.profile_folder / f"{name}.toml").read_text(encoding="utf-8")
        (folder / f"{name}.toml").write_text(_CUT_OFF.sub('cut_off = "23:59"', text), encoding="utf-8")


def _text(value: str | list[str]) -> str:
    """Return a text or a list of texts as TOML writes it: JSON's strings and arrays are TOML's as well."""
    return json.dumps(value, ensure_ascii=False)


def another_bank_key(stage: Stage, bic: str, at: datetime) -> FileKey:
    """Return a key of another bank that the same authority certified, for attacks."""
    return FileKey.generate("other-1", owner_name="Another Bank", owner_bic=bic, at=at, certifier=stage.authority)
