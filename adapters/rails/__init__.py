"""One small file a rail: how payments become its message, and what its documents say.

A rail module has three functions, and the profile names the module:

- ``compose(profile, task, payments, key, inspect) -> Composed``
- ``read(profile, document, trust, at) -> Received``
- ``read_unsigned(profile, source) -> Received | None``

and those of these that its bank knows; where one is missing, the bank cannot be asked that:

- ``inquire(profile, task, sent, key) -> Composed``: what became of a message?
- ``recall(profile, task, sent, plea, key) -> Composed``: please do not pay one of its payments, or give it back
- ``answer_recall(profile, task, asked, answer, key) -> Composed``: what becomes of what the bank has asked back
- ``not_given_back(original) -> why``: what keeps the bank from taking a return of a transfer that came in (None:
  nothing), which is composed as any payment is, of the kind ``return``
- ``apart(profile, payment) -> key``: payments with different keys do not go into one message; ``KEYS_MAX`` beside it
  says how many different ones there can be, where that is known
- ``request_statement(profile, task, account, day, key) -> Composed``: the statement of an account and a day, please
- ``faults(profile) -> [(place, what is wrong)]``: what this rail misses in a profile, for ``gateway profiles check``
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from importlib import import_module
from typing import BinaryIO, Protocol

from adapters.profile import Profile
from schemas.model.money import Money
from schemas.model.payment import Original, Payment
from schemas.model.statement import Entry, Statement
from schemas.model.status import RecallAnswer, RecallRequest, Return, StatusReport, SystemEvent
from security.keys import SigningKey
from security.trust import TrustStore


@dataclass(frozen=True, slots=True)
class Task:
    """What a message is made under: its MsgId, when it is made, and when it settles."""

    message_id: str
    created: datetime
    settlement_date: date


@dataclass(frozen=True, slots=True)
class HeaderFacts:
    """What the business application header of a finished message says (rules 1 to 6)."""

    message_id: str
    definition: str
    from_bic: str
    to_bic: str
    created: datetime
    possible_duplicate: bool


@dataclass(frozen=True, slots=True)
class BlockFacts:
    """What a payment-information block of a finished pain.001 says of itself (rules 10, 12 and 17).

    Attributes:
        debtor_agent, creditor_agents: their BICs, empty where the version or the bank names them otherwise.
    """

    block_id: str
    stated_count: str | None
    stated_sum: str | None
    amounts: tuple[str, ...]
    debtor_agent: str = ""
    creditor_agents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """What a finished message says of itself, read back from it before it is signed (rules 1 to 12 and 17).

    Attributes:
        header: None on a rail whose messages have no business application header.
        instructing_bic, instructed_bic: empty where the message names no agents of its own.
        amounts: of all transactions, in their order.
        blocks: of a pain.001.
        participants: on a rail whose PmtInfId is ``sender/receiver/reference``: the code of a bank (by BIC8) where it
            is not its BIC8; None on all others.
        settlement_account: SttlmAcct, where stated (rule 36).
    """

    header: HeaderFacts | None
    message_id: str
    namespace: str
    created: datetime
    instructing_bic: str
    instructed_bic: str
    stated_count: str
    stated_sum: str | None
    amounts: tuple[str, ...]
    blocks: tuple[BlockFacts, ...] = ()
    participants: Mapping[str, str] | None = None
    settlement_account: str | None = None


@dataclass(frozen=True, slots=True)
class Composed:
    """A finished message: exactly these bytes are archived and sent.

    Attributes:
        name: what the bank knows it by on the wire, where that is not its MsgId: a file name, a PmtInfId.
        blocks: PmtInfId -> the payments (by the gateway's number) in that block, where there are blocks.
    """

    document: bytes
    definition: str
    name: str | None = None
    blocks: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sent:
    """A message of payments that the bank was sent, for who asks what became of it.

    Attributes:
        message_id, name, definition: as composed; ``name`` is what the bank knows it by on the wire.
        created: when it was composed.
        payments: those that are asked about; not always all that it carried.
        count, total: of all that it carried.
    """

    message_id: str
    name: str
    definition: str
    created: datetime
    settlement_date: date
    payments: tuple[Payment, ...]
    count: int
    total: Money


@dataclass(frozen=True, slots=True)
class Plea:
    """Why a payment is asked back: the case, an ISO external cancellation reason (DUPL, CUST, FRAD ...), and words."""

    case_id: str
    payment: Payment
    reason: str
    info: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is answered to a bank that asks for money back: CNCL, or RJCR with an ISO reason (CUST, LEGL, NOOR ...)."""

    status: str
    reason: str | None = None
    info: str | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """A bank's document, verified as its profile asks.

    Attributes:
        reports, returns, recall_answers: what it says of payments. A message that the bank's system rejected whole
            (admi.002) is a report with the group status RJCT.
        events: what the bank's system announces (admi.004).
        recalls: transfers that came in and that the bank asks back (camt.056): a person decides on each.
        statements: a Statement, then its entries, then the next; read while iterating. A transfer that came in is a
            notification with one entry.
        content: SHA-256 (hex) of what was signed inside of it; None where all of its bytes were, or none.
    """

    definition: str
    message_id: str
    reports: tuple[StatusReport, ...] = ()
    returns: tuple[Return, ...] = ()
    statements: Iterator[Statement | Entry] | None = None
    recall_answers: tuple[RecallAnswer, ...] = ()
    events: tuple[SystemEvent, ...] = ()
    recalls: tuple[RecallRequest, ...] = ()
    content: str | None = None


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


Apart = Callable[[Profile, Payment], Hashable]
Inquire = Callable[[Profile, Task, Sent, SigningKey], Composed]
Recall = Callable[[Profile, Task, Sent, Plea, SigningKey], Composed]
AnswerRecall = Callable[[Profile, Task, RecallRequest, Verdict, SigningKey], Composed]
NotGivenBack = Callable[[Original], str | None]
RequestStatement = Callable[[Profile, Task, str, date, SigningKey], Composed]


def apart_of(made_by: Rail) -> Apart | None:
    """Return what a rail wants payments of one message to have in common, or None where they may be any."""
    return getattr(made_by, "apart", None)


def keys_max_of(made_by: Rail) -> int | None:
    """Return how many different keys ``apart`` of a rail can return, or None where that depends on the payments."""
    return 1 if apart_of(made_by) is None else getattr(made_by, "KEYS_MAX", None)


def inquiry_of(made_by: Rail) -> Inquire | None:
    """Return how a rail asks what became of a message, or None where its bank cannot be asked."""
    return getattr(made_by, "inquire", None)


def recall_of(made_by: Rail) -> Recall | None:
    """Return how a rail asks a payment back, or None where its bank cannot be asked."""
    return getattr(made_by, "recall", None)


def recall_answer_of(made_by: Rail) -> AnswerRecall | None:
    """Return how a rail answers what its bank asks back, or None where that is answered by word of mouth."""
    return getattr(made_by, "answer_recall", None)


def not_given_back(made_by: Rail, original: Original) -> str | None:
    """Return why a transfer that came in cannot be given back over a rail; None: it can."""
    asked: NotGivenBack | None = getattr(made_by, "not_given_back", None)
    return "nothing is given back over it" if asked is None else asked(original)


def statement_request_of(made_by: Rail) -> RequestStatement | None:
    """Return how a rail asks for a statement, or None where its bank cannot be asked."""
    return getattr(made_by, "request_statement", None)
