"""Rules 41 to 46: names and addresses of debtor, creditor, ultimate parties and the creditor's bank."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from gateway.core.checks.facts import NOTHING, Context, other_agents
from schemas.codes import COUNTRIES
from schemas.model import lengths
from schemas.model.payment import Address, Party, Payment
from schemas.model.refusal import Refusal

_WORDS = re.compile(r"[^\W_]+")
_COUNTRY_CODES = {"debtor": "BE10", "ultimate_debtor": "BE10", "creditor": "BE11", "ultimate_creditor": "BE11"} | {
    "covers.debtor": "BE10",
    "covers.creditor": "BE11",
}
_NAME_CODES = {"debtor": "BE21", "ultimate_debtor": "BE21", "creditor": "BE22", "ultimate_creditor": "BE22"} | {
    "covers.debtor": "BE21",
    "covers.creditor": "BE22",
}


def rule_41_name(payment: Payment, context: Context) -> Sequence[Refusal]:
    """41: a party without a BIC of its own has a name (BE22 for the creditor, BE21 for others)."""
    del context
    debtor, creditor = payment.debtor.name, payment.creditor.name
    plain = payment.ultimate_debtor is None and payment.ultimate_creditor is None and payment.covers is None
    if plain and debtor and creditor and not debtor.isspace() and not creditor.isspace():
        return NOTHING
    return [
        Refusal(41, _NAME_CODES[role], f"{role}.name", "a party without a BIC of its own has a name")
        for role, party in _parties(payment)
        if party.any_bic is None and not (party.name and party.name.strip())
    ]


def rule_42_address_has_a_name(payment: Payment, context: Context) -> Sequence[Refusal]:
    """42: where there is an address there is a name (BE22 for the creditor, BE21 for others)."""
    del context
    plain = payment.ultimate_debtor is None and payment.ultimate_creditor is None and payment.covers is None
    if plain and payment.debtor.name and payment.creditor.name:
        return NOTHING
    return [
        Refusal(42, _NAME_CODES[role], f"{role}.name", "an address comes with a name")
        for role, party in _parties(payment)
        if party.address is not None and not party.name
    ]


def rule_43_town_and_country(payment: Payment, context: Context) -> Sequence[Refusal]:
    """43: an address always has town and country, never free lines alone (BE04 creditor, BE07 debtor).

    Where the rail wants addresses, a party without a BIC of its own has one.
    """
    refusals = []
    if context.rail.addresses_required:
        refusals = [
            Refusal(43, "BE07" if "debtor" in role else "BE04", f"{role}.address", f"{context.rail.name} wants one")
            for role, party in _parties(payment)
            if party.any_bic is None and party.address is None
        ]
    refusals += [
        Refusal(43, code, f"{path}.{name}", "an address always has town and country")
        for path, code, address in _addresses(payment)
        for name, value in (("town", address.town), ("country", address.country))
        if not value
    ]
    return refusals or NOTHING


def rule_44_hybrid_address(payment: Payment, context: Context) -> Sequence[Refusal]:
    """44: at most 2 free lines of 70 characters beside the structured part (BE04 creditor, BE07 debtor)."""
    del context
    refusals = [
        Refusal(44, code, f"{path}.lines", f"at most {lengths.ADDRESS_LINES} lines of {lengths.ADDRESS_LINE}")
        for path, code, address in _addresses(payment)
        if address.lines
        and (len(address.lines) > lengths.ADDRESS_LINES or max(map(len, address.lines)) > lengths.ADDRESS_LINE)
    ]
    return refusals or NOTHING


def rule_45_nothing_twice_in_an_address(payment: Payment, context: Context) -> Sequence[Refusal]:
    """45: what is structured is not repeated in a free line, whole words compared (BE04 creditor, BE07 debtor)."""
    del context
    refusals = [
        Refusal(45, code, f"{path}.lines[{index}]", f"repeats {name}, which has its own field")
        for path, code, address in _addresses(payment)
        if address.lines
        for index, line in enumerate(address.lines)
        for name, value in _structured(address)
        if _words(value) in _words(line)
    ]
    return refusals or NOTHING


def rule_46_country(payment: Payment, context: Context) -> Sequence[Refusal]:
    """46: a country is in ISO 3166 (BE10 debtor, BE11 creditor, BE09 bank)."""
    del context
    refusals = [
        Refusal(46, _COUNTRY_CODES.get(path.removesuffix(".address"), "BE09"), f"{path}.country", "not in ISO 3166")
        for path, _, address in _addresses(payment)
        if address.country and address.country not in COUNTRIES
    ]
    return refusals or NOTHING


def _parties(payment: Payment) -> Iterator[tuple[str, Party]]:
    yield "debtor", payment.debtor
    yield "creditor", payment.creditor
    if payment.ultimate_debtor is not None:
        yield "ultimate_debtor", payment.ultimate_debtor
    if payment.ultimate_creditor is not None:
        yield "ultimate_creditor", payment.ultimate_creditor
    if payment.covers is not None:
        yield "covers.debtor", payment.covers.debtor
        yield "covers.creditor", payment.covers.creditor


def _addresses(payment: Payment) -> list[tuple[str, str, Address]]:
    """Return (path, reason code, address) of every address that the payment has."""
    found = []
    if payment.debtor.address is not None:
        found.append(("debtor.address", "BE07", payment.debtor.address))
    if payment.creditor.address is not None:
        found.append(("creditor.address", "BE04", payment.creditor.address))
    if payment.ultimate_debtor is not None and payment.ultimate_debtor.address is not None:
        found.append(("ultimate_debtor.address", "BE07", payment.ultimate_debtor.address))
    if payment.ultimate_creditor is not None and payment.ultimate_creditor.address is not None:
        found.append(("ultimate_creditor.address", "BE04", payment.ultimate_creditor.address))
    if payment.creditor_agent.address is not None:
        found.append(("creditor_agent.address", "RC04", payment.creditor_agent.address))
    for path, agent in other_agents(payment):
        if agent.address is not None:
            found.append((f"{path}.address", "RC11" if "intermediary" in path else "RC04", agent.address))
    covered = payment.covers
    if covered is not None and covered.debtor.address is not None:
        found.append(("covers.debtor.address", "BE07", covered.debtor.address))
    if covered is not None and covered.creditor.address is not None:
        found.append(("covers.creditor.address", "BE04", covered.creditor.address))
    return found


def _structured(address: Address) -> list[tuple[str, str]]:
    values = (
        ("town", address.town),
        ("street", address.street),
        ("building", address.building),
        ("post_code", address.post_code),
        ("country", address.country),
    )
    return [(name, value) for name, value in values if value]


def _words(text: str) -> str:
    """Return the words of a text between single blanks, so that ``in`` compares whole words."""
    return f" {' '.join(_WORDS.findall(text.casefold()))} "
