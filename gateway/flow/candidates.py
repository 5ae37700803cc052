"""What the entries of a slice may belong to, found by a few set-based queries and put into the matchers' pool."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from pydantic_core import from_json

from gateway.core.matchers.bills import credit
from gateway.core.matchers.receipts import keys
from gateway.core.matching import Candidate, EntryFacts
from gateway.core.pool import Bundle, Leg, MatchingRules, Named, Part, Pool, waiting
from gateway.core.references import BANK_PREFIXES, normal, words
from gateway.store import payments, receipts
from gateway.store.payments import Standing
from gateway.store.session import Session
from schemas.model.identifiers import payment_number

ALIKE_MAX = 50
"""Payments of one amount about one day that an entry without a reference is compared with."""
LEGS_MAX = 20
"""Entries of the opposite amount that are looked at for one entry."""
MESSAGES_MAX = 200
"""Messages about the statement's day whose sums are compared with an entry that may book a batch."""
NEARBY_MAX = 200
"""Payments at the bank of which subsets are proposed."""
REFERENCE_LENGTH_MIN = 6
"""A shorter reference stands in any text by chance."""
CUT_LENGTHS = (16, 35)
"""Where banks cut references off: MT940 field 61 and the Max35Text of ISO 20022."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Some entries of a booked statement, as stored and as the matchers see them."""

    rows: Mapping[int, Sequence[Any]]
    entries: tuple[EntryFacts, ...]


def read(rows: Sequence[Sequence[Any]]) -> Slice:
    """Return the rows of ``unmatched_entries`` as the matchers see them."""
    return Slice({row[0]: row for row in rows}, tuple(_facts(row) for row in rows))


def _facts(row: Sequence[Any]) -> EntryFacts:
    day = row[6] or row[7]
    return EntryFacts(
        row[0], row[4], row[5], row[12], row[13], row[14], row[15], row[16], None, row[3],
        date.fromisoformat(day) if day else None, row[17] or "", row[20], row[21], row[18], row[19],
        tuple(r for r in (row[8], row[9], row[10], row[22]) if r), bool(row[23]),
    )  # fmt: skip


