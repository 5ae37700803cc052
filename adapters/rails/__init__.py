"""One small file a rail: how payments become its message, and what its documents say.

A rail module has three functions, and the profile names the module:

- ``compose(profile, order, payments, key) -> Composed``
- ``read(profile, document, trust, at) -> Received``
- ``read_unsigned(profile, source) -> Received | None``
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from importlib import import_module
from typing import BinaryIO, Protocol

from adapters.profile import Profile
from schemas.model.payment import Payment
from schemas.model.statement import Entry, Statement
from schemas.model.status import Return, StatusReport
from security.keys import SigningKey
from security.trust import TrustStore


@dataclass(frozen=True, slots=True)
class Task:
    """What a message is made under: its MsgId, when it is made, and when it settles."""

    message_id: str
    created: datetime
    settlement_date: date


@dataclass(frozen=True, slots=True)
class Facts:
    """What a finished message says of itself, read back from it before it is signed (rules 1 to 9)."""

    header_message_id: str
    header_definition: str
    header_from: str
    header_to: str
    header_created: datetime
    possible_duplicate: bool
    message_id: str
    namespace: str
    created: datetime
    instructing_bic: str
    instructed_bic: str
    stated_count: str
    stated_sum: str | None
    amounts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Composed:
    """A signed message: exactly these bytes are archived and sent."""

    document: bytes
    definition: str


@dataclass(frozen=True, slots=True)
class Received:
    """A bank's document, verified as its profile asks.

    Attributes:
        reports, returns: what it says of payments.
        statements: a Statement, then its entries, then the next; read while iterating.
    """

    definition: str
    message_id: str
    reports: tuple[StatusReport, ...] = ()
    returns: tuple[Return, ...] = ()
    statements: Iterator[Statement | Entry] | None = None


class Rail(Protocol):
    """What a rail module offers."""

    def compose(
        self,
        profile: Profile,
        task: Task,
        payments: Sequence[Payment],
        key: SigningKey,
        inspect: Callable[[Facts], None],
    ) -> Composed:
        """Write, validate and sign a message; ``inspect`` sees its facts before it is signed and may refuse."""

    def read(self, profile: Profile, document: bytes, trust: TrustStore, at: datetime) -> Received:
        """Verify and read a document that came at this moment."""

    def read_unsigned(self, profile: Profile, source: BinaryIO) -> Received | None:
        """Read a statement file that this profile takes without a signature; None where the document must have one.

        Its statements are read while iterating, in bounded memory: the file has to stay open, and be seekable.
        """


def rail(name: str) -> Rail:
    """Return the module of a rail by the name that profiles use."""
    return import_module(f"adapters.rails.{name}")
