"""Rules 1 to 12, 17 and 36: the header and groups of a message to a bank, before it is signed."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from gateway.core.checks.facts import NOTHING, MessageFacts
from schemas.model.identifiers import bic8
from schemas.model.money import Money
from schemas.model.refusal import Refusal

_NAMESPACE_PREFIX = "urn:iso:std:iso:20022:tech:xsd:"
_BLOCK_ID_PARTS = 3
_ACCOUNT_METHODS = frozenset({"INDA", "INGA"})


def rule_01_message_id(facts: MessageFacts) -> Sequence[Refusal]:
    """1: the header's BizMsgIdr is the group's MsgId (CH16)."""
    if facts.header is None or facts.header.message_id == facts.group_message_id:
        return NOTHING
    text = f"BizMsgIdr {facts.header.message_id} is not MsgId {facts.group_message_id}"
    return (Refusal(1, "CH16", "AppHdr/BizMsgIdr", text),)


def rule_02_definition(facts: MessageFacts) -> Sequence[Refusal]:
    """2: the header's MsgDefIdr is the Document's namespace (FF01)."""
    if facts.header is None or _NAMESPACE_PREFIX + facts.header.definition == facts.namespace:
        return NOTHING
    return (Refusal(2, "FF01", "AppHdr/MsgDefIdr", f"{facts.header.definition} is not {facts.namespace}"),)


def rule_03_sender(facts: MessageFacts) -> Sequence[Refusal]:
    """3: the header's Fr is the instructing agent (AGNT)."""
    if facts.header is None or bic8(facts.header.from_bic) == bic8(facts.instructing_agent):
        return NOTHING
    return (Refusal(3, "AGNT", "AppHdr/Fr", f"{facts.header.from_bic} is not InstgAgt {facts.instructing_agent}"),)


def rule_04_receiver(facts: MessageFacts) -> Sequence[Refusal]:
    """4: the header's To is the instructed agent (AGNT)."""
    if facts.header is None or bic8(facts.header.to_bic) == bic8(facts.instructed_agent):
        return NOTHING
    return (Refusal(4, "AGNT", "AppHdr/To", f"{facts.header.to_bic} is not InstdAgt {facts.instructed_agent}"),)


def rule_05_creation_date(facts: MessageFacts) -> Sequence[Refusal]:
    """5: CreDt has an offset and is within the tolerance of now, on both sides (DT02)."""
    if facts.header is None:
        return NOTHING
    created = facts.header.created
    if created.tzinfo is None or created.utcoffset() is None:
        return (Refusal(5, "DT02", "AppHdr/CreDt", "no offset from UTC"),)
    if abs(facts.now - created) <= facts.tolerance:
        return NOTHING
    text = f"{created.isoformat()} is more than {facts.tolerance} away from {facts.now.isoformat()}"
    return (Refusal(5, "DT02", "AppHdr/CreDt", text),)


def rule_06_possible_duplicate(facts: MessageFacts) -> Sequence[Refusal]:
    """6: a message marked as possible duplicate is never processed automatically (DUPL); a person compares it first."""
    header = facts.header
    if header is None or not header.possible_duplicate:
        return NOTHING
    known = "this MsgId was seen before" if header.message_id in facts.known_message_ids else "MsgId is new here"
    return (Refusal(6, "DUPL", "AppHdr/PssblDplct", f"possible duplicate ({known}): compare it with the original"),)


def rule_07_signer(facts: MessageFacts) -> Sequence[Refusal]:
    """7: the key that signs may speak for Fr (DS0G), and for the accounts that the message debits (DS0H).

    Of a message that comes in, `security.trust` says in whose name its certificate may speak.
    """
    refusals = []
    header = facts.header
    if header is not None and facts.signer_bic is not None and bic8(facts.signer_bic) != bic8(header.from_bic):
        text = f"the key of {facts.signer_bic} does not speak for {header.from_bic}"
        refusals.append(Refusal(7, "DS0G", "AppHdr/Sgntr", text))
    if facts.signer_accounts is not None and not facts.debtor_accounts <= facts.signer_accounts:
        refusals.append(Refusal(7, "DS0H", "AppHdr/Sgntr", "the key may not sign for the account that is debited"))
    return refusals


def rule_08_number_of_transactions(facts: MessageFacts) -> Sequence[Refusal]:
    """8: NbOfTxs is the number of transactions that are there (AM18)."""
    if facts.declared_count == len(facts.amounts):
        return NOTHING
    text = f"NbOfTxs says {facts.declared_count}, there are {len(facts.amounts)}"
    return (Refusal(8, "AM18", "GrpHdr/NbOfTxs", text),)


