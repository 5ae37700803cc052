"""SFTP against a real OpenSSH server: what is known of the bank's side after each way in which a connection can end."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import asyncssh
import pytest

from adapters.file_settings import SftpSettings
from adapters.profile import SHIPPED, check_profiles, load
from adapters.transports import Arrival, Outbound, connect
from adapters.transports.sftp import SftpTransport, _Upload
from adapters.transports.sftp_session import Broken
from schemas.errors import ChannelUnavailable, ConfigurationError, HandoverRefused, HandoverUnknown
from security.vault import FolderVault
from simulators.ssh_server import SshServer
from tests.fault_proxy import Fault, FaultProxy

pytestmark = pytest.mark.servers

PAYMENTS = Outbound("TREASURY-0001.txt", b"one payment", "flat")
LARGE = Outbound("TREASURY-0002.txt", bytes(range(256)) * 4_000, "flat")
KEY = asyncssh.generate_private_key("ssh-ed25519")


class Ticks:
    """A clock that moves when a test says so."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now_s


class Relationship:
    """A bank's server, what we have of it in the vault, and transports to it that end with the test."""

    def __init__(self, server: SshServer, folder: Path) -> None:
        self.server, self.folder, self.ticks = server, folder, Ticks()
        self.vault = folder / "vault"
        self.vault.mkdir()
        self.held: list[Arrival] = []
        self._made: list[SftpTransport] = []
        self.put("client.key", KEY.export_private_key())
        server.authorise(KEY.export_public_key().decode())
        server.make("out", "in")

    @property
    def out(self) -> Path:
        """The folder that takes our files."""
        return self.server.home / "out"

    @property
    def incoming(self) -> Path:
        """The folder with files for us."""
        return self.server.home / "in"

    def put(self, name: str, content: bytes | str) -> None:
        """Put a file into the vault."""
        path = self.vault / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(0o600)

    def transport(self, *, port: int | None = None, **more: Any) -> SftpTransport:
        """Return a transport by this relationship's profile."""
        self.put("bank.hosts", self.server.known_host(port))
        made = SftpTransport(self.settings(port=port, **more), FolderVault(self.vault), ticks=self.ticks)
        self._made.append(made)
        return made

    def settings(self, *, port: int | None = None, **more: Any) -> SftpSettings:
        """Return the settings as a profile brings them."""
        lines: dict[str, Any] = {
            "kind": "sftp", "host": "127.0.0.1", "port": port or self.server.port, "user": self.server.user,
            "outgoing": "out", "incoming": ["in"], "stable_s": 0.0, "answer_within_s": 20.0, **more,
        }  # fmt: skip
        text = (SHIPPED / "central-bank.toml").read_text(encoding="utf-8").partition("[transport]")[0]
        path = self.folder / "profile.toml"
        path.write_text(text + "[transport]\n" + "\n".join(f"{key} = {value!r}" for key, value in lines.items()))
        assert check_profiles([path]) == []
        return cast("SftpSettings", load(path).transport)

    def received(self, transport: SftpTransport, limit: int = 100) -> Sequence[Arrival]:
        """Return what arrives; it is closed at the end of the test."""
        arrivals = transport.receive(limit)
        self.held.extend(arrivals)
        return arrivals

    def close(self) -> None:
        """End what is open."""
        for arrival in self.held:
            arrival.source.close()
        for made in self._made:
            made.close()


@pytest.fixture
def bank(own_ssh: SshServer, tmp_path: Path) -> Iterator[Relationship]:
    """Return a relationship with a bank of the test's own."""
    made = Relationship(own_ssh, tmp_path)
    yield made
    made.close()


@pytest.fixture
def proxy(own_ssh: SshServer) -> Iterator[FaultProxy]:
    """Return a proxy in front of the bank's server."""
    with FaultProxy(("127.0.0.1", own_ssh.port)) as made:
        yield made


def names(folder: Path) -> list[str]:
    """Return what lies in a folder, hidden names included."""
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_whole_and_nothing_else_is_left(bank: Relationship) -> None:
    """Small and large, over one connection."""
    transport = bank.transport()
    for outbound in (PAYMENTS, LARGE):
        assert transport.send(outbound).reference == outbound.name
        assert (bank.out / outbound.name).read_bytes() == outbound.content
    assert names(bank.out) == [PAYMENTS.name, LARGE.name]


