"""The parts that payment messages share: parties, agents, accounts, settlement, and remittance.

One function writes and one reads each part; the paths are ISO 20022's own (PartyIdentification135,
BranchAndFinancialInstitutionIdentification6, CashAccount38, SettlementInstruction7, RemittanceInformation16). Older
versions of the messages call some identifiers otherwise, which a `Naming` says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from schemas.iso20022.xml import NOTHING, el, join, leaf
from schemas.model.payment import Account, Address, Agent, Party, Remittance

if TYPE_CHECKING:
    from datetime import date

    from schemas.iso20022.xml import Markup, Record

CODE_LENGTH_MAX = {"clearing": 3, "account_scheme": 4}
"""Longest external code of a ``Cd``; a longer name is the rail's own and goes to ``Prtry``."""


@dataclass(frozen=True, slots=True)
class Naming:
    """What the components of a message's version call identifiers.

    Attributes:
        bic: the BIC of an agent: ``BICFI``, in versions of 2009 ``BIC``.
        any_bic: the BIC of a party: ``AnyBIC``, in versions of 2009 ``BICOrBEI``.
        lei: there is a tag for the LEI (from 2019 on); without one it is an Othr whose scheme says what it is.
    """

    bic: str = "BICFI"
    any_bic: str = "AnyBIC"
    lei: bool = True


CURRENT = Naming()
"""The names since 2019."""
_LEI_SCHEME = "LEI"


@dataclass(frozen=True, slots=True)
class Settlement:
    """How and between whom a group settles (SttlmInf, InstgAgt and InstdAgt of a group header).

    Attributes:
        method: CLRG, INDA, INGA or COVE.
        clearing_system: with CLRG (rule 36): an ISO code of at most 3 characters, or the rail's own name.
        account: the settlement account, with INDA and INGA (rule 36).
    """

    method: str
    clearing_system: str | None
    date: date | None
    instructing_bic: str | None
    instructed_bic: str | None
    account: str | None = None


def write_settlement(settlement: Settlement) -> Markup:
    """Return SttlmInf, InstgAgt and InstdAgt, in the order of a group header."""
    name = settlement.clearing_system
    kind = "Cd" if name is not None and len(name) <= CODE_LENGTH_MAX["clearing"] else "Prtry"
    return join(
        (
            el(
                "SttlmInf",
                leaf("SttlmMtd", settlement.method),
                leaf("SttlmAcct/Id/Othr/Id", settlement.account),
                leaf(f"ClrSys/{kind}", name),
            ),
            leaf("InstgAgt/FinInstnId/BICFI", settlement.instructing_bic),
            leaf("InstdAgt/FinInstnId/BICFI", settlement.instructed_bic),
        )
    )


def read_settlement(header: Record) -> Settlement:
    """Return the settlement of a group header; the agents may be missing where each transaction names its own."""
    return Settlement(
        method=header.one("SttlmInf/SttlmMtd"),
        clearing_system=header.either("SttlmInf/ClrSys/Cd", "SttlmInf/ClrSys/Prtry"),
        date=header.opt_date("IntrBkSttlmDt"),
        instructing_bic=header.opt("InstgAgt/FinInstnId/BICFI"),
        instructed_bic=header.opt("InstdAgt/FinInstnId/BICFI"),
        account=header.either("SttlmInf/SttlmAcct/Id/Othr/Id", "SttlmInf/SttlmAcct/Id/IBAN"),
    )


def write_address(address: Address | None) -> Markup:
    """Return PstlAdr: structured, or hybrid with free lines beside town and country."""
    if address is None:
        return NOTHING
    return el(
        "PstlAdr",
        leaf("StrtNm", address.street),
        leaf("BldgNb", address.building),
        leaf("PstCd", address.post_code),
        leaf("TwnNm", address.town),
        leaf("Ctry", address.country),
        *[leaf("AdrLine", line) for line in address.lines],
    )


def read_address(record: Record, path: str) -> Address | None:
    """Return the address under a party's path, or None when there is none."""
    address = Address(
        country=record.opt(f"{path}/PstlAdr/Ctry"),
        town=record.opt(f"{path}/PstlAdr/TwnNm"),
        street=record.opt(f"{path}/PstlAdr/StrtNm"),
        building=record.opt(f"{path}/PstlAdr/BldgNb"),
        post_code=record.opt(f"{path}/PstlAdr/PstCd"),
        lines=tuple(record.all(f"{path}/PstlAdr/AdrLine")),
    )
    return None if address == _NO_ADDRESS else address


_NO_ADDRESS = Address()


def write_party(tag: str, party: Party | None, naming: Naming = CURRENT) -> Markup:
    """Return a debtor, creditor or ultimate party under its tag."""
    if party is None:
        return NOTHING
    identity = NOTHING
    if party.any_bic or party.lei:
        identity = el("Id/OrgId", leaf(naming.any_bic, party.any_bic), _write_lei(party.lei, naming))
    return el(tag, leaf("Nm", party.name), write_address(party.address), identity)


def _write_lei(lei: str | None, naming: Naming) -> Markup:
    """Return an LEI under its tag, or as an Othr of the scheme LEI where the version has no tag for it."""
    if lei is None or naming.lei:
        return leaf("LEI", lei)
    return el("Othr", leaf("Id", lei), leaf("SchmeNm/Prtry", _LEI_SCHEME))


