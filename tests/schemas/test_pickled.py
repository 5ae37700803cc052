"""Values that go to another process come out as they went in."""

from __future__ import annotations

import pickle
from datetime import date

from schemas.model.money import Money
from schemas.model.statement import Detail, Entry, StatedAmount, Statement
from schemas.model.status import Return, StatusReport, TransactionStatus


def test_every_field_comes_back() -> None:
    """They are written as a call of their class: a field left out would silently be its default there."""
    money, day = Money(1, "KHR"), date(2026, 11, 30)
    detail = Detail(1, "E", "u", instructed=StatedAmount(money, "USD", rate="4100"), return_information="r")
    for value in (
        money,
        Entry(3, -5, "KHR", "BOOK", day, day, details=(detail, Detail()), proprietary_code="P"),
        Statement("statement", "M", "S", "1", "KHR", opening=money, closing_date=day, message_last_page=False),
        StatusReport("M", "O", "N", None, None, None, (TransactionStatus("ACSC", settlement_date=day, path="p"),)),
        Return("M", "R", money, None, None, "E", "I", "U", money, "AC04", None, day, 7, "p"),
    ):
        assert pickle.loads(pickle.dumps(value)) == value  # noqa: S301 - our own bytes
