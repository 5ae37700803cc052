"""Rails on which each transfer is a message of its own and money comes in the same way: ``[instant]`` of a profile.

How such a rail names banks and refunds is not published everywhere; what is assumed of it stands in the profile.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from adapters.fields import Table

Bank = Annotated[str, Field(pattern=r"^[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}$")]
"""The first eight characters of a BIC."""
Participant = Annotated[str, Field(pattern=r"^[A-Z0-9]{1,11}$")]


class InstantSettings(Table):
    """Transfers one by one.

    Attributes:
        participants: the bank's code on this rail, where it is not the first eight characters of its BIC.
        refund_purpose: Purp/Cd of a transfer that gives another one back.
        refund_names: where such a transfer names the one that it gives back: in its EndToEndId, or in the first line
            of its remittance.
    """

    participants: Mapping[Bank, Participant] = Field(default_factory=dict)
    refund_purpose: Annotated[str, Field(pattern=r"^[A-Z0-9]{4}$")] = "REFU"
    refund_names: Literal["end_to_end_id", "remittance"] = "end_to_end_id"
