"""pacs.008, pacs.002 and pacs.004: what a reader insists on, and what a writer refuses to write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from lxml import etree

from schemas.errors import DocumentRefused
from schemas.iso20022 import pacs002, pacs004, pacs008
from schemas.model.money import Money
from schemas.model.status import StatusReport
from tests.golden.examples import CREATED, GROUP, MESSAGES, REPORT, RETURN, SALARY, SETTLEMENT, SUPPLIER

Reader = Callable[[etree._Element], object]
READERS: dict[str, Reader] = {
    "pacs.008.001.08": pacs008.read,
    "pacs.002.001.10": pacs002.read,
    "pacs.004.001.09": pacs004.read,
}


def changed(definition: str, path: str, text: str | None) -> etree._Element:
    """Return a golden message with one value changed, or its element taken out."""
    root = MESSAGES[definition]()
    element = root.find("*/" + "/".join(f"{{*}}{step}" for step in path.split("/")))
    assert element is not None
    element.text = text
    parent = element.getparent()
    if text is None and parent is not None:
        parent.remove(element)
    return root


@pytest.mark.parametrize(
    ("definition", "path", "text", "code", "refused_at"),
    [
        ("pacs.008.001.08", "GrpHdr/NbOfTxs", "3", "AM18", "GrpHdr/NbOfTxs"),
        ("pacs.008.001.08", "GrpHdr/CtrlSum", "1250501.01", "AM10", "GrpHdr/CtrlSum"),
        ("pacs.008.001.08", "GrpHdr/TtlIntrBkSttlmAmt", "1.00", "AM10", "GrpHdr/TtlIntrBkSttlmAmt"),
        ("pacs.008.001.08", "GrpHdr/MsgId", None, "CH21", "GrpHdr/MsgId"),
        ("pacs.008.001.08", "GrpHdr/IntrBkSttlmDt", None, "CH21", "CdtTrfTxInf[1]/IntrBkSttlmDt"),
        ("pacs.008.001.08", "GrpHdr/SttlmInf", None, "CH21", "GrpHdr/SttlmInf/SttlmMtd"),
        ("pacs.008.001.08", "GrpHdr/InstgAgt", None, "CH21", "CdtTrfTxInf[1]/InstgAgt/FinInstnId/BICFI"),
        ("pacs.008.001.08", "CdtTrfTxInf/IntrBkSttlmAmt", "1e3", "AM12", "CdtTrfTxInf[1]/IntrBkSttlmAmt"),
        ("pacs.008.001.08", "CdtTrfTxInf/PmtTpInf/InstrPrty", "SOON", "FF01", "CdtTrfTxInf[1]/PmtTpInf/InstrPrty"),
        ("pacs.008.001.08", "CdtTrfTxInf/PmtId/EndToEndId", None, "CH21", "CdtTrfTxInf[1]/PmtId/EndToEndId"),
        ("pacs.002.001.10", "GrpHdr/MsgId", None, "CH21", "GrpHdr[1]/MsgId"),
        ("pacs.002.001.10", "GrpHdr", None, "FF01", "OrgnlGrpInfAndSts"),
        ("pacs.002.001.10", "TxInfAndSts/TxSts", None, "CH21", "TxInfAndSts[1]/TxSts"),
        ("pacs.004.001.09", "GrpHdr/NbOfTxs", "2", "AM18", "GrpHdr/NbOfTxs"),
        ("pacs.004.001.09", "GrpHdr/CtrlSum", "1", "AM10", "GrpHdr/CtrlSum"),
        ("pacs.004.001.09", "TxInf/RtrdIntrBkSttlmAmt", None, "CH21", "TxInf[1]/RtrdIntrBkSttlmAmt"),
    ],
)
def test_a_message_that_contradicts_itself_or_lacks_a_field_is_refused(
    definition: str, path: str, text: str | None, code: str, refused_at: str
) -> None:
    """Rules 8 and 9 of incoming messages, and what nobody could process without."""
    document = changed(definition, path, text)
    with pytest.raises(DocumentRefused) as refused:
        READERS[definition](document)
    assert (refused.value.code, refused.value.path.partition("/")[2]) == (code, refused_at)


@pytest.mark.parametrize("definition", READERS)
def test_a_message_of_another_definition_or_version_is_refused(definition: str) -> None:
    """The reader reads one definition; which one a document is, its namespace says."""
    for other in READERS.keys() - {definition}:
        with pytest.raises(DocumentRefused):
            READERS[definition](MESSAGES[other]())
    namespace = f"urn:iso:std:iso:20022:tech:xsd:{definition}"
    for content in (b"", b"<Other/>", b"<FIToFICstmrCdtTrf/>", b"<PmtRtr/>"):
        with pytest.raises(DocumentRefused):
            READERS[definition](etree.fromstring(b'<Document xmlns="%b">%b</Document>' % (namespace.encode(), content)))


def test_a_group_is_of_one_currency_and_not_empty() -> None:
    """A control sum over two currencies means nothing; a mixed group is a defect of whoever made it."""
    dollars = replace(SUPPLIER, amount=Money(1, "USD"))
    for payments in ([], [SALARY, dollars]):
        with pytest.raises(ValueError, match="one currency"):
            pacs008.build(GROUP, payments)
    for returns in ([], [RETURN, replace(RETURN, amount=Money(1, "USD"))]):
        with pytest.raises(ValueError, match="one currency"):
            pacs004.build("R", CREATED, returns, settlement=SETTLEMENT)


def test_mixed_currencies_under_one_total_are_refused() -> None:
    """A stranger's message may well have been written without that care."""
    document = MESSAGES["pacs.008.001.08"]()
    amount = document.find(".//{*}CdtTrfTxInf/{*}IntrBkSttlmAmt")
    assert amount is not None
    amount.set("Ccy", "USD")
    with pytest.raises(DocumentRefused, match="AM10"):
        pacs008.read(document)


