"""camt.052, 053 and 054: every dialect that banks speak, and what no dialect excuses."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import date

import pytest
from lxml import etree

from schemas.errors import DocumentRefused
from schemas.iso20022 import camt, camt_build
from schemas.model.money import Money
from schemas.model.statement import Detail, Entry, Statement
from tests.golden.examples import CREATED, ENTRIES, MESSAGES, STATEMENT

ACCOUNT = "<Acct><Id><Othr><Id>000111222333</Id></Othr></Id><Ccy>KHR</Ccy></Acct>"
ENTRY = '<Ntry><Amt Ccy="KHR">5</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>BOOK</Sts></Ntry>'


def message(
    content: str, *, tag: str = "Stmt", name: str = "BkToCstmrStmt", number: str = "053", header: str = ""
) -> bytes:
    """Return a message with one statement of this content."""
    return (
        f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.{number}.001.04"><{name}><GrpHdr><MsgId>M1</MsgId>'
        f"{header}</GrpHdr><{tag}><Id>S1</Id>{content}</{tag}></{name}></Document>"
    ).encode()


def read(document: bytes) -> list[Statement | Entry]:
    """Read a document both ways, and see that the way makes no difference."""
    items = list(camt.read(etree.fromstring(document)))
    assert list(camt.read(io.BytesIO(document))) == items
    return items


def statement(content: str) -> Statement:
    """Return the statement of this content."""
    item = read(message(content))[0]
    assert isinstance(item, Statement)
    return item


def entry(content: str, currency: str = "KHR") -> Entry:
    """Return the one entry of this content."""
    item = read(message(f'{ACCOUNT}<Ntry><Amt Ccy="{currency}">1000</Amt>{content}</Ntry>'))[1]
    assert isinstance(item, Entry)
    return item


def detail(content: str, sign: str = "CRDT") -> Detail:
    """Return the one transaction of this content."""
    inside = f"<NtryDtls><TxDtls>{content}</TxDtls></NtryDtls>"
    return entry(f"<CdtDbtInd>{sign}</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>{inside}").details[0]


def balance(code: str, amount: str, indicator: str | None = "CRDT", day: str = "<Dt>2026-11-23</Dt>") -> str:
    """Return a Bal."""
    sign = f"<CdtDbtInd>{indicator}</CdtDbtInd>" if indicator else ""
    kind = f"<Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>"
    return f'<Bal>{kind}<Amt Ccy="KHR">{amount}</Amt>{sign}<Dt>{day}</Dt></Bal>'


# ------------------------------------------------------------------------------------------------- statements


def test_a_balance_without_an_indicator_is_a_credit() -> None:
    """Real banks leave it out on accounts that are never overdrawn."""
    found = statement(ACCOUNT + balance("OPBD", "5", None) + balance("CLBD", "2.5", "DBIT"))
    assert (found.opening, found.closing) == (Money(500, "KHR"), Money(-250, "KHR"))
    assert (found.opening_date, found.closing_date) == (date(2026, 11, 23), date(2026, 11, 23))


def test_the_previous_closing_opens_a_statement_that_has_no_opening() -> None:
    """PRCD is the same amount under another name; where both are there, OPBD is this statement's own."""
    assert statement(ACCOUNT + balance("PRCD", "1")).opening == Money(100, "KHR")
    assert statement(ACCOUNT + balance("PRCD", "1") + balance("OPBD", "2")).opening == Money(200, "KHR")


def test_available_and_forward_balances_are_not_booked_ones() -> None:
    """Only booked balances can be proved by booked entries."""
    found = statement(ACCOUNT + balance("CLAV", "1") + balance("FWAV", "2") + balance("FWAV", "3"))
    assert (found.opening, found.closing) == (None, None)


def test_pages_are_opened_and_closed_by_the_balance_between_them() -> None:
    """Each page adds up by itself, so that a broken page is found before the last one is there."""
    pages = [
        (1, False, Money(1, "KHR"), Money(2, "KHR"), ["OPBD", "ITBD"]),
        (2, False, Money(2, "KHR"), Money(3, "KHR"), ["ITBD", "ITBD"]),
        (3, True, Money(3, "KHR"), Money(4, "KHR"), ["ITBD", "CLBD"]),
    ]
    for page, last, opening, closing, codes in pages:
        part = replace(STATEMENT, page=page, last_page=last, opening=opening, closing=closing)
        document = camt_build.build_statement("M", CREATED, part, ENTRIES)
        assert [element.text for element in document.iterfind(".//{*}Bal/{*}Tp/{*}CdOrPrtry/{*}Cd")] == codes
        found = next(camt.read(document))
        assert isinstance(found, Statement)
        assert (found.page, found.last_page, found.opening, found.closing) == (page, last, opening, closing)


