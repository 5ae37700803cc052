"""The payment side of a commercial bank, through the whole gateway: three dialects, and everything that goes wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from adapters.file_settings import FolderSettings
from adapters.profile import load
from adapters.transports import Outbound
from adapters.transports.folder import FolderTransport
from gateway.cli.root import app
from gateway.clock import ManualClock
from schemas.errors import ConfigurationError
from schemas.iso20022 import pain002, parser
from schemas.model.money import Money
from simulators import folder_bank
from simulators.customer_desk import Conduct, CustomerDesk
from simulators.stage import Stage
from tests.gateway.flow.conftest import stage  # noqa: F401 - the fixture of the flow's tests
from tests.gateway.flow.customers import ACCOUNTS, BANKS, opened_at
from tests.gateway.flow.stand import START, Stand, order

FORMS = {"river-bank": "MT940", "hill-bank": "camt.053.001.08", "lake-bank": "CSV"}
OPENING = Money(900_000_000, "KHR")


class Town:
    """A gateway and the desk of its bank, and the way between them."""

    def __init__(self, stand: Stand, name: str) -> None:
        self.stand, self.account = stand, ACCOUNTS[name]
        zone = stand.gateway.profiles[name].zone
        self.desk = CustomerDesk({self.account: OPENING}, FORMS[name], lambda: stand.clock.now().astimezone(zone))
        self._carried = 0

    def pay(self, count: int = 4) -> None:
        """Order payments, one at a time so that each has a row of its own, and carry their file to the desk."""
        self.stand.sent(*[self.order(n) for n in range(1, count + 1)])
        documents = self.stand.documents()
        for document in documents[self._carried :]:
            self.desk.take(document)
        self._carried = len(documents)

    def order(self, number: int, **changes: Any) -> dict[str, Any]:
        """Return an order from the account at the bank."""
        given = {
            "debtor_account": {"number": self.account}, "charge_bearer": "SLEV", "end_to_end_id": f"PO-2026-{number}",
            "amount": f"{1000 + number}", "creditor_account": {"number": f"500000{number:03d}"},
        }  # fmt: skip
        return order(number, **{**given, **changes})

    def fetch(self) -> list[str]:
        """Take what is due; return what became of each."""
        return [state for letter in self.desk.due() for state in self.stand.take(letter.content)]

    def pass_time(self, **span: float) -> None:
        """Let time pass."""
        self.stand.clock.advance(timedelta(**span))

    def next_day(self) -> None:
        """Close the bank's day and begin another."""
        self.desk.close_day()
        self.fetch()
        self.pass_time(days=1)

    def ledger_minor(self) -> int:
        """Return what the ledger has at the bank."""
        return self.stand.balances().get(f"bank:{self.account}", 0)

    def agrees(self) -> bool:
        """Tell whether the ledger and the bank's books are equal, and the ledger proves itself."""
        return self.ledger_minor() == self.desk.balance(self.account).amount_minor and self.stand.faults() == []


@pytest.fixture(params=list(FORMS))
def town(request: pytest.FixtureRequest, stage: Stage, tmp_path: Path) -> Iterator[Town]:  # noqa: F811 - the fixture
    """A gateway at each of the three banks."""
    with opened_at(stage, f"sqlite:///{tmp_path / 'gateway.sqlite'}", tmp_path, request.param) as stand:
        yield Town(stand, request.param)


@pytest.mark.parametrize("level", ["transaction", "block", "group"])
def test_a_day_is_reported_booked_and_proved_in_each_dialect(town: Town, level: Any) -> None:
    """Whatever a bank writes and at whichever level it speaks, its books and the ledger are equal in the evening."""
    town.desk.conduct = Conduct(level=level)
    town.pay()
    assert town.fetch() == ["APPLIED"]
    assert Counter(town.stand.states().values()) == {"ACCEPTED": 4}
    town.next_day()
    assert Counter(town.stand.states().values()) == {"SETTLED": 4}
    assert town.stand.open() == {}
    assert town.agrees()


@pytest.mark.parametrize("level", ["transaction", "group"])
def test_what_is_rejected_is_left_out_of_what_is_booked(town: Town, level: Any) -> None:
    """Partly accepted: the batch's one debit is that of the others."""
    town.desk.conduct = Conduct(level=level, rejections={"PO-2026-2": "AC04", "500000003": "AG01"})
    town.pay()
    town.fetch()
    assert town.stand.states() == {"PO-1": "ACCEPTED", "PO-2": "REJECTED", "PO-3": "REJECTED", "PO-4": "ACCEPTED"}
    town.next_day()
    assert town.stand.states() == {"PO-1": "SETTLED", "PO-2": "REJECTED", "PO-3": "REJECTED", "PO-4": "SETTLED"}
    assert town.stand.open() == {}
    assert town.agrees()


