"""The JSON contract of order messages as pydantic models. The JSON Schema in docs/contracts is generated from them.

Types, presence and lengths are checked here. What has a reason code of its own (currency, BIC, UETR, purpose ...) is
only described here, by a pattern in the JSON Schema, and judged by the business checks.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from schemas.model import lengths

VERSION = "1.0"
MAJOR_VERSION = "1"
CHUNK_ORDERS_MAX = 1_000
BATCH_ORDERS_MAX = 1_000_000
"""More than twice the largest payroll."""

_PLAIN_AMOUNT = r"^(0|[1-9][0-9]{0,17})(\.[0-9]{1,17})?$"
_RATE = r"^(0|[1-9][0-9]{0,9})(\.[0-9]{1,10})?$"
_BIC = "^[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?$"


class Written:
    """Take a date or time only as it is written in ISO 8601; pydantic alone also takes seconds since 1970 as text."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Match the text first, then read it; both steps are pydantic's own compiled code."""
        written = core_schema.str_schema(pattern=self._pattern, strict=True)
        value = {**handler(source), "strict": False}
        return core_schema.json_or_python_schema(core_schema.chain_schema([written, value]), handler(source))


def text(longest: int, description: str, pattern: str | None = None) -> Any:
    """Return a text field of at most so many characters."""
    return Field(min_length=1, max_length=longest, description=description, pattern=pattern)


def _documented(description: str, **schema: Any) -> Any:
    """Describe a field in the JSON Schema, and leave its checking to the business rules, which have reason codes."""
    return Field(max_length=64, description=description, json_schema_extra=schema)


VISIBLE = r"^[^\x00-\x1f\x7f]+$"
"""No control characters: what a database, a log or a terminal would take for something else than text."""
_Identifier = Annotated[str, Field(min_length=1, max_length=lengths.IDENTIFIER, pattern=VISIBLE)]
AmountText = Annotated[str, _documented("Plain decimal notation, at most 18 digits: 1250.50", pattern=_PLAIN_AMOUNT)]
Currency = Annotated[str, _documented("ISO 4217 code", pattern="^[A-Z]{3}$")]
_Bic = Annotated[str, _documented("ISO 9362, 8 or 11 characters", pattern=_BIC)]
_Lei = Annotated[str, _documented("ISO 17442", pattern="^[A-Z0-9]{18}[0-9]{2}$")]


class Strict(BaseModel):
    """Strict types, no change after reading; unknown fields are ignored so that a source may send more than we know."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class OrderAddress(Strict):
    """A postal address: town and country always, at most two free lines beside them."""

    country: Annotated[str, _documented("ISO 3166-1 alpha-2", pattern="^[A-Z]{2}$")] | None = None
    town: Annotated[str, text(lengths.TOWN, "Town")] | None = None
    street: Annotated[str, text(lengths.STREET, "Street")] | None = None
    building: Annotated[str, text(lengths.BUILDING, "Building number")] | None = None
    post_code: Annotated[str, text(lengths.POST_CODE, "Post code")] | None = None
    lines: tuple[Annotated[str, text(lengths.ADDRESS_LINE, "A free line")], ...] = Field(default=(), max_length=7)


class OrderParty(Strict):
    """Who pays or is paid. Without a BIC of its own a party has a name."""

    name: Annotated[str, text(lengths.NAME, "Official name")] | None = None
    address: OrderAddress | None = None
    any_bic: _Bic | None = None
    lei: _Lei | None = None


class OrderAgent(Strict):
    """A bank: by BIC, or by its clearing member id or LEI with name and address."""

    bic: _Bic | None = None
    clearing_system: Annotated[str, _documented("Clearing system code, e.g. KH")] | None = None
    member_id: Annotated[str, text(lengths.IDENTIFIER, "Member id in that clearing system")] | None = None
    lei: _Lei | None = None
    name: Annotated[str, text(lengths.NAME, "Name of the bank")] | None = None
    address: OrderAddress | None = None


class OrderAccount(Strict):
    """An account: its number as the bank writes it."""

    number: Annotated[str, text(lengths.ACCOUNT, "Account number")]
    scheme: Literal["BBAN", "IBAN"] = "BBAN"
    currency: Currency | None = None


class OrderRemittance(Strict):
    """What the payment is for: free lines, or a creditor reference."""

    unstructured: tuple[Annotated[str, text(lengths.REMITTANCE_LINE, "A line")], ...] = Field((), max_length=100)
    creditor_reference: Annotated[str, text(lengths.CREDITOR_REFERENCE, "ISO 11649 RF or the bank's")] | None = None


class OrderCharge(Strict):
    """A charge that is stated in the payment; zero is allowed."""

    amount: AmountText
    currency: Currency
    agent_bic: _Bic


class OrderMoney(Strict):
    """An amount and its currency."""

    amount: AmountText
    currency: Currency


class OrderRegulatoryReport(Strict):
    """What the authorities of a country want to know of a payment across borders."""

    code: Annotated[str, text(lengths.REGULATORY_CODE, "The country's own code of the reason")] | None = None
    country: Annotated[str, _documented("ISO 3166-1 alpha-2 of the authority", pattern="^[A-Z]{2}$")] | None = None
    details: tuple[Annotated[str, text(lengths.REGULATORY_LINE, "A free line")], ...] = Field(default=(), max_length=10)


class OrderCovered(Strict):
    """The customer's transfer that a payment between institutions covers; it goes to its bank by another way."""

    debtor: OrderParty
    debtor_account: OrderAccount
    debtor_agent: OrderAgent
    creditor: OrderParty
    creditor_account: OrderAccount
    creditor_agent: OrderAgent
    instructed_amount: OrderMoney
    intermediary_agents: tuple[OrderAgent, ...] = Field(default=(), max_length=lengths.INTERMEDIARY_AGENTS)
    remittance: OrderRemittance | None = None


