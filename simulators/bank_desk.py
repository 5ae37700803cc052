"""The desk of the central bank: what it answers to inquiries, recalls and requests for statements.

It tells what its books say. Of what it never received it says so (NOOR): nobody has paid it, and it may still come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from schemas.iso20022 import camt029, camt056, camt060, pacs028
from schemas.model.status import RecallAnswer, RecallRequest, TransactionStatus
from simulators.bank_rules import status_of

if TYPE_CHECKING:
    from lxml.etree import _Element

    from simulators.bank_books import Books, ClosedDay, Movement
    from simulators.bank_letters import Letters
    from simulators.behaviour import Moods

ASKED = frozenset({pacs028.DEFINITION, camt029.DEFINITION, camt056.DEFINITION, camt060.DEFINITION})
"""Messages that ask something, and move nothing by themselves."""


PENDING = timedelta(days=1)
"""How long a recall waits that is not decided at once."""


class Reply(NamedTuple):
    """What the desk says.

    Attributes:
        documents: the signed answers.
        give_back: a settled payment that is to be given back now, because its recall was accepted.
    """

    documents: list[bytes]
    give_back: Movement | None = None


class Desk:
    """Answers what the customer asks.

    Args:
        books: what happened.
        letters: writes and signs.
        moods: how recalls are answered.
        now: the bank's clock, in its own zone.
        statement: writes the pages of a closed day's statement.
    """

    def __init__(
        self,
        books: Books,
        letters: Letters,
        moods: Moods,
        now: Callable[[], datetime],
        statement: Callable[[Sequence[ClosedDay]], Iterator[bytes]],
    ) -> None:
        self._books = books
        self._letters = letters
        self._moods = moods
        self._now = now
        self._statement = statement
        self._pending: list[tuple[datetime, RecallRequest]] = []
        self.told: list[RecallAnswer] = []
        """What the customer has answered to recalls of the bank."""

    def expects(self) -> int:
        """Return how many recalls wait for their final answer."""
        return len(self._pending)

    def due(self, now: datetime) -> Iterator[Reply]:
        """Yield the final answers to recalls whose time has come."""
        waiting, self._pending = self._pending, []
        for at, request in waiting:
            if at > now:
                self._pending.append((at, request))
            else:
                yield self.recall(request, at_last=True)

    def answer(self, definition: str, document: _Element) -> Reply:
        """Answer one message.

        Raises:
            DocumentRefused: it cannot be read.
        """
        if definition == pacs028.DEFINITION:
            return self._inquiry(pacs028.read(document))
        if definition == camt029.DEFINITION:
            self.told += camt029.read(document)
            return Reply([])
        if definition == camt056.DEFINITION:
            (request,) = camt056.read(document)
            return self.recall(request)
        return self._request(camt060.read(document))

    def _inquiry(self, asked: pacs028.Inquiry) -> Reply:
        """Report the true status of a message, or of the transactions that are named."""
        original, name = asked.original_message_id, asked.original_message_name
        movements, earlier = self._books.of_message(original), self._books.answer(original)
        if not movements:
            if earlier is not None:  # refused as a whole
                return Reply(earlier[1])
            never = self._letters.report(
                original, group_status="RJCT", reason="NOOR", info="this message was never received", definition=name
            )
            return Reply([never])
        today = self._now().date()
        if not asked.transactions:
            statuses = [status_of(movement, today) for movement in movements]
        else:
            statuses = [self._status(movements, one) for one in asked.transactions]
        return Reply([self._letters.report(original, statuses, definition=name)])

    def _status(self, movements: Sequence[Movement], asked: pacs028.Asked) -> TransactionStatus:
        found = next(
            (one for one in movements if _is(one, asked.instruction_id, asked.uetr, asked.end_to_end_id)), None
        )
        if found is not None:
            return status_of(found, self._now().date())
        return TransactionStatus(
            "RJCT", asked.end_to_end_id, asked.instruction_id, asked.uetr, reason="NOOR", info="not in that message"
        )

    def recall(self, request: RecallRequest, *, at_last: bool = False) -> Reply:
        """Answer a recall; ``at_last`` decides one that was pending."""
        found = next(
            (
                one
                for one in self._books.of_message(request.original_message_id or "")
                if _is(one, request.instruction_id, request.uetr, request.end_to_end_id)
            ),
            None,
        )
        if found is None or found.kind == "rejected":
            text = "never received" if found is None else f"rejected before: {found.reason}"
            return Reply([self._letters.recall_answer(request, "RJCR", "NOOR", text)])
        if self._books.given_back(found):
            return Reply([self._letters.recall_answer(request, "RJCR", "ARDT", "returned before")])
        status = self._moods.recall_status(request.end_to_end_id)
        if status == "PDCR" and not at_last:
            self._pending.append((self._now() + PENDING, request))
            return Reply([self._letters.recall_answer(request, "PDCR")])
        if status == "RJCR":
            return Reply([self._letters.recall_answer(request, "RJCR", "CUST", "the creditor does not agree")])
        return Reply([self._letters.recall_answer(request, "CNCL")], give_back=found)

    def _request(self, request: camt060.Request) -> Reply:
        """Send a closed day's statement once more, or say that there is none."""
        try:
            closed = [day for day in self._books.closed_day(request.day) if day.account == request.account.number]
        except KeyError:
            closed = []
        if not closed:
            text = f"there is no final statement of {request.day} for this account"
            return Reply([self._letters.rejection(request.message_id, "NOST", text)])
        return Reply(list(self._statement(closed)))


def _is(movement: Movement, instruction_id: str | None, uetr: str | None, end_to_end_id: str | None) -> bool:
    """Say whether a transaction is the one that these references name: each that is given, agrees."""
    pairs = ((instruction_id, movement.instruction_id), (uetr, movement.uetr), (end_to_end_id, movement.end_to_end_id))
    given = [(asked, own) for asked, own in pairs if asked is not None]
    return bool(given) and all(asked == own for asked, own in given)
