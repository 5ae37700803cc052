"""Generated payments between institutions, to abroad, and what goes to and fro about payments."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from string import ascii_letters, digits

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from schemas.iso20022 import camt060, pacs008, pacs028
from schemas.model.money import Money
from schemas.model.payment import (
    Account,
    Address,
    Agent,
    Charge,
    Covered,
    Original,
    Party,
    Payment,
    RegulatoryReport,
    Remittance,
)
from schemas.model.status import RecallAnswer, RecallRequest, SystemEvent
from tests.schemas.iso20022.strategies import (
    accounts,
    addresses,
    agents,
    bics,
    code,
    currencies,
    days,
    leis,
    moments,
    money,
    named_parties,
    optional,
    parties,
    payments,
    reference,
    remittances,
    text,
    uetrs,
)

institutions = st.builds(Party, name=optional(text(140)), any_bic=bics, lei=optional(leis)) | st.builds(
    Party, name=text(140), address=addresses, lei=leis
)
intermediaries = st.lists(agents, max_size=3).map(tuple)
rates = st.sampled_from(["1.5", "4100", "0.00024390", "1.0830000001"])
regulatory = st.builds(
    RegulatoryReport,
    code=optional(text(10)),
    country=optional(st.sampled_from(["KH", "FR"])),
    details=st.lists(text(35), min_size=1, max_size=2).map(tuple),
)


@st.composite
def covered(draw: DrawFn) -> Covered:
    """A customer's transfer as its cover repeats it."""
    return Covered(
        draw(parties), draw(accounts), draw(agents), draw(parties), draw(accounts), draw(agents),
        draw(currencies.flatmap(money)), draw(intermediaries), draw(remittances),
    )  # fmt: skip


@st.composite
def institution_payments(draw: DrawFn, currency: str, day: date) -> Payment:
    """A payment with what a pacs.009 carries."""
    remittance = Remittance(tuple(draw(st.lists(text(140), max_size=3))))
    return replace(
        draw(payments(currency, day)),
        kind="institution",
        charge_bearer="SLEV",
        charges=(),
        debtor=draw(institutions),
        creditor=draw(institutions),
        ultimate_debtor=draw(optional(institutions)),
        ultimate_creditor=draw(optional(institutions)),
        remittance=remittance,
        intermediary_agents=draw(intermediaries),
        covers=draw(optional(covered())),
    )


@st.composite
def exchanged_payments(draw: DrawFn, currency: str, day: date) -> Payment:
    """A payment with what a pacs.008 carries of agents between, exchange and authorities."""
    other = "EUR" if currency != "EUR" else "USD"
    ordered, rate = draw(st.none() | st.tuples(money(other), rates)) or (None, None)
    return replace(
        draw(payments(currency, day)),
        intermediary_agents=draw(intermediaries),
        regulatory_reports=tuple(draw(st.lists(regulatory, max_size=2))),
        instructed_amount=ordered,
        exchange_rate=rate,
    )


@st.composite
def grouped(draw: DrawFn, *, institution: bool) -> tuple[pacs008.Group, list[Payment]]:
    """A group header and its payments, all of one currency and day."""
    currency, day = draw(currencies), draw(days)
    group = pacs008.Group(draw(reference()), draw(moments), "CLRG", "KHRTGS", day, draw(bics), draw(bics))
    kind = institution_payments if institution else exchanged_payments
    return group, draw(st.lists(kind(currency, day), min_size=1, max_size=3))


@st.composite
def given_back(draw: DrawFn) -> Payment:
    """A payment that gives back what came in, or a part of it."""
    currency = draw(currencies)
    came = draw(money(currency, 2))
    original = Original(
        draw(reference()), "pacs.008.001.08", draw(optional(reference())), draw(optional(reference())), draw(uetrs),
        came, draw(code()), draw(optional(text(105))),
    )  # fmt: skip
    amount = Money(draw(st.integers(1, came.amount_minor)), currency)
    return replace(
        draw(payments(currency, draw(days))),
        kind="return", amount=amount, original=original, debtor=draw(named_parties), creditor=draw(named_parties),
    )  # fmt: skip