class Finder:
    """Fills pools for the slices of one statement; what is the same for all of them is asked once.

    Args:
        db: the transaction that books the statement.
        rules: what its relationship says of matching.
    """

    def __init__(self, db: Session, rules: MatchingRules) -> None:
        self._db = db
        self._rules = rules
        accounts = db.all("list_accounts")
        self._accounts = [(number, currency) for number, currency, _ in accounts]
        self._own = frozenset(number for number, _ in self._accounts)
        self._sums: dict[tuple[str, str, date], list[tuple[Bundle, int]]] = {}
        self._near: dict[tuple[str, str, date], list[int]] = {}
        self.standings: dict[int, Standing] = {}

    def pool(self, given: Slice) -> Pool:
        """Return what the entries may belong to by what they name, with the payments locked."""
        self.standings = {}  # what the slices before have locked is moved by now, and would only grow
        pool = Pool(own_accounts=self._own)
        self._find_named(given, pool)
        self._find_parts(given, pool)
        self._find_bundles(given, pool)
        self._know(pool, _numbers(pool))
        self._find_legs(given, pool)
        self._find_pieces(pool)
        self._find_bills(given, pool)
        return pool

    def widen(self, entries: Sequence[EntryFacts], pool: Pool) -> None:
        """Add what entries that name nothing may belong to: by their text, their amount, or a sum."""
        self._find_alike(entries, pool)
        self._find_in_text(entries, pool)
        self._find_sums(entries, pool)
        self._find_nearby(entries, pool)

    def look_back(self, entries: Sequence[EntryFacts], pool: Pool) -> None:
        """Add what may have taken back, before it came, an entry that every matcher has left; and these entries."""
        pool.left = {}
        for e in entries:
            pool.left.setdefault(e.amount_minor, []).append(waiting(e))
        new = [e for e in entries if e.references and e.id not in pool.legs]
        self._add_legs([(e.id, e.account, e.currency, str(-e.amount_minor)) for e in new], pool)

    # ------------------------------------------------------------------------------------------------ what is named

    def _find_named(self, given: Slice, pool: Pool) -> None:
        wanted = [(row[0], rule, row[3], key) for row in given.rows.values() for rule, key in _references(row)]
        silent = [(row[0],) for row in given.rows.values() if not row[10]]
        if silent:
            self._db.pick(silent)
            for entry, account, *told in self._db.all("notice_references"):  # the fact was announced with more
                wanted += [(entry, rule, account, key) for rule, key in _strongest(*told)]
        for entry, rule, key, _, payment in self._ask_named(wanted):
            pool.named.setdefault(entry, []).append(Named(payment, rule, key))
        for named in pool.named.values():
            named.sort(key=lambda n: _STRENGTH[n.rule])

    def _ask_named(self, wanted: Sequence[tuple[Any, ...]]) -> list[Any]:
        if not wanted:
            return []
        self._db.pick(wanted)
        return self._db.all("named_payments")

    def _find_parts(self, given: Slice, pool: Pool) -> None:
        several = [e for e in given.entries if e.details > 1]
        if not several:
            return
        self._db.pick((e.id,) for e in several)
        rows = self._db.all("details_of")
        accounts = {e.id: e.account for e in several}
        wanted = [
            (entry, rule, accounts[entry], key, str(position))
            for entry, position, _, uetr, hint, end, reference, _ in rows
            for rule, key in _strongest(uetr, hint, end, reference)
        ]
        found: dict[tuple[int, int], Named] = {}
        for entry, rule, key, position, payment in self._ask_named(wanted):
            place = (entry, int(position))
            if place not in found or _STRENGTH[rule] < _STRENGTH[found[place].rule]:
                found[place] = Named(payment, rule, key)
        for entry, position, minor, _, _, _, _, reason in rows:
            pool.parts.setdefault(entry, []).append(Part(minor, found.get((entry, position)), reason))

    def _find_bundles(self, given: Slice, pool: Pool) -> None:
        wanted = [
            (e.id, name, e.account) for e in given.entries if e.amount_minor < 0 for name in _batch_names(e, pool)
        ]
        if not wanted:
            return
        self._db.pick(wanted)
        members: dict[tuple[int, str], list[int]] = {}
        for entry, name, payment in self._db.all("bundles_named"):
            members.setdefault((entry, name), []).append(payment)
        for (entry, name), numbers in members.items():
            pool.bundles.setdefault(entry, []).append(Bundle(name, "batch_reference", tuple(numbers)))

    def _find_legs(self, given: Slice, pool: Pool) -> None:
        wanted = []
        for e in given.entries:
            swept = e.counterparty_account in self._own or not self._rules.sweep_codes.isdisjoint(e.codes)
            accounts = [a for a, c in self._accounts if c == e.currency and a != e.account] if swept else []
            if e.reversal or e.amount_minor > 0 or _names_booked(e, pool):
                accounts.append(e.account)
            wanted += [(e.id, account, e.currency, str(-e.amount_minor)) for account in accounts]
        self._add_legs(wanted, pool)

    def _add_legs(self, wanted: Sequence[tuple[Any, ...]], pool: Pool) -> None:
        if wanted:
            self._db.pick(wanted)
            for entry, *leg in self._db.all("legs", count=LEGS_MAX):
                pool.legs.setdefault(entry, []).append(_leg(leg))

    def _find_pieces(self, pool: Pool) -> None:
        named = {n.payment for found in pool.named.values() for n in found}
        if named:
            self._db.pick((n,) for n in named)
            for row in self._db.all("pieces_of"):
                pool.pieces.setdefault(row[6], []).append(_leg(row))

    def _find_bills(self, given: Slice, pool: Pool) -> None:
        prefixes = (*BANK_PREFIXES, *self._rules.prefixes)
        brought = [e for e in given.entries if e.amount_minor > 0 and e.id not in pool.named]
        wanted = [(e.id, e.account, e.currency, key) for e in brought for key in keys(credit(e), prefixes)]
        for entry, found in receipts.candidates(self._db, wanted).items():
            pool.billed[entry] = [bill.id for bill in found]
            pool.bills |= {bill.id: bill for bill in found if bill.id not in pool.bills}

    # -------------------------------------------------------------------------------------- what is only probable

    def _find_alike(self, entries: Sequence[EntryFacts], pool: Pool) -> None:
        wanted = [
            (e.id, e.account, str(-e.amount_minor), *self._window(e.day))
            for e in entries
            if e.amount_minor < 0 and e.day is not None and e.id not in pool.doubts
        ]
        if not wanted:
            return
        self._db.pick(wanted)
        for entry, payment in self._db.all("alike_payments", count=ALIKE_MAX):
            pool.alike.setdefault(entry, []).append(payment)
        numbers = {n for found in pool.alike.values() for n in found}
        self._know(pool, numbers)
        self._introduce(pool, numbers)

    def _introduce(self, pool: Pool, numbers: Iterable[int]) -> None:
        """Add who is paid, which stands in the orders."""
        self._db.pick((n,) for n in numbers)
        for number, body, day in self._db.all("creditors"):
            candidate = pool.payments.get(number)
            if candidate is None or body is None:
                continue
            order = from_json(bytes(body))
            pool.payments[number] = replace(
                candidate, day=date.fromisoformat(day), creditor=(order.get("creditor") or {}).get("name"),
                creditor_account=(order.get("creditor_account") or {}).get("number"),
            )  # fmt: skip

    def _find_in_text(self, entries: Sequence[EntryFacts], pool: Pool) -> None:
        wanted: list[tuple[Any, ...]] = []
        for e in entries:
            if e.id in pool.doubts:
                continue
            for token in _tokens(e):
                number = payment_number(token.upper())
                if number is not None:
                    wanted.append((e.id, "instruction_id", e.account, str(number)))
                elif len(token) == _UETR_LENGTH and token.count("-") == _UETR_HYPHENS:
                    wanted.append((e.id, "uetr", e.account, token.lower()))
                elif len(token) >= REFERENCE_LENGTH_MIN:
                    wanted += [(e.id, "end_to_end_id", e.account, t) for t in dict.fromkeys((token, token.upper()))]
        for entry, rule, key, _, payment in self._ask_named(wanted):
            pool.in_text.setdefault(entry, []).append(Named(payment, rule, key))
        for e in entries:
            self._compare_texts(e, pool)
        self._know(pool, {n.payment for found in pool.in_text.values() for n in found})

    def _compare_texts(self, entry: EntryFacts, pool: Pool) -> None:
        """Look for the references of payments of the entry's own amount in its text, however the bank mangled them."""
        numbers = pool.alike.get(entry.id, ())
        if not numbers or not (entry.text or entry.references):
            return
        text = normal(" ".join((entry.text, *entry.references)), self._rules.prefixes)
        for number in numbers:
            reference = normal(pool.payments[number].end_to_end_id or "") if number in pool.payments else ""
            if len(reference) >= REFERENCE_LENGTH_MIN and any(reference[:n] in text for n in CUT_LENGTHS):
                pool.in_text.setdefault(entry.id, []).append(Named(number, "end_to_end_id", reference))

    def _find_sums(self, entries: Sequence[EntryFacts], pool: Pool) -> None:
        """Offer the batches about the entry's day to entries that may book one and do not say which."""
        for e in entries:
            several = (e.batch_count or 0) > 1 or (e.counterparty is None and e.counterparty_account is None)
            if e.amount_minor > 0 or e.day is None or not several or pool.alike.get(e.id) or e.batch_name:
                continue
            for bundle, total in self._bundles_about(e, e.day):
                if total in (-e.amount_minor, -e.amount_minor - e.charges_minor):
                    pool.bundles.setdefault(e.id, []).append(bundle)
        self._know(pool, {n for found in pool.bundles.values() for b in found for n in b.payments})

    def _bundles_about(self, entry: EntryFacts, day: date) -> list[tuple[Bundle, int]]:
        """Return the batches about a day, each with the sum of what of it is still to be booked."""
        key = (entry.account, entry.currency, day)
        if key not in self._sums:
            since, until = self._window(day)
            found = self._db.all(
                "messages_about", account=entry.account, currency=entry.currency, since=since, until=until,
                count=MESSAGES_MAX,
            )  # fmt: skip
            names = {row[0]: row[1] for row in found}
            members: dict[int, list[int]] = {}
            sums: dict[int, int] = {}
            self._db.pick((n,) for n in names)
            for message, payment, minor, state, booked in self._db.all("payments_of_messages", account=entry.account):
                members.setdefault(message, []).append(payment)
                if not booked and state not in _GONE:
                    sums[message] = sums.get(message, 0) + minor
            self._sums[key] = [
                (Bundle(names[m], "batch_sum", tuple(numbers)), sums.get(m, 0)) for m, numbers in members.items()
            ]
        return self._sums[key]

    def _find_nearby(self, entries: Sequence[EntryFacts], pool: Pool) -> None:
        for e in entries:
            if e.amount_minor > 0 or e.day is None or e.id in pool.doubts:
                continue
            key = (e.account, e.currency, e.day)
            if key not in self._near:
                since, until = self._window(e.day)
                rows = self._db.all(
                    "open_about", account=e.account, currency=e.currency, since=since, until=until, count=NEARBY_MAX,
                )  # fmt: skip
                self._near[key] = [row[0] for row in rows]
            pool.nearby[e.id] = self._near[key]
        self._know(pool, {n for found in pool.nearby.values() for n in found})

    def _window(self, day: date) -> tuple[str, str]:
        reach = timedelta(days=self._rules.days)
        return (day - reach).isoformat(), (day + reach).isoformat()

    # ------------------------------------------------------------------------------------------------------ payments

    def _know(self, pool: Pool, numbers: Iterable[int]) -> None:
        """Lock payments and put them into the pool, with what is booked on them already."""
        new = {n for n in numbers if n not in pool.payments}
        if not new:
            return
        found = payments.lock(self._db, new)
        self._db.pick((s.id,) for s in found)
        booked: dict[int, set[str]] = {}
        for number, matched in self._db.all("booked_on"):
            booked.setdefault(number, set()).add(matched)
        given: dict[int, int] = dict(self._db.all("given_back"))
        left: dict[int, int] = {number: minor for number, minor in self._db.all("left_open") if minor} if booked else {}
        for s in found:
            self.standings[s.id] = s
            pool.payments[s.id] = Candidate(
                s.id, s.state, s.currency, s.amount_minor, frozenset(booked.get(s.id, ())), given.get(s.id),
                left.get(s.id, 0), None, None, None, s.end_to_end_id,
            )  # fmt: skip


