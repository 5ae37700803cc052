"""The table of routes as an operator writes it: its document's example works, and mistakes are said with their line."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.app import Gateway
from gateway.clock import ManualClock
from gateway.config import load
from gateway.core.routing import Asked, Decision, Now
from schemas.errors import ConfigurationError
from schemas.model.money import Money
from tests.gateway.flow.stand import DAY, QUIET, RIEL, START
from tests.gateway.flow.test_rerouting import two_rails

DOCUMENT = Path(__file__).parents[2] / "docs" / "routing.md"
SOURCE = """
[sources.fmis]
keys = [{ kid = "fmis-2026", file = "fmis.pem" }]
accounts = ["000100000001"]
"""


def example() -> str:
    """Return the routes of the document."""
    text = DOCUMENT.read_text(encoding="utf-8")
    return text.partition("<!-- example -->")[2].partition("```toml\n")[2].partition("```")[0]


def write(folder: Path, routes: str) -> Path:
    """Write a configuration with both rails and these routes; return the file."""
    two_rails(folder / "profiles")
    path = folder / "gateway.toml"
    path.write_text('profiles_folder = "profiles"\n' + routes + SOURCE, encoding="utf-8")
    return path


def decide(gateway: Gateway, hour: int = 2, **changes: object) -> Decision:
    """Return the decision over a payment of 1,000 riel for today, at an hour of UTC."""
    fields: dict[str, object] = {
        "source": "fmis", "account": RIEL, "amount": Money.parse("1000", "KHR"), "day": DAY, "creditor_country": "KH",
    }  # fmt: skip
    asked = Asked(**{**fields, **changes})  # type: ignore[arg-type]  # fields of the test's own
    return gateway.policy.routing.decide(asked, Now(START.replace(hour=hour)))


def test_the_example_of_the_document_routes_as_it_says(tmp_path: Path) -> None:
    """An operator starts from it."""
    gateway = Gateway(load(write(tmp_path, example())), QUIET, ManualClock(START))
    small = decide(gateway)
    assert (small.route, small.chosen, small.profiles) == ("small riel", "fast", ("fast", "central-bank"))
    late = decide(gateway, hour=10)
    assert (late.route, late.chosen) == ("everything else", "central-bank")
    assert [look.reason for look in late.looked if look.route == "small riel"] == [
        "fast is closed for KHR on its day"
    ]  # fmt: skip
    large = decide(gateway, amount=Money.parse("40000000", "KHR"))
    assert (large.route, large.profiles) == ("urgent or large", ("central-bank",))
    salary = decide(gateway, category_purpose="SALA", amount=Money.parse("5001", "KHR"))
    assert (salary.route, salary.chosen) == ("salaries", "central-bank")
    assert salary.passed_over == (("fast", "KHR 5001.00 is above its limit of KHR 5000.00"),)


ALL = '[[routes]]\nname = "all"\nto = ["fast"]\n'


@pytest.mark.parametrize(
    ("routes", "line", "said"),
    [
        ('[[routes]]\nname = "a"\nto = ["slow"]\n', 4, "routes.0.to: there is no profile 'slow' in use; there are"),
        ('[[routes]]\nname = "a"\nto = []\n', 4, "routes.0.to: "),
        ('[[routes]]\nname = "a"\nto = ["fast", "fast"]\n', 4, "routes.0.to: names a profile twice"),
        ('[[routes]]\nname = "a"\nto = ["fast"]\namount_to = "5"\n', 5, "routes.0.amount_to: an amount without a curr"),
        (
            '[[routes]]\nname = "a"\nto = ["fast"]\ncurrencies = ["KHR"]\namount_to = "5e3"\n', 6,
            "routes.0.amount_to: AM12",
        ),
        (
            '[[routes]]\nname = "a"\nto = ["fast"]\ncurrencies = ["KHR"]\namount_from = "6"\namount_to = "5"\n', 7,
            "routes.0.amount_to: is below amount_from",
        ),
        ('[[routes]]\nname = "a"\nto = ["fast"]\nsources = ["tax"]\n', 5, "routes.0.sources: there is no source 'tax'"),
        ('[[routes]]\nname = "a"\nto = ["fast"]\ncolour = "red"\n', 5, "routes.0.colour: unknown key"),
        (ALL + '\n[[routes]]\nname = "b"\nto = ["fast"]\nurgency = "high"\n', 6, "routes.1: never reached: every pay"),
        (
            '[[routes]]\nname = "a"\nto = ["fast"]\nurgency = "high"\n[[routes]]\nname = "a"\nto = ["fast"]\n', 7,
            "routes.1.name: another route is called 'a' as well",
        ),
    ],
)  # fmt: skip
def test_a_mistake_in_a_route_is_said_with_its_line(tmp_path: Path, routes: str, line: int, said: str) -> None:
    """A payment never takes a way by a misspelling."""
    path = write(tmp_path, routes)
    with pytest.raises(ConfigurationError) as refused:
        load(path)
    first = str(refused.value).splitlines()[0]
    assert first.startswith(f"{path}:{line}: {said}"), first
