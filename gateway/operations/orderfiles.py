"""Files of payment orders, or of bills: NDJSON (one a line), JSON (one or a list) and CSV, read line by line.

A CSV file's first line names the columns by the order's own paths: ``order_id``, ``creditor.name``,
``creditor_account.number``, ``creditor.address.town``, ``remittance.unstructured`` (lines separated by ``|``). What an
order has to hold is the order contract's business, not this file's: a good line is one that is an object. A file of
bills is read in the same way, by the fields of its own contract.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path
from stat import S_ISREG
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import from_json

from schemas.errors import InputError, OrderMessageRefused
from schemas.orders import Order

JSON_BYTES_MAX: Final = 64 * 1024 * 1024
"""A JSON list is read whole; a larger file is NDJSON or CSV, which are read line by line."""
LINE_CHARACTERS_MAX: Final = 1_000_000
FORMATS: Final = {".ndjson": "ndjson", ".jsonl": "ndjson", ".json": "json", ".csv": "csv"}
LIST_SEPARATOR: Final = "|"
_LISTS: Final = (list, tuple)


@dataclass(frozen=True, slots=True)
class Line:
    """One order of a file: where it stands, and the order or why there is none."""

    number: int
    order: Mapping[str, Any] | None
    error: InputError | None = None

    @property
    def order_id(self) -> str:
        """The order's own id, as far as it can be read."""
        return self.text("order_id")

    def text(self, name: str) -> str:
        """Return a field as a text to be shown, empty where it cannot be read."""
        return str((self.order or {}).get(name, ""))[:80]


@dataclass(frozen=True, slots=True)
class OrderFile:
    """A file of orders that can be read again and again."""

    path: Path
    form: str
    size: int
    sha256: str
    model: type[BaseModel] = Order

    def lines(self) -> Iterator[Line]:
        """Yield the orders in the file's order.

        Raises:
            OrderMessageRefused: the file as a whole cannot be read, or holds none; a bad line is only a bad ``Line``.
        """
        number = 0
        try:
            rows = _csv(self.path, self.model) if self.form == "csv" else _JSON[self.form](self.path)
            for number, line in enumerate(rows, 1):  # noqa: B007  whether there was one is asked behind the loop
                yield line
            if not number:
                what = "orders" if self.model is Order else "bills"
                raise OrderMessageRefused(f"no {what} in {self.path.name}", code="FF02")
        except UnicodeDecodeError as error:
            text = f"{self.path.name} is not UTF-8 text ({error.reason})"
            raise OrderMessageRefused(text, code="FF02", path=f"byte {error.start}") from error
        except OSError as error:
            raise _unreadable(self.path, error) from error


def open_file(path: Path, form: str | None = None, model: type[BaseModel] = Order) -> OrderFile:
    """Look at a file of orders.

    Args:
        path: the file; its name's ending says what it is.
        form: ``ndjson``, ``json`` or ``csv`` where the ending does not.
        model: what its lines are, whose fields are the columns of a CSV file.

    Raises:
        OrderMessageRefused: it cannot be read, is no regular file (a device has no end), or is none of the three.
    """
    chosen = form or FORMATS.get(path.suffix.lower(), "")
    if chosen not in FORMATS.values():
        text = f"{path.name}: name the file *.ndjson, *.json or *.csv, or say --format"
        raise OrderMessageRefused(text, code="FF02")
    digest = sha256()
    try:
        found = path.stat()
        if not S_ISREG(found.st_mode):  # looked at before it is opened: a pipe would wait for its other end
            text = f"{path} is not a regular file; a file is read twice, so write the orders into one"
            raise OrderMessageRefused(text, code="FF02")
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise _unreadable(path, error) from error
    return OrderFile(path, chosen, found.st_size, digest.hexdigest(), model)


def _unreadable(path: Path, error: OSError) -> OrderMessageRefused:
    return OrderMessageRefused(f"{path} cannot be read: {error.strerror or error}", code="FF02")


def _ndjson(path: Path) -> Iterator[Line]:
    with path.open(encoding="utf-8-sig") as file:
        number = 0
        while text := file.readline(LINE_CHARACTERS_MAX):
            number += 1
            if len(text) >= LINE_CHARACTERS_MAX:
                said = f"the line is longer than {LINE_CHARACTERS_MAX} characters; is this NDJSON?"
                raise OrderMessageRefused(said, code="FF01", path=f"line {number}")
            if text.strip():
                yield _parsed(number, text)


def _parsed(number: int, text: str) -> Line:
    try:
        found = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        said = f"not JSON: {error}".replace(" at line 1 column ", " at column ")
        return Line(number, None, OrderMessageRefused(said, code="FF02", path=f"line {number}"))
    return _object(number, found, f"line {number}")


def _object(number: int, found: Any, path: str) -> Line:
    if not isinstance(found, dict):
        return Line(number, None, OrderMessageRefused("not a JSON object", code="FF02", path=path))
    if "version" in found and {"order", "orders", "receipts"} & found.keys():
        text = "this is a whole message; a file for submit or import holds what is in it, without the envelope"
        return Line(number, None, OrderMessageRefused(text, code="FF02", path=path))
    return Line(number, found)


