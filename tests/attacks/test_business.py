"""Attacks on the business: messages that are well-formed, often well signed, and meant to move money wrongly.

Each must be refused with its reason code, in both directions: orders of source systems, and documents of banks. What
the attacks have in common is that no money moves and no second payment goes out.
"""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from lxml.etree import _Element
from pydantic_core import to_json

from gateway.flow import composing
from gateway.flow.inbound import Inbound
from security import jws
from security.trust import TrustStore
from simulators.central_bank import CentralBank
from tests.gateway.flow.stand import BANK_BIC, DAY, RIEL, Stand, booked, chunk, dollars, order, single

pytestmark = pytest.mark.timeout(20)

RESERVED = {"payable:fmis": 100_000, f"transit:{RIEL}": -100_000}
UETR = "00000000-0000-4000-8000-000000000001"


@pytest.fixture
def central_bank(stand: Stand) -> CentralBank:
    """The bank at the other end, which verifies as strictly as we do."""
    return stand.stage.bank(stand.gateway, stand.clock.now, Random(1))


def codes(stand: Stand, order_id: str = "PO-1") -> set[str]:
    """Return the reason codes that an order was refused with."""
    return {code for code, _ in stand.refusals().get(order_id, [])}


def document_codes(stand: Stand) -> list[str]:
    """Return the reason codes that documents were refused with."""
    return [row[0] for row in stand.sql("SELECT code FROM document WHERE state = 'REFUSED' ORDER BY received_ms")]


def dead_codes(stand: Stand) -> list[str]:
    """Return the reason codes of the dead letters."""
    return [reason.split(":")[0].split(" ")[0] for reason in stand.dead()]


# ------------------------------------------------------------------------------------------------- amount tampered with


def test_an_amount_that_was_changed_in_an_order_is_refused(stand: Stand) -> None:
    """DS0B: the source's signature covers every byte of the body."""
    body = to_json(single(order(amount="1000"), "M1"))
    stand.send(body.replace(b'"1000"', b'"1009"'), jws=jws.sign(body, stand.stage.source_keys["fmis"]))
    stand.run("intake")
    assert dead_codes(stand) == ["DS0B"]
    assert stand.states() == {}


def test_an_amount_that_was_changed_in_our_message_is_refused_by_the_bank(
    stand: Stand, central_bank: CentralBank
) -> None:
    """The bank answers DS0x; the payment is in doubt then, because another copy may have arrived unharmed."""
    stand.sent(order(1))
    [(_, message)] = stand.at_bank()
    forged = message.replace(b">1000</IntrBkSttlmAmt>", b">9000</IntrBkSttlmAmt>").replace(b">1000.00<", b">9000.00<")
    assert forged != message
    answers = central_bank.receive(forged)
    assert central_bank.settled == set()
    stand.take(*answers)
    assert stand.states() == {"PO-1": "IN_DOUBT"}
    assert stand.balances() == RESERVED


@pytest.mark.parametrize("kind", ["return", "statement", "status"])
def test_a_figure_that_was_changed_in_a_banks_document_is_refused(stand: Stand, kind: str) -> None:
    """DS0B: nothing of it is believed, and the document is kept."""
    [paid] = stand.sent(order(1))
    document = {
        "return": lambda: stand.bank.giving_back(paid),
        "statement": lambda: stand.bank.statement([booked(-100_000, paid)], 100_000_000),
        "status": lambda: stand.bank.status("RJCT", [paid], "AC04"),
    }[kind]()
    change = (b">RJCT<", b">ACSC<") if kind == "status" else (b">1000.00<", b">1.00<")
    forged = document.replace(*change)
    assert forged != document
    assert stand.take(forged) == ["REFUSED"]
    assert document_codes(stand) == ["DS0B"]
    assert stand.states() == {"PO-1": "SENT"}
    assert stand.balances() == RESERVED


# --------------------------------------------------------------------------------------------------------- replay


def test_an_order_message_that_is_replayed_pays_nothing(stand: Stand) -> None:
    """The same signed bytes, ten times: taken once."""
    body = to_json(single(order(1), "M1"))
    for _ in range(10):
        stand.send(body)
    stand.run("intake", "dispatch", "relay")
    assert len(stand.payments()) == 1
    assert len(stand.at_bank()) == 1