@st.composite
def recalls(draw: DrawFn) -> RecallRequest:
    """A recall of one transaction."""
    return RecallRequest(
        draw(reference()), draw(reference()), draw(optional(code())), draw(text(105)), draw(reference()),
        pacs008.DEFINITION, draw(optional(reference())), draw(optional(reference())), draw(uetrs),
        draw(optional(currencies.flatmap(money))), draw(optional(days)), draw(optional(reference())),
        draw(optional(moments)),
    )  # fmt: skip


answers = st.builds(
    RecallAnswer,
    message_id=reference(),
    case_id=optional(reference()),
    status=st.sampled_from(["CNCL", "RJCR", "PDCR", "CWFW"]),
    reason=optional(code()),
    info=optional(text(105)),
    original_message_id=st.just("M1"),
    end_to_end_id=optional(reference()),
    instruction_id=optional(reference()),
    uetr=optional(uetrs),
    original_message_name=st.just(pacs008.DEFINITION),
)
asked = st.builds(pacs028.Asked, instruction_id=reference(), end_to_end_id=optional(reference()), uetr=optional(uetrs))


@st.composite
def inquiries(draw: DrawFn) -> pacs028.Inquiry:
    """An inquiry about a whole message, or about some of its transactions."""
    items = tuple(draw(st.lists(asked, max_size=3)))
    whole = not items
    return pacs028.Inquiry(
        draw(reference()), draw(moments), draw(optional(bics)), draw(optional(bics)), draw(reference()),
        pacs008.DEFINITION, draw(optional(moments)), draw(optional(st.integers(1, 10**6))) if whole else None,
        draw(optional(currencies.flatmap(money).map(Money.text))) if whole else None, items,
    )  # fmt: skip


requests = st.builds(
    camt060.Request,
    message_id=reference(),
    created=moments,
    definition=st.sampled_from(["camt.053.001.08", "camt.052.001.08"]),
    account=accounts,
    owner_bic=bics,
    servicer_bic=bics,
    day=days,
)
events = st.builds(
    SystemEvent,
    message_id=reference(),
    code=code(),
    description=optional(text(300)),
    parameters=st.lists(text(35), max_size=3).map(tuple),
    at=optional(moments),
)


# ------------------------------------------------------------------------------------------------------------ abroad


def x_text(length_max: int) -> SearchStrategy[str]:
    """Text of the X character set, without blanks around it."""
    return st.text(ascii_letters + digits + "/-?:().,'+ ", min_size=1, max_size=length_max).map(str.strip).filter(bool)


def clean_reference(length_max: int) -> SearchStrategy[str]:
    """A reference as correspondents take it."""
    return st.text(ascii_letters + digits + "-", min_size=1, max_size=length_max)


_TOWNS = st.sampled_from(["Geneva", "New York", "Singapore"])
addresses_abroad = st.builds(
    Address,
    country=st.sampled_from(["CH", "US", "SG"]),
    town=_TOWNS,
    street=optional(st.sampled_from(["Chemin des Mines", "First Avenue"])),
    building=optional(st.sampled_from(["2", "405A"])),
    post_code=optional(st.sampled_from(["1202", "10017"])),
    lines=st.lists(st.sampled_from(["Palais Wilson", "c/o Permanent Mission"]), max_size=2, unique=True).map(tuple),
)
named_abroad = st.builds(Party, name=x_text(140), address=addresses_abroad, lei=optional(leis))
parties_abroad = named_abroad | st.builds(Party, any_bic=bics, lei=optional(leis))
agents_abroad = st.builds(Agent, bic=bics, lei=optional(leis)) | st.builds(
    Agent,
    clearing_system=st.just("USABA"),
    member_id=st.just("021000021"),
    lei=optional(leis),
    name=x_text(140),
    address=addresses_abroad,
)
accounts_abroad = st.builds(Account, number=st.text(digits, min_size=1, max_size=34)) | st.just(
    Account("CH9300762011623852957", "IBAN")
)
remittances_abroad = (
    st.just(Remittance())
    | x_text(140).map(lambda line: Remittance((line,)))
    | st.just(Remittance(creditor_reference="RF18539007547034"))
)


