"""The routes as an operator writes them: ``[[routes]]`` in the gateway's configuration (docs/routing.md)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from adapters.fields import Currency, Listed, ShortName, Table, Text
from adapters.payment_settings import Bank, Country
from adapters.toml import Location, read
from gateway.core.routing import Route
from schemas.errors import ConfigurationError
from schemas.model.money import Money

Code = Annotated[str, Field(pattern=r"^[A-Z0-9]{1,4}$")]
"""An external code of ISO 20022: a purpose, or a category purpose."""


class RouteSettings(Table):
    """One route. A condition that is left out holds for every payment.

    Attributes:
        name: what explanations call it.
        to: profiles, the wanted one first, then its fallbacks.
        currencies: ISO 4217 codes.
        amount_from, amount_to: plain decimals, both included; they need exactly one currency.
        creditor_banks: BICs of eight characters.
        creditor_countries: ISO 3166 codes; of the creditor's address, else of the creditor's bank.
        purposes, category_purposes: external codes.
        sources: names of source systems.
        kinds: ``customer``, ``institution``, ``return``.
        urgency: ``normal`` or ``high``.
        before_cut_off: whether the first profile in ``to`` can still be reached on the payment's day.
        channel_up: whether its channel is neither held nor down.
    """

    model_config = ConfigDict(strict=False)

    name: Text
    to: Annotated[Listed[tuple[ShortName, ...]], Field(min_length=1)]
    currencies: Listed[tuple[Currency, ...]] = ()
    amount_from: str | None = None
    amount_to: str | None = None
    creditor_banks: Listed[tuple[Bank, ...]] = ()
    creditor_countries: Listed[tuple[Country, ...]] = ()
    purposes: Listed[tuple[Code, ...]] = ()
    category_purposes: Listed[tuple[Code, ...]] = ()
    sources: Listed[tuple[ShortName, ...]] = ()
    kinds: Listed[tuple[Literal["customer", "institution", "return"], ...]] = ()
    urgency: Literal["normal", "high"] | None = None
    before_cut_off: bool | None = None
    channel_up: bool | None = None

    def route(self) -> Route:
        """Return the route as the core has it.

        Raises:
            ValueError: an amount is none of its currency.
        """
        return Route(
            self.name, self.to, frozenset(self.currencies), self.minor(self.amount_from), self.minor(self.amount_to),
            frozenset(self.creditor_banks), frozenset(self.creditor_countries), frozenset(self.purposes),
            frozenset(self.category_purposes), frozenset(self.sources), frozenset(self.kinds), self.urgency,
            self.before_cut_off, self.channel_up,
        )  # fmt: skip

    def minor(self, text: str | None) -> int | None:
        """Return an amount of this route's one currency in minor units."""
        return None if text is None else Money.parse(text, self.currencies[0]).amount_minor


def mistakes_in(routes: Sequence[RouteSettings], sources: Collection[str]) -> Iterator[tuple[Location, str]]:
    """Yield what is wrong with the routes by themselves: where it stands, and why."""
    before: list[Route] = []
    for index, settings in enumerate(routes):
        place = ("routes", index)
        for key in ("amount_from", "amount_to"):
            text = getattr(settings, key)
            if text is not None and len(settings.currencies) != 1:
                yield (*place, key), "an amount without a currency; name exactly one in currencies"
                return
            try:
                settings.minor(text)
            except ValueError as error:
                yield (*place, key), str(error)
                return
        route = settings.route()
        if route.amount_to_minor is not None and route.amount_to_minor < (route.amount_from_minor or 0):
            yield (*place, "amount_to"), "is below amount_from: no payment can match"
        if len(set(route.to)) != len(route.to):
            yield (*place, "to"), "names a profile twice"
        for name in sorted(route.sources - set(sources)):
            yield (*place, "sources"), f"there is no source {name!r} under [sources]"
        if any(other.name == route.name for other in before):
            yield (*place, "name"), f"another route is called {route.name!r} as well"
        above = next((other for other in before if other.covers(route)), None)
        if above is not None:
            yield place, f"never reached: every payment that matches it matches {above.name!r} above it"
        before.append(route)


def unknown_profiles(routes: Sequence[RouteSettings], known: Collection[str]) -> Iterator[tuple[Location, str]]:
    """Yield the profiles that routes lead to and that are not in use: where each stands, and why it is wrong."""
    for index, settings in enumerate(routes):
        for profile in settings.to:
            if profile not in known:
                said = f"there is no profile {profile!r} in use; there are {', '.join(sorted(known)) or 'none'}"
                yield ("routes", index, "to"), said


def profile_names(folders: Sequence[Path], used: Collection[str]) -> set[str]:
    """Return the names of the profiles in use: those that are named, of any folder, or else all of the first one.

    What else is wrong with them, others say.
    """
    found: set[str] = set()
    for path in (path for folder in (folders if used else folders[:1]) for path in folder.glob("*.toml")):
        try:
            data: Mapping[str, object] = read(path).data
        except ConfigurationError:
            continue
        found.add(str(data.get("name", "")))
    return found & set(used) if used else found
