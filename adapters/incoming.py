"""Transfers that came in as a pain.001: money of others for an account of ours, or what gives a payment of ours back.

A transfer of others becomes a notification with one entry: it announces what the statement will show, and posts
nothing. A refund becomes a return of the payment that it names.
"""

from __future__ import annotations

from collections.abc import Iterator

from lxml.etree import _Element

from adapters.profile import Profile
from adapters.rails import Received
from schemas.iso20022 import pain001, xml
from schemas.model.identifiers import payment_number
from schemas.model.payment import Payment
from schemas.model.statement import Detail, Entry, Statement
from schemas.model.status import Return


def received(profile: Profile, document: _Element) -> Received:
    """Read a pain.001 that the bank handed to us.

    Raises:
        DocumentRefused: not a pain.001 that can be read, or its counts and sums are not those of its transfers.
    """
    group, blocks = pain001.read(document)
    refund = profile.instant.refund_purpose
    transfers = [
        (f"CstmrCdtTrfInitn/PmtInf[{number}]/CdtTrfTxInf[{position}]", block, payment)
        for number, block in enumerate(blocks, start=1)
        for position, payment in enumerate(block.payments, start=1)
    ]
    returns = tuple(
        _return(profile, group, block, payment, path) for path, block, payment in transfers if payment.purpose == refund
    )
    deposits = [(path, block, payment) for path, block, payment in transfers if payment.purpose != refund]
    return Received(
        definition=xml.namespace_of(document).rpartition(":")[2],
        message_id=group.message_id,
        returns=returns,
        statements=_notifications(group, deposits) if deposits else None,
    )


def _return(profile: Profile, group: pain001.Group, block: pain001.Block, payment: Payment, path: str) -> Return:
    """Return what a refund says; one that names nothing is kept as a return of an unknown payment."""
    lines = payment.remittance.unstructured
    if profile.instant.refund_names == "end_to_end_id":
        named: str | None = payment.end_to_end_id
    else:
        named = lines[0].strip() if lines else payment.remittance.creditor_reference
    named = None if named in ("", xml.NO_REFERENCE) else named
    ours = payment_number(named) is not None
    return Return(
        message_id=group.message_id,
        return_id=block.block_id,
        amount=payment.amount,
        original_message_id=None,
        original_message_name=None,
        end_to_end_id=None if ours else named,
        instruction_id=named if ours else None,
        uetr=None,
        original_amount=None,
        reason=None,
        info=" ".join(lines) or None,
        settlement_date=block.execution_date,
        path=path,
    )


def _notifications(
    group: pain001.Group, deposits: list[tuple[str, pain001.Block, Payment]]
) -> Iterator[Statement | Entry]:
    """Yield a notification for each transfer, with its entry; the bank has credited it when it hands it to us."""
    for number, (path, block, payment) in enumerate(deposits, start=1):
        account, amount = payment.creditor_account, payment.amount
        yield Statement(
            kind="notification",
            message_id=group.message_id,
            statement_id=block.block_id if len(deposits) == 1 else f"{block.block_id}#{number}",
            account=account.number,
            currency=amount.currency,
            created=group.created.isoformat(),
            entry_count=1,
            net_minor=amount.amount_minor,
            path=path,
        )
        yield Entry(
            index=0,
            amount_minor=amount.amount_minor,
            currency=amount.currency,
            booking_date=block.execution_date,
            value_date=block.execution_date,
            details=(_detail(group, block, payment),),
            path=path,
        )


def _detail(group: pain001.Group, block: pain001.Block, payment: Payment) -> Detail:
    said = payment.remittance
    end_to_end = payment.end_to_end_id
    return Detail(
        amount_minor=payment.amount.amount_minor,
        end_to_end_id=None if end_to_end == xml.NO_REFERENCE else end_to_end,
        uetr=payment.uetr or None,
        instruction_id=payment.instruction_id or None,
        message_id=group.message_id,
        remittance=" ".join(filter(None, (said.creditor_reference, *said.unstructured))) or None,
        counterparty_name=payment.debtor.name,
        counterparty_account=payment.debtor_account.number,
        creditor_reference=said.creditor_reference,
        ultimate_debtor_name=payment.ultimate_debtor.name if payment.ultimate_debtor else None,
        ultimate_creditor_name=payment.ultimate_creditor.name if payment.ultimate_creditor else None,
        payment_information_id=block.block_id,
        counterparty_bank=payment.debtor_agent.bic,
    )
