"""The gateway's configuration: one TOML file, and environment variables that stand above it.

``GATEWAY_DATABASE_URL=...`` sets ``database_url``, ``GATEWAY_WORKERS__INTAKE_BATCH=200`` sets ``intake_batch`` in the
table ``[workers]``. Relative paths are meant from the configuration file's folder, wherever the gateway is started.
Nothing is read when this module is imported; secrets are only in files and in the environment, and never printed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from adapters.fields import Currency, KeyId, Listed, MistakeAt, ShortName, Table, Text, TimeZone, mistakes
from adapters.profile import SHIPPED
from adapters.toml import TomlFile, read
from gateway.core.ledger import OWN_SOURCE
from gateway.routing_settings import RouteSettings, mistakes_in, profile_names, unknown_profiles
from schemas.errors import ConfigurationError
from schemas.model.money import Money
from security.keyfiles import read_private

DEFAULT_NAME = "gateway.toml"
"""The file's name where none is given."""

PASSPHRASE_BYTES_MIN = 8
PASSPHRASE_BYTES_MAX = 1_024


class _Table(Table):
    """A table of the configuration: a value may come as text, for the environment knows nothing else."""

    model_config = ConfigDict(strict=False, hide_input_in_errors=True)


class SourceKey(_Table):
    """A key that a source system signs its orders with: its id in the JWS header and the file of the public key."""

    kid: KeyId
    file: Path


class SourceSettings(_Table):
    """A system that may order payments, or announce what is to be received, or both.

    Attributes:
        keys: public keys, several at once while one is replaced by the next.
        accounts: numbers of our accounts that its orders may debit (rule 38).
        receipt_accounts: numbers of our accounts on which it may expect money; none: it announces no bills.
        approval_limits: largest amount by currency, as a plain decimal, that needs no second pair of eyes; an order
            above it waits for an approval, and so does every order in a currency that is not here.
        batch_timeout_s: seconds after which a batch that is still incomplete becomes an exception.
    """

    keys: Annotated[Listed[tuple[SourceKey, ...]], Field(min_length=1)]
    accounts: Listed[tuple[Text, ...]] = ()
    receipt_accounts: Listed[tuple[Text, ...]] = ()
    approval_limits: Mapping[Currency, str] = Field(default_factory=dict)
    batch_timeout_s: int = Field(default=3_600, ge=1)

    def approval_limit(self, currency: str) -> Money | None:
        """Return the largest amount that needs no approval, or None where every amount needs one."""
        text = self.approval_limits.get(currency)
        return None if text is None else Money.parse(text, currency)


class WorkerSettings(_Table):
    """The bounds of the work in hand, so that no step takes more than it can finish, hold in memory or lose.

    Attributes:
        intake_batch: order messages taken at once; a chunk of a batch has up to a megabyte, and all are in memory.
        intake_payments_max: payments in that transaction, however many messages they come in.
        dispatch_batch: payments claimed for one round of composing.
        relay_batch: messages published in one window of confirms.
        inbound_batch: bank documents taken at once; each may be large.
        reconcile_batch: statement entries stored and matched in one slice; the whole statement is one transaction.
        wait_s: longest wait for work before a worker looks at its clock again.
        lease_s: how long a claim holds; then another worker may take the work over.
        retries_max: attempts after which a message goes to the dead letters.
        message_bytes_max: an order message above this is refused unread.
        document_bytes_max: a bank document above this is refused unread.
        statement_bytes_max: the same for an unsigned statement, which is read piece by piece and never whole.
    """

    intake_batch: int = Field(default=60, ge=1, le=5_000)
    intake_payments_max: int = Field(default=2_000, ge=1_000, le=50_000)
    dispatch_batch: int = Field(default=2_000, ge=1, le=50_000)
    relay_batch: int = Field(default=500, ge=1, le=5_000)
    inbound_batch: int = Field(default=10, ge=1, le=500)
    reconcile_batch: int = Field(default=5_000, ge=1, le=50_000)
    wait_s: float = Field(default=1.0, gt=0, le=60)
    lease_s: int = Field(default=60, ge=5, le=3_600)
    retries_max: int = Field(default=5, ge=0, le=100)
    message_bytes_max: int = Field(default=4_000_000, ge=1_000)
    document_bytes_max: int = Field(default=200_000_000, ge=1_000)
    statement_bytes_max: int = Field(default=4 * 1024**3, ge=1_000)