def test_profiles_reach_the_server_by_its_kind(bank: Relationship) -> None:
    """A profile and its vault are all that is needed."""
    bank.transport()
    transport = connect(load(bank.folder / "profile.toml"), FolderVault(bank.vault))
    transport.send(PAYMENTS)
    transport.close()
    assert names(bank.out) == [PAYMENTS.name]


def test_a_taken_name_is_never_overwritten(bank: Relationship) -> None:
    """Neither when it is seen beforehand, nor when it is taken between looking and renaming."""
    (bank.out / PAYMENTS.name).write_bytes(b"what lay there")
    with pytest.raises(HandoverRefused, match="of 14 bytes, ours has 11") as refused:
        bank.transport().send(PAYMENTS)
    assert refused.value.known
    assert (bank.out / PAYMENTS.name).read_bytes() == b"what lay there"


def test_a_name_taken_in_between_is_refused_by_the_server(bank: Relationship, monkeypatch: pytest.MonkeyPatch) -> None:
    """Version 3 of the protocol renames onto nothing."""
    write = _Upload.write

    async def then_somebody_else(self: _Upload, client: Any) -> Any:
        found = await write(self, client)
        (bank.out / PAYMENTS.name).write_bytes(b"faster")
        return found

    monkeypatch.setattr(_Upload, "write", then_somebody_else)
    with pytest.raises(HandoverRefused, match="is there already") as refused:
        bank.transport().send(PAYMENTS)
    assert refused.value.known
    assert names(bank.out) == [PAYMENTS.name]
    assert (bank.out / PAYMENTS.name).read_bytes() == b"faster"


@pytest.mark.parametrize("name", ["../in/A.txt", "a/b", "a\0b", ".hidden", "x" * 201])
def test_a_name_that_is_no_plain_file_name_is_refused(bank: Relationship, name: str) -> None:
    """Before anything is connected."""
    with pytest.raises(HandoverRefused, match="is not a file name"):
        bank.transport().send(Outbound(name, b"x", "flat"))


def test_a_folder_that_is_not_there_or_closed_hands_nothing_over(bank: Relationship) -> None:
    """Somebody at the bank has to mend it; the same bytes may be sent afterwards."""
    transport = bank.transport()
    bank.out.rmdir()
    with pytest.raises(ChannelUnavailable, match="No such file"):
        transport.send(PAYMENTS)
    with pytest.raises(ChannelUnavailable, match="No such file"):
        bank.transport(incoming=["absent"]).receive(10)
    bank.server.make("out")
    bank.out.chmod(0o500)
    with pytest.raises(ChannelUnavailable, match="Permission denied"):
        transport.send(PAYMENTS)
    bank.out.chmod(0o700)
    transport.send(PAYMENTS)


def test_another_host_key_is_not_spoken_to(bank: Relationship) -> None:
    """It is somebody in between, or a bank that has forgotten to announce its new key; a person finds out which."""
    transport = bank.transport()
    transport.send(PAYMENTS)
    bank.server.change_host_key()
    bank.server.restart()
    with pytest.raises(ChannelUnavailable, match="host key is not among the known ones"):
        transport.send(LARGE)
    with pytest.raises(ChannelUnavailable, match="host key is not among the known ones"):
        bank.received(transport)
    assert names(bank.out) == [PAYMENTS.name]


def test_an_unknown_host_is_not_spoken_to(bank: Relationship) -> None:
    """Nothing is ever trusted because it is the first that was met."""
    transport = bank.transport()
    bank.put("other.hosts", f"other.example {KEY.export_public_key().decode()}")
    transport = bank.transport(known_hosts="other.hosts")
    with pytest.raises(ChannelUnavailable, match="host key is not among the known ones"):
        transport.send(PAYMENTS)


def test_a_key_that_the_bank_refuses_hands_nothing_over(bank: Relationship) -> None:
    """And no password, agent or other key of this machine is tried instead."""
    bank.server.authorise(asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode())
    with pytest.raises(ChannelUnavailable, match="the server refuses our key"):
        bank.transport().send(PAYMENTS)


