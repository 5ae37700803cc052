"""A log line can be searched and trusted, and holds nothing that its reader may not know."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.clock import ManualClock
from gateway.logs import TEXT_CHARACTERS_MAX, Format, LibraryHandler, Logger, create

ROOT = Path(__file__).parents[2]

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


def logger(stream: io.StringIO, form: Format = "json", level: str = "info", **bound: str) -> Logger:
    """Return a logger that writes into a text."""
    return create(ManualClock(NOW), stream=stream, form=form, level=level, **bound)


def written(**values: Any) -> dict[str, Any]:
    """Return one event as it is written in JSON."""
    stream = io.StringIO()
    logger(stream).info("taken", **values)
    event: dict[str, Any] = json.loads(stream.getvalue())
    return event


def test_an_event_is_one_line_of_json() -> None:
    """A collector reads lines; when, how bad and what come first for the eyes."""
    stream = io.StringIO()
    logger(stream, role="intake").warning("batch_refused", payments=2)
    assert stream.getvalue() == (
        '{"timestamp": "2026-11-23T01:00:00.000+00:00", "level": "warning", "event": "batch_refused", '
        '"role": "intake", "payments": 2}\n'
    )


def test_a_terminal_gets_readable_text() -> None:
    """A person at a terminal is no log collector; without a terminal, `auto` is JSON."""
    stream = io.StringIO()
    logger(stream, "text").info("batch_accepted", payments=2)
    assert "batch_accepted" in stream.getvalue()
    assert "payments=2" in stream.getvalue()
    automatic = io.StringIO()
    logger(automatic, "auto").info("batch_accepted")
    assert automatic.getvalue().startswith("{")


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("account", "000100000001", "****0001"),
        ("debtor_account", "12345", "****2345"),
        ("account", "1234", "****"),
        ("debtor_account", {"number": "000100000001"}, {"number": "****0001"}),
        ("accounts", ["000100000001", "A-17"], ["****0001", "****"]),
        ("note", "pay 000100000001, then 000100000002.", "pay ****0001, then ****0002."),
        ("error", ValueError("no account 000100000001"), "no account ****0001"),
        ("passphrase", "correct horse", "********"),
        ("jws", "a..b", "********"),
        ("url", "amqp://gateway:battery@mq/treasury", "amqp://gateway:********@mq/treasury"),
        ("url", "amqp://gateway:bat@te/ry@mq/treasury", "amqp://gateway:********@mq/treasury"),
        ("note", "two: amqp://a:b@c postgresql://d:e@f/g", "two: amqp://a:********@c postgresql://d:********@f/g"),
        ("note", "from KH1200010000000123456789 today", "from ****6789 today"),
        ("note", "GB29NWBK60161331926819", "****6819"),
        ("note", "0001-0001-0001 and 0001 0001 0002", "****0001 and ****0002"),
        ("note", "x-1234567890123456789012345", "x-****2345"),
        ("note", "on 2026-11-23 08:00, 2026-11-23T08:00", "on 2026-11-23 08:00, 2026-11-23T08:00"),
        ("note", "NCAMKHPPXXX sent 12-3-2026", "NCAMKHPPXXX sent 12-3-2026"),
        ("message_id", "202611230000000001", "202611230000000001"),
        ("amount", "400000000000", "400000000000"),
        ("payments", 400_000_000_000, 400_000_000_000),
        ("sha256", "0" * 64, "0" * 64),
        ("uetr", "12345678-1234-4123-8123-123456789012", "12345678-1234-4123-8123-123456789012"),
        ("nothing", None, None),
    ],
)
def test_account_numbers_and_secrets_are_masked(key: str, value: Any, expected: Any) -> None:
    """Logs are read by more people than accounts are; references stay whole, or nothing could be traced."""
    assert written(**{key: value})[key] == expected


@pytest.mark.parametrize("form", ["json", "text"])
def test_no_text_can_forge_a_line_or_paint_the_terminal(form: Format) -> None:
    """A payee's name is written by strangers."""
    stream = io.StringIO()
    logger(stream, form).info("refused", name='Sok\r\n{"event": "settled"}\x1b[2J\x9b1m\u202e\u2028', **{"k\ney": "v"})
    assert len(stream.getvalue().splitlines()) == 1
    assert not any(one in stream.getvalue() for one in "\r\x1b\x9b\u202e\u2028")


@pytest.mark.parametrize("form", ["json", "text"])
def test_an_exception_is_shown_with_its_traceback_and_without_its_secrets(form: Format) -> None:
    """What went wrong is needed at night, and the account number is not."""
    stream = io.StringIO()
    try:
        int("account 000100000001\nsettled\x1b[1m")
    except ValueError:
        logger(stream, form).exception("stage_failed")
    said = stream.getvalue()
    assert "Traceback" in said
    assert "****0001" in said
    assert "000100000001" not in said
    assert "\x1b" not in said
    assert not any(line.startswith("settled") for line in said.splitlines())


def test_a_long_text_is_cut() -> None:
    """A 200 MB message does not become a 200 MB log line."""
    assert len(written(body="x" * 10 * TEXT_CHARACTERS_MAX)["body"]) == TEXT_CHARACTERS_MAX + 3


def test_the_level_holds_back_what_is_below() -> None:
    """Debugging is for debugging."""
    stream = io.StringIO()
    logger(stream, level="warning").info("quiet")
    assert not stream.getvalue()


def test_nothing_is_configured_globally() -> None:
    """Two gateways in one process, as in a simulation, do not share their logs."""
    program = (
        "import io, structlog; from gateway import logs; from gateway.clock import SystemClock\n"
        "logs.create(SystemClock(), stream=io.StringIO()); raise SystemExit(structlog.is_configured())"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


def test_what_libraries_log_becomes_an_event() -> None:
    """A client library says in its own log why a connection was lost."""
    stream = io.StringIO()
    library = logging.getLogger("some-library")
    library.propagate = False
    handler = LibraryHandler(logger(stream))
    library.addHandler(handler)
    try:
        library.error("lost %s", "amqp://u:p@h")
        library.info("chatter")
    finally:
        library.removeHandler(handler)
    (line,) = stream.getvalue().splitlines()
    event = json.loads(line)
    assert (event["level"], event["library"], event["message"]) == ("error", "some-library", "lost amqp://u:********@h")
