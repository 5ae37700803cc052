"""Attacks by what one bank's side answers: none of it may end the process that serves all banks.

A worker that meets something unforeseen stops the whole service, so nothing unforeseen may come from a bank's server.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from adapters.profile import StatementSettings
from adapters.table_settings import TableSettings
from adapters.transports import Outbound
from adapters.transports.https import Https
from adapters.transports.https_link import Request
from adapters.web_settings import HttpsSettings
from gateway.flow.collector import WHOLE_BYTES_MAX
from schemas.errors import ChannelUnavailable
from simulators.stage import PROFILE
from simulators.web_server import Answerer, WebReply, WebRequest
from tests import web_stand
from tests.gateway.flow.stand import RIEL, Stand, order
from tests.gateway.flow.wire import Wire, collector, courier
from tests.web_stand import Tls, reach, served

INBOX = {"list": "GET /inbox", "item": "GET /inbox/{id}", "done": "DELETE /inbox/{id}"}
NOW = datetime(2026, 11, 30, tzinfo=UTC)
TABLE = TableSettings.model_validate({
    "account_number": RIEL, "columns": {"booking_date": "Date", "amount": "Amount", "balance": "Balance",
                                        "description": "Text"},
})  # fmt: skip
LARGEST = "9999999999999999.99"
"""An amount that every rule allows; a dozen of them are more than a database's whole number holds."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """Return certificates."""
    return web_stand.tls(tmp_path_factory.mktemp("tls"))


@contextmanager
def https(files: Tls, folder: Path, bank: Answerer, *, tokens: bool = False) -> Iterator[Https]:
    """Give a transport to a bank with an HTTPS interface that answers as a test says."""
    vault = web_stand.vault(folder, files, client_id="treasury", client_secret="s cret")
    with served(files, bank) as proxy:
        data: dict[str, object] = {"kind": "https", "paths": {"submit": "POST /p"}, "inbox": INBOX}
        if tokens:
            address = f"https://127.0.0.1:{proxy.port}/token"
            data["oauth"] = {"client_id": "client-id", "client_secret": "client-secret", "token_url": address}
        made = Https(HttpsSettings.model_validate(data | reach(proxy)), vault, lambda: NOW)
        try:
            yield made
        finally:
            made.close()


# ------------------------------------------------------------------------------------------------ over the network


@pytest.mark.parametrize("name", ["\ud800", "a\udfffb", "n" * 70_000], ids=["half", "half-inside", "too-long"])
def test_a_name_that_is_none_holds_up_no_document(files: Tls, tmp_path: Path, name: str) -> None:
    """JSON can write half a character, and a name longer than an address; what lies beside it is fetched."""
    listed = [name, "good"]

    def bank(request: WebRequest) -> WebReply:
        body = json.dumps(listed).encode() if request.path == "/inbox" else b"<A/>"
        return WebReply(200, body)

    with https(files, tmp_path / "vault", bank) as made:
        [found] = made.receive(5)
        assert found.name == "good"
        found.source.close()
        listed.remove("good")
        with pytest.raises(ChannelUnavailable, match="is none of a document"):
            made.receive(5)


@pytest.mark.parametrize("path", ["/" + "n" * 70_000, "/\ud800", "/\u17d4"], ids=["too-long", "half", "not-ascii"])
def test_a_request_that_cannot_be_written_was_not_sent(files: Tls, tmp_path: Path, path: str) -> None:
    """Whatever is filled into an address: the bank has nothing, and the same may be asked later."""
    asked: list[str] = []

    def bank(request: WebRequest) -> WebReply:
        asked.append(request.path)
        return WebReply(200, b"")

    with https(files, tmp_path / "vault", bank) as made, pytest.raises(ChannelUnavailable, match="cannot be written"):
        made._link.exchange(Request("GET", path))
    assert not asked