def _json(path: Path) -> Iterator[Line]:
    if path.stat().st_size > JSON_BYTES_MAX:
        text = f"{path.name} is larger than {JSON_BYTES_MAX} bytes; write it as NDJSON, an order a line"
        raise OrderMessageRefused(text, code="FF01")
    try:
        text = path.read_text(encoding="utf-8-sig")
        found = from_json(text, allow_inf_nan=False) if text.strip() else []
    except UnicodeDecodeError:
        raise
    except ValueError as error:
        raise OrderMessageRefused(f"{path.name} is not JSON: {error}", code="FF02") from error
    orders = found if isinstance(found, list) else [found]
    for number, order in enumerate(orders, 1):
        yield _object(number, order, f"order {number}")


_JSON: Final[Mapping[str, Callable[[Path], Iterator[Line]]]] = {"ndjson": _ndjson, "json": _json}


# -------------------------------------------------------------------------------------------------- fields nobody reads


@dataclass(frozen=True, slots=True)
class Stranger:
    """A field that the contract does not know, and that is left out: where it stands first, and what may be meant."""

    path: str
    line: int
    meant: str | None

    def __str__(self) -> str:
        """Return ``line 3: there is no field creditor.nmae (did you mean creditor.name?); it is left out``."""
        meant = f" (did you mean {self.meant}?)" if self.meant else ""
        return f"line {self.line}: there is no field {self.path}{meant}; it is left out"


def strangers(file: OrderFile) -> tuple[int, list[Stranger]]:
    """Return how many lines a file has, and its fields that nobody reads, each once; a CSV file has none.

    Raises:
        OrderMessageRefused: see ``OrderFile.lines``.
    """
    found: dict[str, Stranger] = {}
    count = 0
    for line in file.lines():
        count += 1
        if file.form != "csv" and line.order is not None:
            for stranger in _strangers(line.order, file.model, "", line.number):
                found.setdefault(stranger.path, stranger)
    return count, list(found.values())


def _strangers(value: Mapping[str, Any], model: type[BaseModel], prefix: str, line: int) -> Iterator[Stranger]:
    for name, inner in value.items():
        if name not in model.model_fields:
            close = get_close_matches(str(name), model.model_fields, n=1)
            yield Stranger(f"{prefix}{name}", line, f"{prefix}{close[0]}" if close else None)
            continue
        kind = _plain(model.model_fields[name].annotation)
        below = _item(kind) if get_origin(kind) in _LISTS else kind
        if isinstance(below, type) and issubclass(below, BaseModel):
            for one in inner if isinstance(inner, list) else [inner]:
                if isinstance(one, Mapping):
                    yield from _strangers(one, below, f"{prefix}{name}.", line)


def _item(kind: Any) -> Any:
    """Return what a list is of."""
    return next(iter(get_args(kind)), None)


# ---------------------------------------------------------------------------------------------------------------- CSV


def columns(model: type[BaseModel] = Order, prefix: str = "") -> dict[str, bool]:
    """Return the columns that a CSV file may have, by path; True where a value is a list."""
    found: dict[str, bool] = {}
    for name, field in model.model_fields.items():
        path, kind = f"{prefix}{name}", _plain(field.annotation)
        if get_origin(kind) in _LISTS and hasattr(_item(kind), "model_fields"):
            continue  # a list of objects has no place in a column
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found |= columns(kind, f"{path}.")
        else:
            found[path] = get_origin(kind) in _LISTS
    return found


def _plain(annotation: Any) -> Any:
    """Return the type behind ``X | None``."""
    inner = [one for one in get_args(annotation) if one is not type(None)]
    return inner[0] if get_origin(annotation) not in _LISTS and len(inner) == 1 else annotation


def _csv(path: Path, model: type[BaseModel]) -> Iterator[Line]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = file.readline(LINE_CHARACTERS_MAX)
        file.seek(0)
        delimiter = max(",;\t", key=first.count)
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        try:
            header = [name.strip() for name in next(reader, [])]
            known = columns(model)
            if not any(header):
                return
            _check_header(header, known, model)
            for row in reader:
                if any(cell.strip() for cell in row):
                    yield _row(reader.line_num, header, row, known)
        except csv.Error as error:
            raise OrderMessageRefused(f"not CSV: {error}", code="FF02", path=f"line {reader.line_num}") from error


def _check_header(header: list[str], known: Mapping[str, bool], model: type[BaseModel]) -> None:
    """Refuse a header with a column that nobody would read: a misspelt one would be lost silently."""
    unknown = [name for name in header if name not in known]
    twice = sorted({name for name in header if header.count(name) > 1})
    required = [name for name, field in model.model_fields.items() if field.is_required()]
    missing = [name for name in required if not any(one == name or one.startswith(f"{name}.") for one in header)]
    for names, said in ((unknown, "unknown columns"), (twice, "columns that stand twice"), (missing, "missing")):
        if names:
            listed = ", ".join(name[:40] or "(no name)" for name in names[:10])
            text = f"the header has {said}: {listed}" if names is not missing else f"the header lacks: {listed}"
            raise OrderMessageRefused(f"{text}; columns: {', '.join(known)}", code="FF02", path="line 1")


def _row(number: int, header: list[str], row: list[str], known: Mapping[str, bool]) -> Line:
    if len(row) != len(header):
        text = f"{len(row)} cells, the header has {len(header)}"
        return Line(number, None, OrderMessageRefused(text, code="FF02", path=f"line {number}"))
    order: dict[str, Any] = {}
    for name, cell in zip(header, row, strict=True):
        if not cell.strip():
            continue
        *parents, last = name.split(".")
        place = order
        for parent in parents:
            place = place.setdefault(parent, {})
        text = cell.strip()
        place[last] = [part.strip() for part in text.split(LIST_SEPARATOR)] if known[name] else text
    return Line(number, order)
