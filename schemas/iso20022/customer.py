"""What the customer's messages (pain.001, pain.002, pain.007) share: who initiates, payment types, reported reasons."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.iso20022.parties import Naming
from schemas.iso20022.xml import NOTHING, Markup, Record, el, leaf

NAMES_2009 = Naming(bic="BIC", any_bic="BICOrBEI", lei=False)
"""What versions 03 call identifiers."""
NAMES_2013 = Naming(lei=False)
"""What versions of 2013 (pain.001.001.05, pain.007.001.05) call them: the BIC as today, and no tag for an LEI."""
CODE_LENGTH_MAX = 4
"""A longer service level, local instrument or scheme is the bank's own name, and goes to ``Prtry``."""


@dataclass(frozen=True, slots=True)
class Initiator:
    """The party that initiates a message (InitgPty).

    Attributes:
        name: Nm; banks that know their customers by an identifier take none.
        identifier: what the bank knows its customer by (Id/OrgId/Othr/Id), such as the number of its contract.
        scheme: of the identifier (SchmeNm): a code of at most 4 characters (``CUST``, ``BANK``), or the bank's own.
        issuer: who has given it (Issr).
        bic: AnyBIC.
    """

    name: str | None = None
    identifier: str | None = None
    scheme: str | None = None
    issuer: str | None = None
    bic: str | None = None


@dataclass(frozen=True, slots=True)
class PaymentType:
    """How payments are to be handled (PmtTpInf).

    Attributes:
        priority: InstrPrty: ``normal`` or ``high``, or None where nothing is said of it.
        service_level: SvcLvl; ``local_instrument``: LclInstrm: a code of at most 4 characters, or the bank's own name.
        category_purpose: CtgyPurp/Cd.
    """

    priority: str | None = None
    service_level: str | None = None
    local_instrument: str | None = None
    category_purpose: str | None = None


_PRIORITIES = {"normal": "NORM", "high": "HIGH"}
_URGENCIES = {"NORM": "normal", "HIGH": "high"}
_UNTYPED = PaymentType()


def _coded(path: str, name: str | None) -> Markup:
    """Return a choice of ``Cd`` and ``Prtry``."""
    kind = "Cd" if name is not None and len(name) <= CODE_LENGTH_MAX else "Prtry"
    return leaf(f"{path}/{kind}", name)


# --------------------------------------------------------------------------------------------------- initiating party


def write_initiator(initiator: Initiator | None, naming: Naming) -> Markup:
    """Return InitgPty, or nothing for None."""
    if initiator is None:
        return NOTHING
    identity = el(
        "Id/OrgId",
        leaf(naming.any_bic, initiator.bic),
        el(
            "Othr",
            leaf("Id", initiator.identifier),
            _coded("SchmeNm", initiator.scheme),
            leaf("Issr", initiator.issuer),
        )
        if initiator.identifier is not None
        else NOTHING,
    )
    return el("InitgPty", leaf("Nm", initiator.name), identity)


def read_initiator(header: Record, naming: Naming) -> Initiator:
    """Return the initiating party of a group header; all fields None when nothing is said of it."""
    inside = "InitgPty/Id/OrgId"
    return Initiator(
        name=header.opt("InitgPty/Nm"),
        identifier=header.opt(f"{inside}/Othr/Id"),
        scheme=header.either(f"{inside}/Othr/SchmeNm/Cd", f"{inside}/Othr/SchmeNm/Prtry"),
        issuer=header.opt(f"{inside}/Othr/Issr"),
        bic=header.opt(f"{inside}/{naming.any_bic}"),
    )


# ------------------------------------------------------------------------------------------------------ payment type


def write_payment_type(kind: PaymentType | None) -> Markup:
    """Return PmtTpInf, or nothing where nothing is said."""
    if kind is None:
        return NOTHING
    return el(
        "PmtTpInf",
        leaf("InstrPrty", None if kind.priority is None else _PRIORITIES[kind.priority]),
        _coded("SvcLvl", kind.service_level),
        _coded("LclInstrm", kind.local_instrument),
        leaf("CtgyPurp/Cd", kind.category_purpose),
    )


def read_payment_type(record: Record) -> PaymentType | None:
    """Return what PmtTpInf says, or None when it says nothing.

    Raises:
        DocumentRefused: a priority that is neither NORM nor HIGH.
    """
    priority = record.opt("PmtTpInf/InstrPrty")
    if priority is not None and priority not in _URGENCIES:
        raise record.refuse("PmtTpInf/InstrPrty", f"{priority[:40]!r} is neither NORM nor HIGH")
    kind = PaymentType(
        priority=None if priority is None else _URGENCIES[priority],
        service_level=record.either("PmtTpInf/SvcLvl/Cd", "PmtTpInf/SvcLvl/Prtry"),
        local_instrument=record.either("PmtTpInf/LclInstrm/Cd", "PmtTpInf/LclInstrm/Prtry"),
        category_purpose=record.either("PmtTpInf/CtgyPurp/Cd", "PmtTpInf/CtgyPurp/Prtry"),
    )
    return None if kind == _UNTYPED else kind
