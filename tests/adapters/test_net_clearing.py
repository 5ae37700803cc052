"""The net clearing rail: files whose columns never shift, answers that never turn half a payment into none."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.layout_settings import LayoutSettings
from adapters.profile import Profile, check_profiles, load
from adapters.rails import Composed, Facts, Received, Sent, Task, apart_of, inquiry_of, net_clearing, rail, recall_of
from schemas.errors import ConfigurationError, DocumentRefused
from schemas.flat import reading, writing
from schemas.flat.layout import Field, Kind, Record, Value
from schemas.model.identifiers import message_id
from schemas.model.money import Money
from schemas.model.payment import Agent, Party, Payment, Remittance
from security.trust import TrustStore
from tests.golden import examples

PATH = Path(__file__).parent / "banks" / "net-clearing.toml"
GOOD = PATH.read_text(encoding="utf-8")
HOUSE = load(PATH)
DAY = date(2026, 11, 30)
AT = datetime(2026, 11, 30, 9, 15, 7, tzinfo=HOUSE.zone)
TASK = Task(message_id("TREAKHPP", DAY, 42), AT, DAY)
TRUST = TrustStore(anchors=(), signers=())
GOLDEN = Path(__file__).parents[1] / "golden"


def layout() -> LayoutSettings:
    """Return the layout of the house."""
    assert HOUSE.layout is not None
    return HOUSE.layout


def payment(number: int, **changes: Any) -> Payment:
    """Return a payment in whole riel."""
    made = replace(
        examples.SALARY, payment_id=number, instruction_id=f"TG{number:012d}", end_to_end_id=f"PO-{number}",
        amount=Money(100_00 * number, "KHR"), execution_date=DAY, debtor_agent=Agent(HOUSE.bank_bic),
        debtor=Party("National Treasury"), creditor=Party("Sok Dara"), remittance=Remittance(("Salary", "November")),
    )  # fmt: skip
    return replace(made, **changes)


def composed(payments: Sequence[Payment]) -> tuple[Composed, Facts]:
    """Return a file and what it says of itself."""
    seen: list[Facts] = []
    made = rail("net_clearing").compose(HOUSE, TASK, payments, None, seen.append)  # type: ignore[arg-type]  # unsigned
    return made, seen[0]


def status(*lines: str, file: str | None = None, word: str = "", reason: str = "") -> bytes:
    """Return a status file of the house."""
    header = f"S{file or layout().name_of(TASK.message_id):80}{word:10}{reason:4}20261130101500"
    return "".join(f"{line:160}\r\n" for line in (header, *lines, f"E{len(lines):06}")).encode()


def line(number: int, word: str, sides: str = "YY", reason: str = "", info: str = "") -> str:
    """Return a line of a status file."""
    return f"LTG{number:012d}".ljust(36) + f"{word:10}{reason:4}{sides}20261130{'N' + str(number):20}{info}"


def read(document: bytes) -> Received:
    """Read a document of the house."""
    return rail("net_clearing").read(HOUSE, document, TRUST, AT)


# --------------------------------------------------------------------------------------------------------- composing


def test_the_file_is_the_one_that_was_agreed() -> None:
    """Byte for byte: the house's programs see columns, and nothing else."""
    made, _ = composed([payment(1), payment(2, creditor=Party("Chan, Sophea & Co."), purpose=None)])
    golden = GOLDEN / "ncs-credit-1.txt"
    assert made.document == golden.read_bytes()
    assert (made.name, made.definition) == ("NCS-TREAKHPP-20261130-000000000042.txt", "ncs-credit-1")


def test_the_file_says_what_was_meant() -> None:
    """Count and total are read back from the bytes that leave, and the gateway compares them with the payments."""
    _, facts = composed([payment(1), payment(2)])
    assert (facts.stated_count, facts.stated_sum, facts.amounts) == ("2", "300.00", ("100.00", "200.00"))
    assert (facts.message_id, facts.header) == (TASK.message_id, None)


