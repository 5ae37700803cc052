"""What a reconciliation benchmark stands on: payments at the bank, and one long statement of them.

It is laid by a process of its own, for the rows of a million payments are no memory of the gateway.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from random import Random
from uuid import UUID

from gateway.core.ledger import posting
from gateway.core.lifecycle import Posting
from gateway.store.session import Session, Store
from schemas.model.identifiers import instruction_id
from schemas.model.money import Money
from simulators.names import PEOPLE

MESSAGE = 1_000
"""Payments of one message, but for those that the bank books as a batch."""
BATCH = 10
OPENING = 10**17
"""What the account begins with, in minor units: enough for any statement."""
ROWS = 20_000
"""Rows written at once."""
PERCENT = 100
_PAYMENT = (
    "id", "version", "state", "source", "order_id", "batch", "profile", "debtor_account", "end_to_end_id", "uetr",
    "amount_minor", "currency", "settlement_day", "content_sha256", "received_ms", "changed_ms", "message",
)  # fmt: skip
_MESSAGE = (
    "id", "profile", "message_id", "definition", "sha256", "payments", "total_minor", "currency", "settlement_day",
    "composed_ms", "sent_ms", "due_ms", "sendings",
)  # fmt: skip
_TRANSFER = ("subject", "cause", "leg", "debit", "credit", "amount_minor", "currency", "at_ms")


@dataclass(frozen=True, slots=True)
class Ground:
    """Where the payments are: the relationship, the account, the day, and the moment in milliseconds."""

    profile: str
    account: str
    day: date
    at_ms: int


@dataclass(frozen=True, slots=True)
class Paid:
    """A payment as the bank's statement speaks of it."""

    number: int
    uetr: str
    end_to_end_id: str
    minor: int
    message: str


def pay(store: Store, ground: Ground, count: int, random: Random, state: str, size: int) -> Iterator[Paid]:
    """Put payments into the tables as the pipeline leaves them at the bank (SENT) or after its answer (SETTLED).

    Args:
        store: the database.
        ground: whose payments they are.
        count: how many.
        random: makes amounts, names and UETRs.
        state: SENT or SETTLED.
        size: payments of one message.
    """
    left = count
    while left > 0:
        some = min(left, ROWS)
        with store.transaction() as db:
            made = list(_pay(db, ground, some, random, state, size))
        yield from made
        left -= some


