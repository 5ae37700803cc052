"""A private OpenSSH server that gives SFTP and nothing else, as a bank's does: one user, keys only.

with SshServer(new_folder()) as server:
    server.authorise(public_key)
    (server.home / "in").iterdir()
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from simulators.server_process import Server, ServerFailed, free_ports, hand_over, server_user

_SETTINGS = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorised
PidFile none
UsePAM {pam}
StrictModes no
AuthenticationMethods publickey
PasswordAuthentication no
KbdInteractiveAuthentication no
AllowTcpForwarding no
AllowAgentForwarding no
PermitTTY no
MaxStartups 200
LogLevel VERBOSE
Subsystem sftp internal-sftp
ForceCommand internal-sftp -d {folder}/home
"""


class SshServer(Server):
    """A private sshd with SFTP only.

    The client sees the machine as the user does whom it runs as, and begins in ``home``.
    """

    package = "openssh-server"
    stop_signal = signal.SIGTERM

    @classmethod
    def is_installed(cls) -> bool:
        """Tell whether sshd is on this machine."""
        return _sshd() is not None

    @property
    def port(self) -> int:
        """Where it listens on 127.0.0.1."""
        return int(self.facts["port"])

    @property
    def user(self) -> str:
        """The only user who can log in: the one it runs as."""
        return server_user()

    @property
    def home(self) -> Path:
        """The folder in which a client begins."""
        return self.folder / "home"

    def make(self, *folders: str) -> None:
        """Make folders below ``home`` that the client may write."""
        for name in folders:
            path = self.home
            for part in Path(name).parts:
                path /= part
                if not path.exists():
                    path.mkdir()
                    hand_over(path)

    def authorise(self, *public_keys: str) -> None:
        """Let whoever has one of these keys log in, and nobody else; lines as in a ``.pub`` file."""
        self.write("authorised", "".join(f"{key.strip()}\n" for key in public_keys))

    def known_host(self, port: int | None = None) -> str:
        """Return its line of a known-hosts file, as reached on its own port or through a proxy's."""
        kind, key = (self.folder / "host_key.pub").read_text().split()[:2]
        return f"[127.0.0.1]:{port or self.port} {kind} {key}\n"

    def change_host_key(self) -> None:
        """Give it another host key, which clients do not know; it takes effect with the next start."""
        for name in ("host_key", "host_key.pub"):
            (self.folder / name).unlink()
        self._make_host_key()

    def sessions(self) -> list[psutil.Process]:
        """Return the processes that serve clients now."""
        return self._family()[1:]

    def cut(self) -> None:
        """Kill whatever serves a client now; the server goes on."""
        for process in self.sessions():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def _create(self) -> None:
        [port] = free_ports(1)
        self.remember(port=port)
        self._make_host_key()
        self.write("authorised", "")
        self.home.mkdir()
        hand_over(self.home)
        # The account of nobody is locked on Debian, which sshd overlooks only where PAM decides about accounts.
        text = _SETTINGS.format(port=port, folder=self.folder, pam="yes" if os.geteuid() == 0 else "no")
        self.write("sshd_config", text + "PerSourcePenalties no\n")
        try:
            self.run(str(_sshd()), "-t", "-f", str(self.folder / "sshd_config"))
        except ServerFailed:  # older than OpenSSH 9.8, which has no penalties for clients that tests cut off
            self.write("sshd_config", text)

    def _make_host_key(self) -> None:
        self.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / "host_key"))

    def _command(self) -> Sequence[str]:
        return [str(_sshd()), "-D", "-e", "-f", str(self.folder / "sshd_config")]

    def _environment(self) -> Mapping[str, str]:
        return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "HOME": str(self.folder)}

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False


def _sshd() -> Path | None:
    """Return sshd; Debian keeps it off the PATH of everybody but root. It starts itself anew, by its full path."""
    found = shutil.which("sshd") or "/usr/sbin/sshd"
    return Path(found) if Path(found).exists() else None
