"""Keys, profiles, dead letters, plug-ins and the root: what an administrator does, and what goes wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from importlib.metadata import EntryPoint, version
from pathlib import Path

import pytest
import typer
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from typer.testing import CliRunner

from adapters.profile import SHIPPED
from gateway.cli import app, root
from gateway.cli.screen import cell, masked_ledger, plain
from gateway.cli.shell import Shell
from gateway.clock import ManualClock
from security.authority import issue
from security.keys import FileKey
from simulators.stage import PASSPHRASE
from tests.gateway.cli.conftest import START, Office

# ------------------------------------------------------------------------------------------------------------ keys


def test_a_key_is_rotated_and_the_old_one_retired(office: Office) -> None:
    """The new one waits until the bank knows it; then it signs by itself, and the old one can go."""
    assert [(k["key_id"], k["state"]) for k in office.json("keys", "list")] == [("treasury-1", "signs")]
    assert "2026-12-14" in office.ok("keys", "rotate", "treasury-1", "treasury-2", user="officer")
    assert [k["state"] for k in office.json("keys", "list")] == ["signs", "waits"]
    assert "only one that can sign" in office.refused("keys", "retire", "treasury-1")
    office.clock.advance(timedelta(days=15))
    assert [k["state"] for k in office.json("keys", "list")] == ["active", "signs"]
    office.ok("keys", "retire", "treasury-1", user="officer")
    assert [k["state"] for k in office.json("keys", "list")] == ["retired", "signs"]
    assert "retired already" in office.refused("keys", "retire", "treasury-1")
    office.ok("audit", "verify")
    assert "treasury-2" in office.ok("keys", "list")


def test_a_rotated_key_may_sign_from_a_day_that_is_named(office: Office) -> None:
    """Agreed with the bank."""
    office.ok("keys", "rotate", "treasury-1", "treasury-2", "--from", "2027-01-15")
    assert office.json("keys", "list")[1]["signs_from"].startswith("2027-01-15")
    office.refused("keys", "rotate", "treasury-1", "treasury-3", "--from", "tomorrow", status=2)


def test_a_key_is_made_and_gets_the_certificate_of_the_banks_authority(office: Office, stage_key: FileKey) -> None:
    """Its request goes to the authority; another key's certificate is refused."""
    office.ok("keys", "create", "treasury-9", "--rsa", "--owner", "Treasury", user="officer")
    line = office.json("keys", "list")[1]
    assert (line["key_id"], line["self_signed"], line["state"]) == ("treasury-9", True, "waits")
    made = FileKey.load(office.home / "keys", "treasury-9", PASSPHRASE.encode())
    public_key = made.certificate.public_key()
    assert isinstance(public_key, RSAPublicKey)
    certificate = issue(
        office.stage.authority, public_key, owner_name="Treasury", owner_bic="TREAKHPP",
        at=START - timedelta(days=1),
    )  # fmt: skip
    path = office.home / "issued.pem"
    path.write_bytes(certificate.public_bytes(Encoding.PEM))
    office.ok("keys", "import-certificate", "treasury-9", path)
    assert not office.json("keys", "list")[1]["self_signed"]
    path.write_bytes(stage_key.certificate.public_bytes(Encoding.DER))
    assert "another key" in office.refused("keys", "import-certificate", "treasury-9", path, status=2)
    path.write_bytes(b"nothing")
    assert "not a certificate" in office.refused("keys", "import-certificate", "treasury-9", path, status=2)
    assert "cannot be read" in office.refused("keys", "import-certificate", "treasury-9", office.home / "no", status=2)


@pytest.fixture
def stage_key(office: Office) -> FileKey:
    """The bank's key, which is not ours."""
    return office.stage.bank_key


@pytest.mark.parametrize("name", ["../escape", "", "a b", "treasury-1"])
def test_a_key_id_is_a_safe_new_name(office: Office, name: str) -> None:
    """It is the stem of a file, and no key is ever overwritten."""
    office.refused("keys", "create", name, status=2)
    assert len(office.json("keys", "list")) == 1


@pytest.mark.parametrize(
    "command", [("retire", "nobody"), ("rotate", "nobody", "somebody"), ("import-certificate", "nobody", "file")]
)
def test_a_key_that_is_not_there_is_said_so(office: Office, command: tuple[str, ...]) -> None:
    """As everything else that is looked for and not there: one line, exit status 1."""
    assert "there is no key 'nobody'; gateway keys list shows them" in office.refused("keys", *command)


