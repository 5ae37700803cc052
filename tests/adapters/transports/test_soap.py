"""SOAP over a real TLS server: envelopes as the profile says, faults by what they mean, documents byte for byte."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from pydantic import ValidationError

from adapters.transports import Outbound
from adapters.transports import soap_envelope as envelope
from adapters.transports.soap import Soap
from adapters.web_settings import SoapSettings
from schemas.errors import ChannelUnavailable, ConfigurationError, DocumentRefused, HandoverRefused, HandoverUnknown
from security.vault import FolderVault
from simulators.web_server import WebReply, WebRequest
from tests import web_stand
from tests.fault_proxy import Fault, FaultProxy
from tests.web_stand import Tls, put, reach, served

CUTS = 100
DOCUMENT = b'<?xml version="1.0" encoding="UTF-8"?>\r\n<Document xmlns="urn:a"><Nm>R&amp;D \xe1\x9e\x80</Nm></Document>'
OPEN = b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
SHUT = b"</s:Body></s:Envelope>"
OPERATIONS = {
    "submit": {
        "name": "makeFullFundTransfer",
        "action": "urn:fast/transfer",
        "parameters": {"iso_message": "{document}"},
        "answer": "return",
        "reference": "receipt",
    },
    "inquire": {
        "name": "getOutgoingTransactionByPmtInfId",
        "parameters": {"pmtInfId": "{name}"},
        "answer": "return",
    },
    "receive": {"name": "getIncomingTransaction", "answer": "return", "handle": "document:PmtInfId"},
    "done": {"name": "makeAcknowledgment", "parameters": {"pmtInfId": "{handle}"}},
}


def enveloped(inside: bytes) -> WebReply:
    """Return an envelope with this in its body."""
    return WebReply(200, OPEN + inside + SHUT, {"Content-Type": "text/xml"})


def fault(code: str, text: str, status: int = 500) -> WebReply:
    """Return a fault."""
    inside = f"<s:Fault><faultcode>s:{code}</faultcode><faultstring>{text}</faultstring></s:Fault>"
    return WebReply(status, enveloped(inside.encode()).body)


@dataclass
class Service:
    """A SOAP service that remembers its calls; it reads them with lxml alone."""

    calls: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    requests: list[WebRequest] = field(default_factory=list)
    replies: dict[str, WebReply] = field(default_factory=dict)
    waiting: dict[str, bytes] = field(default_factory=dict)
    paid: dict[str, int] = field(default_factory=dict)
    proxy: FaultProxy | None = None
    cuts: bool = False

    def __call__(self, request: WebRequest) -> WebReply | None:
        """Answer one call."""
        operation = etree.fromstring(request.body)[0][0]
        name = etree.QName(operation).localname
        values = {etree.QName(one).localname: one.text or "" for one in operation}
        self.requests.append(request)
        self.calls.append((name, values))
        if name in self.replies:
            return self.replies[name]
        if name == "getIncomingTransaction":
            inside = b"".join(b"<return>%s</return>" % envelope.text(one) for one in self.waiting.values())
            return enveloped(b"<r>%s</r>" % inside)
        if name == "makeAcknowledgment":
            self.waiting.pop(values["pmtInfId"], None)
            return enveloped(b"<r/>")
        self.paid[values.get("iso_message", "")] = 1 + self.paid.get(values.get("iso_message", ""), 0)
        if self.cuts and self.proxy is not None:
            self.proxy.cut()
        return enveloped(b"<r><return>%s</return></r>" % envelope.text(DOCUMENT))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """Return certificates."""
    return web_stand.tls(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def service() -> Service:
    """Return a service."""
    return Service()


@pytest.fixture
def proxy(files: Tls, service: Service) -> Iterator[FaultProxy]:
    """Run the service behind a proxy."""
    with served(files, service) as made:
        service.proxy = made
        yield made


Connect = Callable[..., Soap]


@pytest.fixture
def connect(proxy: FaultProxy, files: Tls, tmp_path: Path) -> Iterator[Connect]:
    """Return what makes a transport; each is closed in the end."""
    folder = tmp_path / "vault"
    web_stand.vault(folder, files)
    put(folder, "user", b"treasury\n")
    put(folder, "password", b"p<ss&word\n")
    made: list[Soap] = []

    def connected(**more: object) -> Soap:
        data: dict[str, object] = {
            "kind": "soap",
            "path": "/services/FAST",
            "namespace": "urn:fast:assumed",
            "operations": OPERATIONS,
            "credentials": {"cm_user_name": "user", "cm_password": "password"},
            **reach(proxy),
            **more,
        }
        made.append(
            Soap(SoapSettings.model_validate(data), FolderVault(folder), lambda: datetime(2026, 11, 30, tzinfo=UTC))
        )
        return made[-1]

    yield connected
    for one in made:
        one.close()


def transfer(name: str = "A/B/1", content: bytes = DOCUMENT, operation: str = "submit") -> Outbound:
    """Return a document to hand over."""
    return Outbound(name, content, "pain.001.001.05", operation)


# --------------------------------------------------------------------------------------------------------- requests


def test_a_document_goes_out_as_escaped_text_behind_the_credentials(connect: Connect, service: Service) -> None:
    """The profile orders the parameters; secrets come from the vault and are escaped like everything else."""
    handed = connect(declaration=True).send(transfer())
    (name, values), (request,) = service.calls[0], service.requests
    assert name == "makeFullFundTransfer"
    assert list(values.items())[:2] == [("cm_user_name", "treasury"), ("cm_password", "p<ss&word")]
    assert values["iso_message"].encode() == DOCUMENT
    assert request.headers["soapaction"] == '"urn:fast/transfer"'
    assert request.headers["content-type"] == "text/xml; charset=utf-8"
    assert handed.answers == (DOCUMENT,)


def test_a_document_goes_out_as_cdata_without_its_declaration(connect: Connect, service: Service) -> None:
    """Bakong's way; all other bytes stay as they were signed."""
    connect(document_as="cdata", qualified=True).send(transfer())
    (request,) = service.requests
    assert b"<![CDATA[<Document" in request.body
    assert b"<?xml" not in request.body[5:]
    assert service.calls[0][1]["iso_message"].encode() == DOCUMENT.partition(b"\r\n")[2]
    assert etree.fromstring(request.body)[0][0][2].tag == "{urn:fast:assumed}iso_message"


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]) | st.sampled_from("]>\t\n\r")))
def test_every_text_survives_both_ways(value: str) -> None:
    """Whatever is in a document: its bytes are what arrives, and what came is what is handed out."""
    given_bytes = value.encode()
    escaped = envelope.write("op", "urn:a:b", [("p", envelope.text(given_bytes))], qualified=False)
    assert (etree.fromstring(escaped)[0][0][0].text or "") == value
    section = envelope.write("op", "urn:a:b", [("p", envelope.cdata(given_bytes))], qualified=True)
    assert (etree.fromstring(section)[0][0][0].text or "") == value.replace("\r\n", "\n").replace("\r", "\n")
    read = envelope.read(section, 100_000)
    assert isinstance(read, etree._Element)
    assert (read[0].text or "") == value


