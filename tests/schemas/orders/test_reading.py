"""Order messages: the envelope decides on the message, each order on itself alone."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import OrderMessageRefused
from schemas.orders import (
    BODY_BYTES_MAX,
    CHUNK_ORDERS_MAX,
    BadOrder,
    Order,
    batch_messages,
    content_hash,
    order_json,
    read,
    single_message,
)

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["order", "orders", "batch", "version"]), inner),
    max_leaves=8,
)
CREATED = datetime(2026, 11, 30, 1, 0, tzinfo=UTC)


def order(**change: Any) -> dict[str, Any]:
    """Return a good order, with some fields changed; None takes a field away."""
    body = {
        "order_id": "PO-1",
        "maker": "sok.dara",
        "amount": "1250.50",
        "currency": "USD",
        "execution_date": "2026-11-30",
        "debtor": {"name": "Ministry of Economy and Finance"},
        "debtor_account": {"number": "000100200300"},
        "creditor": {"name": "ក្រុមហ៊ុន អង្គរ", "address": {"country": "KH", "town": "Siem Reap"}},
        "creditor_account": {"number": "001234567890"},
        "creditor_agent": {"bic": "ABAAKHPP"},
    } | change
    return {name: value for name, value in body.items() if value is not None}


def chunk(orders: list[Any], **change: Any) -> dict[str, Any]:
    """Return a message with one chunk, with some fields of the envelope changed."""
    return {
        "version": "1.0",
        "message_id": "M-1",
        "source": "salary",
        "created": "2026-11-30T08:00:00+07:00",
        "batch": {"batch_id": "B-1", "count": 10, "totals": {"USD": "12505.00"}, "chunk": 1, "chunks": 2},
        "orders": orders,
    } | change


def declared(count: object, totals: object, number: int) -> dict[str, object]:
    """Return the declaration of a batch of one chunk."""
    return {"batch_id": "B", "count": count, "totals": totals, "chunk": number, "chunks": 1}


def encoded(message: object) -> bytes:
    """Return JSON as a source writes it."""
    return json.dumps(message, ensure_ascii=False).encode()


def test_a_single_order_is_read() -> None:
    """One message, one order, no batch."""
    message = read(single_message(order(), message_id="M-1", source="fmis", created=CREATED))
    assert (message.message_id, message.source, message.created, message.batch) == ("M-1", "fmis", CREATED, None)
    assert isinstance(message.items[0], Order)
    assert message.path(0) == "order"


def test_a_chunk_is_read_with_the_declaration_of_its_batch() -> None:
    """Totals are minor units inside."""
    message = read(encoded(chunk([order(), order(order_id="PO-2")])))
    assert message.batch is not None
    assert (message.batch.batch_id, message.batch.count, message.batch.chunk, message.batch.chunks) == ("B-1", 10, 1, 2)
    assert message.batch.totals_minor == {"USD": 1_250_500}
    assert [item.order_id for item in message.items] == ["PO-1", "PO-2"]
    assert message.path(1) == "orders[1]"


def test_unknown_fields_are_ignored() -> None:
    """A source may know a later minor version than we do."""
    message = read(encoded(chunk([order(budget_line="21.03")], version="1.7", trace="x")))
    assert isinstance(message.items[0], Order)


@pytest.mark.parametrize(
    ("change", "code", "path"),
    [
        ({"version": "2.0"}, "FF01", "version"),
        ({"version": 1}, "FF01", "version"),
        ({"version": "1"}, "CH16", "version"),
        ({"message_id": ""}, "CH16", "message_id"),
        ({"message_id": "x" * 36}, "CH16", "message_id"),
        ({"source": "FMIS/../x"}, "CH16", "source"),
        ({"created": "2026-11-30T08:00:00"}, "DT02", "created"),
        ({"created": "1700000000"}, "DT02", "created"),
        ({"batch": None}, "CH21", "batch"),
        ({"orders": None}, "CH21", "orders"),
        ({"orders": []}, "CH21", "orders"),
        ({"orders": {}}, "FF01", "orders"),
        ({"order": {}}, "CH17", "order"),
        ({"batch": []}, "CH16", "batch"),
        ({"batch": declared(1, {"USD": "1"}, 2)}, "CH16", "batch.chunk"),
        ({"batch": declared(0, {"USD": "1"}, 1)}, "CH16", "batch.count"),
        ({"batch": declared("1", {"USD": "1"}, 1)}, "CH16", "batch.count"),
        ({"batch": declared(1, {"USD": "1e3"}, 1)}, "AM12", "batch.totals.USD"),
        ({"batch": declared(1, {"XAU": "1"}, 1)}, "AM11", "batch.totals.XAU"),
        ({"batch": declared(1, {"USD": 1}, 1)}, "CH16", "batch.totals.USD"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("orders", [[order()], [order(amount=5)]], ids=["all orders good", "one order bad"])
def test_a_bad_envelope_refuses_the_message(orders: list[Any], change: dict[str, Any], code: str, path: str) -> None:
    """The reason is the same whether or not its orders are good."""
    with pytest.raises(OrderMessageRefused) as refused:
        read(encoded(chunk(orders) | change))
    assert (refused.value.code, refused.value.path) == (code, path)


def test_more_orders_than_declared_refuse_the_message() -> None:
    """A chunk cannot be larger than its batch."""
    with pytest.raises(OrderMessageRefused, match=r"AM18 at batch\.count"):
        read(encoded(chunk([order()] * 11)))


@pytest.mark.parametrize(
    "body",
    [b"", b"[1]", b'"x"', b"{", b'{"version": NaN}', b"\xff\xfe{", b'{"a": "\\ud800"}', b"[" * 100_000, b"<xml/>"],
    ids=["empty", "list", "text", "cut off", "NaN", "UTF-16", "surrogate", "deep", "XML"],
)
def test_what_is_not_a_json_object_is_refused(body: bytes) -> None:
    """It goes to the dead letters with a clear reason; the parser survives it."""
    with pytest.raises(OrderMessageRefused) as refused:
        read(body)
    assert refused.value.code == "FF02"


@given(st.binary() | _JSON.map(encoded) | _JSON.map(lambda value: encoded(chunk([value, order(amount=value)]))))
def test_whatever_comes_is_read_or_refused(body: bytes) -> None:
    """One message that raises anything else would stop the intake for all."""
    try:
        read(body)
    except OrderMessageRefused as refused:
        assert refused.code  # noqa: PT017  # both ends are right; the code is part of the refusal


def test_a_body_too_large_is_refused_before_it_is_parsed() -> None:
    """Parsing 200 MB would take the memory of everything else."""
    with pytest.raises(OrderMessageRefused, match=str(BODY_BYTES_MAX)) as refused:
        read(b" " * (BODY_BYTES_MAX + 1))
    assert refused.value.code == "FF01"


def test_a_chunk_with_too_many_orders_is_refused() -> None:
    """The bound keeps one message's transaction short."""
    with pytest.raises(OrderMessageRefused, match=str(CHUNK_ORDERS_MAX)):
        read(encoded(chunk([{}] * (CHUNK_ORDERS_MAX + 1))))


