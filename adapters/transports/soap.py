"""A bank with a SOAP 1.1 service over HTTPS: one operation for each thing that is asked, as the profile says.

What an answer means for a document that was handed over:

    an envelope                  taken; the documents in it are the bank's answer
    a fault that the profile     refused, refused as known, nothing taken for now, or nobody can tell
      lists
    a fault of the client        refused: the service did not act on the request
    any other fault, and what    nobody can tell
      is no envelope
    statuses other than 200      as adapters/transports/https.py says
      and 500
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import httpx
from lxml.etree import _Element

from adapters.transports import Arrival, Handover, Outbound
from adapters.transports import soap_envelope as envelope
from adapters.transports.https import SYSTEM_NOW
from adapters.transports.https_link import Answer, Link, Request, TooLong, harmless, refusal
from adapters.transports.soap_envelope import Fault
from adapters.web_settings import SoapOperation, SoapSettings
from schemas.errors import (
    ChannelUnavailable,
    DocumentRefused,
    GatewayError,
    HandoverRefused,
    HandoverUnknown,
    OperationMissing,
)
from schemas.iso20022.parser import parse
from schemas.iso20022.record import local_name

if TYPE_CHECKING:
    from adapters.profile import Profile
    from adapters.transports import Vault

_DOCUMENT, _NAME, _HANDLE = "{document}", "{name}", "{handle}"


def connect(profile: Profile, vault: Vault, now: Callable[[], datetime] = SYSTEM_NOW) -> Soap:
    """Return the transport of a relationship, not connected yet.

    Raises:
        ConfigurationError: a certificate, key or secret is missing or unusable.
    """
    settings = profile.transport
    assert isinstance(settings, SoapSettings), "chosen by its kind"
    return Soap(settings, vault, now)


class Soap:
    """See the module.

    Args:
        settings: the ``[transport]`` table.
        vault: where certificates and secrets are.
        now: for signatures and the age of tokens.
    """

    def __init__(self, settings: SoapSettings, vault: Vault, now: Callable[[], datetime] = SYSTEM_NOW) -> None:
        self._settings = settings
        self._operations: dict[str, SoapOperation] = dict(settings.operations.items())
        self._credentials = [
            (element, envelope.text(vault.secret(name))) for element, name in settings.credentials.items()
        ]
        self._link = Link(settings, vault, now)
        self.idempotent = settings.idempotent

    def send(self, outbound: Outbound) -> Handover:
        """Hand a document over.

        Raises:
            ChannelUnavailable, HandoverRefused, HandoverUnknown: as the module says.
            OperationMissing: the profile has no such operation.
        """
        wanted = self._settings.operation_for(outbound.definition, outbound.operation)
        operation = self._operations.get(wanted)
        if operation is None:
            raise OperationMissing(f"transport.operations.{wanted}: missing, and the bank is to be asked that")
        try:
            answer = self._call(operation, document=outbound.content, name=outbound.name)
        except TooLong as error:
            raise HandoverUnknown(str(error)) from error
        found = self._opened(answer)
        if found is None:
            return Handover()
        try:
            answers = [] if operation.answer is None else envelope.texts(found, operation.answer)
            references = [] if operation.reference is None else envelope.texts(found, operation.reference)
        except DocumentRefused as error:
            raise HandoverUnknown(f"the bank's answer cannot be read: {error}") from error
        reference = harmless(references[0][1]) if references else None
        return Handover(tuple(text.encode("utf-8") for _, text in answers), reference)

    def receive(self, limit: int) -> Sequence[Arrival]:
        """Ask for what came in. Where the bank hands each document out once, all of them are returned.

        Raises:
            ChannelUnavailable: the bank cannot be asked, or its answer cannot be read.
        """
        operation = self._operations.get("receive")
        if operation is None or operation.answer is None or limit < 1:
            return ()
        try:
            found = self._opened(self._call(operation))
            documents = [] if found is None else envelope.texts(found, operation.answer)
        except (HandoverUnknown, HandoverRefused, TooLong, DocumentRefused) as error:
            raise ChannelUnavailable(f"what came in cannot be fetched: {error}") from error
        wanted = documents[:limit] if "done" in self._operations else documents
        return [self._arrival(operation, element, text) for element, text in wanted]

    def done(self, arrivals: Sequence[Arrival]) -> None:
        """Acknowledge documents that were kept. One without a handle cannot be named, and arrives again.

        Raises:
            ChannelUnavailable: the bank did not take an acknowledgement; that one and those after it arrive again.
        """
        operation = self._operations.get("done")
        for arrival in arrivals:
            if operation is not None and arrival.handle is not None:
                try:
                    self._opened(self._call(operation, handle=str(arrival.handle)))
                except HandoverRefused as error:
                    if not error.known:
                        raise ChannelUnavailable(f"an acknowledgement was refused: {error}") from error
                except (HandoverUnknown, TooLong) as error:
                    raise ChannelUnavailable(f"an acknowledgement may not have come: {error}") from error
            arrival.source.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._link.close()

    def _call(self, operation: SoapOperation, *, document: bytes = b"", name: str = "", handle: str = "") -> Answer:
        """Call an operation and return the complete answer, whatever it says."""
        settings = self._settings
        parameters = list(self._credentials)
        for element, value in operation.parameters.items():
            if value == _DOCUMENT:
                content = envelope.carried(document, settings.document_as, declaration=settings.declaration)
            else:
                content = envelope.text(value.replace(_NAME, name).replace(_HANDLE, handle))
            parameters.append((element, content))
        content = envelope.write(operation.name, settings.namespace, parameters, qualified=settings.qualified)
        headers = {
            "Content-Type": "text/xml; charset=utf-8",
            "Accept": "text/xml",
            "SOAPAction": f'"{operation.action}"',
        }
        return self._link.exchange(Request("POST", settings.path, content, headers, name))

    def _opened(self, answer: Answer) -> _Element | None:
        """Return what an operation answered, or None where it answered nothing.

        Raises:
            ChannelUnavailable, HandoverRefused, HandoverUnknown: as the module says.
        """
        settings = self._settings
        has_envelope = answer.status in {httpx.codes.OK, httpx.codes.INTERNAL_SERVER_ERROR}
        if not has_envelope:
            refused = refusal(settings, answer)
            if refused is not None:
                raise refused
            return None
        try:
            found = envelope.read(answer.body, settings.answer_bytes_max)
        except DocumentRefused as error:
            raise HandoverUnknown(f"status {answer.status}, and no answer that can be read: {error}") from error
        if isinstance(found, Fault):
            raise self._meaning(found)
        if answer.status != httpx.codes.OK:
            raise HandoverUnknown(f"status {answer.status} with an answer that is no fault")
        return found

    def _meaning(self, fault: Fault) -> GatewayError:
        """Return what a fault means, by the profile, or else by its code."""
        said = f"{harmless(fault.code)}: {harmless(fault.text)}"
        code = f"SOAP {harmless(fault.code)[:40]}"
        words = f"{fault.code} {fault.text}".casefold()
        listed = next((means for part, means in self._settings.faults.items() if part.casefold() in words), None)
        means = listed or ("refused" if fault.of_client else "unknown")
        if means == "unavailable":
            return ChannelUnavailable(f"the bank took nothing: {said}")
        if means == "unknown":
            return HandoverUnknown(f"the bank's service failed: {said}")
        return HandoverRefused(said, code=code, known=means == "known", absent=means == "absent")

    def _arrival(self, operation: SoapOperation, element: _Element, text: str) -> Arrival:
        content = text.encode("utf-8")
        handle = _handle(operation, element, content)
        return Arrival(harmless(handle or operation.name), io.BytesIO(content), len(content), handle)


def _handle(operation: SoapOperation, element: _Element, content: bytes) -> str | None:
    """Return what an acknowledgement will name a document by; None where there is nothing."""
    wanted = operation.handle
    if wanted is None:
        return None
    inside, _, tag = wanted.rpartition(":")
    if inside:
        try:
            root = parse(content)
        except DocumentRefused:  # kept as it is all the same; a person sees it, and tells the bank
            return None
        return next((one.text for one in root.iter() if local_name(one) == tag and one.text), None)
    parent = element.getparent()
    if parent is None:
        return None
    answers = [one for one in parent if local_name(one) == operation.answer]
    handles = [one for one in parent if local_name(one) == tag]
    return handles[answers.index(element)].text if len(answers) == len(handles) else None