def test_an_inquiry_names_what_it_asks_for(connect: Connect, service: Service) -> None:
    """No document goes with it; the PmtInfId is the name under which the transfer was sent."""
    assert connect().send(transfer("A/B/9", b"A/B/9", "inquire")).answers == (DOCUMENT,)
    assert service.calls[0][1]["pmtInfId"] == "A/B/9"


def test_an_operation_that_is_not_in_the_profile_is_not_guessed(connect: Connect) -> None:
    """Operations are the bank's own names."""
    with pytest.raises(ConfigurationError, match=r"transport\.operations\.recall"):
        connect().send(transfer(operation="recall"))


# ---------------------------------------------------------------------------------------------------------- answers


@pytest.mark.parametrize(
    ("reply", "expected", "words"),
    [
        (fault("Client", "iso_message is missing"), HandoverRefused, "SOAP Client"),
        (fault("Client", "duplicate PmtInfId"), HandoverRefused, "duplicate"),
        (fault("Server.Busy", "try later"), ChannelUnavailable, "took nothing"),
        (fault("Server", "database"), HandoverUnknown, "database"),
        (fault("Client", "a fault is one, whatever its status", 200), HandoverRefused, "SOAP Client"),
        (WebReply(500, b"<html>"), HandoverUnknown, "status 500"),
        (WebReply(200, b""), HandoverUnknown, "no answer that can be read"),
        (WebReply(200, b"<a/>"), HandoverUnknown, "Envelope"),
        (enveloped(b""), HandoverUnknown, "empty"),
        (enveloped(b"<r><return><Document/></return></r>"), HandoverUnknown, "as elements"),
        (enveloped(b"<!-- x --><r/>"), HandoverUnknown, "comment"),
        (enveloped(b"<!-- <![CDATA[ --><r/><!-- ]]> -->"), HandoverUnknown, "comment"),
        (WebReply(500, enveloped(b"<r/>").body), HandoverUnknown, "no fault"),
        (WebReply(404, b""), HandoverRefused, "HTTP 404"),
        (WebReply(502, b""), HandoverUnknown, "status 502"),
    ],
)
def test_an_answer_says_what_became_of_the_transfer(
    connect: Connect, service: Service, reply: WebReply, expected: type[Exception], words: str
) -> None:
    """What the service says it did not do may be done later; what it does not say is in doubt."""
    service.replies["makeFullFundTransfer"] = reply
    with pytest.raises(expected, match=words) as caught:
        connect(faults={"duplicate": "known", "server.busy": "unavailable"}).send(transfer())
    assert "p<ss&word" not in str(caught.value)
    if isinstance(caught.value, HandoverRefused):
        assert caught.value.known == ("duplicate" in words)