def test_a_message_id_that_is_used_again_for_another_order_is_refused(stand: Stand) -> None:
    """DU01: under a valid signature of the source itself."""
    stand.send(single(order(1), "M1"))
    stand.send(single(order(2), "M1"))
    stand.run("intake")
    assert dead_codes(stand) == ["DU01"]
    assert stand.states() == {"PO-1": "READY"}


def test_an_order_that_is_sent_again_with_more_money_is_refused(stand: Stand) -> None:
    """DU01: the order id is known with another content."""
    stand.send(single(order(1, amount="1000"), "M1"))
    stand.send(single(order(1, amount="9000"), "M2"))
    stand.run("intake")
    assert codes(stand) == {"DU01"}
    assert [p.amount.amount_minor for p in stand.payments()] == [100_000]


def test_our_message_that_is_replayed_is_settled_once(stand: Stand, central_bank: CentralBank) -> None:
    """The bank gives the same answer again; a doubled answer moves nothing twice."""
    stand.sent(order(1))
    [(_, message)] = stand.at_bank()
    answers = [*central_bank.receive(message), *central_bank.receive(message)]
    stand.take(*answers)
    assert set(central_bank.settlements.values()) == {1}
    assert stand.states() == {"PO-1": "SETTLED"}
    assert stand.faults() == []


@pytest.mark.parametrize("kind", ["return", "status", "statement"])
def test_a_banks_document_that_is_replayed_changes_nothing(stand: Stand, kind: str) -> None:
    """The same bytes, and the same facts under a fresh MsgId with a fresh signature."""
    [paid] = stand.sent(order(1))

    def make() -> bytes:
        if kind == "return":
            return stand.bank.giving_back(paid)
        if kind == "status":
            return stand.bank.status("ACSC", [paid])
        return stand.bank.statement([booked(-100_000, paid)], 100_000_000)

    first = make()
    stand.take(first)
    before = stand.balances(), stand.states()
    stand.take(first, make(), make())
    assert (stand.balances(), stand.states()) == before
    assert stand.faults() == []


# ---------------------------------------------------------------------------------------- one UETR, two messages


def test_a_uetr_that_was_used_before_is_refused_in_an_order(stand: Stand) -> None:
    """DU03: under another message id, another order id, another amount."""
    stand.submit(order(1, uetr=UETR))
    stand.submit(order(2, uetr=UETR, amount="5"))
    assert codes(stand, "PO-2") == {"DU03"}
    assert stand.states() == {"PO-1": "READY"}


def test_a_uetr_in_capitals_is_no_way_around(stand: Stand) -> None:
    """CH16: a UETR is lower case, so that two spellings are not two payments."""
    uetr = "abcdef00-0000-4000-8000-000000000001"
    stand.submit(order(1, uetr=uetr))
    stand.submit(order(2, uetr=uetr.upper()))
    assert codes(stand, "PO-2") == {"CH16"}


def test_an_end_to_end_id_that_was_used_before_is_refused(stand: Stand) -> None:
    """DU04: for the same debtor account."""
    stand.submit(order(1, end_to_end_id="INVOICE-7"))
    stand.submit(order(2, end_to_end_id="INVOICE-7"))
    assert codes(stand, "PO-2") == {"DU04"}


def test_one_uetr_is_given_back_once(stand: Stand) -> None:
    """Two pacs.004 with MsgIds of their own for one payment."""
    [paid] = stand.sent(order(1))
    stand.take(stand.bank.giving_back(paid), stand.bank.giving_back(paid))
    assert stand.balances() == {"payable:fmis": 100_000, f"returned:{RIEL}": -100_000}
    assert stand.faults() == []


def test_one_uetr_is_settled_by_one_entry(stand: Stand) -> None:
    """A second booking under the same UETR is an exception of its own, and never settles another payment."""
    one, two = stand.sent(order(1), order(2))
    stand.take(stand.bank.statement([booked(-100_000, one), booked(-100_000, one, reference="NB2")], 100_000_000))
    assert stand.states() == {"PO-1": "SETTLED", "PO-2": "SENT"}
    assert stand.open() == {"duplicate_entry": 1}
    assert two.state == "SENT"


