"""Bank documents in: kept byte for byte before anything comes of them; verified, read, applied, acknowledged.

Two transactions: the first keeps the bytes, the second applies what they say. Where a second process reads ahead, a
small document has been verified and read in memory by the time its bytes are kept. A document that cannot be used stays
in the archive and becomes an exception; the same bytes again change nothing.

A signed document is held in memory, for its signature covers all of it. An unsigned statement may be of any size: it
goes into the archive part by part, and is read from there piece by piece.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from itertools import zip_longest
from typing import BinaryIO

from adapters.profile import Profile
from adapters.rails import Received, rail
from gateway.bus.base import Consumer, Delivery
from gateway.flow import outcomes, recalls, statements, statuses
from gateway.flow.ahead import Ahead
from gateway.flow.desk import Desk
from gateway.flow.documents import Document, Reading, Whole, copies_among, from_archive, pressed, read_whole
from gateway.flow.hands import Hands, Job, Turn
from gateway.flow.isolation import Isolation
from gateway.store import archive, findings
from gateway.store.findings import Finding
from gateway.store.session import Session
from gateway.store.trail import Trail, append
from schemas.errors import ArchiveDamaged, Conflict, DocumentRefused
from security.trust import TrustStore

LEFT_OVER_DOCUMENTS = 5
"""Documents of nobody that are looked at in one go; each may be large."""
LEFT_OVER_MS = 300_000
"""Age from which a document that was kept and not applied is nobody's; and how often that is looked for."""
TRANSACTIONS_PER_COMMIT = 5_000
"""Statuses that are applied in one transaction, however many documents they come in."""
READ_AHEAD_BYTES_MAX = 4 * 1024 * 1024
"""A larger document is read when its turn has come, a piece at a time, so that all of it is never in memory twice."""


