"""One request to a bank's server over HTTPS, and what is known of the bank's side when it fails.

TLS trusts the bank's own authorities and nobody else's, and shows our certificate. The host of the profile is resolved
here, every address of it is looked at, and the connection goes to an address that was looked at, so a name that
changes in between leads nowhere. Redirects are not followed, and neither proxies nor anything else is read from the
environment.

    no connection, TLS refused              ChannelUnavailable: nothing was sent
    a request that cannot be written        ChannelUnavailable: likewise
    request begun, no complete answer       HandoverUnknown
    a complete answer                       an `Answer`, whatever its status
"""

from __future__ import annotations

import io
import ipaddress
import re
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, BinaryIO

import httpx

from adapters.transports.https_identity import Signer, Tokens
from adapters.web_settings import WebSettings, host_of
from schemas.errors import ChannelUnavailable, ConfigurationError, GatewayError, HandoverRefused, HandoverUnknown

if TYPE_CHECKING:
    from adapters.transports import Vault

Now = Callable[[], datetime]

TOKEN_BYTES_MAX = 64 * 1024
SAID_CHARACTERS_MAX = 200
_UNAUTHORISED, _CONFLICT, _SERVER = 401, 409, 500
_NOT_DONE_REDIRECTS = frozenset({307, 308})
"""The method has to be repeated elsewhere, so it was not done here; after any other redirect it may have been."""
_REFUSED_BY_TLS = re.compile(r"ALERT_(?:BAD_CERTIFICATE|UNKNOWN_CA|CERTIFICATE_|UNSUPPORTED_CERTIFICATE|ACCESS_DENIED)")
"""OpenSSL's reasons that mean: the server did not take our certificate, so it has not begun to read the request."""