@pytest.mark.parametrize(
    "conduct",
    [
        Conduct(pending_first=True),
        Conduct(pending_first=True, swapped=True),
        Conduct(twice=True),
        Conduct(late_s=3_600),
        Conduct(pending_first=True, twice=True, swapped=True, late_s=60),
    ],
)
def test_reports_come_in_any_order_twice_and_late(town: Town, conduct: Conduct) -> None:
    """PDNG and the decision, in whatever order they lie in the folder, end in the decision."""
    town.desk.conduct = replace(conduct, rejections={"PO-2026-1": "AC04"})
    town.pay()
    for _ in range(3):
        town.fetch()
        town.pass_time(hours=1)
    assert Counter(town.stand.states().values()) == {"ACCEPTED": 3, "REJECTED": 1}
    assert town.stand.open() == {}
    town.next_day()
    assert town.agrees()


def test_a_silent_bank_is_found_out_by_its_statement(town: Town) -> None:
    """Without any report the statement alone settles the payments."""
    town.desk.conduct = Conduct(silent=True)
    town.pay()
    assert town.fetch() == []
    town.next_day()
    assert Counter(town.stand.states().values()) == {"SETTLED": 4}
    assert town.agrees()


def test_a_file_that_is_cut_off_changes_nothing_until_it_comes_whole(town: Town) -> None:
    """The broken report is kept and named; the whole one moves the payments."""
    town.desk.conduct = Conduct(cut=True)
    town.pay()
    assert town.fetch() == ["REFUSED"]
    assert Counter(town.stand.states().values()) == {"SENT": 4}
    assert town.stand.open() == {"unreadable_document": 1}
    town.pass_time(minutes=10)
    assert town.fetch() == ["APPLIED"]
    assert Counter(town.stand.states().values()) == {"ACCEPTED": 4}


def test_a_statement_that_is_missing_is_bridged_until_it_comes(town: Town) -> None:
    """A gap between two statements is shown, and closes by itself."""
    town.desk.conduct = Conduct(withheld=1)
    town.pay(2)
    town.fetch()
    town.next_day()
    assert Counter(town.stand.states().values()) == {"ACCEPTED": 2}
    day = town.stand.clock.now().date().isoformat()
    town.stand.sent(town.order(3, execution_date=day))
    town.desk.take(town.stand.documents()[-1])
    town.next_day()
    town.desk.conduct = Conduct()
    town.next_day()
    assert Counter(town.stand.states().values()) == {"SETTLED": 3}
    assert town.stand.open() == {}
    assert town.agrees()


def test_what_comes_back_stands_on_the_statement_of_the_next_day(town: Town) -> None:
    """A return after settlement is given back once."""
    town.desk.conduct = Conduct(returns={"PO-2026-2": "AC04"})
    town.pay()
    town.fetch()
    town.next_day()
    town.next_day()
    assert Counter(town.stand.states().values()) == {"SETTLED": 3, "RETURNED": 1}
    assert town.stand.open() == {}
    assert town.agrees()


@pytest.mark.parametrize("form", ["pain.007", "pacs.004"])
def test_what_comes_back_is_told_by_a_message_and_by_the_statement(town: Town, form: Any) -> None:
    """Both say the same, two closings later, and the money is given back once."""
    town.desk.conduct = Conduct(returns={"PO-2026-2": "AC04"}, return_days=2, told_back=form)
    town.pay()
    town.fetch()
    town.next_day()
    assert Counter(town.stand.states().values()) == {"SETTLED": 4}
    town.next_day()
    assert town.stand.states()["PO-2"] == "RETURNED"
    town.next_day()
    assert Counter(town.stand.states().values()) == {"SETTLED": 3, "RETURNED": 1}
    assert [payment.end_to_end_id for payment in town.desk.returned] == ["PO-2026-2"]
    assert town.stand.open() == {}
    assert town.agrees()
    assert not town.desk.expects()


def test_a_fee_is_taken_at_each_closing(town: Town) -> None:
    """From the first day on which something is booked."""
    town.desk.conduct = Conduct(fee_minor=300)
    town.desk.close_day()
    assert town.fetch() == []
    town.pay(1)
    town.fetch()
    town.next_day()
    town.next_day()
    assert [m.amount_minor for m in town.desk.booked if m.kind == "charge"] == [-300, -300]
    assert town.stand.open() == {}
    assert town.agrees()


