"""The commands of what is in flight: what is printed, what JSON says, and every way to get it wrong."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.model.money import Money
from schemas.model.status import RecallRequest
from simulators.bank_letters import Envelope, Letters
from simulators.behaviour import Behaviour
from simulators.government import Government
from simulators.stage import PROFILE
from tests.gateway.cli.conftest import Office


def three(government: Government) -> list[Any]:
    """Return three supplier orders."""
    return list(government.singles(list(government.suppliers(3))))


def test_channels_are_listed_held_and_released(office: Office) -> None:
    """Who holds a channel, and why, is what the next person needs to know."""
    (channel,) = office.json("channels", "list")
    assert (channel["profile"], channel["transport"], channel["health"]) == ("central-bank", "bus", "up")
    office.ok("channels", "hold", "central-bank", "--reason", "asked by the bank", "--by", "chief")
    printed = office.ok("channels", "list")
    assert "held" in printed
    assert "asked by the bank" in printed
    assert "held already, by chief" in office.refused(
        "channels", "hold", "central-bank", "--reason", "x", "--by", "olga"
    )
    office.ok("channels", "release", "central-bank", "--by", "olga")
    assert "is not held" in office.refused("channels", "release", "central-bank")
    assert "there is no channel 'nowhere'" in office.refused("channels", "hold", "nowhere", "--reason", "x")
    assert "needs a reason" in office.refused("channels", "hold", "central-bank")


def test_a_payment_at_the_bank_is_asked_back(office: Office) -> None:
    """The case's number is what one quotes on the telephone."""
    office.day(three, answer=False)
    first = office.json("payments", "list")[0]["id"]
    made = office.json("cancel", first, "--reason", "DUPL", "--info", "ordered twice", "--by", "olga")
    assert (made["outcome"], made["case_id"]) == ("asked", "RC000000000001")
    (case,) = office.json("recalls", "list")
    assert (case["state"], case["reason"], case["asked_by"]) == ("ASKED", "DUPL", "olga")
    assert "RC000000000001" in office.ok("recalls", "list")
    assert "no cancellation reason" in office.refused("cancel", first, "--reason", "why")
    assert "there is no payment" in office.refused("cancel", "nobody", "--reason", "DUPL")


def test_what_is_not_in_doubt_is_not_decided(office: Office) -> None:
    """While the bank may still answer, people have no say."""
    office.day(three)
    first = office.json("payments", "list")[0]["id"]
    assert "not in doubt" in office.refused("doubt", "settle", first, "--reason", "heard so")
    assert "needs a reason" in office.refused("doubt", "reject", first)
    assert "not in doubt" in office.refused("doubt", "confirm", first)
    assert office.json("doubt", "list") == []
    assert "nothing is in doubt" in office.ok("doubt", "list")


def test_a_rejected_payment_says_what_to_do_about_it(office: Office) -> None:
    """What the bank's code means, the next step, the command for it; and once that is done, what it was done with."""
    office.day(three, Behaviour(rejections={"AC01": 1.0}))
    first = office.json("payments", "list")[0]
    printed = office.ok("payments", "show", first["id"])
    for said in (
        "AC01: account number incorrect",
        "correct the account number",
        f"gateway reissue {first['id']} --set",
    ):
        assert said in printed
    made = office.json("reissue", first["id"], "--set", "creditor_account.number=000200000001", "--reason", "a letter")
    printed = office.ok("payments", "show", first["id"])
    assert f"{made['order_id']} (payment {made['payment']}), HELD" in printed
    assert "gateway reissue" not in printed
    assert f"{first['order_id']} (payment {first['id']}), REJECTED" in office.ok("payments", "show", made["payment"])


