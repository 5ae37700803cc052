"""A folder as a transport: whole files or none, never one over another, and nothing that is not a file."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from adapters.file_settings import FolderSettings
from adapters.profile import SHIPPED, Profile, check_profiles, load
from adapters.transports import INQUIRE, Arrival, Outbound, connect
from adapters.transports import folder as folders
from adapters.transports.folder import FolderTransport
from schemas.errors import ChannelUnavailable, HandoverRefused, HandoverUnknown
from security.vault import FolderVault

PAYMENTS = Outbound("TREASURY-0001.txt", b"one payment", "flat")


class Ticks:
    """A clock that moves when a test says so."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now_s


@pytest.fixture
def ticks() -> Ticks:
    """Return a clock at zero."""
    return Ticks()


Make = Callable[..., FolderTransport]


@pytest.fixture
def make(tmp_path: Path, ticks: Ticks) -> Iterator[Make]:
    """Return a function that makes a transport over a root with the folders out, ask and in."""
    held: list[Arrival] = []
    for name in ("out", "ask", "in"):
        (tmp_path / "root" / name).mkdir(parents=True)

    def made(**more: Any) -> FolderTransport:
        transport = FolderTransport(cast("FolderSettings", profile(tmp_path, **more).transport), ticks=ticks)
        receive = transport.receive

        def remembered(limit: int) -> Sequence[Arrival]:
            arrivals = receive(limit)
            held.extend(arrivals)
            return arrivals

        transport.receive = remembered  # type: ignore[method-assign]  # what a test leaves open is closed at its end
        return transport

    yield made
    for arrival in held:
        arrival.source.close()


def profile(folder: Path, **more: Any) -> Profile:
    """Return a profile whose bank is reached through a folder."""
    lines = {
        "kind": "folder", "root": str(folder / "root"), "outgoing": "out", "incoming": ["in"], "stable_s": 10.0, **more,
    }  # fmt: skip
    table = "\n".join(f"{key} = {_toml(value)}" for key, value in lines.items())
    path = folder / "profile.toml"
    text = (SHIPPED / "central-bank.toml").read_text(encoding="utf-8")
    path.write_text(text.partition("[transport]")[0] + f"[transport]\n{table}\n", encoding="utf-8")
    assert check_profiles([path]) == []
    return load(path)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + "}"
    return repr(value)


def read(arrivals: Any) -> dict[str, bytes]:
    """Return what arrived, by name."""
    return {arrival.name: arrival.source.read() for arrival in arrivals}


def settled(transport: FolderTransport, ticks: Ticks, limit: int = 100) -> list[Arrival]:
    """Look twice, with enough time in between."""
    transport.receive(limit)
    ticks.now_s += 10
    return list(transport.receive(limit))


def test_a_file_appears_whole_and_nothing_else_is_left(make: Make, tmp_path: Path) -> None:
    """The bank's software takes whatever it sees."""
    make().send(PAYMENTS)
    (only,) = (tmp_path / "root" / "out").iterdir()
    assert (only.name, only.read_bytes()) == (PAYMENTS.name, PAYMENTS.content)


def test_profiles_reach_the_folder_by_its_kind(make: Make, tmp_path: Path) -> None:
    """A profile alone decides how a bank is reached."""
    make()
    connect(profile(tmp_path), FolderVault(tmp_path)).send(PAYMENTS)
    assert (tmp_path / "root" / "out" / PAYMENTS.name).exists()


def test_operations_have_folders_of_their_own(make: Make, tmp_path: Path) -> None:
    """A bank takes questions elsewhere than payments, where its profile says so."""
    transport = make(outgoing_for={"inquire": "ask"}, name_suffix=".q")
    transport.send(Outbound("Q-1", b"?", "flat", INQUIRE))
    transport.send(Outbound("R-1", b"!", "flat", "recall"))
    assert (tmp_path / "root" / "ask" / "Q-1.q").exists()
    assert (tmp_path / "root" / "out" / "R-1.q").exists()


@pytest.mark.parametrize("again", [False, True])
def test_a_taken_name_is_never_overwritten(make: Make, tmp_path: Path, *, again: bool) -> None:
    """What lies there may be on its way into the bank already."""
    there = tmp_path / "root" / "out" / PAYMENTS.name
    there.write_bytes(b"something else!")
    with pytest.raises(HandoverRefused, match="of 15 bytes, ours has 11") as refused:
        make().send(Outbound(PAYMENTS.name, PAYMENTS.content, "flat", again=again))
    assert refused.value.known
    assert there.read_bytes() == b"something else!"
    assert [path.name for path in there.parent.iterdir()] == [PAYMENTS.name]


