"""Attacks on a message that was honestly signed: wrapped into another, changed in places, given another value."""

from __future__ import annotations

import re

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tests.attacks.forge import (
    DOCUMENT,
    EVIL,
    HEADER,
    Attacks,
    Scene,
    compose,
    envelope,
    honest,
    just_signature,
    key_info,
    replaced,
    signed_info,
)

ATTACKS = Attacks()
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of the group of P-256."""


# --------------------------------------------------------------------------------------------------------- wrapping


def in_object(text: str, inside: str) -> str:
    """Return a message with an Object at the end of its Signature."""
    return text.replace("</ds:Signature>", f"<ds:Object>{inside}</ds:Object></ds:Signature>")


@ATTACKS("DS0B", "SignedInfo, SignatureValue, KeyInfo and nothing else")
def wrapping_1_original_document_in_an_object(scene: Scene) -> bytes:
    """The signed Document hides in the Signature, another one is read."""
    return in_object(honest(scene).replace(DOCUMENT, EVIL), DOCUMENT).encode()


@ATTACKS("FF01", "3 children")
def wrapping_2_original_document_as_a_sibling(scene: Scene) -> bytes:
    """Two Documents: the first is read, the second was signed."""
    return honest(scene).replace(DOCUMENT, EVIL + DOCUMENT).encode()


@ATTACKS("FF01", "3 children")
def wrapping_3_original_document_first(scene: Scene) -> bytes:
    """Two Documents, the other way round."""
    return honest(scene).replace(DOCUMENT, DOCUMENT + EVIL).encode()


@ATTACKS("DS0B", "Document was changed")
def wrapping_4_original_document_inside_the_other(scene: Scene) -> bytes:
    """The signed Document is a part of the one that is read."""
    supplementary = f"<SplmtryData><Envlp>{DOCUMENT}</Envlp></SplmtryData></FIToFICstmrCdtTrf>"
    return honest(scene).replace(DOCUMENT, EVIL.replace("</FIToFICstmrCdtTrf>", supplementary)).encode()


@ATTACKS("DS0B", "one signature, alone")
def wrapping_5_whole_message_inside_the_other(scene: Scene) -> bytes:
    """The signed message is a part of an unsigned one."""
    inner = honest(scene)
    supplementary = f"<SplmtryData><Envlp>{inner}</Envlp></SplmtryData></FIToFICstmrCdtTrf>"
    return envelope("", document=EVIL.replace("</FIToFICstmrCdtTrf>", supplementary))


@ATTACKS("DS0B", "one signature, alone")
def wrapping_6_original_header_inside_the_other(scene: Scene) -> bytes:
    """The signed AppHdr is an echo (Rltd) in another AppHdr."""
    signed_header = re.search(r"<AppHdr .*</AppHdr>", honest(scene))
    assert signed_header is not None
    outer = HEADER.replace("<Sgntr></Sgntr>", f"<Rltd>{signed_header[0]}</Rltd>")
    return envelope("", header=outer, document=EVIL)


@ATTACKS("DS0B", "one signature, alone")
def wrapping_7_signature_in_the_document(scene: Scene) -> bytes:
    """The Signature stands where only the Document's readers look."""
    moved = EVIL.replace("</FIToFICstmrCdtTrf>", f"{just_signature(scene)}</FIToFICstmrCdtTrf>")
    return envelope("", document=moved)


@ATTACKS("FF01", "3 children")
def wrapping_8_message_in_another_envelope(scene: Scene) -> bytes:
    """The signed message beside unsigned parts, in an envelope around both."""
    return f'<Outer xmlns="urn:example:envelope">{HEADER}{EVIL}{honest(scene)}</Outer>'.encode()


@ATTACKS("FF01", "and then a Document")
def document_before_the_header(scene: Scene) -> bytes:
    """The same parts in another order."""
    text = honest(scene).replace(DOCUMENT, "")
    return text.replace('envelope">', f'envelope">{DOCUMENT}', 1).encode()


@ATTACKS("DS0B", "only KeyInfo has an Id")
def duplicate_id(scene: Scene) -> bytes:
    """Two elements with the Id that a reference names."""
    return replaced(honest(scene), "<BizMsgIdr>", '<BizMsgIdr Id="ki">')


@ATTACKS("DS0B", "only KeyInfo has an Id")
def id_in_other_case(scene: Scene) -> bytes:
    """An ID that some resolve and others do not."""
    return replaced(honest(scene), "<Document ", '<Document ID="ki" ')