class LogSettings(_Table):
    """``json`` for machines, ``text`` for people, ``auto``: text in a terminal; and the least level that is written."""

    format: Literal["auto", "json", "text"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"


class MetricsSettings(_Table):
    """Where /metrics, /healthz and /readyz are served: to this machine alone unless the host says so; port 0: not."""

    host: str = "127.0.0.1"
    port: int = Field(default=9464, ge=0, le=65_535)


class ExceptionSettings(_Table):
    """What one person alone may do about an exception. Amounts are plain decimals by currency.

    Attributes:
        two_people_above: largest amount that one person may resolve; above it one proposes and another confirms. None
            is named: one person may resolve everything; one is: every amount of a currency that is not takes two.
        write_off_limits: largest amount that may be written off; of a currency that is not here, nothing may.
    """

    two_people_above: Mapping[Currency, str] = Field(default_factory=dict)
    write_off_limits: Mapping[Currency, str] = Field(default_factory=dict)

    def two_people_limit(self, currency: str) -> Money | None:
        """Return the largest amount that one person may resolve, or None where every amount takes two."""
        text = self.two_people_above.get(currency)
        return None if text is None else Money.parse(text, currency)

    def write_off_limit(self, currency: str) -> Money | None:
        """Return the largest amount that may be written off, or None where nothing may."""
        text = self.write_off_limits.get(currency)
        return None if text is None else Money.parse(text, currency)


class CalendarSettings(_Table):
    """The bank calendar: the country's public holidays, corrected by the year's sub-decree.

    Attributes:
        country: whose public holidays are the seed.
        time_zone: the time zone of the gateway's own day (a bank's cut-offs are in its profile's).
        holidays: days that are holidays as well, with their names.
        working_days: days of the seed that are worked.
    """

    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] = "KH"
    time_zone: TimeZone = "Asia/Phnom_Penh"
    holidays: Mapping[date, str] = Field(default_factory=dict)
    working_days: Listed[tuple[date, ...]] = ()


class Settings(BaseSettings):
    """Everything that an operator may set.

    Attributes:
        home: folder of the files that the gateway itself writes.
        database_url: ``sqlite:///file`` or ``postgresql://user@host/name``; left out of repr, it may hold a password.
        bus_url: ``memory://`` or ``amqp://user@host/vhost``; left out of repr likewise.
        keys_folder: our signing keys, encrypted with the passphrase.
        certificates_folder: the trust anchors and revocation lists that profiles name.
        secrets_folder: what transports need: passwords, private keys, known hosts; one folder a profile.
        passphrase: of the signing keys; better from GATEWAY_PASSPHRASE or passphrase_file than in the file.
        profiles_folder: the bank relationships; None: those that come with the project.
        profiles: names of those in use, also shipped ones that the folder does not have; none named: all of the folder.
        sources: the systems that may order payments, by name.
        routes: over which profile a payment leaves; the first that matches decides, and without any the home of the
            debited account.
    """

    model_config = SettingsConfigDict(
        env_prefix="GATEWAY_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,  # a database's address may hold a password
    )

    home: Path = Path()
    database_url: str = Field(default="sqlite:///gateway.sqlite", repr=False)
    bus_url: str = Field(default="memory://", repr=False)
    keys_folder: Path = Path("keys")
    certificates_folder: Path = Path("certificates")
    secrets_folder: Path = Path("secrets")
    passphrase: SecretStr | None = None
    passphrase_file: Path | None = None
    profiles_folder: Path | None = None
    profiles: tuple[ShortName, ...] = ()
    sources: dict[ShortName, SourceSettings] = Field(default_factory=dict)
    routes: Listed[tuple[RouteSettings, ...]] = ()
    workers: WorkerSettings = WorkerSettings()
    logs: LogSettings = LogSettings()
    metrics: MetricsSettings = MetricsSettings()
    calendar: CalendarSettings = CalendarSettings()
    exceptions: ExceptionSettings = ExceptionSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the environment above the file's content, which comes as arguments; there is no other source."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings

    @model_validator(mode="after")
    def addresses_are_of_a_known_kind(self) -> Self:
        """The database and the bus are named by an address whose kind this gateway knows."""
        known = {"database_url": ("sqlite:///", "postgresql://"), "bus_url": ("memory://", "amqp://", "amqps://")}
        for name, kinds in known.items():
            if not getattr(self, name).startswith(kinds):
                raise MistakeAt((name,), f"an address begins with {' or '.join(kinds)}")
        return self

    @model_validator(mode="after")
    def sources_have_accounts(self) -> Self:
        """A source orders payments from some account, or expects money on one; else nothing it sends could be taken."""
        if OWN_SOURCE in self.sources:
            raise MistakeAt(("sources", OWN_SOURCE), "the gateway orders its returns under this name; choose another")
        for name, source in self.sources.items():
            if not source.accounts and not source.receipt_accounts:
                raise MistakeAt(("sources", name, "accounts"), "missing, and so is receipt_accounts")
        return self

    @model_validator(mode="after")
    def limits_are_amounts(self) -> Self:
        """A limit is a plain decimal of its currency."""
        found: list[tuple[tuple[str, ...], Mapping[str, str]]] = [
            (("sources", name, "approval_limits"), source.approval_limits) for name, source in self.sources.items()
        ]
        found.append((("exceptions", "two_people_above"), self.exceptions.two_people_above))
        found.append((("exceptions", "write_off_limits"), self.exceptions.write_off_limits))
        for place, limits in found:
            for currency, text in limits.items():
                try:
                    Money.parse(text, currency)
                except ValueError as error:
                    raise MistakeAt((*place, currency), str(error)) from error
        return self

    @model_validator(mode="after")
    def routes_can_be_followed(self) -> Self:
        """Each route can match something, and names sources that are there."""
        for location, said in mistakes_in(self.routes, self.sources):
            raise MistakeAt(location, said)
        return self

    @property
    def profile_folder(self) -> Path:
        """The folder of the bank relationships."""
        return self.profiles_folder or SHIPPED

    def key_passphrase(self) -> bytes:
        """Return the passphrase of the signing keys.

        Raises:
            ConfigurationError: none is set, the file cannot be read or is open to others, or it is too short to protect
                anything.
        """
        if self.passphrase is not None:
            secret, origin = self.passphrase.get_secret_value().encode(), "passphrase (GATEWAY_PASSPHRASE)"
        elif self.passphrase_file is not None:
            lines = read_private(self.passphrase_file).splitlines()
            secret, origin = lines[0] if lines else b"", f"passphrase_file {self.passphrase_file}"
        else:
            raise ConfigurationError("passphrase: set GATEWAY_PASSPHRASE, or passphrase_file in the configuration")
        if not PASSPHRASE_BYTES_MIN <= len(secret) <= PASSPHRASE_BYTES_MAX:
            raise ConfigurationError(f"{origin}: has to be {PASSPHRASE_BYTES_MIN} to {PASSPHRASE_BYTES_MAX} bytes long")
        return secret


