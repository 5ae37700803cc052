"""Rules 19 to 24 and 26: amount and currency of a payment, and what was instructed.

The notation of an amount (plain decimals, no ``1_000``, no Arabic-Indic digits, no exponent) is part of rules 20 to 22
and can only be judged where it is text: ``schemas.model.money.Money.parse`` does so while an order is read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

from gateway.core.checks.facts import NOTHING, Context
from schemas.codes import currency_exponent
from schemas.model.money import DIGITS_MAX, Money
from schemas.model.payment import Payment
from schemas.model.refusal import Refusal

_RATE = re.compile(r"(?=[0-9.]{1,12}\Z)(0|[1-9][0-9]*)(\.[0-9]{1,10})?", re.ASCII)
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


def rule_23_difference_is_charged(payment: Payment, context: Context) -> Sequence[Refusal]:
    """23: where another amount of the same currency was instructed, the charges are stated (CH21)."""
    del context
    instructed = payment.instructed_amount
    if instructed is None:
        return NOTHING
    if payment.kind == "institution":
        return (Refusal(23, "CH17", "instructed_amount", "a payment between institutions has no instructed amount"),)
    if instructed.currency != payment.amount.currency or instructed == payment.amount or payment.charges:
        return NOTHING
    return (Refusal(23, "CH21", "charges", f"{instructed} was instructed, {payment.amount} settles, without a reason"),)


def rule_24_exchange(payment: Payment, context: Context) -> Sequence[Refusal]:
    """24: between two currencies the rate is stated (CH21), and the amount is the product but for rounding (AM09).

    The product may be rounded up or down to the rail's own decimals; charges in the settled currency are taken off
    where the creditor bears them. A rate between one currency and itself is not admitted (CH17).
    """
    instructed, rate = payment.instructed_amount, payment.exchange_rate
    two = instructed is not None and instructed.currency != payment.amount.currency
    if not two or instructed is None:
        text = "a rate belongs to an instructed amount of another currency"
        return NOTHING if rate is None else (Refusal(24, "CH17", "exchange_rate", text),)
    if rate is None:
        return (Refusal(24, "CH21", "exchange_rate", f"{instructed} becomes {payment.amount} at a rate: state it"),)
    if _RATE.fullmatch(rate) is None or not Fraction(rate):
        text = "not a plain decimal rate of at most 11 digits, more than zero"
        return (Refusal(24, "CH16", "exchange_rate", text),)
    off = abs(_exchanged_minor(payment, instructed, Fraction(rate)) - payment.amount.amount_minor)
    if off < _unit_minor(payment.amount.currency, context):
        return NOTHING
    return (Refusal(24, "AM09", "amount", f"{instructed} at {rate} is not {payment.amount}"),)


def _exchanged_minor(payment: Payment, instructed: Money, rate: Fraction) -> Fraction:
    """Return what an instructed amount comes to in minor units of the settled currency, exactly."""
    currency = payment.amount.currency
    whole = Fraction(instructed.amount_minor, 10 ** (currency_exponent(instructed.currency) or 0))
    taken = sum(charge.amount.amount_minor for charge in payment.charges if charge.amount.currency == currency)
    minor_units: int = 10 ** (currency_exponent(currency) or 0)
    return whole * rate * minor_units - (0 if payment.charge_bearer == "DEBT" else taken)


def _unit_minor(currency: str, context: Context) -> int:
    """Return the smallest step of an amount on this rail, in minor units: 100 sen where it takes whole riel."""
    exponent, rules = currency_exponent(currency) or 0, context.rail.currencies.get(currency)
    return 10 ** (exponent - min(rules.decimals, exponent)) if rules else 1


def rule_26_limit_of_the_rail(payment: Payment, context: Context) -> Sequence[Refusal]:
    """26: within the rail's limit for this currency (AM13)."""
    amount = payment.amount
    rules = context.rail.currencies.get(amount.currency)
    if rules is None or rules.limit_minor is None or amount.amount_minor <= rules.limit_minor:
        return NOTHING
    limit = Money(rules.limit_minor, amount.currency)
    return (Refusal(26, "AM13", "amount", f"{amount} is above the limit of {context.rail.name}, {limit}"),)
