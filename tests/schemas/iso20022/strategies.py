"""Generated payments, statuses, returns and statements: everything a message can carry, and nothing it cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from schemas.iso20022 import pacs008, pain001
from schemas.iso20022.customer import Initiator, PaymentType
from schemas.iso20022.parties import Settlement
from schemas.model.money import Money
from schemas.model.payment import Account, Address, Agent, Charge, Party, Payment, RegulatoryReport, Remittance
from schemas.model.statement import Detail, Entry, Statement
from schemas.model.status import BlockStatus, Return, StatusReport, TransactionStatus

_T = TypeVar("_T")
_X_CHARACTERS = "ABCXYZabcxyz0189-?:().,'+"


def text(length_max: int) -> SearchStrategy[str]:
    """Text in any script, with markup in it, as people write it: no control characters, no blanks around it."""
    characters = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Co", "Cn", "Zl", "Zp"))
    markup = st.sampled_from(["<Nm>", "&amp;", "]]>", "a & b", "សុខ ដារ៉ា", '"quoted"'])
    return (st.text(characters, min_size=1, max_size=length_max) | markup).map(str.strip).filter(bool)


def code(length_max: int = 4) -> SearchStrategy[str]:
    """An external code."""
    return st.text("ABCDXYZ0189", min_size=length_max, max_size=length_max)


def reference() -> SearchStrategy[str]:
    """A reference that rule 15 allows, and that is one."""
    parts = st.lists(st.text(_X_CHARACTERS, min_size=1, max_size=16), min_size=1, max_size=2)
    return parts.map("/".join).filter(lambda value: value != "NOTPROVIDED")


def optional(strategy: SearchStrategy[_T]) -> SearchStrategy[_T | None]:
    """A value or None."""
    return st.none() | strategy


uetrs = st.uuids(version=4).map(str)
days = st.dates(date(2020, 1, 1), date(2040, 12, 31))
moments = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)).map(  # noqa: DTZ001 - the offset follows
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000, tzinfo=timezone(timedelta(hours=7)))
) | st.just(datetime(2026, 11, 23, tzinfo=UTC))
bics = st.sampled_from(["NCAMKHPP", "ACLBKHPPXXX", "CPBPKHP2"])
leis = st.just("5493001KJTIIGC8Y1R12")
currencies = st.sampled_from(["KHR", "USD", "JPY", "BHD"])


def money(currency: str, minor_min: int = 1) -> SearchStrategy[Money]:
    """An amount up to 15 digits, so that the sum of many still has at most 18."""
    return st.integers(minor_min, 10**15 - 1).map(lambda minor: Money(minor, currency))


addresses = st.builds(
    Address,
    country=st.sampled_from(["KH", "FR"]),
    town=text(35),
    street=optional(text(70)),
    building=optional(text(16)),
    post_code=optional(text(16)),
    lines=st.lists(text(70), max_size=2).map(tuple),
)
named_parties = st.builds(
    Party, name=text(140), address=optional(addresses), any_bic=optional(bics), lei=optional(leis)
)
parties = named_parties | st.builds(Party, any_bic=bics)
agents = st.builds(Agent, bic=bics, lei=optional(leis), name=optional(text(140))) | st.builds(
    Agent, clearing_system=st.just("KHNCS"), member_id=code(6), lei=optional(leis), name=text(140), address=addresses
)
accounts = st.builds(
    Account,
    number=st.text("0123456789", min_size=1, max_size=34),
    scheme=st.sampled_from(["BBAN", "CUST", "LONG-SCHEME"]),
    currency=optional(currencies),
) | st.builds(Account, number=st.just("GB33BUKB20201555555555"), scheme=st.just("IBAN"))
remittances = st.builds(
    Remittance,
    unstructured=st.lists(text(140), max_size=3).map(tuple),
    creditor_reference=optional(st.sampled_from(["RF18539007547034", "BILL-77"])),
)


@st.composite
def payments(draw: DrawFn, currency: str, day: date) -> Payment:
    """A payment with what a pacs.008 carries; the gateway's own fields are as a reader leaves them."""
    return Payment(
        payment_id=0,
        source="",
        order_id="",
        maker="",
        instruction_id=draw(reference()),
        end_to_end_id=draw(reference() | st.just("NOTPROVIDED")),
        uetr=draw(uetrs),
        amount=draw(money(currency)),
        execution_date=day,
        charge_bearer=draw(st.sampled_from(["DEBT", "CRED", "SHAR", "SLEV"])),
        debtor=draw(parties),
        debtor_account=draw(accounts),
        debtor_agent=draw(agents),
        creditor=draw(parties),
        creditor_account=draw(accounts),
        creditor_agent=draw(agents),
        urgency=draw(st.sampled_from(["normal", "high"])),
        purpose=draw(optional(code())),
        category_purpose=draw(optional(code())),
        remittance=draw(remittances),
        ultimate_debtor=draw(optional(parties)),
        ultimate_creditor=draw(optional(parties)),
        charges=tuple(draw(st.lists(st.builds(Charge, amount=money(currency, 0), agent_bic=bics), max_size=2))),
    )


