"""A bank relationship is one file, and what is wrong in it is said with file, line and reason."""

from __future__ import annotations

from datetime import time
from pathlib import Path
from typing import NoReturn

import pytest
from pydantic import ValidationError

from adapters.profile import SHIPPED, Profile, check_profiles, load, load_all
from schemas.errors import ConfigurationError
from schemas.model.money import Money

GOOD = (SHIPPED / "central-bank.toml").read_text(encoding="utf-8")


def write(folder: Path, text: str, name: str = "a.toml") -> Path:
    """Write a profile into a folder and return its path."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def line_of(text: str, part: str) -> int:
    """Return the number of the first line that holds the part."""
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


def test_every_shipped_profile_is_right() -> None:
    """What comes with the project works as it is."""
    assert check_profiles(sorted(SHIPPED.glob("*.toml"))) == []


def test_the_central_bank_is_read_as_it_is_written() -> None:
    """The profile is the single place that says how this bank is dealt with."""
    profile = load_all()["central-bank"]
    assert (profile.bank_bic, profile.own_bic, profile.rail) == ("NCAMKHPP", "TREAKHPP", "high_value")
    assert profile.currencies["KHR"].decimals == 0
    assert profile.currencies["KHR"].cut_off == time(15, 30)
    assert profile.limit("KHR") == Money.parse("400000000000", "KHR")
    assert profile.limit("EUR") is None
    assert profile.zone.key == "Asia/Phnom_Penh"
    account = profile.account("000100000002")
    assert account is not None
    assert account.currency == "USD"
    assert profile.account("1") is None


def test_a_profile_cannot_be_changed() -> None:
    """What was checked at the start holds until the end."""
    profile = load_all()["central-bank"]
    with pytest.raises(ValidationError):
        setattr(profile, "name", "other")  # noqa: B010  an assignment would be refused by mypy already


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("resends_max = 3 ", "resend_max = 3 ", "resend_max: unknown key"),
        ("[currencies.USD]", "[currencies.XAU]", "currencies.XAU: 'XAU' is not a currency"),
        ('bank_bic = "NCAMKHPP"', 'bank_bic = "NCAMKHP"', "bank_bic: 'NCAMKHP' is not a BIC"),
        ('own_bic = "TREAKHPP"', 'own_bic = "treakhpp"', "own_bic: 'treakhpp' is not a BIC"),
        ('time_zone = "Asia/Phnom_Penh"', 'time_zone = "Asia/Angkor"', "time_zone: 'Asia/Angkor' is not a time zone"),
        ('cut_off = "15:30"', 'cut_off = "25:30"', "currencies.KHR.cut_off: '25:30' is not a time of day"),
        ('limit = "400000000000"', 'limit = "4e11"', "currencies.KHR.limit: AM12"),
        ('limit = "400000000000"', 'limit = "0"', "currencies.KHR.limit: a limit is greater than zero"),
        ('limit = "400000000000"', "limit = 400000000000.0", "currencies.KHR.limit: should be a valid string"),
        ("decimals = 2", "decimals = 3", "currencies.USD.decimals: USD has 2 decimals at most"),
        ("transactions_max = 1000", "transactions_max = 0", "message.transactions_max: should be greater than"),
        ("transactions_max = 1000", 'transactions_max = "1000"', "message.transactions_max: should be a valid integer"),
        ('clearing_system = "KH"', "", "settlement_method CLRG needs a clearing_system"),
        ('currency = "USD"', 'currency = "EUR"', "accounts.1.currency: EUR is not among"),
        ('default = "[0-9]{9,15}"', 'default = "[0-9"', "account_patterns.default: '[0-9' is not a regular expression"),
        ('default = "[0-9]{9,15}"', 'NCAMKHPP = "[0-9]+"', "account_patterns: a default pattern is missing"),
        ('method = "CLRG"', 'method = "INDA"', "message.settlement_method: this rail settles in a clearing system"),
        ('key_info = "ski"', 'key_info = "x"', "signature.key_info: "),
        ('key_info = "ski"', "required = false", "signature.required: unknown key"),
        ('kind = "bus"', 'kind = "pigeon"', "transport.kind: should be 'bus'"),
    ],
)
def test_a_mistake_is_said_with_its_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    """A bank relationship with a mistake never becomes one that pays by a default."""
    assert old in GOOD
    path = write(tmp_path, GOOD.replace(old, new, 1))
    (finding, *others) = check_profiles([path])
    assert others == []
    assert said in finding.message
    around = {"clearing_system": "[message]", "a default pattern": "[account_patterns]"}
    wanted = next((mark for key, mark in around.items() if key in said), None)
    expected = line_of(GOOD, wanted or old) if wanted or "XAU" not in said else line_of(GOOD, "[currencies.USD]")
    assert finding.line == expected


def test_a_cut_off_without_a_time_zone_is_refused(tmp_path: Path) -> None:
    """15:30 is a moment only together with a place."""
    path = write(tmp_path, GOOD.replace('time_zone = "Asia/Phnom_Penh"\n', ""))
    with pytest.raises(ConfigurationError, match="time_zone: missing, and a cut-off means nothing without a time zone"):
        load(path)


def test_a_limit_without_a_currency_is_refused(tmp_path: Path) -> None:
    """An amount is an amount of something."""
    text = GOOD.replace("[currencies.KHR]", '[currencies]\nlimit = "5"\n[currencies.KHR]')
    (finding, *_) = check_profiles([write(tmp_path, text)])
    assert "a limit without a currency" in finding.message
    assert finding.line == line_of(text, 'limit = "5"')


def test_every_mistake_is_reported_at_once(tmp_path: Path) -> None:
    """Nobody mends a file by starting the gateway ten times."""
    path = write(tmp_path, GOOD.replace("NCAMKHPP", "X").replace("Asia/Phnom_Penh", "Y"))
    assert [finding.message.partition(":")[0] for finding in check_profiles([path])] == ["bank_bic", "time_zone"]


def test_a_missing_certificate_is_found(tmp_path: Path) -> None:
    """Without its trust anchor every statement of this bank would be refused, at night, one by one."""
    path, anchors = write(tmp_path, GOOD), tmp_path / "central-bank" / "anchors"
    (finding,) = check_profiles([path], tmp_path)
    assert "holds no anchor and no pinned certificate" in finding.message
    anchors.mkdir(parents=True)
    (anchors / "authority.pem").touch()
    assert check_profiles([path], tmp_path) == []


def test_a_simulation_that_is_trusted_is_found(tmp_path: Path) -> None:
    """A simulated bank's key protects nothing; a real gateway never trusts it."""
    path, anchors = write(tmp_path, GOOD), tmp_path / "central-bank" / "anchors"
    anchors.mkdir(parents=True)
    (anchors / "simulated-authority.pem").touch()
    (finding,) = check_profiles([path], tmp_path)
    assert finding.line == line_of(GOOD, "[signature]")
    assert "central-bank/anchors/simulated-authority.pem" in finding.message