class Inbound:
    """The inbound worker of one bank relationship.

    Args:
        desk: store, clock, limits.
        consumer: of the bank's queue; None where documents are handed in (``take``).
        profile: the relationship.
        trust: gives whose signatures are taken, as of now.
        channel: how the documents come, for the record.
        hands: who reads documents while others are applied.
    """

    def __init__(
        self,
        desk: Desk,
        consumer: Consumer | None,
        profile: Profile,
        trust: Callable[[], TrustStore],
        channel: str = "bus",
        *,
        hands: Hands,
    ) -> None:
        self._desk = desk
        self._consumer = consumer
        self._profile = profile
        self._trust = trust
        self._channel = channel
        self._rail = rail(profile.rail)
        self._hands = hands
        self._ahead: Ahead[Whole] | None = None
        if consumer is not None and hands.ahead:
            self._ahead = Ahead(consumer, desk.limits.inbound_batch, self._submit, hands.wait)
        self._jobs: dict[int, Job[Whole]] = {}
        self._unsettled: list[Delivery] = []
        self._isolation = Isolation()
        self._look_again_ms = 0
        self._refused_before: frozenset[str] = frozenset()

    def close(self) -> None:
        """Close this worker's connection to the database; it opens again when it is needed."""
        self._desk.store.close()

    def step(self, wait_s: float) -> int:
        """Take the documents that wait; return how many were settled."""
        consumer = self._consumer
        if consumer is None:
            return 0
        if not self._unsettled:
            self._unsettled = self._receive(consumer, wait_s)
        deliveries = self._unsettled
        if not deliveries:
            return self.finish_left_over()

        def take(some: Sequence[Delivery]) -> None:
            self.take([d.body for d in some], [self._jobs.get(id(d)) for d in some])
            self._desk.reach("inbound.applied")
            consumer.acknowledge(some)
            self._settled(some)

        def retry(delivery: Delivery, error: Exception) -> None:
            self._desk.log.error("bank document failed", message_id=delivery.message_id, exc_info=error)
            consumer.retry([delivery], f"{type(error).__name__}: {error}"[:200])
            self._settled([delivery])

        self._isolation.run(deliveries, take, retry)
        self._desk.reach("inbound.acknowledged")
        return len(deliveries)

    def _receive(self, consumer: Consumer, wait_s: float) -> list[Delivery]:
        """Return what waits in the queue; where somebody reads ahead, what was read by now."""
        if self._ahead is None:
            return consumer.receive(self._desk.limits.inbound_batch, wait_s)
        ready = self._ahead.take(wait_s)
        self._jobs = {id(early.delivery): early.job for early in ready if early.job is not None}
        return [early.delivery for early in ready]

    def _submit(self, delivery: Delivery) -> Job[Whole] | None:
        """Hand a document over, unless it is too large or too small for it."""
        if not self._hands.worth_bytes <= len(delivery.body) <= READ_AHEAD_BYTES_MAX:
            return None
        piece = self._profile.name, delivery.body, self._desk.now()
        return self._hands.submit(read_whole, *piece, turn=Turn.ANSWERS)

    def _settled(self, deliveries: Sequence[Delivery]) -> None:
        """Forget what was settled, so that what is left is not isolated among it again."""
        done = {id(x) for x in deliveries}
        self._unsettled = [x for x in self._unsettled if id(x) not in done]

    def finish_left_over(self) -> int:
        """Apply what was kept and never applied, because whoever had handed it in died; return how many documents.

        What came by the bus is delivered again by itself, and long before.
        """
        now_ms = self._desk.now_ms()
        if now_ms < self._look_again_ms:
            return 0
        self._look_again_ms = now_ms + LEFT_OVER_MS
        with self._desk.store.transaction() as db:
            rows = db.all(
                "unfinished_documents", profile=self._profile.name, before_ms=now_ms - LEFT_OVER_MS,
                count=LEFT_OVER_DOCUMENTS,
            )  # fmt: skip
        for (name,) in rows:
            try:
                self._isolation.run([name], self._take_kept, self._fail)
            except Conflict:
                self._look_again_ms = now_ms  # whoever was first is done in a moment; those behind wait no longer
                raise
        return len(rows)

    def _fail(self, sha256: str, error: Exception) -> None:
        """Set a document aside that something unforeseen keeps from being applied, and tell a person."""
        self._desk.log.error("kept document failed", sha256=sha256, exc_info=error)
        changed = isinstance(error, ArchiveDamaged)
        reason = "its archived bytes were changed" if changed else f"{type(error).__name__}: {error}"[:500]
        trail = self._desk.trail()
        with self._desk.store.transaction() as db:
            db.run(
                "finish_document", sha256=sha256, state="FAILED", definition=None, message_id=None, code="FF10",
                detail=reason, now_ms=trail.at_ms, content=None,
            )  # fmt: skip
            evidence = {"sha256": sha256, "reason": reason}
            found = Finding("document_failed", sha256, self._profile.name, evidence=evidence)
            findings.open_again(db, found, trail.at_ms)
            append(db, trail, "document.fail", {"sha256": sha256})

    def _take_kept(self, names: Sequence[str]) -> None:
        """Apply documents of the archive, which raises ArchiveDamaged where the bytes of one were changed."""
        for sha256 in names:
            with self._desk.store.transaction() as db:
                source = archive.opened(db, sha256)
                size = source.seek(0, io.SEEK_END)
                content = None if self.is_unsigned(source) else archive.get(db, sha256)
            if content is not None:
                self.take([content])
            else:
                self._apply([Reading(Document(sha256, size))])

    def is_unsigned(self, source: BinaryIO) -> bool:
        """Tell whether a file is a statement that this bank sends unsigned: those are read piece by piece."""
        try:
            return self._rail.read_unsigned(self._profile, source) is not None
        except DocumentRefused:
            return True  # as long as nobody has to hold it in memory, whatever is wrong with it is found when applied

    def take_file(self, source: BinaryIO, told: Callable[[int], None] | None = None) -> tuple[str, str]:
        """Keep and apply an unsigned statement of any size from a file; return the same as ``take`` for one document.

        It is read from the archive: what is applied is what was hashed, whatever becomes of the file.

        Args:
            source: a seekable file for which ``is_unsigned`` holds.
            told: is told how many of its bytes have been read.

        Raises:
            DocumentRefused: larger than the limit; nothing was kept.
        """
        size, limit = source.seek(0, io.SEEK_END), self._desk.limits.statement_bytes_max
        if size > limit:
            text = f"{size} bytes, more than {limit} (workers.statement_bytes_max); it was not read"
            raise DocumentRefused(text)
        source.seek(0)
        name = hashlib.file_digest(source, "sha256").hexdigest()  # type: ignore[arg-type]  # any binary file will do
        with self._desk.store.transaction() as db:
            state = db.value("document_state", sha256=name)
        if state == "APPLIED":
            return name, "KNOWN"
        if state is None:
            with pressed(source) as parts:
                document = Document(parts.sha256, parts.size, None, told)
                waiting = self._keep([document], [(parts.sha256, parts.size, parts.parts())])
        else:
            document = Document(name, size, None, told)
            waiting = self._keep([document], [])
        self._desk.reach("inbound.archived")
        states = self._apply([Reading(document)]) if waiting else {}
        return document.sha256, states.get(document.sha256, "KNOWN")

    def keep_refused(self, content: bytes, refused: DocumentRefused) -> None:
        """Keep a document that cannot be used, which was known before it was read: it could not be decrypted."""
        document = Document(archive.sha256(content), len(content), content)
        if self._keep([document], [(document.sha256, document.size, archive.compress(content))]):
            self._apply([Reading(document, refused=refused)])

    def take_or_set_aside(self, contents: Sequence[bytes]) -> None:
        """Take documents that nobody delivers again; one that breaks unforeseen is set aside and stops no other."""
        self._isolation.run(contents, self.take, lambda content, error: self._fail(archive.sha256(content), error))

    def take_apart(self, source: BinaryIO, take: Callable[[BinaryIO], object]) -> None:
        """Take a document from a file that nobody delivers again; if it breaks unforeseen, it is set aside likewise."""

        def fail(broken: BinaryIO, error: Exception) -> None:
            broken.seek(0)
            self._fail(hashlib.file_digest(broken, "sha256").hexdigest(), error)  # type: ignore[arg-type]  # as above

        self._isolation.run([source], lambda sources: [take(one) for one in sources], fail)

    def take(self, contents: Sequence[bytes], jobs: Sequence[Job[Whole] | None] = ()) -> list[tuple[str, str]]:
        """Keep and apply documents; return for each its SHA-256 and what became of it.

        What became of it: ``APPLIED``, ``PARTLY`` (an account in it is not ours), ``REFUSED``, or ``KNOWN`` for bytes
        that were applied before.
        """
        documents = [Document(archive.sha256(c), len(c), c, job=job) for c, job in zip_longest(contents, jobs)]
        parts = {d.sha256: (d.sha256, d.size, archive.compress(d.content or b"")) for d in documents}
        waiting = self._keep(documents, list(parts.values()))
        self._desk.reach("inbound.archived")
        states: dict[str, str] = {}
        for group in self._groups(waiting):
            states |= self._apply(group)
        return [(d.sha256, states.get(d.sha256, "KNOWN")) for d in documents]

    def _groups(self, documents: Sequence[Document]) -> Iterator[list[Reading]]:
        """Read documents and cut them into groups that are applied together.

        Statements stand alone, and are read only when their turn has come: each may be as large as memory allows.
        """
        group, count = list[Reading](), 0
        for document in documents:
            read = self._read(document)
            size = sum(r.size for r in read.received.reports) if read.received else 0
            alone = read.received is not None and read.received.statements is not None
            if group and (alone or count + size > TRANSACTIONS_PER_COMMIT):
                yield group
                group, count = [], 0
            group.append(read)
            count += size
            if alone:
                yield group
                group, count = [], 0
        if group:
            yield group

    def _keep(self, documents: Sequence[Document], parts: Sequence[tuple[str, int, Iterable[bytes]]]) -> list[Document]:
        """Archive the bytes before anything is made of them; return those that still have to be applied."""
        unique = {d.sha256: d for d in documents}
        at_ms = self._desk.now_ms()
        with self._desk.store.transaction() as db:
            archive.put(db, parts, "in", at_ms)
            db.pick((None, name) for name in unique)
            known: dict[str, str] = dict(db.all("known_documents"))
            db.bulk("document", ("sha256", "profile", "channel", "received_ms", "state"), [
                (name, self._profile.name, self._channel, at_ms, "RECEIVED") for name in unique if name not in known
            ])  # fmt: skip
        self._refused_before = frozenset(name for name, state in known.items() if state in ("REFUSED", "FAILED"))
        # What was refused, or only partly ours, is tried again: a certificate or an account may be known by now.
        return [d for d in unique.values() if known.get(d.sha256) != "APPLIED"]

    def _read(self, document: Document) -> Reading:
        """Verify and read; whatever is wrong is a refusal with a code, never a stop."""
        if document.content is None:
            return Reading(document)
        size, limit = document.size, self._desk.limits.document_bytes_max
        if size > limit:
            return Reading(document, refused=DocumentRefused(f"{size} bytes, more than {limit}", code="FF01"))
        try:
            if document.job is not None:
                received, items = document.job.result()
                return Reading(document, received if items is None else replace(received, statements=iter(items)))
            return Reading(document, self._rail.read(self._profile, document.content, self._trust(), self._desk.now()))
        except DocumentRefused as refused:
            return Reading(document, refused=refused)

    def _apply(self, group: Sequence[Reading]) -> dict[str, str]:
        """Apply a group of documents in one transaction."""
        trail = self._desk.trail()
        states: dict[str, str] = {}
        try:
            with self._desk.metrics.stage("inbound", self._desk.clock), self._desk.store.transaction() as db:
                copies = copies_among(db, self._profile.name, group)
                documents = [
                    (r.document.sha256, r.received) for r in group if r.received and r.document.sha256 not in copies
                ]
                told = statuses.apply(db, self._profile, documents, trail)
                told += recalls.apply(db, self._profile, documents, trail)
                for read in group:
                    if (original := copies.get(read.document.sha256)) is not None:
                        self._finish_copy(db, read, original, trail)
                        continue
                    if read.refused is not None:
                        self._finish_refused(db, read, read.refused, trail)
                        states[read.document.sha256] = "REFUSED"
                        continue
                    with self._received(db, read) as received:
                        state = self._take_statements(db, read.document, received, trail)
                    self._finish(db, read, received, state, trail)
                    states[read.document.sha256] = state
                outcomes.send(db, told, self._desk.now())
        except DocumentRefused as refused:
            # A statement is read while it is applied; one that breaks off posts nothing of the group.
            return self._apply_without(group, refused)
        self._desk.metrics.stage_items.labels("inbound").inc(len(group))
        return states

    def _received(self, db: Session, read: Reading) -> AbstractContextManager[Received]:
        """Give what was read, or begin to read a statement that is in no memory."""
        if read.received is not None:
            return nullcontext(read.received)
        return from_archive(db, self._profile, read.document, self._desk.limits.statement_bytes_max)

    def _take_statements(self, db: Session, document: Document, received: Received, trail: Trail) -> str:
        """Take the statements of a document, if it has any; return what has become of it then."""
        if received.statements is None:
            return "APPLIED"
        limit = self._desk.limits.reconcile_batch
        whole = statements.take(db, self._profile, document.sha256, received.statements, limit, trail)
        return "APPLIED" if whole else "PARTLY"

    def _apply_without(self, group: Sequence[Reading], refused: DocumentRefused) -> dict[str, str]:
        """Apply the documents one by one, read anew, and refuse the one that cannot be read to its end."""
        if len(group) == 1:
            return self._apply([Reading(group[0].document, refused=refused)])
        states: dict[str, str] = {}
        for read in group:
            states |= self._apply([self._read(read.document) if read.received else read])
        return states

    def _finish(self, db: Session, read: Reading, received: Received, state: str, trail: Trail) -> None:
        db.run(
            "finish_document", sha256=read.document.sha256, state=state, definition=received.definition,
            message_id=received.message_id, code=None, detail=None, now_ms=trail.at_ms,
            content=received.content if state == "APPLIED" else None,
        )  # fmt: skip
        if read.document.sha256 in self._refused_before:
            by = "the same document was taken again and could be used"
            for kind in ("unreadable_document", "document_failed"):
                findings.close(db, kind, read.document.sha256, "inbound", by, trail.at_ms)
        facts = {"sha256": read.document.sha256, "definition": received.definition, "message_id": received.message_id}
        append(db, trail, "document.apply", facts)

    def _finish_copy(self, db: Session, read: Reading, original: str, trail: Trail) -> None:
        """Record that a document says what one before it has said, to the letter, under other bytes around it."""
        assert read.received is not None
        db.run(
            "finish_document", sha256=read.document.sha256, state="APPLIED", definition=read.received.definition,
            message_id=read.received.message_id, code=None, detail=f"a copy of document {original}",
            now_ms=trail.at_ms, content=None,
        )  # fmt: skip
        append(db, trail, "document.copy", {"sha256": read.document.sha256, "original": original})
        self._desk.log.info("bank document is a copy", sha256=read.document.sha256, original=original)

    def _finish_refused(self, db: Session, read: Reading, refused: DocumentRefused, trail: Trail) -> None:
        """Record why a document cannot be used, and where reading it stopped, for who has to call the bank."""
        db.run(
            "finish_document", sha256=read.document.sha256, state="REFUSED", definition=None, message_id=None,
            code=refused.code, detail=str(refused)[:500], now_ms=trail.at_ms, content=None,
        )  # fmt: skip
        evidence = {"sha256": read.document.sha256, "bytes": read.document.size, "reason": str(refused)[:500]}
        if refused.path:
            evidence["where"] = refused.path[:200]
        kind = "unreadable_document"
        findings.open_all(db, [Finding(kind, read.document.sha256, self._profile.name, evidence=evidence)], trail.at_ms)
        append(db, trail, "document.refuse", {"sha256": read.document.sha256, "code": refused.code})
        self._desk.log.warning("bank document refused", sha256=read.document.sha256, reason=str(refused)[:500])