class Order(Strict):
    """One payment order."""

    order_id: Annotated[
        str, text(lengths.IDENTIFIER, "The source's own number of the order, unique in the source", VISIBLE)
    ]
    maker: Annotated[str, text(lengths.MAKER, "Who prepared the order; an approver is somebody else", VISIBLE)]
    amount: AmountText
    currency: Currency
    execution_date: Annotated[
        date,
        Written(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"),
        Field(description="The day on which the source wants it executed", json_schema_extra={"format": "date"}),
    ]
    debtor: OrderParty
    debtor_account: OrderAccount
    creditor: OrderParty
    creditor_account: OrderAccount
    creditor_agent: OrderAgent
    end_to_end_id: (
        Annotated[str, text(lengths.IDENTIFIER, "Unique per debtor account, or left out", VISIBLE)] | None
    ) = None
    uetr: Annotated[str, _documented("UUID version 4 in lower case; made by the gateway if left out")] | None = None
    charge_bearer: Annotated[str, _documented("DEBT, CRED, SHAR or SLEV", pattern="^(DEBT|CRED|SHAR|SLEV)$")] = "SLEV"
    urgency: Literal["normal", "high"] = "normal"
    purpose: Annotated[str, _documented("ISO 20022 external purpose code")] | None = None
    category_purpose: Annotated[str, _documented("ISO 20022 external category purpose code")] | None = None
    remittance: OrderRemittance | None = None
    ultimate_debtor: OrderParty | None = None
    ultimate_creditor: OrderParty | None = None
    charges: tuple[OrderCharge, ...] = Field(default=(), max_length=10)
    kind: Annotated[
        Literal["customer", "institution"],
        Field(description="institution: to a bank, or between own accounts; debtor and creditor are institutions then"),
    ] = "customer"
    intermediary_agents: Annotated[
        tuple[OrderAgent, ...],
        Field(max_length=lengths.INTERMEDIARY_AGENTS, description="Banks on the way, nearest to the payer's first"),
    ] = ()
    regulatory_reports: Annotated[tuple[OrderRegulatoryReport, ...], Field(max_length=10)] = ()
    instructed_amount: Annotated[
        OrderMoney | None,
        Field(description="What was ordered, where another amount or currency is settled: amount and currency"),
    ] = None
    exchange_rate: Annotated[
        str | None,
        _documented(
            "From the instructed to the settled currency: instructed_amount x exchange_rate = amount",
            pattern=_RATE,
        ),
    ] = None
    covers: OrderCovered | None = None


class OrderOriginal(Strict):
    """The transfer that came in and is given back: its references as the bank wrote them, and why it is."""

    amount: OrderMoney
    reason: Annotated[str, text(lengths.REASON, "ISO external return reason", VISIBLE)]
    message_id: _Identifier | None = None
    definition: _Identifier | None = None
    end_to_end_id: _Identifier | None = None
    instruction_id: _Identifier | None = None
    uetr: Annotated[str, _documented("UUID version 4 in lower case")] | None = None
    info: Annotated[str, text(lengths.REASON_INFO, "Words for the bank", VISIBLE)] | None = None
    block_id: _Identifier | None = None


class ReturnOrder(Order):
    """An order to give back what came in. The gateway writes it by itself for two people; no source can order one."""

    kind: Literal["return"]  # type: ignore[assignment]  # it is none of those that a source may order
    original: OrderOriginal


class BatchPart(Strict):
    """What each chunk says of its whole batch: a batch is released only when complete and equal to this."""

    batch_id: _Identifier
    count: Annotated[int, Field(ge=1, le=BATCH_ORDERS_MAX, description="Orders in the whole batch")]
    totals: Annotated[dict[str, str], Field(min_length=1, max_length=50, description="Exact sum of each currency")]
    chunk: Annotated[int, Field(ge=1, description="Number of this chunk, from 1")]
    chunks: Annotated[int, Field(ge=1, le=BATCH_ORDERS_MAX, description="Number of chunks of the batch")]


class Envelope(Strict):
    """What every message of a source system begins with."""

    version: Annotated[str, Field(pattern=r"^[0-9]{1,3}\.[0-9]{1,3}$", description="major.minor")]
    message_id: _Identifier
    source: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,35}$", description="The system that sends, e.g. fmis")]
    created: Annotated[
        AwareDatetime,
        Written(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T"),
        Field(description="With an offset from UTC", json_schema_extra={"format": "date-time"}),
    ]


class SingleOrderMessage(Envelope):
    """A message with one order."""

    order: Order


class BatchChunkMessage(Envelope):
    """A message with one chunk of a batch."""

    batch: BatchPart
    orders: Annotated[list[Order], Field(min_length=1, max_length=CHUNK_ORDERS_MAX)]


class AnyMessage(Envelope):
    """Either form, read in one go."""

    order: Order | None = None
    batch: BatchPart | None = None
    orders: Annotated[list[Order], Field(max_length=CHUNK_ORDERS_MAX)] | None = None