def test_the_wrong_passphrase_makes_no_key(office: Office) -> None:
    """Too short to protect anything."""
    (office.home / "passphrase").write_text("short")
    assert "bytes long" in office.refused("keys", "create", "k", status=2)
    (office.home / "passphrase").unlink()
    assert "passphrase" in office.refused("keys", "create", "k", status=2)
    assert "no profile" in office.refused("keys", "create", "k", "--profile", "another")


def test_a_passphrase_that_opens_no_key_is_noticed_before_another_key_is_made(office: Office) -> None:
    """A key under another passphrase than its siblings could not sign when its day comes."""
    path = office.home / "passphrase"
    right = path.read_text()
    path.write_text("correct horse, wrong stable")
    for command in (("keys", "create", "k"), ("keys", "rotate", "treasury-1", "k"), ("init",)):
        assert "wrong passphrase" in office.refused(*command, status=2), command
    assert "wrong passphrase" in office.refused("keys", "list")
    assert json.loads(office.run("keys", "list", "--json").stdout)[0]["opens"] is False
    path.write_text(right)
    assert [key["opens"] for key in office.json("keys", "list")] == [True]


# ---------------------------------------------------------------------------------------------- profiles, dead letters


def test_profiles_are_checked_with_file_line_and_reason(office: Office, tmp_path: Path) -> None:
    """The ones in use, or those that are named."""
    assert "ok: central-bank" in office.ok("profiles", "check")
    assert office.json("profiles", "check")["findings"] == []
    path = tmp_path / "bad.toml"
    path.write_text('name = "bad"\nrial = "high_value"\n')
    result = office.run("profiles", "check", path)
    assert result.exit_code == 1
    assert f"{path}:2:" in result.stdout
    assert "no profile" in office.refused("profiles", "check", tmp_path / "none")


def configured(office: Office, old: str, new: str) -> int:
    """Change the configuration; return the line on which the change stands."""
    path = office.home / "gateway.toml"
    text = path.read_text().replace(old, new, 1)
    path.write_text(text)
    return text[: text.index(new)].count("\n") + 1


def test_a_name_that_no_profile_has_is_found_before_a_worker_is_started(office: Office) -> None:
    """The check says what serve would stumble over, with the line, and what to do."""
    line = configured(office, 'profiles = ["central-bank"]', 'profiles = ["central-bank", "centrl-bank"]')
    result = office.run("profiles", "check")
    assert result.exit_code == 1
    said = f"{office.home / 'gateway.toml'}:{line}: profiles: there is no profile called centrl-bank; correct the name"
    assert said in result.stdout
    assert "name the folder that holds its file with profiles_folder" in office.refused("keys", "list", status=2)
    line = configured(office, "profiles = [", 'profiles_folder = "profils"\nprofiles = [')
    assert f"toml:{line}: profiles_folder: {office.home}/profils is no folder" in office.run("profiles", "check").stdout


def test_a_key_of_a_source_that_is_not_there_is_found_before_a_worker_is_started(office: Office) -> None:
    """Intake would not start: the check says which key of which source, in which line."""
    assert office.ok("profiles", "check")
    line = configured(office, 'kid = "fmis-1", file = "', 'kid = "fmis-1", file = "not-')
    result = office.run("profiles", "check")
    assert result.exit_code == 1
    assert f"gateway.toml:{line}: sources.fmis.keys.0.file: " in result.stdout
    assert "cannot be read: No such file" in result.stdout
    configured(office, '"not-', '"')
    configured(office, 'kid = "salary-1"', 'kid = "fmis-1"')
    assert "is also a key of fmis" in office.run("profiles", "check").stdout


def test_a_shipped_profile_is_found_beside_those_of_the_folder(office: Office) -> None:
    """Who adds a bank need not copy what comes with the gateway; what is in the folder goes before it."""
    folder = office.home / "profiles"
    folder.mkdir()
    configured(office, "profiles = [", 'profiles_folder = "profiles"\nprofiles = [')
    assert "ok: central-bank" in office.ok("profiles", "check")
    assert [one["profile"] for one in office.json("channels", "list")] == ["central-bank"]
    own = folder / "ours.toml"
    own.write_text((SHIPPED / "central-bank.toml").read_text().replace('"000100000002"', '"000100000003"'))
    assert office.json("profiles", "check")["checked"] == [str(own)]
    office.ok("init")
    assert "*****0003" in office.ok("report", "position")


