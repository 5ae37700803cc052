"""The benchmark of rails comes to its end and tells the truth of what was done; how fast, no test asks."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulators import bench_rails, bench_slow_bank
from simulators.servers import PostgresServer
from simulators.ssh_server import SshServer

pytestmark = [pytest.mark.servers, pytest.mark.slow]


def test_a_payroll_leaves_and_its_reports_are_applied(
    tmp_path: Path, postgres: PostgresServer, own_ssh: SshServer
) -> None:
    """Every payment is at the bank once and settled afterwards, else the benchmark itself fails."""
    sent, heard = bench_rails.measure(tmp_path / "home", postgres.fresh_database(), own_ssh, 1_500)
    assert sent.facts == {"payments": 1_500, "files": 1, "megabytes": 0}
    assert heard.facts == {"reports": 2, "transactions": 1_500}
    assert set(sent.shown()) >= {"seconds", "floor_s", "floor_ratio", "peak_memory_mb"}
    assert set(sent.memory_mb) == {"dispatch", "relay"}
    out = own_ssh.home / "out"
    assert [path.name for path in out.glob("*.xml.sig")] == [f"{path.name}.sig" for path in out.glob("*.xml")]


def test_nine_banks_are_served_beside_a_slow_one(tmp_path: Path, postgres: PostgresServer) -> None:
    """The tenth has answers outstanding when the nine have everything."""
    found = bench_slow_bank.measure(tmp_path, postgres, 10)
    assert (found.facts["banks"], found.facts["messages"]) == (9, 90)
    assert found.facts["slow_bank_answers"] < 10
