"""A bank with a plain HTTPS interface: documents are posted to paths, and fetched from an inbox.

What an answer means for a document that was handed over:

    2xx                                   taken; the body is a document of the bank, where the profile says so
    4xx                                   refused; 409: the bank has one of this name
    a status of ``nothing_taken``         nothing was taken for now (429, 503 with Retry-After ...)
    307, 308                              refused: redirects are not followed
    any other, or no complete answer      nobody can tell
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, BinaryIO, cast
from urllib.parse import quote

from adapters.transports import Arrival, Handover, Outbound
from adapters.transports.https_link import Answer, Link, Request, TooLong, harmless, refusal
from adapters.web_settings import HttpsSettings, InboxSettings
from schemas.errors import ChannelUnavailable, GatewayError, HandoverUnknown, OperationMissing

if TYPE_CHECKING:
    from adapters.profile import Profile
    from adapters.transports import Vault

MEMORY_BYTES_MAX = 1024 * 1024
"""A document up to this size waits in memory, a larger one in a temporary file."""
LISTED_MAX = 10_000
"""Names of one list that are looked at; the others are listed again when these are gone."""
NAME_CHARACTERS_MAX = 1_000
"""A longer name is no part of an address that servers take, and nobody names a document so."""
_NO_CONTENT, _NOT_FOUND, _GONE = 204, 404, 410

SYSTEM_NOW: Callable[[], datetime] = partial(datetime.now, UTC)
"""The machine's clock, for whoever does not hand over another."""


def connect(profile: Profile, vault: Vault, now: Callable[[], datetime] = SYSTEM_NOW) -> Https:
    """Return the transport of a relationship, not connected yet.

    Raises:
        ConfigurationError: a certificate, key or secret is missing or unusable.
    """
    settings = profile.transport
    assert isinstance(settings, HttpsSettings), "chosen by its kind"
    return Https(settings, vault, now)


