"""From a Document to the signed bytes that travel, and back: header, envelope, guideline, signature."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from lxml.etree import _Element

from adapters.profile import Profile
from adapters.rails import Facts, HeaderFacts, Task
from adapters.toml import Location
from schemas.errors import DocumentRefused
from schemas.iso20022 import head001, pacs004, xml
from security import xmldsig
from security.keys import SigningKey
from security.trust import TrustStore

_NEEDED = ("settlement_method", "envelope_namespace", "envelope_name")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one rail between banks differs from another.

    Attributes:
        taken: definitions that the bank may send.
        guidelines: a folder of guidelines that this rail has instead of the usual ones, where it has any; an operator's
            own folder comes before it.
    """

    taken: frozenset[str]
    guidelines: Path | None = None

    def folder(self, profile: Profile, definition: str) -> Path | None:
        """Return the folder to look into before the usual guidelines for one definition."""
        own = profile.message.guidelines_folder
        return own if own is not None and (own / f"{definition}.xsd").is_file() else self.guidelines


def seal(
    profile: Profile,
    task: Task,
    definition: str,
    document: _Element,
    key: SigningKey,
    *,
    dialect: Dialect,
    service: str | None = None,
    inspect: Callable[[Facts], None] | None = None,
) -> bytes:
    """Put a Document behind its header, validate both, let the caller inspect what they say, and sign.

    Args:
        profile: the relationship.
        task: MsgId and time.
        definition: of the Document.
        document: is moved into the envelope.
        key: signs.
        dialect: whose guidelines hold.
        service: BizSvc, where it is another than the profile's.
        inspect: sees the facts of a message of payments before it is signed, and may refuse.

    Raises:
        DocumentRefused: not valid against the usage guideline, or the inspection refused it.
    """
    settings = profile.message
    namespace, name = settings.envelope
    header = head001.Header(
        from_bic=profile.own_bic,
        to_bic=profile.bank_bic,
        message_id=task.message_id,
        definition=definition,
        created=task.created,
        business_service=service or settings.business_service,
    )
    xml.validate(document, definition, dialect.folder(profile, definition))
    envelope = head001.envelope(header, document, namespace=namespace, name=name)
    xml.validate(envelope[0], head001.DEFINITION, dialect.folder(profile, head001.DEFINITION))
    if inspect is not None:
        inspect(facts_of(envelope))
    return xmldsig.sign(envelope, key, key_info=profile.signature.key_info)


def facts_of(envelope: _Element) -> Facts:
    """Read back what the message that is about to be signed says, from the elements themselves."""
    app_header, document = envelope
    header = head001.read(app_header)
    namespace = {"p": xml.namespace_of(document)}
    returned = header.definition == pacs004.DEFINITION
    amounts = "*/p:TxInf/p:RtrdIntrBkSttlmAmt" if returned else "*/p:CdtTrfTxInf/p:IntrBkSttlmAmt"

    def text(path: str) -> str:
        return document.findtext(path, default="", namespaces=namespace)

    def agent(tag: str) -> str:
        inside = f"p:{tag}/p:FinInstnId/p:BICFI"
        return text(f"*/p:GrpHdr/{inside}") or text(f"*/p:CdtTrfTxInf/{inside}")

    return Facts(
        header=HeaderFacts(
            header.message_id,
            header.definition,
            header.from_bic,
            header.to_bic,
            header.created,
            header.possible_duplicate,
        ),
        message_id=text("*/p:GrpHdr/p:MsgId"),
        namespace=namespace["p"],
        created=datetime.fromisoformat(text("*/p:GrpHdr/p:CreDtTm")),
        instructing_bic=agent("InstgAgt"),
        instructed_bic=agent("InstdAgt"),
        stated_count=text("*/p:GrpHdr/p:NbOfTxs"),
        stated_sum=text("*/p:GrpHdr/p:CtrlSum") or None,
        amounts=tuple(element.text or "" for element in document.iterfind(amounts, namespace)),
        settlement_account=text("*/p:GrpHdr/p:SttlmInf/p:SttlmAcct/p:Id/p:Othr/p:Id")
        or text("*/p:GrpHdr/p:SttlmInf/p:SttlmAcct/p:Id/p:IBAN")
        or None,
    )


def unseal(
    profile: Profile, document: bytes, trust: TrustStore, at: datetime, dialect: Dialect
) -> tuple[head001.Header, _Element, str]:
    """Verify a document of the bank; return its header, its Document, which is what was verified, and their SHA-256.

    Raises:
        DocumentRefused, SignatureRefused: nothing of it may be used.
    """
    verified = xmldsig.verify(
        document,
        trust,
        at,
        algorithms=frozenset(profile.signature.algorithms),
        key_infos=frozenset({profile.signature.key_info}),
        validate=partial(_validate, profile, dialect),
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
    return header, verified.document, verified.content


def _validate(profile: Profile, dialect: Dialect, root: _Element) -> None:
    """Hold header and Document to their guidelines, once it is certain that the bank signed them.

    What the bank sends is held to the usual guidelines, or to the operator's: a rail's own are of what it is sent.

    Raises:
        DocumentRefused: not valid, or a message that this rail does not take.
    """
    app_header, document = head001.split(root)
    definition = xml.namespace_of(document).rpartition(":")[2]
    if definition not in dialect.taken:
        text = f"{definition[:35] or 'this'} is not a message that this rail takes"
        raise DocumentRefused(text, code="FF03", path="Document")
    folder = profile.message.guidelines_folder
    xml.validate(app_header, head001.DEFINITION, folder)
    xml.validate(document, definition, folder)


def _check_envelope(profile: Profile, root: _Element) -> None:
    """The envelope's own name is not signed, so it has to be the agreed one."""
    expected = "{{{}}}{}".format(*profile.message.envelope)
    if root.tag != expected:
        raise DocumentRefused(f"the envelope is {str(root.tag)[:120]}, agreed was {expected}", path="/")


def missing(profile: Profile, more: Collection[str] = ()) -> list[tuple[Location, str]]:
    """Return what every rail between banks needs of a profile: how a payment settles, and the envelope."""
    return [
        (("message", name), f"message.{name}: missing, and the rail {profile.rail} needs it")
        for name in (*_NEEDED, *more)
        if getattr(profile.message, name) is None
    ]
