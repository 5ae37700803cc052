"""A simulated FAST: riel only, one transfer a message, known by its PmtInfId ``sender/receiver/reference``."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.iso20022 import pain001
from schemas.model.identifiers import bic8
from schemas.model.payment import Payment, Remittance
from simulators.bank_books import Movement
from simulators.instant_bank import InstantBank
from simulators.soap_service import Dialect, SoapService

PATH = "/FASTInterface/services"
DIALECT = Dialect("urn:fast:interface:1")
_PARTS = 3
REFUND = "REFU"


class FastBank(InstantBank):
    """FAST at the central bank. A refund is a new transfer with the purpose REFU, between the same accounts."""

    def settled(self, payment: Payment) -> None:
        """Remember what a refund has given back."""
        if payment.purpose == REFUND and (found := self._refunded(payment)[0]) is not None:
            self._given_back.add(found.number)

    def _refunded(self, payment: Payment) -> tuple[Movement | None, str]:
        """Return the credit that a refund names by its EndToEndId, or by its InstrId, and why it may not go back."""
        named = payment.end_to_end_id
        return self.not_given_back(
            payment.debtor_account.number, payment.amount, payment.creditor_account.number,
            lambda one: named in (one.end_to_end_id, one.instruction_id),
        )  # fmt: skip

    def service(self, credentials: Mapping[str, str]) -> SoapService:
        """Return the web service, for callers with these credentials."""
        operations = {
            "makeFullFundTransfer": lambda values: self.submit(values.get("iso_message", "")),
            "getOutgoingTransactionByPmtInfId": lambda values: self.status(values.get("PmtInfId", "")),
            "getIncomingTransaction": lambda _: self.incoming(),
            "makeAcknowledgment": lambda values: self.acknowledge(values.get("id", "")),
        }
        return SoapService(PATH, DIALECT, operations, credentials)

    def name_of(self, group: pain001.Group, block: pain001.Block) -> str:
        """Return the PmtInfId."""
        del group
        return block.block_id

    def fault_of(self, block: pain001.Block, payment: Payment) -> str:
        """Refuse another currency, a fraction of a riel, a PmtInfId without the agents, and a refund of nothing."""
        if payment.amount.currency != "KHR":
            return "AM03"
        if payment.amount.amount_minor % 100:
            return "AM12"
        parts = block.block_id.split("/")
        agents = [bic8(agent.bic or "") for agent in (payment.debtor_agent, payment.creditor_agent)]
        if len(parts) != _PARTS or parts[:2] != agents or not parts[2]:
            return "CH16"
        if payment.purpose != REFUND:
            return ""
        found, reason = self._refunded(payment)
        if found is not None and not reason and agents[1] != found.party_bank:
            return "RC01"
        return reason

    def reversal(self, taken_as: str, message_id: str, block_id: str, payment: Payment, reason: str) -> bytes:
        """Return a transfer with the purpose REFU that names the original by its EndToEndId."""
        del message_id
        receiver, sender, _ = block_id.split("/")
        back = Payment(
            payment_id=0, source="", order_id="", maker="", instruction_id=taken_as,
            end_to_end_id=payment.end_to_end_id, uetr="", amount=payment.amount, execution_date=self.now().date(),
            charge_bearer=payment.charge_bearer, debtor=payment.creditor, debtor_account=payment.creditor_account,
            debtor_agent=payment.creditor_agent, creditor=payment.debtor, creditor_account=payment.debtor_account,
            creditor_agent=payment.debtor_agent, purpose=REFUND, remittance=Remittance((reason,)),
        )  # fmt: skip
        return self.transfer(taken_as, f"{sender}/{receiver}/{taken_as}", back).encode()
