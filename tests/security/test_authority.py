"""The authority of test and demo: it makes what the trust store accepts, and repeats when its numbers are given."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from schemas.errors import ConfigurationError
from security.authority import Revoked, create_authority, issue, load_authority, revoke, save_authority
from security.certificates import generate
from security.keys import FileKey, TrustStore

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
PASSPHRASE = b"correct horse battery"


def test_serial_numbers_are_injected() -> None:
    """A world from a seed has the same certificates in the same order."""
    serials: Iterator[int] = count(1)
    authority = create_authority("Demo", at=NOW, serial_numbers=lambda: next(serials))
    key = FileKey.generate("k", owner_name="Bank", owner_bic="NCAMKHPP", at=NOW, certifier=authority)
    assert authority.certificate.serial_number == 1
    assert key.certificate.serial_number == 2


def test_an_authority_shows_no_key() -> None:
    """Its repr may land in a log."""
    assert "private_key" not in repr(create_authority("Demo", at=NOW))


def test_a_bic_that_is_none_is_not_certified() -> None:
    """A typing mistake would lock the partner out: nobody could ever be that BIC."""
    authority = create_authority("Demo", at=NOW)
    key = generate().public_key()
    with pytest.raises(ValueError, match="not a BIC"):
        issue(authority, key, owner_name="Bank", owner_bic="ncamkhpp", at=NOW)


def test_a_revocation_list_names_reason_and_end() -> None:
    """The list is signed, says until when it counts, and why each certificate went."""
    authority = create_authority("Demo", at=NOW)
    lines = [Revoked(7, NOW, x509.ReasonFlags.key_compromise), Revoked(8, NOW)]
    revocation = revoke(authority, lines, at=NOW, days=3)
    public = authority.certificate.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert revocation.is_signature_valid(public)
    assert revocation.next_update_utc == NOW + timedelta(days=3)
    line = revocation.get_revoked_certificate_by_serial_number(7)
    assert line is not None
    reason = line.extensions.get_extension_for_class(x509.CRLReason).value.reason
    assert reason is x509.ReasonFlags.key_compromise
    assert revocation.get_revoked_certificate_by_serial_number(9) is None


def test_a_saved_authority_issues_what_the_old_anchor_verifies(tmp_path: Path) -> None:
    """The demo's bank certifies the next key months later."""
    authority = create_authority("Demo", at=NOW)
    save_authority(tmp_path, "demo", authority, PASSPHRASE)
    again = load_authority(tmp_path, "demo", PASSPHRASE)
    key = FileKey.generate("k", owner_name="Bank", owner_bic="NCAMKHPP", at=NOW, certifier=again)
    TrustStore(anchors=[authority.certificate], signers=[key.certificate]).check(key.certificate, NOW)
    with pytest.raises(ConfigurationError, match="exists"):
        save_authority(tmp_path, "demo", authority, PASSPHRASE)


def test_a_mixed_up_authority_is_refused(tmp_path: Path) -> None:
    """Its certificates would chain to nothing."""
    for name in ("one", "two"):
        save_authority(tmp_path, name, create_authority(name, at=NOW), PASSPHRASE)
    (tmp_path / "one.crt.pem").write_bytes((tmp_path / "two.crt.pem").read_bytes())
    with pytest.raises(ConfigurationError, match="belongs to another key"):
        load_authority(tmp_path, "one", PASSPHRASE)
