"""Payments abroad, over a correspondent bank, by the CBPR+ usage guidelines of 2026.

One payment a message: a customer's (pacs.008), an institution's (pacs.009), or an institution's that covers a
customer's transfer (pacs.009 COV), which has a business service of its own. The correspondent keeps our account, so it
settles there (INDA), and the account that is debited is the settlement account. Parties and banks are named by BIC
alone, or by name and address; an address has town and country, and at most two free lines beside them. The guidelines
stand in schemas/xsd/cbpr.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime

from lxml.etree import _Element

from adapters import statement_files
from adapters.interbank import asking
from adapters.interbank.reading import READ, received
from adapters.interbank.sealing import Dialect, missing, seal, unseal
from adapters.profile import Profile
from adapters.rails import Composed, Facts, Plea, Received, Sent, Task, Verdict
from adapters.toml import Location
from schemas.errors import DocumentRefused
from schemas.iso20022 import camt029, camt056, camt060, pacs008, pacs009, pacs028
from schemas.iso20022.guideline import CBPR_FOLDER
from schemas.iso20022.transfers import Group
from schemas.model.payment import Agent, Covered, Party, Payment
from schemas.model.status import RecallRequest
from security.keys import SigningKey
from security.trust import TrustStore

DIALECT = Dialect(taken=READ, guidelines=CBPR_FOLDER)
SERVICE = "swift.cbprplus.04"
"""BizSvc of the standards release of 2026, unless the profile says another."""
METHODS = frozenset({"INDA", "INGA"})
BEARERS = frozenset({"DEBT", "CRED", "SHAR"})


def compose(
    profile: Profile,
    task: Task,
    payments: Sequence[Payment],
    key: SigningKey,
    inspect: Callable[[Facts], None],
) -> Composed:
    """Write the message of one payment with its header, validate, let the caller inspect it, and sign.

    Raises:
        DocumentRefused: the message is not valid against the usage guideline, or the inspection refused it.
        ValueError: several payments: a defect of the profile, which ``faults`` names.
    """
    if len(payments) != 1:
        raise ValueError(f"a message abroad carries one payment, not {len(payments)}")
    payment = _abroad(payments[0])
    service = profile.message.business_service or SERVICE
    if payment.kind == "customer":
        definition, document = pacs008.DEFINITION, pacs008.build_single(_group(profile, task, payment), payment)
    elif payment.kind == "institution":
        ours = replace(payment, debtor=_by_bic(payment.debtor, profile.own_bic))
        definition, document = pacs009.DEFINITION, pacs009.build_single(_group(profile, task, payment), ours)
        service = cover_service(service) if payment.covers else service
    else:
        text = f"a payment of kind {payment.kind} does not go abroad over this rail"
        raise DocumentRefused(text, code="AG03", path="kind")
    bytes_ = seal(profile, task, definition, document, key, dialect=DIALECT, service=service, inspect=inspect)
    return Composed(bytes_, definition)


def cover_service(service: str) -> str:
    """Return the business service of a cover: ``swift.cbprplus.cov.04`` for ``swift.cbprplus.04``."""
    name, _, release = service.rpartition(".")
    return f"{name}.cov.{release}"


def _group(profile: Profile, task: Task, payment: Payment) -> Group:
    return Group(
        message_id=task.message_id,
        created=task.created,
        settlement_method=profile.message.settlement_method or "INDA",
        clearing_system=None,
        settlement_date=task.settlement_date,
        instructing_bic=profile.own_bic,
        instructed_bic=profile.bank_bic,
        settlement_account=payment.debtor_account.number,
    )


def _abroad(payment: Payment) -> Payment:
    """Name each bank and each party of a payment as correspondents take it.

    Raises:
        DocumentRefused: more than one charge where the debtor bears them (CH17).
    """
    if payment.charge_bearer == "DEBT" and len(payment.charges) > 1:
        text = "where the debtor bears the charges, one is stated: what was paid in advance"
        raise DocumentRefused(text, code="CH17", path="charges")
    return replace(
        payment,
        debtor=_party(payment.debtor),
        debtor_agent=_agent(payment.debtor_agent),
        creditor=_party(payment.creditor),
        creditor_agent=_agent(payment.creditor_agent),
        intermediary_agents=tuple(_agent(agent) for agent in payment.intermediary_agents),
        covers=_covered(payment.covers) if payment.covers else None,
    )


def _covered(covered: Covered) -> Covered:
    return replace(
        covered,
        debtor=_party(covered.debtor),
        debtor_agent=_agent(covered.debtor_agent),
        creditor=_party(covered.creditor),
        creditor_agent=_agent(covered.creditor_agent),
        intermediary_agents=tuple(_agent(agent) for agent in covered.intermediary_agents),
    )


def _party(party: Party) -> Party:
    """Return a party by its BIC alone where it has one: name and address beside it are not admitted."""
    return party if party.any_bic is None else Party(any_bic=party.any_bic, lei=party.lei)


def _by_bic(party: Party, own_bic: str) -> Party:
    """Return the debtor of an institution's payment, which is the treasury unless the order names another BIC."""
    return Party(any_bic=party.any_bic or own_bic, lei=party.lei)


