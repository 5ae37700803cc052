"""Over which rail payments leave, as an operator asks for it."""

from __future__ import annotations

import json
from typing import Any

from simulators.government import Government
from tests.gateway.cli.conftest import Office

ROUTES = """
[[routes]]
name = "large riel"
to = ["central-bank"]
currencies = ["KHR"]
amount_from = "1000000"

[[routes]]
name = "everything else"
to = ["central-bank"]
"""


def one(government: Government) -> list[Any]:
    """Return one supplier order."""
    return list(government.singles(list(government.suppliers(1))))


def add_routes(office: Office) -> None:
    """Write routes into the configuration."""
    path = office.home / "gateway.toml"
    path.write_text(path.read_text(encoding="utf-8") + ROUTES, encoding="utf-8")


def test_without_routes_every_payment_leaves_over_its_accounts_home(office: Office) -> None:
    """Nothing has to be configured."""
    office.day(one, answer=False)
    assert "none: each payment leaves over the home of its account" in office.ok("route", "list")
    said = office.ok("route", "explain", "1")
    assert "goes over central-bank" in said
    assert "no route matches: the account's home, central-bank" in said


def test_a_decision_names_every_route_that_was_looked_at(office: Office) -> None:
    """Whoever asks why gets an answer, also about an order that nobody has submitted yet."""
    office.day(one, answer=False)
    body = office.json("payments", "show", "1")["order"]
    add_routes(office)
    assert "currencies KHR; amount from 1000000" in office.ok("route", "list")
    (found,) = office.json("route", "explain", "1")
    assert found["decision"]["chosen"] == "central-bank"
    assert found["decision"]["looked"][0]["route"] == "large riel"
    file = office.home / "orders.ndjson"
    small = body | {"amount": "5", "currency": "KHR", "debtor_account": {"number": "000100000001"}}
    file.write_text(f"{json.dumps(small)}\n{{}}\n", encoding="utf-8")
    result = office.run("route", "explain", file, "--source", "fmis")
    assert result.exit_code == 1
    said = result.stdout
    assert "route large riel: does not match: KHR 5.00 is below KHR 1000000.00" in said
    assert "chosen: central-bank; no fallback" in said
    assert "maker: is missing" in said
    assert "--source" in office.refused("route", "explain", file)


def test_a_wrong_order_or_file_is_called_wrong_in_the_words_of_submit(office: Office) -> None:
    """Not that the account is not ours, where it is, and not that there is no payment of the name of a file."""
    office.day(one, answer=False)
    body = office.json("payments", "show", "1")["order"]
    euros = body | {"currency": "EUR", "amount": "5.00"}
    foreign, nothing = (
        body | {"debtor_account": {"number": "999"}},
        {name: body[name] for name in body if name != "maker"},
    )
    file = office.home / "orders.ndjson"
    file.write_text("".join(f"{json.dumps(order)}\n" for order in (euros, foreign, nothing)), encoding="utf-8")
    said = office.run("route", "explain", file, "--source", "fmis").stdout
    assert "the debtor account is not kept in EUR" in said
    assert said.count("the account is not ours") == 1
    assert "maker: is missing" in said
    empty = office.home / "empty.ndjson"
    empty.touch()
    assert "no orders in empty.ndjson" in office.refused("route", "explain", empty, "--source", "fmis")
    assert "is a folder" in office.refused("route", "explain", office.home)
    assert "there is no file absent.csv" in office.refused("route", "explain", "absent.csv")
    assert "there is no payment" in office.refused("route", "explain", "absent")