CALENDARS = [
    ("", '[calendar]\ncountry = "UA"\n', "calendar.country: no holidays of 'UA' are known in 2026 or 2027"),
    ("", '[calendar]\ncountry = "UA"\n[calendar.holidays]\n2026-08-24 = "Independence Day"\n', None),
    ("", '[calendar]\ncountry = "UA"\n[calendar.holidays]\n2024-08-24 = "Independence Day"\n', "no holidays of 'UA'"),
    ("", '[calendar]\ncountry = "XX"\n[calendar.holidays]\n2026-12-25 = "Christmas"\n', "no holidays of 'XX'"),
    ("", '[calendar]\ncountry = "LA"\n', None),
    ('[calendar]\ncountry = "UA"\n', "", "calendar.country: no holidays of 'UA' are known in 2026 or 2027"),
    ('[calendar]\ncountry = "UA"\n', '[calendar.holidays]\n2026-12-25 = "Christmas"\n', None),
    ('[calendar]\ncountry = "UA"\n', '[calendar]\ncountry = "LA"\n', None),
    ('[calendar]\ncountry = "UA"\n[calendar.holidays]\n2026-12-25 = "Christmas"\n', "", None),
    (
        '[calendar]\ncountry = "UA"\n[calendar.holidays]\n2026-12-25 = "Christmas"\n',
        '[calendar]\ncountry = "UA"\n', None,
    ),
]  # fmt: skip
"""What the configuration says of the calendar, what the profile does, and what is found of it."""


@pytest.mark.parametrize(("ours", "rails", "said"), CALENDARS)
def test_a_calendar_of_which_nobody_knows_a_holiday_is_a_finding(
    office: Office, tmp_path: Path, ours: str, rails: str, said: str | None
) -> None:
    """Every weekday would be a business day. The line is that of the country, in the file that names it."""
    profile, configuration = tmp_path / "profiles" / "central-bank.toml", office.home / "gateway.toml"
    profile.parent.mkdir()
    profile.write_text(f"{(SHIPPED / profile.name).read_text()}\n{rails}")
    text = f'profiles_folder = "{profile.parent}"\n{configuration.read_text()}\n{ours}'
    configuration.write_text(text)
    result = office.run("profiles", "check")
    if said is None:
        assert "ok: central-bank" in result.stdout
        return
    assert result.exit_code == 1
    file = profile if "country" in rails else configuration
    line = (
        file.read_text().splitlines().index(next(x for x in rails.splitlines() + ours.splitlines() if "country" in x))
    )
    assert f"{file}:{line + 1}: " in result.stdout
    assert said in " ".join(result.stdout.split())
    assert len(office.run("profiles", "check", "--json").stdout.split('"line"')) == 2, "it is said once"


def test_the_countries_of_a_value_date_have_known_holidays(office: Office, tmp_path: Path) -> None:
    """Their banks are waited for as well, and nothing of them stands in the configuration."""
    path = tmp_path / "central-bank.toml"
    text = (SHIPPED / path.name).read_text()
    path.write_text(text.replace("[currencies.USD]\n", '[currencies.USD]\nvalue_countries = ["US", "UA"]\n'))
    result = office.run("profiles", "check", path)
    assert result.exit_code == 1
    line = path.read_text().splitlines().index('value_countries = ["US", "UA"]') + 1
    assert f"{path}:{line}: currencies.USD.value_countries: no holidays of 'UA'" in " ".join(result.stdout.split())


def test_a_simulation_that_is_trusted_is_a_finding(office: Office) -> None:
    """Whoever has its key could sign as the bank."""
    path = office.home / "certificates" / "central-bank" / "anchors" / "simulated-authority.pem"
    path.write_bytes(b"")
    result = office.run("profiles", "check")
    assert result.exit_code == 1
    assert "central-bank/anchors/simulated-authority.pem" in result.stdout