def test_a_bad_order_spoils_no_other() -> None:
    """214,000 people are paid although one line is wrong."""
    good = order(order_id="PO-3")
    message = read(encoded(chunk([order(), order(order_id="PO-2", debtor=None, uetr=7), good, "nonsense"])))
    first, bad, third, last = message.items
    assert isinstance(first, Order)
    assert isinstance(third, Order)
    assert isinstance(bad, BadOrder)
    assert bad.order_id == "PO-2"
    assert [(x.rule, x.code, x.path) for x in bad.refusals] == [
        (0, "CH21", "orders[1].debtor"),
        (0, "CH16", "orders[1].uetr"),
    ]
    assert isinstance(last, BadOrder)
    assert (last.order_id, last.raw) == (None, b'"nonsense"')


@pytest.mark.parametrize(
    ("change", "rule", "code", "path"),
    [
        ({"amount": "1_000"}, 22, "AM12", "order.amount"),
        ({"amount": "١٢٥"}, 22, "AM12", "order.amount"),
        ({"amount": "១២៥"}, 22, "AM12", "order.amount"),
        ({"amount": "1e3"}, 22, "AM12", "order.amount"),
        ({"amount": "NaN"}, 22, "AM12", "order.amount"),
        ({"amount": "Infinity"}, 22, "AM12", "order.amount"),
        ({"amount": " 1"}, 22, "AM12", "order.amount"),
        ({"amount": "1\n"}, 22, "AM12", "order.amount"),
        ({"amount": "+1"}, 22, "AM12", "order.amount"),
        ({"amount": "-1"}, 22, "AM12", "order.amount"),
        ({"amount": "01"}, 22, "AM12", "order.amount"),
        ({"amount": "1."}, 22, "AM12", "order.amount"),
        ({"amount": ".5"}, 22, "AM12", "order.amount"),
        ({"amount": "1,000"}, 22, "AM12", "order.amount"),
        ({"amount": "1" * 19}, 22, "AM12", "order.amount"),
        ({"amount": "1" * 65}, 22, "AM12", "order.amount"),
        ({"amount": 1250.5}, 22, "AM12", "order.amount"),
        ({"amount": "1.005"}, 20, "CH20", "order.amount"),
        ({"currency": "XAU"}, 21, "AM11", "order.currency"),
        ({"currency": "usd"}, 21, "AM11", "order.currency"),
        ({"execution_date": "2026-02-30"}, 0, "DT01", "order.execution_date"),
        ({"execution_date": "1732924800"}, 0, "DT01", "order.execution_date"),
        ({"execution_date": 20_000}, 0, "DT01", "order.execution_date"),
        ({"execution_date": "2026-11-30T00:00:00"}, 0, "DT01", "order.execution_date"),
        ({"order_id": "x" * 36}, 0, "CH16", "order.order_id"),
        ({"maker": ""}, 0, "CH16", "order.maker"),
        ({"maker": None}, 0, "CH21", "order.maker"),
        ({"urgency": "now"}, 0, "CH16", "order.urgency"),
        ({"creditor": {"name": "x", "address": {"town": 5}}}, 0, "CH16", "order.creditor.address.town"),
        ({"remittance": {"unstructured": ["x" * 141]}}, 0, "CH16", "order.remittance.unstructured[0]"),
        ({"charges": [{"amount": "x", "currency": "USD", "agent_bic": "X"}]}, 22, "AM12", "order.charges[0].amount"),
    ],
)  # fmt: skip
def test_a_bad_order_is_told_rule_code_and_path(change: dict[str, Any], rule: int, code: str, path: str) -> None:
    """The source finds the field without asking anybody."""
    (item,) = read(single_message(order(**change), message_id="M-1", source="fmis", created=CREATED)).items
    assert isinstance(item, BadOrder)
    assert [(x.rule, x.code, x.path) for x in item.refusals] == [(rule, code, path)]