# --------------------------------------------------------------------------------------------- counts and control sums


@pytest.mark.parametrize(
    ("declared", "code"), [({"count": 3}, "AM18"), ({"totals": {"KHR": "2001"}}, "AM10"), ({"totals": {}}, "")]
)
def test_a_batch_with_another_count_or_sum_pays_nothing(stand: Stand, declared: dict[str, Any], code: str) -> None:
    """AM18 and AM10: a line that was put in, or taken out, on the way from the source's own database."""
    stand.send(chunk([order(1), order(2)], "B1", **declared))
    stand.run("intake", "dispatch")
    assert set(stand.states().values()) <= {"REFUSED"}
    if code:
        assert any(code in reason for reason in stand.evidence("batch_refused")["reasons"])
    else:
        assert len(dead_codes(stand)) == 1
    assert stand.documents() == []


def test_a_chunk_with_more_orders_than_its_batch_declares_is_refused(stand: Stand) -> None:
    """AM18: before a line of it is stored."""
    stand.send(chunk([order(1), order(2)], "B1", count=1))
    stand.run("intake")
    assert dead_codes(stand) == ["AM18"]
    assert stand.states() == {}


@pytest.mark.parametrize(("tag", "text", "code"), [("NbOfTxs", "2", "AM18"), ("CtrlSum", "2000.00", "AM10")])
def test_a_bank_message_with_another_count_or_sum_is_refused(
    stand: Stand, monkeypatch: pytest.MonkeyPatch, tag: str, text: str, code: str
) -> None:
    """Rules 8 and 9: signed by the bank itself, and still not what it says it is."""
    [paid] = stand.sent(order(1))
    sign = stand.bank.letters.sign

    def signed_with_change(message_id: str, definition: str, document: _Element) -> bytes:
        found = next(iter(document.iter(f"{{*}}{tag}")), None)
        if found is None:
            header = next(iter(document.iter("{*}GrpHdr")))
            found = header.makeelement(f"{document.tag.partition('}')[0]}}}{tag}")
            header.insert(3, found)
        found.text = text
        return sign(message_id, definition, document)

    monkeypatch.setattr(stand.bank.letters, "sign", signed_with_change)
    assert stand.take(stand.bank.giving_back(paid)) == ["REFUSED"]
    assert document_codes(stand) == [code]
    assert stand.balances() == RESERVED


def test_a_statement_with_one_entry_taken_out_posts_nothing(stand: Stand) -> None:
    """Rule 61: the balances give it away."""
    one, two = stand.sent(order(1), order(2))

    def take_out(document: _Element) -> None:
        entry = list(document.iter("{*}Ntry"))[1]
        parent = entry.getparent()
        assert parent is not None
        parent.remove(entry)

    entries = [booked(-100_000, one), booked(-100_000, two, reference="NB2")]
    stand.take(stand.bank.statement(entries, 100_000_000, alter=take_out))
    assert stand.open() == {"balance_break": 1}
    assert set(stand.states().values()) == {"SENT"}
    assert stand.faults() == []


# -------------------------------------------------------------------------------------------------------- amounts


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        ("1000.50", "CH20"),
        ("1000.001", "CH20"),
        ("1_000", "AM12"),
        ("1,000", "AM12"),
        ("1 000", "AM12"),
        (" 1000", "AM12"),
        ("1000\n", "AM12"),
        ("+1000", "AM12"),
        ("-1000", "AM12"),
        ("1e3", "AM12"),
        ("0x3e8", "AM12"),
        ("NaN", "AM12"),
        ("Infinity", "AM12"),
        ("", "AM12"),
        (".5", "AM12"),
        ("1000.", "AM12"),
        ("01000", "AM12"),
        ("\u0661\u0660\u0660\u0660", "AM12"),
        ("\uff11\uff10\uff10\uff10", "AM12"),
        ("\u17e1\u17e0\u17e0\u17e0", "AM12"),
        ("1\u200b000", "AM12"),
        ("1000000000000000000", "AM12"),
        ("0", "AM01"),
        ("0.00", "AM01"),
        (1000, "AM12"),
        (1000.5, "AM12"),
        (True, "AM12"),
        (["1000"], "AM12"),
    ],
    ids=ascii,
)
def test_an_amount_in_any_other_notation_is_refused(stand: Stand, amount: Any, code: str) -> None:
    """Rules 19, 20 and 22: what one reader takes for a thousand must not be a million to the next."""
    stand.submit(order(1, amount=amount))
    assert code in codes(stand), stand.refusals()
    assert stand.states() == {}