_STRENGTH = {"uetr": 0, "instruction_id": 1, "end_to_end_id": 2, "servicer_reference": 3}
_GONE = frozenset({"REJECTED", "CANCELLED", "REFUSED", "RETURNED"})
_UETR_LENGTH, _UETR_HYPHENS = 36, 4
_BATCH_ID = re.compile(r"(?<![A-Z0-9])[A-Z0-9]{8}-[0-9]{8}-[0-9]{12}(?:-[0-9]{4})?(?![0-9-])", re.ASCII)
"""A MsgId of ours (schemas/model/identifiers.py), or the PmtInfId that a rail makes of it."""


def _references(row: Sequence[Any]) -> list[tuple[str, str]]:
    return _strongest(row[10], row[11], row[9], row[8])


def _strongest(
    uetr: str | None, hint: int | None, end_to_end_id: str | None, servicer_reference: str | None
) -> list[tuple[str, str]]:
    """Return the references that are asked; what has a UETR speaks of that payment and of no other."""
    if uetr:
        return [("uetr", uetr)]
    given = (("instruction_id", hint), ("end_to_end_id", end_to_end_id), ("servicer_reference", servicer_reference))
    return [(rule, str(key)) for rule, key in given if key]


def _tokens(entry: EntryFacts) -> tuple[str, ...]:
    """Return what may be a reference in the text of an entry, and in the fields that the bank filled otherwise."""
    return words(" ".join((entry.text, *entry.references)))


def _batch_names(entry: EntryFacts, pool: Pool) -> list[str]:
    """Return what may be the MsgId or PmtInfId of the batch that an entry books: what it says of a batch, or else its
    references, and what in its text is written as we write ours.
    """
    if entry.batch_name:
        return [entry.batch_name]
    if entry.id in pool.named:
        return []
    return list(dict.fromkeys((*entry.references, *_BATCH_ID.findall(entry.text))))


def _numbers(pool: Pool) -> set[int]:
    """Return the payments that the pool's entries name."""
    named = {n.payment for found in pool.named.values() for n in found}
    named |= {p.named.payment for found in pool.parts.values() for p in found if p.named}
    return named | {n for found in pool.bundles.values() for bundle in found for n in bundle.payments}


def _names_booked(entry: EntryFacts, pool: Pool) -> bool:
    found = pool.named.get(entry.id)
    candidate = pool.payments.get(found[0].payment) if found else None
    return candidate is not None and "settle" in candidate.booked


def _leg(row: Sequence[Any]) -> Leg:
    day = date.fromisoformat(row[4]) if row[4] else None
    return Leg(row[0], row[1], row[2], row[3], day, row[5], row[6], frozenset(r for r in row[7:11] if r), bool(row[11]))