def _pay(db: Session, ground: Ground, count: int, random: Random, state: str, size: int) -> Iterator[Paid]:
    numbers = db.take_numbers("payment", count)
    messages = db.take_numbers("message", (count + size - 1) // size)
    day, at = ground.day.isoformat(), ground.at_ms
    found = [
        Paid(
            n, str(UUID(int=random.getrandbits(128), version=4)), f"INV{n:011d}", random.randrange(100_00, 10**10, 100),
            f"BENCH-{messages[i // size]:012d}",
        )
        for i, n in enumerate(numbers)
    ]  # fmt: skip
    db.bulk("payment", _PAYMENT, (
        (p.number, 3, state, "fmis", f"O{p.number}", None, ground.profile, ground.account, p.end_to_end_id, p.uetr,
         p.minor, "KHR", day, f"{p.number:064x}", at, at, messages[i // size])
        for i, p in enumerate(found)
    ))  # fmt: skip
    db.bulk("payment_order", ("id", "body"), ((p.number, _order(p, random)) for p in found))
    db.bulk("message", _MESSAGE, (
        (n, ground.profile, f"BENCH-{n:012d}", "pacs.008.001.08", f"{n:064x}", len(part),
         sum(p.minor for p in part), "KHR", day, at, at, None, 1)
        for n, part in ((n, found[i * size : (i + 1) * size]) for i, n in enumerate(messages))
    ))  # fmt: skip
    db.bulk("message_payment", ("message", "payment"), ((messages[i // size], p.number) for i, p in enumerate(found)))
    recipes = (Posting.RESERVE,) if state == "SENT" else (Posting.RESERVE, Posting.SETTLE)
    db.bulk("transfer", _TRANSFER, (
        (t.subject, t.cause, t.leg, t.debit, t.credit, t.amount_minor, t.currency, at)
        for p in found
        for t in (posting(recipe, p.number, "fmis", ground.account, p.minor, "KHR") for recipe in recipes)
    ))  # fmt: skip
    yield from found


def _order(paid: Paid, random: Random) -> bytes:
    """Return an order as it is stored, of the size that orders have."""
    return json.dumps({
        "order_id": f"O{paid.number}", "end_to_end_id": paid.end_to_end_id,
        "amount": {"value": Money(paid.minor, "KHR").text(), "currency": "KHR"},
        "debtor": {"name": "Ministry of Economy and Finance", "address": {"town": "Phnom Penh", "country": "KH"}},
        "creditor": {"name": random.choice(PEOPLE), "address": {"town": "Phnom Penh", "country": "KH"}},
        "creditor_account": {"number": f"{random.randrange(10**11):012d}"},
        "creditor_agent": {"bic": "ABAAKHPP"}, "purpose": "SALA",
        "remittance": {"unstructured": [f"Salary of the month, line {paid.number} of the payroll"]},
    }, ensure_ascii=False).encode()  # fmt: skip


# --------------------------------------------------------------------------------------------------------- statement


@dataclass(frozen=True, slots=True)
class Mix:
    """Payments by how the statement shows them; the rest of the entries name none of ours."""

    exact: list[Paid]
    in_text: list[Paid]
    batches: list[list[Paid]]
    returned: list[Paid]
    charges: int
    unmatched: int


def prepare(store: Store, ground: Ground, path: Path, entries: int, payments: int) -> int:
    """Put the payments of a statement into the tables, write the statement, and return how many entries it has.

    Its opening balance is the closing balance of the account's last statement.
    """
    random = Random(entries)
    with store.transaction() as db:
        closings = {(row[0], row[1]): row[2] for row in db.all("last_closings")}
    mix = lay(store, ground, entries, payments, random)
    return write(path, ground, mix, closings.get((ground.account, "KHR"), OPENING), random)


def lay(store: Store, ground: Ground, entries: int, payments: int, random: Random) -> Mix:
    """Put the payments of a statement into the tables: 96 % exact, and 1 % each of the other kinds."""
    hundredth = entries // PERCENT
    exact = entries - 4 * hundredth
    spare = max(0, payments - exact - hundredth - hundredth * BATCH)
    open_ones = list(pay(store, ground, exact + hundredth, random, "SENT", MESSAGE))
    in_batches = list(pay(store, ground, hundredth * BATCH, random, "SENT", BATCH))
    returned = list(pay(store, ground, hundredth // 2, random, "SETTLED", MESSAGE))
    for _ in pay(store, ground, spare, random, "SENT", MESSAGE):
        pass
    batches = [in_batches[i : i + BATCH] for i in range(0, len(in_batches), BATCH)]
    return Mix(open_ones[:exact], open_ones[exact:], batches, returned, hundredth - len(returned), hundredth)


def write(path: Path, ground: Ground, mix: Mix, opening: int, random: Random) -> int:
    """Write a camt.053 of these payments, as a bank would, and return how many entries it has."""
    lines = _lines(mix, random)
    random.shuffle(lines)
    total = sum(minor for minor, _ in lines)
    day = ground.day.isoformat()
    with path.open("w", encoding="utf-8") as out:
        out.write(_HEAD.format(
            name=f"BENCH-{ground.at_ms}", day=day, account=ground.account, opening=_text(opening),
            closing=_text(opening + total),
        ))  # fmt: skip
        for number, (minor, rest) in enumerate(lines):
            sign = "DBIT" if minor < 0 else "CRDT"
            out.write(_ENTRY.format(n=number, amount=_text(abs(minor)), sign=sign, day=day, rest=rest))
        out.write("</Stmt></BkToCstmrStmt></Document>\n")
    return len(lines)


def _lines(mix: Mix, random: Random) -> list[tuple[int, str]]:
    found = [(-p.minor, _detail(p)) for p in mix.exact]
    found += [(-p.minor, _TEXT.format(text=f"YOUR REF {p.end_to_end_id.lower()} THANK YOU")) for p in mix.in_text]
    for batch in mix.batches:
        total = sum(p.minor for p in batch)
        found.append((-total, _BATCH.format(message=batch[0].message, count=len(batch), total=_text(total))))
    for p in mix.returned:
        found.append((p.minor, _detail(p, "<RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf>")))
    found += [(-500, _CODE.format(code="CHRG"))] * mix.charges
    found += [(-random.randrange(10**10, 10**11), _TEXT.format(text=f"transfer {n}")) for n in range(mix.unmatched)]
    return found


def _detail(paid: Paid, more: str = "") -> str:
    refs = f"<InstrId>{instruction_id(paid.number)}</InstrId><EndToEndId>{paid.end_to_end_id}</EndToEndId>"
    return f"<NtryDtls><TxDtls><Refs>{refs}<UETR>{paid.uetr}</UETR></Refs>{more}</TxDtls></NtryDtls>"


def _text(minor: int) -> str:
    return Money(minor, "KHR").text()


_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><GrpHdr><MsgId>BENCH</MsgId>\
<CreDtTm>{day}T18:00:00+07:00</CreDtTm></GrpHdr><Stmt><Id>{name}</Id><CreDtTm>{day}T18:00:00+07:00</CreDtTm>\
<Acct><Id><Othr><Id>{account}</Id></Othr></Id><Ccy>KHR</Ccy></Acct>
<Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy="KHR">{opening}</Amt><CdtDbtInd>CRDT</CdtDbtInd>\
<Dt><Dt>{day}</Dt></Dt></Bal>
<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="KHR">{closing}</Amt><CdtDbtInd>CRDT</CdtDbtInd>\
<Dt><Dt>{day}</Dt></Dt></Bal>
"""
_ENTRY = """<Ntry><Amt Ccy="KHR">{amount}</Amt><CdtDbtInd>{sign}</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>\
<BookgDt><Dt>{day}</Dt></BookgDt><ValDt><Dt>{day}</Dt></ValDt><AcctSvcrRef>NB{n:012d}</AcctSvcrRef>{rest}</Ntry>
"""
_CODE = "<BkTxCd><Domn><Cd>ACMT</Cd><Fmly><Cd>MDOP</Cd><SubFmlyCd>{code}</SubFmlyCd></Fmly></Domn></BkTxCd>"
_TEXT = "<NtryDtls><TxDtls><RmtInf><Ustrd>{text}</Ustrd></RmtInf></TxDtls></NtryDtls>"
_BATCH = (
    "<NtryDtls><Btch><MsgId>{message}</MsgId><NbOfTxs>{count}</NbOfTxs>"
    '<TtlAmt Ccy="KHR">{total}</TtlAmt></Btch></NtryDtls>'
)