def rule_09_control_sum(facts: MessageFacts) -> Sequence[Refusal]:
    """9: CtrlSum, where stated, is the exact decimal sum of the amounts, whatever their currencies (AM10)."""
    if facts.control_sum is None:
        return NOTHING
    if _is_sum(facts.control_sum, facts.amounts):
        return NOTHING
    text = f"CtrlSum says {facts.control_sum[:40]}, the sum is {_sum(facts.amounts)}"
    return (Refusal(9, "AM10", "GrpHdr/CtrlSum", text),)


def rule_10_blocks_add_up(facts: MessageFacts) -> Sequence[Refusal]:
    """10: a payment-information block's NbOfTxs and CtrlSum, where stated, are its transactions' (AM18, AM10)."""
    found = []
    for number, block in enumerate(facts.blocks, start=1):
        path = f"PmtInf[{number}]"
        if block.declared_count not in (None, len(block.amounts)):
            text = f"NbOfTxs says {block.declared_count}, there are {len(block.amounts)}"
            found.append(Refusal(10, "AM18", f"{path}/NbOfTxs", text))
        if block.control_sum is not None and not _is_sum(block.control_sum, block.amounts):
            text = f"CtrlSum says {block.control_sum[:40]}, the sum is {_sum(block.amounts)}"
            found.append(Refusal(10, "AM10", f"{path}/CtrlSum", text))
    return found


def rule_11_message_id_unique(facts: MessageFacts) -> Sequence[Refusal]:
    """11: MsgId is unique for its sender (DU01), as far as the MsgIds are known that were seen before.

    Of ours that holds without: a MsgId is made of a number that is taken once, and ``message (message_id)`` is unique
    in the database.
    """
    if facts.group_message_id not in facts.known_message_ids:
        return NOTHING
    return (Refusal(11, "DU01", "GrpHdr/MsgId", f"{facts.group_message_id} was seen before from this sender"),)


def rule_12_block_id_unique(facts: MessageFacts) -> Sequence[Refusal]:
    """12: PmtInfId is unique, in the message and as far as those are known that were used before (DU02).

    Across our messages the primary key of the table ``block`` holds it.
    """
    seen = set(facts.known_block_ids)
    found = []
    for number, block in enumerate(facts.blocks, start=1):
        if block.block_id in seen:
            found.append(Refusal(12, "DU02", f"PmtInf[{number}]/PmtInfId", f"{block.block_id} was used before"))
        seen.add(block.block_id)
    return found


def rule_17_block_id_names_the_agents(facts: MessageFacts) -> Sequence[Refusal]:
    """17: on FAST, PmtInfId is ``sender/receiver/reference``, and both codes are those of the agents (CH16)."""
    if facts.participants is None:
        return NOTHING
    found = []
    for number, block in enumerate(facts.blocks, start=1):
        agents = (block.debtor_agent, *block.creditor_agents)
        codes = [facts.participants.get(bic8(agent), bic8(agent)) for agent in agents]
        parts = block.block_id.split("/")
        named = len(parts) == _BLOCK_ID_PARTS and all(parts)
        if not named or parts[0] != codes[0] or {parts[1]} != set(codes[1:]):
            text = f"{block.block_id} is not sender/receiver/reference of the agents {'/'.join(codes)}"
            found.append(Refusal(17, "CH16", f"PmtInf[{number}]/PmtInfId", text))
    return found


def rule_36_settlement_method(facts: MessageFacts) -> Sequence[Refusal]:
    """36: settlement by CLRG names its clearing system, by INDA or INGA its settlement account (CH21)."""
    if facts.settlement_method == "CLRG" and not facts.clearing_system:
        return (Refusal(36, "CH21", "GrpHdr/SttlmInf/ClrSys", "settlement by CLRG names its clearing system"),)
    if facts.settlement_method in _ACCOUNT_METHODS and facts.settlement_account is None:
        text = f"settlement by {facts.settlement_method} names its account"
        return (Refusal(36, "CH21", "GrpHdr/SttlmInf/SttlmAcct", text),)
    return NOTHING


def _sum(amounts: Sequence[Money]) -> Decimal:
    return sum((Decimal(amount.text()) for amount in amounts), Decimal(0))


def _is_sum(stated: str, amounts: Sequence[Money]) -> bool:
    """Tell whether a text is the exact decimal sum of amounts."""
    try:
        return stated.isascii() and Decimal(stated) == _sum(amounts)
    except InvalidOperation:
        return False