def test_a_link_in_the_place_of_our_file_is_not_written_through(make: Make, tmp_path: Path) -> None:
    """Whoever may write into the folder must not get a file elsewhere overwritten."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    out = tmp_path / "root" / "out"
    (out / f".{PAYMENTS.name}.part").symlink_to(victim)
    make().send(PAYMENTS)
    (out / "NEXT.txt").symlink_to(victim)
    with pytest.raises(HandoverRefused):
        make().send(Outbound("NEXT.txt", b"x", "flat"))
    assert victim.read_bytes() == b"precious"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../out/A.txt", "/etc/passwd", "a/b", "a\0b", "a\nb", "-rf", ".hidden", "ក", "x" * 201]
)
def test_a_name_that_is_no_plain_file_name_is_refused(make: Make, tmp_path: Path, name: str) -> None:
    """Nothing is handed over, and nothing is written anywhere."""
    with pytest.raises(HandoverRefused, match="is not a file name") as refused:
        make().send(Outbound(name, b"x", "flat"))
    assert not refused.value.known
    assert list((tmp_path / "root" / "out").iterdir()) == []


def test_a_folder_that_is_gone_is_a_bank_that_cannot_be_reached(make: Make, tmp_path: Path) -> None:
    """A share that is not mounted looks like this; it must not look like a bank with nothing to say."""
    transport = make(incoming=["in", "absent"])
    (tmp_path / "root" / "out").rmdir()
    with pytest.raises(ChannelUnavailable, match="root/out cannot be opened"):
        transport.send(PAYMENTS)
    with pytest.raises(ChannelUnavailable, match="root/absent cannot be opened"):
        transport.receive(10)


def test_a_folder_that_is_a_link_is_not_followed(make: Make, tmp_path: Path) -> None:
    """Below the root everything is the folder that the profile names."""
    transport = make()
    (tmp_path / "root" / "out").rmdir()
    (tmp_path / "root" / "out").symlink_to(tmp_path)
    with pytest.raises(ChannelUnavailable):
        transport.send(PAYMENTS)


def test_a_full_disk_hands_nothing_over(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The half-written file goes, and the same bytes may be sent later."""

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(ChannelUnavailable, match="No space left"):
            make().send(PAYMENTS)
    assert list((tmp_path / "root" / "out").iterdir()) == []
    make().send(PAYMENTS)


@pytest.mark.parametrize("happened", [True, False])
def test_an_error_while_it_appears_is_unknown_unless_it_did_not(
    make: Make, monkeypatch: pytest.MonkeyPatch, *, happened: bool
) -> None:
    """A share may fail after it has done what it was asked: then only the bank knows."""
    link = os.link

    def failing(*arguments: Any, **more: Any) -> None:
        if happened:
            link(*arguments, **more)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "link", failing)
    with pytest.raises(HandoverUnknown if happened else ChannelUnavailable):
        make().send(PAYMENTS)


