"""Protected files: nothing is read that the bank has not signed, and nothing that cannot be read is lost."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pysequoia
import pytest
from pysequoia import CipherSuite, Sig, SignatureMode, Tsk

from adapters.file_settings import FolderSettings, ProtectionSettings
from adapters.profile import SHIPPED, check_profiles, load
from adapters.transports import Arrival, Handover, Outbound, connect
from adapters.transports.folder import FolderTransport
from adapters.transports.protection import Protected
from schemas.errors import ChannelUnavailable, ConfigurationError, HandoverRefused, HandoverUnknown, SignatureRefused
from security.vault import FolderVault

BYTES_MAX = 100_000
"""Larger than any file of these tests but one."""
OUR, NEXT, BANK, BANK_NEXT, STRANGER = (
    Tsk.generate(f"{who} <{who}@example>", cipher_suite=CipherSuite.Cv25519)
    for who in ("our", "next", "bank", "bank-next", "stranger")
)
PAYMENTS = Outbound("TREASURY-0001.txt", b"one payment", "flat")
STATEMENT = b"a statement" * 1_000


class Ticks:
    """A clock that moves when a test says so."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now_s


class Bank:
    """A folder between us and a bank, and both sides' keys."""

    def __init__(self, folder: Path) -> None:
        self.root, self.vault, self.ticks = folder / "root", folder / "vault", Ticks()
        for path in (self.root / "out", self.root / "in", self.vault):
            path.mkdir(parents=True)
        self.held: list[Arrival] = []
        self.put("own.pgp", str(OUR).encode())
        self.put("bank.asc", bytes(BANK.extract_certificate()))

    def put(self, name: str, content: bytes) -> None:
        """Put a file into the vault."""
        path = self.vault / name
        path.write_bytes(content)
        path.chmod(0o600)

    def transport(self, form: str, **more: Any) -> Protected:
        """Return a protected folder."""
        settings = FolderSettings(
            kind="folder", root=self.root, outgoing="out", incoming=("in",), stable_s=0.0,
            protection=ProtectionSettings(form=form, **more),  # type: ignore[arg-type]  # a test names the form
        )  # fmt: skip
        assert settings.protection is not None
        vault = FolderVault(self.vault)
        return Protected(
            FolderTransport(settings), settings.protection, vault, bytes_max=BYTES_MAX, ticks=self.ticks
        )  # fmt: skip

    def leave(self, name: str, content: bytes) -> None:
        """Leave a file for us."""
        (self.root / "in" / name).write_bytes(content)

    def received(self, transport: Protected, limit: int = 10) -> Sequence[Arrival]:
        """Return what arrives; it is closed at the end of the test."""
        arrivals = transport.receive(limit)
        self.held += [one for arrival in arrivals for one in (arrival, *arrival.handle)]
        return arrivals

    def left(self) -> list[str]:
        """Return what lies in the incoming folder, without the archive."""
        return sorted(path.name for path in (self.root / "in").glob("*.*"))


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Bank]:
    """Return a bank of the test's own."""
    made = Bank(tmp_path)
    yield made
    for arrival in made.held:
        arrival.source.close()


def sealed(content: bytes, signer: Tsk | None = BANK, to: Tsk = OUR) -> bytes:
    """Return content as a bank encrypts and signs it."""
    return pysequoia.encrypt(
        content, recipients=[to.extract_certificate()], signer=signer.signer() if signer else None, armor=False
    )


def signed(content: bytes, signer: Tsk = BANK) -> bytes:
    """Return a bank's signature of content."""
    return pysequoia.sign(signer.signer(), content, mode=SignatureMode.DETACHED, armor=False)


def ours(_: list[str]) -> list[Any]:
    """Return the key by which the bank knows us."""
    return [OUR.extract_certificate()]


def test_the_bank_alone_can_read_what_we_send_and_knows_it_is_ours(bank: Bank) -> None:
    """Encrypted to its key, signed by ours."""
    bank.transport("encrypted").send(PAYMENTS)
    (only,) = (bank.root / "out").iterdir()
    assert only.name == "TREASURY-0001.txt.pgp"
    assert PAYMENTS.content not in only.read_bytes()
    opened = pysequoia.decrypt(only.read_bytes(), decryptor=BANK.decryptor(), store=ours)
    assert (opened.bytes, len(opened.valid_sigs)) == (PAYMENTS.content, 1)


def test_a_signature_beside_a_file_is_of_the_file(bank: Bank) -> None:
    """The file itself is as it was composed."""
    bank.transport("detached").send(PAYMENTS)
    file = bank.root / "out" / PAYMENTS.name
    assert file.read_bytes() == PAYMENTS.content
    signature = Sig.from_bytes((bank.root / "out" / f"{PAYMENTS.name}.sig").read_bytes())
    assert len(pysequoia.verify(file=file, store=ours, signature=signature).valid_sigs) == 1