def test_keys_are_of_the_profiles_algorithm(office: Office, tmp_path: Path) -> None:
    """The bank said which it takes: new keys follow it, and one of another kind that signs is a finding."""
    path = tmp_path / "profiles" / "central-bank.toml"
    path.parent.mkdir()
    path.write_text((SHIPPED / "central-bank.toml").read_text().replace('"ecdsa-sha256"', '"rsa-sha256"'))
    configuration = office.home / "gateway.toml"
    configuration.write_text(f'profiles_folder = "{path.parent}"\n{configuration.read_text()}')
    result = office.run("profiles", "check")
    assert result.exit_code == 1
    assert "signature.algorithm: the key that signs now is of ecdsa-sha256" in result.stdout
    office.ok("keys", "rotate", "treasury-1", "treasury-2", "--from", "2026-11-30T01:00", user="officer")
    office.ok("keys", "create", "treasury-3", "--from", "2027-11-30", user="officer")
    office.ok("keys", "create", "treasury-4", "--from", "2027-11-30", "--ecdsa", user="officer")
    algorithms = [k["algorithm"].partition("/")[0] for k in office.json("keys", "list")]
    assert algorithms == ["EC", "RSA", "RSA", "EC"]


def test_dead_letters_are_listed_and_replayed(office: Office) -> None:
    """In the embedded bus there are those of this process only, and that is said."""
    assert office.json("dead-letters", "list") == []
    assert "no dead letter" in office.ok("dead-letters", "list")
    assert "say which" in office.refused("dead-letters", "replay")
    assert "0 sent again" in office.ok("dead-letters", "replay", "--all")
    assert "there is no dead letter unknown" in office.refused("dead-letters", "replay", "unknown")


# ------------------------------------------------------------------------------------------------------------- the root


def run(*arguments: str, clock: ManualClock | None = None) -> tuple[int, str]:
    """Run a command without an office; return exit status and everything it printed."""
    result = CliRunner().invoke(app, list(arguments), obj=Shell(clock or ManualClock(START)))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_without_a_configuration_init_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first thing that a new operator sees."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GATEWAY_CONFIG", raising=False)
    status, printed = run("payments", "list")
    assert status == 2
    assert "gateway init" in printed


