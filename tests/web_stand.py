"""What the tests of HTTPS and SOAP stand on: certificates, a vault with them, and a server behind a fault proxy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from security.vault import FolderVault
from simulators.tls_files import TlsAuthority, TlsFiles
from simulators.web_server import Answerer, WebServer
from tests.fault_proxy import FaultProxy


@dataclass(frozen=True, slots=True)
class Tls:
    """One authority, a bank's server, and our client."""

    authority: TlsAuthority
    server: TlsFiles
    client: TlsFiles


def tls(folder: Path) -> Tls:
    """Make certificates that hold today: the test's server and client look at the machine's clock."""
    authority = TlsAuthority(folder, datetime.now(UTC))
    return Tls(authority, authority.server("bank"), authority.client("treasury"))


def vault(folder: Path, files: Tls, **secrets: str) -> FolderVault:
    """Return a vault with the certificates, and secrets by their names (``_`` is written ``-``)."""
    folder.mkdir(exist_ok=True)
    put(folder, "bank-ca.crt", files.authority.certificate.read_bytes())
    put(folder, "client.crt", files.client.certificate.read_bytes())
    put(folder, "client.key", files.client.key.read_bytes())
    for name, value in secrets.items():
        put(folder, name.replace("_", "-"), value.encode())
    return FolderVault(folder)


def put(folder: Path, name: str, content: bytes) -> None:
    """Write a file that only we may read."""
    path = folder / name
    path.write_bytes(content)
    path.chmod(0o600)


@contextmanager
def served(files: Tls, answer: Answerer, *, client_required: bool = True) -> Iterator[FaultProxy]:
    """Run a server behind a proxy; the proxy's port is the one to connect to."""
    with (
        WebServer(files.server, answer, client_required=client_required) as server,
        FaultProxy(server.address) as proxy,
    ):
        yield proxy


def reach(proxy: FaultProxy) -> dict[str, object]:
    """Return the settings by which a transport reaches a bank in these tests."""
    return {
        "base_url": f"https://127.0.0.1:{proxy.port}",
        "server_ca": "bank-ca.crt",
        "client_certificate": "client.crt",
        "client_key": "client.key",
        "loopback_allowed": True,
        "read_s": 10.0,
    }
