"""A refusal: one rule that an order, a batch or a message breaks. It is a value, not an exception."""

from __future__ import annotations

from dataclasses import replace

from schemas.model.value import Value

SHAPE = 0
"""The rule number of what is wrong before any business rule applies: a missing field, a wrong type."""


class Refusal(Value, frozen=True):
    """One broken rule.

    Attributes:
        rule: the number of the business rule, or ``SHAPE``.
        code: ISO 20022 external reason code.
        path: the field, as its sender wrote it: ``creditor.address.town``, ``orders[12].amount``, ``AppHdr/Fr``.
        message: what is wrong, in words, without any full account number.
    """

    rule: int
    code: str
    path: str
    message: str

    def under(self, prefix: str) -> Refusal:
        """Return the same refusal with its path inside something larger: ``amount`` under ``orders[12]``."""
        return replace(self, path=f"{prefix}.{self.path}" if self.path else prefix)

    def __str__(self) -> str:
        """Return ``AM01 at amount: ... (rule 19)``."""
        rule = f" (rule {self.rule})" if self.rule else ""
        return f"{self.code} at {self.path}: {self.message}{rule}"
