"""The fixed inputs of the golden files: every message that the project builds, with every field it can carry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

from lxml.etree import _Element

from schemas.iso20022 import (
    admi002,
    admi004,
    camt029,
    camt056,
    camt060,
    camt_build,
    head001,
    pacs002,
    pacs004,
    pacs008,
    pacs009,
    pacs028,
    pain001,
    pain002,
    pain007,
)
from schemas.iso20022.customer import Initiator, PaymentType
from schemas.iso20022.guideline import CBPR_FOLDER
from schemas.iso20022.parties import Settlement
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
from schemas.model.statement import Detail, Entry, Statement
from schemas.model.status import (
    BlockStatus,
    RecallAnswer,
    RecallRequest,
    Return,
    StatusReport,
    SystemEvent,
    TransactionStatus,
)

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


ABROAD_BANK = "MARKDEFF"
ABROAD_GROUP = pacs008.Group(
    "TRE20261123-000002", CREATED, "INDA", None, DAY, TREASURY, ABROAD_BANK, settlement_account="4001002003"
)
MEMBERSHIP = replace(
    SALARY,
    instruction_id="TG000000000043",
    end_to_end_id="UN-2026-0017",
    amount=Money(1_250_000_00, "EUR"),
    instructed_amount=Money(1_360_000_00, "USD"),
    exchange_rate="0.9191176471",
    charge_bearer="DEBT",
    debtor=Party(
        "Ministry of Economy and Finance", Address("KH", "Phnom Penh", "Street 92"), lei="5493001KJTIIGC8Y1R12"
    ),
    debtor_account=Account("4001002003", currency="EUR"),
    debtor_agent=Agent(TREASURY),
    creditor=Party("United Nations", Address("CH", "Geneva", post_code="1211", lines=("Palais des Nations",))),
    creditor_account=Account("CH9300762011623852957", "IBAN"),
    creditor_agent=Agent("UBSWCHZH80A"),
    intermediary_agents=(Agent("DEUTDEFF"), Agent(None, "DEBLZ", "50010517", None, "ING", Address("DE", "Frankfurt"))),
    ultimate_debtor=Party("Ministry of Foreign Affairs", TOWN),
    purpose="SUBS",
    category_purpose="GOVT",
    regulatory_reports=(RegulatoryReport("IMF17", "KH", ("Membership 2026", "Decree 12")), RegulatoryReport("X", None)),
    remittance=Remittance(("Assessed contribution 2026",)),
)
OWN_TRANSFER = replace(
    SALARY,
    kind="institution",
    debtor=Party(any_bic=TREASURY),
    creditor=Party("National Treasury", TOWN, PAYEE_BANK, "5493001KJTIIGC8Y1R12"),
    purpose="INTC",
    category_purpose=None,
    remittance=Remittance(("Sweep", "to the payroll account")),
)
COVERED = Covered(
    debtor=MEMBERSHIP.debtor,
    debtor_account=MEMBERSHIP.debtor_account,
    debtor_agent=MEMBERSHIP.debtor_agent,
    creditor=MEMBERSHIP.creditor,
    creditor_account=MEMBERSHIP.creditor_account,
    creditor_agent=MEMBERSHIP.creditor_agent,
    instructed_amount=MEMBERSHIP.amount,
    intermediary_agents=MEMBERSHIP.intermediary_agents[:1],
    remittance=Remittance(creditor_reference="RF18539007547034"),
)
COVER = replace(
    MEMBERSHIP,
    kind="institution",
    charge_bearer="SLEV",
    debtor=Party(any_bic=TREASURY),
    creditor=Party(any_bic="UBSWCHZH80A"),
    ultimate_debtor=None,
    instructed_amount=None,
    exchange_rate=None,
    regulatory_reports=(),
    remittance=Remittance(),
    covers=COVERED,
)
GIVEN_BACK = replace(
    SALARY,
    kind="return",
    creditor_agent=Agent(PAYEE_BANK),
    amount=Money(1_999_00, "KHR"),
    original=Original(
        "ACL-2026-77",
        "pacs.008.001.08",
        "BILL-77",
        "ACL-I-77",
        UETRS[1],
        Money(2_000_00, "KHR"),
        "AC01",
        "no such bill",
    ),
)
RECALL = RecallRequest(
    "TRE20261123-000009",
    "CASE-20261123-1",
    "DUPL",
    "paid on 2026-11-20 already",
    GROUP.message_id,
    pacs008.DEFINITION,
    SALARY.end_to_end_id,
    SALARY.instruction_id,
    UETRS[0],
    SALARY.amount,
    DAY,
    "CASE-20261123-1-1",
    CREATED,
    path="FIToFIPmtCxlReq/Undrlyg[1]/TxInf[1]",
)
ANSWER = RecallAnswer(
    "NBC20261123-000017",
    RECALL.case_id,
    "RJCR",
    "CUST",
    "the creditor keeps it",
    GROUP.message_id,
    SALARY.end_to_end_id,
    SALARY.instruction_id,
    UETRS[0],
    path="RsltnOfInvstgtn/CxlDtls[1]/TxInfAndSts[1]",
    original_message_name=pacs008.DEFINITION,
)
INQUIRY = pacs028.Inquiry(
    "TRE20261123-000010", CREATED, TREASURY, BANK, GROUP.message_id, pacs008.DEFINITION, CREATED, 2, "1250501.00"
)
ASKED = replace(
    INQUIRY,
    original_count=None,
    original_sum=None,
    transactions=(pacs028.Asked(SALARY.instruction_id, SALARY.end_to_end_id, UETRS[0]), pacs028.Asked(uetr=UETRS[1])),
)
REQUEST = camt060.Request(
    "TRE20261123-000011", CREATED, "camt.053.001.08", Account("000111222333", currency="KHR"), TREASURY, BANK, DAY
)
CUT_OFF = SystemEvent("NBC20261123-000020", "CUTO", "cut-off of payments in KHR", ("KHR", "2026-11-23"), CREATED)

MESSAGES: dict[str, Callable[[], _Element]] = {
    "head.001.001.02": header_of_envelope,
    "pacs.008.001.08": lambda: pacs008.build(GROUP, [SALARY, SUPPLIER]),
    "pacs.002.001.10": lambda: pacs002.build(REPORT, CREATED),
    "pacs.004.001.09": lambda: pacs004.build("NBC20261125-000002", CREATED, [RETURN], settlement=SETTLEMENT),
    "camt.053.001.08": lambda: camt_build.build_statement(
        "NBC-STMT-77-2", CREATED, STATEMENT, ENTRIES, servicer_bic=BANK
    ),
    "camt.054.001.08": lambda: camt_build.build_notification("NBC-NTF-5", CREATED, NOTIFICATION, ENTRIES),
    "pacs.009.001.08": lambda: pacs009.build(GROUP, [OWN_TRANSFER, replace(OWN_TRANSFER, covers=COVERED)]),
    "pacs.004.001.09-given-back": lambda: pacs004.build_given_back(
        "TRE20261123-000012", CREATED, [GIVEN_BACK], settlement=SETTLEMENT
    ),
    "camt.056.001.08": lambda: camt056.build(RECALL, CREATED, assigner_bic=TREASURY, assignee_bic=BANK),
    "camt.029.001.09": lambda: camt029.build([ANSWER], CREATED, assigner_bic=BANK, assignee_bic=TREASURY),
    "pacs.028.001.03": lambda: pacs028.build(INQUIRY),
    "pacs.028.001.03-transactions": lambda: pacs028.build(ASKED),
    "camt.060.001.05": lambda: camt060.build(REQUEST),
    "admi.002.001.01": lambda: admi002.build(
        GROUP.message_id, "FF01", CREATED, location="Document/FIToFICstmrCdtTrf", info="is not well-formed"
    ),
    "admi.004.001.02": lambda: admi004.build(CUT_OFF),
    "pacs.008.001.08-abroad": lambda: pacs008.build_single(ABROAD_GROUP, MEMBERSHIP),
    "pacs.009.001.08-abroad": lambda: pacs009.build_single(ABROAD_GROUP, replace(COVER, covers=None)),
    "pacs.009.001.08-cover-abroad": lambda: pacs009.build_single(ABROAD_GROUP, COVER),
    **{definition: _initiation(definition) for definition in pain001.VERSIONS},
    **{definition: _customer_report(definition) for definition in pain002.VERSIONS},
    pain007.DEFINITION: lambda: pain007.build(
        "BANK-20261125-3", CREATED, {"TRE20261123-000002-1": [REVERSAL]}, initiator=Initiator("Bank", bic=BANK)
    ),
}
"""Definition, and which example of it where there are several -> how it is built."""


def definition_of(name: str) -> str:
    """Return the definition of an example."""
    return name.partition("-")[0]


def guidelines_of(name: str) -> Path | None:
    """Return the folder of the guideline that an example is held to, where it is not the usual one."""
    return CBPR_FOLDER if name.endswith("abroad") else None