class TooLong(GatewayError):
    """The answer is longer than the profile allows."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of the bank's server.

    Attributes:
        method, path: as in the profile; the path is below the profile's address, with its places filled.
        name: of the document, for the request's signature.
    """

    method: str
    path: str
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    name: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Link:
    """Requests to one bank; connects when first needed, and again after an error. Used by one thread.

    Args:
        settings: the profile's transport.
        vault: where certificates and secrets are.
        now: for signatures and the age of tokens.

    Raises:
        ConfigurationError: a certificate, key or secret is missing or unusable.
    """

    def __init__(self, settings: WebSettings, vault: Vault, now: Now) -> None:
        self._settings = settings
        timeout = httpx.Timeout(settings.read_s, connect=settings.connect_s, write=settings.write_s)
        self._client = httpx.Client(
            verify=_tls(settings, vault),
            trust_env=False,
            follow_redirects=False,
            timeout=timeout,
            limits=httpx.Limits(max_connections=2, keepalive_expiry=settings.keep_alive_s),
        )
        self._signer = Signer(settings.hmac, vault, now) if settings.hmac else None
        self._tokens = Tokens(settings.oauth, vault, now, self._token) if settings.oauth else None

    def exchange(self, request: Request, into: BinaryIO | None = None) -> Answer:
        """Send a request and return the complete answer; the body of a success goes ``into`` a file where one is given.

        Raises:
            ChannelUnavailable, HandoverUnknown: as the module says.
            TooLong: the body of an answer to a GET is longer than the profile allows.
        """
        answer = self._authorised(request, into)
        if answer.status == _UNAUTHORISED and self._tokens is not None:
            self._tokens.forget()  # it may have been revoked; the request was not taken, so it may be made again
            answer = self._authorised(request, into)
        return answer

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def _authorised(self, request: Request, into: BinaryIO | None) -> Answer:
        address = self._settings.base_url
        path = httpx.URL(address).raw_path.decode("ascii").rstrip("/") + request.path
        headers = dict(request.headers)
        if self._tokens is not None:
            headers["Authorization"] = f"Bearer {self._tokens.current()}"
        if self._signer is not None:
            headers |= self._signer.headers(request.method, path, request.name, request.content)
        sent = Request(request.method, path, request.content, headers, request.name)
        return self._send(address, sent, self._settings.answer_bytes_max, into)

    def _token(self, url: str, form: Mapping[str, str]) -> bytes:
        """Ask for a token and return what the server answered.

        Raises:
            ChannelUnavailable: there is none; no document was handed over yet, whatever became of this request.
        """
        content = str(httpx.QueryParams(form)).encode("ascii")
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        path = httpx.URL(url).raw_path.decode("ascii")
        try:
            answer = self._send(url, Request("POST", path, content, headers), TOKEN_BYTES_MAX, None)
        except HandoverUnknown as error:
            raise ChannelUnavailable(f"no token: {error}") from error
        if answer.status != httpx.codes.OK:
            raise ChannelUnavailable(f"no token: the server answered with status {answer.status}")
        return answer.body

    def _send(self, url: str, request: Request, longest: int, into: BinaryIO | None) -> Answer:
        """Try the addresses of a host one after the other, as long as nothing was sent."""
        host, port = host_of(url)
        failed = "it has no address"
        for address in resolve(host, port, loopback_allowed=self._settings.loopback_allowed):
            try:
                return self._answer(self._built(host, port, address, request), longest, into)
            except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
                failed = str(error) or type(error).__name__
        raise ChannelUnavailable(f"{host}:{port} cannot be reached: {failed}")

    def _built(self, host: str, port: int, address: str, request: Request) -> httpx.Request:
        """Return a request to one address of a host.

        Raises:
            ChannelUnavailable: what was filled in makes no address or no header of it.
        """
        literal = f"[{address}]" if ":" in address else address
        shown = f"[{host}]" if ":" in host else host
        headers = {
            "Host": shown if port == 443 else f"{shown}:{port}",  # noqa: PLR2004 - the port of https
            "Accept-Encoding": "identity",
            "User-Agent": "treasury-gateway",
        }
        try:
            return self._client.build_request(
                request.method,
                httpx.URL(f"https://{literal}:{port}").copy_with(raw_path=request.path.encode("ascii")),
                headers=headers | dict(request.headers),
                content=request.content or None,
                extensions={"sni_hostname": host},
            )
        except (httpx.InvalidURL, UnicodeError) as error:
            raise ChannelUnavailable(f"the request cannot be written: {harmless(str(error))}") from error

    def _answer(self, built: httpx.Request, longest: int, into: BinaryIO | None) -> Answer:
        """Send one request and read its answer to the end.

        Raises:
            httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout: nothing was sent.
            ChannelUnavailable, HandoverUnknown, TooLong: as `exchange` says.
        """
        try:
            response = self._client.send(built, stream=True)
            try:
                sink = into if into is not None and response.is_success else io.BytesIO()
                self._read(response, longest, sink)
                body = sink.getvalue() if isinstance(sink, io.BytesIO) and sink is not into else b""
            finally:
                response.close()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            raise
        except TooLong as error:
            if built.method == "GET":
                raise
            raise HandoverUnknown(str(error)) from error
        except httpx.HTTPError as error:
            if _tls_refused(error):
                raise ChannelUnavailable(f"the bank's server did not take our certificate: {error}") from error
            said = str(error) or type(error).__name__
            raise HandoverUnknown(f"the request was begun, and no complete answer came: {said}") from error
        return Answer(response.status_code, {k.lower(): v for k, v in response.headers.items()}, body)

    @staticmethod
    def _read(response: httpx.Response, longest: int, sink: BinaryIO) -> None:
        """Copy a body as it comes.

        Raises:
            TooLong: it has more bytes than are read.
        """
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise TooLong("the answer is compressed, although that was not asked for: how long it is cannot be told")
        read = 0
        for chunk in response.iter_raw():
            read += len(chunk)
            if read > longest:
                raise TooLong(f"the answer has more than {longest} bytes (answer_bytes_max)")
            sink.write(chunk)


