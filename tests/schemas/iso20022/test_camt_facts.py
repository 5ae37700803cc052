"""What few entries and transactions have: batches, exchanges, returns, somebody behind the party, references."""

from __future__ import annotations

import io

import pytest
from lxml import etree

from schemas.errors import DocumentRefused
from schemas.iso20022 import camt
from schemas.model.money import Money
from schemas.model.statement import Detail, Entry, StatedAmount, Statement

_AMOUNT = '<Amt Ccy="KHR">1000</Amt>'


def message(content: str, header: str = "", version: str = "08") -> bytes:
    """Return a camt.053 with one statement of this content."""
    namespace = f"urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}"
    account = "<Acct><Id><Othr><Id>000111222333</Id></Othr></Id><Ccy>KHR</Ccy></Acct>"
    return (
        f'<Document xmlns="{namespace}"><BkToCstmrStmt><GrpHdr><MsgId>M1</MsgId>{header}</GrpHdr>'
        f"<Stmt><Id>S1</Id>{account}{content}</Stmt></BkToCstmrStmt></Document>"
    ).encode()


def read(document: bytes) -> list[Statement | Entry]:
    """Read a document both ways, and see that the way makes no difference."""
    items = list(camt.read(etree.fromstring(document)))
    assert list(camt.read(io.BytesIO(document))) == items
    return items


def entry(content: str, sign: str = "CRDT") -> Entry:
    """Return the one entry of this content."""
    item = read(message(f"<Ntry>{_AMOUNT}<CdtDbtInd>{sign}</CdtDbtInd>{content}</Ntry>"))[1]
    assert isinstance(item, Entry)
    return item


def detail(content: str, sign: str = "CRDT") -> Detail:
    """Return the one transaction of this content."""
    return entry(f"<NtryDtls><TxDtls>{content}</TxDtls></NtryDtls>", sign).details[0]


def refused(content: str) -> tuple[str, str]:
    """Return the code and the path, from the transaction on, with which it is refused."""
    with pytest.raises(DocumentRefused) as error:
        detail(content)
    return error.value.code, error.value.path.partition("TxDtls[1]/")[2]


# ---------------------------------------------------------------------------------------------------- pages, status


def test_the_group_headers_page_is_told_where_the_statement_has_none() -> None:
    """Version .02 has no other; where the statement has pages of its own, the message's are no concern."""
    group = "<MsgPgntn><PgNb>2</PgNb><LastPgInd>false</LastPgInd></MsgPgntn>"
    own = "<StmtPgntn><PgNb>5</PgNb><LastPgInd>true</LastPgInd></StmtPgntn>"
    cases = [("", "", (1, True, None, True)), (group, "", (1, True, 2, False)), (group, own, (5, True, None, True))]
    for header, content, expected in cases:
        item = read(message(content, header))[0]
        assert isinstance(item, Statement)
        assert (item.page, item.last_page, item.message_page, item.message_last_page) == expected


@pytest.mark.parametrize("version", ["02", "04", "06", "08", "13"])
@pytest.mark.parametrize("status", ["BOOK", "PDNG", "INFO", "FUTR"])
@pytest.mark.parametrize("spelling", ["{}", "<Cd>{}</Cd>", "<Prtry>{}</Prtry>", "\n  <Cd>\n {} </Cd>\n"])
def test_a_status_is_read_in_each_spelling_in_each_version(version: str, status: str, spelling: str) -> None:
    """A camt.054.001.10 of a real bank has the status of a .06: what stands there counts, not the number above it."""
    content = f"<Ntry>{_AMOUNT}<CdtDbtInd>CRDT</CdtDbtInd><Sts>{spelling.format(status)}</Sts></Ntry>"
    item = read(message(content, version=version))[1]
    assert isinstance(item, Entry)
    assert item.status == status


@pytest.mark.parametrize(("sign", "minor"), [("CRDT", 100_000), ("DBIT", -100_000)])
@pytest.mark.parametrize(("flag", "reversal"), [("true", True), ("1", True), ("false", False), ("0", False)])
def test_a_reversal_is_signed_as_it_was_booked(sign: str, minor: int, flag: str, *, reversal: bool) -> None:
    """The indicator is that of the entry itself; turning it round once more would move twice the amount."""
    item = entry(f"<RvslInd>{flag}</RvslInd>", sign)
    assert (item.amount_minor, item.reversal) == (minor, reversal)