def test_decimals_are_those_of_the_currency_and_of_the_rail(stand: Stand) -> None:
    """CH20: a dollar has two decimals, a riel none on this rail."""
    stand.submit(dollars(1, amount="0.001"), dollars(2, amount="0.01"), order(3, amount="1.5"), order(4, amount="1.00"))
    assert codes(stand, "PO-1") == codes(stand, "PO-3") == {"CH20"}
    assert set(stand.states()) == {"PO-2", "PO-4"}


@pytest.mark.parametrize("amount", ["1_000", "NaN", "1e3", "\u0661\u0660\u0660", "-5", "1000.5.5", "0x10"], ids=ascii)
def test_an_amount_in_another_notation_in_a_banks_document_is_refused(stand: Stand, amount: str) -> None:
    """Signed by the bank, and unreadable all the same."""
    [paid] = stand.sent(order(1))

    def write(document: _Element) -> None:
        for element in document.iterfind(".//{*}Ntry//{*}Amt"):
            element.text = amount

    assert stand.take(stand.bank.statement([booked(-100_000, paid)], 100_000_000, alter=write)) == ["REFUSED"]
    assert stand.states() == {"PO-1": "SENT"}
    assert stand.balances() == RESERVED


# ----------------------------------------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    "name",
    [
        "Sok\u202eDara",
        "Sok \u2066Dara",
        "Sok\u200bDara",
        "Sok\u200dDara",
        "Sok\ufeffDara",
        "Sok\u00adDara",
        "Sok\u0007Dara",
        "Sok\nDara",
        "Sok\u2028Dara",
        "S\u043ek Dara",
        "\uff33ok Dara",
        "Sok D\u03b1ra",
        "Sok\u3164Dara",
    ],
    ids=ascii,
)
def test_a_name_that_looks_like_another_is_refused(stand: Stand, name: str) -> None:
    """CH16: bidirectional, zero-width and control characters, and letters of two alphabets in one word."""
    stand.submit(order(1, creditor={"name": name, "address": {"country": "KH", "town": "Kep"}}))
    assert codes(stand) == {"CH16"}
    assert stand.states() == {}


@pytest.mark.parametrize("name", ["សុខ ដារ៉ា", "Société Générale", "Nguyễn Văn An", "Δημήτρης", "Иван Петров"])
def test_an_honest_name_in_another_script_is_taken(stand: Stand, name: str) -> None:
    """Khmer above all: the rule is about what hides, not about what is foreign."""
    stand.submit(order(1, creditor={"name": name, "address": {"country": "KH", "town": "Kep"}}))
    assert stand.states() == {"PO-1": "READY"}


@pytest.mark.parametrize("field", ["town", "street"])
def test_hidden_characters_are_found_in_every_text(stand: Stand, field: str) -> None:
    """CH16: not only in names."""
    address = {"country": "KH", "town": "Kep", field: "Kep\u202e"}
    stand.submit(order(1, creditor={"name": "Sok Dara", "address": address}))
    stand.submit(order(2, remittance={"unstructured": ["pay \u202eme"]}))
    assert codes(stand, "PO-1") == codes(stand, "PO-2") == {"CH16"}


# ------------------------------------------------------------------------------------------------ accounts and dates


@pytest.mark.parametrize("number", ["000900000099", "000100000001 ", "00100000001", "\u0660\u0660\u0660100000001"])
def test_a_debtor_account_that_is_not_ours_is_refused(stand: Stand, number: str) -> None:
    """AC02: whoever signed it; also when it only looks like one of ours."""
    stand.submit(order(1, debtor_account={"number": number}))
    assert "AC02" in codes(stand)
    assert stand.states() == {}


