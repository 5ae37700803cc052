"""The central bank's high-value rail: pacs.008 out; pacs.002, pacs.004, camt.053 and camt.054 back, all signed."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO

from lxml.etree import _Element

from adapters import statement_files
from adapters.profile import Profile
from adapters.rails import Composed, Facts, HeaderFacts, Received, Task
from adapters.toml import Location
from schemas.errors import DocumentRefused
from schemas.iso20022 import camt, head001, pacs002, pacs004, pacs008, xml
from schemas.model.payment import Payment
from schemas.model.statement import Entry, Statement
from security import xmldsig
from security.keys import SigningKey
from security.trust import TrustStore

_STATEMENTS = ("camt.052.", "camt.053.", "camt.054.")
TAKEN = frozenset({pacs002.DEFINITION, pacs004.DEFINITION, "camt.053.001.08", "camt.054.001.08"})
"""What the bank may send on this rail."""


def compose(
    profile: Profile,
    task: Task,
    payments: Sequence[Payment],
    key: SigningKey,
    inspect: Callable[[Facts], None],
) -> Composed:
    """Write a pacs.008 with its header, validate both, let the caller inspect what they say, and sign.

    Raises:
        DocumentRefused: the message is not valid against the usage guideline, or the inspection refused it.
    """
    settings = profile.message
    namespace, name = settings.envelope
    group = pacs008.Group(
        message_id=task.message_id,
        created=task.created,
        settlement_method=settings.settlement_method or "CLRG",
        clearing_system=settings.clearing_system,
        settlement_date=task.settlement_date,
        instructing_bic=profile.own_bic,
        instructed_bic=profile.bank_bic,
    )
    header = head001.Header(
        from_bic=profile.own_bic,
        to_bic=profile.bank_bic,
        message_id=task.message_id,
        definition=pacs008.DEFINITION,
        created=task.created,
        business_service=settings.business_service,
    )
    document = pacs008.build(group, payments)
    xml.validate(document, pacs008.DEFINITION, settings.guidelines_folder)
    envelope = head001.envelope(header, document, namespace=namespace, name=name)
    xml.validate(envelope[0], head001.DEFINITION, settings.guidelines_folder)
    inspect(_facts(envelope))
    return Composed(xmldsig.sign(envelope, key, key_info=profile.signature.key_info), pacs008.DEFINITION)


def _facts(envelope: _Element) -> Facts:
    """Read back what the message that is about to be signed says, from the elements themselves."""
    app_header, document = envelope
    header = head001.read(app_header)
    namespace = {"p": xml.namespace_of(document)}

    def text(path: str) -> str:
        return document.findtext(path, default="", namespaces=namespace)

    group = "p:FIToFICstmrCdtTrf/p:GrpHdr/"
    return Facts(
        header=HeaderFacts(
            header.message_id,
            header.definition,
            header.from_bic,
            header.to_bic,
            header.created,
            header.possible_duplicate,
        ),
        message_id=text(group + "p:MsgId"),
        namespace=namespace["p"],
        created=datetime.fromisoformat(text(group + "p:CreDtTm")),
        instructing_bic=text(group + "p:InstgAgt/p:FinInstnId/p:BICFI"),
        instructed_bic=text(group + "p:InstdAgt/p:FinInstnId/p:BICFI"),
        stated_count=text(group + "p:NbOfTxs"),
        stated_sum=text(group + "p:CtrlSum") or None,
        amounts=tuple(
            element.text or "" for element in document.iterfind("*/p:CdtTrfTxInf/p:IntrBkSttlmAmt", namespace)
        ),
    )


def read(profile: Profile, document: bytes, trust: TrustStore, at: datetime) -> Received:
    """Verify a document of the bank and read it.

    A bank whose profile takes unsigned statements may send a statement file; everything else is signed.

    Raises:
        DocumentRefused, SignatureRefused: nothing of it may be used.
    """
    if (unsigned := read_unsigned(profile, io.BytesIO(document))) is not None:
        return unsigned
    verified = xmldsig.verify(
        document,
        trust,
        at,
        algorithms=frozenset(profile.signature.algorithms),
        key_infos=frozenset({profile.signature.key_info}),
        validate=partial(_validate, profile.message.guidelines_folder),
    )
    _check_envelope(profile, verified.root)
    header = head001.read(verified.app_header)
    trust.require_owner(verified.certificate, header.from_bic)
    if (header.from_bic[:8], header.to_bic[:8]) != (profile.bank_bic[:8], profile.own_bic[:8]):
        text = f"a message from {header.from_bic} to {header.to_bic} is not for this relationship"
        raise DocumentRefused(text, code="DS0E", path="AppHdr")
    if xml.namespace_of(verified.document).rpartition(":")[2] != header.definition:
        raise DocumentRefused(
            f"the header announces {header.definition[:35]}, the Document is another (rule 2)", path="AppHdr/MsgDefIdr"
        )
    return _read_document(header, verified.document)


def _validate(folder: Path | None, root: _Element) -> None:
    """Hold header and Document to their guidelines, before anything of them is canonicalised.

    Raises:
        DocumentRefused: not valid, or a message that this rail does not take.
    """
    app_header, document = head001.split(root)
    definition = xml.namespace_of(document).rpartition(":")[2]
    if definition not in TAKEN:
        text = f"{definition[:35] or 'this'} is not a message that this rail takes"
        raise DocumentRefused(text, code="FF03", path="Document")
    xml.validate(app_header, head001.DEFINITION, folder)
    xml.validate(document, definition, folder)


def _check_envelope(profile: Profile, root: _Element) -> None:
    """The envelope's own name is not signed, so it has to be the agreed one."""
    expected = "{{{}}}{}".format(*profile.message.envelope)
    if root.tag != expected:
        raise DocumentRefused(f"the envelope is {str(root.tag)[:120]}, agreed was {expected}", path="/")


