"""Rules 19 to 22 and 26: amount and currency of a payment.

The notation of an amount (plain decimals, no ``1_000``, no Arabic-Indic digits, no exponent) is part of rules 20 to 22
and can only be judged where it is text: ``schemas.model.money.Money.parse`` does so while an order is read.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.core.checks.facts import NOTHING, Context
from schemas.codes import currency_exponent
from schemas.model.money import DIGITS_MAX, Money
from schemas.model.payment import Payment
from schemas.model.refusal import Refusal

_AMOUNT_MINOR_MAX = 10**DIGITS_MAX - 1


def rule_19_amount_positive(payment: Payment, context: Context) -> Sequence[Refusal]:
    """19: the amount is more than zero (AM01)."""
    del context
    if payment.amount.amount_minor > 0:
        return NOTHING
    return (Refusal(19, "AM01", "amount", "the amount is not more than zero"),)


def rule_20_decimals(payment: Payment, context: Context) -> Sequence[Refusal]:
    """20: no more decimals than the rail takes in this currency (CH20), which may be fewer than the currency has."""
    amount = payment.amount
    rules = context.rail.currencies.get(amount.currency)
    exponent = currency_exponent(amount.currency)
    if rules is None or exponent is None or rules.decimals >= exponent:
        return NOTHING
    if amount.amount_minor % 10 ** (exponent - rules.decimals) == 0:
        return NOTHING
    text = f"{amount.text()} has more than the {rules.decimals} decimals that {context.rail.name} takes"
    return (Refusal(20, "CH20", "amount", f"{text} in {amount.currency}"),)


def rule_21_currency(payment: Payment, context: Context) -> Sequence[Refusal]:
    """21: the currency is in ISO 4217, no metal or test code (AM11), and one of the rail's (AM03)."""
    currency = payment.amount.currency
    if currency in context.rail.currencies:
        return NOTHING
    if currency_exponent(currency) is None:
        return (Refusal(21, "AM11", "currency", "not an ISO 4217 currency that money can be in"),)
    return (Refusal(21, "AM03", "currency", f"{context.rail.name} does not take {currency}"),)


def rule_22_digits(payment: Payment, context: Context) -> Sequence[Refusal]:
    """22: at most 18 digits (AM12)."""
    del context
    if payment.amount.amount_minor <= _AMOUNT_MINOR_MAX:
        return NOTHING
    return (Refusal(22, "AM12", "amount", f"more than {DIGITS_MAX} digits"),)


def rule_26_limit_of_the_rail(payment: Payment, context: Context) -> Sequence[Refusal]:
    """26: within the rail's limit for this currency (AM13)."""
    amount = payment.amount
    rules = context.rail.currencies.get(amount.currency)
    if rules is None or rules.limit_minor is None or amount.amount_minor <= rules.limit_minor:
        return NOTHING
    limit = Money(rules.limit_minor, amount.currency)
    return (Refusal(26, "AM13", "amount", f"{amount} is above the limit of {context.rail.name}, {limit}"),)