def test_an_order_with_a_bad_amount_alone_can_still_be_checked() -> None:
    """The source hears of the amount and of everything else at once."""
    (item,) = read(single_message(order(amount="1_000"), message_id="M-1", source="fmis", created=CREATED)).items
    assert isinstance(item, BadOrder)
    assert item.order is not None
    assert item.order.creditor_agent.bic == "ABAAKHPP"


def test_refusals_repeat_no_long_number() -> None:
    """A refused account number is personal data."""
    bad = order(creditor_account={"number": "0012345678901234567890123456789012345"})
    (item,) = read(single_message(bad, message_id="M-1", source="fmis", created=CREATED)).items
    assert isinstance(item, BadOrder)
    assert "00123456789" not in str(item.refusals)


def test_the_content_hash_sees_content_only() -> None:
    """Order of fields, spelled-out defaults and unknown fields are no other content; another amount is."""
    plain = read(encoded(chunk([order()]))).items[0]
    reordered = dict(reversed(order(charge_bearer="SLEV", urgency="normal", trace="x").items()))
    same = read(encoded(chunk([reordered]))).items[0]
    other = read(encoded(chunk([order(amount="1250.51")]))).items[0]
    assert isinstance(plain, Order)
    assert isinstance(same, Order)
    assert isinstance(other, Order)
    assert content_hash(plain) == content_hash(same) != content_hash(other)
    assert order_json(plain) == order_json(same)


def test_a_batch_is_written_in_chunks_with_its_real_totals() -> None:
    """What our own tools send is complete and equal to its declaration."""
    orders = [order(order_id=f"PO-{number}", amount="0.10") for number in range(5)] + [
        order(currency="KHR", amount="x")
    ]
    parts = list(batch_messages(orders, batch_id="B-1", source="salary", created=CREATED, chunk_orders=4))
    messages = [read(body) for _, body in parts]
    assert [message.message_id for message in messages] == [message_id for message_id, _ in parts] == ["B-1-1", "B-1-2"]
    assert [len(message.items) for message in messages] == [4, 2]
    batch = messages[0].batch
    assert batch is not None
    assert (batch.count, batch.chunks, batch.totals_minor) == (6, 2, {"USD": 50, "KHR": 0})