def test_an_account_is_not_paid_to_itself(stand: Stand) -> None:
    """Rule 39: money in a circle hides where it came from."""
    stand.submit(order(1, creditor_account={"number": RIEL}, creditor_agent={"bic": BANK_BIC}))
    assert codes(stand)
    assert stand.states() == {}


@pytest.mark.parametrize(
    ("day", "code"),
    [
        ("2026-11-27", "CH04"),
        ("2026-11-29", "CH04"),
        ("2027-11-30", "CH03"),
        ("30/11/2026", "DT01"),
        ("1764460800", "DT01"),
    ],
)
def test_a_back_dated_order_is_refused(stand: Stand, day: str, code: str) -> None:
    """CH04: the value date is not a way into a closed budget year; nor is one that only a machine reads."""
    stand.submit(order(1, execution_date=day))
    assert code in codes(stand)
    assert stand.states() == {}


# ----------------------------------------------------------------------------------------- in the name of another


def test_a_source_that_signs_in_the_name_of_another_is_refused(stand: Stand) -> None:
    """DS0G: partner B's valid key under a message of A, in both directions."""
    for source, claimed in (("salary", "fmis"), ("fmis", "salary")):
        stand.send(single(order(source), f"M-{source}", source=claimed), source=source)
    stand.run("intake")
    assert dead_codes(stand) == ["DS0G", "DS0G"]
    assert stand.states() == {}


@pytest.mark.parametrize("known", [False, True], ids=["not-a-signer-here", "a-signer-here"])
def test_a_bank_that_signs_in_the_name_of_another_is_refused(stand: Stand, known: bool) -> None:
    """DS0E, its key is none of this relationship's; DS0G, it is, and speaks for another bank."""
    [paid] = stand.sent(order(1))
    stranger = stand.bank.stranger()
    if known:
        worker = stand.workers["inbound"]
        assert isinstance(worker, Inbound)
        signers = [stand.stage.bank_key.certificate, stranger.certificate]
        store = TrustStore(anchors=[stand.stage.authority.certificate], signers=signers)
        worker._trust = lambda: store
    forged = stand.bank.statement([booked(-100_000, paid)], 100_000_000, by=stand.bank.writer(BANK_BIC, stranger))
    assert stand.take(forged) == ["REFUSED"]
    assert document_codes(stand) == ["DS0G" if known else "DS0E"]
    assert stand.states() == {"PO-1": "SENT"}
    assert stand.balances() == RESERVED


def test_another_banks_status_of_our_payment_moves_nothing(stand: Stand) -> None:
    """Signed in its own name: its word counts for nothing here."""
    [paid] = stand.sent(order(1))
    other = stand.bank.writer("ABAAKHPP", stand.bank.stranger())
    assert stand.take(stand.bank.statement([booked(-100_000, paid)], 100_000_000, by=other, day=DAY)) == ["REFUSED"]
    assert stand.states() == {"PO-1": "SENT"}


def test_nothing_leaves_under_the_key_of_another_institution(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own signer is replaced: the finished message is compared with whose key would sign it (rule 7)."""
    stranger = stand.bank.stranger()
    monkeypatch.setattr(stand.workers["dispatch"], "_signer", lambda: stranger)
    stand.compose(order(1))
    assert stand.states() == {"PO-1": "HELD"}
    assert "(rule 7)" in stand.evidence("cannot_compose")["reason"]
    assert stand.documents() == []


def test_our_message_signed_by_another_customer_is_refused_by_the_bank(
    stand: Stand, central_bank: CentralBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our own signer is replaced by another institution's key, and we do not look: the bank settles nothing."""
    stranger = stand.bank.stranger()
    monkeypatch.setattr(stand.workers["dispatch"], "_signer", lambda: stranger)
    monkeypatch.setattr(composing, "check_message", lambda _: [])
    stand.sent(order(1))
    [(_, message)] = stand.at_bank()
    stand.take(*central_bank.receive(message))
    assert central_bank.settled == set()
    assert stand.states() == {"PO-1": "IN_DOUBT"}
