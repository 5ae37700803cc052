"""Every camt.052, 053 and 054 among the sample files: what it holds, and whether it proves itself."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from schemas.errors import DocumentRefused
from schemas.iso20022 import camt
from schemas.model.statement import Entry, Statement

SHARED = Path(os.environ.get("GATEWAY_SHARED", Path(__file__).resolve().parents[2] / ".." / "shared")) / "samples"
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason=f"the sample files are not in {SHARED}")

_DEFINITION = re.compile(rb"urn:iso:std:iso:20022:tech:xsd:(camt\.05[234]\.001\.[0-9]{2})")
_SHORTENED = "its publisher left entries out, and kept the balances of the whole statement"


class Sample(NamedTuple):
    """What a file gives.

    Attributes:
        definition: the version that its namespace names.
        entries: how many entries each of its statements has; none at all where the file is refused.
        gaps: opening + booked entries - closing of each statement, minor units; None where it has not both balances.
        why: why a gap is none of the reader's, or why the file is refused.
        summaries: statements whose TxsSummry states a net total.
    """

    definition: str
    entries: tuple[int, ...]
    gaps: tuple[int | None, ...]
    why: str = ""
    summaries: int = 0


def _day(first: int, second: int = 0) -> Sample:
    """Return a day of the two settlement accounts."""
    return Sample("camt.053.001.08", (first, second), (0, 0))


_DAYS = {
    "03-07": _day(3), "03-08": _day(4), "03-11": _day(8), "03-12": _day(11), "03-13": _day(6), "03-14": _day(14),
    "03-15": _day(7), "03-18": _day(3), "03-19": _day(11), "03-20": _day(5), "03-21": _day(8), "03-22": _day(10, 1),
    "03-25": _day(12), "03-26": _day(4), "03-27": _day(7), "03-28": _day(0, 10), "04-02": _day(14), "04-03": _day(8),
    "04-04": _day(11), "04-05": _day(5), "04-08": _day(5), "04-09": _day(5), "04-10": _day(9), "04-11": _day(15),
}  # fmt: skip
SAMPLES = {
    "camt052/viafintech_valid_example.xml": Sample("camt.052.001.02", (2,), (0,)),
    "camt053/abn_amro.xml": Sample("camt.053.001.02", (13,), (0,)),
    "camt053/ing.xml": Sample("camt.053.001.02", (9,), (0,), summaries=1),
    "camt053/viafintech_valid_example_v4.xml": Sample("camt.053.001.04", (13,), (0,)),
    "camt053/viafintech_valid_example_v8.xml": Sample("camt.053.001.08", (3,), (-125_102,), _SHORTENED),
    "camt053/viafintech_valid_example_with_batch.xml": Sample(
        "camt.053.001.02", (3,), (-1_277_414,), _SHORTENED, summaries=1
    ),
    "camt053/viafintech_valid_example_with_instdamt.xml": Sample(
        "camt.053.001.02", (1,), (10_000,), "its own figures: 100.00 and 4500.00 are to be 4500.00"
    ),
    **{f"camt053/settlement-account/2024-{day}.xml": sample for day, sample in _DAYS.items()},
    "camt054/viafintech_valid_example.xml": Sample("camt.054.001.04", (4,), (None,)),
    **{
        f"camt054/notifications/2024-03-{day}.xml": Sample("camt.054.001.10", (1,), (None,))
        for day in ("07", "08", "09", "10", "11", "12")
    },
    "rtgs/cbpr/camt054_credit_notification_sample.xml": Sample("camt.054.001.08", (1,), (None,)),
}


@cache
def read(name: str) -> list[tuple[Statement, list[Entry]]]:
    """Return the statements of a file with their entries."""
    found: list[tuple[Statement, list[Entry]]] = []
    with (SHARED / name).open("rb") as source:
        for item in camt.read(source):
            if isinstance(item, Statement):
                found.append((item, []))
            else:
                found[-1][1].append(item)
    return found


def gap(statement: Statement, entries: list[Entry]) -> int | None:
    """Return by how much the booked entries do not lead from the opening to the closing."""
    if statement.opening is None or statement.closing is None:
        return None
    booked = sum(entry.amount_minor for entry in entries if entry.status == "BOOK")
    return statement.opening.amount_minor + booked - statement.closing.amount_minor


def test_the_table_and_the_folder_hold_the_same_files() -> None:
    """A new sample is a new dialect: somebody has to say what it should give."""
    here = {str(path.relative_to(SHARED)) for path in SHARED.rglob("*.xml") if _DEFINITION.search(path.read_bytes())}
    assert here == SAMPLES.keys()


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_gives_what_the_table_says(name: str) -> None:
    """What banks really send is read in one way, whatever version they say it is."""
    sample = SAMPLES[name]
    definition = _DEFINITION.search((SHARED / name).read_bytes())
    assert definition is not None
    assert definition[1].decode() == sample.definition
    if not sample.entries:
        with pytest.raises(DocumentRefused, match=sample.why):
            read(name)
        return
    found = read(name)
    assert tuple(len(entries) for _, entries in found) == sample.entries
    assert tuple(gap(*one) for one in found) == sample.gaps
    assert bool(sample.why) == any(sample.gaps), "a gap needs its reason, and a reason its gap"


@pytest.mark.parametrize("name", SAMPLES)
def test_the_entries_of_a_sample_sum_up_to_what_it_states_itself(name: str) -> None:
    """TxsSummry counts and adds up the entries, unless the publisher left some of them out."""
    sample = SAMPLES[name]
    summaries = 0
    for statement, entries in read(name):
        if statement.net_minor is None and statement.entry_count is None:
            continue
        summaries += statement.net_minor is not None
        count, net = len(entries), sum(entry.amount_minor for entry in entries)
        assert ((count, net) == (statement.entry_count, statement.net_minor)) == (sample.why != _SHORTENED)
    assert summaries == sample.summaries


@pytest.mark.parametrize("name", [name for name in SAMPLES if name.startswith("camt054/notifications/")])
def test_the_transactions_of_a_notification_sum_up_to_its_entry(name: str) -> None:
    """These notifications have no TxsSummry: the entry's amount is what they state of up to 500 transactions."""
    for _, entries in read(name):
        for entry in entries:
            amounts = [detail.amount_minor for detail in entry.details]
            assert None not in amounts
            assert sum(minor or 0 for minor in amounts) == entry.amount_minor