def test_the_banks_own_code_is_kept_beside_isos() -> None:
    """Booking rules are often written for the bank's own codes."""
    domain = "<Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd><SubFmlyCd>ESCT</SubFmlyCd></Fmly></Domn>"
    own = "<Prtry><Cd>00100</Cd></Prtry>"
    codes = [
        (item.bank_transaction_code, item.proprietary_code)
        for item in (entry(f"<BkTxCd>{code}</BkTxCd>") for code in (domain + own, domain, own))
    ]
    assert codes == [("PMNT/RCDT/ESCT", "00100"), ("PMNT/RCDT/ESCT", None), ("00100", None)]
    assert detail(f"<BkTxCd>{own}</BkTxCd>").bank_transaction_code == "00100"
    assert detail("").bank_transaction_code is None


# ---------------------------------------------------------------------------------------------------------- batches


def batch(content: str) -> str:
    """Return the details of one batch without its transactions."""
    return f"<NtryDtls><Btch>{content}</Btch></NtryDtls>"


def test_a_batch_is_named_without_any_of_its_transactions() -> None:
    """Banks book a salary run as one line, and its ids are all that says which."""
    item = entry(
        batch('<MsgId>M7</MsgId><PmtInfId>P7</PmtInfId><NbOfTxs>80</NbOfTxs><TtlAmt Ccy="KHR">1000</TtlAmt>'), "DBIT"
    )
    assert (item.batch_message_id, item.batch_payment_information_id) == ("M7", "P7")
    assert (item.batch_count, item.batch_total_minor, item.details) == (80, -100_000, ())


def test_several_batches_in_an_entry_are_added_up_and_have_no_one_id() -> None:
    """An id of one of them would match the whole entry to a part of what it books."""
    one = '<MsgId>M7</MsgId><PmtInfId>P{}</PmtInfId><NbOfTxs>2</NbOfTxs><TtlAmt Ccy="KHR">{}</TtlAmt>'
    back = "<CdtDbtInd>DBIT</CdtDbtInd>"
    item = entry(batch(one.format(1, 1500)) + batch(one.format(2, 500) + back))
    assert (item.batch_message_id, item.batch_payment_information_id) == ("M7", None)
    assert (item.batch_count, item.batch_total_minor) == (4, 100_000)
    assert entry(batch("<PmtInfId>P1</PmtInfId>") + batch("")).batch_payment_information_id is None


def test_a_batch_states_only_what_it_states() -> None:
    """A total in another currency or of some of the batches is not the entry's, and an empty count is none."""
    half = entry(batch('<TtlAmt Ccy="KHR">5</TtlAmt>') + batch("<MsgId>M7</MsgId>"))
    foreign = entry(batch('<PmtInfId>NOTPROVIDED</PmtInfId><NbOfTxs/><TtlAmt Ccy="USD">5</TtlAmt>'))
    for item in (half, foreign):
        assert (item.batch_payment_information_id, item.batch_count, item.batch_total_minor) == (None, None, None)


# ------------------------------------------------------------------------------------------------ charges, exchange


@pytest.mark.parametrize(
    "charges",
    [
        (
            '<Chrgs><TtlChrgsAndTaxAmt Ccy="KHR">4</TtlChrgsAndTaxAmt><Amt Ccy="KHR">5</Amt>'
            '<CdtDbtInd>DBIT</CdtDbtInd></Chrgs><Chrgs><Amt Ccy="KHR">1</Amt><CdtDbtInd>CRDT</CdtDbtInd></Chrgs>'
        ),
        (
            '<Chrgs><TtlChrgsAndTaxAmt Ccy="KHR">4</TtlChrgsAndTaxAmt><Rcrd><Amt Ccy="KHR">5</Amt>'
            '<CdtDbtInd>DBIT</CdtDbtInd></Rcrd><Rcrd><Amt Ccy="KHR">1</Amt><CdtDbtInd>CRDT</CdtDbtInd></Rcrd></Chrgs>'
        ),
    ],
    ids=["old", "new"],
)
def test_charges_of_both_generations_are_the_same_sum(charges: str) -> None:
    """What was given back counts against what was taken, and a total is not added to its parts."""
    assert entry(charges).charges_minor == 400
    assert detail(charges).charges_minor == 400


