"""From lines to messages and their fields, with SWIFT's block headers or without, one message after the other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from schemas.errors import DocumentRefused
from schemas.mt.text import lines

FIELD_LINES_MAX = 500
"""A :86: has six lines in the standard; banks that write long ones stay far below this."""
MESSAGE_LINES_MAX = 2_000_000
"""One message is held in memory, because its closing balance stands behind its entries."""
MESSAGE_CHARACTERS_MAX = 64_000_000
"""The same in characters: a line may be long, and a statement of 200,000 entries has as many."""
FOREIGN_LINES_MAX = 50
"""Lines of a bank's own around the messages: file headers, sender and receiver, a type."""
HEADER_CHARACTERS_MAX = 4_000
"""Blocks 1 to 3 of one message."""

_TAG = re.compile(r":([0-9]{2}[A-Z]?|NS):", re.ASCII)
_TYPE_LINE = re.compile(r":?(900|910|940|941|942|950):?", re.ASCII)
_TYPE_BLOCK = re.compile(r"\{2:[IO]([0-9]{3})", re.ASCII)
_UETR_BLOCK = re.compile(r"\{121:([0-9a-fA-F-]{36})\}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Field:
    """A field: its tag without colons (``61``, ``62F``), its lines, and the number of the first."""

    tag: str
    lines: tuple[str, ...]
    line: int

    @property
    def value(self) -> str:
        """The first line, without the blanks around it."""
        return self.lines[0].strip()

    @property
    def path(self) -> str:
        """Where the field stands, for errors."""
        return f"line {self.line}"

    def refuse(self, message: str, code: str = "FF01") -> DocumentRefused:
        """Return the error that names this field."""
        return DocumentRefused(f":{self.tag}: {message}", code=code, path=self.path)


@dataclass(frozen=True, slots=True)
class Message:
    """One message.

    Attributes:
        number: the message type that block 2 or a bank's own line states, ``940``; empty where nothing says it.
        line, last_line: where it stands in the file.
        ended: its end is there: the mark, or the beginning of the next message. At the end of a file without a mark
            only its fields can say whether it is whole.
        uetr: field 121 of block 3, or None.
        duplicate: the trailer says that it may have been sent before (PDE, PDM).
    """

    number: str
    fields: tuple[Field, ...]
    line: int
    last_line: int
    ended: bool
    uetr: str | None = None
    duplicate: bool = False

    @property
    def path(self) -> str:
        """Where the message begins."""
        return f"line {self.line}"


def messages(source: bytes | BinaryIO) -> Iterator[Message]:
    """Yield the messages of a file, each as its end is reached; one at a time is in memory.

    Raises:
        DocumentRefused: a field outside of a message, more than is allowed of anything, or no message at all.
    """
    draft, count = _Draft(), 0
    for number, line in lines(source):
        for message in draft.take(number, line):
            count += 1
            yield message
    for message in draft.end():
        count += 1
        yield message
    if not count:
        raise DocumentRefused("there is no MT message in it", path="line 1")


class _Draft:
    """The message whose lines are coming, and what was said before it began."""

    def __init__(self) -> None:
        self._type = ""
        self._header = ""
        self._block = ""
        self._foreign_count = 0
        self._last_line = 0
        self._line_count = 0
        self._characters = 0
        self._fields: list[Field] = []
        self._tag = ""
        self._lines: list[str] = []
        self._line = 0

    def take(self, number: int, line: str) -> Iterator[Message]:
        """Take a line, and yield the message that it ends, if it does."""
        text = line.strip()
        if text == "-" or text.startswith("-}"):
            trailer, header, rest = text[2:].partition("{1:")
            yield from self._close(ended=True, trailer=trailer)
            line = text = header + rest
        if text.startswith("{1:") or (text.startswith("{") and not self._tag) or self._block:
            if self._tag:
                yield from self._close(ended=True)
            line = text = self._open_blocks(number, text)
        if not text:
            return
        match = _TAG.match(line)
        if match is None:
            self._continue(number, line, text)
            return
        if match[1] == "20" and self._tag:
            yield from self._close(ended=True)
        elif match[1] != "20" and not self._tag:
            raise DocumentRefused(f":{match[1]}: stands before the :20: of its message", path=f"line {number}")
        self._begin(number, match[1], line[match.end() :])

    def end(self) -> Iterator[Message]:
        """Yield the last message of a file in which nothing ends it."""
        if self._block:
            raise DocumentRefused("cut off: block 4 is missing", code="CH21", path=f"line {self._last_line}")
        yield from self._close(ended=False)

    def _open_blocks(self, number: int, text: str) -> str:
        """Take a line of blocks 1 to 3, and return what stands behind the beginning of block 4."""
        self._last_line = number
        last = text.rfind("{1:")
        if last > 0:  # an acknowledgement, which has blocks 1 and 4 of its own, stands before its message
            self._block, text = "", text[last:]
        self._block += text
        blocks, begun, rest = self._block.partition("{4:")
        if len(blocks) > HEADER_CHARACTERS_MAX:
            raise DocumentRefused(f"block 4 does not begin within {HEADER_CHARACTERS_MAX} characters of block 1",
                                  path=f"line {number}")  # fmt: skip
        if not begun:
            # A trailer on a line of its own belongs to the message before it.
            self._block = "" if text.startswith("{5:") else self._block
            return ""
        self._block, self._header = "", blocks
        return rest

    def _begin(self, number: int, tag: str, value: str) -> None:
        self._keep_field()
        self._tag, self._lines, self._line, self._last_line = tag, [value], number, number
        self._line_count += 1
        self._foreign_count = 0

    def _continue(self, number: int, line: str, text: str) -> None:
        """Take a line that begins no field: more of the field before it, or a bank's own line between messages."""
        if not self._tag:
            typed = _TYPE_LINE.fullmatch(text)
            self._type = typed[1] if typed else self._type
            self._foreign_count += 1
            if self._foreign_count > FOREIGN_LINES_MAX:
                raise DocumentRefused(f"no message within {FOREIGN_LINES_MAX} lines", path=f"line {number}")
            return
        self._lines.append(line)
        self._line_count += 1
        self._last_line = number
        if len(self._lines) > FIELD_LINES_MAX:
            raise DocumentRefused(f":{self._tag}: has more than {FIELD_LINES_MAX} lines", path=f"line {self._line}")

    def _keep_field(self) -> None:
        if self._tag:
            self._fields.append(Field(self._tag, tuple(self._lines), self._line))
            self._characters += sum(map(len, self._lines))
        if self._characters > MESSAGE_CHARACTERS_MAX:
            text = f"a message of more than {MESSAGE_CHARACTERS_MAX} characters"
            raise DocumentRefused(text, path=f"line {self._line}")
        if self._line_count > MESSAGE_LINES_MAX:
            raise DocumentRefused(f"a message of more than {MESSAGE_LINES_MAX} lines", path=f"line {self._line}")

    def _close(self, *, ended: bool, trailer: str = "") -> Iterator[Message]:
        self._keep_field()
        if self._fields:
            stated = _TYPE_BLOCK.search(self._header)
            uetr = _UETR_BLOCK.search(self._header)
            yield Message(
                number=stated[1] if stated else self._type,
                fields=tuple(self._fields),
                line=self._fields[0].line,
                last_line=self._last_line,
                ended=ended,
                uetr=uetr[1].lower() if uetr else None,
                duplicate="{PDE:" in trailer or "{PDM:" in trailer,
            )
        self._fields, self._tag, self._lines, self._header = [], "", [], ""
        self._line_count = self._characters = 0