def refusal(settings: WebSettings, answer: Answer) -> GatewayError | None:
    """Return what an answer to a handover means, or None where the document was taken (2xx)."""
    status = answer.status
    said = f"status {status}{_said(answer)}"
    if httpx.codes.is_success(status):
        return None
    retry = re.sub(r"[^\x20-\x7e]", "?", answer.headers.get("retry-after", ""))[:40]
    if status in settings.nothing_taken and (status < _SERVER or retry):
        wait = f"; it asks to wait: {retry}" if retry else ""
        return ChannelUnavailable(f"the bank took nothing: {said}{wait}")
    if status in _NOT_DONE_REDIRECTS:
        return HandoverRefused(f"{said}: redirects are not followed; mend the profile's address", code=f"HTTP {status}")
    if httpx.codes.is_client_error(status):
        return HandoverRefused(said, code=f"HTTP {status}", known=status == _CONFLICT)
    return HandoverUnknown(f"the bank answered with {said}")


def _said(answer: Answer) -> str:
    """Return the beginning of what a server says in words, without any number that could be an account."""
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in {"text/plain", "application/json", "application/problem+json"}:
        return ""
    return f": {harmless(answer.body.decode('utf-8', 'replace'))}"


def harmless(text: str) -> str:
    """Return somebody else's words as they may stand in a log: short, printable, on one line, long numbers masked."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text[: SAID_CHARACTERS_MAX * 2])
    masked = re.sub(r"[0-9]{6,}", lambda found: f"...{found[0][-4:]}", plain)
    return " ".join(masked.split())[:SAID_CHARACTERS_MAX]


def resolve(host: str, port: int, *, loopback_allowed: bool) -> list[str]:
    """Return the addresses of a host, if all of them are ones that a bank can have.

    Private addresses are: many banks are reached over leased lines and tunnels. This machine itself, its neighbours by
    link-local address (where clouds serve credentials), multicast and unspecified addresses are not.

    Raises:
        ChannelUnavailable: the name is not known now, or leads where no bank is.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ChannelUnavailable(f"{host}: its address cannot be found: {error}") from error
    addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
    for text in addresses:
        address = ipaddress.ip_address(text.partition("%")[0])
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        real = mapped or address
        if real.is_loopback and loopback_allowed:
            continue
        if real.is_loopback or real.is_link_local or real.is_multicast or real.is_unspecified or real.is_reserved:
            raise ChannelUnavailable(f"{host} leads to {text}, where no bank is: nothing is sent there")
    return addresses


def _tls(settings: WebSettings, vault: Vault) -> ssl.SSLContext:
    """Return how TLS is spoken: with this bank's authorities, our certificate, and nothing old."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # host names are checked, certificates are required
    context.minimum_version = ssl.TLSVersion.TLSv1_3 if settings.tls_min == "1.3" else ssl.TLSVersion.TLSv1_2
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # what is pinned may be an authority below a root
    anchors = vault.file(settings.server_ca)
    try:
        context.load_verify_locations(cafile=str(anchors))
    except (ssl.SSLError, OSError) as error:
        raise ConfigurationError(f"{anchors}: no certificates in PEM form: {error}") from error
    if settings.client_certificate is None or settings.client_key is None:
        return context
    certificate, key = vault.file(settings.client_certificate), vault.file(settings.client_key)
    name = settings.client_key_passphrase
    passphrase = vault.secret(name) if name is not None else b""
    try:  # a function, because without a passphrase OpenSSL would ask for one at the terminal
        context.load_cert_chain(str(certificate), str(key), password=lambda: passphrase)
    except (ssl.SSLError, OSError) as error:
        said = "not a certificate with its key, or another passphrase"
        raise ConfigurationError(f"{certificate}, {key}: {said}: {error}") from error
    return context


def _tls_refused(error: BaseException) -> bool:
    """Tell whether the server refused our certificate: with TLS 1.3 we hear of it only when the request is begun."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError) and _REFUSED_BY_TLS.search(cause.reason or ""):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
