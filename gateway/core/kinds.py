"""The kinds of exceptions: one table of what each means, what it shows, what can be done, and until when.

A kind that is not in the table cannot be opened (gateway/store/findings.py asserts it), and docs/exceptions.md is
checked against it. Times are hours by the clock, not working hours: a country's money does not wait for Monday.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


class Way(StrEnum):
    """How an exception is resolved; gateway/operations/plans.py says what each posts."""

    MATCH = "match"
    CHARGE = "charge"
    RECEIPT = "receipt"
    RETURN = "return"
    GIVE_BACK = "give_back"
    SHOWN_AGAIN = "shown_again"
    OWN_TRANSFER = "own_transfer"
    SPLIT = "split"
    WRITE_OFF = "write_off"
    LEAVE = "leave"
    CLOSE = "close"


class Age(StrEnum):
    """How long an exception has been there, in whole days: the buckets of an ageing list."""

    DAY = "0-1"
    WEEK = "2-7"
    MONTH = "8-30"
    OLDER = "31+"


AGE_DAYS: Mapping[Age, tuple[int, int]] = MappingProxyType(
    {Age.DAY: (0, 1), Age.WEEK: (2, 7), Age.MONTH: (8, 30), Age.OLDER: (31, 36_500)}
)
"""First and last day of each bucket."""

LARGE_MINOR: Mapping[str, int] = MappingProxyType({"KHR": 400_000_000_00, "USD": 100_000_00})
"""From which amount on a person has less time; of a currency that is not here, every amount is large."""

OF_MONEY = (
    Way.MATCH, Way.CHARGE, Way.RECEIPT, Way.RETURN, Way.GIVE_BACK, Way.SHOWN_AGAIN, Way.OWN_TRANSFER, Way.SPLIT,
    Way.WRITE_OFF, Way.LEAVE, Way.CLOSE,
)  # fmt: skip
"""Ways of what has an entry's money in suspense; ``close`` only when nothing of it is there any more."""
OF_FACTS = (Way.CLOSE,)
_ENTRY = ("amount", "value_date", "info", "end_to_end_id", "servicer_reference", "uetr", "bank_code", "proposed",
          "statement_id", "entry", "why")  # fmt: skip
