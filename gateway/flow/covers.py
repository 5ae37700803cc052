"""A customer's transfer and its cover have one UETR: which of the two a bank speaks of, by what else it repeats.

An answer names its original message and InstrId; an entry its InstrId, EndToEndId or the bank's reference. What says
nothing that tells the two apart is never guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from gateway.core.matchers import covers
from gateway.core.matchers.covers import Shared
from gateway.core.matching import EntryFacts, Match
from gateway.core.pool import MatchingRules, Named, Pool, Proposal
from gateway.store.payments import Standing
from gateway.store.session import Session
from schemas.model.identifiers import NOT_PROVIDED

SUSPENDED_MAX = 20
"""Entries of the same amount in suspense that are looked at for one entry."""
PROPOSED_SCORE = 50
"""Either of two payments is as likely as the other."""


class Repeated(NamedTuple):
    """What an answer repeats of the payment that it speaks of, beside the UETR.

    Attributes:
        instruction: our number of the payment, which the InstrId carries.
        message, definition: MsgId and definition of our message.
    """

    instruction: int | None
    end_to_end_id: str | None
    message: str | None
    definition: str | None


def spoken_of(db: Session, standings: Sequence[Standing], told: Repeated) -> list[Standing]:
    """Return of several payments the one that an answer speaks of; all of them where nobody can tell, or it errs."""
    if len(standings) < 2:  # noqa: PLR2004 - one UETR, two payments
        return list(standings)
    db.pick((s.id,) for s in standings)
    messages: dict[int, list[tuple[str, str]]] = {}
    for payment, message, definition in db.all("messages_of_picked"):
        messages.setdefault(payment, []).append((message, definition))
    fitting = [
        s for s in standings
        if told.instruction in (None, s.id) and told.end_to_end_id in (None, NOT_PROVIDED, s.end_to_end_id)
    ]  # fmt: skip
    of_message = [s for s in standings if any(name == told.message for name, _ in messages.get(s.id, ()))]
    if not of_message and told.definition is not None:
        of_message = [s for s in standings if any(name == told.definition for _, name in messages.get(s.id, ()))]
    if of_message:
        fitting = [s for s in fitting if s in of_message]
    return fitting if len(fitting) == 1 else list(standings)


# ------------------------------------------------------------------------------------------------------------- entries


def tell_apart(
    db: Session, rows: Mapping[int, Sequence[Any]], entries: Sequence[EntryFacts], pool: Pool, rules: MatchingRules
) -> None:
    """Leave of the two payments that an entry's UETR names the one that it books, and a doubt where nobody can tell.

    Args:
        db: the transaction that books the statement.
        rows: the entries of the slice, as stored.
        entries: as the matchers see them.
        pool: what they name, with the payments.
        rules: what the relationship says of matching.
    """
    named = [(e, _keys(pool.named.get(e.id, ()))) for e in entries]
    shared = [(e, key, either) for e, (key, either) in named if len(either) > 1]
    if shared:
        _tell_entries(db, rows, shared, pool, rules)
    parts = [e for e in entries if any(part.either for part in pool.parts.get(e.id, ()))]
    if parts:
        _tell_parts(db, parts, pool, rules)


def _keys(named: Sequence[Named]) -> tuple[str, tuple[int, ...]]:
    """Return the UETR that an entry names, and its payments."""
    found = [n for n in named if n.rule == covers.RULE and n.key == named[0].key]
    return (found[0].key, tuple(dict.fromkeys(n.payment for n in found))) if found else ("", ())


def _tell_entries(
    db: Session, rows: Mapping[int, Sequence[Any]], shared: Sequence[tuple[EntryFacts, str, tuple[int, ...]]],
    pool: Pool, rules: MatchingRules,
) -> None:  # fmt: skip
    accounts = {e.id: e.account for e, _, _ in shared}
    wanted = []
    for row in (rows[e.id] for e, _, _ in shared):
        wanted += [(row[0], *told, "") for told in _weaker(row[3], row[8], row[9], row[11])]
    db.pick((entry,) for entry in accounts)
    for entry, account, _, hint, end_to_end_id, reference in db.all("notice_references"):
        wanted += [(entry, *told, "") for told in _weaker(account, reference, end_to_end_id, hint)]
    quoted = _quoted(db, wanted)
    alike = _alike(db, shared)
    asked = [
        Shared(e, either, frozenset(quoted.get((e.id, ""), ())) & frozenset(either), len(alike[e.id]))
        for e, _, either in shared
    ]
    chosen = covers.tell_apart(asked, pool.payments, rules.tolerances)
    for (e, key, either), one, number in zip(shared, asked, chosen, strict=True):
        rest = [n for n in pool.named[e.id] if n.payment not in either]
        if number is not None:
            pool.named[e.id] = [Named(number, covers.RULE, key), *rest]
            continue
        del pool.named[e.id]
        said = covers.undecided(one, pool.payments, rules.tolerances)
        pool.doubt(e, Match(covers.RULE, said, evidence={covers.RULE: key}))
        for payment in either:
            pool.propose(e.id, Proposal(covers.RULE, (payment,), PROPOSED_SCORE, {covers.RULE: key}))


def _alike(db: Session, shared: Sequence[tuple[EntryFacts, str, tuple[int, ...]]]) -> dict[int, set[int]]:
    """Return for each entry those that nobody has explained with its UETR and amount, itself among them."""
    inside: dict[tuple[str, int, str], set[int]] = {}
    for e, key, _ in shared:
        inside.setdefault((e.account, e.amount_minor, key), set()).add(e.id)
    found = {e.id: set(inside[e.account, e.amount_minor, key]) for e, key, _ in shared}
    db.pick((e.id, e.account, e.currency, str(e.amount_minor)) for e, _, _ in shared)
    keys = {e.id: key for e, key, _ in shared}
    for entry, other, _, _, _, _, matched, _, _, _, uetr, *_ in db.all("legs", count=SUSPENDED_MAX):
        if matched == "suspense" and uetr == keys[entry]:
            found[entry].add(other)
    return found


def _tell_parts(db: Session, entries: Sequence[EntryFacts], pool: Pool, rules: MatchingRules) -> None:
    """The same for the transactions inside entries; one that may be either stays unnamed."""
    accounts = {e.id: e.account for e in entries}
    db.pick((entry,) for entry in accounts)
    details = db.all("details_of")
    keys: dict[tuple[int, int], str] = {}
    wanted, places = [], dict.fromkeys(accounts, 0)
    for entry, _, _, uetr, hint, end_to_end_id, reference, _ in details:
        place, places[entry] = places[entry], places[entry] + 1
        keys[entry, place] = uetr
        wanted += [(entry, *told, str(place)) for told in _weaker(accounts[entry], reference, end_to_end_id, hint)]
    quoted = _quoted(db, wanted)
    shared: list[tuple[int, int, Shared]] = []
    for e in entries:
        inside = pool.parts[e.id]
        for place, part in enumerate(inside):
            if not part.either or part.minor is None:
                continue
            facts = replace(e, amount_minor=part.minor, return_reason=part.return_reason, details=1, charges_minor=0)
            named = frozenset(quoted.get((e.id, str(place)), ())) & frozenset(part.either)
            alike = sum(other.either == part.either and other.minor == part.minor for other in inside)
            shared.append((e.id, place, Shared(facts, part.either, named, alike)))
    chosen = covers.tell_apart([one for _, _, one in shared], pool.payments, rules.tolerances)
    for (entry, place, _), number in zip(shared, chosen, strict=True):
        if number is not None:
            found = Named(number, covers.RULE, keys[entry, place])
            pool.parts[entry][place] = replace(pool.parts[entry][place], named=found)


def _weaker(
    account: str, servicer_reference: str | None, end_to_end_id: str | None, hint: int | None
) -> Iterator[tuple[str, str, str]]:
    """Yield the references that name a payment beside its UETR: (kind, account, reference)."""
    given = (("instruction_id", hint), ("end_to_end_id", end_to_end_id), ("servicer_reference", servicer_reference))
    yield from ((rule, account, str(key)) for rule, key in given if key)


def _quoted(db: Session, wanted: Iterable[tuple[Any, ...]]) -> dict[tuple[int, str], set[int]]:
    """Return what references name, by entry and place in it."""
    asked = list(wanted)
    found: dict[tuple[int, str], set[int]] = {}
    if asked:
        db.pick(asked)
        for entry, _, _, place, payment in db.all("named_payments"):
            found.setdefault((entry, place), set()).add(payment)
    return found