def _read_lei(record: Record, path: str, naming: Naming) -> str | None:
    """Return the LEI under a path; of several other identifiers only one is an LEI, and then nobody knows which."""
    if naming.lei:
        return record.opt(f"{path}/LEI")
    return record.opt(f"{path}/Othr/Id") if record.all(f"{path}/Othr/SchmeNm/Prtry") == [_LEI_SCHEME] else None


def read_party(record: Record, path: str, naming: Naming = CURRENT) -> Party | None:
    """Return the party at a path, or None when nothing is said of it."""
    party = Party(
        name=record.opt(f"{path}/Nm"),
        address=read_address(record, path),
        any_bic=record.opt(f"{path}/Id/OrgId/{naming.any_bic}"),
        lei=_read_lei(record, f"{path}/Id/OrgId", naming),
    )
    return None if party == _NOBODY else party


_NOBODY = Party()


def write_agent(tag: str, agent: Agent, naming: Naming = CURRENT) -> Markup:
    """Return a financial institution under its tag: by BIC, or by member id or LEI with name and address (rule 34)."""
    if agent.bic and not (agent.member_id or agent.lei or agent.name or agent.address):
        return leaf(f"{tag}/FinInstnId/{naming.bic}", agent.bic)
    lei = _write_lei(agent.lei, naming)
    return el(
        f"{tag}/FinInstnId",
        leaf(naming.bic, agent.bic),
        el("ClrSysMmbId", leaf("ClrSysId/Cd", agent.clearing_system), leaf("MmbId", agent.member_id)),
        lei if naming.lei else NOTHING,
        leaf("Nm", agent.name),
        write_address(agent.address),
        NOTHING if naming.lei else lei,
    )


def read_agent(record: Record, path: str, naming: Naming = CURRENT) -> Agent:
    """Return the financial institution at a path; all fields None when nothing is said of it."""
    inside = f"{path}/FinInstnId"
    return Agent(
        bic=record.opt(f"{inside}/{naming.bic}"),
        clearing_system=record.either(f"{inside}/ClrSysMmbId/ClrSysId/Cd", f"{inside}/ClrSysMmbId/ClrSysId/Prtry"),
        member_id=record.opt(f"{inside}/ClrSysMmbId/MmbId"),
        lei=_read_lei(record, inside, naming),
        name=record.opt(f"{inside}/Nm"),
        address=read_address(record, inside),
    )


def write_institution(tag: str, party: Party | None) -> Markup:
    """Return a party that is a financial institution, as a pacs.009 has them: its own BIC is its BICFI."""
    if party is None:
        return NOTHING
    return write_agent(tag, Agent(bic=party.any_bic, lei=party.lei, name=party.name, address=party.address))


def read_institution(record: Record, path: str) -> Party | None:
    """Return the financial institution at a path as a party, or None when nothing is said of it."""
    agent = read_agent(record, path)
    party = Party(agent.name, agent.address, agent.bic, agent.lei)
    return None if party == _NOBODY else party


def write_account(tag: str, account: Account) -> Markup:
    """Return an account under its tag: IBAN, or a proprietary number in Othr/Id with its scheme when it is not BBAN."""
    if account.scheme == "IBAN":
        return el(tag, leaf("Id/IBAN", account.number), leaf("Ccy", account.currency))
    scheme = NOTHING
    if account.scheme != "BBAN":
        kind = "Cd" if len(account.scheme) <= CODE_LENGTH_MAX["account_scheme"] else "Prtry"
        scheme = leaf(f"SchmeNm/{kind}", account.scheme)
    return el(tag, el("Id/Othr", leaf("Id", account.number), scheme), leaf("Ccy", account.currency))


def read_account(record: Record, path: str) -> Account:
    """Return the account at a path.

    Raises:
        DocumentRefused: it has neither an IBAN nor another number.
    """
    currency = record.opt(f"{path}/Ccy")
    iban = record.opt(f"{path}/Id/IBAN")
    if iban is not None:
        return Account(iban, "IBAN", currency)
    scheme = record.either(f"{path}/Id/Othr/SchmeNm/Cd", f"{path}/Id/Othr/SchmeNm/Prtry")
    return Account(record.one(f"{path}/Id/Othr/Id"), scheme or "BBAN", currency)


def write_remittance(remittance: Remittance) -> Markup:
    """Return RmtInf: free text lines, and a creditor reference that is marked SCOR when it is an ISO 11649 RF."""
    reference = remittance.creditor_reference
    kind = leaf("Tp/CdOrPrtry/Cd", "SCOR" if reference is not None and reference.startswith("RF") else None)
    return el(
        "RmtInf",
        *[leaf("Ustrd", line) for line in remittance.unstructured],
        el("Strd/CdtrRefInf", kind, leaf("Ref", reference)) if reference is not None else NOTHING,
    )


def read_remittance(record: Record) -> Remittance:
    """Return what a payment is for. Of several structured parts only one may carry a creditor reference."""
    return Remittance(tuple(record.all("RmtInf/Ustrd")), record.opt("RmtInf/Strd/CdtrRefInf/Ref"))
