"""The longest texts, in characters, that ISO 20022 gives to the fields of a payment, and therefore of an order."""

from __future__ import annotations

IDENTIFIER = 35
"""Max35Text: ids, towns."""
NAME = 140
STREET = 70
BUILDING = 16
POST_CODE = 16
TOWN = 35
ADDRESS_LINE = 70
ADDRESS_LINES = 2
"""A hybrid address has at most two free lines (rule 44)."""
ACCOUNT = 34
REMITTANCE_LINE = 140
STRUCTURED_REMITTANCE = 9000
"""All structured remittance of a payment together (rule 49)."""
CREDITOR_REFERENCE = 35
CLEARING_SYSTEM = 5
REGULATORY_CODE = 10
REGULATORY_LINE = 35
INTERMEDIARY_AGENTS = 3
MAKER = 140
REASON = 4
"""An external reason code."""
REASON_INFO = 105
"""A line of additional information of a reason."""
SOURCE = 35