def test_the_configuration_is_found_here_in_the_environment_and_by_name(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this order of precedence: the option, the variable, the folder."""
    monkeypatch.setenv("GATEWAY_CONFIG", str(office.home / "gateway.toml"))
    assert run("payments", "list")[0] == 0
    monkeypatch.delenv("GATEWAY_CONFIG")
    monkeypatch.chdir(office.home)
    assert run("payments", "list")[0] == 0
    assert run("--config", "elsewhere.toml", "payments", "list")[0] == 2


def test_a_wrong_configuration_is_named_line_by_line(office: Office) -> None:
    """Without a traceback, and without what stands in it."""
    (office.home / "gateway.toml").write_text('database_url = "mysql://root:secret@x"\n')
    said = office.refused("payments", "list", status=2)
    assert "gateway.toml:1" in said
    assert "secret" not in said


def test_a_database_that_was_never_made_is_said_so(office: Office) -> None:
    """A missing file, or one without tables."""
    (office.home / "gateway.sqlite").write_bytes(b"")
    assert "gateway init" in office.refused("payments", "list", status=2)
    (office.home / "gateway.sqlite").unlink()
    assert "gateway init" in office.refused("payments", "list", status=2)
    assert not (office.home / "gateway.sqlite").exists(), "looking makes no file"


@pytest.mark.servers
def test_on_postgresql_a_database_without_tables_is_said_so(office: Office, bare_database_url: str) -> None:
    """Its error is another one, the advice the same."""
    path = office.home / "gateway.toml"
    lines = path.read_text().splitlines()[1:]
    path.write_text("\n".join([f'database_url = "{bare_database_url}"', *lines]))
    assert "gateway init" in office.refused("payments", "list", status=2)


def test_init_makes_what_the_other_commands_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an empty folder, and again without harm."""
    for name in [name for name in os.environ if name.startswith("GATEWAY_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    status, printed = run("init")
    assert status == 0, printed
    assert "gateway.toml" in printed
    status, printed = run("init", "--json")
    assert {one["how"] for one in json.loads(printed)} == {"kept", "later"}
    assert run("ledger", "verify")[0] == 0
    assert run("audit", "verify")[0] == 0
    assert run("keys", "list")[0] == 0
    status, printed = run("profiles", "check")
    assert status == 1
    assert "no anchor" in printed
    assert run("init", "--role", "workers")[0] == 2


def test_a_worker_needs_a_broker_that_others_share(office: Office) -> None:
    """On the embedded bus it would hear of nothing."""
    assert "gateway serve" in office.refused("worker", "intake", status=2)
    office.refused("worker", "cook", status=2)


def test_what_is_to_run_beside_it_has_to_exist(office: Office) -> None:
    """A simulated bank is called by its name, and nothing starts without it."""
    said = office.refused("serve", "--with", "nobody")
    assert "nothing called 'nobody'" in said
    assert "bank" in said


def test_every_command_explains_itself() -> None:
    """Each family and each of its commands has a help text."""
    assert run("--help")[0] == 0
    for command in ("init", "serve", "worker", "submit", "batches", "approve", "decline", "payments", "messages",
                    "statements", "exceptions", "ledger", "audit", "keys", "profiles", "dead-letters"):  # fmt: skip
        status, printed = run(command, "--help")
        assert status == 0
        assert len(printed) > 200


# ------------------------------------------------------------------------------------------------------------ plug-ins

single = typer.Typer(add_completion=False)
family = typer.Typer()


@single.command()
def greet(name: str) -> None:
    """Greet somebody."""
    typer.echo(f"hello {name}")


family.command("greet")(greet)
family.command("leave")(lambda: typer.echo("bye"))


@pytest.mark.parametrize(
    ("target", "arguments"),
    [("single", ["plugged", "you"]), ("greet", ["plugged", "you"]), ("family", ["plugged", "greet", "you"])],
)
def test_commands_of_other_floors_are_plugged_in(
    monkeypatch: pytest.MonkeyPatch, target: str, arguments: list[str]
) -> None:
    """A typer application with one or more commands, or a function."""
    entry = EntryPoint("plugged", f"{__name__}:{target}", root.PLUG_INS)
    monkeypatch.setattr(EntryPoint, "load", lambda _self: globals()[target])
    monkeypatch.setattr(root, "_plug_ins", lambda: {"plugged": entry})
    assert run(*arguments) == (0, "hello you\n")
    assert "plugged" in run("--help")[1]


def test_a_plug_in_that_cannot_be_loaded_hinders_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says why when it is run."""
    monkeypatch.setattr(root, "_plug_ins", lambda: {"demo": EntryPoint("demo", "nowhere.at_all:app", root.PLUG_INS)})
    assert run("--help")[0] == 0
    status, printed = run("demo", "--seed", "1", "more")
    assert status == 2
    assert "nowhere" in printed
    assert "Traceback" not in printed


# ---------------------------------------------------------------------------------------------------------- the screen


def test_nothing_on_the_screen_is_more_than_text() -> None:
    """Control, ANSI, zero-width and direction characters are written as what they are."""
    assert plain("a\x1b[31mb\u202ec\u200bd\x9be\nf") == "a\\x1b[31mb\\u202ec\\u200bd\\x9be\\nf"
    assert plain("ខ្មែរ") == "ខ្មែរ"
    assert cell("[red]x[/red]").plain == "[red]x[/red]"
    assert len(cell("x" * 10_000).plain) < 500


def test_ledger_accounts_hide_the_account_number() -> None:
    """But for the end of it; a source is no secret."""
    assert masked_ledger("bank:000100000001") == "bank:*****0001"
    assert masked_ledger("payable:fmis") == "payable:fmis"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this machine has no device that is always full")
@pytest.mark.parametrize("more", [(), ("--json",)])
def test_output_that_cannot_be_written_is_one_line(office: Office, more: tuple[str, ...]) -> None:
    """A full disk under a report that is redirected; with and without much to print."""
    command = [sys.executable, "-c", "from gateway.cli import main; main()"]
    command += ["--config", str(office.home / "gateway.toml"), "ledger", "verify", *more]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=120)
    assert done.returncode == 2
    assert done.stderr == "error: the output cannot be written: No space left on device\n"


def test_the_version_is_the_one_that_is_installed() -> None:
    """The first thing that is asked for in a report."""
    result = CliRunner().invoke(app, ["--version"])
    assert result.exit_code == 0
    assert result.stdout.startswith("gateway")
    assert version("treasury-gateway") in result.stdout