def test_payments_of_two_debtor_accounts_do_not_share_a_file() -> None:
    """The header names one account, which the house debits for all of them."""
    apart = apart_of(rail("net_clearing"))
    assert apart is not None
    other = replace(payment(1).debtor_account, number="000300000009")
    assert apart(HOUSE, payment(1)) == apart(HOUSE, payment(2))
    assert apart(HOUSE, payment(1)) != apart(HOUSE, payment(1, debtor_account=other))


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"creditor": Party("សុខ ដារ៉ា")}, "RR10", "line 2, column 141"),
        ({"creditor": Party("Sok\nDara")}, "RR10", "line 2, detail.name"),
        ({"creditor": Party("Sok\u202eDara")}, "RR10", "line 2, detail.name"),
        ({"creditor": Party("x" * 71)}, "CH16", "line 2, detail.name"),
        ({"end_to_end_id": "x" * 36}, "CH16", "line 2, detail.reference"),
        ({"amount": Money(10**17, "KHR")}, None, None),
        ({"amount": Money(9 * 10**18, "KHR")}, "AM12", "line 2, detail.amount"),
    ],
)
def test_what_does_not_fit_is_refused_and_never_mended(changes: Any, code: str | None, path: str | None) -> None:
    """A name that is cut, or a reference, is another name, or another reference."""
    if code is None:
        composed([payment(1, **changes)])
        return
    with pytest.raises(DocumentRefused) as refused:
        composed([payment(1, **changes)])
    assert (refused.value.code, refused.value.path) == (code, path)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)


@given(texts, texts, st.integers(0, 10**15))
def test_hostile_text_never_shifts_a_column(name: str, remittance: str, minor: int) -> None:
    """Either there is no file, or every line has its length, and every other field stands where it stood."""
    hostile = payment(1, creditor=Party(name), remittance=Remittance((remittance,)), amount=Money(minor, "KHR"))
    try:
        made, facts = composed([hostile, payment(2)])
    except DocumentRefused:
        return
    lines = made.document.split(b"\r\n")
    assert [len(one) for one in lines] == [280, 280, 280, 280, 0]
    assert facts.amounts == (Money(minor, "KHR").text(), "200.00")
    assert lines[1][7:42].rstrip() == b"TG000000000001"
    assert lines[1][106:140].rstrip() == hostile.creditor_account.number.encode()
    assert lines[1][140:210].decode().rstrip(" ") == name.rstrip(" ")


KINDS: tuple[Kind, ...] = ("text", "number", "amount")
places = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 12)), min_size=1, max_size=8)


@given(places, st.data())
def test_what_is_written_is_read_back(gaps: list[tuple[int, int]], data: st.DataObject) -> None:
    """Whatever the layout: every field has exactly its length, and holds what was put into it."""
    fields: list[Field] = []
    values: dict[str, Value] = {}
    at = 0
    for number, (gap, columns) in enumerate(gaps):
        kind: Kind = data.draw(st.sampled_from(KINDS))
        length = max(columns, 3) if kind == "amount" else columns
        name, start = f"f{number}", at + gap + 1
        at = start - 1 + length
        right, pad = (False, " ") if kind == "text" else (True, data.draw(st.sampled_from("0 ")))
        if kind == "amount":
            values[name] = Money(data.draw(st.integers(0, 10**length - 1)), "KHR")
        elif kind == "number":
            values[name] = data.draw(st.integers(0, 10**length - 1))
        else:
            letters = st.characters(min_codepoint=32, max_codepoint=126)
            values[name] = data.draw(st.text(letters, max_size=length)).rstrip(" ")
        fields.append(Field(name, start, length, kind, name, "", right, pad))
    record = Record("detail", tuple(fields), at + 2)
    written = writing.line(record, values)
    assert len(written) == record.length
    assert reading.values(record, written, 1, UTC, "KHR") == values


# ----------------------------------------------------------------------------------------------------------- reading


