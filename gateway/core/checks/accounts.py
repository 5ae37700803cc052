"""Rules 25 and 37 to 39: the two accounts of a payment. Account numbers are masked in what a refusal says."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.core.checks.facts import NOTHING, Context, same_bank
from schemas.model.identifiers import bic8, is_iban, mask_account
from schemas.model.payment import Payment
from schemas.model.refusal import Refusal


def rule_25_account_currency(payment: Payment, context: Context) -> Sequence[Refusal]:
    """25: the debtor account is in the currency of the payment, where the order states its currency (AC10).

    Whether we keep the account in that currency at all, intake knows, which sees every account of ours. No exchange
    out of an account is authorised: the ledger books one currency a payment. What was instructed in another currency
    (rule 24) is debited in the one that settles.
    """
    del context
    account, currency = payment.debtor_account, payment.amount.currency
    if account.currency in (None, currency):
        return NOTHING
    text = f"{mask_account(account.number)} is in {account.currency}, the payment in {currency}"
    return (Refusal(25, "AC10", "debtor_account.currency", text),)


def rule_37_account_number(payment: Payment, context: Context) -> Sequence[Refusal]:
    """37: an IBAN holds by its check digits, another number by its bank's pattern (AC01)."""
    account = payment.creditor_account
    if account.scheme == "IBAN":
        if is_iban(account.number):
            return NOTHING
        text = f"{mask_account(account.number)} is not an IBAN"
    else:
        rail = context.rail
        bic = payment.creditor_agent.bic
        pattern = rail.account_patterns.get(bic8(bic), rail.account_pattern) if bic else rail.account_pattern
        if pattern.fullmatch(account.number) is not None:
            return NOTHING
        text = f"{mask_account(account.number)} is not an account number of {bic or 'that bank'}"
    return (Refusal(37, "AC01", "creditor_account.number", text),)


def rule_38_debtor_account_of_the_source(payment: Payment, context: Context) -> Sequence[Refusal]:
    """38: the debtor account is one that this source may pay from (AC02)."""
    number = payment.debtor_account.number
    if number in context.source.debtor_accounts:
        return NOTHING
    text = f"{context.source.name} may not pay from {mask_account(number)}"
    return (Refusal(38, "AC02", "debtor_account.number", text),)


def rule_39_two_accounts(payment: Payment, context: Context) -> Sequence[Refusal]:
    """39: the debtor account is not the creditor account: not the same number at the same bank (AG01)."""
    del context
    if payment.debtor_account.number != payment.creditor_account.number:
        return NOTHING
    if not same_bank(payment.debtor_agent, payment.creditor_agent):
        return NOTHING
    return (Refusal(39, "AG01", "creditor_account.number", "the debtor account itself"),)