def _agent(agent: Agent) -> Agent:
    """Return a bank by its BIC where it has one: name and address beside it are not admitted."""
    return agent if agent.bic is None else replace(agent, name=None, address=None)


# ------------------------------------------------------------------------------------------------------------ asking


def inquire(profile: Profile, task: Task, sent: Sent, key: SigningKey) -> Composed:
    """Ask what became of a message (pacs.028): a message abroad carries one payment, so it is named.

    Raises:
        DocumentRefused: the inquiry is not valid against the usage guideline.
    """
    return _asked(profile, task, pacs028.DEFINITION, asking.inquiry(profile, task, sent), key)


def recall(profile: Profile, task: Task, sent: Sent, plea: Plea, key: SigningKey) -> Composed:
    """Ask for a payment not to be paid, or to be given back (camt.056).

    Raises:
        DocumentRefused: the recall is not valid against the usage guideline.
    """
    return _asked(profile, task, camt056.DEFINITION, asking.recall(profile, task, sent, plea), key)


def answer_recall(profile: Profile, task: Task, asked: RecallRequest, verdict: Verdict, key: SigningKey) -> Composed:
    """Answer what the correspondent asks back (camt.029).

    Raises:
        DocumentRefused: the answer is not valid against the usage guideline.
    """
    return _asked(profile, task, camt029.DEFINITION, asking.recall_answer(profile, task, asked, verdict), key)


def request_statement(profile: Profile, task: Task, account: str, day: date, key: SigningKey) -> Composed:
    """Ask for the statement of one of our accounts and a day (camt.060).

    Raises:
        DocumentRefused: the request is not valid against the usage guideline.
        ConfigurationError: the profile has no such account.
    """
    return _asked(profile, task, camt060.DEFINITION, asking.statement_request(profile, task, account, day), key)


def _asked(profile: Profile, task: Task, definition: str, document: _Element, key: SigningKey) -> Composed:
    service = profile.message.business_service or SERVICE
    return Composed(seal(profile, task, definition, document, key, dialect=DIALECT, service=service), definition)


# ----------------------------------------------------------------------------------------------------------- reading


read_unsigned = statement_files.unsigned


def read(profile: Profile, document: bytes, trust: TrustStore, at: datetime) -> Received:
    """Verify a document of the correspondent and read it; a statement file only where the profile takes such.

    Raises:
        DocumentRefused, SignatureRefused: nothing of it may be used.
    """
    if (unsigned := read_unsigned(profile, io.BytesIO(document))) is not None:
        return unsigned
    statement_files.refuse_other_than_xml(profile, document)
    return received(*unseal(profile, document, trust, at, DIALECT))


def faults(profile: Profile) -> list[tuple[Location, str]]:
    """Return what this rail misses in a profile: it is stricter than the profile's defaults."""
    message, found = profile.message, missing(profile)
    for name, holds, wanted in (
        ("settlement_method", message.settlement_method in {*METHODS, None}, "INDA or INGA"),
        ("transactions_max", message.transactions_max == 1, "1: a message abroad carries one payment"),
        ("remittance_lines_max", message.remittance_lines_max == 1, "1"),
        ("character_set", message.character_set == "x", "x"),
        ("charge_bearers", set(message.charge_bearers) <= BEARERS, "of DEBT, CRED and SHAR"),
        ("addresses_required", message.addresses_required, "true: no party goes abroad without an address"),
        ("any_bank", message.any_bank, "true: the directory holds the banks at home"),
    ):
        if not holds:
            found.append((("message", name), f"message.{name}: should be {wanted}, for the rail {profile.rail}"))
    return found