def test_the_messages_page_is_not_the_statements() -> None:
    """MsgPgntn counts messages: its page 2 may come without a page 1, and the statement in it is whole."""
    pages = "<MsgPgntn><PgNb>2</PgNb><LastPgInd>false</LastPgInd></MsgPgntn>"
    found = read(message(ACCOUNT, header=pages))[0]
    assert isinstance(found, Statement)
    assert (found.page, found.last_page) == (1, True)


def test_an_unpaged_statement_is_its_only_page() -> None:
    """Small statements are not paged, and not written with pages."""
    document = camt_build.build_statement("M", CREATED, replace(STATEMENT, page=1), ())
    assert document.find(".//{*}StmtPgntn") is None


def test_a_sequence_number_is_electronic_or_legal() -> None:
    """Continuity is checked on whichever the bank counts, and zero is a number."""
    assert statement(f"<ElctrncSeqNb>0070</ElctrncSeqNb><LglSeqNb>5</LglSeqNb>{ACCOUNT}").sequence == 70
    assert statement(f"<ElctrncSeqNb>0</ElctrncSeqNb><LglSeqNb>5</LglSeqNb>{ACCOUNT}").sequence == 0
    assert statement(f"<LglSeqNb>5</LglSeqNb>{ACCOUNT}").sequence == 5
    assert statement(ACCOUNT).sequence is None


@pytest.mark.parametrize(
    ("summary", "count", "net"),
    [
        ("<TtlNtries><NbOfNtries>3</NbOfNtries></TtlNtries>", 3, None),
        ("<TtlNtries><TtlNetNtryAmt>2</TtlNetNtryAmt><CdtDbtInd>DBIT</CdtDbtInd></TtlNtries>", None, -200),
        (
            "<TtlNtries><TtlNetNtry><Amt>2</Amt><CdtDbtInd>CRDT</CdtDbtInd></TtlNetNtry></TtlNtries>",
            None,
            200,
        ),
        ("<TtlCdtNtries><Sum>5</Sum></TtlCdtNtries><TtlDbtNtries><Sum>7</Sum></TtlDbtNtries>", None, -200),
        ("<TtlCdtNtries><Sum>5</Sum></TtlCdtNtries>", None, None),
    ],
)
def test_stated_totals_are_read_in_every_version(summary: str, count: int | None, net: int | None) -> None:
    """They are compared with the entries, so a statement that was cut is noticed."""
    found = statement(f"{ACCOUNT}<TxsSummry>{summary}</TxsSummry>")
    assert (found.entry_count, found.net_minor) == (count, net)


def test_the_currency_comes_from_the_account_or_a_balance_or_an_entry() -> None:
    """The account's Ccy is optional, and some banks leave it out."""
    bare = ACCOUNT.replace("<Ccy>KHR</Ccy>", "")
    assert statement(bare + balance("OPBD", "1")).currency == "KHR"
    assert statement(bare + ENTRY).currency == "KHR"
    with pytest.raises(DocumentRefused, match="which currency"):
        statement(bare)


def test_a_duplicate_says_so() -> None:
    """A copy of a statement must not be taken for a second one."""
    assert statement(f"<CpyDplctInd>CODU</CpyDplctInd>{ACCOUNT}").duplicate
    assert not statement(f"<CpyDplctInd>COPY</CpyDplctInd>{ACCOUNT}").duplicate


def test_several_statements_come_one_after_the_other_with_their_own_entries() -> None:
    """Two accounts in a file are two statements; entries are counted in each from 0."""
    one = f"<Stmt><Id>S2</Id>{ACCOUNT}{ENTRY}</Stmt>".encode()
    items = read(message(ACCOUNT + ENTRY + ENTRY).replace(b"</BkToCstmrStmt>", one + b"</BkToCstmrStmt>"))
    paths = [item.path.removeprefix("BkToCstmrStmt/") for item in items]
    assert paths == ["Stmt[1]", "Stmt[1]/Ntry[1]", "Stmt[1]/Ntry[2]", "Stmt[2]", "Stmt[2]/Ntry[1]"]
    assert [item.index for item in items if isinstance(item, Entry)] == [0, 1, 0]