@pytest.mark.parametrize("form", ["openssh", "pkcs8-pem"])
def test_an_encrypted_key_needs_its_passphrase(bank: Relationship, form: str) -> None:
    """A copied key file alone opens nothing."""
    bank.put("client.key", KEY.export_private_key(form, passphrase="a long passphrase"))
    bank.put("passphrase", "a long passphrase\n")
    bank.put("wrong", "another passphrase\n")
    bank.transport(passphrase="passphrase").send(PAYMENTS)
    with pytest.raises(ConfigurationError) as wrong:
        bank.transport(passphrase="wrong")
    assert "another passphrase" not in str(wrong.value)
    with pytest.raises(ConfigurationError, match=r"client\.key"):
        bank.transport()


def test_what_the_vault_has_not_is_said_before_anything_is_connected(bank: Relationship) -> None:
    """At the start of a worker, not at the first payment."""
    settings = bank.settings()
    with pytest.raises(ConfigurationError, match=r"bank\.hosts"):
        SftpTransport(settings, FolderVault(bank.vault))
    bank.put("bank.hosts", "# nobody\n")
    with pytest.raises(ConfigurationError, match="names no host"):
        SftpTransport(settings, FolderVault(bank.vault))
    bank.put("bank.hosts", bank.server.known_host())
    bank.put("client.key", "no key")
    with pytest.raises(ConfigurationError, match="is no private key"):
        SftpTransport(settings, FolderVault(bank.vault))


@pytest.mark.parametrize("kind", ["refuse", "cut", "half_open"])
def test_a_server_that_cannot_be_reached_hands_nothing_over(bank: Relationship, proxy: FaultProxy, kind: Any) -> None:
    """Refused, cut at once, or silent for ever: the limit ends it."""
    proxy.fault = Fault(kind)
    transport = bank.transport(port=proxy.port, connect_within_s=1.0)
    with pytest.raises(ChannelUnavailable):
        transport.send(PAYMENTS)
    with pytest.raises(ChannelUnavailable):
        transport.receive(10)
    proxy.fault = Fault()
    transport.send(PAYMENTS)
    assert names(bank.out) == [PAYMENTS.name]


def test_a_server_that_hangs_is_given_up(bank: Relationship) -> None:
    """A frozen machine keeps its connections open; it must not hold the gateway."""
    transport = bank.transport(answer_within_s=0.5, connect_within_s=1.0)
    transport.send(PAYMENTS)
    bank.server.suspend()
    try:
        with pytest.raises(ChannelUnavailable, match="no answer in time"):
            transport.send(LARGE)
    finally:
        bank.server.resume()
    transport.send(LARGE)


def test_an_idle_connection_that_died_is_made_again(bank: Relationship) -> None:
    """Firewalls forget connections over night; the first message of the day is no error."""
    transport = bank.transport()
    transport.send(PAYMENTS)
    bank.server.cut()
    transport.send(LARGE)
    bank.server.restart()
    assert bank.received(transport) == []


def test_a_connection_cut_anywhere_never_leads_to_two_files_or_half_a_file(
    bank: Relationship, proxy: FaultProxy
) -> None:
    """The rule of all transports: what may have been handed over is never said not to have been."""
    transport = bank.transport(port=proxy.port)
    begun = proxy.client_bytes
    transport.send(Outbound("MEASURE.txt", PAYMENTS.content, "flat"))
    length = proxy.client_bytes - begun
    (bank.out / "MEASURE.txt").unlink()
    seen = set()
    for number, after in enumerate(range(1, length + 200, 97)):
        outbound = Outbound(f"CUT-{number}.txt", PAYMENTS.content, "flat")
        transport.close()
        proxy.fault = Fault("cut_request", after=after, times=1)
        try:
            transport.send(outbound)
            said = "sent"
        except ChannelUnavailable:
            said = "nothing"
        except HandoverUnknown:
            said = "unknown"
        proxy.fault = Fault()
        there = bank.out / outbound.name
        assert there.exists() == (said == "sent")
        assert said != "sent" or there.read_bytes() == outbound.content
        seen.add(said)
    assert {"sent", "nothing"} <= seen


