"""The central bank's high-value rail, all signed in the business header.

Out: payments to customers (pacs.008) and institutions (pacs.009), returns of what came in (pacs.004), inquiries
(pacs.028), recalls (camt.056), answers to the bank's own (camt.029), requests for statements (camt.060). Back:
statuses, returns, answers to recalls, recalls of what came in, rejections and events of its system, reports,
statements and notifications.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime

from lxml.etree import _Element

from adapters import statement_files
from adapters.interbank import asking
from adapters.interbank.reading import READ, received
from adapters.interbank.sealing import Dialect, missing, seal, unseal
from adapters.profile import Profile
from adapters.rails import Composed, Facts, Plea, Received, Sent, Task, Verdict
from adapters.toml import Location
from schemas.iso20022 import camt029, camt056, camt060, pacs004, pacs008, pacs009, pacs028
from schemas.iso20022.parties import Settlement
from schemas.iso20022.transfers import Group
from schemas.model.payment import Original, Payment
from schemas.model.status import RecallRequest
from security.keys import SigningKey
from security.trust import TrustStore

DIALECT = Dialect(taken=READ)
KEYS_MAX = 3
"""A message carries payments to customers, payments to institutions, or returns."""


def apart(profile: Profile, payment: Payment) -> str:
    """Return what the payments of one message have in common: their kind, which makes it another message."""
    del profile
    return payment.kind


def compose(
    profile: Profile,
    task: Task,
    payments: Sequence[Payment],
    key: SigningKey,
    inspect: Callable[[Facts], None],
) -> Composed:
    """Write the message of payments of one kind with its header, validate, let the caller inspect it, and sign.

    Raises:
        DocumentRefused: the message is not valid against the usage guideline, or the inspection refused it.
        ValueError: payments of several kinds: a defect of the caller's batching.
    """
    kinds = {payment.kind for payment in payments}
    if len(kinds) != 1:
        raise ValueError(f"a message carries payments of one kind, not of {sorted(kinds) or 'none'}")
    definition, write = _WRITERS[kinds.pop()]
    document = write(profile, task, payments)
    return Composed(seal(profile, task, definition, document, key, dialect=DIALECT, inspect=inspect), definition)


def _customers(profile: Profile, task: Task, payments: Sequence[Payment]) -> _Element:
    return pacs008.build(_group(profile, task), payments)


def _institutions(profile: Profile, task: Task, payments: Sequence[Payment]) -> _Element:
    """Write a pacs.009. The treasury itself is the debtor, and a debtor that is an institution has its BIC."""
    ours = [
        replace(payment, debtor=replace(payment.debtor, any_bic=payment.debtor.any_bic or profile.own_bic))
        for payment in payments
    ]
    return pacs009.build(_group(profile, task), ours)


def _given_back(profile: Profile, task: Task, payments: Sequence[Payment]) -> _Element:
    group = _group(profile, task)
    settlement = Settlement(
        group.settlement_method, group.clearing_system, task.settlement_date, profile.own_bic, profile.bank_bic
    )
    return pacs004.build_given_back(task.message_id, task.created, payments, settlement=settlement)


def _group(profile: Profile, task: Task) -> Group:
    settings = profile.message
    return Group(
        message_id=task.message_id,
        created=task.created,
        settlement_method=settings.settlement_method or "CLRG",
        clearing_system=settings.clearing_system,
        settlement_date=task.settlement_date,
        instructing_bic=profile.own_bic,
        instructed_bic=profile.bank_bic,
    )


_WRITERS: dict[str, tuple[str, Callable[[Profile, Task, Sequence[Payment]], _Element]]] = {
    "customer": (pacs008.DEFINITION, _customers),
    "institution": (pacs009.DEFINITION, _institutions),
    "return": (pacs004.DEFINITION, _given_back),
}


def not_given_back(original: Original) -> str | None:
    """Return why the central bank would not know what a pacs.004 gives back: it names nothing of the transfer."""
    if original.end_to_end_id or original.instruction_id or original.uetr:
        return None
    return "neither InstrId, EndToEndId nor UETR of the transfer that came in is known"


# ------------------------------------------------------------------------------------------------------------ asking


def inquire(profile: Profile, task: Task, sent: Sent, key: SigningKey) -> Composed:
    """Ask what became of a message (pacs.028).

    Raises:
        DocumentRefused: the inquiry is not valid against the usage guideline.
    """
    document = asking.inquiry(profile, task, sent)
    return Composed(seal(profile, task, pacs028.DEFINITION, document, key, dialect=DIALECT), pacs028.DEFINITION)


def recall(profile: Profile, task: Task, sent: Sent, plea: Plea, key: SigningKey) -> Composed:
    """Ask for a payment not to be paid, or to be given back (camt.056).

    Raises:
        DocumentRefused: the recall is not valid against the usage guideline.
    """
    document = asking.recall(profile, task, sent, plea)
    return Composed(seal(profile, task, camt056.DEFINITION, document, key, dialect=DIALECT), camt056.DEFINITION)


def answer_recall(profile: Profile, task: Task, asked: RecallRequest, verdict: Verdict, key: SigningKey) -> Composed:
    """Answer what the bank asks back (camt.029).

    Raises:
        DocumentRefused: the answer is not valid against the usage guideline.
    """
    document = asking.recall_answer(profile, task, asked, verdict)
    return Composed(seal(profile, task, camt029.DEFINITION, document, key, dialect=DIALECT), camt029.DEFINITION)


def request_statement(profile: Profile, task: Task, account: str, day: date, key: SigningKey) -> Composed:
    """Ask for the statement of one of our accounts and a day (camt.060).

    Raises:
        DocumentRefused: the request is not valid against the usage guideline.
        ConfigurationError: the profile has no such account.
    """
    document = asking.statement_request(profile, task, account, day)
    return Composed(seal(profile, task, camt060.DEFINITION, document, key, dialect=DIALECT), camt060.DEFINITION)


# ----------------------------------------------------------------------------------------------------------- reading


read_unsigned = statement_files.unsigned


def read(profile: Profile, document: bytes, trust: TrustStore, at: datetime) -> Received:
    """Verify a document of the bank and read it.

    A bank whose profile takes unsigned statements may send a statement file; everything else is signed.

    Raises:
        DocumentRefused, SignatureRefused: nothing of it may be used.
    """
    if (unsigned := read_unsigned(profile, io.BytesIO(document))) is not None:
        return unsigned
    statement_files.refuse_other_than_xml(profile, document)
    return received(*unseal(profile, document, trust, at, DIALECT))


def faults(profile: Profile) -> list[tuple[Location, str]]:
    """Return what this rail misses in a profile: how a payment settles, and the envelope around each message."""
    found = missing(profile)
    if profile.message.settlement_method not in {None, "CLRG"}:
        said = "this rail settles in a clearing system (CLRG); the others need an account that it never states"
        found.append((("message", "settlement_method"), f"message.settlement_method: {said}"))
    return found
