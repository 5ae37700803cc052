"""The demonstration: a seed always gives the same day, and every bad order is refused for its own reason."""

from __future__ import annotations

import io
import json
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from gateway.config import load
from gateway.store.sqlite import SqliteStore
from schemas.errors import ConfigurationError
from schemas.orders import Order
from simulators import demo, demo_view
from simulators.demo_day import CHUNK, DAY, Plan
from simulators.demo_report import EVERYTHING, Report
from simulators.demo_view import MARK_NAME, Nobody
from simulators.government import Government

PLAN = Plan(seed=11, lines=400, orders=120)
OBJECT = {
    "seed": int, "seconds": float, "orders": dict, "refused": dict, "accounts": list, "exceptions": dict,
    "ledger_verified": bool, "audit_verified": bool,
}  # fmt: skip
ACCOUNT = {"account": str, "currency": str, "ledger": str, "statement": str, "equal": bool}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a demonstration."""
    return tmp_path_factory.mktemp("demo") / "home"


@pytest.fixture(scope="module")
def report(home: Path) -> Report:
    """A demonstration, run once for all tests that only look at it."""
    return demo.run(PLAN, home, Nobody())


@pytest.fixture
def store(home: Path, report: Report) -> Iterator[SqliteStore]:
    """What the demonstration left in its database."""
    assert report.orders
    with closing(SqliteStore(home / "gateway.sqlite")) as opened:
        yield opened


def invoke(*arguments: str) -> Any:
    """Run the command as the command line does."""
    app = typer.Typer()
    app.command("demo")(demo.demo)
    return CliRunner().invoke(app, list(arguments))


def test_the_object_has_the_keys_and_types_that_were_promised(report: Report) -> None:
    """Programs read ``--json``; an absent key or another type breaks them."""
    found = json.loads(json.dumps(report.as_object()))
    assert {key: type(value) for key, value in found.items()} == OBJECT
    assert [{key: type(value) for key, value in account.items()} for account in found["accounts"]] == [ACCOUNT] * 2
    for counts in (found["orders"], found["refused"], found["exceptions"]):
        assert all(isinstance(count, int) and count > 0 for count in counts.values())


def test_the_same_seed_gives_the_same_day(report: Report, tmp_path: Path) -> None:
    """What cannot be repeated cannot be shown, compared or debugged."""
    again = demo.run(PLAN, tmp_path / "again", Nobody())
    assert replace(again, seconds=0) == replace(report, seconds=0)


def test_another_seed_gives_another_day(report: Report, tmp_path: Path) -> None:
    """A seed that changes nothing would make the test above worthless."""
    other = demo.run(replace(PLAN, seed=12), tmp_path / "other", Nobody())
    assert other.amounts != report.amounts
    assert other.proved


def test_every_order_has_an_end_and_none_is_lost(report: Report) -> None:
    """Refused, settled, rejected, returned, or in somebody's hands; repeated orders are taken once."""
    assert sum(report.orders.values()) + report.repeated == PLAN.lines + PLAN.orders
    assert set(report.orders) <= {"REFUSED", "HELD", "REJECTED", "SETTLED", "RETURNED", "CANCELLED"}
    assert sum(report.refused.values()) == report.orders["REFUSED"]


def test_ledger_statement_and_bank_agree(report: Report) -> None:
    """The point of the whole house."""
    assert report.proved
    assert [cash.equal for cash in report.cash] == [True, True]


def test_bad_orders_are_refused_with_the_code_that_their_defect_asks_for(report: Report, store: SqliteStore) -> None:
    """The government knows what is wrong with each order; the gateway has to find out by itself."""
    government = Government(PLAN.random("government"), DAY)
    for _ in government.payroll(PLAN.lines, bad=PLAN.bad_lines, chunk=CHUNK):
        pass
    for _ in government.singles(government.suppliers(PLAN.orders, bad=PLAN.bad_orders)):
        pass
    with store.transaction() as db:
        rows = db.all("list_refusals", count=EVERYTHING)
    found: dict[str, set[str]] = {}
    for _, _, order_id, _, _, reasons, _ in rows:
        found.setdefault(order_id, set()).update(code for _, code, _, _ in json.loads(reasons))
    bad = [expected for expected in government.expected if expected.codes]
    assert len(rows) == len(bad) == report.orders["REFUSED"]
    for expected in bad:
        assert found[expected.order_id] & set(expected.codes), expected


