"""Signing keys: what a signer sees of them, which one signs, and how one follows another."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from schemas.errors import ConfigurationError
from security.authority import create_authority, issue
from security.certificates import generate
from security.keys import FileKey, KeyRing, KeyState, SigningKey, install_certificate, retire, rotate

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
PASSPHRASE = b"correct horse battery"


def created(folder: Path, key_id: str = "treasury-1", *, at: datetime = NOW, profile: str = "nbc") -> FileKey:
    """Create a treasury key in a folder."""
    return FileKey.create(
        folder, key_id, PASSPHRASE, owner_name="National Treasury", owner_bic="TREAKHPP", at=at, profile=profile
    )


def test_an_ecdsa_signature_is_r_and_s_of_32_bytes_each() -> None:
    """XML-DSig wants the two numbers side by side, not DER; otherwise no bank verifies it."""
    key = FileKey.generate("k", owner_name="T", owner_bic="TREAKHPP", at=NOW)
    public = key.certificate.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    for number in range(50):  # short values of r or s come up too, and must be filled up with zeros
        data = b"message %d" % number
        signature = key.sign(data)
        assert len(signature) == 64
        der = encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
        public.verify(der, data, ec.ECDSA(hashes.SHA256()))


def test_the_same_bytes_give_the_same_signature() -> None:
    """Deterministic ECDSA (RFC 6979): a seed replays, and a weak random source gives no key away."""
    key = FileKey.generate("k", owner_name="T", owner_bic="TREAKHPP", at=NOW)
    assert key.sign(b"a") == key.sign(b"a")
    assert key.sign(b"a") != key.sign(b"b")


def test_an_rsa_signature_is_pkcs1_v15_with_sha256() -> None:
    """Some banks' hardware only has RSA."""
    key = FileKey.generate("k", owner_name="T", owner_bic="TREAKHPP", at=NOW, kind="rsa-3072")
    public = key.certificate.public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    assert (key.algorithm, public.key_size, public.public_numbers().e) == ("rsa-sha256", 3072, 65537)
    public.verify(key.sign(b"data"), b"data", padding.PKCS1v15(), hashes.SHA256())


def test_a_file_key_is_a_signing_key_with_a_20_byte_identifier() -> None:
    """The signer sees the small interface that a hardware module also implements."""
    key = FileKey.generate("k", owner_name="T", owner_bic="TREAKHPP", at=NOW)
    assert isinstance(key, SigningKey)
    assert len(key.subject_key_id) == 20
    assert key.algorithm == "ecdsa-sha256"


def test_a_key_is_not_shown_and_not_pickled(tmp_path: Path) -> None:
    """A log line, a traceback or a queue must never carry a private key."""
    key = created(tmp_path)
    assert repr(key).startswith("FileKey('treasury-1', ecdsa-sha256, CN=National Treasury")
    assert "PRIVATE" not in repr(key)
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(key)


def test_a_created_key_loads_with_its_passphrase(tmp_path: Path) -> None:
    """What `keys create` writes, a worker reads."""
    key = created(tmp_path)
    loaded = FileKey.load(tmp_path, "treasury-1", PASSPHRASE)
    assert loaded.certificate == key.certificate
    assert loaded.sign(b"data") == key.sign(b"data")


def test_a_certificate_of_another_key_is_refused(tmp_path: Path) -> None:
    """Mixed-up files would sign messages that nobody can verify."""
    created(tmp_path)
    created(tmp_path, "treasury-2")
    (tmp_path / "treasury-1.crt.pem").write_bytes((tmp_path / "treasury-2.crt.pem").read_bytes())
    with pytest.raises(ConfigurationError, match="belongs to another key"):
        FileKey.load(tmp_path, "treasury-1", PASSPHRASE)


def test_a_weak_key_cannot_sign() -> None:
    """A 1024-bit key must not even start."""
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - that is the point
    with pytest.raises(ConfigurationError, match="1024 bits"):
        FileKey.generate("k", owner_name="T", owner_bic="TREAKHPP", at=NOW, private_key=weak)


def test_a_seed_derives_the_same_key_each_time() -> None:
    """A simulated world repeats from its seed, its keys included; an RSA key cannot be derived."""
    first, second = generate(secret=7), generate(secret=7)
    assert first.private_numbers() == second.private_numbers()
    assert generate(secret=8).private_numbers() != first.private_numbers()
    with pytest.raises(ValueError, match="ec-p256"):
        generate("rsa-3072", secret=7)