_STATUS = ("document", "path", "state", "status", "reason", "reference", "why")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of exception.

    Attributes:
        name: as it stands in the database.
        meaning: its definition, in one sentence.
        evidence: keys of the evidence, those first that a person looks for first.
        ways: how it can be resolved.
        hours: how long a person has from the moment it is found.
        hours_large: the same where its amount is large (``LARGE_MINOR``).
        holds_money: an amount in suspense belongs to it until it is resolved; what a message and not a statement has
            brought holds none.
        of_entry: it may be about a statement's entry, whose number is then its identity; it closes when the entry is
            explained.
    """

    name: str
    meaning: str
    evidence: tuple[str, ...]
    ways: tuple[Way, ...]
    hours: int
    hours_large: int
    holds_money: bool = False
    of_entry: bool = False


_OF_ORDERS = (
    Kind("batch_incomplete", "The chunks of a batch have not all come in time; nothing of it is paid.",
         ("source", "batch_id", "declared", "received", "chunks", "chunks_received"), OF_FACTS, 4, 4),
    Kind("batch_refused", "A complete batch is not what it declared; all of its payments are refused.",
         ("source", "batch_id", "reasons"), OF_FACTS, 24, 24),
    Kind("cannot_compose", "No valid message can be made of a payment that passed the checks; it is held.",
         ("reason",), OF_FACTS, 8, 2),
    Kind("order_changed", "A stored order is no longer the bytes that were accepted and approved.",
         ("reason",), OF_FACTS, 1, 1),
)  # fmt: skip

_OF_LIQUIDITY = (
    Kind("limit_reached", "Payments are beyond what may leave over a rail, or to one bank, on a day; they wait.",
         ("bank", "limit", "day", "payments", "urgent", "first_payment"), OF_FACTS, 8, 2),
    Kind("insufficient_funds", "Payments are beyond what is on a prefunded account; they wait for money.",
         ("account", "minimum", "day", "payments", "urgent", "first_payment"), OF_FACTS, 4, 1),
    Kind("cut_off_near", "Payments for today have not left, and the cut-off is near.",
         ("cut_off", "day", "ready", "held"), OF_FACTS, 1, 1),
)  # fmt: skip

_OF_MESSAGES = (
    Kind("silent_bank", "A message to a bank has payments without an answer in time.",
         ("message_id", "payments_without_answer", "sendings"), OF_FACTS, 4, 1),
    Kind("handover_unknown", "A message was perhaps handed over: the connection broke, and nobody can tell.",
         ("message_id", "payments", "reason"), OF_FACTS, 4, 1),
    Kind("handover_refused", "The bank's side refused a message when it was handed over; its payments are in doubt.",
         ("message_id", "payments", "reason"), OF_FACTS, 2, 1),
    Kind("inquiry_unanswered", "The bank was asked about a message as often as agreed; payments are still in doubt.",
         ("message_id", "payments", "inquiries"), OF_FACTS, 4, 1),
    Kind("never_arrived", "The bank says that it never had a message, and to send it again could pay twice.",
         ("message_id", "payments", "why"), OF_FACTS, 2, 1),
    Kind("recall_refused", "The bank refused to give a payment back, or to stop it.",
         ("case_id", "payment", "answer", "reason", "info"), OF_FACTS, 24, 4),
    Kind("recall_unknown", "The bank answers a recall that is not ours, or in no known way, or asks us for money.",
         ("document", "case_id", "status", "reason", "reference", "info"), OF_FACTS, 24, 24),
    Kind("archive_damaged", "The archived bytes of a message are not those that were signed; it is not sent.",
         ("message_id", "sha256", "why"), OF_FACTS, 4, 4),
)  # fmt: skip

_OF_DOCUMENTS = (
    Kind("unreadable_document", "A document from a bank could not be used; nothing of it was applied.",
         ("sha256", "bytes", "reason"), OF_FACTS, 8, 8),
    Kind("document_failed", "Something unforeseen kept a document from being applied; it is set aside.",
         ("sha256", "reason"), OF_FACTS, 4, 4),
    Kind("unknown_payment", "A status report speaks of a payment or message that is not ours (rule 57).",
         _STATUS, OF_FACTS, 24, 24),
    Kind("ambiguous_payment", "A status report's reference names several payments; none of them moves.",
         (*_STATUS, "end_to_end_id", "payments"), OF_FACTS, 24, 24),
    Kind("returned_unknown", "Money is said to come back, or came back, for a payment that is not ours.",
         (*_ENTRY, *_STATUS[:-1]), OF_MONEY, 48, 24, holds_money=True, of_entry=True),
    Kind("unexpected_state", "The bank says something of a payment that contradicts what is known of it.",
         (*_ENTRY[:-1], *_STATUS), OF_MONEY, 8, 2, holds_money=True, of_entry=True),
    Kind("amount_differs", "An amount is not the payment's, and charges do not explain the difference (rule 56).",
         (*_ENTRY, *_STATUS[:-1]), OF_MONEY, 24, 4, holds_money=True, of_entry=True),
)  # fmt: skip

_OF_STATEMENTS = (
    Kind("unknown_account", "A statement or notification is for an account that is not ours at this bank.",
         ("statement_id", "account", "currency", "document", "why"), OF_FACTS, 24, 24),
    Kind("missing_pages", "A statement of several pages has not come whole; nothing of it is booked.",
         ("statement_id", "pages", "last_page"), OF_FACTS, 8, 8),
    Kind("missing_statement", "No statement has come for a day on which one was due.",
         ("account", "day", "statement_id", "why"), OF_FACTS, 8, 8),
    Kind("balance_break", "Opening balance and entries do not lead to the closing balance (rule 61).",
         ("statement_id", "why"), OF_FACTS, 8, 2),
    Kind("continuity_gap", "A statement does not open with the closing balance of the one before.",
         ("statement_id", "opening", "previous_statement_id", "previous_closing", "why"), (Way.LEAVE,), 24, 8,
         holds_money=True),
    Kind("answered_not_booked", "The bank answered payments as settled or returned, and no statement shows them.",
         ("statement_id", "payments", "first_payment", "why"), OF_FACTS, 24, 4),
    Kind("notified_not_booked", "The bank notified entries, and no statement of their days shows them.",
         ("entries", "first_entry", "until", "why"), OF_FACTS, 24, 4),
    Kind("late_settlement", "Payments were to settle some days ago, and the bank has neither booked nor refused them.",
         ("statement_id", "payments", "first_payment", "oldest_day", "why"), OF_FACTS, 24, 4),
    Kind("statement_differs", "The bank issued a page or a statement again with other content.",
         ("statement_id", "closing_before", "closing", "entries_kept", "entries_withdrawn", "entries_new",
          "payments_without_entry", "returns_that_left", "returns_withdrawn",
          "page", "entries", "net_minor", "document", "why"), OF_FACTS, 8, 8),
)  # fmt: skip

_OF_ENTRIES = (
    Kind("unmatched_credit", "Money came in, and nothing says for what.", _ENTRY, OF_MONEY, 48, 24,
         holds_money=True, of_entry=True),
    Kind("unmatched_debit", "Money left, and nothing says for what.", _ENTRY, OF_MONEY, 8, 2,
         holds_money=True, of_entry=True),
    Kind("duplicate_entry", "A second entry for a payment that is booked already, or a second return of it (rule 65).",
         _ENTRY, OF_MONEY, 8, 2, holds_money=True, of_entry=True),
    Kind("duplicate_payment", "Somebody paid us a second time for the same thing.",
         ("receipt", *_ENTRY), OF_MONEY, 48, 24, holds_money=True, of_entry=True),
    Kind("currency_differs", "An entry names something of another currency.", _ENTRY, OF_MONEY, 24, 4,
         holds_money=True, of_entry=True),
    Kind("batch_sum_differs", "A batch entry is not the sum of its details, and charges do not explain it (rule 63).",
         _ENTRY, OF_MONEY, 24, 4, holds_money=True, of_entry=True),
    Kind("unmatched", "An entry in suspense of which the matching rules gave no kind: a defect of the gateway.",
         _ENTRY, OF_MONEY, 8, 2, holds_money=True, of_entry=True),
)  # fmt: skip

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (*_OF_ORDERS, *_OF_LIQUIDITY, *_OF_MESSAGES, *_OF_DOCUMENTS, *_OF_STATEMENTS, *_OF_ENTRIES)
    }
)
"""Every kind, by name."""
ENTRY_KINDS: tuple[str, ...] = tuple(kind.name for kind in KINDS.values() if kind.of_entry)
"""The kinds of what keeps an entry from being explained."""


def due_ms(kind: str, found_ms: int, amount_minor: int | None, currency: str | None) -> int:
    """Return until when a person has to have dealt with it: milliseconds since 1970.

    Args:
        kind: a name of the table; another one is a defect.
        found_ms: when it was found, or found again.
        amount_minor: what it is about, signed; None where it has none.
        currency: of the amount.
    """
    assert kind in KINDS, f"{kind} is in no table of kinds"
    found = KINDS[kind]
    large = amount_minor is not None and abs(amount_minor) >= LARGE_MINOR.get(currency or "", 0)
    return found_ms + HOUR_MS * (found.hours_large if large else found.hours)


def age_days(found_ms: int, now_ms: int) -> int:
    """Return for how many whole days it has been there."""
    return max(0, now_ms - found_ms) // DAY_MS


def age_of(days: int) -> Age:
    """Return the bucket of an age."""
    return next((age for age, (_, last) in AGE_DAYS.items() if days <= last), Age.OLDER)


def in_order(evidence: Mapping[str, object], kind: str) -> list[tuple[str, object]]:
    """Return evidence as a person reads it: the keys that its kind names first, then the others by name."""
    named = [key for key in KINDS[kind].evidence if key in evidence] if kind in KINDS else []
    return [(key, evidence[key]) for key in dict.fromkeys((*named, *sorted(evidence)))]


def table(kinds: Iterable[Kind] | None = None) -> str:
    """Return the table in Markdown, for docs/exceptions.md."""
    lines = ["| kind | what it is | in suspense | due within, hours (large amount) |", "|---|---|---|---|"]
    for kind in KINDS.values() if kinds is None else kinds:
        money = "yes" if kind.holds_money else "no"
        hours = f"{kind.hours} ({kind.hours_large})" if kind.hours != kind.hours_large else str(kind.hours)
        lines.append(f"| [`{kind.name}`](#{kind.name}) | {kind.meaning} | {money} | {hours} |")
    return "\n".join(lines) + "\n"
