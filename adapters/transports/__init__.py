"""How bytes reach a bank and come back: one file a transport, each with ``connect(profile, vault) -> Transport``.

A transport moves bytes and knows nothing of what they say. Its library's errors stop there; what it raises instead says
what is known of the bank's side, for that decides what may be done next:

    ChannelUnavailable   nothing was handed over: the same bytes may be sent later
    HandoverRefused      the bank's side took nothing, and said why; ``known``: it has one of this name already
    HandoverUnknown      nobody can tell: the payment is in doubt, and only the bank's answer decides

The bus is no transport of this kind: a bank on the message broker has its queues, and the relay speaks to those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from schemas.errors import DocumentRefused

if TYPE_CHECKING:
    from adapters.profile import Profile

SUBMIT, INQUIRE, RECALL, GIVE_BACK, REPORT = "submit", "inquire", "recall", "give_back", "report"
ANSWER = "answer"
"""What a document is handed over for: a transport that has several ways (paths, operations, folders) chooses by it."""


@dataclass(frozen=True, slots=True)
class Outbound:
    """A document to hand over.

    Attributes:
        name: what the bank knows it by: MsgId, PmtInfId or file name; unique, and the same when it is sent again.
        content: exactly these bytes.
        definition: such as ``pain.001.001.09``.
        operation: ``submit``, ``inquire``, ``recall``, ``give_back``, ``report`` or ``answer``.
        again: it may have been handed over before (PssblDplct where the transport has a place for it).
    """

    name: str
    content: bytes
    definition: str
    operation: str = SUBMIT
    again: bool = False


@dataclass(frozen=True, slots=True)
class Handover:
    """A document that the bank's side took.

    Attributes:
        answers: documents that came back in the same exchange, byte for byte.
        reference: what the bank's side calls it, where it says so.
    """

    answers: tuple[bytes, ...] = ()
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """A document that waits at the bank's side.

    Attributes:
        name: as the bank calls it, made harmless: for people and logs, never a path.
        source: its bytes, seekable; open until ``Transport.done``.
        size: in bytes.
        handle: what the transport needs to let go of it.
        exact: what tells it from every other document there, exactly as the bank wrote it: only to compare; empty where
            the name is that already.
        fault: why it cannot be used, where the transport knows already (it cannot be decrypted); it is kept.
    """

    name: str
    source: BinaryIO
    size: int
    handle: Any = None
    fault: DocumentRefused | None = None
    exact: str = ""


class Transport(Protocol):
    """A connection to one bank; used by one thread. It connects when it is first needed, and again after an error."""

    idempotent: bool
    """Whether the same document under the same name, handed over twice, is one to the bank's side. Where it is not, the
    gateway commits that it is about to send before it does, and after a crash never sends again by itself."""

    def send(self, outbound: Outbound) -> Handover:
        """Hand a document over.

        Raises:
            ChannelUnavailable, HandoverRefused, HandoverUnknown: as the module says.
        """

    def receive(self, limit: int) -> Sequence[Arrival]:
        """Return up to so many documents that wait; they stay at the bank's side until ``done``.

        Raises:
            ChannelUnavailable: the bank's side cannot be reached.
        """

    def done(self, arrivals: Sequence[Arrival]) -> None:
        """Let go of documents that were kept: archive, delete or acknowledge them at the bank's side, and close them.

        A crash before this makes them arrive again, which changes nothing.

        Raises:
            ChannelUnavailable: the bank's side cannot be reached; they arrive again.
        """

    def close(self) -> None:
        """Let go of the connection."""


class Vault(Protocol):
    """Where the secrets of one bank relationship are: never in a profile, never in a log."""

    def secret(self, name: str) -> bytes:
        """Return a password or token.

        Raises:
            ConfigurationError: there is none, or others may read it.
        """

    def file(self, name: str) -> Path:
        """Return the path of a private key, certificate or list of known hosts.

        Raises:
            ConfigurationError: there is none, or (a private key) others may read it.
        """


def connect(profile: Profile, vault: Vault) -> Transport:
    """Return the transport of a relationship, not connected yet.

    Raises:
        ConfigurationError: what its settings name is not there.
    """
    made: Transport = import_module(f"adapters.transports.{profile.transport.kind}").connect(profile, vault)
    return made