def test_each_line_of_a_status_file_is_a_status_of_its_payment() -> None:
    """By our own number, with the house's reason in the code that everybody knows."""
    (report,) = read(status(line(1, "Processed"), line(2, "Error", "NN", "E002", "closed"))).reports
    assert report.original_message_id == TASK.message_id
    assert report.created == datetime(2026, 11, 30, 10, 15, tzinfo=HOUSE.zone)
    one, two = report.transactions
    assert (one.instruction_id, one.status, one.reason, one.servicer_reference) == (
        "TG000000000001",
        "ACSC",
        None,
        "N1",
    )
    assert (two.instruction_id, two.status, two.reason, two.info) == ("TG000000000002", "RJCT", "AC04", "closed")
    assert (one.settlement_date, one.path) == (DAY, "line 2")


@pytest.mark.parametrize(
    ("word", "sides", "expected"),
    [
        ("Processed", "YY", "ACSC"),
        ("Error", "NN", "RJCT"),
        ("Waiting", "NN", "ACSP"),
        ("Suspended", "NN", "BLCK"),
        ("Error", "YN", "BLCK"),
        ("Waiting", "YN", "BLCK"),
        ("Processed", "YN", "BLCK"),
        ("Error", "YY", "BLCK"),
        ("Processed", "NN", "BLCK"),
        ("Error", "NY", "BLCK"),
    ],
)
def test_half_done_is_in_doubt_whatever_it_is_called(word: str, sides: str, expected: str) -> None:
    """Debited and not credited: to call it an error would pay it twice, to call it done would never pay it."""
    (report,) = read(status(line(1, word, sides))).reports
    assert report.transactions[0].status == expected


def test_a_file_may_be_answered_as_a_whole() -> None:
    """Before it is processed there is nothing to say of lines; a duplicate says nothing of the first of its name."""
    (waiting,) = read(status(word="Waiting")).reports
    assert (waiting.group_status, waiting.transactions) == ("ACSP", ())
    (duplicate,) = read(status(word="Error", reason="E900")).reports
    assert (duplicate.group_status, duplicate.group_reason) == ("RJCT", "DU01")
    (unknown,) = read(status(word="Error", reason="E777")).reports
    assert (unknown.group_reason, unknown.group_info) == ("NARR", "E777")


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (status(line(1, "Dancing")), "line 2, status: the status 'Dancing' is not among"),
        (status(word="Processed", file="OTHER-1.txt"), "line 1, file_name"),
        (status(line(1, "Processed")).replace(b"E000001", b"E000002"), "AM18 at line 3, count: 2 lines are announced"),
        (status(line(1, "Processed"))[:-2], "cut off"),
        (status(line(1, "Processed")).replace(b"Y2026", b"Y  2026"), "line 2: 162 characters"),
        (status("?"), "line 2: this line is of no kind"),
        (status(line(1, "Processed").replace("20261130", "20261331")), "line 2, field settled"),
        (status(line(1, "Processed", info="\xe9")).replace(b"\xc3\xa9", b"\xe9"), "byte"),
        (b"hello\r\n", "FF03"),
        (b"", "empty"),
    ],
)
def test_an_answer_that_is_not_understood_is_refused_whole(document: bytes, said: str) -> None:
    """Nothing of it is used; it is kept, and a person sees where it stops."""
    with pytest.raises(DocumentRefused) as refused:
        read(document)
    assert said in str(refused.value)


def test_the_settlement_statement_is_read_and_a_status_file_is_none() -> None:
    """The gateway asks first whether a document is an unsigned statement."""
    house = rail("net_clearing")
    assert house.read_unsigned(HOUSE, io.BytesIO(status(word="Waiting"))) is None
    statement = (
        b":20:NCS1\r\n:25:000300000001\r\n:28C:1/1\r\n:60F:C261127KHR1000,\r\n"
        b":61:2611301130D100,NTRFTG000000000001//N1\r\n:62F:C261130KHR900,\r\n-\r\n"
    )
    received = read(statement)
    assert received.definition == "MT"
    assert received.statements is not None
    assert len(list(received.statements)) == 2


