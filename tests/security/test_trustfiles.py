"""The trust folder: what an operator puts there is what counts, and a damaged file stops the start."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from schemas.errors import ConfigurationError, SignatureRefused
from security.authority import Authority, Revoked, create_authority, revoke
from security.keys import FileKey
from security.trustfiles import load_trust, store_certificate

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


@pytest.fixture
def filled(tmp_path: Path) -> tuple[Path, Authority, FileKey]:
    """Return a folder with an anchor, an authority below it and the central bank's certificate."""
    anchor = create_authority("Root", at=NOW)
    middle = create_authority("Payments", at=NOW, parent=anchor)
    key = FileKey.generate("k", owner_name="Bank", owner_bic="NCAMKHPP", at=NOW, certifier=middle)
    store_certificate(tmp_path, "anchors", "root", anchor.certificate)
    store_certificate(tmp_path, "intermediates", "payments", middle.certificate)
    store_certificate(tmp_path, "signers", "nbc", key.certificate)
    return tmp_path, middle, key


def test_a_filled_folder_is_a_trust_store(filled: tuple[Path, Authority, FileKey]) -> None:
    """Anchor, authority and signer are found by their folders."""
    folder, _, key = filled
    store = load_trust(folder)
    store.check(key.certificate, NOW)
    assert store.find(key.subject_key_id) == (key.certificate,)


def test_an_imported_revocation_list_counts_from_the_next_load(filled: tuple[Path, Authority, FileKey]) -> None:
    """PEM or DER, as the authority gives it; the newer one of a name replaces the older."""
    folder, middle, key = filled
    path = folder / "revocation" / "payments.crl"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(revoke(middle, [], at=NOW).public_bytes(Encoding.PEM))
    load_trust(folder).check(key.certificate, NOW)
    revocation = revoke(middle, [Revoked(key.certificate.serial_number, NOW)], at=NOW)
    path.write_bytes(revocation.public_bytes(Encoding.DER))
    with pytest.raises(SignatureRefused, match="DS0C"):
        load_trust(folder).check(key.certificate, NOW)


def test_required_lists_are_required(filled: tuple[Path, Authority, FileKey]) -> None:
    """The profile decides."""
    folder, _, key = filled
    with pytest.raises(SignatureRefused, match="DS0D"):
        load_trust(folder, revocation_required=True).check(key.certificate, NOW)


@pytest.mark.parametrize(
    ("name", "owner"), [("PPCBKHPP", "PPCBKHPP"), ("PPCBKHPPXXX-2026", "PPCBKHPPXXX"), ("small-bank", None)]
)
def test_a_pinned_files_name_says_whom_it_speaks_for(tmp_path: Path, name: str, owner: str | None) -> None:
    """A self-signed certificate often carries no BIC."""
    key = FileKey.generate("k", owner_name="Small Bank", owner_bic=None, at=NOW)
    store_certificate(tmp_path, "pinned", name, key.certificate)
    store = load_trust(tmp_path)
    store.check(key.certificate, NOW + timedelta(days=1))
    assert store.owner_bic(key.certificate) == owner


def test_a_folder_without_anchor_and_pin_is_a_mistake(tmp_path: Path) -> None:
    """A wrong path would refuse every answer of the bank; better to say so at the start."""
    with pytest.raises(ConfigurationError, match="no anchor and no pinned"):
        load_trust(tmp_path)


@pytest.mark.parametrize("name", ["anchors/bad.pem", "revocation/bad.crl"])
def test_a_damaged_file_is_named(filled: tuple[Path, Authority, FileKey], name: str) -> None:
    """Skipping it would quietly trust less, or forget a revocation."""
    folder, _, _ = filled
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"-----BEGIN RUBBISH-----")
    with pytest.raises(ConfigurationError, match=name):
        load_trust(folder)


def test_a_folder_that_may_not_be_read_is_not_an_empty_one(
    filled: tuple[Path, Authority, FileKey], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is told that the bank's certificates are missing when it is the folder's mode that is wrong."""
    folder, _, _ = filled

    def iterdir(_: Path) -> NoReturn:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", iterdir)
    with pytest.raises(ConfigurationError, match="anchors: cannot be read: Permission denied"):
        load_trust(folder)
