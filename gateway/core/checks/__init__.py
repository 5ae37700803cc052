"""Business checks: one pure function a rule, all refusals of a payment, message or batch reported together.

Three lists, by what a rule looks at:

    CHECKS          (Payment, Context)   rules 13-16, 19-29, 31-35, 37-51, 53
    MESSAGE_CHECKS  (MessageFacts)       rules 1-12, 17, 36, of each message of ours before it is signed
    BATCH_CHECKS    (BatchFacts)         rules 18, 52

A rule returns its refusals, most often none. The functions stand in one module a family: references, amounts, dates,
agents, accounts, parties, texts, abroad; header; batches.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

from gateway.core.checks import abroad, accounts, agents, amounts, batches, dates, header, parties, references, texts
from gateway.core.checks.dates import execution_day, missed, missed_day
from gateway.core.checks.facts import (
    BatchFacts,
    BlockFacts,
    Context,
    CurrencyRules,
    HeaderFacts,
    MessageFacts,
    RailRules,
    Seen,
    SourceRules,
)
from gateway.core.checks.references import references_taken
from schemas.model.payment import Payment
from schemas.model.refusal import Refusal

__all__ = [
    "AMOUNT_RULES",
    "BATCH_CHECKS",
    "CHECKS",
    "MESSAGE_CHECKS",
    "BatchFacts",
    "BlockFacts",
    "Context",
    "CurrencyRules",
    "HeaderFacts",
    "MessageFacts",
    "RailRules",
    "Refusal",
    "Seen",
    "SourceRules",
    "check",
    "check_batch",
    "check_message",
    "execution_day",
    "missed",
    "missed_day",
    "needs_approval",
    "references_taken",
    "rule_number",
]

CHECKS: list[Callable[[Payment, Context], Sequence[Refusal]]] = [
    references.rule_13_end_to_end_id_unique,
    references.rule_14_instruction_id_unique,
    references.rule_15_no_slash_at_the_ends,
    references.rule_16_uetr,
    amounts.rule_19_amount_positive,
    amounts.rule_20_decimals,
    amounts.rule_21_currency,
    amounts.rule_22_digits,
    amounts.rule_23_difference_is_charged,
    amounts.rule_24_exchange,
    accounts.rule_25_account_currency,
    amounts.rule_26_limit_of_the_rail,
    dates.rule_27_execution_date_in_reach,
    dates.rule_28_business_day,
    dates.rule_29_cut_off,
    agents.rule_31_charge_bearer,
    agents.rule_32_charges_stated,
    agents.rule_33_bic,
    agents.rule_34_agent_identified,
    agents.rule_35_member_id_has_its_system,
    accounts.rule_37_account_number,
    accounts.rule_38_debtor_account_of_the_source,
    accounts.rule_39_two_accounts,
    agents.rule_40_lei,
    parties.rule_41_name,
    parties.rule_42_address_has_a_name,
    parties.rule_43_town_and_country,
    parties.rule_44_hybrid_address,
    parties.rule_45_nothing_twice_in_an_address,
    parties.rule_46_country,
    texts.rule_47_character_set,
    texts.rule_48_visible_characters,
    texts.rule_49_remittance,
    texts.rule_50_creditor_reference,
    texts.rule_51_purpose,
    abroad.rule_53_regulatory_reporting,
]
MESSAGE_CHECKS: list[Callable[[MessageFacts], Sequence[Refusal]]] = [
    header.rule_01_message_id,
    header.rule_02_definition,
    header.rule_03_sender,
    header.rule_04_receiver,
    header.rule_05_creation_date,
    header.rule_06_possible_duplicate,
    header.rule_07_signer,
    header.rule_08_number_of_transactions,
    header.rule_09_control_sum,
    header.rule_10_blocks_add_up,
    header.rule_11_message_id_unique,
    header.rule_12_block_id_unique,
    header.rule_17_block_id_names_the_agents,
    header.rule_36_settlement_method,
]
BATCH_CHECKS: list[Callable[[BatchFacts], Sequence[Refusal]]] = [
    batches.rule_18_as_declared,
    batches.rule_52_salary_batch,
]
AMOUNT_RULES = frozenset({*range(19, 25), 26})
"""The rules that say nothing new of an order whose amount could not even be read."""


def check(payment: Payment, context: Context) -> list[Refusal]:
    """Return every refusal of one payment, in the order of the rules; an empty list means that it may be paid.

    Uniqueness (rules 13, 14 and 16) is checked against ``context.seen``, as far as the caller has filled it. Intake
    leaves it empty here, and asks the database once for the references of a whole group (`references_taken`).
    """
    found: list[Refusal] = []
    for rule in _of_rail(context.rail.rules):
        refusals = rule(payment, context)
        if refusals:
            found.extend(refusals)
    return found


def check_message(facts: MessageFacts, rules: frozenset[int] | None = None) -> list[Refusal]:
    """Return every refusal of one message's header and group; ``rules`` as in ``RailRules``."""
    chosen = [rule for rule in MESSAGE_CHECKS if rules is None or rule_number(rule) in rules]
    return [refusal for rule in chosen for refusal in rule(facts)]


def check_batch(facts: BatchFacts) -> list[Refusal]:
    """Return every refusal of one complete batch of a source."""
    return [refusal for rule in BATCH_CHECKS for refusal in rule(facts)]


def rule_number(rule: Callable[..., object]) -> int:
    """Return the number of a rule's function, which is part of its name: ``rule_19_amount_positive``."""
    return int(rule.__name__.split("_")[1])


@cache
def _of_rail(rules: frozenset[int] | None) -> tuple[Callable[[Payment, Context], Sequence[Refusal]], ...]:
    """Return the checks that a rail's profile names; there are as many answers as profiles."""
    return tuple(rule for rule in CHECKS if rules is None or rule_number(rule) in rules)


def needs_approval(payment: Payment, source: SourceRules) -> bool:
    """Tell whether the payment is above the source's limit for its currency and waits for a second person.

    A currency for which the source has no limit always waits: what nobody thought of is not paid by itself.
    """
    limit_minor = source.approval_limits_minor.get(payment.amount.currency)
    return limit_minor is None or payment.amount.amount_minor > limit_minor