def test_rotation_keeps_the_old_key_verifying_until_it_is_retired(tmp_path: Path) -> None:
    """Messages signed by the old key are still on their way when the new one takes over."""
    old = created(tmp_path)
    later = NOW + timedelta(days=300)
    new = rotate(tmp_path, "treasury-1", "treasury-2", PASSPHRASE, at=later)
    ring = KeyRing(tmp_path)
    assert ring.signer("nbc", later).record.key_id == "treasury-2"
    assert ring.certificates() == [old.certificate, new.certificate]
    assert ring.entry("treasury-2").owner_bic == "TREAKHPP"
    assert ring.entry("treasury-2").record.profile == "nbc"

    record = retire(tmp_path, "treasury-1", at=later)
    assert (record.state, record.retired) == (KeyState.RETIRED, later)
    assert ring.certificates() == [new.certificate]
    assert retire(tmp_path, "treasury-1", at=later + timedelta(days=1)).retired == later


def test_a_new_key_waits_until_the_bank_has_its_certificate(tmp_path: Path) -> None:
    """Signing with a certificate that the bank has not installed yet gets every message rejected."""
    created(tmp_path)
    rotate(tmp_path, "treasury-1", "treasury-2", PASSPHRASE, at=NOW, signs_from=NOW + timedelta(days=14))
    ring = KeyRing(tmp_path)
    assert ring.signer("nbc", NOW + timedelta(days=13)).record.key_id == "treasury-1"
    assert ring.signer("nbc", NOW + timedelta(days=14)).record.key_id == "treasury-2"


def test_rotation_keeps_the_kind_of_key(tmp_path: Path) -> None:
    """A bank that takes RSA gets RSA again."""
    FileKey.create(
        tmp_path, "r1", PASSPHRASE, owner_name="T", owner_bic="TREAKHPP", at=NOW, kind="rsa-3072", profile="nbc"
    )
    assert rotate(tmp_path, "r1", "r2", PASSPHRASE, at=NOW).algorithm == "rsa-sha256"


def test_no_key_signs_for_another_profile_or_after_its_end(tmp_path: Path) -> None:
    """The refusal says so, before a bank does."""
    created(tmp_path)
    ring = KeyRing(tmp_path)
    for profile, at in (("aba", NOW), ("nbc", NOW + timedelta(days=731)), ("nbc", NOW - timedelta(days=1))):
        with pytest.raises(ConfigurationError, match="can sign for profile"):
            ring.signer(profile, at)


def test_a_ring_tells_the_days_left(tmp_path: Path) -> None:
    """The operator is warned long before a certificate ends."""
    created(tmp_path)
    (entry,) = KeyRing(tmp_path).entries()
    assert entry.days_left(NOW) == 730
    assert entry.days_left(NOW + timedelta(days=720)) == 10
    assert entry.days_left(NOW + timedelta(days=732)) == -2


def test_an_unfinished_key_and_an_absent_folder_are_no_keys(tmp_path: Path) -> None:
    """A crash between the files of a new key must not stop the others from being listed."""
    created(tmp_path)
    created(tmp_path, "treasury-2")
    (tmp_path / "treasury-2.json").unlink()
    assert [entry.record.key_id for entry in KeyRing(tmp_path).entries()] == ["treasury-1"]
    assert KeyRing(tmp_path / "absent").entries() == []


def test_the_banks_authority_certifies_a_request(tmp_path: Path) -> None:
    """Production: a self-signed certificate is replaced by the one that the bank issued for the request."""
    key = created(tmp_path)
    request = x509.load_pem_x509_csr(key.request())
    assert request.is_signature_valid
    public = request.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    authority = create_authority("Central Bank", at=NOW)
    certificate = issue(authority, public, owner_name="National Treasury", owner_bic="TREAKHPP", at=NOW)
    install_certificate(tmp_path, "treasury-1", certificate)
    assert FileKey.load(tmp_path, "treasury-1", PASSPHRASE).certificate == certificate
    with pytest.raises(ConfigurationError, match="belongs to another key"):
        install_certificate(tmp_path, "treasury-1", authority.certificate)


def test_a_folder_that_may_not_be_read_is_not_one_without_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else somebody would make a first key where there are keys."""

    def iterdir(_: Path) -> NoReturn:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", iterdir)
    with pytest.raises(ConfigurationError, match="cannot be read: Permission denied"):
        KeyRing(tmp_path).entries()
