"""Bad orders on purpose: each defect spoils a good order in one way and knows the reason code it must be refused with.

The code never stands in the order itself: the government keeps it in a side list (`Expected`), so that a test can
compare what the gateway answered with what was wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, NamedTuple

Order = dict[str, Any]
"""The JSON object of one order."""

UNKNOWN_BANK = "ZZZZKHPP"
"""A well-formed BIC that no directory holds."""
FOREIGN_ACCOUNT = "000900000099"
"""A debtor account that belongs to no source of the gateway."""
DAYS_PAST = 40
"""Further back than any rail's tolerance."""


class Scene(NamedTuple):
    """What a defect may refer to: the day, and an earlier good order from the same account (None at the start)."""

    today: date
    previous: Order | None


class Defect(NamedTuple):
    """One way to be wrong.

    Attributes:
        name: what is wrong.
        codes: reason codes that name it; any of them is right. Empty: not refused, and nothing is paid twice.
        spoil: makes a good order bad, in place.
        alone: only for single orders, since in a batch it would touch the other lines as well.
        needs: ``previous`` when an earlier order is needed, ``riel`` when only a rail without decimals in KHR refuses.
    """

    name: str
    codes: tuple[str, ...]
    spoil: Callable[[Order, Scene], None]
    alone: bool = False
    needs: str = ""

    def fits(self, order: Order, previous: Order | None, *, batched: bool) -> bool:
        """Say whether this order can be wrong in this way."""
        if self.alone and batched:
            return False
        if self.needs == "previous":
            return previous is not None
        return self.needs != "riel" or order["currency"] == "KHR"

    def declared_minor(self, minor: int) -> int:
        """Return the amount that a spoiled order carries, in minor units, given the good one."""
        if self.spoil is _zero_amount:
            return 0
        return minor + 50 if self.spoil is _fraction else minor


class Expected(NamedTuple):
    """What must become of a bad order: refused with one of these codes (or, without codes, quietly paid once)."""

    source: str
    order_id: str
    defect: str
    codes: tuple[str, ...]


def creditor_reference(number: int) -> str:
    """Return an ISO 11649 creditor reference (``RF`` + check digits) for a number."""
    body = f"{number:012d}"
    check = 98 - int(f"{body}271500") % 97
    return f"RF{check:02d}{body}"


def _whole(order: Order) -> str:
    """Return an order's amount without decimals."""
    return str(order["amount"]).partition(".")[0]


def _unknown_bank(order: Order, _: Scene) -> None:
    order["creditor_agent"] = {"bic": UNKNOWN_BANK}


def _zero_amount(order: Order, _: Scene) -> None:
    order["amount"] = "0"


def _fraction(order: Order, _: Scene) -> None:
    order["amount"] = f"{_whole(order)}.50"


def _wrong_purpose(order: Order, _: Scene) -> None:
    order["purpose"] = "ZZZZ"


def _missing_town(order: Order, _: Scene) -> None:
    address = order["creditor"]["address"]
    order["creditor"] = {**order["creditor"], "address": {key: address[key] for key in address if key != "town"}}


def _foreign_account(order: Order, _: Scene) -> None:
    order["debtor_account"] = {"number": FOREIGN_ACCOUNT}


def _duplicate_end_to_end(order: Order, scene: Scene) -> None:
    assert scene.previous is not None
    same = ("end_to_end_id", "debtor_account", "currency", "amount")
    order.update({field: scene.previous[field] for field in same})


def _control_character(order: Order, _: Scene) -> None:
    order["creditor"] = {**order["creditor"], "name": order["creditor"]["name"].replace(" ", "\u0007", 1)}


def _past_date(order: Order, scene: Scene) -> None:
    order["execution_date"] = (scene.today - timedelta(days=DAYS_PAST)).isoformat()


def _bad_reference(order: Order, _: Scene) -> None:
    good = creditor_reference(int(_whole(order)) % 10**12)
    check = (int(good[2:4]) + 1) % 97
    order["remittance"] = {"creditor_reference": f"RF{check:02d}{good[4:]}"}


def _repeated_order(order: Order, scene: Scene) -> None:
    assert scene.previous is not None
    order.clear()
    order.update(scene.previous)


def _changed_order(order: Order, scene: Scene) -> None:
    assert scene.previous is not None
    order.clear()
    order.update(scene.previous, amount=str(int(_whole(scene.previous)) + 1))


DEFECTS = (
    Defect("unknown bank", ("RC05",), _unknown_bank),
    Defect("zero amount", ("AM01",), _zero_amount),
    Defect("fraction of a riel", ("CH20",), _fraction, needs="riel"),
    Defect("wrong purpose", ("FF07",), _wrong_purpose, alone=True),
    Defect("missing town", ("BE04", "BE07"), _missing_town),
    Defect("account of somebody else", ("AG07", "AC02"), _foreign_account, alone=True),
    Defect("duplicate end-to-end id", ("DU04",), _duplicate_end_to_end, alone=True, needs="previous"),
    Defect("control character", ("RR10", "CH16"), _control_character),
    Defect("past date", ("CH03", "CH04"), _past_date, alone=True),
    Defect("bad creditor reference", ("RR09",), _bad_reference, alone=True),
    Defect("repeated order", (), _repeated_order, alone=True, needs="previous"),
    Defect("changed order", ("DU01", "DUPL", "AM05"), _changed_order, alone=True, needs="previous"),
)
"""Every defect, in the order in which they take turns."""