def load(path: Path) -> Settings:
    """Read the configuration file, with the environment above it, and make its relative paths absolute.

    Raises:
        ConfigurationError: a line ``file:line: key: reason`` (or the variable's name) for each mistake.
    """
    file = read(path)
    try:
        settings = Settings(**file.data)
    except ValidationError as error:
        raise ConfigurationError("\n".join(_explain(file, error))) from error
    settings = _absolute(settings, path.resolve().parent)
    if settings.routes:
        known = profile_names((settings.profile_folder, SHIPPED), settings.profiles)
        astray = unknown_profiles(settings.routes, known)
        said = [f"{path}:{file.line(place)}: {'.'.join(map(str, place))}: {text}" for place, text in astray]
        if said:
            raise ConfigurationError("\n".join(said))
    return settings


def _explain(file: TomlFile, error: ValidationError) -> list[str]:
    """Return a line for each mistake, which names the variable where the environment set that value, else the file."""
    found = []
    for line, said in mistakes(file, error, {}):
        names = said.partition(":")[0].upper().split(".")
        variables = ("GATEWAY_" + "__".join(names[:length]) for length in range(len(names), 0, -1))
        variable = next((name for name in variables if name in os.environ), None)
        found.append(f"{file.path}:{line}: {said}" if variable is None else f"{variable}: {said}")
    return found


def _absolute(settings: Settings, folder: Path) -> Settings:
    """Return the settings with each relative path put under its folder: home under the file's, the rest under home."""
    home = folder / settings.home
    changed: dict[str, Any] = {"home": home}
    for name in ("keys_folder", "certificates_folder", "secrets_folder", "passphrase_file", "profiles_folder"):
        value = getattr(settings, name)
        changed[name] = None if value is None else home / value
    kind, separator, rest = settings.database_url.partition(":///")
    if kind == "sqlite" and separator:
        changed["database_url"] = f"sqlite:///{home / rest}"
    changed["sources"] = {
        name: source.model_copy(
            update={"keys": tuple(key.model_copy(update={"file": home / key.file}) for key in source.keys)}
        )
        for name, source in settings.sources.items()
    }
    return settings.model_copy(update=changed)


def write_default(path: Path) -> None:
    """Write a commented configuration to start from; a file that is there is never overwritten.

    Raises:
        ConfigurationError: the file exists, or cannot be written.
    """
    text = (Path(__file__).parent / "default.toml").read_text(encoding="utf-8")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise ConfigurationError(f"{path}: exists already, and stays as it is") from error
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be written: {error.strerror or error}") from error
