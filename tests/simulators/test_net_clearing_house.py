"""The simulated clearing house and the real rail over a real folder: what each believes of the other's money."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from adapters.file_settings import FolderSettings
from adapters.profile import load
from adapters.rails import Received, Sent, Task, net_clearing
from adapters.transports import INQUIRE, Outbound
from adapters.transports.folder import FolderTransport
from schemas.model.identifiers import message_id
from schemas.model.money import Money
from schemas.model.payment import Account, Agent, Party, Payment
from schemas.model.statement import Entry, Statement
from schemas.model.status import StatusReport
from security.trust import TrustStore
from simulators.net_clearing_house import NetClearingHouse
from tests.golden import examples

PROFILE = load(Path(__file__).parents[1] / "adapters" / "banks" / "net-clearing.toml")
ACCOUNT = PROFILE.accounts[0].number
DAY = date(2026, 11, 30)
AT = datetime(2026, 11, 30, 9, tzinfo=PROFILE.zone)
TRUST = TrustStore(anchors=(), signers=())


class Session:
    """The house, the folder between us, and our side of it."""

    def __init__(self, folder: Path, **plans: str) -> None:
        self.now = AT
        self.house = NetClearingHouse(folder, {ACCOUNT: Money(10_000_00, "KHR")}, lambda: self.now, plans)
        settings = FolderSettings(kind="folder", root=folder, outgoing="out", incoming=("in",), stable_s=0.0)
        self.transport = FolderTransport(settings)

    def send(self, number: int, *payments: Payment) -> Outbound:
        """Compose a file of these payments and hand it over."""
        task = Task(message_id(PROFILE.own_bic, DAY, number), self.now, DAY)
        made = net_clearing.compose(PROFILE, task, payments, None, lambda _: None)  # type: ignore[arg-type]  # unsigned
        outbound = Outbound(made.name or "", made.document, made.definition)
        self.transport.send(outbound)
        return outbound

    def received(self) -> list[Received]:
        """Return what the house has said since."""
        self.now += timedelta(minutes=1)
        arrivals = self.transport.receive(100)
        found = [net_clearing.read(PROFILE, arrival.source.read(), TRUST, self.now) for arrival in arrivals]
        self.transport.done(arrivals)
        return found

    def reports(self) -> list[StatusReport]:
        """Return its status reports."""
        return [report for received in self.received() for report in received.reports]

    def statuses(self) -> dict[str, str]:
        """Return the status of each payment that it speaks of, by InstrId."""
        return {str(t.instruction_id): t.status for report in self.reports() for t in report.transactions}


def payment(number: int, riel: int = 100) -> Payment:
    """Return a payment in whole riel, known to the house as ``P<number>``."""
    return Payment(
        payment_id=number, source="fmis", order_id=f"P{number}", maker="m", instruction_id=f"TG{number:012d}",
        end_to_end_id=f"P{number}", uetr=examples.UETRS[0], amount=Money(riel * 100, "KHR"), execution_date=DAY,
        charge_bearer="SLEV", debtor=Party("National Treasury"), debtor_account=Account(ACCOUNT),
        debtor_agent=Agent(PROFILE.bank_bic), creditor=Party("Sok Dara"), creditor_account=Account("001234567890"),
        creditor_agent=Agent("ACLBKHPP"),
    )  # fmt: skip


def test_a_file_waits_and_is_then_processed(tmp_path: Path) -> None:
    """Each payment is credited once, and the account is debited by their sum."""
    session = Session(tmp_path)
    session.send(1, payment(1), payment(2, 250))
    session.house.collect()
    (waiting,) = session.reports()
    assert (waiting.group_status, waiting.transactions) == ("ACSP", ())
    session.house.settle()
    assert session.statuses() == {"TG000000000001": "ACSC", "TG000000000002": "ACSC"}
    assert session.house.balance(ACCOUNT) == Money(9_650_00, "KHR")
    assert session.house.paid == {"P1": 1, "P2": 1}


def test_a_duplicate_name_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    """The refusal speaks of the copy alone."""
    session = Session(tmp_path)
    session.send(1, payment(1))
    session.house.collect()
    session.send(1, payment(1))
    session.house.collect()
    (first, copy) = session.reports()
    assert (first.group_status, copy.group_status, copy.group_reason) == ("ACSP", "RJCT", "DU01")
    session.house.settle()
    assert session.statuses() == {"TG000000000001": "ACSC"}
    assert session.house.paid == {"P1": 1}


def test_what_is_half_done_is_in_doubt_until_the_house_has_mended_it(tmp_path: Path) -> None:
    """The house calls it an error, and has the money: taken at its word, it would be paid twice."""
    session = Session(tmp_path, P1="half", P2="half", P3="E002")
    session.send(1, payment(1), payment(2), payment(3), payment(4))
    session.house.collect()
    session.house.settle()
    assert session.statuses() == {
        "TG000000000001": "BLCK", "TG000000000002": "BLCK", "TG000000000003": "RJCT", "TG000000000004": "ACSC",
    }  # fmt: skip
    session.house.mend("P1", credit=True)
    assert session.statuses()["TG000000000001"] == "ACSC"
    session.house.mend("P2", credit=False)
    assert session.statuses()["TG000000000002"] == "RJCT"
    assert session.house.paid == {"P1": 1, "P4": 1}
    assert session.house.balance(ACCOUNT) == Money(9_800_00, "KHR")


def test_without_money_nothing_is_debited(tmp_path: Path) -> None:
    """The reason is everybody's AM04."""
    session = Session(tmp_path)
    session.send(1, payment(1, 10_001))
    session.house.collect()
    session.house.settle()
    *_, report = session.reports()
    assert [(t.status, t.reason) for t in report.transactions] == [("RJCT", "AM04")]


