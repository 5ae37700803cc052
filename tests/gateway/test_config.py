"""One file, the environment above it, and a clear word about every mistake in either."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from gateway.config import Settings, load, write_default
from schemas.errors import ConfigurationError
from schemas.model.money import Money

SOURCE = """
[sources.fmis]
keys = [{ kid = "fmis-2026", file = "fmis.pem" }]
accounts = ["000100000001"]
[sources.fmis.approval_limits]
KHR = "4000000000"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a default configuration with one source added."""
    path = tmp_path / "gateway.toml"
    write_default(path)
    path.write_text(path.read_text(encoding="utf-8") + SOURCE, encoding="utf-8")
    return path


def test_the_default_configuration_is_right_and_complete(tmp_path: Path) -> None:
    """What `gateway init` writes works at once, embedded, with nothing else installed."""
    path = tmp_path / "gateway.toml"
    write_default(path)
    settings = load(path)
    assert settings.database_url == f"sqlite:///{tmp_path}/gateway.sqlite"
    assert settings.bus_url == "memory://"
    assert settings.profiles == ("central-bank",)
    assert (settings.profile_folder / "central-bank.toml").is_file()


def test_a_source_may_expect_money_and_order_none(path: Path) -> None:
    """Who announces bills need not be able to pay from an account, nor the other way round."""
    text = path.read_text(encoding="utf-8").replace('accounts = ["000100000001"]\n[', 'receipt_accounts = ["1"]\n[')
    path.write_text(text, encoding="utf-8")
    source = load(path).sources["fmis"]
    assert (source.accounts, source.receipt_accounts) == ((), ("1",))


def test_no_source_has_the_name_of_the_gateway_itself(path: Path) -> None:
    """What the gateway gives back it orders under that name, and nobody else may order what looks the same."""
    path.write_text(path.read_text(encoding="utf-8").replace("[sources.fmis", "[sources.gateway"), encoding="utf-8")
    with pytest.raises(ConfigurationError, match="choose another"):
        load(path)


def test_every_default_that_the_comments_show_is_the_default(tmp_path: Path) -> None:
    """A comment that says another figure than the code would be believed."""
    path = tmp_path / "gateway.toml"
    write_default(path)
    before = load(path)
    shown = [
        line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("# ") or " = " in line
    ]
    tables = {"[workers]", "[logs]", "[metrics]"}
    kept: list[str] = []
    inside = False
    for line in shown:
        inside = line in tables if line.startswith("[") else inside
        kept.append(line.removeprefix("# ") if inside else line)
    path.write_text("\n".join(kept), encoding="utf-8")
    assert load(path) == before


def test_a_file_that_is_there_is_never_overwritten(path: Path) -> None:
    """A second `gateway init` does not undo a day's work."""
    before = path.read_text(encoding="utf-8")
    with pytest.raises(ConfigurationError, match="exists already"):
        write_default(path)
    assert path.read_text(encoding="utf-8") == before


def test_the_environment_stands_above_the_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container is configured without touching the file in its image."""
    monkeypatch.setenv("GATEWAY_DATABASE_URL", "postgresql://gateway@db/treasury")
    monkeypatch.setenv("GATEWAY_WORKERS__INTAKE_BATCH", "200")
    monkeypatch.setenv("GATEWAY_CALENDAR__WORKING_DAYS", '["2026-05-04"]')
    settings = load(path)
    assert settings.database_url == "postgresql://gateway@db/treasury"
    assert (settings.workers.intake_batch, settings.workers.relay_batch) == (200, 500)
    assert settings.calendar.working_days == (date(2026, 5, 4),)


def test_relative_paths_are_meant_from_the_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway does the same wherever it is started from."""
    monkeypatch.chdir("/")
    settings = load(path)
    assert settings.keys_folder == path.parent / "keys"
    assert settings.sources["fmis"].keys[0].file == path.parent / "fmis.pem"
    path.write_text('home = "var"\nkeys_folder = "/etc/keys"\n', encoding="utf-8")
    settings = load(path)
    assert settings.database_url == f"sqlite:///{path.parent}/var/gateway.sqlite"
    assert settings.keys_folder == Path("/etc/keys")