def test_what_the_bank_has_signed_is_read_in_the_clear(bank: Bank) -> None:
    """Both forms; file and signature are let go of together."""
    bank.leave("a.xml.pgp", sealed(STATEMENT))
    transport = bank.transport("encrypted")
    (arrival,) = bank.received(transport)
    assert (arrival.name, arrival.source.read(), arrival.size, arrival.fault) == ("a.xml", STATEMENT, 11_000, None)
    transport.done([arrival])
    bank.leave("b.xml", STATEMENT)
    bank.leave("b.xml.sig", signed(STATEMENT))
    transport = bank.transport("detached")
    (arrival,) = bank.received(transport)
    assert (arrival.name, arrival.source.read(), arrival.fault) == ("b.xml", STATEMENT, None)
    transport.done([arrival])
    assert bank.left() == []
    assert sorted(path.name for path in (bank.root / "in" / "archive").iterdir()) == ["a.xml.pgp", "b.xml", "b.xml.sig"]


@pytest.mark.parametrize(
    ("came", "code"),
    [
        (sealed(STATEMENT, signer=None), "DS0A"),
        (sealed(STATEMENT, signer=STRANGER), "DS0B"),
        (sealed(STATEMENT, signer=OUR), "DS0B"),
        (sealed(STATEMENT, to=STRANGER), "FF01"),
        (sealed(STATEMENT)[:-1], "FF01"),
        (sealed(STATEMENT)[:200], "FF01"),
        (bytes([*sealed(STATEMENT)[:-40], *bytes(40)]), "FF01"),
        (STATEMENT, "FF01"),
        (b"", "FF01"),
    ],
)
def test_what_is_not_encrypted_and_signed_by_the_bank_arrives_as_it_came(bank: Bank, came: bytes, code: str) -> None:
    """With its fault, and byte for byte: a person can look at it, and nobody reads it by mistake."""
    bank.leave("a.xml.pgp", came)
    transport = bank.transport("encrypted")
    (arrival,) = bank.received(transport)
    assert arrival.fault is not None
    assert arrival.source.read() == came
    # A damaged file fails where the damage is met: before its signature was looked for, or at it.
    assert arrival.fault.code in ({code} if code != "FF01" else {"FF01", "DS0A", "DS0B"})
    transport.done([arrival])
    assert bank.left() == []


@pytest.mark.parametrize(
    ("content", "signature"),
    [
        (STATEMENT + b"!", signed(STATEMENT)),
        (STATEMENT, signed(STATEMENT, STRANGER)),
        (STATEMENT, signed(STATEMENT, OUR)),
        (STATEMENT, signed(STATEMENT)[:-5]),
        (STATEMENT, b"no signature"),
        (STATEMENT, b""),
        (b"", signed(STATEMENT)),
    ],
)
def test_a_signature_that_does_not_hold_is_a_fault(bank: Bank, content: bytes, signature: bytes) -> None:
    """Whatever is wrong with it, and the file arrives as it came."""
    bank.leave("a.xml", content)
    bank.leave("a.xml.sig", signature)
    transport = bank.transport("detached")
    (arrival,) = bank.received(transport)
    assert isinstance(arrival.fault, SignatureRefused)
    assert arrival.fault.code == "DS0B"
    assert arrival.source.read() == content
    transport.done([arrival])
    assert bank.left() == []


@pytest.mark.parametrize("name", ["a.xml", "a.xml.sig"])
def test_a_file_waits_for_its_signature_but_not_for_ever(bank: Bank, name: str) -> None:
    """They come one after the other; what stays alone is told, and is not read."""
    bank.leave(name, STATEMENT)
    transport = bank.transport("detached")
    assert bank.received(transport) == []
    bank.ticks.now_s = 599.0
    assert bank.received(transport) == []
    bank.ticks.now_s = 600.0
    (arrival,) = bank.received(transport)
    assert arrival.fault is not None
    assert arrival.fault.code == "DS0A"
    transport.done([arrival])
    assert bank.left() == []


def test_a_signature_that_an_earlier_attempt_left_holds_for_the_next(bank: Bank) -> None:
    """The signature went, the file did not: the same file is sent again."""
    bank.transport("detached").send(PAYMENTS)
    (bank.root / "out" / PAYMENTS.name).unlink()
    bank.transport("detached").send(PAYMENTS)
    with pytest.raises(HandoverRefused) as refused:
        bank.transport("detached").send(PAYMENTS)
    assert refused.value.known


def test_a_signature_that_is_in_doubt_is_no_payment_in_doubt(bank: Bank) -> None:
    """The file itself was not handed over, and may be sent later."""

    class Failing:
        idempotent = True

        def send(self, outbound: Outbound) -> Handover:
            raise HandoverUnknown(outbound.name)

    settings = ProtectionSettings(form="detached")
    transport = Protected(Failing(), settings, FolderVault(bank.vault), bytes_max=BYTES_MAX)  # type: ignore[arg-type]  # it only sends
    assert transport.idempotent
    with pytest.raises(ChannelUnavailable, match="the file is not"):
        transport.send(PAYMENTS)