def test_a_payment_that_came_back_says_what_to_do_about_it(office: Office) -> None:
    """A return has its next step too."""
    office.day(three, Behaviour(returns={"AC04": 1.0}, return_days_max=0))
    back = office.json("payments", "list", "--state", "RETURNED")[0]
    after = office.json("payments", "show", back["id"])["aftermath"]
    assert after["advice"]["step"] == "get the payee's new account; do not retry"
    assert after["to_do"].startswith(f"gateway reissue {back['id']} ")


def test_a_payment_that_is_asked_back_shows_its_case(office: Office) -> None:
    """Until the bank has answered it; the case's number is what both sides know it by."""
    office.day(three, answer=False)
    asked = office.json("payments", "list")[0]["id"]
    case = office.json("cancel", asked, "--reason", "DUPL", "--info", "twice", "--by", "olga")["case_id"]
    printed = office.ok("payments", "show", asked)
    assert f"recall {case}" in printed
    assert "ASKED: DUPL, asked by olga" in printed


@pytest.mark.parametrize("said", ["creditor_account.number", "=5", ""])
def test_a_correction_is_a_field_and_its_value(office: Office, said: str) -> None:
    """A typing mistake corrects nothing."""
    office.day(three)
    first = office.json("payments", "list")[0]["id"]
    assert "write FIELD=VALUE" in office.refused("reissue", first, "--set", said, "--reason", "x")
    assert "only what was rejected or came back" in office.refused("reissue", first, "--reason", "x")


def asked_back(office: Office) -> None:
    """Let the bank ask for a transfer back that nobody here knows."""
    gateway = office.gateway()
    profile = gateway.profiles[PROFILE]
    letters = Letters(
        "NCAMKHPP", "TREAKHPP", office.stage.bank_key, Envelope(*profile.message.envelope), office.clock.now
    )  # fmt: skip
    uetr = "11111111-1111-4111-8111-111111111111"
    request = RecallRequest(
        "", "ABA-CASE-1", "DUPL", None, None, None, uetr=uetr, amount=Money(50_000, "KHR")
    )  # fmt: skip
    inbound = gateway.inbound("inbound.test", profile)
    assert [state for _, state in inbound.take([letters.recall(request)])] == ["APPLIED"]
    gateway.close()


def test_what_a_bank_asks_back_is_answered_by_two_people(office: Office) -> None:
    """Listed, shown, proposed, rejected once, and confirmed by its SHA-256."""
    asked_back(office)
    (line,) = office.json("recalls", "list", "--of-banks")
    assert (line["case_id"], line["state"], line["amount"]["amount"]) == ("ABA-CASE-1", "OPEN", "500.00")
    assert "ABA-CASE-1" in office.ok("recalls", "list")
    assert "no statement shows it" in office.ok("recalls", "show", "ABA-CASE-1")
    assert "no bank has asked for" in office.refused("recalls", "show", "NOTHING")
    answer = ("recalls", "answer", "ABA-CASE-1")
    assert "say one of" in office.refused(*answer)
    assert "--reason is of a refusal" in office.refused(*answer, "--accept", "--reason", "CUST")
    assert "no statement shows" in office.refused(*answer, "--accept", "--by", "sophea")
    assert "refuses no recall" in office.refused(*answer, "--refuse", "--by", "sophea")
    refuse = (*answer, "--refuse", "--reason", "NOOR", "--by", "sophea")
    assert "another person" in office.ok(*refuse)
    assert "ask the bank" not in office.ok("recalls", "reject", "1", "--reason", "ask the bank", "--by", "dara")
    sha256 = office.json(*refuse)["sha256"]
    confirm = ("recalls", "confirm", "1", "--sha256", sha256)
    assert "another person must" in office.refused(*confirm, "--by", "sophea")
    assert "the answer leaves next" in office.ok(*confirm, "--by", "dara")
    shown = office.json("recalls", "show", "1")["request"]
    assert (shown["state"], shown["verdict"], shown["maker"], shown["approver"]) == (
        "REFUSED", "RJCR", "sophea", "dara",
    )  # fmt: skip
    office.ok("audit", "verify")
