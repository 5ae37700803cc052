"""Files of orders: three formats, and everything that can be wrong with one."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.operations import orderfiles
from gateway.operations.orderfiles import Line, columns, open_file, strangers
from schemas.errors import OrderMessageRefused
from tests.gateway.flow.stand import order


def flat(content: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Return an order as the columns of a CSV file."""
    found: dict[str, str] = {}
    for name, value in content.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = "|".join(value) if isinstance(value, list) else str(value)
    return found


def write(path: Path, orders: list[dict[str, Any]], delimiter: str = ",") -> Path:
    """Write orders in the format that the file's name says."""
    if path.suffix == ".csv":
        rows = [flat(one) for one in orders]
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
            writer.writeheader()
            writer.writerows(rows)
    elif path.suffix == ".json":
        path.write_text(json.dumps(orders))
    else:
        path.write_text("\n".join(json.dumps(one) for one in orders) + "\n\n")
    return path


def lines(path: Path, **options: Any) -> list[Line]:
    """Return the lines of a file."""
    return list(open_file(path, **options).lines())


@pytest.mark.parametrize("name", ["o.ndjson", "o.jsonl", "o.json", "o.csv"])
def test_every_format_gives_the_same_orders(tmp_path: Path, name: str) -> None:
    """A source writes what it can write best; a byte order mark and empty lines are no harm."""
    orders = [order(1), order(2, remittance={"unstructured": ["Invoice 7", "Khmer: អគារ"]}, purpose="SUPP")]
    orders[0]["purpose"] = "GOVT"
    found = lines(write(tmp_path / name, orders))
    assert [line.order for line in found] == orders
    assert [line.number for line in found] == ([2, 3] if name.endswith("csv") else [1, 2])


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_spreadsheets_own_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    """What Excel writes depends on the country that it is set to."""
    assert lines(write(tmp_path / "o.csv", [order(1)], delimiter))[0].order == order(1)


def test_a_single_json_order_is_a_list_of_one(tmp_path: Path) -> None:
    """So that the simplest file is one order."""
    (tmp_path / "o.json").write_text(json.dumps(order(1)))
    assert [line.order for line in lines(tmp_path / "o.json")] == [order(1)]


@pytest.mark.parametrize(
    "text",
    ["{not json", "[1]", "17", '"x"', "[" * 9_999, '{"a": "\\ud800"}', '{"a": NaN}', '{"version": "1.0", "order": {}}'],
)
def test_a_bad_line_says_where_and_spoils_no_other(tmp_path: Path, text: str) -> None:
    """Its number is the one that an editor shows."""
    path = tmp_path / "o.ndjson"
    path.write_text(f"{json.dumps(order(1))}\n{text}\n{json.dumps(order(2))}\n")
    found = lines(path)
    assert [line.order is None for line in found] == [False, True, False]
    assert str(found[1].error).startswith("FF02 at line 2")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("o.json", b"[{]", "not JSON"),
        ("o.json", b"\xff\xfe", "not UTF-8"),
        ("o.ndjson", b"{}\n\xff\n", "not UTF-8"),
        ("o.csv", b"\xff", "not UTF-8"),
        ("o.csv", b"", "no orders in o.csv"),
        ("o.csv", b"\xef\xbb\xbf\n\n", "no orders in o.csv"),
        ("o.ndjson", b"", "no orders in o.ndjson"),
        ("o.ndjson", b"\n \n", "no orders in o.ndjson"),
        ("o.json", b"", "no orders in o.json"),
        ("o.json", b"[]", "no orders in o.json"),
        ("o.csv", b"order_id,amount,amonut\n", "unknown columns: amonut"),
        ("o.csv", b"order_id,order_id\n", "stand twice: order_id"),
        ("o.csv", b"order_id,amount\n", "lacks: maker"),
        ("o.csv", b"order_id,,x\n", "(no name)"),
        ("o.txt", b"", "--format"),
    ],
)
def test_a_file_that_cannot_be_read_as_a_whole_is_refused(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    """With the reason, and for a header with the columns that there are."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(OrderMessageRefused) as caught:
        lines(tmp_path / name)
    assert said in str(caught.value)


def test_a_row_with_too_few_cells_is_one_bad_line(tmp_path: Path) -> None:
    """Its values stand in the wrong columns: guessing would pay somebody else."""
    path = write(tmp_path / "o.csv", [order(1), order(2)])
    text = path.read_text(encoding="utf-8-sig").splitlines()
    path.write_text("\n".join([text[0], text[1].partition(",")[2], text[2]]))
    found = lines(path)
    assert [line.order is None for line in found] == [True, False]
    assert "cells" in str(found[0].error)


def test_an_endless_line_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    """Somebody names a picture *.ndjson."""
    (tmp_path / "o.ndjson").write_text("x" * (orderfiles.LINE_CHARACTERS_MAX + 1))
    with pytest.raises(OrderMessageRefused, match="longer than"):
        lines(tmp_path / "o.ndjson")


def test_the_columns_are_those_of_the_order_contract() -> None:
    """A field that is added to the contract is a column without further work."""
    found = columns()
    assert {"order_id", "creditor.address.town", "creditor_account.number", "purpose"} <= set(found)
    assert found["remittance.unstructured"]
    assert not found["amount"]
    never = [name for name in found if name.split(".")[0] in {"charges", "intermediary_agents", "regulatory_reports"}]
    assert not never, "a list of objects cannot stand in a cell"


def test_a_field_that_nobody_reads_is_named_once(tmp_path: Path) -> None:
    """With the line on which it stands first, and what may be meant; however deep it is."""
    wrong = order(2) | {"purpos": "SUPP", "charges": [{"amuont": "5"}]}
    wrong["creditor"] = wrong["creditor"] | {"nmae": "x"}
    path = write(tmp_path / "o.ndjson", [order(1), wrong, wrong])
    count, found = strangers(open_file(path))
    assert (count, {one.path: (one.line, one.meant) for one in found}) == (3, {
        "purpos": (2, "purpose"), "charges.amuont": (2, "charges.amount"), "creditor.nmae": (2, "creditor.name"),
    })  # fmt: skip
    assert str(found[0]) == "line 2: there is no field creditor.nmae (did you mean creditor.name?); it is left out"


@given(st.binary(max_size=300), st.sampled_from(["ndjson", "json", "csv"]))
def test_whatever_a_file_holds_it_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, form: str
) -> None:
    """Never anything else: a file comes from outside."""
    path = tmp_path_factory.getbasetemp() / "anything"
    path.write_bytes(content)
    try:
        found = lines(path, form=form)
    except OrderMessageRefused:
        return
    assert all((line.order is None) != (line.error is None) for line in found)