@pytest.mark.slow
@pytest.mark.parametrize("taken", [False, True])
def test_a_hundred_cuts_between_rename_and_reply_never_hand_over_twice(
    bank: Relationship, monkeypatch: pytest.MonkeyPatch, *, taken: bool
) -> None:
    """The server has renamed, and nobody hears of it: seen afterwards, it is handed over; gone, nobody can tell."""
    appear = _Upload.appear

    async def cut_before_the_reply(self: _Upload, client: Any) -> None:
        await appear(self, client)
        bank.server.cut()
        if taken:
            (bank.out / self._path.rpartition("/")[2]).unlink()
        raise asyncssh.ConnectionLost("reset by the test")

    monkeypatch.setattr(_Upload, "appear", cut_before_the_reply)
    transport = bank.transport()
    for number in range(100 if not taken else 5):
        outbound = Outbound(f"R-{number:03}.txt", PAYMENTS.content, "flat")
        if taken:
            with pytest.raises(HandoverUnknown, match="probably taken"):
                transport.send(outbound)
            continue
        transport.send(outbound)
        with pytest.raises(HandoverRefused) as again:
            transport.send(outbound)
        assert again.value.known
    assert names(bank.out) == ([] if taken else [f"R-{number:03}.txt" for number in range(100)])


def test_a_rename_that_the_server_has_not_begun_is_prevented(
    bank: Relationship, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only because the hidden name is removed may one say that nothing was handed over."""
    monkeypatch.setattr(_Upload, "appear", _lost)
    with pytest.raises(ChannelUnavailable, match="before it was renamed; it was removed"):
        bank.transport().send(PAYMENTS)
    assert names(bank.out) == []


def test_a_server_that_stays_away_after_the_rename_leaves_it_unknown(
    bank: Relationship, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing can be looked at, so nothing is said."""

    async def away(self: _Upload, client: Any) -> None:
        await _APPEAR(self, client)
        bank.server.kill()
        await _lost(self, client)

    monkeypatch.setattr(_Upload, "appear", away)
    with pytest.raises(HandoverUnknown, match="while it was renamed; and then"):
        bank.transport().send(PAYMENTS)


def test_a_file_of_another_size_after_the_cut_leaves_it_unknown(
    bank: Relationship, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be ours, damaged, or somebody else's."""

    async def replaced(self: _Upload, client: Any) -> None:
        await _APPEAR(self, client)
        (bank.out / PAYMENTS.name).unlink()
        (bank.out / PAYMENTS.name).write_bytes(b"other")
        await _lost(self, client)

    monkeypatch.setattr(_Upload, "appear", replaced)
    with pytest.raises(HandoverUnknown, match="there is one of 5 bytes"):
        bank.transport().send(PAYMENTS)


def test_what_an_earlier_attempt_left_behind_is_in_nobodys_way(bank: Relationship) -> None:
    """A process that was killed while it wrote leaves a hidden file, or somebody a link in its place."""
    (bank.out / f".{PAYMENTS.name}.part").symlink_to("/etc/passwd")
    bank.transport().send(PAYMENTS)
    assert names(bank.out) == [PAYMENTS.name]
    assert (bank.out / PAYMENTS.name).read_bytes() == PAYMENTS.content


def test_a_growing_file_waits(bank: Relationship) -> None:
    """As with folders: complete is what has stopped changing."""
    transport, path = bank.transport(stable_s=10.0), bank.incoming / "statement.xml"
    for part in (b"<a>", b"</a>"):
        with path.open("ab") as file:
            file.write(part)
        assert bank.received(transport) == []
        bank.ticks.now_s += 9.0
    bank.ticks.now_s += 1.0
    (arrival,) = bank.received(transport)
    assert arrival.source.read() == b"<a></a>"


@pytest.mark.parametrize("after_read", ["archive", "delete"])
def test_a_file_stays_until_it_is_done(bank: Relationship, after_read: str) -> None:
    """And goes with its marker then, over nothing that lies in the archive."""
    transport = bank.transport(after_read=after_read, marker_suffix=".ok")
    for content in (b"1", b"22"):
        (bank.incoming / "a.xml").write_bytes(content)
        assert bank.received(transport) == []
        (bank.incoming / "a.xml.ok").touch()
        bank.received(transport)
        (arrival,) = bank.received(transport)
        assert arrival.source.read() == content
        transport.done([arrival])
        transport.done([arrival])
    archive = bank.incoming / "archive"
    kept = ["a.xml", "a.xml.1", "a.xml.ok", "a.xml.ok.1"]
    assert (names(archive) if archive.exists() else []) == (kept if after_read == "archive" else [])
    assert [path.name for path in bank.incoming.iterdir() if path != archive] == []


def test_a_file_that_was_replaced_meanwhile_is_not_let_go_of(bank: Relationship) -> None:
    """A corrected statement under the same name is another document."""
    transport = bank.transport(after_read="delete")
    (bank.incoming / "a.xml").write_bytes(b"a")
    arrivals = bank.received(transport)
    (bank.incoming / "a.xml").write_bytes(b"corrected")
    transport.done(arrivals)
    assert [arrival.source.read() for arrival in bank.received(transport)] == [b"corrected"]


def test_links_pipes_and_folders_are_no_files(bank: Relationship) -> None:
    """A link at the bank's side may lead to another customer's statement."""
    (bank.incoming / "link.xml").symlink_to("/etc/passwd")
    (bank.incoming / "folder.xml").mkdir()
    os.mkfifo(bank.incoming / "pipe.xml")
    (bank.incoming / "file.xml").write_bytes(b"file")
    assert [arrival.name for arrival in bank.received(bank.transport())] == ["file.xml"]


def test_a_hostile_name_is_shown_harmless_and_still_put_away(bank: Relationship) -> None:
    """Whatever bytes the bank's side has put into it."""
    name = b"a\x1b[31m\r\nb\xff\xe2\x80\xaex.xml"
    (bank.incoming / os.fsdecode(name)).write_bytes(b"x")
    transport = bank.transport()
    (arrival,) = bank.received(transport)
    assert arrival.name == "a_[31m__b__x.xml"
    transport.done([arrival])
    assert [os.fsencode(path.name) for path in (bank.incoming / "archive").iterdir()] == [name]


def test_large_files_a_full_folder_and_a_limit(bank: Relationship) -> None:
    """Content is on disk and seekable; a listing ends where the profile says."""
    (bank.incoming / "large.xml").write_bytes(LARGE.content * 5)
    (arrival,) = bank.received(bank.transport())
    assert (arrival.size, arrival.source.read()) == (5 * len(LARGE.content), LARGE.content * 5)
    for number in range(30):
        (bank.incoming / f"{number}.txt").write_bytes(b"x")
    assert len(bank.received(bank.transport(names=["*.txt"]), limit=7)) == 7
    assert len(bank.received(bank.transport(listing_max=9))) <= 9


def test_a_file_that_is_too_large_is_reported_and_never_deleted(bank: Relationship) -> None:
    """It is not ours to throw away."""
    transport = bank.transport(after_read="delete", file_bytes_max=10)
    (bank.incoming / "a.xml").write_bytes(b"eleven bytes")
    (arrival,) = bank.received(transport)
    assert arrival.fault is not None
    transport.done([arrival])
    assert names(bank.incoming / "archive") == ["a.xml"]


def test_one_unreadable_file_stops_no_other(bank: Relationship) -> None:
    """It is an error of the channel once it is all that is left."""
    if bank.server.user != "nobody":
        pytest.skip("whoever runs the server owns the files, so none of them is closed to it")
    for name in ("a.xml", "b.xml"):
        (bank.incoming / name).write_bytes(b"x")
    (bank.incoming / "a.xml").chmod(0o000)
    transport = bank.transport()
    arrivals = bank.received(transport)
    assert [arrival.name for arrival in arrivals] == ["b.xml"]
    transport.done(arrivals)
    with pytest.raises(ChannelUnavailable, match="Permission denied"):
        transport.receive(10)


def test_a_connection_cut_while_files_are_fetched_loses_none(bank: Relationship, proxy: FaultProxy) -> None:
    """They stay with the bank until they are kept here."""
    (bank.incoming / "large.xml").write_bytes(LARGE.content * 5)
    transport = bank.transport(port=proxy.port)
    for after in (200, 2_000, 3_000, 4_000, 5_000):
        transport.close()
        proxy.fault = Fault("cut_request", after=after, times=1)
        with pytest.raises(ChannelUnavailable):
            bank.received(transport)
    (arrival,) = bank.received(transport)
    assert arrival.source.read() == LARGE.content * 5


_APPEAR: Callable[[_Upload, Any], Any] = _Upload.appear


async def _lost(_: _Upload, __: Any) -> None:
    """End a step as a connection that is lost does."""
    raise asyncssh.ConnectionLost("reset by the test")


def test_broken_is_no_error_that_leaves_the_adapter() -> None:
    """What a transport raises is in the project's tree of errors; this one is its own business."""
    assert Broken.__mro__[1] is Exception