@pytest.mark.parametrize("form", ["camt.053.001.02", "camt.053.001.08"])
def test_a_statement_lists_what_is_booked_together(stage: Stage, tmp_path: Path, form: str) -> None:  # noqa: F811 - the fixture
    """Each payment by its own reference, and no other sum than theirs."""
    with opened_at(stage, f"sqlite:///{tmp_path / 'gateway.sqlite'}", tmp_path, "river-bank") as stand:
        town = Town(stand, "river-bank")
        town.desk = CustomerDesk({town.account: OPENING}, form, town.desk._now)
        town.desk.conduct = Conduct(itemised=True, rejections={"PO-2026-3": "AC04"})
        town.pay()
        town.fetch()
        town.next_day()
        assert Counter(stand.states().values()) == {"SETTLED": 3, "REJECTED": 1}
        assert stand.sql("SELECT matched, rule FROM entry") == [("batch", "batch_details")]
        assert town.agrees()


@pytest.mark.parametrize("reason", ["FF01", "AM10"])
def test_a_file_refused_whole_costs_nothing(town: Town, reason: str) -> None:
    """The money of every payment is free again."""
    town.desk.conduct = Conduct(refuse_file=reason)
    town.pay()
    town.fetch()
    assert Counter(town.stand.states().values()) == {"REJECTED": 4}
    assert town.stand.balances() == {}


def test_the_same_file_twice_is_refused_and_paid_once(town: Town) -> None:
    """A refusal as a duplicate says nothing of the first copy."""
    town.pay()
    town.fetch()
    town.pass_time(seconds=5)
    for document in town.stand.documents():
        town.desk.take(document)
    town.fetch()
    assert set(town.stand.states().values()) == {"IN_DOUBT"}
    town.next_day()
    assert Counter(town.stand.states().values()) == {"SETTLED": 4}
    assert town.agrees()


def reports(desk: CustomerDesk) -> list[Any]:
    """Read what a desk has said."""
    return [pain002.read(parser.parse(letter.content)) for letter in desk.due()]


def test_the_desk_decides_as_a_bank_does(town: Town) -> None:
    """Nonsense, an account that is not held, and a payment without cover are each refused with their code."""
    poor = CustomerDesk({town.account: Money(150_000, "KHR")}, "CSV", town.desk._now)
    stranger = CustomerDesk({"1": OPENING}, "CSV", town.desk._now)
    town.pay(2)
    for document in town.stand.documents():
        poor.take(document)
        stranger.take(document)
    stranger.take(b"<Document/>")
    said = [t.reason for report in reports(poor) for block in report.blocks for t in block.transactions]
    assert said == [None, "AM04"]
    strange = reports(stranger)
    assert {t.reason for report in strange for block in report.blocks for t in block.transactions} == {"AC02"}
    assert (strange[-1].group_status, strange[-1].group_reason) == ("RJCT", "FF03")


def test_a_bank_at_the_other_end_of_a_folder_takes_and_leaves_files(stage: Stage, tmp_path: Path) -> None:  # noqa: F811 - the fixture
    """What the transport hands over is answered in the folder that it looks into."""
    settings = FolderSettings(kind="folder", root=tmp_path / "share", outgoing="out", incoming=("in",), stable_s=0.0)
    profile = load(BANKS / "hill-bank.toml").model_copy(update={"transport": settings})
    bank = folder_bank.opened(profile, "camt.053.001.08", ManualClock(START))
    transport = FolderTransport(settings)
    with opened_at(stage, f"sqlite:///{tmp_path / 'gateway.sqlite'}", tmp_path, "hill-bank") as stand:
        Town(stand, "hill-bank").pay(2)
        transport.send(Outbound("file.xml", stand.documents()[0], "pain.001.001.09"))
    assert bank.step() == 2
    (tmp_path / "share" / folder_bank.CLOSE).touch()
    bank.step()
    arrivals = transport.receive(10)
    assert sorted(a.name.partition("-")[2][:8] for a in arrivals) == ["camt.053", "pain.002"]
    transport.done(arrivals)
    transport.close()


def test_the_command_names_what_is_wrong_with_the_profile() -> None:
    """A simulated bank needs a folder to sit at."""
    with pytest.raises(ConfigurationError, match="needs a folder"):
        folder_bank.opened(load(BANKS / "hill-bank.toml"), "CSV", ManualClock(START))
    result = CliRunner().invoke(app, ["folder-bank", "--help"])
    assert result.exit_code == 0
    assert "simulated commercial bank" in result.output


def test_a_desk_that_does_not_know_names_pays_what_comes_again(town: Town) -> None:
    """A bank that would really pay a second copy is what a gateway must never send one to."""
    town.pay(2)
    careless = CustomerDesk({town.account: OPENING}, "CSV", town.desk._now, checks_duplicates=False)
    [document] = town.stand.documents()
    for _ in range(2):
        careless.take(document)
    assert Counter(careless.paid) == {"PO-2026-1": 2, "PO-2026-2": 2}
    [fates] = careless.fates.values()
    assert [fate.reason for fate in fates] == [None] * 4
