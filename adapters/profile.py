"""A bank relationship, read from one TOML file: which rail, which dialect, which limits, accounts, keys and transport.

Adding a bank means adding such a file. Nothing of a bank stands in code; what a profile does not say is a default
that is named here with its reason. Everything is frozen, and an unknown key is an error, so that a misspelt setting
cannot be taken for one that is in force.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationError, model_validator

from adapters.channel_settings import ChannelSettings
from adapters.fields import (
    Bic,
    ClockTime,
    Currency,
    Listed,
    MistakeAt,
    Pattern,
    ShortName,
    Table,
    TimeZone,
    bic,
    mistakes,
)
from adapters.instant_settings import InstantSettings
from adapters.layout_settings import LayoutSettings
from adapters.matching import MatchingSettings
from adapters.message_settings import MessageSettings
from adapters.pain_settings import PainSettings
from adapters.payment_settings import (
    AccountSettings,
    Bank,
    CounterpartySettings,
    CurrencySettings,
    LiquiditySettings,
    PrefundingSettings,
    RailCalendarSettings,
    wrong_amounts,
)
from adapters.table_settings import TableSettings
from adapters.toml import Location, read
from adapters.transport_settings import BusSettings, TransportSettings
from schemas.errors import ConfigurationError
from schemas.model.money import Money

SHIPPED = Path(__file__).parent / "profiles"
"""The profiles that come with the project."""

OUTGOING_RULES = (*range(1, 17), *range(18, 30), *range(31, 41))
TEXT_RULES = tuple(range(41, 54))
"""Business rules (by number) that concern every outgoing credit transfer; a profile may name fewer or more."""


class SignatureSettings(Table):
    """Whose signatures are taken, and with which key we sign.

    Attributes:
        algorithm: algorithm of our own signature: the kind of a new key, unless said otherwise.
        algorithms: algorithms that are taken from the bank.
        key_info: how the signing key is named: by subject key identifier, or by issuer and serial number.
        trust: folder of this bank's anchors, signers and revocation lists (security/trustfiles.py), inside the
            certificates folder; None: the profile's name. Our own key is the one of the key folder that signs for
            this profile now, so that rotation needs no change here.
        revocation_required: refuse a signer whose authority's revocation list is missing.
    """

    algorithm: Literal["ecdsa-sha256", "rsa-sha256"] = "ecdsa-sha256"
    algorithms: Listed[tuple[Literal["ecdsa-sha256", "rsa-sha256"], ...]] = (
        "ecdsa-sha256",
        "rsa-sha256",
    )
    key_info: Literal["ski", "issuer_serial"] = "ski"
    trust: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")] | None = None
    revocation_required: bool = False


class StatementSettings(Table):
    """How the bank reports.

    Attributes:
        signed: False takes a bare camt Document, a file of MT messages, or a table; status reports are signed in any
            case.
        expected_by: time on the next business day by which the statement of a day is here; None: not watched.
        table: how this bank writes statements as CSV or XLSX, which carry no signature.
    """

    signed: bool = True
    expected_by: ClockTime | None = None
    table: TableSettings | None = None

    @model_validator(mode="after")
    def a_table_is_not_signed(self) -> Self:
        """A table has no place for a signature: that the bank sends one has to be agreed."""
        if self.signed and self.table is not None:
            raise MistakeAt(("statements", "table"), "a table carries no signature; say signed = false above it")
        return self


class Profile(Table):
    """One bank relationship.

    Attributes:
        name: short name; part of queue names, logs and metrics.
        rail: the module in adapters/rails that composes and reads this rail's messages.
        bank_bic: BIC of the bank (To of what we send, From of what we take).
        own_bic: our own BIC at this bank.
        time_zone: IANA name; cut-offs and value dates are meant in it.
        rules: numbers of the business rules that hold for this rail.
        currencies: what may be paid, by currency.
        accounts: our accounts that this rail debits.
        calendar: its business days, where they are not the gateway's own.
        cut_off_warning_min: minutes before a cut-off from which on payments of the day that have not left are told.
        prefunding: currencies whose payments leave only while the account covers them.
        counterparties: what may leave to one bank (BIC8) on one day, by currency.
        account_patterns: regular expression of a valid account number by BIC, and ``default`` for all others (rule 37).
        in_doubt_after_s: seconds without an answer after which a sent payment is in doubt.
        late_after_days: calendar days after its settlement day from which a payment that is not booked is late.
        resends_max: how often the same bytes are sent again before a person decides.
        days_ahead_max: how far ahead an execution date may lie (rule 27).
        pain: how the bank wants the files of its customers, on rails that send such.
        instant: how the rail names banks and refunds, where each transfer is a message of its own.
        layout: how the flat files of a clearing house are laid out, on rails that send such.
    """

    name: ShortName
    rail: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    bank_bic: Bic
    own_bic: Bic
    time_zone: TimeZone
    rules: Listed[tuple[int, ...]] = OUTGOING_RULES + TEXT_RULES
    message: MessageSettings
    currencies: Mapping[Currency, CurrencySettings] = Field(min_length=1)
    accounts: Annotated[Listed[tuple[AccountSettings, ...]], Field(min_length=1)]
    account_patterns: Mapping[str, Pattern] = Field(default_factory=lambda: {"default": "[0-9]{9,15}"})
    signature: SignatureSettings
    statements: StatementSettings = StatementSettings()
    matching: MatchingSettings = MatchingSettings()
    in_doubt_after_s: int = Field(default=900, ge=1)
    late_after_days: int = Field(default=2, ge=0, le=60)
    resends_max: int = Field(default=3, ge=0, le=20)
    days_ahead_max: int = Field(default=30, ge=0, le=366)
    calendar: RailCalendarSettings | None = None
    cut_off_warning_min: int = Field(default=0, ge=0, le=720)
    liquidity: LiquiditySettings = LiquiditySettings()
    prefunding: Mapping[Currency, PrefundingSettings] = Field(default_factory=dict)
    counterparties: Mapping[Bank, Mapping[Currency, CounterpartySettings]] = Field(default_factory=dict)
    channel: ChannelSettings = ChannelSettings()
    pain: PainSettings | None = None
    instant: InstantSettings = InstantSettings()
    layout: LayoutSettings | None = None
    transport: TransportSettings = BusSettings()

    @property
    def zone(self) -> ZoneInfo:
        """The time zone as an object."""
        return ZoneInfo(self.time_zone)

    @property
    def trust_folder(self) -> str:
        """The folder, inside the certificates folder, that says whose signatures this bank's messages carry."""
        return self.signature.trust or self.name

    def limit(self, currency: str) -> Money | None:
        """Return the largest amount of one payment in this currency, or None where the rail sets none."""
        settings = self.currencies.get(currency)
        return Money.parse(settings.limit, currency) if settings and settings.limit is not None else None

    @property
    def home_accounts(self) -> tuple[AccountSettings, ...]:
        """The accounts whose statements come from this bank to this profile."""
        return tuple(account for account in self.accounts if account.home in {None, self.name})

    def account(self, number: str) -> AccountSettings | None:
        """Return our account with this number at this bank, or None."""
        return next((account for account in self.accounts if account.number == number), None)

    @model_validator(mode="after")
    def limits_fit_their_currency(self) -> Self:
        """A limit is an amount of its currency, which is one of this rail, with no more decimals than it has."""
        for location, said in wrong_amounts(self.currencies, self.prefunding, self.counterparties):
            raise MistakeAt(location, said)
        return self

    @model_validator(mode="after")
    def accounts_are_in_a_listed_currency(self) -> Self:
        """Each account's currency is one of this rail, and no account stands here twice."""
        numbers: set[tuple[str, str]] = set()
        for index, account in enumerate(self.accounts):
            if account.currency not in self.currencies:
                raise MistakeAt(
                    ("accounts", index, "currency"), f"{account.currency} is not among this profile's currencies"
                )
            if (account.number, account.currency) in numbers:
                raise MistakeAt(("accounts", index, "number"), "this account stands in the profile twice")
            numbers.add((account.number, account.currency))
        table = self.statements.table
        if table is not None and table.account_number is not None and self.account(table.account_number) is None:
            said = "no account of this profile has this number"
            raise MistakeAt(("statements", "table", "account_number"), said)
        if table is not None and not table.says_the_account and len({account.number for account in self.accounts}) > 1:
            said = "nothing says which account: columns.account, account, or account_number"
            raise MistakeAt(("statements", "table"), said)
        return self

    @model_validator(mode="after")
    def patterns_have_a_default(self) -> Self:
        """Patterns are by BIC, with a default for the banks that are not named."""
        if "default" not in self.account_patterns:
            raise MistakeAt(("account_patterns",), "a default pattern is missing")
        for key in self.account_patterns:
            if key != "default":
                try:
                    bic(key)
                except ValueError as error:
                    raise MistakeAt(("account_patterns", key), str(error)) from error
        return self