@ATTACKS("DS0B", "only KeyInfo has an Id")
def xml_id(scene: Scene) -> bytes:
    """The identifier that every XML library knows."""
    return replaced(honest(scene), "<Document ", '<Document xml:id="ki" ')


@ATTACKS("DS0B", "SignedInfo, SignatureValue, KeyInfo and nothing else")
def ds_object(scene: Scene) -> bytes:
    """Anything carried along in the Signature, which the enveloped transform leaves unsigned."""
    return in_object(honest(scene), "anything").encode()


@ATTACKS("DS0B", "SignedInfo, SignatureValue, KeyInfo and nothing else")
def two_signed_infos(scene: Scene) -> bytes:
    """One is verified, the other one read."""
    evil = signed_info(scene.bank, key_info(scene.bank), document=EVIL)
    return honest(scene).replace(DOCUMENT, EVIL).replace("<ds:SignedInfo ", f"{evil}<ds:SignedInfo ", 1).encode()


@ATTACKS("DS0B", "only KeyInfo has an Id")
def two_key_infos(scene: Scene) -> bytes:
    """One names the bank, one the attacker."""
    return replaced(honest(scene), "</ds:Signature>", f"{key_info(scene.attacker)}</ds:Signature>")


@ATTACKS("DS0B", "stands outside")
def stray_part_of_a_signature(scene: Scene) -> bytes:
    """A SignedInfo outside of the Signature."""
    stray = signed_info(scene.bank, key_info(scene.bank))
    return replaced(honest(scene), "</FIToFICstmrCdtTrf>", f"{stray}</FIToFICstmrCdtTrf>")


# ---------------------------------------------------------------------------------------------- changes to the bytes


@ATTACKS("DS0B", "Document was changed")
def amount_tampered(scene: Scene) -> bytes:
    """The plainest attack of all."""
    return replaced(honest(scene), ">1000<", ">9000<")


@ATTACKS("DS0B", "Document was changed")
def currency_tampered(scene: Scene) -> bytes:
    """An attribute this time."""
    return replaced(honest(scene), 'Ccy="KHR"', 'Ccy="USD"')


@ATTACKS("DS0B", "AppHdr was changed")
def sender_tampered(scene: Scene) -> bytes:
    """The header is signed as well."""
    return replaced(honest(scene), "NCAMKHPP", "ACLBKHPP")


@ATTACKS("FF01", "comment")
def comment_in_a_value(scene: Scene) -> bytes:
    """Canonicalisation drops the comment, and a reader takes only the text before it."""
    return replaced(honest(scene), "DE8937", "DE89<!--x-->37")


@ATTACKS("FF01", "processing instruction")
def instruction_in_a_value(scene: Scene) -> bytes:
    """A processing instruction does the same."""
    return replaced(honest(scene), "DE8937", "DE89<?x?>37")


@ATTACKS("FF01", "comment")
def comment_in_a_digest_value(scene: Scene) -> bytes:
    """A reader of the digest takes the text before the comment, the signature covers the rest."""
    return replaced(honest(scene), "</ds:DigestValue>", "<!--x--></ds:DigestValue>")


@ATTACKS("DS0B", "stray bits")
def short_digest_value(scene: Scene) -> bytes:
    """A digest of a few bytes is soon matched."""
    return compose(
        scene.bank, edit=lambda info: re.sub(r"<ds:DigestValue>[^<]*<", "<ds:DigestValue>AAAA<", info, count=1)
    )


@ATTACKS("DS0B", "element, attribute or order")
def element_in_a_digest_value(scene: Scene) -> bytes:
    """Text in pieces again, with an element between them."""
    return compose(scene.bank, edit=lambda info: info.replace("</ds:DigestValue>", "<x></x></ds:DigestValue>", 1))


@ATTACKS("DS0B", "Document was changed")
def white_space_in_the_document(scene: Scene) -> bytes:
    """A message that somebody has made prettier is another message."""
    return replaced(honest(scene), "<CdtTrfTxInf>", "\n<CdtTrfTxInf>")


@ATTACKS("DS0B", "AppHdr was changed")
def white_space_in_the_header(scene: Scene) -> bytes:
    """The same in the AppHdr."""
    return replaced(honest(scene), "<BizMsgIdr>", " <BizMsgIdr>")