class Https:
    """See the module.

    Args:
        settings: the ``[transport]`` table.
        vault: where certificates and secrets are.
        now: for signatures and the age of tokens.
    """

    def __init__(self, settings: HttpsSettings, vault: Vault, now: Callable[[], datetime] = SYSTEM_NOW) -> None:
        self._settings = settings
        self._link = Link(settings, vault, now)
        self.idempotent = settings.idempotent

    def send(self, outbound: Outbound) -> Handover:
        """Hand a document over.

        Raises:
            ChannelUnavailable, HandoverRefused, HandoverUnknown: as the module says.
            OperationMissing: the profile has no path for this operation.
        """
        settings = self._settings
        wanted = settings.operation_for(outbound.definition, outbound.operation)
        route = next((path for operation, path in settings.paths.items() if operation == wanted), None)
        if route is None:
            raise OperationMissing(f"transport.paths.{wanted}: missing, and the bank is to be asked that")
        headers = {"Content-Type": settings.content_type, "Accept": "*/*"}
        if settings.name_header is not None:
            headers[settings.name_header] = outbound.name
        if settings.again_header is not None and outbound.again:
            headers[settings.again_header] = "true"
        method, path = _filled(route, name=outbound.name)
        content = b"" if method == "GET" else outbound.content
        try:
            answer = self._link.exchange(Request(method, path, content, headers, outbound.name))
        except TooLong as error:
            raise HandoverUnknown(str(error)) from error
        refused = refusal(settings, answer)
        if refused is not None:
            raise refused
        answers = (answer.body,) if settings.answers and answer.body.strip() else ()
        reference = answer.headers.get((settings.reference_header or "").lower())
        return Handover(answers, harmless(reference) if reference else None)

    def receive(self, limit: int) -> Sequence[Arrival]:
        """Return documents that wait in the inbox.

        One that is too long, that cannot be fetched now, or whose name is none, stays there and does not hold up the
        others.

        Raises:
            ChannelUnavailable: nothing could be fetched.
        """
        inbox = self._settings.inbox
        if inbox is None or limit < 1:
            return ()
        if inbox.list is None:
            found = self._fetch(inbox, None)
            return () if found is None else (found,)
        arrivals: list[Arrival] = []
        failed: GatewayError | None = None
        for name in self._names(inbox, inbox.list):
            if len(arrivals) == limit:
                break
            try:
                arrival = self._fetch(inbox, name)
            except ChannelUnavailable as error:
                failed = error
                continue
            if arrival is not None:
                arrivals.append(arrival)
        if failed is not None and not arrivals:
            raise failed
        return arrivals

    def done(self, arrivals: Sequence[Arrival]) -> None:
        """Let go of documents that were kept.

        Raises:
            ChannelUnavailable: the bank did not hear of one; that one and those after it arrive again.
        """
        route = self._settings.inbox.done if self._settings.inbox is not None else None
        for arrival in arrivals:
            if route is not None:
                method, path = _filled(route, identity=str(arrival.handle or ""))
                answer = self._ask(Request(method, path))
                if answer.status not in {_NOT_FOUND, _GONE}:  # gone already: an earlier attempt was heard
                    self._require_success(answer, "did not let go of a document")
            arrival.source.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._link.close()

    def _names(self, inbox: InboxSettings, route: str) -> list[str]:
        """Return the names of the documents that wait."""
        method, path = _filled(route)
        answer = self._ask(Request(method, path, headers={"Accept": "application/json"}))
        if answer.status == _NO_CONTENT:
            return []
        self._require_success(answer, "did not list its inbox")
        try:
            listed = json.loads(answer.body)
        except (ValueError, RecursionError) as error:
            raise ChannelUnavailable("the bank's list of documents is not JSON") from error
        if not isinstance(listed, list):
            raise ChannelUnavailable("the bank's list of documents is not a JSON array")
        named = [one.get(inbox.id_field) if isinstance(one, dict) else one for one in listed[:LISTED_MAX]]
        return [str(one) for one in named if isinstance(one, str | int) and str(one).strip(".")]

    def _fetch(self, inbox: InboxSettings, identity: str | None) -> Arrival | None:
        """Return one document, or None where it is gone or none waits."""
        if identity is not None and not _is_name(identity):
            said = f"a name of {len(identity)} characters in the bank's inbox is none of a document"
            raise ChannelUnavailable(f"{said}: {harmless(identity)}")
        method, path = _filled(inbox.item, identity=identity or "")
        # Closed by `done`, or below when nothing came of it; typeshed does not call this file binary, but it is.
        source = cast("BinaryIO", SpooledTemporaryFile(MEMORY_BYTES_MAX))  # noqa: SIM115 - outlives this function
        try:
            answer = self._ask(Request(method, path), source)
            if answer.status in {_NO_CONTENT, _NOT_FOUND, _GONE}:
                source.close()
                return None
            self._require_success(answer, "did not hand out a document")
        except BaseException:
            source.close()
            raise
        handle = identity or answer.headers.get((inbox.id_header or "").lower())
        size = source.tell()
        source.seek(0)
        return Arrival(harmless(handle or "document"), source, size, handle)

    def _ask(self, request: Request, into: BinaryIO | None = None) -> Answer:
        """Ask for what changes nothing but the inbox: what is unknown there shows again."""
        try:
            return self._link.exchange(request, into)
        except (HandoverUnknown, TooLong) as error:
            raise ChannelUnavailable(str(error)) from error

    def _require_success(self, answer: Answer, text: str) -> None:
        refused = refusal(self._settings, answer)
        if refused is not None:
            raise ChannelUnavailable(f"the bank {text}: {refused}") from refused


def _is_name(name: str) -> bool:
    """Tell whether a name can stand in an address: half a character, which JSON can write, stands in none."""
    return len(name) <= NAME_CHARACTERS_MAX and not any("\ud800" <= letter <= "\udfff" for letter in name)


def _filled(route: str, name: str = "", identity: str = "") -> tuple[str, str]:
    """Return method and path with its places filled; what is filled in never adds a step to the path."""
    method, _, path = route.partition(" ")
    return method, path.replace("{name}", quote(name, safe="")).replace("{id}", quote(identity, safe=""))
