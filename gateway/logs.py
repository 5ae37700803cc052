"""Logs: one event a line, JSON for machines or readable in a terminal, without secrets and without surprises.

The processors are plain functions in a list, each does one thing. ``create`` returns a logger that is handed on as an
argument, and configures nothing globally. Only a whole process sends there what writes without a logger of its own, the
bus and libraries (`gateway.process.route_library_logs`). What an event is about stands in the event.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import FilteringBoundLogger

from gateway.clock import Clock

Event = MutableMapping[str, Any]
Processor = Callable[[Any, str, Event], Any]
Logger = FilteringBoundLogger
Format = Literal["auto", "json", "text"]

TEXT_CHARACTERS_MAX = 4_000
"""A longer value is cut: a log line is for reading, and the archive has the bytes."""

SECRET = "********"  # noqa: S105  this is what is written instead of one
_SECRET_KEY = re.compile(r"passphrase|password|secret|token|private|jws|authorization", re.IGNORECASE)
_SECRET_ADDRESS = re.compile(r"(?<=://)([^/\s:]*):\S*@")
"""User and password of an address; a password may hold every sign, an @ or a / too, so it ends at the last @."""
_ACCOUNT_KEY = re.compile(r"account|iban", re.IGNORECASE)
_ACCOUNT_RUN = re.compile(
    r"(?<![0-9A-Za-z])"
    r"(?:[0-9]{9,}|[A-Z]{2}[0-9]{2}[A-Z0-9]{10,30}|(?<!-)[0-9]{3,6}(?:[- ][0-9]{3,6}){2,})"
    r"(?![0-9A-Za-z])",
    re.ASCII,
)
"""What may be an account number: digits in a row, an IBAN, or digits in groups (a date's groups are shorter)."""
_KEPT_WHOLE = frozenset({
    "amount", "batch_id", "correlation_id", "end_to_end_id", "event_id", "instruction_id", "message_id", "order_id",
    "payment_id", "sha256", "statement_id", "timestamp", "uetr",
})  # fmt: skip
"""References and amounts are kept even where they look like an account number: without them nothing can be traced."""
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


def create(
    clock: Clock, *, stream: TextIO | None = None, form: Format = "auto", level: str = "info", **bound: str
) -> Logger:
    """Return a logger that writes to a stream.

    Args:
        clock: where the timestamps come from.
        stream: where the lines go to; None: standard error, so that standard output is left to results.
        form: ``json``, ``text``, or ``auto``: text when the stream is a terminal.
        level: least level that is written: debug, info, warning, error.
        bound: what every event carries, such as the worker's role.
    """
    stream = sys.stderr if stream is None else stream
    text = stream.isatty() if form == "auto" else form == "text"
    render = (
        structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback)
        if text
        else to_json
    )
    logger: Logger = structlog.wrap_logger(
        structlog.PrintLogger(stream),
        processors=[*processors(clock), render],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        context_class=dict,
        cache_logger_on_first_use=True,
    )
    return logger.bind(**bound) if bound else logger


def processors(clock: Clock) -> list[Processor]:
    """Return what an event goes through before it is written, in this order."""

    def add_timestamp(_logger: Any, _method: str, event: Event) -> Event:
        """Say when, to the millisecond, in UTC."""
        event["timestamp"] = clock.now().isoformat(timespec="milliseconds")
        return event

    return [
        structlog.processors.add_log_level,
        add_timestamp,
        structlog.processors.format_exc_info,
        neutralise,
        mask,
    ]


def mask(_logger: Any, _method: str, event: Event) -> Event:
    """Hide secrets whole, and account numbers but for their last four digits, wherever they stand."""
    return {key: _masked(key, value) for key, value in event.items()}


def neutralise(_logger: Any, _method: str, event: Event) -> Event:
    """Write control, ANSI and direction characters as escapes, so that no text can forge a line or paint a terminal.

    A traceback keeps its lines, each indented, for a person to read.
    """
    trace = event.pop("exception", None)
    plain = {_plain(str(key)): _map_text(value) for key, value in event.items()}
    if trace is not None:
        plain["exception"] = "\n".join("    " + _plain(line) for line in str(trace).splitlines())
    return plain


def to_json(_logger: Any, _method: str, event: Event) -> str:
    """Return the event as one line of JSON: when, how bad and what first."""
    first = {key: event.pop(key) for key in ("timestamp", "level", "event") if key in event}
    return json.dumps({**first, **event}, ensure_ascii=False)


def mask_text(text: str) -> str:
    """Return a text with what may be account numbers in it and passwords in addresses masked."""
    return _SECRET_ADDRESS.sub(rf"\1:{SECRET}@", _ACCOUNT_RUN.sub(lambda found: _last_four(found.group()), text))


def _masked(key: str, value: Any) -> Any:
    """Return a value without what nobody may read in a log; the key tells what it is."""
    if _SECRET_KEY.search(key):
        return SECRET
    if isinstance(value, Mapping):
        return {str(inner): _masked(str(inner), one) for inner, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(key, one) for one in value]
    if key in _KEPT_WHOLE or value is None or isinstance(value, int | float):
        return value
    return _last_four(str(value)) if _ACCOUNT_KEY.search(key) else mask_text(str(value))


def _last_four(number: str) -> str:
    """Return ``****1234``; a number of up to four characters is hidden whole."""
    number = number.replace("-", "").replace(" ", "")
    return "****" + (number[-4:] if len(number) > 4 else "")  # noqa: PLR2004  its name says four


def _plain(text: str) -> str:
    """Return a text of bounded length in which nothing is invisible."""
    cut = text if len(text) <= TEXT_CHARACTERS_MAX else text[:TEXT_CHARACTERS_MAX] + "..."
    return _UNSAFE.sub(lambda found: found.group().encode("unicode_escape").decode("ascii"), cut)


def _map_text(value: Any) -> Any:
    """Return a value as plain JSON can hold it, with every text in it made plain."""
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, Mapping):
        return {_plain(str(key)): _map_text(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_map_text(one) for one in value]
    return _plain(str(value))


class LibraryHandler(logging.Handler):
    """Takes what the libraries write to the standard logging module (pika does) and passes it on as events."""

    def __init__(self, logger: Logger, level: int = logging.WARNING) -> None:
        super().__init__(level)
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; an error inside logging is handled as the standard library does."""
        try:
            self._logger.log(record.levelno, "library", library=record.name, message=record.getMessage())
        except Exception:  # noqa: BLE001  logging never stops the work that it describes
            self.handleError(record)