def money_abroad(currency: str, minor_min: int = 1) -> SearchStrategy[Money]:
    """An amount of at most 14 digits."""
    return st.integers(minor_min, 10**13).map(lambda minor: Money(minor, currency))


@st.composite
def payments_abroad(draw: DrawFn, day: date, bearer: str | None = None) -> Payment:
    """A customer's payment to abroad, within the rules."""
    currency = draw(st.sampled_from(["USD", "EUR", "JPY"]))
    bearer = bearer or draw(st.sampled_from(["DEBT", "CRED", "SHAR"]))
    ordered, rate = draw(st.none() | st.tuples(money_abroad("CHF"), rates)) or (None, None)
    charge = st.builds(Charge, amount=money_abroad(currency, 0), agent_bic=bics)
    amount = draw(money_abroad(currency))
    charges = draw(st.lists(charge, min_size=int(bearer == "CRED"), max_size=0 if bearer == "DEBT" else 2))
    return Payment(
        payment_id=1, source="fmis", order_id="PO-1", maker="sok", instruction_id=draw(clean_reference(16)),
        end_to_end_id=draw(clean_reference(35) | st.just("NOTPROVIDED")), uetr=draw(uetrs), amount=amount,
        execution_date=day, charge_bearer=bearer,
        debtor=draw(named_abroad), debtor_account=draw(accounts_abroad), debtor_agent=draw(agents_abroad),
        creditor=draw(parties_abroad), creditor_account=draw(accounts_abroad), creditor_agent=draw(agents_abroad),
        urgency=draw(st.sampled_from(["normal", "high"])), purpose=draw(optional(code())),
        category_purpose=draw(optional(code())), remittance=draw(remittances_abroad),
        ultimate_debtor=draw(optional(named_abroad)), ultimate_creditor=draw(optional(named_abroad)),
        charges=tuple(charges), instructed_amount=ordered, exchange_rate=rate,
        intermediary_agents=tuple(draw(st.lists(agents_abroad, max_size=3))),
        regulatory_reports=tuple(draw(st.lists(regulatory_abroad, max_size=2))),
    )  # fmt: skip


regulatory_abroad = st.builds(
    RegulatoryReport,
    code=optional(x_text(10)),
    country=optional(st.sampled_from(["KH", "FR"])),
    details=st.lists(x_text(35), min_size=1, max_size=2).map(tuple),
)
institutions_abroad = st.builds(Party, any_bic=bics, lei=optional(leis)) | st.builds(
    Party, name=x_text(140), address=addresses_abroad, lei=leis
)


@st.composite
def covers_abroad(draw: DrawFn) -> Covered:
    """A customer's transfer as its cover repeats it abroad."""
    return Covered(
        draw(parties_abroad), draw(accounts_abroad), draw(agents_abroad), draw(parties_abroad), draw(accounts_abroad),
        draw(agents_abroad), draw(money_abroad("USD")), tuple(draw(st.lists(agents_abroad, max_size=3))),
        draw(remittances_abroad),
    )  # fmt: skip


@st.composite
def institution_payments_abroad(draw: DrawFn, day: date) -> Payment:
    """An institution's payment to abroad, alone or as a cover."""
    return replace(
        draw(payments_abroad(day, "SHAR")), kind="institution", charges=(), instructed_amount=None, exchange_rate=None,
        regulatory_reports=(), debtor=draw(institutions_abroad), creditor=draw(institutions_abroad),
        ultimate_debtor=None, ultimate_creditor=None,
        remittance=draw(st.just(Remittance()) | x_text(140).map(lambda line: Remittance((line,)))),
        covers=draw(optional(covers_abroad())),
    )  # fmt: skip