def test_an_exchange_is_kept_as_each_side_states_it() -> None:
    """The rate keeps its digits: 0.94330 and 0.9433 are the same number and not the same text."""
    found = detail(
        f"{_AMOUNT}<AmtDtls>"
        '<InstdAmt><Amt Ccy="USD">100</Amt><CcyXchg><SrcCcy>USD</SrcCcy><TrgtCcy>KHR</TrgtCcy><UnitCcy>USD</UnitCcy>'
        "<XchgRate>4100.500</XchgRate><XchgRateBase>1</XchgRateBase></CcyXchg></InstdAmt>"
        '<TxAmt><Amt Ccy="KHR">410050</Amt></TxAmt>'
        '<CntrValAmt><Amt Ccy="JPY">15000</Amt><CcyXchg><SrcCcy>JPY</SrcCcy><XchgRate>0.94330</XchgRate></CcyXchg>'
        "</CntrValAmt></AmtDtls>"
    )
    assert found.instructed == StatedAmount(Money(10_000, "USD"), "USD", "KHR", "USD", "4100.500", "1")
    assert found.transaction == StatedAmount(Money(41_005_000, "KHR"))
    assert found.counter_value == StatedAmount(Money(15_000, "JPY"), "JPY", rate="0.94330")
    assert found.amount_minor == 100_000


def test_what_is_stated_in_something_that_is_no_money_here_is_left_out() -> None:
    """A drawing in SDR comes in with its amount in riel; the statement must not wait for the SDR."""
    sdr = '<AmtDtls><InstdAmt><Amt Ccy="XDR">7.00</Amt></InstdAmt></AmtDtls>'
    found = detail(_AMOUNT + sdr)
    assert (found.amount_minor, found.instructed) == (100_000, None)
    assert refused('<Amt Ccy="XDR">7.00</Amt>') == ("AM11", "Amt")
    assert refused(sdr.replace("InstdAmt", "TxAmt")) == ("AM11", "AmtDtls[1]/TxAmt/Amt")