@pytest.mark.parametrize(("bearer", "instructed"), [("CRED", 150), ("SHAR", 150), ("SLEV", 150), ("DEBT", 100)])
def test_charges_come_with_the_instructed_amount_they_were_taken_from(bearer: str, instructed: int) -> None:
    """The standard's rule: who states charges states the instructed amount; with DEBT the payee gets all of it."""
    document = pacs008.build(GROUP, [replace(SUPPLIER, charge_bearer=bearer)])
    assert document.findtext(".//{*}InstdAmt") == Money(instructed, "KHR").text()
    assert pacs008.build(GROUP, [SALARY]).find(".//{*}InstdAmt") is None


@pytest.mark.parametrize("definition", ["pacs.002.001.10", "pacs.004.001.09"])
def test_an_answer_that_names_no_payment_is_refused(definition: str) -> None:
    """NOTPROVIDED identifies nothing: it must never match a payment that has it as well."""
    document = MESSAGES[definition]()
    for tag in ("OrgnlInstrId", "OrgnlUETR"):
        for element in document.findall(f".//{{*}}{tag}"):
            element.getparent().remove(element)  # type: ignore[union-attr] # found below the root
    for element in document.findall(".//{*}OrgnlEndToEndId"):
        element.text = "NOTPROVIDED"
    with pytest.raises(DocumentRefused, match="names no payment"):
        READERS[definition](document)


def test_a_status_of_a_whole_message_needs_no_transactions() -> None:
    """A bank that refuses a message does not repeat its 10,000 payments."""
    report = StatusReport("S1", GROUP.message_id, pacs008.DEFINITION, "RJCT", "AM10", "control sum")
    assert pacs002.read(pacs002.build(report, CREATED)) == report
    with pytest.raises(ValueError, match="original message"):
        pacs002.build(replace(report, original_message_id=None), CREATED)


def test_a_status_without_its_group_reads_the_original_from_the_transaction() -> None:
    """Cross-border banks name the original message in each transaction alone."""
    document = changed("pacs.002.001.10", "OrgnlGrpInfAndSts", None)
    report = pacs002.read(document)
    assert (report.original_message_id, report.group_status) == (None, None)
    assert [item.original_message_id for item in report.transactions] == [None, GROUP.message_id]
    again = pacs002.build(replace(REPORT, original_message_name=None, group_status=None), CREATED)
    assert again.find(".//{*}OrgnlGrpInf") is None


def test_several_reasons_and_a_prohibited_second_group() -> None:
    """The first reason counts, the narratives belong together; two originals in one report are not ours."""
    document = MESSAGES["pacs.002.001.10"]()
    reason = document.findall(".//{*}TxInfAndSts/{*}StsRsnInf")[-1]
    reason.addnext(etree.fromstring(etree.tostring(reason).replace(b"AC04", b"MS03")))
    transaction = pacs002.read(document).transactions[1]
    assert (transaction.reason, transaction.info) == ("AC04", "x" * 300)
    group = document.find(".//{*}OrgnlGrpInfAndSts")
    assert group is not None
    group.addnext(etree.fromstring(etree.tostring(group)))
    with pytest.raises(DocumentRefused, match="2 original messages"):
        pacs002.read(document)


def test_a_proprietary_reason_and_an_upper_case_uetr_are_understood() -> None:
    """The UETR is compared, and some senders write it in capitals."""
    text = etree.tostring(MESSAGES["pacs.004.001.09"]())
    text = text.replace(b"<Rsn><Cd>AC04</Cd></Rsn>", b"<Rsn><Prtry>CLOSED</Prtry></Rsn>")
    text = text.replace((RETURN.uetr or "").encode(), (RETURN.uetr or "").upper().encode())
    read = pacs004.read(etree.fromstring(text))
    assert read == [replace(RETURN, reason="CLOSED")]


def test_a_return_takes_the_original_from_the_message_or_its_reference() -> None:
    """OrgnlGrpInf may stand once for all, and the original amount in OrgnlTxRef."""
    document = changed("pacs.004.001.09", "TxInf/OrgnlGrpInf", None)
    assert pacs004.read(document)[0].original_message_id is None
    header = document[0][0]
    header.addnext(
        etree.fromstring(
            f'<OrgnlGrpInf xmlns="{pacs004.NAMESPACE}"><OrgnlMsgId>ALL</OrgnlMsgId>'
            "<OrgnlMsgNmId>pacs.008.001.08</OrgnlMsgNmId></OrgnlGrpInf>"
        )
    )
    amount = document.find(".//{*}OrgnlIntrBkSttlmAmt")
    transaction = document.find(".//{*}TxInf")
    assert amount is not None
    assert transaction is not None
    reference = etree.SubElement(transaction, f"{{{pacs004.NAMESPACE}}}OrgnlTxRef")
    amount.tag = f"{{{pacs004.NAMESPACE}}}IntrBkSttlmAmt"
    reference.append(amount)
    read = pacs004.read(document)[0]
    assert (read.original_message_id, read.original_amount) == ("ALL", SALARY.amount)
