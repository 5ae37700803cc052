"""Statements in: collected page by page, compared with what came before, and booked once they are whole.

The same content again changes nothing. Other content under the same id is a later version of the statement, and takes
the place of the one before (gateway/flow/versions.py). Reports and notifications are gateway/flow/notices.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from adapters.profile import Profile
from gateway.flow import notices, pages, reconcile, versions
from gateway.flow.pages import PAGES_MAX, Page
from gateway.flow.reconcile import Whole
from gateway.store import findings
from gateway.store.findings import Finding
from gateway.store.session import Session
from gateway.store.trail import Trail, append
from schemas.errors import Conflict
from schemas.model.identifiers import mask_account
from schemas.model.statement import Entry, Statement


def take(
    db: Session, profile: Profile, sha256: str, items: Iterator[Statement | Entry], batch: int, trail: Trail
) -> bool:
    """Take the statements of one document; return False when one of them is of an account that is not ours (yet).

    Args:
        db: the transaction; a document is applied whole or not at all.
        profile: the relationship that the document came over.
        sha256: the document.
        items: a Statement, then its entries, then the next Statement.
        batch: entries handled at once, so that memory stays bounded.
        trail: this worker's place in the audit trail.
    """
    all_ours = True
    pending = next(items, None)
    while isinstance(pending, Statement):
        head, rest = pending, _Rest(items)
        if not _is_ours(db, profile, sha256, head, trail):
            all_ours = False
        elif head.kind == "statement":
            _take_statement(db, profile, sha256, head, rest, batch, trail)
        else:
            notices.take(db, profile, sha256, head, rest, batch, trail)
        for _ in rest:
            pass  # entries that were not wanted stand before the next statement
        pending = rest.after
    return all_ours


class _Rest:
    """The entries up to the next statement, which is kept in ``after``."""

    def __init__(self, items: Iterator[Statement | Entry]) -> None:
        self._items = items
        self.after: Statement | None = None
        self._ended = False

    def __iter__(self) -> Iterator[Entry]:
        """Yield the entries that are left."""
        while not self._ended:
            item = next(self._items, None)
            if isinstance(item, Entry):
                yield item
            else:
                self.after, self._ended = item, True


def _is_ours(db: Session, profile: Profile, sha256: str, head: Statement, trail: Trail) -> bool:
    """Tell whether the account is ours at this bank; if not, a person has to look."""
    identity = f"{sha256}:{head.path}"
    owner = db.value("own_account", number=head.account, currency=head.currency)
    if owner == profile.name:
        findings.close(db, "unknown_account", identity, "inbound", "the account is ours now", trail.at_ms)
        return True
    evidence = {
        "document": sha256, "statement_id": head.statement_id, "account": mask_account(head.account),
        "currency": head.currency, "why": "not an account of ours at this bank",
    }  # fmt: skip
    findings.open_all(db, [Finding("unknown_account", identity, profile.name, evidence=evidence)], trail.at_ms)
    return False


# ------------------------------------------------------------------------------------------------------ collecting


def _take_statement(
    db: Session, profile: Profile, sha256: str, head: Statement, entries: Iterable[Entry], batch: int, trail: Trail
) -> None:
    """Collect one page; book the statement when it is whole, or put it in the place of its earlier version."""
    # The account's row first, then everything else: two workers on one account take turns and never lock each other.
    db.one("lock_account", number=head.account, currency=head.currency)
    pages.require_one_currency(head, (balance for balance in (head.opening, head.closing) if balance is not None))
    row = db.one("lock_statement", **_names(head))
    beyond = row is not None and row[1] == "COLLECTING" and head.last_page and _has_pages_beyond(db, row[0], head.page)
    # Nothing is posted of it: what the bank sends now under its id replaces it, and what stands beyond its new end.
    if row is not None and (row[1] == "BROKEN" or beyond) and not _is_older(head, row):
        _collect_again(db, row[0], head, trail)
        row, beyond = db.one("lock_statement", **_names(head)), False
    known = db.value("page_content", statement=row[0], page=head.page) if row is not None else None
    # A page of an earlier version, behind the end that a later one has: it is none of what is collected.
    is_past = row is not None and row[8] is not None and head.page > row[8] and _is_older(head, row)
    if row is None or row[1] != "COLLECTING" or known is not None or beyond or is_past:
        number, is_new = _open(db, profile, head, row[10] + 1 if row else 1, trail), True
    else:
        number, is_new = row[0], False
    page = Page(head, head.page)
    content = pages.store(db, number, page, entries, batch)
    if row is not None and is_new and not _counts(db, profile, sha256, page, content, row, trail):
        versions.forget(db, number)
        return
    if row is not None and is_new and row[1] == "COLLECTING":  # nothing is posted yet: the page takes its old place
        _collect_again(db, row[0], head, trail)
        db.run("inherit_entries", old=number, new=row[0], last=PAGES_MAX)
        versions.forget(db, number)
        number = row[0]
    pages.keep(db, number, page, sha256)
    if row is not None and number == row[0]:
        _keep_newest(db, head, row)
    _book_whole(db, profile, head, number, batch, trail)


def _names(head: Statement) -> dict[str, str]:
    return {
        "account": head.account, "currency": head.currency, "statement_id": head.statement_id, "kind": head.kind,
    }  # fmt: skip


def _open(db: Session, profile: Profile, head: Statement, version: int, trail: Trail) -> int:
    """Open a version of a statement, and return its number."""
    number = db.take_number("statement")
    opened = db.run(
        "add_statement", id=number, profile=profile.name, position="", sequence=head.sequence,
        created=head.created, now_ms=trail.at_ms, version=version, **_names(head),
    )  # fmt: skip
    if not opened:
        raise Conflict("the statement was opened by another worker")
    return number


def _counts(
    db: Session, profile: Profile, sha256: str, page: Page, content: str, row: tuple[object, ...], trail: Trail
) -> bool:
    """Tell whether a page that came before says something new: other content, and not older than what is booked."""
    head = page.head
    if db.value("page_content", statement=row[0], page=page.number) == content:
        _keep_newest(db, head, row)  # said again after what may still come and was made in between
        return False
    # What a version before said counts again only if the bank says it no earlier than what it had corrected it to.
    says_again = db.value("page_is_known", content=content, page=page.number, **_names(head))
    if says_again and (head.duplicate or not head.created or _is_older(head, row)):
        return False
    if not _is_older(head, row):
        return True
    evidence = {
        "document": sha256, "statement_id": head.statement_id, "page": page.number, "entries": page.entries,
        "net_minor": page.net_minor, "created": head.created, "booked_version_created": row[11],
        "why": "an older version of a statement that is booked already; it was kept and not posted",
    }  # fmt: skip
    identity = f"{head.statement_id}:{page.number}:{sha256}"
    found = Finding("statement_differs", identity, profile.name, head.account, head.currency, evidence=evidence)
    findings.open_all(db, [found], trail.at_ms)
    return False


def _keep_newest(db: Session, head: Statement, row: tuple[object, ...]) -> None:
    """Give what is kept the time of its newest page."""
    if head.created and not _is_older(head, row):
        db.run("set_created", id=row[0], created=head.created)


def _has_pages_beyond(db: Session, number: int, page: int) -> bool:
    """Tell whether pages behind a page have come."""
    return bool(
        db.value("page_count", statement=number, last=PAGES_MAX) - db.value("page_count", statement=number, last=page)
    )


def _is_older(head: Statement, row: tuple[object, ...]) -> bool:
    """Tell whether a page was made before the newest page of what is kept; one without a time is never older."""
    return bool(head.created) and pages.utc(str(row[11])) > pages.utc(head.created)


def _book_whole(db: Session, profile: Profile, head: Statement, number: int, batch: int, trail: Trail) -> None:
    """Book a statement of which every page is here; one that has an earlier version may have pages from that."""
    row = db.one("lock_statement", **_names(head))
    if row is None or row[0] != number or row[8] is None:
        return
    old = db.value("booked_version", **_names(head))
    whole = Whole(
        number, head.account, head.currency, head.statement_id, row[2], row[3], row[4], row[5], row[6], row[9]
    )
    if old is not None and db.value("page_count", statement=number, last=row[8]) != row[8]:
        whole = versions.inherit(db, old, whole)
    if db.value("page_count", statement=number, last=row[8]) != row[8]:
        return
    if old is None:
        reconcile.book(db, profile, whole, batch, trail)
    else:
        versions.supersede(db, profile, old, whole, batch, trail)


def _collect_again(db: Session, number: int, head: Statement, trail: Trail) -> None:
    """Let a page that comes again take its old place in a statement that did not add up; the archive keeps both."""
    last = head.page if head.last_page else PAGES_MAX  # what was beyond the new end is no page of it any more
    db.run("collect_again", id=number, page=head.page, last=last)
    db.run("forget_page_details", statement=number, page=head.page, last=last)
    db.run("forget_page_entries", statement=number, page=head.page, last=last)
    db.run("forget_page", statement=number, page=head.page, last=last)
    facts = {"statement": number, "statement_id": head.statement_id, "page": head.page}
    append(db, trail, "statement.collect_again", facts)
