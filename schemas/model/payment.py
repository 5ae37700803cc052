"""A payment as the gateway knows it: who pays whom how much, under which references.

The attribute names are also the JSON paths of an order (``creditor.address.town``), so a check can name the field
that its sender wrote. Attribute names follow ISO 20022's long names; the message files map them to the tags.
"""

from __future__ import annotations

from datetime import date

from schemas.model.money import Money
from schemas.model.value import Value


class Address(Value, frozen=True):
    """A postal address (PstlAdr). Structured or hybrid: town and country apart, at most two free lines of 70."""

    country: str | None = None
    town: str | None = None
    street: str | None = None
    building: str | None = None
    post_code: str | None = None
    lines: tuple[str, ...] = ()


class Party(Value, frozen=True):
    """A debtor, creditor or ultimate party."""

    name: str | None = None
    address: Address | None = None
    any_bic: str | None = None
    lei: str | None = None


class Agent(Value, frozen=True):
    """A financial institution (FinInstnId): by BIC, or by clearing member id or LEI with name and address."""

    bic: str | None = None
    clearing_system: str | None = None
    member_id: str | None = None
    lei: str | None = None
    name: str | None = None
    address: Address | None = None


class Account(Value, frozen=True):
    """A bank account. ``number`` goes to IBAN when ``scheme`` is "IBAN", else to Othr/Id."""

    number: str
    scheme: str = "BBAN"
    currency: str | None = None


class Remittance(Value, frozen=True):
    """What the payment is for: free text lines (<= 140 each), or a creditor reference (ISO 11649 RF or the bank's)."""

    unstructured: tuple[str, ...] = ()
    creditor_reference: str | None = None


class Charge(Value, frozen=True):
    """A charge stated in the message (ChrgsInf)."""

    amount: Money
    agent_bic: str


class RegulatoryReport(Value, frozen=True):
    """What the authorities of a country want to know of a payment across borders (RgltryRptg, rule 53).

    Attributes:
        code: the country's own code of the reason (Dtls/Cd), at most 10 characters.
        country: ISO 3166 code of the authority's country (Authrty/Ctry).
        details: free lines of at most 35 characters (Dtls/Inf).
    """

    code: str | None = None
    country: str | None = None
    details: tuple[str, ...] = ()


class Original(Value, frozen=True):
    """The transfer that came in and is given back by a payment: its references, as the bank wrote them.

    Attributes:
        message_id, definition: of the message that it came in; None, both, where only the statement has shown it.
        amount: what came in; a payment that gives it back may be of less.
        reason: ISO external return reason, such as AC04.
        block_id: PmtInfId of the block that it came in, where there was one.
    """

    message_id: str | None
    definition: str | None
    end_to_end_id: str | None
    instruction_id: str | None
    uetr: str | None
    amount: Money
    reason: str
    info: str | None = None
    block_id: str | None = None


class Covered(Value, frozen=True):
    """The customer's transfer that a payment between banks covers (UndrlygCstmrCdtTrf of a pacs.009 COV).

    It went to the creditor's bank by another way; the cover has its UETR and its EndToEndId.

    Attributes:
        instructed_amount: what its debtor ordered.
    """

    debtor: Party
    debtor_account: Account
    debtor_agent: Agent
    creditor: Party
    creditor_account: Account
    creditor_agent: Agent
    instructed_amount: Money
    intermediary_agents: tuple[Agent, ...] = ()
    remittance: Remittance = Remittance()


class Payment(Value, frozen=True):
    """One credit transfer, complete enough to be written as a CdtTrfTxInf.

    Attributes:
        payment_id: the gateway's own number, unique, > 0.
        source: the system that ordered it, e.g. ``fmis``.
        order_id: the source's own number of the order, unique in the source.
        batch_id: the source's batch, or None for a single order.
        maker: who prepared the order at the source; an approver is somebody else.
        instruction_id: InstrId, <= 35 characters, unique; made from payment_id by the gateway.
        end_to_end_id: EndToEndId, <= 35 characters, unique per debtor account, or ``NOTPROVIDED``.
        uetr: lower-case UUID version 4.
        amount: what the creditor's bank receives (IntrBkSttlmAmt).
        execution_date: the day the source wants it executed.
        charge_bearer: DEBT, CRED, SHAR or SLEV.
        urgency: ``normal`` or ``high`` (InstrPrty).
        kind: ``customer``: to anybody (pacs.008, pain.001); ``institution``: from the treasury to a bank, or between
            own accounts (pacs.009), whose debtor and creditor are institutions; ``return``: of a transfer that came in
            (``original``).
        intermediary_agents: banks between ours and the creditor's, at most three, nearest to us first.
        instructed_amount, exchange_rate: where the debtor orders in another currency than is settled (rule 24).
        original: what a return gives back.
        covers: the customer's transfer that a payment of kind ``institution`` covers.
    """

    payment_id: int
    source: str
    order_id: str
    maker: str
    instruction_id: str
    end_to_end_id: str
    uetr: str
    amount: Money
    execution_date: date
    charge_bearer: str
    debtor: Party
    debtor_account: Account
    debtor_agent: Agent
    creditor: Party
    creditor_account: Account
    creditor_agent: Agent
    batch_id: str | None = None
    urgency: str = "normal"
    purpose: str | None = None
    category_purpose: str | None = None
    remittance: Remittance = Remittance()
    ultimate_debtor: Party | None = None
    ultimate_creditor: Party | None = None
    charges: tuple[Charge, ...] = ()
    kind: str = "customer"
    intermediary_agents: tuple[Agent, ...] = ()
    regulatory_reports: tuple[RegulatoryReport, ...] = ()
    instructed_amount: Money | None = None
    exchange_rate: str | None = None
    original: Original | None = None
    covers: Covered | None = None
