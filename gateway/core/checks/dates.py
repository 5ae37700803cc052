"""Rules 27 to 29: the day of execution. A late order is refused or moved, as the rail says; moving is no refusal.

Rule 29 holds twice: when an order comes (``rule_29_cut_off``), and for as long as its payment has not left
(``missed_day``, ``missed``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from gateway.core.checks.facts import NOTHING, Context
from schemas.model.payment import Payment
from schemas.model.refusal import Refusal

RULE_CUT_OFF = 29
MISSED = "TM01"
"""ISO 20022 external reason code: invalid cut-off time."""


def rule_27_execution_date_in_reach(payment: Payment, context: Context) -> Sequence[Refusal]:
    """27: the execution date is not past (CH04) and not further ahead than the rail allows (CH03)."""
    days_ahead = (payment.execution_date - context.today).days
    if 0 <= days_ahead <= context.rail.days_ahead_max:
        return NOTHING
    if days_ahead < 0:
        return (Refusal(27, "CH04", "execution_date", f"{payment.execution_date} is past; today is {context.today}"),)
    text = f"{payment.execution_date} is more than {context.rail.days_ahead_max} days ahead of {context.today}"
    return (Refusal(27, "CH03", "execution_date", text),)


def rule_28_business_day(payment: Payment, context: Context) -> Sequence[Refusal]:
    """28: the execution date is a business day, on which the rail settles (DT03)."""
    day = payment.execution_date
    if context.calendar.is_business_day(day):
        return NOTHING
    text = f"{day} is no business day; the next one is {context.calendar.next_business_day(day)}"
    return (Refusal(28, "DT03", "execution_date", text),)


def rule_29_cut_off(payment: Payment, context: Context) -> Sequence[Refusal]:
    """29: an order for today comes before the cut-off, else it is refused (TM01) where the rail says so.

    Where the rail says ``next_business_day``, ``execution_day`` moves the order instead.
    """
    rules = context.rail.currencies.get(payment.amount.currency)
    if rules is None or rules.cut_off is None or rules.after_cut_off != "refuse":
        return NOTHING
    if payment.execution_date > context.today or context.now_local < rules.cut_off:
        return NOTHING
    text = f"the cut-off for {payment.amount.currency} is {rules.cut_off:%H:%M}; it is {context.now_local:%H:%M}"
    return (Refusal(RULE_CUT_OFF, MISSED, "execution_date", text),)


def missed_day(currency: str, context: Context) -> date | None:
    """Return the last day whose cut-off has passed by now, where the rail refuses what misses it (rule 29).

    What was to leave on that day or an earlier one, and has not left, has missed its cut-off; a day that is no business
    day has the cut-off of the next one. None where nothing is refused: the rail moves what is late, or never closes.
    """
    rules, numbers = context.rail.currencies.get(currency), context.rail.rules
    if rules is None or rules.cut_off is None or rules.after_cut_off != "refuse":
        return None
    if numbers is not None and RULE_CUT_OFF not in numbers:  # an order that comes late is not refused there either
        return None
    today, calendar = context.today, context.calendar
    closed = calendar.is_business_day(today) and context.now_local >= rules.cut_off
    return today if closed else calendar.previous_business_day(today)


def missed(currency: str, day: date, context: Context) -> Refusal:
    """Return the refusal of a payment that was to leave on a day and missed its cut-off; see ``missed_day``."""
    cut_off = context.rail.currencies[currency].cut_off
    text = f"the cut-off for {currency} on {context.calendar.on_or_after(day)} was {cut_off:%H:%M}, and it had not left"
    return Refusal(RULE_CUT_OFF, MISSED, "execution_date", text)


def execution_day(payment: Payment, context: Context) -> date:
    """Return the business day on which the payment can be executed: its own, or the next after a cut-off (rule 29).

    A payment whose day has passed meanwhile (it waited for an approval) counts as one for today.
    """
    today, calendar = context.today, context.calendar
    if payment.execution_date > today:
        return calendar.on_or_after(payment.execution_date)
    rules = context.rail.currencies.get(payment.amount.currency)
    late = rules is not None and rules.cut_off is not None and context.now_local >= rules.cut_off
    return calendar.next_business_day(today) if late else calendar.on_or_after(today)
