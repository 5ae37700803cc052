"""A SOAP 1.1 service for simulated banks: operations by name, each a function from its parameters to its answer.

It reads and writes envelopes in its own way, so that a mistake of the gateway's SOAP transport is not mirrored here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from lxml import etree

from schemas.iso20022.record import local_name
from simulators.web_server import WebReply, WebRequest

if TYPE_CHECKING:
    from lxml.etree import _Element

_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
_HEADERS = {"Content-Type": "text/xml; charset=utf-8"}


class SoapFault(Exception):
    """The operation is not answered: ``code`` is ``Client`` or ``Server``, or one of these with a suffix."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Part:
    """What an operation answers: an element with text, or with elements inside it."""

    name: str
    content: str | Sequence[Part]


Operation = Callable[[Mapping[str, str]], Sequence[Part] | None]
"""From parameters to what is answered; None ends the connection without a word."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a service writes.

    Attributes:
        namespace: of its operations.
        qualified: whether parameters are in that namespace too.
        cdata: whether texts that are documents are written as CDATA sections, or escaped.
    """

    namespace: str
    qualified: bool = False
    cdata: bool = False


class SoapService:
    """Answers the requests of a `WebServer`.

    Args:
        path: where the service is.
        dialect: how it writes, and what it takes.
        operations: by name.
        credentials: parameters that every call must have.
    """

    def __init__(
        self, path: str, dialect: Dialect, operations: Mapping[str, Operation], credentials: Mapping[str, str]
    ) -> None:
        self._path, self._dialect = path, dialect
        self._operations, self._credentials = dict(operations), dict(credentials)
        self._lock = threading.Lock()

    def __call__(self, request: WebRequest) -> WebReply | None:
        """Answer one request; the bank behind does one thing at a time."""
        if (request.method, request.path) != ("POST", self._path):
            return WebReply(404)
        try:
            name, values = self._read(request.body)
            with self._lock:
                answer = self._called(name, values)
        except SoapFault as fault:
            return WebReply(500, self._fault(fault), _HEADERS)
        if answer is None:
            return None
        inside = "".join(self._written(part) for part in answer)
        response = f'<n:{name}Response xmlns:n="{escape(self._dialect.namespace)}">{inside}</n:{name}Response>'
        return WebReply(200, _envelope(response), _HEADERS)

    def _read(self, body: bytes) -> tuple[str, dict[str, str]]:
        """Return the operation and its parameters."""
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)
        try:
            root = etree.fromstring(body, parser)
        except etree.XMLSyntaxError as error:
            raise SoapFault("Client", f"the request cannot be read: {error}") from error
        found = root.find(f"{{{_SOAP}}}Body")
        operation: _Element | None = found[0] if found is not None and len(found) else None
        if root.tag != f"{{{_SOAP}}}Envelope" or operation is None:
            raise SoapFault("Client", "no envelope of SOAP 1.1")
        dialect = self._dialect
        wanted = f"{{{dialect.namespace}}}"
        if not str(operation.tag).startswith(wanted):
            raise SoapFault("Client", f"the operation is not in the namespace {dialect.namespace}")
        if any(str(one.tag).startswith(wanted) != dialect.qualified for one in operation):
            raise SoapFault("Client", "a parameter is in the wrong namespace")
        return local_name(operation), {local_name(one): one.text or "" for one in operation}

    def _called(self, name: str, values: Mapping[str, str]) -> Sequence[Part] | None:
        if any(values.get(element) != value for element, value in self._credentials.items()):
            raise SoapFault("Client.Authentication", "unknown user or password")
        operation = self._operations.get(name)
        if operation is None:
            raise SoapFault("Client", f"there is no operation {name}")
        return operation(values)

    def _written(self, part: Part) -> str:
        tag = f"n:{part.name}" if self._dialect.qualified else part.name
        if not isinstance(part.content, str):
            return f"<{tag}>{''.join(self._written(one) for one in part.content)}</{tag}>"
        is_document = part.content.startswith("<") and "]]>" not in part.content
        text = f"<![CDATA[{part.content}]]>" if self._dialect.cdata and is_document else escape(part.content)
        return f"<{tag}>{text}</{tag}>"

    @staticmethod
    def _fault(fault: SoapFault) -> bytes:
        said = f"<faultcode>s:{escape(fault.code)}</faultcode><faultstring>{escape(str(fault))}</faultstring>"
        return _envelope(f"<s:Fault>{said}</s:Fault>")


def _envelope(inside: str) -> bytes:
    return f'<s:Envelope xmlns:s="{_SOAP}"><s:Body>{inside}</s:Body></s:Envelope>'.encode()
