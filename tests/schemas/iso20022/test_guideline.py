"""Usage guidelines: stricter than the standard, named by path, and replaceable by an operator."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from lxml import etree

from schemas.errors import ConfigurationError, DocumentRefused
from schemas.iso20022 import xml
from schemas.iso20022.guideline import OWN_FOLDER
from tests.golden.examples import MESSAGES

PACS008 = "pacs.008.001.08"
TRANSACTION = "Document/FIToFICstmrCdtTrf/CdtTrfTxInf"


def changed(path: str, text: str | None) -> etree._Element:
    """Return the golden credit transfer with one value changed, or its element taken out."""
    root = MESSAGES[PACS008]()
    element = root.find("/".join(f"{{*}}{step}" for step in path.split("/")))
    assert element is not None
    if text is None:
        parent = element.getparent()
        assert parent is not None
        parent.remove(element)
    else:
        element.text = text
    return root


@pytest.mark.parametrize(
    ("path", "text", "refused_at"),
    [
        ("PmtId/UETR", "0B3F1D52-8A49-4C77-9D10-3F5C1D2E4A6B", "PmtId/UETR"),
        ("PmtId/UETR", "0b3f1d52-8a49-1c77-9d10-3f5c1d2e4a6b", "PmtId/UETR"),
        ("PmtId/UETR", None, "PmtId"),
        ("PmtId/InstrId", "/A", "PmtId/InstrId"),
        ("PmtId/EndToEndId", "A//B", "PmtId/EndToEndId"),
        ("PmtId/EndToEndId", "A" * 36, "PmtId/EndToEndId"),
        ("IntrBkSttlmAmt", "0.00", "IntrBkSttlmAmt"),
        ("IntrBkSttlmAmt", "01.00", "IntrBkSttlmAmt"),
        ("IntrBkSttlmAmt", "+1.00", "IntrBkSttlmAmt"),
        ("ChrgBr", "NONE", "ChrgBr"),
        ("Dbtr/PstlAdr/TwnNm", None, "Dbtr/PstlAdr/Ctry"),
        ("Dbtr/PstlAdr/Ctry", "kh", "Dbtr/PstlAdr/Ctry"),
        ("Dbtr/Nm", None, "Dbtr/PstlAdr"),
        ("CdtrAcct", None, "Purp"),
        ("CdtrAgt/FinInstnId/BICFI", "ACLB", "CdtrAgt/FinInstnId/BICFI"),
    ],
)
def test_the_guideline_is_stricter_than_the_standard(path: str, text: str | None, refused_at: str) -> None:
    """What a bank would refuse is refused here, before it is signed, at the very element."""
    document = changed(f"FIToFICstmrCdtTrf/CdtTrfTxInf/{path}", text)
    with pytest.raises(DocumentRefused) as refused:
        xml.validate(document, PACS008)
    assert (refused.value.code, refused.value.path) == ("FF01", f"{TRANSACTION}[1]/{refused_at}")


def test_a_third_address_line_is_refused() -> None:
    """Rule 44: a hybrid address has at most two free lines."""
    root = MESSAGES[PACS008]()
    line = root.findall(".//{*}AdrLine")[1]
    parent = line.getparent()
    assert parent is not None
    etree.SubElement(parent, line.tag).text = "Floor 3"
    with pytest.raises(DocumentRefused, match="AdrLine") as refused:
        xml.validate(root, PACS008)
    assert refused.value.path == f"{TRANSACTION}[2]/Cdtr/PstlAdr/AdrLine[3]"


def test_an_error_says_its_line_and_no_full_account_number() -> None:
    """Errors go to logs, and an account number does not."""
    root = changed("FIToFICstmrCdtTrf/CdtTrfTxInf/CdtrAcct/Id/Othr/Id", "_001234567890")
    document = etree.fromstring(etree.tostring(root).replace(b"<CdtTrfTxInf>", b"\n<CdtTrfTxInf>"))
    with pytest.raises(DocumentRefused, match=r"line 2: .*_\.\.\.7890") as refused:
        xml.validate(document, PACS008)
    assert "001234567890" not in str(refused.value)


def test_an_element_inside_an_envelope_is_validated_by_itself() -> None:
    """Header and document have guidelines of their own, whatever they travel in, and with any prefix."""
    root = etree.fromstring(b'<m:Message xmlns:m="urn:example"/>')
    root.append(MESSAGES[PACS008]())
    xml.validate(root[0], PACS008)
    text = etree.tostring(root[0]).replace(b"<", b"<p:").replace(b"<p:/", b"</p:").replace(b"xmlns=", b"xmlns:p=")
    prefixed = etree.fromstring(text)
    xml.validate(prefixed, PACS008)
    element = prefixed.findall(".//{*}ChrgBr")[1]
    element.text = "?"
    with pytest.raises(DocumentRefused) as refused:
        xml.validate(prefixed, PACS008)
    assert refused.value.path == f"{TRANSACTION}[2]/ChrgBr"


def test_an_operators_guideline_is_used_instead_of_ours(tmp_path: Path) -> None:
    """A bank's own guideline, or the official set, is dropped into a folder; what is not there stays ours."""
    own = (OWN_FOLDER / f"{PACS008}.xsd").read_text(encoding="utf-8")
    (tmp_path / "types.xsd").write_bytes((OWN_FOLDER / "types.xsd").read_bytes())
    stricter = own.replace('name="Purp" type="Code" minOccurs="0"', 'name="Purp" type="Code"')
    assert stricter != own
    (tmp_path / f"{PACS008}.xsd").write_text(stricter, encoding="utf-8")
    document = changed("FIToFICstmrCdtTrf/CdtTrfTxInf/Purp", None)
    xml.validate(document, PACS008)
    with pytest.raises(DocumentRefused, match="Purp"):
        xml.validate(document, PACS008, tmp_path)
    xml.validate(MESSAGES["head.001.001.02"](), "head.001.001.02", tmp_path)


def test_a_guideline_that_is_missing_or_broken_is_a_configuration_error(tmp_path: Path) -> None:
    """Nothing is sent unvalidated because a file was forgotten."""
    document = MESSAGES[PACS008]()
    with pytest.raises(ConfigurationError, match="no usage guideline"):
        xml.validate(document, "pacs.008.001.99")
    (tmp_path / f"{PACS008}.xsd").write_text("<nonsense/>", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="not an XML schema"):
        xml.validate(document, PACS008, tmp_path)


@pytest.mark.parametrize("name", ["../../etc/passwd", "types", "", "pacs.008.001.08/..", "pacs.008.001.08\n"])
def test_a_definitions_name_cannot_lead_out_of_the_folder(name: str) -> None:
    """The name may come from a stranger's header."""
    with pytest.raises(ConfigurationError, match="not the name of a message definition"):
        xml.validate(MESSAGES[PACS008](), name)


def test_threads_do_not_see_each_others_errors() -> None:
    """A schema keeps the errors of its last validation, so each thread has its own."""

    def path_of_error(number: int) -> str:
        bad = changed("FIToFICstmrCdtTrf/CdtTrfTxInf/ChrgBr" if number % 2 else "FIToFICstmrCdtTrf/GrpHdr/MsgId", "?/")
        try:
            xml.validate(bad, PACS008)
        except DocumentRefused as refused:
            return refused.path
        return ""

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(path_of_error, range(40)))
    assert found == ["Document/FIToFICstmrCdtTrf/GrpHdr/MsgId", f"{TRANSACTION}[1]/ChrgBr"] * 20