def test_a_key_of_another_algorithm_is_found(tmp_path: Path) -> None:
    """The bank would refuse each message that it signs."""
    path = write(tmp_path, GOOD)
    assert check_profiles([path], algorithm_of=lambda name: {"central-bank": "ecdsa-sha256"}[name]) == []
    (finding,) = check_profiles([path], algorithm_of=lambda _: "rsa-sha256")
    assert (finding.line, "rsa-sha256" in finding.message) == (line_of(GOOD, "algorithm ="), True)


def test_a_rail_has_to_exist(tmp_path: Path) -> None:
    """The rail is a module's name, and a module that is not there is a misspelt name."""
    path = write(tmp_path, GOOD.replace('rail = "high_value"', 'rail = "low_value"'))
    assert [str(finding) for finding in check_profiles([path])] == [
        f"{path}:7: rail: there is no adapters/rails/low_value.py"
    ]


def test_two_profiles_share_neither_name_nor_account(tmp_path: Path) -> None:
    """With two banks for one account, or two of one name, a statement could belong to either."""
    first, second = write(tmp_path, GOOD), write(tmp_path, GOOD, "b.toml")
    found = check_profiles([first, second])
    assert {finding.file for finding in found} == {second}
    assert [finding.message.partition(":")[0] for finding in found] == [
        "name",
        "accounts.0.number",
        "accounts.1.number",
    ]
    with pytest.raises(ConfigurationError, match="another profile is called 'central-bank'"):
        load_all(tmp_path)


def test_an_account_stands_in_a_profile_once(tmp_path: Path) -> None:
    """The same account twice would be reported, and its balance counted, twice."""
    text = GOOD.replace('number = "000100000002"\ncurrency = "USD"', 'number = "000100000001"\ncurrency = "KHR"')
    with pytest.raises(ConfigurationError, match=r"accounts\.1\.number: this account stands in the profile twice"):
        load(write(tmp_path, text))


def test_a_folder_without_profiles_is_refused(tmp_path: Path) -> None:
    """A gateway without a bank has been pointed at the wrong folder."""
    with pytest.raises(ConfigurationError, match="holds no profile"):
        load_all(tmp_path)


def test_what_a_profile_leaves_out_has_a_safe_default() -> None:
    """Statements are signed, and every rule of an outgoing transfer holds, unless a profile says otherwise."""
    profile = load_all()["central-bank"]
    assert Profile.model_fields["rules"].default == profile.rules
    assert {20, 26, 29, 39, 43, 47} <= set(profile.rules)
    assert type(profile.statements).model_fields["signed"].default is True


