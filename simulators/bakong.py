"""A simulated Bakong large-value service: riel and dollars, the creditor bears the charges, reversals by pain.007."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lxml import etree

from schemas.errors import DocumentRefused
from schemas.iso20022 import pain001, pain007, stream
from schemas.iso20022.customer import Initiator
from schemas.model.money import Money
from schemas.model.payment import Payment
from schemas.model.status import BlockStatus, Return, TransactionStatus
from simulators.bank_books import Movement
from simulators.instant_bank import DEFINITION, InstantBank, Taken
from simulators.soap_service import Dialect, Part, SoapFault, SoapService

PATH = "/bakong/services"
DIALECT = Dialect("urn:bakong:interface:1", qualified=True, cdata=True)


class BakongBank(InstantBank):
    """The service; it takes a document only without an XML declaration, as it stands inside a CDATA section."""

    def service(self, credentials: Mapping[str, str]) -> SoapService:
        """Return the web service, for callers with these credentials."""
        operations = {
            "makeFullFundTransfer": lambda values: self.submit(_undeclared(values)),
            "makeReverseTransaction": lambda values: self.reverse(_undeclared(values)),
            "getOutgoingTransaction": lambda values: self.status(values.get("MsgId", "")),
            "getIncomingTransaction": lambda _: self.incoming(),
            "makeAcknowledgment": lambda values: self.acknowledge(values.get("id", "")),
        }
        return SoapService(PATH, DIALECT, operations, credentials)

    def reverse(self, document: str) -> Sequence[Part] | None:
        """Take a pain.007 of the customer, who gives back what came in; each original can be given back once.

        Raises:
            SoapFault: not a message that is taken.
        """
        try:
            read = stream.whole(document.encode())
            returns = pain007.read(read)
        except DocumentRefused as error:
            raise SoapFault("Client", f"iso_message: {error}") from error
        if len(returns) != 1:
            raise SoapFault("Client", "iso_message: one transfer a message")
        item, block_id = returns[0], read.findtext(f".//{{{pain007.NAMESPACE}}}OrgnlPmtInfId", default="")
        known = self.once(item.message_id, document, lambda digest: self._reversed(digest, item, block_id))
        return self.replied(item.end_to_end_id or "", known.answer)

    def _reversed(self, digest: bytes, item: Return, block_id: str) -> Taken:
        """Debit what is given back, or reject it, and write the answer: it repeats the original's EndToEndId."""
        found, reason = self._original(item, block_id)
        movement = Movement(
            found.account if found else "", -item.amount.amount_minor, "rejected" if reason else "payment",
            item.message_id, item.return_id, item.end_to_end_id, reason=reason or None,
            party=found and found.party, party_account=found and found.party_account,
            party_bank=found and found.party_bank,
        )  # fmt: skip
        number = self.book(movement)
        if found is not None and not reason:
            self._given_back.add(found.number)
        status = TransactionStatus(
            "RJCT" if reason else "ACSC", item.end_to_end_id, item.return_id, reason=reason or None,
            servicer_reference=None if reason else movement._replace(number=number).servicer_reference,
        )  # fmt: skip
        answer = self.report(
            item.message_id, pain007.DEFINITION, (BlockStatus(block_id, status.status, transactions=(status,)),)
        )
        return Taken(digest, answer, item.message_id, block_id, None, not reason)

    def _original(self, item: Return, block_id: str) -> tuple[Movement | None, str]:
        """Return the credit that a reversal names, by message, block and references, and why it may not go back."""

        def is_it(one: Movement) -> bool:
            named = (one.message_id, self.block_of(one.party_bank or "", one.message_id or ""))
            own = (one.end_to_end_id, one.instruction_id, Money(one.amount_minor, item.amount.currency))
            said = (item.end_to_end_id, item.instruction_id, item.original_amount)
            return named == (item.original_message_id, block_id) and all(
                theirs in (None, ours) for theirs, ours in zip(said, own, strict=True)
            )

        found, reason = next(
            (pair for account in self.books.accounts
             if (pair := self.not_given_back(account, item.amount, None, is_it))[0] is not None),
            (None, "NOOR"),
        )  # fmt: skip
        if found is None or reason:
            return found, reason
        if reason := self.refused_account(found.party_account or ""):
            return found, reason
        return found, "" if self.books.covers(found.account, item.amount.amount_minor) else "AM04"

    def name_of(self, group: pain001.Group, block: pain001.Block) -> str:
        """Return the MsgId."""
        del block
        return group.message_id

    def fault_of(self, block: pain001.Block, payment: Payment) -> str:
        """Refuse what another than the creditor bears the charges of."""
        del block
        return "" if payment.charge_bearer == "CRED" else "CH21"

    def reversal(self, taken_as: str, message_id: str, block_id: str, payment: Payment, reason: str) -> bytes:
        """Return a pain.007 that repeats the original's references."""
        item = Return(
            taken_as, taken_as, payment.amount, message_id, DEFINITION, payment.end_to_end_id, payment.instruction_id,
            None, payment.amount, reason, None,
        )  # fmt: skip
        document = pain007.build(taken_as, self.now(), {block_id: [item]}, initiator=Initiator(bic=self.bic))
        return etree.tostring(document, encoding="unicode").encode()


def _undeclared(values: Mapping[str, str]) -> str:
    """Return the document of a call.

    Raises:
        SoapFault: it has an XML declaration, which cannot stand in a CDATA section's document for this service.
    """
    document = values.get("iso_message", "")
    if document.lstrip().startswith("<?xml"):
        raise SoapFault("Client", "iso_message: an XML declaration")
    return document