def test_a_source_says_what_needs_a_second_person(path: Path) -> None:
    """The limit is an amount of a currency; a currency that is not named has none."""
    fmis = load(path).sources["fmis"]
    assert fmis.approval_limit("KHR") == Money.parse("4000000000", "KHR")
    assert fmis.approval_limit("USD") is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[workers]", "[workers]\nintake_bach = 3", "workers.intake_bach: unknown key"),
        ("[workers]", "[workers]\nevents_batch = 500", "workers.events_batch: unknown key"),
        ("[workers]", "[workers]\nintake_batch = 0", "workers.intake_batch: should be greater than"),
        ('bus_url = "memory://"', 'bus_url = "kafka://x"', "bus_url: an address begins with memory:// or amqp://"),
        ('"4000000000"', "4000000000", "sources.fmis.approval_limits.KHR: should be a valid string"),
        ('"4000000000"', '"4.001"', "sources.fmis.approval_limits.KHR: CH20"),
        ('KHR = "4000000000"', 'XAU = "4"', "sources.fmis.approval_limits.XAU: 'XAU' is not a currency"),
        ('accounts = ["000100000001"]\n', "", "sources.fmis.accounts: missing"),
        ('kid = "fmis-2026"', 'kid = "../fmis"', "sources.fmis.keys.0.kid: "),
    ],
)
def test_a_mistake_in_the_file_is_said_with_its_line(path: Path, old: str, new: str, said: str) -> None:
    """File, line, key and reason: enough to mend it without asking."""
    before, _, after = path.read_text(encoding="utf-8").rpartition(old)
    path.write_text(before + new + after, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}:")
    assert said in str(caught.value)


def test_a_mistake_in_the_environment_names_the_variable(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is right in this case, and looking into it would be a waste of time."""
    monkeypatch.setenv("GATEWAY_METRICS__PORT", "99999")
    with pytest.raises(ConfigurationError, match=r"^GATEWAY_METRICS__PORT: metrics\.port: should be less than"):
        load(path)


def test_a_secret_is_never_shown(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings end up in logs and tracebacks, passphrases and passwords must not."""
    monkeypatch.setenv("GATEWAY_PASSPHRASE", "correct horse")
    monkeypatch.setenv("GATEWAY_DATABASE_URL", "postgresql://gateway:battery@db/treasury")
    settings = load(path)
    assert settings.key_passphrase() == b"correct horse"
    assert "horse" not in repr(settings)
    assert "battery" not in repr(settings)
    monkeypatch.setenv("GATEWAY_BUS_URL", "kafka://gateway:staple@mq")
    with pytest.raises(ConfigurationError) as caught:
        load(path)
    assert "staple" not in str(caught.value)
    assert "staple" not in str(caught.value.__cause__)


def test_the_passphrase_may_be_in_a_file(tmp_path: Path) -> None:
    """Only its first line counts, without the line's end, however the file was written."""
    (tmp_path / "secret").write_bytes(b"correct horse\r\nsecond line\n")
    (tmp_path / "secret").chmod(0o600)
    path = tmp_path / "gateway.toml"
    path.write_text('passphrase_file = "secret"\n')
    assert load(path).key_passphrase() == b"correct horse"
    (tmp_path / "secret").write_bytes(b"short\n")
    with pytest.raises(ConfigurationError, match="8 to 1024 bytes"):
        load(path).key_passphrase()
    (tmp_path / "secret").unlink()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load(path).key_passphrase()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_passphrase_file_that_others_can_read_or_write_is_refused(tmp_path: Path, mode: int) -> None:
    """Whoever reads it can sign with a copy of the keys; what to do is said."""
    (tmp_path / "secret").write_bytes(b"correct horse\n")
    (tmp_path / "secret").chmod(mode)
    path = tmp_path / "gateway.toml"
    path.write_text('passphrase_file = "secret"\n')
    with pytest.raises(ConfigurationError, match="chmod 600"):
        load(path).key_passphrase()


def test_no_passphrase_is_said_with_what_to_do() -> None:
    """A key without a passphrase is never quietly created."""
    with pytest.raises(ConfigurationError, match="set GATEWAY_PASSPHRASE"):
        Settings().key_passphrase()


def test_what_one_person_may_do_is_configured_by_currency(path: Path) -> None:
    """A limit that is no amount is a mistake of the file and not of the day on which somebody needs it."""
    before = path.read_text(encoding="utf-8")
    path.write_text(before + '\n[exceptions.two_people_above]\nKHR = "4000"\n', encoding="utf-8")
    limits = load(path).exceptions
    assert limits.two_people_limit("KHR") == Money(400_000, "KHR")
    assert limits.two_people_limit("USD") is None
    assert limits.write_off_limit("KHR") is None
    for table, value in (("two_people_above", '"-1"'), ("write_off_limits", '"1.001"'), ("write_off_limits", "5.5")):
        path.write_text(f"{before}\n[exceptions.{table}]\nKHR = {value}\n", encoding="utf-8")
        with pytest.raises(ConfigurationError, match=f"exceptions.{table}"):
            load(path)