_REASONS = {
    "time_zone missing": "missing, and a cut-off means nothing without a time zone",
    "currencies.limit": "a limit without a currency; write it under [currencies.KHR], for example",
    "currencies.day_limit": "a limit without a currency; write it under [currencies.KHR], for example",
    "currencies.cut_off": "a cut-off without a currency; write it under [currencies.KHR], for example",
}


def load(path: Path) -> Profile:
    """Read one profile.

    Raises:
        ConfigurationError: with a line ``file:line: where: reason`` for each thing that is wrong with it.
    """
    profile, findings = _examine(path)
    if profile is None:
        raise ConfigurationError("\n".join(map(str, findings)))
    return profile


def load_all(folder: Path = SHIPPED) -> dict[str, Profile]:
    """Read every profile of a folder, by name, in the order of their file names.

    Raises:
        ConfigurationError: a profile is wrong, two have one name, or the folder holds none.
    """
    profiles: dict[str, Profile] = {}
    for path in sorted(folder.glob("*.toml")):
        profile = load(path)
        if profile.name in profiles:
            raise ConfigurationError(f"{path}:1: name: another profile is called {profile.name!r} as well")
        profiles[profile.name] = profile
    if not profiles:
        raise ConfigurationError(f"{folder}: holds no profile (*.toml)")
    return profiles


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Something wrong with a profile: the file, the line (from 1) and what to mend."""

    file: Path
    line: int
    message: str

    def __str__(self) -> str:
        """Return ``file:line: message``."""
        return f"{self.file}:{self.line}: {self.message}"


def check_profiles(
    paths: Sequence[Path],
    certificates: Path | None = None,
    algorithm_of: Callable[[str], str | None] = lambda _: None,
    secrets: Path | None = None,
    more_of: Callable[[Profile], Sequence[tuple[Location, str]]] = lambda _: (),
) -> list[Finding]:
    """Look at profiles one by one and side by side, and return everything that is wrong with them.

    Args:
        paths: the profiles' files.
        certificates: the folder of the certificate files that profiles name; None leaves those out.
        algorithm_of: returns the algorithm of the key that signs for a profile now, or None where none does.
        secrets: the folder of what transports need from their vaults; None leaves that out, and the folders of
            watched folders with it.
        more_of: returns what else is wrong with a profile, and where in it: what a profile alone does not show.
    """
    from adapters import homes, profile_faults  # noqa: PLC0415  they look at profiles, and stand beside them

    findings: list[Finding] = []
    names: dict[str, Path] = {}
    whole: list[tuple[Path, Profile]] = []
    for path in paths:
        profile, found = _examine(path)
        findings += found
        if profile is None:
            continue
        file = read(path)
        if profile.name in names:
            said = f"name: {profile.name!r} is also the name in {names[profile.name]}"
            findings.append(Finding(path, file.line(("name",)), said))
        names.setdefault(profile.name, path)
        whole.append((path, profile))
        faults = [*profile_faults.of_rail(profile), *profile_faults.of_ways(profile), *more_of(profile)]
        if certificates is not None:
            faults += profile_faults.of_trust(profile, certificates)
        if secrets is not None:
            faults += profile_faults.of_transport(profile, secrets)
        findings += [Finding(path, file.line(place), said) for place, said in faults]
        algorithm = algorithm_of(profile.name)
        if algorithm not in {None, profile.signature.algorithm}:
            said = f"signature.algorithm: the key that signs now is of {algorithm}; run: gateway keys rotate"
            findings.append(Finding(path, file.line(("signature", "algorithm")), said))
    for number, place, said in homes.faults([profile for _, profile in whole], [path for path, _ in whole]):
        path = whole[number][0]
        findings.append(Finding(path, read(path).line(place), said))
    return sorted(findings)


def _examine(path: Path) -> tuple[Profile | None, list[Finding]]:
    """Return a profile, or what is wrong with it."""
    try:
        file = read(path)
    except ConfigurationError as error:
        return None, [Finding(path, 1, str(error).removeprefix(f"{path}: "))]
    try:
        return Profile.model_validate(file.data), []
    except ValidationError as error:
        return None, [Finding(path, line, said) for line, said in mistakes(file, error, _REASONS)]
