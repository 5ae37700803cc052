"""Rules 47 to 51: character sets, hidden characters, remittance and code sets."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gateway.core.checks.facts import NOTHING, Context, other_agents
from schemas.codes import CATEGORY_PURPOSES, PURPOSES
from schemas.model import lengths
from schemas.model.identifiers import is_creditor_reference, is_x_text
from schemas.model.payment import Address, Agent, Party, Payment
from schemas.model.refusal import Refusal

_INVISIBLE = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
"""Letters and marks that nobody sees; control, bidirectional and zero-width characters are not ``isprintable``."""
_OTHER_ALPHABETS = "\u0370-\u03ff\u0400-\u052f\uff21-\uff5a"
_LOOK_ALIKE = re.compile(f"[A-Za-z][{_OTHER_ALPHABETS}]|[{_OTHER_ALPHABETS}][A-Za-z]")
"""Latin beside Greek, Cyrillic or full-width letters in one word: what a forged name is made of."""

_Text = tuple[str, str, int]
"""A text of a payment: path, value, longest length in characters."""


def rule_47_character_set(payment: Payment, context: Context) -> Sequence[Refusal]:
    """47: references are in the X character set on every rail, and so is all text where the rail says so (RR10)."""
    fields = _references(payment)
    if context.rail.character_set == "x":
        fields += _free_texts(payment)
    elif all(value.isascii() and value.isalnum() for _, value, _ in fields):
        return NOTHING
    text = "a character outside the X character set: letters, digits, / - ? : ( ) . , ' + and blank"
    return [Refusal(47, "RR10", path, text) for path, value, _ in fields if not is_x_text(value)]


def rule_48_visible_characters(payment: Payment, context: Context) -> Sequence[Refusal]:
    """48: no control, bidirectional, zero-width or look-alike characters; lengths are counted in characters (CH16)."""
    del context
    texts = _references(payment) + _free_texts(payment)
    whole = "".join([value for _, value, _ in texts])
    if whole.isascii() and whole.isprintable() and all(len(value) <= longest for _, value, longest in texts):
        return NOTHING
    refusals = []
    for path, value, longest in texts:
        if not value.isprintable():
            refusals.append(Refusal(48, "CH16", path, "a control, bidirectional, zero-width or other hidden character"))
        elif not value.isascii() and _INVISIBLE.search(value) is not None:
            refusals.append(Refusal(48, "CH16", path, "an invisible character"))
        elif not value.isascii() and _LOOK_ALIKE.search(value) is not None:
            refusals.append(Refusal(48, "CH16", path, "letters of two alphabets that look alike in one word"))
        if len(value) > longest:
            refusals.append(Refusal(48, "CH16", path, f"{len(value)} characters, more than {longest}"))
    return refusals


def rule_49_remittance(payment: Payment, context: Context) -> Sequence[Refusal]:
    """49: free lines or a creditor reference, as the rail takes them, never both; structured <= 9,000 (RR07).

    A payment between institutions has no place for a creditor reference.
    """
    remittance = payment.remittance
    structured = remittance.creditor_reference is not None
    allowed = context.rail.remittance if payment.kind != "institution" else "unstructured"
    if len(remittance.unstructured) > context.rail.remittance_lines_max:
        text = f"{context.rail.name} takes {context.rail.remittance_lines_max} free lines"
        return (Refusal(49, "RR07", "remittance.unstructured", text),)
    if structured and remittance.unstructured:
        return (Refusal(49, "RR07", "remittance", "free lines or a creditor reference, not both"),)
    if structured and allowed == "unstructured":
        text = f"{context.rail.name} takes free lines only, of a payment of kind {payment.kind}"
        return (Refusal(49, "RR07", "remittance.creditor_reference", text),)
    if remittance.unstructured and allowed == "structured":
        text = f"{context.rail.name} takes a creditor reference only"
        return (Refusal(49, "RR07", "remittance.unstructured", text),)
    if len(remittance.creditor_reference or "") > lengths.STRUCTURED_REMITTANCE:
        text = f"more than {lengths.STRUCTURED_REMITTANCE} characters"
        return (Refusal(49, "RR07", "remittance.creditor_reference", text),)
    return NOTHING


def rule_50_creditor_reference(payment: Payment, context: Context) -> Sequence[Refusal]:
    """50: a creditor reference that begins with RF holds by its check digits of ISO 11649 (RR09)."""
    del context
    reference = payment.remittance.creditor_reference
    if reference is None or not reference.startswith("RF") or is_creditor_reference(reference):
        return NOTHING
    return (Refusal(50, "RR09", "remittance.creditor_reference", "the check digits of ISO 11649 do not hold"),)


def rule_51_purpose(payment: Payment, context: Context) -> Sequence[Refusal]:
    """51: purpose (FF07) and category purpose (FF06) are in the external code sets."""
    del context
    purpose, category = payment.purpose, payment.category_purpose
    if (purpose is None or purpose in PURPOSES) and (category is None or category in CATEGORY_PURPOSES):
        return NOTHING
    refusals = []
    if purpose is not None and purpose not in PURPOSES:
        refusals.append(Refusal(51, "FF07", "purpose", "not an external purpose code of ISO 20022"))
    if category is not None and category not in CATEGORY_PURPOSES:
        refusals.append(Refusal(51, "FF06", "category_purpose", "not an external category purpose code of ISO 20022"))
    return refusals


def _references(payment: Payment) -> list[_Text]:
    found = [
        ("end_to_end_id", payment.end_to_end_id, lengths.IDENTIFIER),
        ("instruction_id", payment.instruction_id, lengths.IDENTIFIER),
        ("creditor_account.number", payment.creditor_account.number, lengths.ACCOUNT),
    ]
    reference = payment.remittance.creditor_reference
    if reference is not None:
        found.append(("remittance.creditor_reference", reference, lengths.CREDITOR_REFERENCE))
    return found


def _free_texts(payment: Payment) -> list[_Text]:
    """Return every text that people write and read."""
    found: list[_Text] = []
    _add_party(found, "debtor", payment.debtor)
    _add_party(found, "creditor", payment.creditor)
    if payment.ultimate_debtor is not None:
        _add_party(found, "ultimate_debtor", payment.ultimate_debtor)
    if payment.ultimate_creditor is not None:
        _add_party(found, "ultimate_creditor", payment.ultimate_creditor)
    _add_agent(found, "creditor_agent", payment.creditor_agent)
    for index, line in enumerate(payment.remittance.unstructured):
        found.append((f"remittance.unstructured[{index}]", line, lengths.REMITTANCE_LINE))
    if payment.kind != "customer" or payment.intermediary_agents or payment.regulatory_reports:
        _add_abroad(found, payment)
    return found


def _add_abroad(found: list[_Text], payment: Payment) -> None:
    """Add what few payments have: banks on the way, regulatory reports, and the transfer that a cover covers."""
    for path, agent in other_agents(payment):
        _add_agent(found, path, agent)
    for index, report in enumerate(payment.regulatory_reports):
        if report.code is not None:
            found.append((f"regulatory_reports[{index}].code", report.code, lengths.REGULATORY_CODE))
        for number, line in enumerate(report.details):
            found.append((f"regulatory_reports[{index}].details[{number}]", line, lengths.REGULATORY_LINE))
    covered = payment.covers
    if covered is not None:
        _add_party(found, "covers.debtor", covered.debtor)
        _add_party(found, "covers.creditor", covered.creditor)
        for index, line in enumerate(covered.remittance.unstructured):
            found.append((f"covers.remittance.unstructured[{index}]", line, lengths.REMITTANCE_LINE))


def _add_agent(found: list[_Text], path: str, agent: Agent) -> None:
    if agent.bic is None:
        for name, value in (("clearing_system", agent.clearing_system), ("member_id", agent.member_id)):
            if value is not None:
                longest = lengths.CLEARING_SYSTEM if name == "clearing_system" else lengths.IDENTIFIER
                found.append((f"{path}.{name}", value, longest))
    if agent.name is not None:
        found.append((f"{path}.name", agent.name, lengths.NAME))
    if agent.address is not None:
        _add_address(found, f"{path}.address", agent.address)


def _add_party(found: list[_Text], role: str, party: Party) -> None:
    if party.name is not None:
        found.append((f"{role}.name", party.name, lengths.NAME))
    if party.address is not None:
        _add_address(found, f"{role}.address", party.address)


def _add_address(found: list[_Text], path: str, address: Address) -> None:
    if address.town is not None:
        found.append((f"{path}.town", address.town, lengths.TOWN))
    if address.street is not None:
        found.append((f"{path}.street", address.street, lengths.STREET))
    if address.building is not None:
        found.append((f"{path}.building", address.building, lengths.BUILDING))
    if address.post_code is not None:
        found.append((f"{path}.post_code", address.post_code, lengths.POST_CODE))
    for index, line in enumerate(address.lines):
        found.append((f"{path}.lines[{index}]", line, lengths.ADDRESS_LINE))