@pytest.mark.parametrize(
    ("content", "code", "path"),
    [
        ('<AmtDtls><InstdAmt><Amt Ccy="JPY">1.5</Amt></InstdAmt></AmtDtls>', "CH20", "AmtDtls[1]/InstdAmt/Amt"),
        ('<AmtDtls><CntrValAmt><Amt Ccy="KHR">1,5</Amt></CntrValAmt></AmtDtls>', "AM12", "AmtDtls[1]/CntrValAmt/Amt"),
        ('<Chrgs><Rcrd><Amt Ccy="KHR">1.005</Amt></Rcrd></Chrgs>', "CH20", "Chrgs[1]/Rcrd[1]/Amt"),
        (f"{_AMOUNT}<CdtDbtInd>CREDIT</CdtDbtInd>", "FF01", "CdtDbtInd"),
        ("<AmtDtls/><AmtDtls/>", "FF01", "AmtDtls"),
        ("<RtrInf/><RtrInf/>", "FF01", "RtrInf"),
        ("<BkTxCd/><BkTxCd/>", "FF01", "BkTxCd"),
        ("<RltdPties><UltmtDbtr/><UltmtDbtr/></RltdPties>", "FF01", "RltdPties/UltmtDbtr"),
        ("<RltdPties><UltmtCdtr/><UltmtCdtr/></RltdPties>", "FF01", "RltdPties/UltmtCdtr"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(content: str, code: str, path: str) -> None:
    """Two returns of one transaction cannot both be meant, and nobody else can say which one is."""
    assert refused(content) == (code, path)


# -------------------------------------------------------------------------------- what came back, who, and for what


@pytest.mark.parametrize(("kind", "reason"), [("Cd", "AC04"), ("Prtry", "Konto gesperrt")])
def test_a_return_carries_its_reason_and_the_originals_references(kind: str, reason: str) -> None:
    """Rule 55: the payment that came back is found by what it was sent with."""
    found = detail(
        "<Refs><MsgId>M1</MsgId><PmtInfId>P1</PmtInfId><InstrId>I1</InstrId><EndToEndId>E1</EndToEndId><TxId>T1</TxId>"
        "</Refs><RtrInf><OrgnlBkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>ICDT</Cd><SubFmlyCd>DMCT</SubFmlyCd></Fmly></Domn>"
        f"</OrgnlBkTxCd><Rsn><{kind}>{reason}</{kind}></Rsn><AddtlInf>closed</AddtlInf><AddtlInf>in May</AddtlInf>"
        "</RtrInf>"
    )
    assert (found.return_reason, found.return_information) == (reason, "closed in May")
    assert found.original_bank_transaction_code == "PMNT/ICDT/DMCT"
    assert (found.message_id, found.payment_information_id) == ("M1", "P1")
    assert (found.instruction_id, found.end_to_end_id, found.transaction_id) == ("I1", "E1", "T1")


def test_a_return_may_say_nothing_more_than_that_it_is_one() -> None:
    """The bank's own code of the original is kept; without anything there is nothing to keep."""
    own = detail("<RtrInf><OrgnlBkTxCd><Prtry><Cd>00700</Cd></Prtry></OrgnlBkTxCd></RtrInf>")
    assert (own.original_bank_transaction_code, own.return_reason, own.return_information) == ("00700", None, None)
    assert detail("<RtrInf/>") == detail("")


@pytest.mark.parametrize(
    "name", ["<Nm>{}</Nm>", "<Pty><Nm>{}</Nm></Pty>", "<Agt><FinInstnId><Nm>{}</Nm></FinInstnId></Agt>"]
)
def test_who_stands_behind_the_parties_is_named(name: str) -> None:
    """A ministry pays through the treasury: the bill is the ministry's."""
    parties = "".join(f"<{tag}>{name.format(tag)}</{tag}>" for tag in ("Dbtr", "UltmtDbtr", "Cdtr", "UltmtCdtr"))
    for sign, other in (("CRDT", "Dbtr"), ("DBIT", "Cdtr")):
        found = detail(f"<RltdPties>{parties}</RltdPties>", sign)
        names = (found.counterparty_name, found.ultimate_debtor_name, found.ultimate_creditor_name)
        assert names == (other, "UltmtDbtr", "UltmtCdtr")


@pytest.mark.parametrize(("sign", "party"), [("CRDT", "Dbtr"), ("DBIT", "Cdtr")])
@pytest.mark.parametrize("place", ["<IBAN>GB33BUKB20201555555555</IBAN>", "<Othr><Id>000111</Id></Othr>"])
def test_the_other_sides_account_is_read_in_either_form(sign: str, party: str, place: str) -> None:
    """Countries without IBANs have numbers of their own."""
    ours = "<Id><Othr><Id>999</Id></Othr></Id>"
    accounts = "".join(
        f"<{tag}Acct>{f'<Id>{place}</Id>' if tag == party else ours}</{tag}Acct>" for tag in ("Dbtr", "Cdtr")
    )
    found = detail(f"<RltdPties>{accounts}</RltdPties>", sign)
    assert found.counterparty_account == ("GB33BUKB20201555555555" if "IBAN" in place else "000111")


@pytest.mark.parametrize(("sign", "party"), [("CRDT", "Dbtr"), ("DBIT", "Cdtr")])
@pytest.mark.parametrize("tag", ["BICFI", "BIC"])
def test_the_other_sides_bank_is_read_in_either_version(sign: str, party: str, tag: str) -> None:
    """What is given back goes to the bank that it came from."""
    agents = "".join(
        f"<{side}Agt><FinInstnId><{tag}>{'ABAAKHPP' if side == party else 'NCAMKHPP'}</{tag}></FinInstnId></{side}Agt>"
        for side in ("Dbtr", "Cdtr")
    )
    assert detail(f"<RltdAgts>{agents}</RltdAgts>", sign).counterparty_bank == "ABAAKHPP"
    assert detail("", sign).counterparty_bank is None


def structured(*references: str) -> str:
    """Return structured remittance, a document and a reference each."""
    parts = [
        f"<Strd><RfrdDocInf><Nb>D{i}</Nb></RfrdDocInf><CdtrRefInf><Ref>{reference}</Ref></CdtrRefInf>"
        f"<AddtlRmtInf>more {i}</AddtlRmtInf></Strd>"
        for i, reference in enumerate(references, 1)
    ]
    return f"<RmtInf><Ustrd>free text</Ustrd>{''.join(parts)}</RmtInf>"


def test_a_creditor_reference_is_a_field_of_its_own() -> None:
    """It is matched exactly; the joined text is for people and for bills that are named in words."""
    found = detail(structured("RF18539007547034"))
    assert (found.creditor_reference, found.document_numbers) == ("RF18539007547034", ("D1",))
    assert found.remittance == "RF18539007547034 free text D1 more 1"
    twice = detail(structured("RF18539007547034", "RF18539007547034"))
    assert (twice.creditor_reference, twice.document_numbers) == ("RF18539007547034", ("D1", "D2"))


def test_of_several_creditor_references_none_is_the_one() -> None:
    """A payment of two bills belongs to neither alone, and the text still names both."""
    found = detail(structured("A", "B"))
    assert (found.creditor_reference, found.remittance) == (None, "A B free text D1 D2 more 1 more 2")


def test_unstructured_remittance_names_no_reference() -> None:
    """What looks like a reference in free text is somebody's guess."""
    found = detail("<RmtInf><Ustrd>RF18539007547034</Ustrd></RmtInf>")
    assert (found.creditor_reference, found.document_numbers, found.remittance) == (None, (), "RF18539007547034")