def test_the_folder_can_be_worked_on_afterwards(home: Path, report: Report) -> None:
    """The commands at the end of the summary need a configuration, and its passphrase."""
    assert report.orders
    settings = load(home / "gateway.toml")
    assert settings.key_passphrase()
    assert {key.file.is_file() for source in settings.sources.values() for key in source.keys} == {True}
    assert settings.database_url == f"sqlite:///{home / 'gateway.sqlite'}"
    assert stat.S_IMODE((home / "passphrase").stat().st_mode) == 0o600


def test_orders_are_left_to_play_with(home: Path, report: Report) -> None:
    """A newcomer's first own order should be one that is known to be good."""
    assert report.orders
    lines = (home / "orders.ndjson").read_text(encoding="utf-8").splitlines()
    orders = [Order.model_validate_json(line) for line in lines]
    assert [order.creditor_account.number[-3:] for order in orders] == list(demo.ENDINGS)


def test_the_environment_does_not_reach_a_demonstration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Someone who operates a real gateway in this shell must not find a demonstration in its database."""
    monkeypatch.setenv("GATEWAY_DATABASE_URL", "postgresql://nowhere.invalid/real")
    monkeypatch.setenv("GATEWAY_BUS_URL", "amqp://nowhere.invalid/real")
    assert demo.run(Plan(1, 5, 5), tmp_path / "demo", Nobody()).proved


def test_only_a_demonstration_is_replaced(tmp_path: Path) -> None:
    """A wrong ``--home`` must not cost anybody a file."""
    (tmp_path / "precious").touch()
    with pytest.raises(ConfigurationError, match="something else"):
        demo.prepare_folder(tmp_path)
    assert (tmp_path / "precious").exists()
    home = tmp_path / "demo"
    demo.prepare_folder(home)
    (home / "left over").touch()
    demo.prepare_folder(home)
    assert [path.name for path in home.iterdir()] == [MARK_NAME]


def test_json_prints_the_object_and_nothing_else(tmp_path: Path) -> None:
    """``make -s demo JSON=1`` is piped into a program."""
    done = invoke("--json", "--home", str(tmp_path / "demo"), "--lines", "10", "--orders", "10")
    assert done.exit_code == 0
    assert done.stdout.count("\n") == 1
    assert json.loads(done.stdout)["ledger_verified"] is True


def test_without_a_terminal_there_are_no_control_characters(tmp_path: Path) -> None:
    """A log file or a mail with the output stays readable."""
    done = invoke("--home", str(tmp_path / "demo"), "--lines", "10", "--orders", "30")
    assert done.exit_code == 0
    assert not re.search(r"[^\n -~]", done.stdout)


def test_a_proof_that_fails_fails_the_command(report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the demonstration in a script looks at the exit code alone."""
    broken = replace(report, ledger_faults=["transit account 1: holds 1, must hold 0"])
    monkeypatch.setattr(demo, "run", lambda *_: broken)
    done = invoke("--home", str(tmp_path / "demo"))
    assert done.exit_code == 1
    assert "transit account 1" in done.stdout


def test_a_folder_of_something_else_is_a_clear_error(tmp_path: Path) -> None:
    """The message says what to do instead of a traceback."""
    (tmp_path / "precious").touch()
    done = invoke("--home", str(tmp_path))
    assert done.exit_code == 2
    assert "--home" in done.stderr


@pytest.fixture
def shown(report: Report) -> Callable[[int], list[str]]:
    """Show the summary in a terminal of some width."""

    def show(width: int) -> list[str]:
        file = io.StringIO()
        demo_view.show(Console(file=file, width=width, highlight=False), report, Path("var/demo"))
        return file.getvalue().splitlines()

    return show


@pytest.mark.parametrize("width", [80, 120])
def test_the_summary_fits_the_terminal(shown: Callable[[int], list[str]], width: int) -> None:
    """A table that is wider than the terminal is unreadable."""
    assert max(len(line) for line in shown(width)) <= width


def test_who_reads_that_orders_were_refused_is_told_where_to_look(shown: Callable[[int], list[str]]) -> None:
    """The command is there to be typed."""
    assert [line for line in shown(100) if line.strip().startswith("gateway refusals list ")]


def test_the_summary_names_every_state_and_code(shown: Callable[[int], list[str]], report: Report) -> None:
    """Both forms of the outcome say the same."""
    text = "\n".join(shown(100))
    for name in (*report.orders, *report.refused, *report.exceptions, *(cash.account for cash in report.cash)):
        assert name in text
