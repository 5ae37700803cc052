"""HTTPS to a real TLS server through a proxy that breaks connections: what is known of the bank's side, and no more."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from adapters.transports import Outbound
from adapters.transports.https import Https
from adapters.transports.https_link import harmless, resolve
from adapters.web_settings import HttpsSettings
from schemas.errors import ChannelUnavailable, ConfigurationError, HandoverRefused, HandoverUnknown
from security.vault import FolderVault
from simulators.tls_files import TlsAuthority
from simulators.web_server import WebReply, WebRequest
from tests import web_stand
from tests.fault_proxy import Fault, FaultProxy
from tests.web_stand import Tls, put, reach, served

CUTS = 100
PAYMENT = b"<Document>riel</Document>"


@dataclass
class PostOffice:
    """A bank with an HTTPS interface: books by name, an inbox, and replies that a test prescribes."""

    paid: dict[str, int] = field(default_factory=dict)
    requests: list[WebRequest] = field(default_factory=list)
    inbox: dict[str, bytes] = field(default_factory=dict)
    reply: WebReply | None = field(default_factory=lambda: WebReply(200, b"<Answer/>", {"X-Reference": "R-1"}))
    proxy: FaultProxy | None = None
    cuts: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, request: WebRequest) -> WebReply | None:
        """Answer one request."""
        with self.lock:
            self.requests.append(request)
        step = (request.method, request.path.partition("/inbox")[0], request.path.rpartition("/")[2])
        if request.method == "GET" and request.path == "/inbox":
            return WebReply(200, json.dumps([{"id": name} for name in self.inbox]).encode())
        if request.path.startswith("/inbox/"):
            return self._document(*step)
        name = request.headers.get("idempotency-key", "")
        if self.reply is None or self.reply.status < 300:
            self.paid[name] = self.paid.get(name, 0) + (name not in self.paid)
        if self.cuts and self.proxy is not None:
            self.proxy.cut()
        return self.reply

    def _document(self, method: str, _: str, name: str) -> WebReply:
        if name == "next":
            name = next(iter(self.inbox), "")
        if name not in self.inbox:
            return WebReply(404)
        if method == "DELETE":
            del self.inbox[name]
            return WebReply(204)
        return WebReply(200, self.inbox[name], {"X-Id": name})


_MADE: list[Https] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Close what a test has opened: a connection left behind is an error here."""
    yield
    while _MADE:
        _MADE.pop().close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """Return certificates."""
    return web_stand.tls(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def bank() -> PostOffice:
    """Return a bank."""
    return PostOffice()


@pytest.fixture
def proxy(files: Tls, bank: PostOffice) -> Iterator[FaultProxy]:
    """Run the bank behind a proxy."""
    with served(files, bank) as made:
        bank.proxy = made
        yield made


@pytest.fixture
def folder(tmp_path: Path, files: Tls) -> Path:
    """Return the folder of the vault."""
    web_stand.vault(tmp_path / "vault", files)
    return tmp_path / "vault"


def transport(proxy: FaultProxy, folder: Path, now: datetime | None = None, **more: object) -> Https:
    """Return a transport to the bank behind the proxy."""
    data: dict[str, object] = {
        "kind": "https",
        "paths": {"submit": "POST /payments", "inquire": "GET /payments/{name}/status"},
        **reach(proxy),
        **more,
    }
    moment = now or datetime(2026, 11, 30, 2, 0, tzinfo=UTC)
    _MADE.append(Https(HttpsSettings.model_validate(data), FolderVault(folder), lambda: moment))
    return _MADE[-1]


def payment(name: str = "M-1", content: bytes = PAYMENT, operation: str = "submit", *, again: bool = False) -> Outbound:
    """Return a document to hand over."""
    return Outbound(name, content, "pain.001.001.09", operation, again)


# ------------------------------------------------------------------------------------------------ what is taken


def test_a_document_goes_out_and_its_answer_comes_back_byte_for_byte(
    proxy: FaultProxy, bank: PostOffice, folder: Path
) -> None:
    """The bytes are what was archived; the bank knows us by our certificate and the document by its name."""
    made = transport(proxy, folder, reference_header="X-Reference", again_header="X-Again")
    handed = made.send(payment(again=True))
    assert (handed.answers, handed.reference) == ((b"<Answer/>",), "R-1")
    (request,) = bank.requests
    assert (request.method, request.path, request.body, request.client) == ("POST", "/payments", PAYMENT, "treasury")
    assert (request.headers["idempotency-key"], request.headers["x-again"]) == ("M-1", "true")
    made.send(payment("M/1?", operation="inquire"))
    assert bank.requests[-1].path == "/payments/M%2F1%3F/status"
    assert proxy.accepted == 1, "one connection carries both"
    made.close()


def test_an_operation_without_a_path_is_a_mistake_of_the_profile(proxy: FaultProxy, folder: Path) -> None:
    """The bank is never asked something at a path that was meant for something else."""
    with pytest.raises(ConfigurationError, match=r"transport\.paths\.recall"):
        transport(proxy, folder).send(payment(operation="recall"))


@pytest.mark.parametrize(
    ("status", "headers", "expected", "words"),
    [
        (400, {}, HandoverRefused, "HTTP 400"),
        (422, {}, HandoverRefused, "HTTP 422"),
        (308, {"Location": "https://elsewhere.example/"}, HandoverRefused, "redirects are not followed"),
        (303, {"Location": "/payments/1"}, HandoverUnknown, "status 303"),
        (401, {}, ChannelUnavailable, "took nothing"),
        (429, {"Retry-After": "30"}, ChannelUnavailable, "asks to wait: 30"),
        (503, {"Retry-After": "30"}, ChannelUnavailable, "took nothing"),
        (503, {}, HandoverUnknown, "status 503"),
        (500, {}, HandoverUnknown, "status 500"),
        (504, {}, HandoverUnknown, "status 504"),
    ],
)
def test_a_status_says_what_became_of_the_document(
    proxy: FaultProxy,
    bank: PostOffice,
    folder: Path,
    status: int,
    headers: dict[str, str],
    expected: type[Exception],
    words: str,
) -> None:
    """A payment is refused, may go later, or is in doubt: which of them decides whether it is paid once."""
    bank.reply = WebReply(status, b"", headers)
    with pytest.raises(expected, match=words):
        transport(proxy, folder).send(payment())


def test_a_conflict_says_that_the_bank_has_it_already(proxy: FaultProxy, bank: PostOffice, folder: Path) -> None:
    """And the bank's words are shown, without the account number that they hold."""
    bank.reply = WebReply(409, b'{"detail": "account 000123456789\\nhas it"}', {"Content-Type": "application/json"})
    with pytest.raises(HandoverRefused) as caught:
        transport(proxy, folder).send(payment())
    assert caught.value.known
    assert "...6789" in str(caught.value)
    assert "000123456789" not in str(caught.value)
    assert harmless("a\x1b[31m\r\nb 1234567") == "a [31m b ...4567"


# --------------------------------------------------------------------------------------------- what is broken off


@pytest.mark.parametrize("fault", [Fault("refuse"), Fault("cut"), Fault("cut_request", after=100)])
def test_what_breaks_before_the_request_handed_nothing_over(
    proxy: FaultProxy, bank: PostOffice, folder: Path, fault: Fault
) -> None:
    """No connection, or TLS not finished: the same bytes may be sent later, and then arrive."""
    made = transport(proxy, folder)
    proxy.fault = fault
    with pytest.raises(ChannelUnavailable, match="cannot be reached"):
        made.send(payment())
    assert not bank.requests
    proxy.fault = Fault()
    assert made.send(payment()).answers == (b"<Answer/>",)


def test_what_breaks_in_the_request_is_in_doubt(proxy: FaultProxy, bank: PostOffice, folder: Path) -> None:
    """How much of it the bank got, nobody can tell from here."""
    proxy.fault = Fault("cut_request", after=100_000)
    with pytest.raises(HandoverUnknown, match="request was begun"):
        transport(proxy, folder).send(payment(content=b"x" * 1_000_000))
    assert not bank.paid


def test_silence_is_in_doubt_too(proxy: FaultProxy, bank: PostOffice, folder: Path) -> None:
    """Time-outs are of each step, so that no worker waits for ever."""
    proxy.fault = Fault("drop_reply", after=1_500)
    with pytest.raises(HandoverUnknown, match="no complete answer"):
        transport(proxy, folder, read_s=0.5).send(payment(content=b"x" * 100_000))
    proxy.fault = Fault("half_open")
    with pytest.raises(ChannelUnavailable, match="cannot be reached"):
        transport(proxy, folder, read_s=0.3, connect_s=0.3).send(payment())
    assert list(bank.paid) == ["M-1"]


def test_a_server_that_hangs_up_without_a_word_leaves_it_in_doubt(
    proxy: FaultProxy, bank: PostOffice, folder: Path
) -> None:
    """It may have booked before."""
    bank.reply = None
    with pytest.raises(HandoverUnknown):
        transport(proxy, folder).send(payment())


def test_a_hundred_replies_that_are_cut_make_a_hundred_payments_in_doubt_and_none_twice(
    proxy: FaultProxy, bank: PostOffice, folder: Path
) -> None:
    """The bank has accepted and we never hear: neither lost nor sent, and under the same name it stays one payment."""
    made = transport(proxy, folder)
    for number in range(CUTS):
        bank.cuts = True
        with pytest.raises(HandoverUnknown):
            made.send(payment(f"M-{number}"))
        bank.cuts = False
        made.send(payment(f"M-{number}", again=True))
    assert bank.paid == {f"M-{number}": 1 for number in range(CUTS)}


def test_an_answer_that_is_cut_off_or_too_long_is_no_answer(proxy: FaultProxy, bank: PostOffice, folder: Path) -> None:
    """A document of which the end is missing would be read as another one, and one without an end fills the memory."""
    made = transport(proxy, folder, answer_bytes_max=2_000)
    for reply, words in (
        (WebReply(200, b"<Ans", {"Content-Length": "10", "Connection": "close"}), "no complete answer"),
        (WebReply(200, b"x" * 3_000), "more than 2000 bytes"),
        (WebReply(200, b"x" * 10, {"Content-Encoding": "gzip"}), "compressed"),
    ):
        bank.reply = reply
        with pytest.raises(HandoverUnknown, match=words):
            made.send(payment())
        made.close()
        made = transport(proxy, folder, answer_bytes_max=2_000)


# ------------------------------------------------------------------------------------------------- who is trusted


def test_only_the_banks_own_authority_is_trusted(
    proxy: FaultProxy, bank: PostOffice, folder: Path, tmp_path: Path
) -> None:
    """Whoever has a certificate of another authority, and be it a public one, is not the bank."""
    other = TlsAuthority(tmp_path / "other", datetime.now(UTC))
    put(folder, "bank-ca.crt", other.certificate.read_bytes())
    with pytest.raises(ChannelUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
        transport(proxy, folder).send(payment())
    assert not bank.requests


def test_the_certificate_is_of_the_host_that_was_asked_for(files: Tls, bank: PostOffice, folder: Path) -> None:
    """A certificate of the same authority for another host is not the bank's."""
    elsewhere = Tls(files.authority, files.authority.server("elsewhere", ("elsewhere.example",)), files.client)
    with served(elsewhere, bank) as proxy, pytest.raises(ChannelUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
        transport(proxy, folder).send(payment())
    assert not bank.requests


def test_a_client_that_the_bank_does_not_trust_handed_nothing_over(
    proxy: FaultProxy, bank: PostOffice, folder: Path, tmp_path: Path
) -> None:
    """With TLS 1.3 the refusal comes when the request is on its way; the bank has read nothing of it."""
    # Whether the alert is read before the reset that follows it, is chance: then it is in doubt, and not sent again.
    stranger = TlsAuthority(tmp_path / "other", datetime.now(UTC)).client("treasury")
    put(folder, "client.crt", stranger.certificate.read_bytes())
    put(folder, "client.key", stranger.key.read_bytes())
    with pytest.raises((ChannelUnavailable, HandoverUnknown)):
        transport(proxy, folder).send(payment())
    assert not bank.requests


def test_a_key_has_the_passphrase_that_the_vault_says(
    proxy: FaultProxy, folder: Path, files: Tls, tmp_path: Path
) -> None:
    """And without one nobody is asked at a terminal: it is an error that names the files."""
    other = TlsAuthority(tmp_path / "keys", datetime.now(UTC)).client("treasury", passphrase=b"open sesame")
    put(folder, "client.key", other.key.read_bytes())
    put(folder, "client.crt", other.certificate.read_bytes())
    put(folder, "passphrase", b"open sesame\n")
    transport(proxy, folder, client_key_passphrase="passphrase").close()
    with pytest.raises(ConfigurationError, match=r"client\.key"):
        transport(proxy, folder)
    put(folder, "bank-ca.crt", b"no certificate")
    with pytest.raises(ConfigurationError, match=r"bank-ca\.crt"):
        transport(proxy, folder)
    assert files.client.key.exists()


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]", "[::]", "224.0.0.1", "[fe80::1]"],
)
def test_nothing_is_sent_where_no_bank_is(proxy: FaultProxy, folder: Path, host: str) -> None:
    """A name that leads to this machine or to its cloud's metadata would hand our requests to the wrong server."""
    made = transport(proxy, folder, base_url=f"https://{host}:{proxy.port}", loopback_allowed=False)
    with pytest.raises(ChannelUnavailable, match="no bank is"):
        made.send(payment())
    assert proxy.accepted == 0


def test_a_name_with_one_wrong_address_is_refused_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that change their answer are how such checks are passed by: all addresses have to be right."""
    answers = [(2, 1, 6, "", ("10.1.2.3", 443)), (2, 1, 6, "", ("127.0.0.1", 443))]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: answers)
    with pytest.raises(ChannelUnavailable, match="no bank is"):
        resolve("bank.example", 443, loopback_allowed=False)
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: answers[:1])
    assert resolve("bank.example", 443, loopback_allowed=False) == ["10.1.2.3"]


# ---------------------------------------------------------------------------------------------- who we are, besides


def test_a_request_is_signed_with_the_shared_key(proxy: FaultProxy, bank: PostOffice, folder: Path) -> None:
    """The bank reckons the same from what it got: method, path, moment, name and body."""
    put(folder, "hmac-key", b"shared secret")
    transport(proxy, folder, hmac={"key": "hmac-key"}).send(payment())
    (request,) = bank.requests
    lines = ["POST", "/payments", "2026-11-30T02:00:00Z", "M-1", hashlib.sha256(PAYMENT).hexdigest()]
    assert request.headers["x-timestamp"] == lines[2]
    assert request.headers["x-signature"] == hmac.digest(b"shared secret", "\n".join(lines).encode(), "sha256").hex()


class Issuer:
    """Answers as `PostOffice` does, and issues tokens that it takes as long as it likes."""

    def __init__(self, bank: PostOffice) -> None:
        self.bank, self.issued, self.valid, self.broken = bank, 0, "", False

    def __call__(self, request: WebRequest) -> WebReply | None:
        """Answer one request."""
        if request.path == "/token":
            if self.broken:
                return WebReply(200, b"<html>")
            assert b"client_id=treasury&client_secret=s+cret" in request.body
            self.issued += 1
            self.valid = f"token-{self.issued}"
            return WebReply(200, json.dumps({"access_token": self.valid, "expires_in": 300}).encode())
        if request.headers.get("authorization") != f"Bearer {self.valid}":
            return WebReply(401)
        return self.bank(request)


def test_a_token_is_kept_and_renewed(files: Tls, bank: PostOffice, folder: Path) -> None:
    """One token serves many requests; when it expires or is revoked, one renewal follows and no payment is refused."""
    put(folder, "client-id", b"treasury")
    put(folder, "client-secret", b"s cret")
    issuer = Issuer(bank)
    with served(files, issuer) as proxy:
        oauth = {"client_id": "client-id", "client_secret": "client-secret"}
        oauth["token_url"] = f"https://127.0.0.1:{proxy.port}/token"
        moments = [datetime(2026, 11, 30, 2, 0, tzinfo=UTC)]
        data = {"kind": "https", "paths": {"submit": "POST /payments"}, "oauth": oauth, **reach(proxy)}
        made = Https(HttpsSettings.model_validate(data), FolderVault(folder), lambda: moments[-1])
        _MADE.append(made)
        made.send(payment("M-1"))
        made.send(payment("M-2"))
        assert issuer.issued == 1
        moments.append(moments[0] + timedelta(seconds=271))
        made.send(payment("M-3"))
        assert issuer.issued == 2, "renewed 30 s before it expires"
        issuer.valid = "revoked"
        made.send(payment("M-4"))
        assert issuer.issued == 3
        issuer.valid, issuer.broken = "revoked", True
        with pytest.raises(ChannelUnavailable, match="no token"):
            made.send(payment("M-5"))
    assert list(bank.paid) == ["M-1", "M-2", "M-3", "M-4"]


# ----------------------------------------------------------------------------------------------------- what comes in

INBOX = {"list": "GET /inbox", "item": "GET /inbox/{id}", "done": "DELETE /inbox/{id}"}


def test_documents_stay_in_the_inbox_until_they_are_kept(proxy: FaultProxy, bank: PostOffice, folder: Path) -> None:
    """A crash between fetching and keeping loses nothing."""
    bank.inbox = {"a": b"<A/>", "b": b"<B/>", "c": b"<C/>"}
    made = transport(proxy, folder, inbox=INBOX)
    first = made.receive(2)
    assert [(one.name, one.source.read(), one.size) for one in first] == [("a", b"<A/>", 4), ("b", b"<B/>", 4)]
    assert len(bank.inbox) == 3
    made.done(first)
    assert list(bank.inbox) == ["c"]
    made.done(made.receive(5))
    assert made.receive(5) == []
    assert transport(proxy, folder).receive(5) == (), "a profile without an inbox has nothing to fetch"


def test_what_cannot_be_fetched_does_not_hold_up_the_others(proxy: FaultProxy, bank: PostOffice, folder: Path) -> None:
    """It stays at the bank, and the error names it when nothing else came."""
    bank.inbox = {"..": b"<Trap/>", "long": b"x" * 5_000, "good": b"<A/>"}
    made = transport(proxy, folder, inbox=INBOX, answer_bytes_max=2_000)
    found = made.receive(5)
    assert [one.name for one in found] == ["good"]
    made.done(found)
    with pytest.raises(ChannelUnavailable, match="more than 2000 bytes"):
        made.receive(5)
    assert "long" in bank.inbox


def test_a_bank_without_a_list_hands_out_one_document_at_a_time(
    proxy: FaultProxy, bank: PostOffice, folder: Path
) -> None:
    """The next one comes when this one is let go of."""
    bank.inbox = {"a": b"<A/>", "b": b"<B/>"}
    made = transport(
        proxy, folder, inbox={"item": "GET /inbox/next", "id_header": "X-Id", "done": "DELETE /inbox/{id}"}
    )
    first, again = made.receive(5), made.receive(5)
    assert [one.handle for one in (*first, *again)] == ["a", "a"]
    made.done(first)
    made.done(again)  # the bank no longer has it, which is what was wanted
    last = made.receive(5)
    assert [one.handle for one in last] == ["b"]
    made.done(last)


def test_an_inbox_out_of_reach_is_a_channel_that_is_away(proxy: FaultProxy, bank: PostOffice, folder: Path) -> None:
    """Nothing is in doubt when only fetching broke: it is fetched again."""
    bank.inbox = {"a": b"<A/>"}
    made = transport(proxy, folder, inbox=INBOX)
    found = made.receive(5)
    proxy.fault = Fault("cut_reply", after=1)
    proxy.cut()
    for call in (lambda: made.receive(5), lambda: made.done(found)):
        with pytest.raises(ChannelUnavailable):
            call()
    assert "a" in bank.inbox
    found[0].source.close()


# ------------------------------------------------------------------------------------------------------ the settings


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"base_url": "http://bank.example"}, "https"),
        ({"base_url": "https://user@bank.example"}, "https"),
        ({"base_url": "https://bank.example/?x"}, "https"),
        ({"paths": {"submit": "/payments"}}, "method"),
        ({"paths": {"submit": "POST //evil.example/"}}, "method"),
        ({"paths": {"submit": "POST /a/../b"}}, "method"),
        ({"paths": {"submit": "POST /{other}"}}, "places"),
        ({"name_header": "Host"}, "header"),
        ({"client_key": None}, "belong together"),
        ({"hmac": {"key": "k", "signed": ["method"]}}, "body_sha256"),
        ({"inbox": {"list": "GET /inbox", "item": "GET /one"}}, "no {id}"),
        ({"inbox": {"item": "GET /next", "done": "DELETE /{id}"}}, "id"),
    ],
)
def test_mistakes_of_a_profile_are_found_before_anything_is_sent(change: dict[str, object], words: str) -> None:
    """An address or path that leads elsewhere is found by `gateway profiles check`, not by the first payment."""
    right: dict[str, object] = {
        "kind": "https",
        "base_url": "https://bank.example",
        "server_ca": "a.crt",
        "client_certificate": "c.crt",
        "client_key": "c.key",
        "paths": {"submit": "POST /payments"},
    }
    HttpsSettings.model_validate(right)
    with pytest.raises(ValidationError) as caught:
        HttpsSettings.model_validate(right | change)
    assert words in str(caught.value)