def test_keys_are_changed_without_a_day_on_which_nothing_can_be_read(bank: Bank) -> None:
    """The new ones are announced beside the old ones, in both directions."""
    bank.put("next.pgp", str(NEXT).encode())
    bank.put("bank-next.asc", bytes(BANK_NEXT.extract_certificate()))
    transport = bank.transport("encrypted", own_keys=("next.pgp", "own.pgp"), bank_keys=("bank.asc", "bank-next.asc"))
    bank.leave("old.pgp", sealed(b"old"))
    bank.leave("new.pgp", sealed(b"new", signer=BANK_NEXT, to=NEXT))
    assert sorted(arrival.source.read() for arrival in bank.received(transport)) == [b"new", b"old"]


def test_keys_that_cannot_be_used_are_said_before_anything_is_sent(bank: Bank) -> None:
    """At the start of a worker; and no passphrase is repeated."""
    with pytest.raises(ConfigurationError, match=r"absent\.pgp"):
        bank.transport("encrypted", own_keys=("absent.pgp",))
    bank.put("own.pgp", b"no key")
    with pytest.raises(ConfigurationError, match=r"own\.pgp: no OpenPGP key"):
        bank.transport("encrypted")
    bank.put("own.pgp", bytes(BANK.extract_certificate()))
    with pytest.raises(ConfigurationError, match=r"own\.pgp: no OpenPGP key"):
        bank.transport("encrypted")


def test_a_profile_asks_for_protection(bank: Bank, tmp_path: Path) -> None:
    """In the table of its transport, so that only what carries files can have it."""
    text = (SHIPPED / "central-bank.toml").read_text(encoding="utf-8").partition("[transport]")[0]
    table = f'[transport]\nkind = "folder"\nroot = "{bank.root}"\noutgoing = "out"\n'
    path = tmp_path / "a.toml"
    path.write_text(f'{text}{table}[transport.protection]\nform = "encrypted"\n', encoding="utf-8")
    connect(load(path), FolderVault(bank.vault)).send(PAYMENTS)
    assert (bank.root / "out" / "TREASURY-0001.txt.pgp").exists()
    path.write_text(f'{text}{table}name_suffix = ".txt"\n[transport.protection]\nform = "detached"\n', encoding="utf-8")
    (finding,) = check_profiles([path])
    assert "transport.name_suffix: protection adds an ending of its own" in finding.message


@pytest.mark.parametrize(("size", "is_taken"), [(BYTES_MAX, True), (BYTES_MAX + 1, False), (50 * BYTES_MAX, False)])
def test_what_is_too_large_once_it_is_decrypted_is_refused(bank: Bank, size: int, *, is_taken: bool) -> None:
    """As a file that comes so large is: a packed one may be a thousand times as large as what came."""
    bank.leave("S.xml.pgp", sealed(b"0" * size))
    [arrival] = bank.received(bank.transport("encrypted"))
    assert (arrival.fault is None) is is_taken
    if is_taken:
        assert (arrival.size, arrival.source.read()) == (size, b"0" * size)
    else:
        assert arrival.fault is not None
        assert arrival.fault.code == "FF01"
        assert f"more than the {BYTES_MAX} bytes" in str(arrival.fault)
        assert arrival.source.read() == (bank.root / "in" / "S.xml.pgp").read_bytes()


def test_a_machine_that_is_short_of_processes_refuses_no_file(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is not to blame: it stays where it is, and is taken later."""
    bank.leave("S.xml.pgp", sealed(b"<Document/>"))

    def none_left(*_: object, **__: object) -> None:
        raise BlockingIOError(errno.EAGAIN, "no process left")

    transport = bank.transport("encrypted")
    with monkeypatch.context() as patch:
        patch.setattr("subprocess.Popen", none_left)
        with pytest.raises(ChannelUnavailable, match="no process left"):
            transport.receive(10)
    [arrival] = bank.received(transport)
    assert (arrival.fault, arrival.source.read()) == (None, b"<Document/>")


def test_a_signature_belongs_to_the_file_of_exactly_its_name(bank: Bank) -> None:
    """Two names that look alike once they are harmless are two files; neither borrows the other's signature."""
    first, second = b"<first/>", b"<second/>"
    bank.leave("pay 1.xml", first)
    bank.leave("pay_1.xml", second)
    bank.leave("pay 1.xml.sig", signed(first))
    bank.leave("pay_1.xml.sig", signed(second))
    found = bank.received(bank.transport("detached"))
    assert {(arrival.name, arrival.source.read(), arrival.fault) for arrival in found} == {
        ("pay_1.xml", first, None), ("pay_1.xml", second, None),
    }  # fmt: skip


def test_a_signature_of_a_name_that_looks_alike_is_not_beside_a_file(bank: Bank) -> None:
    """The file waits for its own, and the signature for its file."""
    bank.leave("pay_1.xml", b"<second/>")
    bank.leave("pay 1.xml.sig", signed(b"<second/>"))
    transport = bank.transport("detached")
    assert bank.received(transport) == []
    bank.ticks.now_s = 600.0
    assert {str(arrival.fault) for arrival in bank.received(transport)} == {
        "DS0A: there is no signature beside it", "DS0A: a signature, and no file beside it",
    }  # fmt: skip
