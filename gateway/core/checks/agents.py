"""Rules 31 to 35 and 40: charges, banks and legal entity identifiers."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.core.checks.facts import NOTHING, Context, other_agents
from schemas.model.identifiers import bic8, is_bic, is_lei
from schemas.model.payment import Agent, Party, Payment
from schemas.model.refusal import Refusal


def rule_31_charge_bearer(payment: Payment, context: Context) -> Sequence[Refusal]:
    """31: ChrgBr is DEBT, CRED, SHAR or SLEV, and one of the rail's (BE19)."""
    if payment.charge_bearer in context.rail.charge_bearers:
        return NOTHING
    text = f"{context.rail.name} takes {', '.join(sorted(context.rail.charge_bearers))}"
    return (Refusal(31, "BE19", "charge_bearer", text),)


def rule_32_charges_stated(payment: Payment, context: Context) -> Sequence[Refusal]:
    """32: with CRED the charges are stated, zero allowed (CH21); between institutions there are none (CH17)."""
    del context
    if payment.kind == "institution":
        text = "a payment between institutions states no charges"
        return (Refusal(32, "CH17", "charges", text),) if payment.charges else NOTHING
    if payment.charge_bearer != "CRED" or payment.charges:
        return NOTHING
    return (Refusal(32, "CH21", "charges", "the creditor bears the charges, so they are stated, if only as zero"),)


def rule_33_bic(payment: Payment, context: Context) -> Sequence[Refusal]:
    """33: every BIC is well formed, and the creditor's bank is in the directory (RC05)."""
    bic, directory = payment.creditor_agent.bic, context.rail.directory
    known = bic is not None and (directory is None or bic8(bic) in directory)
    if bic is not None and known and is_bic(bic) and not _has_other_bics(payment):
        return NOTHING
    refusals = [Refusal(33, "RC05", path, "not a BIC") for path, bic in _bics(payment) if not is_bic(bic)]
    if bic is not None and is_bic(bic) and not known:
        text = f"{bic} is not in the directory of {context.rail.name}"
        refusals.append(Refusal(33, "RC05", "creditor_agent.bic", text))
    return refusals


def rule_34_agent_identified(payment: Payment, context: Context) -> Sequence[Refusal]:
    """34: a bank is given by BIC, or by clearing member id or LEI with name and address (RC04, RC11 between banks).

    Between institutions the creditor is one as well.
    """
    del context
    if payment.kind == "customer" and payment.creditor_agent.bic is not None and not payment.intermediary_agents:
        return NOTHING
    agents = [("creditor_agent", payment.creditor_agent), *other_agents(payment)]
    if payment.kind == "institution":
        to = payment.creditor
        agents.append(("creditor", Agent(to.any_bic, lei=to.lei, name=to.name, address=to.address)))
    text = "a BIC, or a clearing member id or LEI with name and address"
    return [Refusal(34, _code(path, "RC04"), path, text) for path, agent in agents if not _is_identified(agent)]


def _is_identified(agent: Agent) -> bool:
    if agent.bic is not None:
        return True
    return (agent.member_id is not None or agent.lei is not None) and bool(agent.name) and agent.address is not None


def _code(path: str, code: str) -> str:
    """Return RC11 for an intermediary agent, else the code."""
    return "RC11" if "intermediary" in path else code


def rule_35_member_id_has_its_system(payment: Payment, context: Context) -> Sequence[Refusal]:
    """35: a clearing member id (ClrSysMmbId) comes with its clearing system (RC08)."""
    del context
    text = "a member id comes with its clearing system"
    return [
        Refusal(35, _code(path, "RC08"), f"{path}.clearing_system", text)
        for path, agent in (("creditor_agent", payment.creditor_agent), *other_agents(payment))
        if agent.member_id is not None and agent.clearing_system is None
    ]


def rule_40_lei(payment: Payment, context: Context) -> Sequence[Refusal]:
    """40: an LEI is well formed and its check digits hold (BE15)."""
    del context
    found = (
        ("debtor.lei", payment.debtor.lei),
        ("creditor.lei", payment.creditor.lei),
        ("creditor_agent.lei", payment.creditor_agent.lei),
        ("ultimate_debtor.lei", payment.ultimate_debtor.lei if payment.ultimate_debtor else None),
        ("ultimate_creditor.lei", payment.ultimate_creditor.lei if payment.ultimate_creditor else None),
        *((f"{path}.lei", agent.lei) for path, agent in other_agents(payment)),
        *((f"{path}.lei", party.lei) for path, party in _covered_parties(payment)),
    )
    return [Refusal(40, "BE15", path, "not an LEI") for path, lei in found if lei is not None and not is_lei(lei)]


def _has_other_bics(payment: Payment) -> bool:
    """Tell whether any BIC stands in the payment beside those of the two banks; most payments have none."""
    return bool(
        payment.creditor.any_bic
        or payment.debtor.any_bic
        or payment.charges
        or payment.ultimate_debtor
        or payment.ultimate_creditor
        or payment.intermediary_agents
        or payment.covers
    )


def _covered_parties(payment: Payment) -> list[tuple[str, Party]]:
    covered = payment.covers
    return [] if covered is None else [("covers.debtor", covered.debtor), ("covers.creditor", covered.creditor)]


def _bics(payment: Payment) -> list[tuple[str, str]]:
    """Return (path, BIC) of every BIC that the source wrote."""
    found = [
        ("creditor_agent.bic", payment.creditor_agent.bic),
        ("debtor.any_bic", payment.debtor.any_bic),
        ("creditor.any_bic", payment.creditor.any_bic),
        ("ultimate_debtor.any_bic", payment.ultimate_debtor.any_bic if payment.ultimate_debtor else None),
        ("ultimate_creditor.any_bic", payment.ultimate_creditor.any_bic if payment.ultimate_creditor else None),
        *((f"charges[{index}].agent_bic", charge.agent_bic) for index, charge in enumerate(payment.charges)),
        *((f"{path}.bic", agent.bic) for path, agent in other_agents(payment)),
        *((f"{path}.any_bic", party.any_bic) for path, party in _covered_parties(payment)),
    ]
    return [(path, bic) for path, bic in found if bic is not None]
