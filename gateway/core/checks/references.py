"""Rules 13 to 16: references of a payment."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.core.checks.facts import NOTHING, Context, Seen
from schemas.model.identifiers import NOT_PROVIDED, is_clean_reference, is_uetr
from schemas.model.payment import Payment
from schemas.model.refusal import Refusal


def rule_13_end_to_end_id_unique(payment: Payment, context: Context) -> Sequence[Refusal]:
    """13: EndToEndId is unique for the debtor's account (DU04), or ``NOTPROVIDED``.

    Against what was taken before, intake asks the database; its unique index ``payment_end_to_end_id`` holds it.
    """
    return _end_to_end_id_taken(payment.debtor_account.number, payment.end_to_end_id, context.seen)


def _end_to_end_id_taken(account: str, reference: str, seen: Seen) -> Sequence[Refusal]:
    if reference == NOT_PROVIDED or (account, reference) not in seen.end_to_end_ids:
        return NOTHING
    text = f"{reference} was used before for this debtor account; find the status of the first order"
    return (Refusal(13, "DU04", "end_to_end_id", text),)


def rule_14_instruction_id_unique(payment: Payment, context: Context) -> Sequence[Refusal]:
    """14: InstrId is unique (DU05), as far as ``context.seen`` has those that are taken.

    Ours is made of the payment's number (`schemas.model.identifiers.instruction_id`), the primary key of ``payment``,
    so intake has none to ask for.
    """
    if payment.instruction_id not in context.seen.instruction_ids:
        return NOTHING
    return (Refusal(14, "DU05", "instruction_id", f"{payment.instruction_id} was used before"),)


def rule_15_no_slash_at_the_ends(payment: Payment, context: Context) -> Sequence[Refusal]:
    """15: InstrId (CH16) and EndToEndId (FF08) neither begin nor end with a slash and have no two in a row."""
    del context
    if "/" not in payment.end_to_end_id and "/" not in payment.instruction_id:
        return NOTHING
    text = "no slash at either end, and no two slashes in a row"
    fields = (("FF08", "end_to_end_id", payment.end_to_end_id), ("CH16", "instruction_id", payment.instruction_id))
    return [Refusal(15, code, path, text) for code, path, value in fields if not is_clean_reference(value)]


def rule_16_uetr(payment: Payment, context: Context) -> Sequence[Refusal]:
    """16: UETR is a UUID version 4 in lower case (CH16) and unique (DU03).

    Against what was taken before, intake asks the database; its unique index ``payment_uetr`` holds it.
    """
    if not is_uetr(payment.uetr):
        return (Refusal(16, "CH16", "uetr", "not a UUID version 4 in lower case"),)
    return _uetr_taken(payment.uetr, context.seen)


def _uetr_taken(uetr: str, seen: Seen) -> Sequence[Refusal]:
    if uetr not in seen.uetrs:
        return NOTHING
    return (Refusal(16, "DU03", "uetr", f"{uetr} was used before; find the status of the first order"),)


def references_taken(
    account: str, end_to_end_id: str, uetr: str | None, seen: Seen, rules: frozenset[int] | None
) -> list[Refusal]:
    """Return what rules 13 and 16 say of references that are taken, of a payment that was checked without ``seen``.

    Args:
        account: the debtor account's number.
        end_to_end_id: the payment's reference.
        uetr: None where it is new for certain.
        seen: what is taken.
        rules: as in ``RailRules``.
    """
    found: list[Refusal] = []
    if rules is None or 13 in rules:  # noqa: PLR2004 - rule 13
        found += _end_to_end_id_taken(account, end_to_end_id, seen)
    if uetr is not None and (rules is None or 16 in rules):  # noqa: PLR2004 - rule 16
        found += _uetr_taken(uetr, seen)
    return found