def test_a_file_system_without_hard_links_still_overwrites_nothing(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many shares have none."""

    def without(*_: Any, **__: Any) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(os, "link", without)
    make().send(PAYMENTS)
    assert [path.name for path in (tmp_path / "root" / "out").iterdir()] == [PAYMENTS.name]
    with pytest.raises(HandoverRefused):
        make().send(PAYMENTS)


def test_the_same_name_again_is_one_only_where_the_bank_says_so(make: Make) -> None:
    """Once the bank has taken a file away, the folder no longer refuses its name."""
    assert not make().idempotent
    assert make(duplicate_names_refused=True).idempotent


def test_a_growing_file_waits(make: Make, tmp_path: Path, ticks: Ticks) -> None:
    """Half a statement proves nothing, and would be told apart from the whole one only by a person."""
    transport, path = make(), tmp_path / "root" / "in" / "statement.xml"
    for part in (b"<a>", b"<b/>", b"</a>"):
        with path.open("ab") as file:
            file.write(part)
        assert list(transport.receive(10)) == []
        ticks.now_s += 9.9
    assert list(transport.receive(10)) == []
    ticks.now_s += 0.1
    assert read(transport.receive(10)) == {"statement.xml": b"<a><b/></a>"}


def test_a_file_that_changes_while_it_is_fetched_waits(make: Make, tmp_path: Path, ticks: Ticks) -> None:
    """It is not the file that was found complete."""
    transport, path = make(stable_s=0.0), tmp_path / "root" / "in" / "statement.xml"
    path.write_bytes(b"first")
    listing = folders._listing

    def then_it_grows(at: int, limit: int) -> Any:
        found = listing(at, limit)
        path.write_bytes(b"first and more")
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folders, "_listing", then_it_grows)
        assert list(transport.receive(10)) == []
    assert read(settled(transport, ticks)) == {"statement.xml": b"first and more"}


def test_a_marker_says_that_a_file_is_complete(make: Make, tmp_path: Path) -> None:
    """Where a bank marks its files, nothing has to be waited for; marker and file go together."""
    transport, folder = make(marker_suffix=".done"), tmp_path / "root" / "in"
    (folder / "a.xml").write_bytes(b"a")
    (folder / "b.xml").write_bytes(b"b")
    (folder / "b.xml.done").touch()
    (arrival,) = transport.receive(10)
    assert arrival.name == "b.xml"
    transport.done([arrival])
    assert sorted(path.name for path in folder.rglob("*.*")) == ["a.xml", "b.xml", "b.xml.done"]
    assert sorted(path.name for path in folder.glob("*.*")) == ["a.xml"]


def test_only_files_of_the_agreed_names_arrive(make: Make, tmp_path: Path, ticks: Ticks) -> None:
    """What somebody is writing, hidden files, and what is not for us stay where they are."""
    folder = tmp_path / "root" / "in"
    for name in ("a.xml", "b.csv", "c.xml.part", ".d.xml", "e.XML"):
        (folder / name).write_bytes(b"x")
    assert list(read(settled(make(names=["*.xml", "*.csv"]), ticks))) == ["a.xml", "b.csv"]


def test_links_devices_pipes_and_folders_are_no_files(make: Make, tmp_path: Path, ticks: Ticks) -> None:
    """A link may lead to a secret; a pipe would hold us for ever."""
    folder, secret = tmp_path / "root" / "in", tmp_path / "secret"
    secret.write_bytes(b"secret")
    (folder / "link.xml").symlink_to(secret)
    (folder / "gone.xml").symlink_to(tmp_path / "nothing")
    (folder / "folder.xml").mkdir()
    os.mkfifo(folder / "pipe.xml")
    (folder / "file.xml").write_bytes(b"file")
    assert read(settled(make(), ticks)) == {"file.xml": b"file"}


def test_a_link_that_takes_the_place_of_a_file_is_not_followed(make: Make, tmp_path: Path) -> None:
    """Between looking and opening there is always a moment."""
    transport, path = make(stable_s=0.0), tmp_path / "root" / "in" / "statement.xml"
    path.write_bytes(b"statement")
    listing = folders._listing

    def then_it_is_a_link(at: int, limit: int) -> Any:
        found = listing(at, limit)
        path.unlink()
        path.symlink_to("/etc/passwd")
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folders, "_listing", then_it_is_a_link)
        with pytest.raises(ChannelUnavailable, match="cannot be read"):
            transport.receive(10)


def test_a_hostile_name_is_shown_harmless_and_still_put_away(make: Make, tmp_path: Path, ticks: Ticks) -> None:
    """A name goes into logs and onto screens, where ANSI sequences and line feeds speak."""
    name = b"a\x1b[31m\r\nb\xff\xe2\x80\xaex .xml"
    folder = tmp_path / "root" / "in"
    (folder / os.fsdecode(name)).write_bytes(b"x")
    transport = make()
    arrivals = settled(transport, ticks)
    assert [arrival.name for arrival in arrivals] == ["a_[31m__b__x_.xml"]
    transport.done(arrivals)
    assert [os.fsencode(path.name) for path in (folder / "archive").iterdir()] == [name]


def test_the_oldest_come_first_and_no_more_than_asked_for(make: Make, tmp_path: Path, ticks: Ticks) -> None:
    """Statements are numbered; the order in which they were written is the best guess."""
    for number in range(9):
        path = tmp_path / "root" / "in" / f"{9 - number}.xml"
        path.write_bytes(b"x")
        os.utime(path, (1_000 + number, 1_000 + number))
    assert list(read(settled(make(), ticks, limit=3))) == ["9.xml", "8.xml", "7.xml"]


def test_a_listing_is_bounded(make: Make, tmp_path: Path, ticks: Ticks) -> None:
    """A folder with a million names must not stop the gateway; the others come when these are gone."""
    for number in range(12):
        (tmp_path / "root" / "in" / f"{number}.xml").write_bytes(b"x")
    transport = make(listing_max=5, after_read="delete")
    for expected in (5, 5, 2, 0):
        arrivals = settled(transport, ticks)
        assert len(arrivals) == expected
        transport.done(arrivals)


@pytest.mark.parametrize("after_read", ["archive", "delete"])
def test_a_file_stays_until_it_is_done(make: Make, tmp_path: Path, ticks: Ticks, after_read: str) -> None:
    """A crash in between makes it arrive again."""
    folder, transport = tmp_path / "root" / "in", make(after_read=after_read)
    (folder / "a.xml").write_bytes(b"a")
    settled(transport, ticks)
    arrivals = transport.receive(10)
    assert len(arrivals) == 1
    transport.done(arrivals)
    assert arrivals[0].source.closed
    assert list(transport.receive(10)) == []
    assert [path.name for path in folder.rglob("a.xml")] == (["a.xml"] if after_read == "archive" else [])
    transport.done(arrivals)


def test_a_file_that_was_replaced_meanwhile_is_not_let_go_of(make: Make, tmp_path: Path, ticks: Ticks) -> None:
    """The bank may write a corrected statement under the name that was just read."""
    folder, transport = tmp_path / "root" / "in", make(after_read="delete")
    (folder / "a.xml").write_bytes(b"a")
    arrivals = settled(transport, ticks)
    (folder / "a.xml").write_bytes(b"corrected")
    transport.done(arrivals)
    assert read(settled(transport, ticks)) == {"a.xml": b"corrected"}


def test_nothing_in_the_archive_is_overwritten(make: Make, tmp_path: Path, ticks: Ticks) -> None:
    """Banks use names again."""
    folder, transport = tmp_path / "root" / "in", make()
    for content in (b"1", b"22", b"333"):
        (folder / "a.xml").write_bytes(content)
        transport.done(settled(transport, ticks))
    archive = folder / "archive"
    assert {path.name: path.read_bytes() for path in archive.iterdir()} == {
        "a.xml": b"1", "a.xml.1": b"22", "a.xml.2": b"333",
    }  # fmt: skip


def test_a_file_that_is_too_large_is_reported_and_never_deleted(make: Make, tmp_path: Path, ticks: Ticks) -> None:
    """It is not ours to throw away."""
    folder, transport = tmp_path / "root" / "in", make(after_read="delete", file_bytes_max=10)
    (folder / "a.xml").write_bytes(b"eleven bytes")
    (arrival,) = settled(transport, ticks)
    assert arrival.fault is not None
    assert "12 bytes are more than the 10" in str(arrival.fault)
    transport.done([arrival])
    assert (folder / "archive" / "a.xml").exists()


def test_a_large_file_is_not_held_in_memory(make: Make, tmp_path: Path, ticks: Ticks) -> None:
    """Statements may have gigabytes; a large one is on disk, and seekable."""
    path = tmp_path / "root" / "in" / "a.xml"
    path.write_bytes(b"x" * 5_000_000)
    (arrival,) = settled(make(), ticks)
    assert arrival.size == 5_000_000
    assert arrival.source._rolled  # type: ignore[attr-defined]  # what tells memory from disk
    arrival.source.seek(4_999_999)
    assert arrival.source.read() == b"x"


def test_one_unreadable_file_stops_no_other(
    make: Make, tmp_path: Path, ticks: Ticks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an error of the channel once it is all that is left, so that it is not forgotten either."""
    folder, transport, opened = tmp_path / "root" / "in", make(), os.open
    for name in ("a.xml", "b.xml"):
        (folder / name).write_bytes(b"x")

    def closed(path: Any, *arguments: Any, **more: Any) -> int:
        if path == "a.xml":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return opened(path, *arguments, **more)

    monkeypatch.setattr(os, "open", closed)
    arrivals = settled(transport, ticks)
    assert [arrival.name for arrival in arrivals] == ["b.xml"]
    transport.done(arrivals)
    with pytest.raises(ChannelUnavailable, match=r"a\.xml cannot be read: Permission denied"):
        transport.receive(10)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('outgoing = "out"', 'outgoing = "../out"', "transport.outgoing: '../out' is not a path below the root"),
        ('outgoing = "out"', 'outgoing = "in"', "transport.incoming: 'in' is a folder for outgoing files as well"),
        ('root = "/x"', 'root = "x"', "transport.root: 'x' is not an absolute path"),
        ('root = "/x"', "", "transport.root: missing"),
    ],
)
def test_a_mistake_in_the_settings_is_said_with_its_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    """As everywhere in a profile."""
    text = (SHIPPED / "central-bank.toml").read_text(encoding="utf-8").partition("[transport]")[0]
    table = '[transport]\nkind = "folder"\nroot = "/x"\noutgoing = "out"\nincoming = ["in"]\n'
    path = tmp_path / "a.toml"
    path.write_text(text + table.replace(old, new), encoding="utf-8")
    (finding,) = check_profiles([path])
    assert said in finding.message
    assert finding.line >= text.count("\n") + 1
