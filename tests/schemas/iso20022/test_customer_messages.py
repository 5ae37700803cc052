"""pain.001, pain.002 and pain.007: every version says the same, and what contradicts itself is refused."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from schemas.errors import DocumentRefused
from schemas.iso20022 import pain001, pain002, pain007, xml
from schemas.iso20022.customer import Initiator, PaymentType
from schemas.model.payment import Agent, Payment
from schemas.model.status import Return, StatusReport
from tests.golden import examples
from tests.official import definitions
from tests.schemas.iso20022 import strategies

thorough = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""No deadline: a loaded machine is not a defect of the message."""
SAMPLES = Path(os.environ.get("GATEWAY_SHARED", definitions.PROJECT / ".." / "shared")) / "samples" / "pain002"


def sent(document: etree._Element, definition: str) -> etree._Element:
    """Check the message both ways, and return it as its receiver parses it.

    Where the official definition is absent, the golden files' tests say so.
    """
    received = etree.fromstring(etree.tostring(document, encoding="UTF-8"))
    xml.validate(received, definition)
    if (path := definitions.shared(definition) or definitions.in_wheel(definition)) is not None:
        definitions.schema(path).assertValid(received)
    return received


def without_uetr(block: pain001.Block) -> pain001.Block:
    """Return the block as a version without UETR carries it."""
    return replace(block, payments=tuple(replace(payment, uetr="") for payment in block.payments))


@pytest.mark.parametrize("definition", pain001.VERSIONS)
@thorough
@given(case=strategies.initiations())
def test_an_initiation_is_read_as_it_was_written(
    definition: str, case: tuple[pain001.Group, list[pain001.Block]]
) -> None:
    """The bank must understand the payment that was ordered, in every version that it may take."""
    group, blocks = case
    document = sent(pain001.build(group, blocks, definition), definition)
    expected = blocks if pain001.VERSIONS[definition].uetr else [without_uetr(block) for block in blocks]
    assert pain001.read(document) == (group, expected)


@pytest.mark.parametrize("definition", pain002.VERSIONS)
@thorough
@given(report=strategies.customer_reports())
def test_a_customer_report_is_read_as_it_was_written(definition: str, report: StatusReport) -> None:
    """A status decides what happens to money, at whichever level it stands."""
    read = pain002.read(sent(pain002.build(report, definition), definition))
    uetr = pain002.VERSIONS[definition]

    def plain(said: StatusReport) -> StatusReport:
        return replace(
            said,
            blocks=tuple(
                replace(
                    block,
                    path="",
                    transactions=tuple(
                        replace(item, path="", uetr=item.uetr if uetr else None) for item in block.transactions
                    ),
                )
                for block in said.blocks
            ),
        )

    assert plain(read) == plain(report)


@thorough
@given(returned=strategies.returns(), block=strategies.reference())
def test_a_reversal_is_read_as_it_was_written(returned: tuple[str, object, Sequence[Return]], block: str) -> None:
    """A reversal brings money back to the payment it names."""
    message_id, _, returns = returned
    items = [
        replace(
            item, uetr=None, settlement_date=None, charges_minor=0, original_message_name="pain.001.001.05",
            instruction_id=item.instruction_id or "I-1",
        )
        for item in returns
    ]  # fmt: skip
    document = sent(pain007.build(message_id, datetime(2026, 11, 23, tzinfo=UTC), {block: items}), pain007.DEFINITION)
    assert [replace(item, path="") for item in pain007.read(document)] == items


# ------------------------------------------------------------------------------------------------------- differences


@pytest.mark.parametrize(
    ("definition", "present", "absent"),
    [
        ("pain.001.001.03", ["BIC", "BICOrBEI", "Othr/SchmeNm/Prtry"], ["BICFI", "AnyBIC", "LEI", "UETR", "Dt"]),
        ("pain.001.001.05", ["BICFI", "AnyBIC", "Othr/SchmeNm/Prtry"], ["BIC", "BICOrBEI", "LEI", "UETR", "Dt"]),
        ("pain.001.001.09", ["BICFI", "AnyBIC", "LEI", "UETR", "ReqdExctnDt/Dt"], ["BIC", "BICOrBEI"]),
        ("pain.001.001.11", ["BICFI", "AnyBIC", "LEI", "UETR", "ReqdExctnDt/Dt"], ["BIC", "BICOrBEI"]),
    ],
)
def test_a_version_names_things_in_its_own_way(definition: str, present: list[str], absent: list[str]) -> None:
    """Rule 30 and the history of the components: a bank refuses the tag of another version."""
    built = examples.MESSAGES[definition]()

    def has(path: str) -> bool:
        return built.find(".//" + "/".join(f"{{*}}{step}" for step in path.split("/"))) is not None

    assert [has(path) for path in present] == [True] * len(present)
    assert [has(path) for path in absent] == [False] * len(absent)