@pytest.mark.parametrize(
    ("name", "tag", "number", "kind", "status"),
    [
        ("BkToCstmrStmt", "Stmt", "053", "statement", "BOOK"),
        ("BkToCstmrAcctRpt", "Rpt", "052", "report", "INFO"),
        ("BkToCstmrDbtCdtNtfctn", "Ntfctn", "054", "notification", "INFO"),
    ],
)
def test_an_entry_without_a_status_is_booked_on_a_statement_alone(
    name: str, tag: str, number: str, kind: str, status: str
) -> None:
    """A statement lists what was booked. An intraday notice may still change, so silence there moves no money."""
    content = ACCOUNT + ENTRY.replace("<Sts>BOOK</Sts>", "")
    found, item = read(message(content, tag=tag, name=name, number=number))
    assert isinstance(found, Statement)
    assert isinstance(item, Entry)
    assert (found.kind, item.status) == (kind, status)


# --------------------------------------------------------------------------------------------------- entries


def test_amounts_are_signed_as_the_bank_books_them() -> None:
    """A reversal's indicator already says which way the money went."""
    assert entry("<CdtDbtInd>DBIT</CdtDbtInd>").amount_minor == -100000
    reversal = entry("<CdtDbtInd>CRDT</CdtDbtInd><RvslInd>true</RvslInd><Sts><Prtry>X</Prtry></Sts>")
    assert (reversal.amount_minor, reversal.reversal, reversal.status) == (100000, True, "X")


@pytest.mark.parametrize(
    ("content", "code", "path"),
    [
        ('<Amt Ccy="KHR">1.005</Amt><CdtDbtInd>CRDT</CdtDbtInd>', "CH20", "Amt"),
        ('<Amt Ccy="JPY">1.5</Amt><CdtDbtInd>CRDT</CdtDbtInd>', "CH20", "Amt"),
        ('<Amt Ccy="KHR">1 000</Amt><CdtDbtInd>CRDT</CdtDbtInd>', "AM12", "Amt"),
        ("<Amt>1</Amt><CdtDbtInd>CRDT</CdtDbtInd>", "AM11", "Amt"),
        ("<CdtDbtInd>CRDT</CdtDbtInd>", "CH21", "Amt"),
        ('<Amt Ccy="KHR">1</Amt>', "CH21", "CdtDbtInd"),
        ('<Amt Ccy="KHR">1</Amt><CdtDbtInd>CREDIT</CdtDbtInd>', "FF01", "CdtDbtInd"),
        ('<Amt Ccy="KHR">1</Amt><Amt Ccy="KHR">2</Amt><CdtDbtInd>CRDT</CdtDbtInd>', "FF01", "Amt"),
        (
            '<Amt Ccy="KHR">1</Amt><CdtDbtInd>CRDT</CdtDbtInd><BookgDt><Dt>23.11.2026</Dt></BookgDt>',
            "DT01",
            "BookgDt/Dt",
        ),
        (
            '<Amt Ccy="KHR">1</Amt><CdtDbtInd>CRDT</CdtDbtInd><NtryDtls><Btch><NbOfTxs>x</NbOfTxs></Btch></NtryDtls>',
            "FF01",
            "NtryDtls/Btch/NbOfTxs",
        ),
        (
            (
                '<Amt Ccy="KHR">1</Amt><CdtDbtInd>CRDT</CdtDbtInd><NtryDtls><TxDtls><Amt Ccy="KHR">0.001</Amt></TxDtls>'
                "</NtryDtls>"
            ),
            "CH20",
            "NtryDtls/TxDtls[1]/Amt",
        ),
    ],
)
def test_an_entry_that_cannot_be_read_is_refused_with_its_place(content: str, code: str, path: str) -> None:
    """Rule 20 and its like: the statement is refused whole, and the operator is told which entry."""
    with pytest.raises(DocumentRefused) as refused:
        read(message(f"{ACCOUNT}{ENTRY}<Ntry>{content}</Ntry>"))
    assert (refused.value.code, refused.value.path) == (code, f"BkToCstmrStmt/Stmt[1]/Ntry[2]/{path}")