@st.composite
def groups(draw: DrawFn) -> tuple[pacs008.Group, Sequence[Payment]]:
    """A group header and its payments, all of one currency and day."""
    currency, day = draw(currencies), draw(days)
    method, system, account = draw(
        st.sampled_from([("CLRG", "KHRTGS", None), ("CLRG", "KHR", None), ("INDA", None, "000111222333")])
    )
    group = pacs008.Group(draw(reference()), draw(moments), method, system, day, draw(bics), draw(bics), account)
    return group, draw(st.lists(payments(currency, day), min_size=1, max_size=3))


@st.composite
def reports(draw: DrawFn) -> StatusReport:
    """A status report, with a group status, transactions or both."""
    statuses = st.builds(
        TransactionStatus,
        status=st.sampled_from(["RCVD", "ACSP", "ACSC", "RJCT"]),
        end_to_end_id=optional(reference()),
        instruction_id=reference(),
        uetr=optional(uetrs),
        original_message_id=optional(reference()),
        reason=optional(code()),
        info=optional(text(105)),
        settlement_date=optional(days),
        servicer_reference=optional(reference()),
    )
    items = draw(st.lists(statuses, max_size=3))
    return StatusReport(
        draw(reference()),
        draw(reference()),
        pacs008.DEFINITION,
        draw(optional(code())),
        draw(optional(code())),
        draw(optional(text(105))),
        tuple(items),
    )


@st.composite
def returns(draw: DrawFn) -> tuple[str, Settlement, Sequence[Return]]:
    """A message id, a settlement, and the returns of one pacs.004."""
    message_id, currency, day = draw(reference()), draw(currencies), draw(days)
    shared = draw(st.booleans())
    settlement = Settlement("CLRG", "KHRTGS", day if shared else None, draw(bics), draw(bics))
    item = st.builds(
        Return,
        message_id=st.just(message_id),
        return_id=reference(),
        amount=money(currency),
        original_message_id=st.just("M1"),
        original_message_name=st.just(pacs008.DEFINITION),
        end_to_end_id=optional(reference()),
        instruction_id=optional(reference()),
        uetr=uetrs,
        original_amount=optional(money(currency)),
        reason=optional(code()),
        info=optional(text(105)),
        settlement_date=st.just(day) if shared else optional(days),
        charges_minor=st.integers(0, 10**6),
    )
    return message_id, settlement, draw(st.lists(item, min_size=1, max_size=3))


@st.composite
def entries(draw: DrawFn, index: int, currency: str) -> Entry:
    """An entry with its details, as a reader returns it but for its path."""
    signed = st.integers(-(10**14), 10**14)
    detail = st.builds(
        Detail,
        amount_minor=optional(signed),
        end_to_end_id=optional(reference()),
        uetr=optional(uetrs),
        instruction_id=optional(reference()),
        transaction_id=optional(reference()),
        message_id=optional(reference()),
        servicer_reference=optional(reference()),
        return_reason=optional(code()),
        remittance=optional(text(140)),
        counterparty_name=optional(text(140)),
        counterparty_account=optional(st.text("0123456789", min_size=1, max_size=34)),
        counterparty_bank=optional(st.sampled_from(["ABAAKHPP", "ACLBKHPPXXX"])),
        charges_minor=st.integers(-1000, 1000),
    )
    return Entry(
        index,
        draw(signed),
        currency,
        draw(st.sampled_from(["BOOK", "PDNG", "INFO"])),
        draw(optional(days)),
        draw(optional(days)),
        draw(optional(reference())),
        draw(optional(reference())),
        draw(optional(st.sampled_from(["PMNT/ICDT/DMCT", "NTRF"]))),
        draw(st.booleans()),
        draw(optional(st.integers(1, 10**6))),
        draw(st.integers(-1000, 1000)),
        draw(optional(text(140))),
        tuple(draw(st.lists(detail, max_size=2))),
    )