def changed(definition: str, path: str, text: str | None) -> etree._Element:
    """Return a golden message with one value changed, or its element taken out."""
    root = examples.MESSAGES[definition]()
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
    ("path", "text", "code", "where"),
    [
        ("GrpHdr/NbOfTxs", "4", "AM18", "GrpHdr/NbOfTxs"),
        ("GrpHdr/NbOfTxs", None, "CH21", "GrpHdr/NbOfTxs"),
        ("GrpHdr/CtrlSum", "1.00", "AM10", "GrpHdr/CtrlSum"),
        ("PmtInf/NbOfTxs", "1", "AM18", "PmtInf[1]/NbOfTxs"),
        ("PmtInf/CtrlSum", "1.00", "AM10", "PmtInf[1]/CtrlSum"),
        ("PmtInf/ReqdExctnDt", None, "CH21", "PmtInf[1]/ReqdExctnDt"),
        ("PmtInf/PmtMtd", "CHK", "FF01", "PmtInf[1]/PmtMtd"),
        ("PmtInf/PmtTpInf/InstrPrty", "SLOW", "FF01", "PmtInf[1]/PmtTpInf/InstrPrty"),
        ("PmtInf/CdtTrfTxInf/CdtrAcct", None, "CH21", "PmtInf[1]/CdtTrfTxInf[1]/CdtrAcct/Id/Othr/Id"),
        ("PmtInf/CdtTrfTxInf/Amt/InstdAmt", "1.005", "CH20", "PmtInf[1]/CdtTrfTxInf[1]/Amt/InstdAmt"),
    ],
)
def test_an_initiation_that_contradicts_itself_is_refused(path: str, text: str | None, code: str, where: str) -> None:
    """Rules 8 to 10: a bank refuses such a file whole, and says where."""
    with pytest.raises(DocumentRefused) as refused:
        pain001.read(changed("pain.001.001.09", f"CstmrCdtTrfInitn/{path}", text))
    assert (refused.value.code, refused.value.path) == (code, f"CstmrCdtTrfInitn/{where}")


def test_another_message_is_refused_by_name() -> None:
    """A reader that took a version it does not know would guess."""
    document = etree.fromstring(
        etree.tostring(examples.MESSAGES["pain.001.001.09"]()).replace(b"pain.001.001.09", b"pain.001.001.08")
    )
    with pytest.raises(DocumentRefused, match=r"pain\.001\.001\.08") as refused:
        pain001.read(document)
    assert refused.value.code == "FF03"


ALICE = replace(examples.SALARY, category_purpose=None)


@pytest.mark.parametrize(
    ("payments", "said", "bearer"),
    [
        ((ALICE, replace(ALICE, debtor_agent=Agent("ABAAKHPP"))), None, None),
        ((ALICE, replace(ALICE, charge_bearer="DEBT")), None, "SLEV"),
        ((ALICE, replace(ALICE, urgency="high")), PaymentType("normal"), None),
        ((ALICE,), PaymentType("normal", category_purpose="SALA"), None),
        ((replace(ALICE, intermediary_agents=(Agent("ABAAKHPP"),) * 4),), None, None),
    ],
)
def test_payments_that_do_not_belong_together_are_a_defect_of_the_caller(
    payments: tuple[Payment, ...], said: PaymentType | None, bearer: str | None
) -> None:
    """What a block says once must hold for each of its payments, or a payment would go out as nobody ordered it."""
    block = pain001.Block("B-1", examples.DAY, payments, payment_type=said, charge_bearer=bearer)
    with pytest.raises(ValueError, match=r"block B-1|argument"):
        pain001.build(pain001.Group("M-1", examples.CREATED, Initiator("T")), [block], "pain.001.001.09")


# ---------------------------------------------------------------------------------------------------- status reports