def test_batches_of_real_files_name_what_we_sent() -> None:
    """An entry that books a whole batch is matched by the batch's ids."""
    entries = [entry for _, found in read("camt053/viafintech_valid_example_v8.xml") for entry in found]
    batches = [(one.batch_message_id, one.batch_payment_information_id, one.batch_count) for one in entries]
    assert ("1b30f9941c8e459f9b0a7b11137b3720", "8d8075ce49134553a261033714278400", 1) in batches


def test_exchanges_of_real_files_keep_the_rate_as_it_was_written() -> None:
    """A rate is text: what was booked is not reckoned again with it."""
    entries = [entry for _, found in read("camt053/viafintech_valid_example_v8.xml") for entry in found]
    stated = entries[-1].details[0].transaction
    assert stated is not None
    assert (str(stated.amount), stated.source_currency, stated.rate) == ("EUR 20.97", "CHF", "0.9433")


def test_the_settlement_accounts_message_pages_are_told_and_prove_nothing() -> None:
    """Each file is message page 2 of its day, and no page 1 was ever there: its statements are whole all the same."""
    for day in _DAYS:
        for statement, _ in read(f"camt053/settlement-account/2024-{day}.xml"):
            assert (statement.message_page, statement.message_last_page) == (2, True)
            assert (statement.page, statement.last_page) == (1, True)
