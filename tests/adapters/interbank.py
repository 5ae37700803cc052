"""A treasury and a bank of a rail between banks, with keys of one small authority: for the tests of the rails."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from lxml import etree

from adapters.profile import SHIPPED, Profile, load
from adapters.rails import Task
from schemas.iso20022 import head001
from security import xmldsig
from security.authority import create_authority, issue
from security.keys import FileKey
from security.trust import TrustStore

NOW = datetime(2026, 11, 30, 2, 0, tzinfo=UTC)
DAY = date(2026, 11, 30)


@dataclass(frozen=True)
class Line:
    """Both ends of a relationship.

    Attributes:
        key, bank_key: what each side signs with.
        trust, bank_trust: what the treasury, and what its bank, takes for true.
    """

    profile: Profile
    key: FileKey
    bank_key: FileKey
    trust: TrustStore
    bank_trust: TrustStore

    def task(self, message_id: str = "TREAKHPP-20261130-000000000001") -> Task:
        """Return a task of this morning."""
        return Task(message_id, NOW.astimezone(self.profile.zone), DAY)

    def opened(self, document: bytes) -> tuple[head001.Header, etree._Element]:
        """Verify what the treasury has sent, as its bank does."""
        verified = xmldsig.verify(document, self.bank_trust, NOW)
        return head001.read(verified.app_header), verified.document

    def from_bank(self, message_id: str, definition: str, document: etree._Element) -> bytes:
        """Return a signed message of the bank."""
        namespace, name = self.profile.message.envelope
        header = head001.Header(self.profile.bank_bic, self.profile.own_bic, message_id, definition, NOW)
        return xmldsig.sign(head001.envelope(header, document, namespace=namespace, name=name), self.bank_key)


def line(path: Path = SHIPPED / "central-bank.toml") -> Line:
    """Return both ends of the relationship that a profile describes."""
    profile, at = load(path), NOW - timedelta(days=10)
    authority = create_authority("Root", at=at)

    def make(name: str, bic: str) -> FileKey:
        private = ec.generate_private_key(ec.SECP256R1())
        return FileKey(name, private, issue(authority, private.public_key(), owner_name=name, owner_bic=bic, at=at))

    own, bank = make("treasury", profile.own_bic), make("bank", profile.bank_bic)
    return Line(
        profile, own, bank,
        TrustStore(anchors=[authority.certificate], signers=[bank.certificate]),
        TrustStore(anchors=[authority.certificate], signers=[own.certificate]),
    )  # fmt: skip
