"""A simulated Bakong large-value service: riel and dollars, the creditor bears the charges, reversals by pain.007."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lxml import etree

from schemas.errors import DocumentRefused
from schemas.iso20022 import pain001, pain007, stream
from schemas.iso20022.customer import Initiator
from schemas.model.payment import Payment
from schemas.model.status import BlockStatus, Return, TransactionStatus
from simulators.instant_bank import DEFINITION, InstantBank
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
            returns = pain007.read(stream.whole(document.encode()))
        except DocumentRefused as error:
            raise SoapFault("Client", f"iso_message: {error}") from error
        statuses = tuple(self._reversed(item) for item in returns)
        first = returns[0]
        block = BlockStatus(first.original_message_id or "", None, transactions=statuses)
        answer = self.report(first.message_id, pain007.DEFINITION, (block,))
        return self.replied(first.end_to_end_id or "", answer)

    def _reversed(self, item: Return) -> TransactionStatus:
        """Debit what is given back."""
        found = [one for one in self.books.deposits() if one.message_id == item.original_message_id]
        reason = "" if found else "NOOR"
        if found and found[0].message_id in self._returned:
            reason = "DUPL"
        if not reason:
            self._returned.add(found[0].message_id or "")
            self.book_payment(
                item.message_id, found[0].account, item.amount, reference=item.return_id, payee=found[0].party
            )
        return TransactionStatus(
            "RJCT" if reason else "ACSC", item.end_to_end_id, item.return_id, reason=reason or None
        )

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
