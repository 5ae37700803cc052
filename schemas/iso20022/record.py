"""Reading an element by paths: a `Record` names what is missing, repeated or unreadable by its place."""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache

from lxml.etree import _Element

from schemas.errors import DocumentRefused
from schemas.model.money import Money

NO_REFERENCE = "NOTPROVIDED"
"""What stands in a mandatory EndToEndId when nobody gave one. It identifies nothing, so it is read as None."""


_day = lru_cache(maxsize=64)(date.fromisoformat)
"""A day of a statement is written on each of its entries."""


def local_name(element: _Element) -> str:
    """Return a tag without its namespace: ``Ntry``."""
    return str(element.tag).rpartition("}")[2]


_Trie = dict[str, "tuple[str | None, _Trie | None, str]"]
"""Tag -> (path if it is wanted, what is wanted inside, and as what: ``leaf``, ``amount`` or ``group``)."""


class Shape:
    """Which paths are read of one kind of element: learned as they are asked for, so nobody has to list them.

    Flattening then touches only what is read and skips the rest, which is most of a bank's message. The first record
    of a kind is flattened several times, all others once.

    Args:
        groups: paths inside the element whose elements repeat with content that belongs together.
    """

    __slots__ = ("_tries", "wanted")

    def __init__(self, *groups: str) -> None:
        self._tries: dict[str, _Trie] = {}
        self.wanted: dict[str, str] = dict.fromkeys(groups, "group")

    def learn(self, path: str, kind: str) -> None:
        """Read this path from now on. Two threads may learn at once: what one loses is learned again when missed."""
        self.wanted = {**self.wanted, path: kind}
        self._tries = {}

    def trie(self, tag: str) -> _Trie:
        """Return what is wanted of an element, by the tags of its own namespace only: others are not ours to read."""
        trie = self._tries.get(tag)
        if trie is None:
            trie = self._tries[tag] = self._branch("", tag[: tag.rfind("}") + 1])
        return trie

    def _branch(self, prefix: str, namespace: str) -> _Trie:
        branch: _Trie = {}
        for name in {path[len(prefix) :].partition("/")[0] for path in self.wanted if path.startswith(prefix)}:
            path = prefix + name
            kind = self.wanted.get(path, "")
            inside = None if kind == "group" else self._branch(path + "/", namespace)
            branch[namespace + name] = (path if kind else None, inside or None, kind)
        return branch