def test_answers_come_out_byte_for_byte_however_they_were_wrapped(connect: Connect, service: Service) -> None:
    """Escaped, as CDATA, with hints of types beside them: the archive keeps what the bank put in."""
    inside = (
        b'<r xmlns:x="http://www.w3.org/2001/XMLSchema-instance"><return x:type="string">%s</return>'
        b"<return><![CDATA[%s]]></return><return/><receipt>R-7</receipt></r>"
    )
    service.replies["makeFullFundTransfer"] = enveloped(inside % (envelope.text(DOCUMENT), DOCUMENT))
    handed = connect().send(transfer())
    assert (handed.answers, handed.reference) == ((DOCUMENT, DOCUMENT), "R-7")
    service.replies["makeFullFundTransfer"] = WebReply(202)
    assert connect().send(transfer()).answers == ()


def test_a_large_answer_is_read_up_to_the_profiles_limit(connect: Connect, service: Service) -> None:
    """A statement inside an envelope is one long text, for which the parser's usual limits are too short."""
    large = b"<Document>%s</Document>" % (b"<Ntry/>" * 20_000)
    service.replies["getOutgoingTransactionByPmtInfId"] = enveloped(
        b"<r><return>%s</return></r>" % envelope.text(large)
    )
    assert connect().send(transfer(operation="inquire")).answers == (large,)
    with pytest.raises(HandoverUnknown, match="more than 50000 bytes"):
        connect(answer_bytes_max=50_000).send(transfer(operation="inquire"))


@pytest.mark.parametrize("attack", ["doctype", "instruction", "depth", "namespaces"])
def test_hostile_envelopes_are_refused(attack: str) -> None:
    """The parser is that of bank messages, with all that it refuses."""
    built = {
        "doctype": b'<!DOCTYPE a [<!ENTITY b "c">]>' + OPEN + b"<r>&b;</r>" + SHUT,
        "instruction": OPEN + b"<?php x?><r/>" + SHUT,
        "depth": OPEN + b"<r>" * 400 + b"</r>" * 400 + SHUT,
        "namespaces": OPEN + b"<r>%s</r>" % b"".join(b'<a xmlns="urn:%d"/>' % n for n in range(100)) + SHUT,
    }
    with pytest.raises(DocumentRefused):
        envelope.read(built[attack], 1_000_000)


def test_a_hundred_replies_that_are_cut_make_a_hundred_transfers_in_doubt(connect: Connect, service: Service) -> None:
    """The bank has accepted and we never hear: the transport does not send it again by itself."""
    made = connect(declaration=True)
    service.cuts = True
    for number in range(CUTS):
        with pytest.raises(HandoverUnknown):
            made.send(transfer(f"A/B/{number}", b"<D>%d</D>" % number))
    assert service.paid == {f"<D>{number}</D>": 1 for number in range(CUTS)}


def test_a_service_out_of_reach_took_nothing(connect: Connect, service: Service, proxy: FaultProxy) -> None:
    """Nobody listens: the same bytes may go later."""
    proxy.fault = Fault("refuse")
    with pytest.raises(ChannelUnavailable, match="cannot be reached"):
        connect().send(transfer())
    assert not service.calls


