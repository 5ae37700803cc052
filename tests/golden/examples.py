"""The fixed inputs of the golden files: every message that the project builds, with every field it can carry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone

from lxml.etree import _Element

from schemas.iso20022 import camt_build, head001, pacs002, pacs004, pacs008, pain001, pain002, pain007
from schemas.iso20022.customer import Initiator, PaymentType
from schemas.iso20022.parties import Settlement
from schemas.model.money import Money
from schemas.model.payment import Account, Address, Agent, Charge, Party, Payment, RegulatoryReport, Remittance
from schemas.model.statement import Detail, Entry, Statement
from schemas.model.status import BlockStatus, Return, StatusReport, TransactionStatus

CREATED = datetime(2026, 11, 23, 8, 30, tzinfo=timezone(timedelta(hours=7)))
DAY = date(2026, 11, 23)
TREASURY, BANK, PAYEE_BANK = "TREAKHPP", "NCAMKHPP", "ACLBKHPP"
UETRS = ("0b3f1d52-8a49-4c77-9d10-3f5c1d2e4a6b", "f2a1c0de-1111-4222-8333-444455556666")
TOWN = Address(country="KH", town="Phnom Penh")
FULL_ADDRESS = Address("KH", "Siem Reap", "Sivutha Boulevard", "12B", "171202", ("Floor 2", "Mondul 1, Svay Dangkum"))
SETTLEMENT = Settlement("CLRG", "KHRTGS", DAY, BANK, TREASURY)

GROUP = pacs008.Group("TRE20261123-000001", CREATED, "CLRG", "KHRTGS", DAY, TREASURY, BANK)

SALARY = Payment(
    payment_id=0,
    source="",
    order_id="",
    maker="",
    instruction_id="TRE-I-0000001",
    end_to_end_id="SAL/2026-11/000001",
    uetr=UETRS[0],
    amount=Money(125050000, "KHR"),
    execution_date=DAY,
    charge_bearer="SLEV",
    debtor=Party("General Department of National Treasury", TOWN),
    debtor_account=Account("000111222333"),
    debtor_agent=Agent(BANK),
    creditor=Party("សុខ ដារ៉ា & Sons <Ltd>", TOWN),
    creditor_account=Account("001234567890"),
    creditor_agent=Agent(PAYEE_BANK),
    purpose="SALA",
    category_purpose="SALA",
    remittance=Remittance(("Salary November 2026",)),
)
SUPPLIER = replace(
    SALARY,
    instruction_id="TRE-I-0000002",
    end_to_end_id="NOTPROVIDED",
    uetr=UETRS[1],
    amount=Money(100, "KHR"),
    charge_bearer="CRED",
    charges=(Charge(Money(50, "KHR"), BANK), Charge(Money(0, "USD"), PAYEE_BANK)),
    urgency="high",
    creditor=Party("Angkor Supplies Co., Ltd.", FULL_ADDRESS, any_bic="ANGKKHPPXXX", lei="5493001KJTIIGC8Y1R12"),
    creditor_account=Account("GB33BUKB20201555555555", "IBAN", "KHR"),
    creditor_agent=Agent(None, "KHNCS", "0012", "5493001KJTIIGC8Y1R12", "Rural Bank", TOWN),
    debtor_account=Account("99", "CUST", "KHR"),
    debtor_agent=Agent(BANK, lei="5493001KJTIIGC8Y1R12", name="National Bank"),
    ultimate_debtor=Party("Ministry of Education", None),
    ultimate_creditor=Party(any_bic="ANGKKHPP"),
    purpose="SUPP",
    category_purpose=None,
    remittance=Remittance(("Invoice 7", "Contract 2026/11"), "RF18539007547034"),
)

REPORT = StatusReport(
    "NBC20261123-000009",
    GROUP.message_id,
    pacs008.DEFINITION,
    "PART",
    None,
    "one of two",
    (
        TransactionStatus("ACSC", SALARY.end_to_end_id, SALARY.instruction_id, UETRS[0], settlement_date=DAY),
        TransactionStatus("RJCT", None, SUPPLIER.instruction_id, UETRS[1], GROUP.message_id, "AC04", "x" * 150),
    ),
)

RETURN = Return(
    "NBC20261125-000002",
    "RTR-1",
    Money(124950000, "KHR"),
    GROUP.message_id,
    pacs008.DEFINITION,
    SALARY.end_to_end_id,
    SALARY.instruction_id,
    UETRS[0],
    SALARY.amount,
    "AC04",
    "account closed on 2026-11-20",
    DAY,
    charges_minor=100000,
    path="PmtRtr/TxInf[1]",
)

STATEMENT = Statement(
    "statement",
    "NBC-STMT-77-2",
    "STMT-77",
    "000111222333",
    "KHR",
    Money(-500, "KHR"),
    Money(124949500, "KHR"),
    date(2026, 11, 20),
    DAY,
    sequence=77,
    page=2,
    last_page=True,
    created="2026-11-23T08:30:00+07:00",
    entry_count=2,
    net_minor=124950000,
    path="BkToCstmrStmt/Stmt[1]",
)
ENTRIES = (
    Entry(
        0,
        -50000,
        "KHR",
        "BOOK",
        DAY,
        DAY,
        "N-1",
        "NBC-REF-1",
        "PMNT/ICDT/DMCT",
        reversal=True,
        charges_minor=1000,
        additional_info="outgoing",
        details=(
            Detail(
                -50000,
                "E2E-1",
                UETRS[0],
                "TRE-I-0000001",
                "TX-1",
                GROUP.message_id,
                "NBC-REF-1",
                remittance="Salary November 2026",
                counterparty_name="Sok Dara",
                counterparty_account="001234567890",
                charges_minor=-10,
            ),
        ),
        path="BkToCstmrStmt/Stmt[1]/Ntry[1]",
    ),
    Entry(
        1,
        125000000,
        "KHR",
        "PDNG",
        batch_count=2,
        bank_transaction_code="NTRF",
        details=(
            Detail(125000100, "E2E-2", return_reason="AC04", counterparty_name="Chan Thida"),
            Detail(-100, servicer_reference="FEE"),
        ),
        path="BkToCstmrStmt/Stmt[1]/Ntry[2]",
    ),
)
NOTIFICATION = replace(
    STATEMENT,
    kind="notification",
    statement_id="NTF-5",
    opening=None,
    closing=None,
    opening_date=None,
    closing_date=None,
    sequence=5,
    page=1,
    duplicate=True,
    entry_count=None,
    net_minor=None,
    path="BkToCstmrDbtCdtNtfctn/Ntfctn[1]",
)
HEADER = head001.Header(
    TREASURY,
    BANK,
    GROUP.message_id,
    pacs008.DEFINITION,
    CREATED,
    possible_duplicate=True,
    business_service="kh.rtgs.01",
)

CUSTOMER_GROUP = pain001.Group("TRE20261123-000002", CREATED, Initiator("General Department", "C-00077", "CUST", BANK))
CUSTOMER_BLOCKS = (
    pain001.Block(
        "TRE20261123-000002-1", DAY, (SALARY, replace(SALARY, end_to_end_id="SAL/2026-11/000002")), batch_booking=True,
        payment_type=PaymentType("normal", "NURG", "DOMESTIC-LOCAL", "SALA"), charge_bearer="SLEV",
    ),
    pain001.Block(
        "TRE20261123-000002-2", DAY, (
            replace(
                SUPPLIER, charges=(), intermediary_agents=(Agent(BANK), Agent("CPBPKHP2")),
                regulatory_reports=(RegulatoryReport("1040", "KH", ("goods", "contract 7")),),
            ),
        ), batch_booking=False,
    ),
)  # fmt: skip
CUSTOMER_REPORT = StatusReport(
    "BANK-20261123-9", CUSTOMER_GROUP.message_id, "pain.001.001.09", "PART", None, None,
    blocks=(
        BlockStatus(
            "TRE20261123-000002-1", "PART", "NARR", "one of two", (
                TransactionStatus(
                    "ACSC", SALARY.end_to_end_id, SALARY.instruction_id, UETRS[0], servicer_reference="REF-1"
                ),
                TransactionStatus("RJCT", None, SUPPLIER.instruction_id, UETRS[1], None, "AC04", "x" * 150),
            ),
        ),
        BlockStatus("TRE20261123-000002-2", "ACCP"),
    ), created=CREATED,
)  # fmt: skip
REVERSAL = replace(RETURN, original_message_name="pain.001.001.05", uetr=None, settlement_date=None, charges_minor=0)


def _initiation(definition: str) -> Callable[[], _Element]:
    return lambda: pain001.build(CUSTOMER_GROUP, CUSTOMER_BLOCKS, definition)


def _customer_report(definition: str) -> Callable[[], _Element]:
    return lambda: pain002.build(CUSTOMER_REPORT, definition)


def header_of_envelope() -> _Element:
    """Return the AppHdr of an unsigned envelope."""
    document = pacs008.build(GROUP, [SALARY])
    return head001.split(head001.envelope(HEADER, document, namespace="urn:example:envelope", name="Message"))[0]


MESSAGES: dict[str, Callable[[], _Element]] = {
    "head.001.001.02": header_of_envelope,
    "pacs.008.001.08": lambda: pacs008.build(GROUP, [SALARY, SUPPLIER]),
    "pacs.002.001.10": lambda: pacs002.build(REPORT, CREATED),
    "pacs.004.001.09": lambda: pacs004.build("NBC20261125-000002", CREATED, [RETURN], settlement=SETTLEMENT),
    "camt.053.001.08": lambda: camt_build.build_statement(
        "NBC-STMT-77-2", CREATED, STATEMENT, ENTRIES, servicer_bic=BANK
    ),
    "camt.054.001.08": lambda: camt_build.build_notification("NBC-NTF-5", CREATED, NOTIFICATION, ENTRIES),
    **{definition: _initiation(definition) for definition in pain001.VERSIONS},
    **{definition: _customer_report(definition) for definition in pain002.VERSIONS},
    pain007.DEFINITION: lambda: pain007.build(
        "BANK-20261125-3", CREATED, {"TRE20261123-000002-1": [REVERSAL]}, initiator=Initiator("Bank", bic=BANK)
    ),
}
"""Definition -> how its example is built."""