def test_the_house_is_asked_by_the_name_of_the_file() -> None:
    """It knows no other."""
    ask = inquiry_of(rail("net_clearing"))
    assert ask is not None
    sent = Sent("M-1", "NCS-M-1.txt", "ncs-credit-1", AT, DAY, (payment(1),), 7, Money(700_00, "KHR"))
    made = ask(HOUSE, TASK, sent, None)  # type: ignore[arg-type]  # nothing is signed
    assert made.document == f"{'QNCS-M-1.txt':81}000007".ljust(280).encode() + b"\r\n"
    assert made.name == f"ASK-{TASK.message_id}.txt"
    assert recall_of(rail("net_clearing")) is None


# ---------------------------------------------------------------------------------------------------------- checking


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("sequence = { start = 2, length = 6", "sequence = { start = 2, length = 7", "detail.instruction: begins in"),
        ("text = { start = 215, length = 66", "text = { start = 215, length = 67", "detail.text: ends in column 281"),
        ('holds = "creditor_bic" }', 'holds = "creditor_bank" }', "detail.bank: 'creditor_bank' is not known here"),
        ('literal = "T" }', 'literal = "TT" }', "trailer.record: 'TT' does not fit into 1 columns"),
        ('literal = "T" }', 'literal = "D" }', "layout.detail: no literal tells this record from the others"),
        ('literal = "E" }', 'literal = "S" }', "layout.status.header: no literal tells"),
        ('holds = "purpose" }', 'holds = "purpose", cut = true }', "detail.purpose: only names, remittance"),
        ('holds = "purpose" }', 'holds = "purpose", pad = "0" }', "detail.purpose: zeros behind a value"),
        ('format = "YYYYMMDDhhmmss" }', 'format = "YYYYMMDDhhmmzz" }', "created: 'YYYYMMDDhhmmzz' is not a form"),
        ('format = "YYYYMMDDhhmmss" }', 'format = "YYYYMMDD" }', "header.created: 'YYYYMMDD' has 8 characters"),
        ('holds = "total", decimals = 2 }', 'literal = "0" }', "layout.trailer: nothing holds count"),
        ('status = { start = 37, length = 10, holds = "status" }', "", "status.detail: nothing holds the status"),
        ('file_name = "NCS-{message_id}.txt"', 'file_name = "NCS.txt"', "layout.file_name: 'NCS.txt'"),
        ('Waiting = "ACSP"', 'Waiting = "Wait"', "layout.status.codes.Waiting: String should match pattern"),
        ('character_set = "x"', 'character_set = "utf-8"', 'message.character_set: should be "x"'),
        ('length = 6, holds = "sequence"', 'length = 3, holds = "sequence"', "3 digits do not count"),
        ("[layout.inquiry]", "[layout.other]", "layout.other: unknown key"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_layout_is_said_with_its_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    """One wrong column is a wrong amount on a wrong account."""
    assert old in GOOD
    path = tmp_path / "house.toml"
    path.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    findings = check_profiles([path])
    assert said in findings[0].message
    changed = GOOD[: GOOD.index(old)].count("\n") + 1
    assert abs(findings[0].line - changed) <= (1 if "no literal" not in said and "nothing holds" not in said else 99)


def test_the_house_of_the_tests_is_described_without_a_mistake() -> None:
    """What the others are held against."""
    assert check_profiles([PATH]) == []


def test_a_profile_without_a_layout_is_told_what_is_missing() -> None:
    """By the check, and by whoever composes all the same."""
    bare: Profile = HOUSE.model_copy(update={"layout": None})
    assert [place for place, _ in net_clearing.faults(bare)] == [("layout",)]
    with pytest.raises(ConfigurationError, match="layout: missing"):
        rail("net_clearing").compose(bare, TASK, [payment(1)], None, lambda _: None)  # type: ignore[arg-type]  # unsigned
    silent = HOUSE.model_copy(update={"layout": layout().model_copy(update={"inquiry": None})})
    assert [place for place, _ in net_clearing.faults(silent)] == [("channel", "inquire_after_s")]