# ---------------------------------------------------------------------------------------------------- what comes in


def incoming(name: str) -> bytes:
    """Return a transfer that came in."""
    return b"<Document><PmtInf><PmtInfId>%s</PmtInfId></PmtInf></Document>" % name.encode()


def test_what_came_in_is_acknowledged_when_it_is_kept(connect: Connect, service: Service) -> None:
    """Until then the bank hands it out again, so a crash loses nothing."""
    service.waiting = {name: incoming(name) for name in ("B/A/1", "B/A/2", "B/A/3")}
    made = connect()
    first = made.receive(2)
    assert [(one.handle, one.source.read()) for one in first] == [(name, incoming(name)) for name in ("B/A/1", "B/A/2")]
    assert len(service.waiting) == 3
    made.done(first)
    assert list(service.waiting) == ["B/A/3"]


def test_what_is_handed_out_once_is_taken_whole(connect: Connect, service: Service) -> None:
    """Without an acknowledgement there is no second time, whatever number was asked for."""
    service.waiting = {name: incoming(name) for name in ("B/A/1", "B/A/2", "B/A/3")}
    operations = {name: one for name, one in OPERATIONS.items() if name != "done"}
    made = connect(operations=operations)
    found = made.receive(1)
    assert len(found) == 3
    made.done(found)
    assert made.receive(0) == ()


def test_a_handle_may_stand_beside_the_document(connect: Connect, service: Service) -> None:
    """One number for each; where they cannot be paired, none is acknowledged rather than the wrong one."""
    operations = OPERATIONS | {"receive": {"name": "getIncomingTransaction", "answer": "return", "handle": "id"}}
    service.replies["getIncomingTransaction"] = enveloped(b"<r><id>1</id><return>a</return><return>b</return></r>")
    made = connect(operations=operations)
    assert [one.handle for one in made.receive(5)] == [None, None]
    service.replies["getIncomingTransaction"] = enveloped(
        b"<r><i><id>1</id><return>a</return></i><i><id>2</id><return>b</return></i></r>"
    )
    found = made.receive(5)
    assert [one.handle for one in found] == ["1", "2"]
    made.done(found)
    assert [values["pmtInfId"] for name, values in service.calls if name == "makeAcknowledgment"] == ["1", "2"]


@pytest.mark.parametrize("reply", [fault("Client", "no"), fault("Server", "no"), WebReply(200, b"x"), WebReply(404)])
def test_when_fetching_or_acknowledging_breaks_it_is_done_again(
    connect: Connect, service: Service, reply: WebReply
) -> None:
    """Nothing is in doubt there."""
    service.waiting = {"B/A/1": incoming("B/A/1")}
    made = connect()
    found = made.receive(5)
    service.replies = {"getIncomingTransaction": reply, "makeAcknowledgment": reply}
    with pytest.raises(ChannelUnavailable):
        made.receive(5)
    with pytest.raises(ChannelUnavailable):
        made.done(found)
    service.replies = {"makeAcknowledgment": fault("Client", "already acknowledged")}
    connect(faults={"already": "known"}).done(found)


# ------------------------------------------------------------------------------------------------------ the settings


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"operations": {"submit": {"name": "a b"}}}, "name"),
        ({"operations": {"submit": {"name": "a", "parameters": {"p": "x {document}"}}}}, "places"),
        ({"operations": {"submit": {"name": "a", "parameters": {"p": "{nmae}"}}}}, "places"),
        ({"operations": {"receive": {"name": "a"}}}, "ever arrive"),
        ({"operations": {"done": {"name": "a", "parameters": {"p": "{handle}"}}}}, "done needs it"),
        ({"faults": {"x": "later"}}, "faults"),
        ({"path": "services"}, "path"),
    ],
)
def test_mistakes_of_a_profile_are_found_before_anything_is_sent(change: dict[str, object], words: str) -> None:
    """A misspelt place would go to the bank as text."""
    right: dict[str, object] = {
        "kind": "soap",
        "base_url": "https://bank.example",
        "server_ca": "a.crt",
        "path": "/services",
        "namespace": "urn:a",
        "operations": OPERATIONS,
    }
    SoapSettings.model_validate(right)
    with pytest.raises(ValidationError) as caught:
        SoapSettings.model_validate(right | change)
    assert words in str(caught.value)