def test_dates_may_be_days_or_times() -> None:
    """The day is the bank's own, whatever the offset."""
    item = entry(
        "<CdtDbtInd>CRDT</CdtDbtInd><BookgDt><DtTm>2026-11-23T23:59:59+07:00</DtTm></BookgDt>"
        "<ValDt><Dt>2026-11-24</Dt></ValDt>"
    )
    assert (item.booking_date, item.value_date) == (date(2026, 11, 23), date(2026, 11, 24))


def test_bank_transaction_codes_are_iso_ones_or_the_banks_own() -> None:
    """The domain tells a fee from a payment; a bank's own code is kept as it is."""
    credit = "<CdtDbtInd>CRDT</CdtDbtInd>"
    domain = "<Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd><SubFmlyCd>ESCT</SubFmlyCd></Fmly></Domn>"
    own = "<Prtry><Cd>00100</Cd><Issr>A Bank</Issr></Prtry>"
    assert entry(f"{credit}<BkTxCd>{domain}{own}</BkTxCd>").bank_transaction_code == "PMNT/RCDT/ESCT"
    assert entry(f"{credit}<BkTxCd>{own}</BkTxCd>").bank_transaction_code == "00100"
    assert entry(f"{credit}<BkTxCd/>").bank_transaction_code is None


def test_a_batchs_count_is_what_the_bank_states() -> None:
    """It may differ from the details that are there: banks list only some of them."""
    batch = "<NtryDtls><Btch><NbOfTxs>80</NbOfTxs></Btch><TxDtls/></NtryDtls>"
    item = entry(f"<CdtDbtInd>CRDT</CdtDbtInd>{batch}{batch}")
    assert (item.batch_count, len(item.details)) == (160, 2)


@pytest.mark.parametrize(
    ("charges", "minor"),
    [
        ('<Chrgs><Amt Ccy="KHR">2</Amt></Chrgs><Chrgs><Amt Ccy="KHR">3</Amt></Chrgs>', 500),
        ('<Chrgs><TtlChrgsAndTaxAmt Ccy="KHR">2</TtlChrgsAndTaxAmt></Chrgs>', 200),
        (
            (
                '<Chrgs><TtlChrgsAndTaxAmt Ccy="KHR">1</TtlChrgsAndTaxAmt><Rcrd><Amt Ccy="KHR">3</Amt></Rcrd>'
                '<Rcrd><Amt Ccy="KHR">2</Amt><CdtDbtInd>CRDT</CdtDbtInd></Rcrd></Chrgs>'
            ),
            100,
        ),
        ('<Chrgs><Rcrd><Amt Ccy="USD">3</Amt></Rcrd></Chrgs>', 0),
    ],
)
def test_charges_are_added_up_in_every_version(charges: str, minor: int) -> None:
    """Rule 63: a difference between an entry and its details may be explained by charges."""
    assert entry(f"<CdtDbtInd>DBIT</CdtDbtInd>{charges}").charges_minor == minor
    assert detail(charges).charges_minor == minor


# --------------------------------------------------------------------------------------------------- details


def test_debits_and_credits_may_be_mixed_in_one_entry() -> None:
    """A netted entry is the signed sum of its transactions."""
    parts = "".join(
        f'<TxDtls><Amt Ccy="KHR">{amount}</Amt><CdtDbtInd>{sign}</CdtDbtInd></TxDtls>'
        for amount, sign in (("1500", "CRDT"), ("500", "DBIT"))
    )
    item = entry(f"<CdtDbtInd>CRDT</CdtDbtInd><NtryDtls>{parts}</NtryDtls>")
    assert [part.amount_minor for part in item.details] == [150000, -50000]
    assert sum(part.amount_minor or 0 for part in item.details) == item.amount_minor


def test_a_detail_without_an_indicator_goes_the_entrys_way() -> None:
    """Older versions state the direction once."""
    assert detail('<Amt Ccy="KHR">5</Amt>', "DBIT").amount_minor == -500
    assert detail('<AmtDtls><TxAmt><Amt Ccy="KHR">5</Amt></TxAmt></AmtDtls>').amount_minor == 500
    assert detail('<Amt Ccy="USD">5</Amt>').amount_minor is None
    assert detail("").amount_minor is None