def rail(folder: Path, name: str, *changes: tuple[str, str]) -> Path:
    """Write another profile of the same bank into a folder and return its path."""
    text = GOOD.replace('name = "central-bank"', f'name = "{name}"', 1)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return write(folder, text, f"{name}.toml")


GUEST = tuple((f'name = "National Treasury, single account {c}"', 'name = "T"\nhome = "b"') for c in ("KHR", "USD"))


def test_an_account_is_debited_over_several_rails_and_has_one_home(tmp_path: Path) -> None:
    """Its statements come to one profile; each other one says which that is."""
    paths = [rail(tmp_path, "a", *GUEST), rail(tmp_path, "b"), rail(tmp_path, "c", *GUEST)]
    assert check_profiles(paths) == []
    profiles = load_all(tmp_path)
    assert [len(profiles[name].home_accounts) for name in "abc"] == [0, 2, 0]


def test_an_account_with_two_homes_is_found(tmp_path: Path) -> None:
    """Nobody could tell to whom a statement belongs."""
    paths = [rail(tmp_path, "a"), rail(tmp_path, "b")]
    found = check_profiles(paths)
    assert [(finding.file.name, "this account is also in" in finding.message) for finding in found] == [
        ("b.toml", True), ("b.toml", True),
    ]  # fmt: skip
    assert found[0].line == line_of(paths[1].read_text(), 'number = "000100000001"')


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ({}, "accounts.0.home: there is no profile 'b'"),
        ({"b": (("000100000001", "000100000009"),)}, "accounts.0.home: b has no such account of its own"),
        ({"b": GUEST[:0], "c": ()}, "this account is also in"),
    ],
)
def test_a_home_that_is_none_is_found(
    tmp_path: Path, others: dict[str, tuple[tuple[str, str], ...]], said: str
) -> None:
    """Else the statements of an account would come to nobody."""
    paths = [rail(tmp_path, "a", *GUEST), *(rail(tmp_path, name, *changes) for name, changes in others.items())]
    assert any(said in finding.message for finding in check_profiles(paths))


def test_funds_are_watched_on_every_rail_of_an_account_or_on_none(tmp_path: Path) -> None:
    """One rail could spend what another one has just been told is there."""
    kept = ("[signature]", '[prefunding.KHR]\nminimum = "5"\n\n[signature]')
    paths = [rail(tmp_path, "a", *GUEST, kept), rail(tmp_path, "b")]
    [finding] = check_profiles(paths)
    assert finding.message == "prefunding.KHR: b debits the same account without [prefunding.KHR]"
    paths[1] = rail(tmp_path, "b", kept)
    assert check_profiles(paths) == []


@pytest.mark.parametrize(
    ("added", "said"),
    [
        ('[prefunding.EUR]\nminimum = "5"', "prefunding.EUR: EUR is not among this profile's currencies"),
        ('[prefunding.KHR]\nminimum = "-5"', "prefunding.KHR.minimum: "),
        ('[counterparties.ABAAKHPP.EUR]\nday_limit = "5"', "counterparties.ABAAKHPP.EUR: EUR is not among"),
        ('[counterparties.ABAAKHPP.KHR]\nday_limit = "0"', "counterparties.ABAAKHPP.KHR.day_limit: a limit is greater"),
        ('[counterparties.ABAAKHPP]\nday_limit = "5"', "counterparties.ABAAKHPP.day_limit: "),
        ('[counterparties.aba.KHR]\nday_limit = "5"', "counterparties.aba"),
        ('[liquidity]\norder = "random"', "liquidity.order: "),
        ('[calendar]\nweekend = ["caturday"]', "calendar.weekend.0: "),
        ('[calendar.holidays]\n2026-13-01 = "x"', "calendar.holidays.2026-13-01"),
    ],
)
def test_a_mistake_in_limits_or_business_days_is_said_with_its_line(tmp_path: Path, added: str, said: str) -> None:
    """A limit that is not in force because it is misspelt is worse than none."""
    text = GOOD.replace("[signature]", f"{added}\n\n[signature]", 1)
    (finding, *_) = check_profiles([write(tmp_path, text)])
    assert finding.message.startswith(said)
    assert finding.line >= line_of(text, added.splitlines()[0])


def test_a_days_limit_stands_under_its_currency(tmp_path: Path) -> None:
    """An amount is an amount of something."""
    text = GOOD.replace("[currencies.KHR]", '[currencies]\nday_limit = "5"\n[currencies.KHR]')
    (finding, *_) = check_profiles([write(tmp_path, text)])
    assert "a limit without a currency" in finding.message


def test_a_certificates_folder_that_may_not_be_read_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check that ends with a traceback has found nothing."""
    (tmp_path / "central-bank").mkdir()

    def iterdir(path: Path) -> NoReturn:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", iterdir)
    [finding] = check_profiles([SHIPPED / "central-bank.toml"], tmp_path)
    assert f"signature.trust: {tmp_path / 'central-bank'}: cannot be read: Permission denied" in finding.message