def test_a_transaction_without_a_status_has_that_of_its_block_or_message() -> None:
    """TxSts is optional in the standard: what is said of the whole holds for its parts."""
    path = "CstmrPmtStsRpt/OrgnlPmtInfAndSts/TxInfAndSts/TxSts"
    report = pain002.read(changed("pain.002.001.10", path, None))
    assert report.blocks[0].transactions[0].status == "PART"


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2026-11-23T08:30:00Z", None, datetime(2026, 11, 23, 8, 30, tzinfo=UTC)),
        ("2026-11-23T08:30:00.5", None, None),
        ("2026-11-23T08:30:00", timezone(timedelta(hours=7)), datetime(2026, 11, 23, 1, 30, tzinfo=UTC)),
    ],
)
def test_a_report_without_an_offset_is_meant_in_the_banks_zone(
    text: str, zone: timezone | None, expected: datetime | None
) -> None:
    """Rule 58: which of two reports is the later one must not depend on our own clock's zone."""
    document = changed("pain.002.001.03", "CstmrPmtStsRpt/GrpHdr/CreDtTm", text)
    assert pain002.read(document, zone).created == expected


@pytest.mark.parametrize(
    ("path", "text", "code"),
    [
        ("GrpHdr/CreDtTm", "yesterday", "DT01"),
        ("OrgnlGrpInfAndSts", None, "FF01"),
        ("OrgnlPmtInfAndSts/OrgnlPmtInfId", None, "CH21"),
    ],
)
def test_a_report_that_says_nothing_usable_is_refused(path: str, text: str | None, code: str) -> None:
    """A status of nobody knows what must not move anything."""
    with pytest.raises(DocumentRefused) as refused:
        pain002.read(changed("pain.002.001.03", f"CstmrPmtStsRpt/{path}", text))
    assert refused.value.code == code


@given(st.sampled_from(["OrgnlInstrId", "OrgnlEndToEndId", "OrgnlUETR"]))
def test_one_reference_is_enough_to_name_a_payment(kept: str) -> None:
    """Banks repeat what they like; which payment is meant, its own number, its EndToEndId or its UETR says."""
    root = examples.MESSAGES["pain.002.001.10"]()
    first = root.find(".//{*}TxInfAndSts")
    assert first is not None
    for tag in {"OrgnlInstrId", "OrgnlEndToEndId", "OrgnlUETR"} - {kept}:
        element = first.find(f"{{*}}{tag}")
        assert element is not None
        first.remove(element)
    assert pain002.read(root).blocks[0].transactions[0].status == "ACSC"
    for element in list(first)[:1]:
        first.remove(element)
    with pytest.raises(DocumentRefused, match="names no payment"):
        pain002.read(root)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason=f"the sample files are not in {SAMPLES}")
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("batch_rejected", (None, "RJCT", [])),
        ("credit_accepted", ("AMBCD10000000", "ACTC", [("ACTC", ["ACSP"])])),
        ("transaction_rejected", ("missing2", "ACTC", [("RJCT", ["RJCT", "RJCT", "RJCT"])])),
    ],
)
def test_a_banks_published_reports_are_read(name: str, expected: tuple[object, ...]) -> None:
    """Real files hold more than our own: totals, the initiating party, a clearing reference before the status.

    Their publisher wrote the namespace's attribute in capitals, which is mended here.
    """
    content = (SAMPLES / f"cross_river_pain_002_{name}.xml").read_bytes().replace(b" Xmlns=", b" xmlns=")
    report = pain002.read(etree.fromstring(content))
    blocks = [(block.status, [item.status for item in block.transactions]) for block in report.blocks]
    assert (report.original_message_id, report.group_status, blocks) == expected


# --------------------------------------------------------------------------------------------------------- reversals


@pytest.mark.parametrize(
    ("path", "text", "code"),
    [
        ("GrpHdr/NbOfTxs", "2", "AM18"),
        ("GrpHdr/CtrlSum", "1.00", "AM10"),
        ("OrgnlGrpInf", None, "CH21"),
        ("OrgnlPmtInfAndRvsl/TxInf", None, "CH21"),
        ("OrgnlPmtInfAndRvsl/TxInf/RvsdInstdAmt", None, "CH21"),
    ],
)
def test_a_reversal_that_cannot_be_used_is_refused(path: str, text: str | None, code: str) -> None:
    """Money that comes back must name its payment and its amount."""
    with pytest.raises(DocumentRefused) as refused:
        pain007.read(changed(pain007.DEFINITION, f"CstmrPmtRvsl/{path}", text))
    assert refused.value.code == code