@pytest.mark.parametrize("damage", [b"T000003", b"T0000020000"])
def test_a_file_whose_totals_do_not_hold_is_refused_whole(tmp_path: Path, damage: bytes) -> None:
    """Nothing of it is booked."""
    session = Session(tmp_path)
    outbound = session.send(1, payment(1), payment(2))
    path = tmp_path / "out" / outbound.name
    at = path.read_bytes().rindex(b"T00000")
    content = path.read_bytes()
    path.write_bytes(content[:at] + damage.ljust(12, b"9") + content[at + 12 :])
    session.house.collect()
    (report,) = session.reports()
    assert (report.group_status, report.group_info) == ("RJCT", "E010")
    assert session.house.paid == {}


def test_the_house_is_asked_and_answers_by_the_name_of_the_file(tmp_path: Path) -> None:
    """What never came is not called refused: a person decides."""
    session = Session(tmp_path)
    outbound = session.send(1, payment(1))
    session.house.collect()
    session.house.settle()
    session.received()
    for number, name in ((2, outbound.name), (3, "NCS-TREAKHPP-20261130-000000000099.txt")):
        task = Task(message_id(PROFILE.own_bic, DAY, number), session.now, DAY)
        sent = Sent("M", name, outbound.definition, AT, DAY, (payment(1),), 1, payment(1).amount)
        made = net_clearing.inquire(PROFILE, task, sent, None)  # type: ignore[arg-type]  # nothing is signed
        session.transport.send(Outbound(made.name or "", made.document, made.definition, INQUIRE))
    session.house.collect()
    known, unknown = session.reports()
    assert [t.status for t in known.transactions] == ["ACSC"]
    assert (unknown.group_status, unknown.transactions) == ("BLCK", ())


def test_the_days_statement_adds_up_and_names_our_payments(tmp_path: Path) -> None:
    """Opening and entries come to the closing balance, day after day."""
    session = Session(tmp_path, P2="half")
    session.send(1, payment(1), payment(2))
    session.house.collect()
    session.house.settle()
    session.house.close_day()
    session.house.close_day()
    items = [list(received.statements) for received in session.received() if received.statements is not None]
    for (statement, *entries), closing in zip(items, (9_800_00, 9_800_00), strict=True):
        assert isinstance(statement, Statement)
        assert statement.opening is not None
        moved = sum(entry.amount_minor for entry in entries if isinstance(entry, Entry))
        assert statement.closing == Money(statement.opening.amount_minor + moved, "KHR") == Money(closing, "KHR")
    assert len(items[0]) == 3
