"""MT940 files of ten banks, as others published them: each is read, or refused for a stated reason."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from schemas.errors import DocumentRefused
from schemas.model.statement import Entry, Statement
from schemas.mt import mt940

SHARED = Path(os.environ.get("GATEWAY_SHARED", Path(__file__).resolve().parents[3] / ".." / "shared")) / "samples"
FOLDER = SHARED / "mt940"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"the sample files are not in {FOLDER}")

# file: for each statement, how many entries it has, and by how many minor units opening + entries miss the closing.
# Most were shortened or made anonymous by their publisher, who left the balances or the amounts as they were:
FILES: dict[str, list[tuple[int, int]]] = {
    "abnamro.txt": [(8, 203800), (2, 100260)],  # entries were taken out, the balances are those of the whole days
    "deutschebank.txt": [(1, -1235)],  # its only entry does not show in the balances, which are both 0
    "ing-dos.txt": [(7, -4906)],  # amounts were changed; the bank's own totals behind :62F: show the original ones
    "postfinance.txt": [(2, 0), (2, -20)],  # on the second page an amount was changed by 0,20
    "rabobank-iban.txt": [(2, 0), (2, 0)],
    "sparkasse2.txt": [(1, -(93130450 - 93105229) + 102725)],  # one reversal was left of the day
    "sparkasse3.txt": [(1, -(93130450 - 93105229) - 102725)],  # the same with RC, made out of RD
    "triodos.txt": [(2, -11140)],  # entries were taken out
    "volksbankenraiffeisenbanken.txt": [(2, 0), (1, 0), (2, 0), (3, 0), (1, 0), (1, 0), (1, 0), (1, 0)],
}
REFUSED = {
    # C500NTRF has no comma; the balances tie with 5000, so that two characters were lost, and 500 would be wrong.
    "knab.txt": ("AM12", "line 19"),
}


def read(name: str) -> list[tuple[Statement, list[Entry]]]:
    """Return the statements of a file with their entries."""
    found: list[tuple[Statement, list[Entry]]] = []
    for item in mt940.read((FOLDER / name).read_bytes()):
        if isinstance(item, Statement):
            found.append((item, []))
        else:
            found[-1][1].append(item)
    return found


def missing(statement: Statement, entries: list[Entry]) -> int:
    """Return opening + booked entries - closing, in minor units."""
    assert statement.opening is not None
    assert statement.closing is not None
    booked = sum(entry.amount_minor for entry in entries if entry.status == "BOOK")
    return statement.opening.amount_minor + booked - statement.closing.amount_minor


def test_every_sample_is_in_a_table() -> None:
    """A new sample is a new dialect: somebody has to say what it should give."""
    assert {path.name for path in FOLDER.iterdir()} == FILES.keys() | REFUSED.keys()


@pytest.mark.parametrize("name", FILES)
def test_a_sample_is_read(name: str) -> None:
    """Headers, bank's own lines, marks or none: one reader for all; and each statement adds up, or is said not to."""
    assert mt940.is_mt((FOLDER / name).read_bytes()[:1024])
    assert [(len(entries), missing(statement, entries)) for statement, entries in read(name)] == FILES[name]


@pytest.mark.parametrize("name", REFUSED)
def test_a_sample_is_refused_for_its_reason(name: str) -> None:
    """The whole file: what came before in it is dropped as well."""
    with pytest.raises(DocumentRefused) as refused:
        read(name)
    assert (refused.value.code, refused.value.path) == REFUSED[name]


def test_pages_of_a_real_statement_share_its_id() -> None:
    """The first closes with :62M:, the second opens with :60M: and is the last."""
    (first, _), (second, _) = read("postfinance.txt")
    assert first.statement_id == second.statement_id
    assert [(page.page, page.last_page, page.sequence) for page in (first, second)] == [(1, False, 999), (2, True, 999)]
    assert first.closing == second.opening


def test_real_information_is_read() -> None:
    """A few whose meaning is plain."""
    ((_, (returned,)),) = read("deutschebank.txt")
    assert (returned.charges_minor, returned.bank_transaction_code) == (50, "NRTI/109")
    assert returned.details[0].end_to_end_id == "A1.200080779.400143254.4961336"
    ((_, (reversal,)),) = read("sparkasse2.txt")
    assert (reversal.amount_minor, reversal.reversal) == (102725, True)
    assert reversal.details[0].counterparty_name == "GEBÜHREN MANUELL GG UST-FREI"
    ((_, (reversal,)),) = read("sparkasse3.txt")
    assert (reversal.amount_minor, reversal.reversal) == (-102725, True)
    (_, (_, transfer)), _ = read("rabobank-iban.txt")
    assert transfer.details[0].counterparty_name == "JOHN DOE"
    assert transfer.details[0].remittance == "Reference 201301234"
    ((_, (fee, _)),) = read("triodos.txt")
    assert fee.details[0].counterparty_account == "0390123456"