class Record:
    """One element flattened into its values by path; repeated groups are records of their own.

    Values are stripped of surrounding blanks, and an empty value counts as missing: banks pad and leave tags empty.

    Args:
        element: what to read.
        path: where it stands in the document, for errors: ``BkToCstmrStmt/Stmt[1]/Ntry[12]``.
        shape: what is read of this kind of element.
    """

    __slots__ = ("_currencies", "_element", "_groups", "_repeated", "_shape", "_values", "_wanted", "path")

    def __init__(self, element: _Element, path: str, shape: Shape) -> None:
        self.path = path
        self._element = element
        self._shape = shape
        self._flatten()

    def _flatten(self) -> None:
        self._wanted = self._shape.wanted
        self._values: dict[str, str] = {}
        self._currencies: dict[str, str] = {}
        self._repeated: dict[str, list[str]] = {}
        self._groups: dict[str, list[_Element]] = {}
        self._descend(self._element, self._shape.trie(str(self._element.tag)))

    def _descend(self, element: _Element, trie: _Trie) -> None:
        """Sort the children into values and groups, and go down where more is wanted. This is the hot loop."""
        values = self._values
        for child in element:
            wanted = trie.get(child.tag)  # a comment's tag is a function, which is not in there either
            if wanted is None:
                continue
            path, inside, kind = wanted
            if inside is not None:
                self._descend(child, inside)
            if path is None:
                continue
            if kind == "group":
                self._groups.setdefault(path, []).append(child)
                continue
            text = (child.text or "").strip()
            if path in values:
                self._repeated.setdefault(path, [values[path]]).append(text)
            else:
                values[path] = text
                if kind == "amount":
                    self._currencies[path] = child.get("Ccy") or ""

    def _learn(self, path: str, kind: str = "leaf") -> None:
        """Read the element again with a path that nobody has asked for before."""
        self._shape.learn(path, kind)
        self._flatten()

    def refuse(self, path: str, message: str, code: str = "FF01") -> DocumentRefused:
        """Return the error that names a field by its full path."""
        return DocumentRefused(message, code=code, path=f"{self.path}/{path}" if path else self.path)

    def opt(self, path: str) -> str | None:
        """Return the value, or None when it is missing or empty.

        Raises:
            DocumentRefused: the tag is there more than once, so nobody can say which one is meant.
        """
        value = self._values.get(path)
        if value is None and path not in self._wanted:
            self._learn(path)
            value = self._values.get(path)
        if self._repeated and path in self._repeated:
            raise self.refuse(path, f"{path} must not be repeated")
        return value or None

    def one(self, path: str) -> str:
        """Return the value.

        Raises:
            DocumentRefused: missing, empty or repeated.
        """
        value = self.opt(path)
        if value is None:
            raise self.refuse(path, f"{path.rpartition('/')[2]} is missing", "CH21")
        return value

    def either(self, *paths: str) -> str | None:
        """Return the first value present of several places, for choices such as ``Cd`` or ``Prtry``."""
        for path in paths:
            value = self.opt(path)
            if value is not None:
                return value
        return None

    def all(self, path: str) -> list[str]:
        """Return every value of a tag that may repeat, in order."""
        if path not in self._wanted:
            self._learn(path)
        value = self._values.get(path)
        if value is None:
            return []
        return [text for text in self._repeated.get(path, (value,)) if text]

    def each(self, path: str, shape: Shape) -> list[Record]:
        """Return the records of a group, in order. The group must be named in this record's shape."""
        elements = self._groups.get(path)
        if elements is None:
            return []
        return [Record(element, f"{self.path}/{path}[{i}]", shape) for i, element in enumerate(elements, start=1)]

    def has(self, path: str) -> bool:
        """Say whether a value of this path is there at all, empty or not."""
        if path not in self._wanted:
            self._learn(path)
        return path in self._values

    def reference(self, path: str) -> str | None:
        """Return a reference, or None where it is missing or only says that it is not provided."""
        value = self.opt(path)
        return None if value == NO_REFERENCE else value

    def opt_amount(self, path: str) -> Money | None:
        """Return an amount and its Ccy attribute, or None when the tag is missing.

        Raises:
            DocumentRefused: not an amount of that currency (AM12, CH20, AM11).
        """
        if self._wanted.get(path) != "amount":
            self._learn(path, "amount")
        text = self.opt(path)
        return None if text is None else self._money(path, text, self._currencies[path])

    def amount(self, path: str) -> Money:
        """Return an amount and its Ccy attribute.

        Raises:
            DocumentRefused: missing, or not an amount of that currency (AM12, CH20, AM11).
        """
        money = self.opt_amount(path)
        if money is None:
            raise self.refuse(path, f"{path.rpartition('/')[2]} is missing", "CH21")
        return money

    def opt_decimal(self, path: str, currency: str) -> Money | None:
        """Return a sum that states no currency of its own (CtrlSum, Sum), in the currency it must be in."""
        text = self.opt(path)
        return None if text is None else self._money(path, text, currency)

    def _money(self, path: str, text: str, currency: str) -> Money:
        # xs:decimal allows zeros in front and banks send them (01.00); they change no amount.
        if text[0] == "0" and text[1:2].isdigit():
            text = text.lstrip("0")
            text = text if text[:1].isdigit() else f"0{text}"
        try:
            return Money.parse(text, currency)
        except ValueError as error:
            code, _, message = str(error).partition(": ")
            raise self.refuse(path, message, code) from error

    def opt_date(self, *paths: str) -> date | None:
        """Return the day of an ISODate or ISODateTime at the first of these places, or None.

        The day is taken as the bank wrote it, without conversion: a booking date is the bank's own calendar day.
        """
        text = self.either(*paths)
        if text is None:
            return None
        try:
            return _day(text[:10])
        except ValueError as error:
            raise self.refuse(paths[0], f"{text[:40]!r} is not a date", "DT01") from error

    def moment(self, path: str) -> datetime:
        """Return an ISODateTime with its offset (rule 5).

        Raises:
            DocumentRefused: missing, not a time, or without an offset.
        """
        text = self.one(path)
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise self.refuse(path, f"{text[:40]!r} is not a date and time", "DT01") from error
        if moment.tzinfo is None:
            raise self.refuse(path, f"{text[:40]!r} has no offset from UTC", "DT01")
        return moment

    def opt_number(self, path: str) -> int | None:
        """Return a count or sequence number, or None. At most 18 plain digits."""
        text = self.opt(path)
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and len(text) <= 18):  # noqa: PLR2004 - ISO 20022 Number has 18 digits
            raise self.refuse(path, f"{text[:40]!r} is not a number")
        return int(text)

    def flag(self, path: str) -> bool:
        """Return an indicator: true only for ``true`` or ``1``, false when it is missing."""
        return self.opt(path) in {"true", "1"}
