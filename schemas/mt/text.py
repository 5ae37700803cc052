"""From the bytes of a file to its lines. MT says nothing about encodings, and banks send several.

Which one it is, is decided once for the whole file, by the bytes alone:

1. UTF-8, if the whole file is valid UTF-8 (plain ASCII is);
2. else cp850 (DOS), if a byte is none in cp1252, or if the bytes 80 to A5, which are DOS's letters, outnumber the
   bytes C0 to FF, which are the letters of cp1252 (without E1, a letter in both);
3. else cp1252, which has every letter of latin-1 where latin-1 has it.

Digits, tags and marks are ASCII and the same in all three: the choice concerns names and texts, never an amount.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from typing import BinaryIO

from schemas.errors import DocumentRefused

LINE_BYTES_MAX = 4_096
"""A line has 65 characters in the standard; some banks write a whole field in one."""
_BLANKED = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)), " ")
"""Control characters carry no meaning here, not even the STX and ETX that may frame a message."""
_CHUNK_BYTES = 1 << 20
_NOT_WINDOWS = frozenset(b"\x81\x8d\x8f\x90\x9d")
"""What cp1252 leaves undefined."""
_DOS_LETTERS = bytes(range(0x80, 0xA6))
_WINDOWS_LETTERS = bytes(code for code in range(0xC0, 0x100) if code != 0xE1)  # noqa: PLR2004 - DOS's sharp s


def encoding_of(source: bytes | BinaryIO) -> str:
    """Return ``utf-8-sig``, ``cp850`` or ``cp1252``: the encoding that a file is read in.

    Raises:
        DocumentRefused: a zero byte, which is in no text.
    """
    file = _opened(source)
    decoder = codecs.getincrementaldecoder("utf-8")()
    is_utf8, is_windows, dos, windows, at = True, True, 0, 0, 0
    while chunk := file.read(_CHUNK_BYTES):
        zero = chunk.find(b"\0")
        if zero >= 0:
            raise DocumentRefused("a zero byte is not text", path=f"byte {at + zero}")
        at += len(chunk)
        is_utf8 = is_utf8 and _decodes(decoder, chunk)
        if not chunk.isascii():
            is_windows = is_windows and not any(byte in _NOT_WINDOWS for byte in set(chunk))
            dos += len(chunk) - len(chunk.translate(None, _DOS_LETTERS))
            windows += len(chunk) - len(chunk.translate(None, _WINDOWS_LETTERS))
    if is_utf8 and _decodes(decoder, b"", final=True):
        return "utf-8-sig"
    return "cp850" if not is_windows or dos > windows else "cp1252"


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True


def _opened(source: bytes | BinaryIO) -> BinaryIO:
    """Return a file that stands at its beginning."""
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    file.seek(0)
    return file


def lines(source: bytes | BinaryIO) -> Iterator[tuple[int, str]]:
    """Yield the number, from 1, and the text of each line, control characters made blanks, trailing blanks kept.

    Raises:
        DocumentRefused: a zero byte, a line that is too long, or a last line without its end: what is behind a cut
            may be the rest of an amount. Only the mark that ends a message needs nothing behind it.
    """
    encoding, number = encoding_of(source), 0
    file = _opened(source)
    # One byte more than is allowed is looked at, so that a file without line ends is not searched to its end.
    while raw := file.readline(LINE_BYTES_MAX + 1):
        number += 1
        ended = raw.endswith(b"\n")
        if not ended and len(raw) > LINE_BYTES_MAX:
            raise DocumentRefused(f"a line of more than {LINE_BYTES_MAX} bytes", path=f"line {number}")
        raw = raw.removesuffix(b"\n")
        text = raw.rstrip(b"\r").decode(encoding if number == 1 else encoding.removesuffix("-sig")).translate(_BLANKED)
        if not ended and not raw.endswith(b"\r"):
            text = text.strip()
            if text == "-":
                return  # it may be the end of a message, or the beginning of a line
            if text and not text.startswith("-}"):
                raise DocumentRefused("cut off: the last line has no end", path=f"line {number}")
        yield number, text