@ATTACKS("DS0B", "AppHdr was changed")
def white_space_beside_the_signature(scene: Scene) -> bytes:
    """The enveloped transform takes out the Signature, and not what stands beside it."""
    return replaced(honest(scene), "</ds:Signature>", "</ds:Signature> ")


@ATTACKS("DS0B", "text between the parts")
def white_space_inside_the_signature(scene: Scene) -> bytes:
    """Where no digest reaches, nothing may be added either."""
    return replaced(honest(scene), "</ds:SignatureValue>", "</ds:SignatureValue>\n")


@ATTACKS("DS0B", "SignatureValue is not base64")
def white_space_in_the_signature_value(scene: Scene) -> bytes:
    """The same within the value."""
    return replaced(honest(scene), "</ds:SignatureValue>", " </ds:SignatureValue>")


@ATTACKS("FF01", "not an absolute URI")
def relative_namespace(scene: Scene) -> bytes:
    """C14N has no defined result for it."""
    return replaced(honest(scene), "<CdtTrfTxInf>", '<CdtTrfTxInf xmlns:x="relative">')


@ATTACKS("FF01", "attributes or text")
def attribute_of_the_envelope(scene: Scene) -> bytes:
    """The envelope is not signed: it must not say anything."""
    return replaced(honest(scene), "<Envelope ", '<Envelope test="true" ')


@ATTACKS("FF01", "attributes or text")
def text_in_the_envelope(scene: Scene) -> bytes:
    """The same with text."""
    return replaced(honest(scene), "</Envelope>", "approved</Envelope>")


# ---------------------------------------------------------------------------------------------------- signature value


@ATTACKS("DS0B", "value does not hold")
def der_in_an_ecdsa_value(scene: Scene) -> bytes:
    """The form of another standard: the same signature would have two spellings."""

    def der(data: bytes) -> bytes:
        value = scene.bank.sign(data)
        return encode_dss_signature(int.from_bytes(value[:32], "big"), int.from_bytes(value[32:], "big"))

    return compose(scene.bank, sign=der)


@ATTACKS("DS0B", "value does not hold")
def r_is_0(scene: Scene) -> bytes:
    """Zero passes in broken libraries."""
    return compose(scene.bank, sign=lambda _: bytes(32) + (1).to_bytes(32, "big"))


@ATTACKS("DS0B", "value does not hold")
def s_is_0(scene: Scene) -> bytes:
    """Zero passes in broken libraries."""
    return compose(scene.bank, sign=lambda _: (1).to_bytes(32, "big") + bytes(32))


@ATTACKS("DS0B", "value does not hold")
def r_and_s_are_0(scene: Scene) -> bytes:
    """The signature that once opened every door."""
    return compose(scene.bank, sign=lambda _: bytes(64))


@ATTACKS("DS0B", "value does not hold")
def s_beyond_the_order(scene: Scene) -> bytes:
    """A number above the group's order is another spelling of a smaller one."""
    return compose(scene.bank, sign=lambda data: scene.bank.sign(data)[:32] + ORDER.to_bytes(32, "big"))


@ATTACKS("DS0B", "value does not hold")
def short_value(scene: Scene) -> bytes:
    """A byte too few."""
    return compose(scene.bank, sign=lambda data: scene.bank.sign(data)[:-1])


@ATTACKS("DS0B", "value does not hold")
def long_value(scene: Scene) -> bytes:
    """Two bytes too many, evenly spread as a lenient reader would take them."""
    return compose(
        scene.bank, sign=lambda data: b"\0" + scene.bank.sign(data)[:32] + b"\0" + scene.bank.sign(data)[32:]
    )


@ATTACKS("DS0B", "SignatureValue is not base64")
def empty_value(scene: Scene) -> bytes:
    """No value."""
    return compose(scene.bank, sign=lambda _: b"")


@ATTACKS("DS0B", "stray bits")
def stray_bits_in_the_value(scene: Scene) -> bytes:
    """Base64 with bits that nobody decodes: a second spelling of the same value."""
    return re.sub(
        rb"([AQgw])==</ds:SignatureValue>",
        lambda found: bytes([found[1][0] + 1]) + b"==</ds:SignatureValue>",
        compose(scene.bank),
    )


@pytest.mark.timeout(10)
@pytest.mark.parametrize("name", ATTACKS)
def test_a_tampered_message_is_refused(scene: Scene, name: str) -> None:
    """Every attack of the table ends as one refusal with its code, and quickly."""
    ATTACKS.check(name, scene)
