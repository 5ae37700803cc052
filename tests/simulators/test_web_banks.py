"""``gateway simulate``: a newcomer's bank on this machine, reached with what it prints."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from adapters.profile import load
from adapters.transports import INQUIRE, Outbound, connect
from schemas.errors import HandoverRefused
from security.vault import FolderVault
from tests.web_stand import put

FOLDER = Path(__file__).parents[1] / "adapters" / "instant"
START = "from simulators.web_banks import simulate; import typer, sys; typer.run(simulate)"


@contextmanager
def simulated(kind: str, folder: Path) -> Iterator[str]:
    """Run the command until the block ends; yield what it printed first."""
    command = [sys.executable, "-c", START, kind, "--folder", str(folder)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={"COLUMNS": "1000", "PYTHONUNBUFFERED": "1"},
        cwd=Path(__file__).parents[2],
    ) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            yield "".join(process.stdout.readline() for _ in range(4))
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
        finally:
            process.kill()


@pytest.mark.parametrize("kind", ["fast", "bakong"])
def test_what_it_prints_is_enough_to_reach_it(tmp_path: Path, kind: str) -> None:
    """Address, certificates and credentials; asked for what nobody sent, it says that it does not know it."""
    with simulated(kind, tmp_path / "bank") as said:
        (url,) = re.findall(r"base_url = (\S+)", said)
        (authority,) = re.findall(r"server_ca: (\S+)", said)
        ((certificate, key),) = re.findall(r"client_key: (\S+), (\S+)", said)
        ((user, password),) = re.findall(r"credentials: (\S+), (\S+)", said)
        vault = tmp_path / "vault"
        vault.mkdir()
        for name, path in (("bank-ca.crt", authority), ("client.crt", certificate), ("client.key", key)):
            put(vault, name, Path(path).read_bytes())
        put(vault, "user", user.encode())
        put(vault, "password", password.encode())
        profile = load(FOLDER / f"{kind}.toml")
        reached = profile.transport.model_copy(update={"base_url": url, "loopback_allowed": True})
        transport = connect(profile.model_copy(update={"transport": reached}), FolderVault(vault))
        assert transport.receive(10) == []
        with pytest.raises(HandoverRefused, match="Unknown"):
            transport.send(Outbound("A/B/1", b"A/B/1", f"{kind}.inquiry", INQUIRE))
        transport.close()
