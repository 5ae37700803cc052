"""Banks over HTTPS and SOAP: the ``[transport]`` tables of their profiles.

Secrets are named here, and lie in the vault.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from adapters.fields import Listed, MistakeAt, Table

OPERATIONS = ("submit", "inquire", "recall", "give_back", "answer")
"""What a document may be handed over for; adapters/transports says what each means."""

_METHODS = ("GET", "POST", "PUT", "DELETE")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~{}:@!$&'()*+,;=-]*)+(?:\?[A-Za-z0-9._~{}:@!$&'()*+,;=/?-]*)?", re.ASCII)
_PLACES = re.compile(r"\{([^{}]*)\}")
_URL = re.compile(
    r"https://(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(?P<port>:[0-9]{1,5})?(?P<path>/[^?#\s]*)?", re.ASCII
)


def _url(value: str) -> str:
    """Check an address: https, a host, perhaps a port and a path; no user, query or fragment."""
    if not _URL.fullmatch(value):
        raise ValueError(f"{value!r} is not an address such as https://host.example:8443/api")
    return value.rstrip("/")


def _route(value: str) -> str:
    """Check ``POST /payments/{name}``: a method and a path below the address; the bank never adds to it."""
    method, _, path = value.partition(" ")
    if method not in _METHODS or not _PATH.fullmatch(path) or "//" in path or ".." in path:
        raise ValueError(f'{value!r} is not a method and a path, such as "POST /payments"')
    if set(_PLACES.findall(path)) - {"name", "id"}:
        raise ValueError(f"{value!r}: a path has the places {{name}} and {{id}} only")
    return value


def _header(value: str) -> str:
    """Check the name of a header that is ours to set."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,63}", value) or value.lower() in _RESERVED:
        raise ValueError(f"{value!r} is not the name of a header that a profile may set")
    return value


_RESERVED = {"host", "content-length", "content-type", "transfer-encoding", "connection", "authorization", "cookie"}

