"""What the treasury asks a bank: what became of a message, a payment back, a statement. Documents, unsigned."""

from __future__ import annotations

from datetime import date

from lxml.etree import _Element

from adapters.profile import Profile
from adapters.rails import Plea, Sent, Task, Verdict
from schemas.errors import ConfigurationError
from schemas.iso20022 import camt029, camt056, camt060, pacs028
from schemas.model.identifiers import NOT_PROVIDED
from schemas.model.payment import Account, Payment
from schemas.model.status import RecallAnswer, RecallRequest

STATEMENT = "camt.053.001.08"


def inquiry(profile: Profile, task: Task, sent: Sent) -> _Element:
    """Return a pacs.028: about the whole message, or about some of its payments, or the one that it carried."""
    whole = len(sent.payments) == sent.count > 1
    return pacs028.build(
        pacs028.Inquiry(
            message_id=task.message_id,
            created=task.created,
            instructing_bic=profile.own_bic,
            instructed_bic=profile.bank_bic,
            original_message_id=sent.message_id,
            original_message_name=sent.definition,
            original_created=sent.created.astimezone(profile.zone),
            original_count=sent.count if whole else None,
            original_sum=sent.total.text() if whole else None,
            transactions=() if whole else tuple(_asked(payment) for payment in sent.payments),
        )
    )


def _asked(payment: Payment) -> pacs028.Asked:
    return pacs028.Asked(payment.instruction_id, _reference(payment), payment.uetr)


def _reference(payment: Payment) -> str | None:
    """Return the EndToEndId; one that was not provided identifies nothing."""
    return None if payment.end_to_end_id == NOT_PROVIDED else payment.end_to_end_id


def recall(profile: Profile, task: Task, sent: Sent, plea: Plea) -> _Element:
    """Return a camt.056 that asks for one payment of a message."""
    payment = plea.payment
    request = RecallRequest(
        message_id=task.message_id,
        case_id=plea.case_id,
        reason=plea.reason,
        info=plea.info,
        original_message_id=sent.message_id,
        original_message_name=sent.definition,
        end_to_end_id=_reference(payment),
        instruction_id=payment.instruction_id,
        uetr=payment.uetr,
        amount=payment.amount,
        settlement_date=sent.settlement_date,
        cancellation_id=plea.case_id,
        original_created=sent.created.astimezone(profile.zone),
    )
    return camt056.build(request, task.created, assigner_bic=profile.own_bic, assignee_bic=profile.bank_bic)


def recall_answer(profile: Profile, task: Task, asked: RecallRequest, verdict: Verdict) -> _Element:
    """Return a camt.029 that answers what the bank asks back, under the bank's own case."""
    named = asked.original_message_id is not None and asked.original_message_name is not None
    answer = RecallAnswer(
        message_id=task.message_id,
        case_id=asked.case_id,
        status=verdict.status,
        reason=verdict.reason,
        info=verdict.info,
        original_message_id=asked.original_message_id if named else None,
        end_to_end_id=asked.end_to_end_id,
        instruction_id=asked.instruction_id,
        uetr=asked.uetr,
        original_message_name=asked.original_message_name if named else None,
    )
    return camt029.build([answer], task.created, assigner_bic=profile.own_bic, assignee_bic=profile.bank_bic)


def statement_request(profile: Profile, task: Task, account: str, day: date) -> _Element:
    """Return a camt.060 that asks for the final statement of one of our accounts and a day.

    Raises:
        ConfigurationError: the profile has no such account.
    """
    currencies = [own.currency for own in profile.accounts if own.number == account]
    if not currencies:
        raise ConfigurationError(f"profile {profile.name} has no account of this number")
    asked = Account(account, currency=currencies[0] if len(currencies) == 1 else None)
    request = camt060.Request(
        task.message_id,
        task.created,
        STATEMENT,
        asked,
        owner_bic=profile.own_bic,
        servicer_bic=profile.bank_bic,
        day=day,
    )
    return camt060.build(request)