def test_a_reference_that_is_not_provided_is_none() -> None:
    """It stands in thousands of payments, and would match each of them."""
    found = detail("<Refs><EndToEndId>NOTPROVIDED</EndToEndId><UETR>0B3F1D52-8A49-4C77-9D10-3F5C1D2E4A6B</UETR></Refs>")
    assert (found.end_to_end_id, found.uetr) == (None, "0b3f1d52-8a49-4c77-9d10-3f5c1d2e4a6b")


@pytest.mark.parametrize("nesting", ["<Nm>Sok</Nm>", "<Pty><Nm>Sok</Nm></Pty>"])
def test_the_counterparty_is_the_other_side(nesting: str) -> None:
    """Of a credit the debtor, of a debit the creditor; newer versions put a Pty in between."""
    parties = (
        f"<RltdPties><Dbtr>{nesting}</Dbtr><DbtrAcct><Id><IBAN>GB33BUKB20201555555555</IBAN></Id></DbtrAcct>"
        f"<Cdtr>{nesting.replace('Sok', 'Chan')}</Cdtr><CdtrAcct><Id><Othr><Id>99</Id></Othr></Id></CdtrAcct>"
        "</RltdPties>"
    )
    credit, debit = detail(parties), detail(parties, "DBIT")
    assert (credit.counterparty_name, credit.counterparty_account) == ("Sok", "GB33BUKB20201555555555")
    assert (debit.counterparty_name, debit.counterparty_account) == ("Chan", "99")


def test_remittance_holds_the_references_and_the_text() -> None:
    """Receipts are matched to bills by what stands here."""
    found = detail(
        "<RmtInf><Ustrd>Bill 7,</Ustrd><Ustrd>November</Ustrd>"
        "<Strd><CdtrRefInf><Ref>RF18539007547034</Ref></CdtrRefInf></Strd></RmtInf>"
    )
    assert found.remittance == "RF18539007547034 Bill 7, November"


# ---------------------------------------------------------------------------------------------- whole messages


@pytest.mark.parametrize(
    "document",
    [
        message(ACCOUNT).replace(b"camt.053", b"camt.056"),
        message(ACCOUNT).replace(b"<MsgId>M1</MsgId>", b""),
        message(ACCOUNT).replace(b"<GrpHdr><MsgId>M1</MsgId></GrpHdr>", b""),
        message(""),
        message(ACCOUNT, tag="Rpt"),
        message(ACCOUNT, tag="Other"),
        message(ACCOUNT + ENTRY + balance("CLBD", "5")),
        message(ACCOUNT + f"<Ntry>{ENTRY}</Ntry>"),
        b"<Document>" + ENTRY.encode() + b"</Document>",
        etree.tostring(MESSAGES["pacs.002.001.10"]()),
    ],
)
def test_what_is_no_whole_statement_is_refused_either_way(document: bytes) -> None:
    """Another message, no header, no account, a balance behind the entries, an entry in an entry."""
    for source in (etree.fromstring(document), io.BytesIO(document)):
        with pytest.raises(DocumentRefused):
            list(camt.read(source))


def test_two_messages_in_one_file_are_refused() -> None:
    """One document is one message; which of two ids would it have?"""
    one = message(ACCOUNT)
    inner = one[one.index(b"<BkToCstmrStmt>") : one.index(b"</Document>")]
    with pytest.raises(DocumentRefused):
        list(camt.read(io.BytesIO(one.replace(b"</Document>", inner + b"</Document>"))))


def test_a_statement_in_an_envelope_is_read_too() -> None:
    """Files come with their header as well as without."""
    bare = message(ACCOUNT + ENTRY)
    inside = b'<m:Message xmlns:m="urn:example"><AppHdr xmlns="urn:h"><Id>1</Id></AppHdr>' + bare + b"</m:Message>"
    assert read(inside) == read(bare)


def test_a_statement_is_built_with_a_balance_and_each_balance_with_its_date() -> None:
    """The standard demands both, and a defect of the caller is no bank's mistake."""
    with pytest.raises(ValueError, match="at least one balance"):
        camt_build.build_statement("M", CREATED, replace(STATEMENT, opening=None, closing=None), ())
    with pytest.raises(ValueError, match="needs its date"):
        camt_build.build_statement("M", CREATED, replace(STATEMENT, closing_date=None), ())