Url = Annotated[str, AfterValidator(_url)]
Route = Annotated[str, AfterValidator(_route)]
Header = Annotated[str, AfterValidator(_header)]
SecretName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""A file in the vault of the relationship: a plain name."""
Definition = Annotated[str, Field(pattern=r"^[a-z]{4}\.[0-9]{3}\.[0-9]{3}\.[0-9]{2}$")]
"""A message definition of ISO 20022."""
Tag = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,99}$")]
"""The local name of an element."""


def host_of(url: str) -> tuple[str, int]:
    """Return host and port of an address that was checked."""
    found = _URL.fullmatch(url)
    assert found is not None, "a profile holds checked addresses only"
    return found["host"].strip("[]").lower(), int((found["port"] or ":443")[1:])


class HmacSettings(Table):
    """A signature of each request with a shared key (RFC 2104).

    Attributes:
        key: the secret's name in the vault.
        header: where the signature stands.
        timestamp_header: where the moment stands that is signed as well, as ISO 8601 in UTC; None: there is none.
        signed: what is signed, one a line: ``method``, ``path`` (with its query), ``timestamp``, ``name``,
            ``body_sha256`` (hexadecimal).
        digest: SHA-256 or SHA-512.
        written: hexadecimal or base64.
    """

    key: SecretName
    header: Header = "X-Signature"
    timestamp_header: Header | None = "X-Timestamp"
    signed: Listed[tuple[Literal["method", "path", "timestamp", "name", "body_sha256"], ...]] = (
        "method",
        "path",
        "timestamp",
        "name",
        "body_sha256",
    )
    digest: Literal["sha256", "sha512"] = "sha256"
    written: Literal["hex", "base64"] = "hex"

    @model_validator(mode="after")
    def the_body_is_signed(self) -> Self:
        """A signature without the body protects nothing that matters; one over a moment has to send it."""
        if "body_sha256" not in self.signed:
            raise MistakeAt(("transport", "hmac", "signed"), "body_sha256 is missing: the amount would not be signed")
        if "timestamp" in self.signed and self.timestamp_header is None:
            raise MistakeAt(("transport", "hmac", "timestamp_header"), "missing, and timestamp is signed")
        return self


class OauthSettings(Table):
    """OAuth 2.0 client credentials (RFC 6749, 4.4); the token is kept until shortly before it expires.

    Attributes:
        token_url: where tokens are issued; reached over the same TLS, with the same certificates.
        client_id, client_secret: names of secrets in the vault.
        scope: what is asked for.
        renew_before_s: so many seconds before it expires a token counts as expired.
    """

    token_url: Url
    client_id: SecretName
    client_secret: SecretName
    scope: str | None = Field(default=None, min_length=1, max_length=500)
    renew_before_s: int = Field(default=30, ge=0, le=3_600)


class WebSettings(Table):
    """What HTTPS and SOAP have in common.

    Attributes:
        base_url: the bank's address; paths are below it, and nothing else is ever connected to (but ``token_url``).
        server_ca: the authorities of the bank's server, a file in the vault; nobody else's are trusted.
        client_certificate, client_key, client_key_passphrase: who we are in TLS, files and a secret in the vault.
        tls_min: the oldest version that is spoken.
        connect_s, read_s, write_s: seconds of silence after which a step has failed.
        keep_alive_s: an idle connection is used again for so long; shorter than the bank's, else a request may meet a
            connection that is just being closed, and is in doubt.
        answer_bytes_max: of an answer; one that is longer is not read.
        idempotent: the bank has said that the same name twice is one document to it.
        nothing_taken: statuses by which the bank says that it took nothing for now; one of 500 and above says so only
            with a Retry-After, for a server may also answer it half-way.
        definitions: documents that are submitted in another way than the rest: definition -> the operation whose path
            or name they go by, such as ``"pain.007.001.05" = "give_back"``.
        loopback_allowed: the address may be this machine itself: for tests and simulators.
        hmac, oauth: where the bank asks for them.
    """

    base_url: Url
    server_ca: SecretName
    client_certificate: SecretName | None = None
    client_key: SecretName | None = None
    client_key_passphrase: SecretName | None = None
    tls_min: Literal["1.2", "1.3"] = "1.2"
    connect_s: float = Field(default=10.0, gt=0, le=120)
    read_s: float = Field(default=60.0, gt=0, le=900)
    write_s: float = Field(default=60.0, gt=0, le=900)
    keep_alive_s: float = Field(default=5.0, ge=0, le=300)
    answer_bytes_max: int = Field(default=64 * 1024 * 1024, ge=1_024, le=4 * 1024 * 1024 * 1024)
    idempotent: bool = False
    nothing_taken: Listed[tuple[Annotated[int, Field(ge=400, le=599)], ...]] = (401, 403, 429, 503)
    definitions: Mapping[Definition, Literal["submit", "inquire", "recall", "give_back", "answer"]] = Field(
        default_factory=dict
    )
    loopback_allowed: bool = False
    hmac: HmacSettings | None = None
    oauth: OauthSettings | None = None

    @property
    def handover_s(self) -> float:
        """A connection, the request and its answer, and before them an answer with a new token."""
        return 2 * self.connect_s + self.write_s + 2 * self.read_s

    def operation_for(self, definition: str, operation: str) -> str:
        """Return by which operation a document is handed over."""
        found = next((by for one, by in self.definitions.items() if one == definition), None)
        return found if found is not None and operation == OPERATIONS[0] else operation

    @model_validator(mode="after")
    def a_certificate_has_its_key(self) -> Self:
        """One without the other identifies nobody."""
        if (self.client_certificate is None) != (self.client_key is None):
            missing = "client_key" if self.client_key is None else "client_certificate"
            raise MistakeAt(("transport", missing), "missing: a certificate and its key belong together")
        if self.client_key_passphrase is not None and self.client_key is None:
            raise MistakeAt(("transport", "client_key_passphrase"), "there is no client_key")
        return self


class InboxSettings(Table):
    """Where documents wait at the bank's side.

    Attributes:
        list: names them, as a JSON array of names, or of objects; then ``item`` fetches each.
        id_field: the name in such an object.
        item: one document, such as ``GET /inbox/{id}``; or without a list the next one that waits (404 or 204: none).
        id_header: without a list: the header that names the document.
        done: lets go of a document, such as ``DELETE /inbox/{id}``; None: the bank hands each one out once.
    """

    list: Route | None = None
    id_field: str = "id"
    item: Route
    id_header: Header | None = None
    done: Route | None = None

    @model_validator(mode="after")
    def names_come_from_somewhere(self) -> Self:
        """A path with an id needs a name, and without a list only a header can give one."""
        if self.list is not None and "{id}" not in self.item:
            raise MistakeAt(("transport", "inbox", "item"), "has no {id}, so all documents of the list would be one")
        if self.list is None and "{id}" in self.item:
            raise MistakeAt(("transport", "inbox", "item"), "has an {id}, and no list to take it from")
        if self.list is None and self.done is not None and "{id}" in self.done and self.id_header is None:
            raise MistakeAt(("transport", "inbox", "id_header"), "missing, and done needs the id")
        return self


class HttpsSettings(WebSettings):
    """A bank with a plain HTTPS interface.

    Attributes:
        paths: operation -> method and path: ``submit = "POST /payments"``. What is not here, the bank is not asked.
        content_type: of what is sent.
        answers: whether the body of an answer is a document of the bank; else it is not looked at.
        name_header: the idempotency key: the name of the document; None: the bank knows no such header.
        again_header: says ``true`` when the document may have been handed over before.
        reference_header: where the bank says what it calls the document.
        inbox: where documents wait.
    """

    kind: Literal["https"]
    paths: Mapping[Literal["submit", "inquire", "recall", "give_back", "answer"], Route] = Field(min_length=1)
    content_type: str = Field(default="application/xml; charset=utf-8", pattern=r"^[A-Za-z0-9/+.;=\- ]{3,100}$")
    answers: bool = True
    name_header: Header | None = "Idempotency-Key"
    again_header: Header | None = None
    reference_header: Header | None = None
    inbox: InboxSettings | None = None


class SoapOperation(Table):
    """One operation of a SOAP service.

    Attributes:
        name: of the element in the body: ``makeFullFundTransfer``.
        action: the SOAPAction header.
        parameters: element -> its text, in this order, after the credentials. Places in it: ``{document}`` (what is
            sent), ``{name}`` (what the bank knows it by), ``{handle}`` (of a document that arrived).
        answer: the element whose text is a document; there may be several; None: nothing is read.
        handle: what an acknowledgement names a document by: an element beside the answer, or ``document:TAG`` for
            the first element of this name inside the document.
        reference: an element that says what the bank calls what it took.
    """

    name: Tag
    action: str = Field(default="", max_length=300, pattern=r'^[^"\r\n]*$')
    parameters: Mapping[Tag, str] = Field(default_factory=dict)
    answer: Tag | None = None
    handle: Annotated[str, Field(pattern=r"^(?:document:)?[A-Za-z_][A-Za-z0-9_.-]{0,99}$")] | None = None
    reference: Tag | None = None

    @field_validator("parameters")
    @classmethod
    def places_are_known(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        """A misspelt place would be sent to the bank as text."""
        for element, text in value.items():
            unknown = set(_PLACES.findall(text)) - {"document", "name", "handle"}
            if unknown or ("{document}" in text and text != "{document}"):
                raise ValueError(f"{element}: {text!r}: the places are {{document}} (alone), {{name}} and {{handle}}")
        return value


SoapFault = Literal["refused", "known", "absent", "unavailable", "unknown"]
"""What a fault means: it took nothing; it has it already; it never had what it is asked about; it took nothing and may
later; nobody can tell."""


class SoapSettings(WebSettings):
    """A bank with a SOAP 1.1 service.

    Attributes:
        path: of the service, below ``base_url``.
        namespace: of the operations' elements.
        qualified: whether the parameters are in that namespace as well (document style), or in none.
        document_as: ``text`` (escaped), or ``cdata``.
        declaration: whether the document keeps its XML declaration.
        credentials: element -> secret in the vault: they come first in every operation.
        operations: by what they are for; ``receive`` polls, ``done`` acknowledges one document.
        faults: text in a fault's code or words -> what it means; the first that fits. Else a fault of the client's
            making took nothing, and any other may have.
    """

    kind: Literal["soap"]
    path: Annotated[str, Field(pattern=r"^/[A-Za-z0-9._~/-]*$")]
    namespace: str = Field(min_length=1, max_length=300)
    qualified: bool = False
    document_as: Literal["text", "cdata"] = "text"
    declaration: bool = False
    credentials: Mapping[Tag, SecretName] = Field(default_factory=dict)
    operations: Mapping[
        Literal["submit", "inquire", "recall", "give_back", "answer", "receive", "done"], SoapOperation
    ] = Field(min_length=1)
    faults: Mapping[str, SoapFault] = Field(default_factory=dict)

    @model_validator(mode="after")
    def an_acknowledgement_names_something(self) -> Self:
        """What is acknowledged has to be told from what is not."""
        done, receive = self.operations.get("done"), self.operations.get("receive")
        if receive is not None and receive.answer is None:
            raise MistakeAt(("transport", "operations", "receive", "answer"), "missing: nothing would ever arrive")
        needs = done is not None and any("{handle}" in text for text in done.parameters.values())
        if needs and (receive is None or receive.handle is None):
            raise MistakeAt(("transport", "operations", "receive", "handle"), "missing, and done needs it")
        return self