@pytest.mark.parametrize(
    "lifetime",
    ["\u00b2", "\u0663\u0660\u0660", "9" * 5_000, "-5", -5, 10**4_000, 1.5, True, None, [300]],
    ids=["square", "arabic", "5000-digits", "minus", "negative", "10-to-4000", "fraction", "flag", "null", "list"],
)
def test_a_token_of_a_strange_lifetime_is_a_token(files: Tls, tmp_path: Path, lifetime: object) -> None:
    """It is read when a handover has begun already: what broke there would leave the payment in doubt."""

    def bank(request: WebRequest) -> WebReply:
        said = {"access_token": "t", "expires_in": lifetime}
        return WebReply(200, json.dumps(said).encode() if request.path == "/token" else b"<A/>")

    with https(files, tmp_path / "vault", bank, tokens=True) as made:
        assert made.send(Outbound("M-1", b"<D/>", "pain.001.001.09")).answers == (b"<A/>",)


# ------------------------------------------------------------------------------------------------- in the gateway


def test_a_handover_that_breaks_unforeseen_is_in_doubt(stand: Stand) -> None:
    """The bank may have it: it is not sent again by itself, and the worker goes on to the next one."""
    wire = Wire(idempotent=False, breaks=deque([ValueError("int() argument"), None]))
    stand.compose(order(1))
    courier(stand, wire)
    assert stand.step("relay") == 1
    assert (stand.states(), stand.open()) == ({"PO-1": "IN_DOUBT"}, {"handover_unknown": 1})
    stand.compose(order(2))
    stand.clock.advance(timedelta(hours=1))
    stand.run("relay")
    assert stand.states() == {"PO-1": "IN_DOUBT", "PO-2": "SENT"}
    assert len(wire.taken) == 2, "each of them once"


def test_a_banks_side_that_breaks_unforeseen_is_looked_at_again(stand: Stand) -> None:
    """What was kept is let go of when that works; nothing is applied twice."""
    [paid] = stand.sent(order())
    wire = Wire(waiting={"a": stand.bank.status("ACSC", [paid])}, fails=ValueError("int() argument"))
    collector(stand, wire, poll_s=1)
    for _ in range(3):
        stand.clock.advance(timedelta(seconds=2))
        stand.step("inbound")
    assert (stand.states(), wire.let_go) == ({"PO-1": "SETTLED"}, [])
    wire.fails = None
    stand.clock.advance(timedelta(seconds=2))
    stand.step("inbound")
    assert wire.let_go == ["a"]
    wire.fails = ValueError("int() argument")
    stand.clock.advance(timedelta(seconds=2))
    assert stand.step("inbound") == 0
    assert stand.faults() == []


def beyond_the_database(size: int) -> bytes:
    """Return a table whose entries sum to more than a database's whole number holds, and that is so large."""
    chance = Random(1)
    lines = ["Date,Text,Amount,Balance\n", *(f"2026-11-30,x,{LARGEST},\n" for _ in range(12))]
    while size > 0:
        lines.append(f"2026-11-30,{chance.randbytes(1_500).hex()},-1.00,\n")
        size -= len(lines[-1])
    return "".join([*lines, "2026-11-30,x,-1.00,5.00\n"]).encode()


@pytest.mark.parametrize("size", [0, WHOLE_BYTES_MAX], ids=["small", "large"])
def test_a_statement_that_breaks_unforeseen_is_set_aside(stand: Stand, size: int) -> None:
    """However it is held while it is read: it is kept, a person is told, and it does not come again."""
    profile = stand.gateway.profiles[PROFILE]
    changed = profile.model_copy(update={"statements": StatementSettings(signed=False, table=TABLE)})
    stand.gateway.profiles = {**stand.gateway.profiles, PROFILE: changed}
    wire = Wire(waiting={"day.csv": beyond_the_database(size)})
    collector(stand, wire)
    stand.step("inbound")
    assert stand.sql("SELECT state FROM document") == [("FAILED",)]
    assert stand.open() == {"document_failed": 1}
    assert (wire.waiting, wire.let_go) == ({}, ["day.csv"])
    assert stand.faults() == []
