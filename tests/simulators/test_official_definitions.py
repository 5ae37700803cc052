"""Everything the bank sends is valid against the official ISO 20022 definitions, where they are at hand."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
from lxml import etree

from gateway.clock import ManualClock
from simulators.behaviour import Behaviour
from simulators.central_bank import CentralBank
from tests.simulators.treasury import Office

SHARED = Path(os.environ.get("GATEWAY_SHARED", Path(__file__).resolve().parents[2] / ".." / "shared"))
DEFINITIONS = SHARED / "iso20022" / "xsd"
MOODY = Behaviour(
    rejections={"AC01": 0.2},
    returns={"AC04": 0.3},
    return_charge_minor=100,
    daily_fee_minor=500,
    deposits_max=4,
    notifications=True,
    progress_first=0.5,
    short=0.5,
)


@pytest.mark.skipif(not DEFINITIONS.is_dir(), reason=f"the official definitions are not at {DEFINITIONS}")
def test_every_document_of_the_bank_is_valid(
    office: Office, clock: ManualClock, make_bank: Callable[..., CentralBank], today: date
) -> None:
    """A gateway that learned to read an invalid bank would fail at a real one."""
    bank, documents = make_bank(MOODY, page_size=7), list[bytes]()
    for day in range(4):
        for _ in range(3):
            documents += bank.receive(office.message([office.payment() for _ in range(6)]))
        documents += bank.receive(office.message([office.payment()]).replace(b">1000.00<", b">1.00<"))
        documents += bank.end_of_day(today + timedelta(days=day))
        clock.advance(timedelta(days=1))
        documents += bank.due(clock.now())
    kinds = set()
    for document in map(office.open, documents):
        kind = etree.QName(document).namespace.rpartition(":")[2]
        etree.XMLSchema(file=str(DEFINITIONS / f"{kind}.xsd")).assertValid(document)
        kinds.add(kind)
    assert kinds == {"pacs.002.001.10", "pacs.004.001.09", "camt.053.001.08", "camt.054.001.08"}