def _read_document(header: head001.Header, document: _Element) -> Received:
    """Read a verified Document by its definition."""
    definition, message_id = header.definition, header.message_id
    if definition == pacs002.DEFINITION:
        report = pacs002.read(document)
        _require_same_id(message_id, report.message_id)
        return Received(definition, message_id, reports=(report,))
    if definition == pacs004.DEFINITION:
        returns = tuple(pacs004.read(document))
        for item in returns:
            _require_same_id(message_id, item.message_id)
        return Received(definition, message_id, returns=returns)
    if definition.startswith(_STATEMENTS):
        return Received(definition, message_id, statements=_checked(camt.read(document), message_id))
    raise DocumentRefused(
        f"{definition[:35]} is not a message that this rail takes", code="FF03", path="AppHdr/MsgDefIdr"
    )


def _checked(statements: Iterator[Statement | Entry], message_id: str) -> Iterator[Statement | Entry]:
    for item in statements:
        if isinstance(item, Statement):
            _require_same_id(message_id, item.message_id)
        yield item


def _require_same_id(header_id: str, document_id: str) -> None:
    """Rule 1: BizMsgIdr is the Document's MsgId."""
    if header_id != document_id:
        raise DocumentRefused("BizMsgIdr is not the Document's MsgId (rule 1)", path="AppHdr/BizMsgIdr")


def read_unsigned(profile: Profile, source: BinaryIO) -> Received | None:
    """Read a statement file that came without a signature, where the profile takes such; None for anything else.

    Raises:
        DocumentRefused: now or while its statements are iterated.
    """
    if profile.statements.signed:
        return None
    found = statement_files.opened(profile, source)
    return None if found is None else Received(found.definition, found.message_id, statements=found.items)


def faults(profile: Profile) -> list[tuple[Location, str]]:
    """Return what this rail misses in a profile: how a payment settles, and the envelope around each message."""
    needed = ("settlement_method", "envelope_namespace", "envelope_name")
    return [
        (("message", name), f"message.{name}: missing, and the rail {profile.rail} needs it")
        for name in needed
        if getattr(profile.message, name) is None
    ]