@st.composite
def statements(draw: DrawFn, kind: str = "statement") -> tuple[str, datetime, Statement, Sequence[Entry]]:
    """A message id, a time, a statement or notification as a reader returns it but for its path, and its entries."""
    currency, created, message_id = draw(currencies), draw(moments), draw(reference())
    balance = st.integers(-(10**17), 10**17).map(lambda minor: Money(minor, currency))
    stated = kind == "statement"
    items = [draw(entries(index, currency)) for index in range(draw(st.integers(0, 3)))]
    counted = draw(st.booleans())
    statement = Statement(
        kind,
        message_id,
        draw(reference()),
        draw(st.text("0123456789", min_size=1, max_size=34)),
        currency,
        draw(balance) if stated else None,
        draw(balance) if stated else None,
        draw(days) if stated else None,
        draw(days) if stated else None,
        draw(optional(st.integers(0, 10**9))),
        draw(st.integers(1, 99999)),
        draw(st.booleans()),
        created.isoformat(timespec="milliseconds" if created.microsecond else "seconds"),
        draw(st.booleans()),
        len(items) if counted else None,
        sum(entry.amount_minor for entry in items) if counted else None,
    )
    return message_id, created, statement, items


initiators = st.builds(
    Initiator,
    name=text(140),
    identifier=st.just("C-77"),
    scheme=optional(st.sampled_from(["CUST", "CONTRACT"])),
    issuer=optional(text(35)),
    bic=optional(bics),
)
regulatory_reports = st.builds(
    RegulatoryReport, code=text(10), country=optional(st.just("KH")), details=st.lists(text(35), max_size=2).map(tuple)
)


@st.composite
def blocks(draw: DrawFn, currency: str) -> pain001.Block:
    """A block of a pain.001 and its payments, which share what the block says once."""
    day, first = draw(days), None
    of_block, bearer = draw(st.booleans()), draw(optional(st.sampled_from(["DEBT", "SLEV"])))
    found: list[Payment] = []
    for payment in draw(st.lists(payments(currency, day), min_size=1, max_size=3)):
        first = first or payment
        same = replace(
            payment, debtor=first.debtor, debtor_account=first.debtor_account, debtor_agent=first.debtor_agent,
            charges=(), intermediary_agents=tuple(draw(st.lists(agents, max_size=3))),
            regulatory_reports=tuple(draw(st.lists(regulatory_reports, max_size=2))),
        )  # fmt: skip
        if of_block:
            same = replace(same, urgency=first.urgency, category_purpose=first.category_purpose)
        found.append(replace(same, charge_bearer=bearer) if bearer else same)
    kind = PaymentType(found[0].urgency, draw(optional(st.sampled_from(["NURG", "OWN-LEVEL"]))), None,
                       found[0].category_purpose)  # fmt: skip
    return pain001.Block(
        draw(reference()), day, tuple(found), draw(optional(st.booleans())), kind if of_block else None, bearer
    )


@st.composite
def initiations(draw: DrawFn) -> tuple[pain001.Group, list[pain001.Block]]:
    """A pain.001 of one or two blocks, in one currency."""
    group = pain001.Group(draw(reference()), draw(moments), draw(initiators))
    currency = draw(currencies)
    return group, draw(st.lists(blocks(currency), min_size=1, max_size=2))


@st.composite
def customer_reports(draw: DrawFn) -> StatusReport:
    """A pain.002 with a status at any of the three levels."""
    transactions = st.builds(
        TransactionStatus,
        status=st.sampled_from(["ACSP", "ACSC", "RJCT"]),
        end_to_end_id=optional(reference()),
        instruction_id=reference(),
        uetr=optional(uetrs),
        reason=optional(code()),
        info=optional(text(105)),
        servicer_reference=optional(reference()),
    )
    block = st.builds(
        BlockStatus,
        block_id=reference(),
        status=optional(st.sampled_from(["PART", "ACCP", "RJCT"])),
        reason=optional(code()),
        info=optional(text(105)),
        transactions=st.lists(transactions, max_size=2).map(tuple),
    )
    group = draw(optional(st.sampled_from(["PART", "ACCP", "RJCT"])))
    return StatusReport(
        draw(reference()), draw(reference()), "pain.001.001.09", group, draw(optional(code())),
        draw(optional(text(105))), blocks=tuple(draw(st.lists(block, max_size=2))), created=draw(moments),
    )  # fmt: skip
