"""What a profile says of matching: which matchers in which order, and what they may tolerate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from adapters.fields import Currency, Listed, MistakeAt, Table
from schemas.model.money import Money

Matcher = Literal[
    "reversal", "reference", "receipts", "batch", "parts", "charges", "sweeps", "free_text", "alike", "subset"
]
"""The names of the matchers, as gateway/core/pipeline.py has them; gateway/core/matchers says what each does."""
DEFAULT_ORDER: tuple[Matcher, ...] = get_args(Matcher)
"""As they stand above: the order that holds where a profile says no other."""
LedgerAccount = Annotated[str, Field(pattern=r"^(charges|interest|differences)$")]


class ToleranceSettings(Table):
    """By how much an entry may differ from its payment, in one currency.

    Attributes:
        absolute: at most so much, as a plain decimal of the currency.
        relative_bp: and at most so many hundredths of a percent of the payment.
        account: where the difference is posted: ``charges``, ``interest`` or ``differences`` of our account.
    """

    absolute: str
    relative_bp: int = Field(ge=0, le=10_000)
    account: LedgerAccount


class MatchingSettings(Table):
    """How statement entries are matched.

    Attributes:
        order: the matchers, the first that knows an entry decides; one that is left out is not asked.
        days: calendar days that an entry may lie before or after its payment, where no reference names it.
        name_score_min: likeness of names, 0 to 100, from which an entry without a reference is matched by itself.
        margin_min: by how much the best candidate is better than the next.
        prefixes: what the bank writes before our references, such as ``REF``.
        charges: the ledger account by bank transaction code (a part of the ISO code, or the bank's own).
        sweeps: bank transaction codes of transfers between our own accounts.
        tolerances: by currency; amounts are equal where none is given.
    """

    order: Listed[tuple[Matcher, ...]] = DEFAULT_ORDER
    days: int = Field(default=5, ge=0, le=31)
    name_score_min: int = Field(default=90, ge=60, le=101)
    margin_min: int = Field(default=8, ge=1, le=100)
    prefixes: Listed[tuple[str, ...]] = ()
    charges: Mapping[str, LedgerAccount] = Field(default_factory=dict)
    sweeps: Listed[tuple[str, ...]] = ("SWEP", "TOPG", "ZABA")
    tolerances: Mapping[Currency, ToleranceSettings] = Field(default_factory=dict)

    @model_validator(mode="after")
    def order_names_each_once(self) -> Self:
        """A matcher that is asked twice says the same twice; without references nothing is safe."""
        if len(set(self.order)) != len(self.order):
            raise MistakeAt(("order",), "a matcher stands here twice")
        if "reference" not in self.order:
            raise MistakeAt(("order",), "reference is missing: what names its payment has to be matched by that")
        return self

    @model_validator(mode="after")
    def tolerances_are_amounts(self) -> Self:
        """A tolerance is an amount of its currency, and not below zero."""
        for currency in self.tolerances:
            try:
                minor = self.absolute_minor(currency)
            except ValueError as error:
                raise MistakeAt(("tolerances", currency, "absolute"), str(error)) from error
            if minor < 0:
                raise MistakeAt(("tolerances", currency, "absolute"), "a tolerance is not below zero")
        return self

    def absolute_minor(self, currency: str) -> int:
        """Return the largest difference in a currency that has a tolerance, in minor units."""
        return Money.parse(self.tolerances[currency].absolute, currency).amount_minor
