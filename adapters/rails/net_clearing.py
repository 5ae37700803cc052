"""A net clearing house: flat files of fixed columns out, status files and a settlement statement back.

How the files are laid out stands in the profile (``[layout]``); only what they mean stands here. A house of this kind
debits one member and credits another in two steps. What it has debited and not credited is neither settled nor
rejected: it is in doubt (BLCK), and is never paid again by itself.

Nothing here is signed: the files are trusted as far as the channel is, and its protection (``[protection]``).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import datetime
from typing import BinaryIO, Final

from adapters import statement_files
from adapters.layout_settings import LayoutSettings
from adapters.profile import Profile
from adapters.rails import Composed, Facts, Received, Sent, Task
from adapters.toml import Location
from schemas.errors import ConfigurationError, DocumentRefused
from schemas.flat import reading, writing
from schemas.flat.layout import Record, Value
from schemas.model.money import Money
from schemas.model.payment import Payment
from schemas.model.status import StatusReport, TransactionStatus
from security.keys import SigningKey
from security.trust import TrustStore

STATUS: Final = "net-clearing.status"
INQUIRY: Final = "net-clearing.inquiry"
_SETTLED: Final = frozenset({"ACSC", "ACCC"})
_REJECTED: Final = "RJCT"
_IN_DOUBT: Final = "BLCK"
_DEBTOR: Final = frozenset({"debtor_name", "debtor_account", "debtor_bic"})
_HEAD_BYTES: Final = 10_000
"""The first line of a status file stands within this (``record_length``)."""


# --------------------------------------------------------------------------------------------------------- composing


def apart(profile: Profile, payment: Payment) -> Hashable:
    """Return what the payments of one file must have in common: the debtor, where header or trailer name one."""
    layout = _layout(profile)
    around = {field.holds for record in (layout.header, layout.trailer) for field in record.values()}
    return (payment.debtor, payment.debtor_account, payment.debtor_agent) if around & _DEBTOR else None


def compose(
    profile: Profile,
    task: Task,
    payments: Sequence[Payment],
    key: SigningKey,
    inspect: Callable[[Facts], None],
) -> Composed:
    """Write a file by the profile's layout, read it back, and let the caller inspect what it says.

    Raises:
        DocumentRefused: a value does not fit its field, or the inspection refused the file.
    """
    del key
    layout, name = _layout(profile), _layout(profile).name_of(task.message_id)
    total = Money(sum(payment.amount.amount_minor for payment in payments), payments[0].amount.currency)
    around: dict[str, Value] = {
        **_task(profile, task, name, len(payments), total),
        **_debtor(payments[0]),
        "record_count": len(payments) + 2,
    }
    written = [(_record(layout, "header"), around)]
    for sequence, payment in enumerate(payments, 1):
        written.append((_record(layout, "detail"), {**around, **_payment(payment), "sequence": sequence}))
    written.append((_record(layout, "trailer"), around))
    document = _encoded(layout, written)
    inspect(_facts(profile, layout, document, task, total.currency))
    return Composed(document, layout.definition, name)


def inquire(profile: Profile, task: Task, sent: Sent, key: SigningKey) -> Composed:
    """Write the file that asks what became of another, by its name.

    Raises:
        ConfigurationError: the profile describes none.
        DocumentRefused: a value does not fit its field.
    """
    del key
    layout = _layout(profile)
    record = layout.record("inquiry")
    if record is None:
        raise ConfigurationError(f"{profile.name}: layout.inquiry: missing, and the house is to be asked")
    name = layout.inquiry_name.replace("{message_id}", task.message_id)
    values: dict[str, Value] = {
        **_task(profile, task, name, sent.count, sent.total),
        "record_count": 1,
        "original_message_id": sent.message_id,
        "original_file_name": sent.name,
    }
    return Composed(_encoded(layout, [(record, values)]), INQUIRY, name)


def _layout(profile: Profile) -> LayoutSettings:
    if profile.layout is None:
        raise ConfigurationError(f"{profile.name}: layout: missing, and the rail {profile.rail} needs it")
    return profile.layout


def _record(layout: LayoutSettings, name: str) -> Record:
    record = layout.record(name)
    if record is None:
        raise ConfigurationError(f"layout.{name}: missing")
    return record


def _task(profile: Profile, task: Task, name: str, count: int, total: Money) -> dict[str, Value]:
    """Return what is said of a whole file."""
    return {
        "message_id": task.message_id,
        "file_name": name,
        "created": task.created,
        "settlement_date": task.settlement_date,
        "own_bic": profile.own_bic,
        "bank_bic": profile.bank_bic,
        "currency": total.currency,
        "count": count,
        "total": total,
    }


def _debtor(payment: Payment) -> dict[str, Value]:
    return {
        "debtor_name": payment.debtor.name or "",
        "debtor_account": payment.debtor_account.number,
        "debtor_bic": payment.debtor_agent.bic or "",
    }


def _payment(payment: Payment) -> dict[str, Value]:
    """Return what is said of one payment."""
    remittance = payment.remittance
    return {
        **_debtor(payment),
        "instruction_id": payment.instruction_id,
        "end_to_end_id": payment.end_to_end_id,
        "uetr": payment.uetr,
        "amount": payment.amount,
        "creditor_name": payment.creditor.name or "",
        "creditor_account": payment.creditor_account.number,
        "creditor_bic": payment.creditor_agent.bic or "",
        "creditor_member_id": payment.creditor_agent.member_id or "",
        "purpose": payment.purpose or "",
        "category_purpose": payment.category_purpose or "",
        "charge_bearer": payment.charge_bearer,
        "remittance": remittance.creditor_reference or " ".join(remittance.unstructured),
    }


def _encoded(layout: LayoutSettings, written: Sequence[tuple[Record, Mapping[str, Value]]]) -> bytes:
    """Return the lines of a file as bytes.

    Raises:
        DocumentRefused: a value does not fit its field (``line 3, detail.creditor_name``), or its character set (RR10).
    """
    found = []
    for number, (record, values) in enumerate(written, 1):
        try:
            found.append(f"{writing.line(record, values)}{layout.line_end}".encode(layout.encoding))
        except DocumentRefused as refused:
            refused.path = f"line {number}, {refused.path}"
            raise
        except UnicodeEncodeError as error:
            said = f"the character U+{ord(error.object[error.start]):04X} is not in {layout.encoding}"
            raise DocumentRefused(said, code="RR10", path=f"line {number}, column {error.start + 1}") from error
    return b"".join(found)


def _facts(profile: Profile, layout: LayoutSettings, document: bytes, task: Task, currency: str) -> Facts:
    """Read back what the finished file says, from its bytes."""
    lines = list(reading.lines(document, layout.encoding, layout.line_end))

    def read_back(name: str, number: int) -> Mapping[str, Value]:
        return reading.values(_record(layout, name), lines[number - 1][1], number, profile.zone, currency)

    around = {**read_back("header", 1), **read_back("trailer", len(lines))}
    details = [read_back("detail", number) for number in range(2, len(lines))]
    count = around["count"] if "count" in around else int(str(around["record_count"])) - 2
    return Facts(
        header=None,
        message_id=task.message_id,
        namespace="",
        created=task.created,
        instructing_bic="",
        instructed_bic="",
        stated_count=str(count),
        stated_sum=_amount(around["total"]),
        amounts=tuple(_amount(detail["amount"]) for detail in details),
    )


def _amount(value: Value) -> str:
    return value.text() if isinstance(value, Money) else str(value)


# ----------------------------------------------------------------------------------------------------------- reading


def read(profile: Profile, document: bytes, trust: TrustStore, at: datetime) -> Received:
    """Read what the house has left: the status of a file of ours, or the settlement statement.

    Raises:
        DocumentRefused: nothing that is read here.
    """
    del trust, at
    layout = _layout(profile)
    if _is_status(layout, document[:_HEAD_BYTES]):
        report = _status(profile, layout, document)
        return Received(STATUS, report.message_id, reports=(report,))
    if (statement := read_unsigned(profile, io.BytesIO(document))) is not None:
        return statement
    raise DocumentRefused("neither a status file nor a statement", code="FF03", path="line 1")


def read_unsigned(profile: Profile, source: BinaryIO) -> Received | None:
    """Read the settlement statement, where it may come without a signature; None for a status file.

    Raises:
        DocumentRefused: now or while its statements are iterated.
    """
    source.seek(0)
    head = source.read(_HEAD_BYTES)
    return None if _is_status(_layout(profile), head) else statement_files.unsigned(profile, source)


def _is_status(layout: LayoutSettings, head: bytes) -> bool:
    """Tell whether a document begins as a status file does."""
    line = head.decode(layout.encoding, errors="replace").partition(layout.line_end)[0]
    return _record(layout, "status.header").begins(line)


def _status(profile: Profile, layout: LayoutSettings, document: bytes) -> StatusReport:
    """Read a status file.

    Raises:
        DocumentRefused: a line is of no kind, or says what the profile does not explain: nothing of it is used.
    """
    header: Mapping[str, Value] = {}
    lines: list[TransactionStatus] = []
    records = [record for name in ("header", "detail", "trailer") if (record := layout.record(f"status.{name}"))]
    for number, line in reading.lines(document, layout.encoding, layout.line_end):
        record = next((one for one in records if one.begins(line)), None)
        if record is None or (record.name == "header") != (number == 1):
            raise DocumentRefused("this line is of no kind that the profile describes here", path=f"line {number}")
        values = reading.values(record, line, number, profile.zone)
        if record.name == "detail":
            lines.append(_transaction(layout, values, number))
        elif record.name == "header":
            header = values
        if record.name != "detail" and values.get("count", len(lines)) != len(lines) and record.name == "trailer":
            said = f"{values['count']} lines are announced, and there are {len(lines)}"
            raise DocumentRefused(said, code="AM18", path=f"line {number}, count")
    message = _message(layout, header)
    status = _code(layout, header["status"], 1) if header.get("status") else None
    created = header.get("created")
    return StatusReport(
        message_id=str(header.get("status_id") or message),
        original_message_id=message,
        original_message_name=layout.definition,
        group_status=status,
        group_reason=_reason(layout, header),
        group_info=_info(layout, header),
        transactions=tuple(lines),
        created=created if isinstance(created, datetime) else None,
    )


def _message(layout: LayoutSettings, header: Mapping[str, Value]) -> str:
    """Return the MsgId of the file that a status file is about.

    Raises:
        DocumentRefused: no file of ours can have the name, or name and MsgId are of two files.
    """
    name, said = str(header.get("file_name", "")), str(header.get("message_id", ""))
    of_name = layout.message_of(name) if name else said
    if of_name is None or (said and of_name != said):
        raise DocumentRefused("the file name is none of ours, or of another message", path="line 1, file_name")
    return of_name


def _transaction(layout: LayoutSettings, values: Mapping[str, Value], number: int) -> TransactionStatus:
    """Return what a line says of one payment; what is half done is in doubt, whatever else it says."""
    status, info = _code(layout, values["status"], number), _info(layout, values)
    if "debited" in values:
        debited, credited = (values[side] == layout.status.yes for side in ("debited", "credited"))
        contradicts = (status == _REJECTED and debited) or (status in _SETTLED and not credited)
        if debited != credited or contradicts:
            sides = f"debited {'yes' if debited else 'no'}, credited {'yes' if credited else 'no'}"
            status, info = _IN_DOUBT, " ".join(filter(None, [f"{values['status']}: {sides}", info]))
    day = values.get("settlement_date")
    return TransactionStatus(
        status=status,
        end_to_end_id=str(values.get("end_to_end_id", "")) or None,
        instruction_id=str(values.get("instruction_id", "")) or None,
        uetr=str(values.get("uetr", "")) or None,
        reason=_reason(layout, values),
        info=info,
        settlement_date=day.date() if isinstance(day, datetime) else None,
        servicer_reference=str(values.get("reference", "")) or None,
        path=f"line {number}",
    )


def _code(layout: LayoutSettings, word: Value, number: int) -> str:
    """Return the ISO status that a word of the house comes to.

    Raises:
        DocumentRefused: the profile does not explain it; a guess could pay twice.
    """
    found = layout.status.codes.get(str(word))
    if found is None:
        said = f"the status {str(word)[:20]!r} is not among layout.status.codes"
        raise DocumentRefused(said, code="FF03", path=f"line {number}, status")
    return found


def _reason(layout: LayoutSettings, values: Mapping[str, Value]) -> str | None:
    """Return the ISO reason; one that the profile does not translate is NARR, and told in words."""
    said = str(values.get("reason", ""))
    return layout.status.reasons.get(said, "NARR") if said else None


def _info(layout: LayoutSettings, values: Mapping[str, Value]) -> str | None:
    """Return the words, with the house's own reason where the profile does not translate it."""
    reason = str(values.get("reason", ""))
    told = [reason] if reason and reason not in layout.status.reasons else []
    return " ".join(filter(None, [*told, str(values.get("info", ""))])) or None


# ---------------------------------------------------------------------------------------------------------- checking


def faults(profile: Profile) -> list[tuple[Location, str]]:
    """Return what this rail misses in a profile."""
    layout = profile.layout
    if layout is None:
        return [(("layout",), f"layout: missing, and the rail {profile.rail} needs it")]
    found: list[tuple[Location, str]] = []
    if profile.message.character_set != "x" and layout.encoding == "ascii":
        said = 'message.character_set: should be "x", for the files of this house are ascii'
        found.append((("message", "character_set"), said))
    if profile.channel.inquire_after_s is not None and layout.inquiry is None:
        said = "channel.inquire_after_s: the house is to be asked, and layout.inquiry does not say how"
        found.append((("channel", "inquire_after_s"), said))
    for record, most in (("detail", "sequence"), ("header", "count"), ("trailer", "count")):
        for name, field in (layout.fields_of(record) or {}).items():
            if field.holds == most and 10**field.length <= profile.message.transactions_max:
                said = f"layout.{record}.{name}: {field.length} digits do not count message.transactions_max"
                found.append((("layout", record, name), said))
    return found
