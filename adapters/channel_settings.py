"""How much is under way to a bank at once, when it counts as down, and how it is asked what became of a payment."""

from __future__ import annotations

from pydantic import Field

from adapters.fields import Table


class ChannelSettings(Table):
    """The channel to a bank.

    Attributes:
        outstanding_max: messages without an answer from which on nothing more is composed for this bank.
        failures_max: handovers in a row that failed, after which the channel is down.
        down_s: seconds for which it is down the first time; twice as long each time that it is still down then.
        down_s_max: never longer than this.
        inquire_after_s: seconds without an answer, once in doubt, until the bank is asked; None: it is never asked.
        inquire_every_s: seconds between two inquiries of one message.
        inquiries_max: inquiries of one message, after which a person decides.
        confirms_recalls: an accepted recall of the bank is answered (camt.029, CNCL) beside the return; else the return
            is all that it wants. Where the bank takes no answers at all, this is false and nothing has to lead to it.
        poll_s: seconds between two looks for what the bank has to say.
    """

    outstanding_max: int = Field(default=1_000, ge=1)
    failures_max: int = Field(default=5, ge=1, le=100)
    down_s: int = Field(default=30, ge=1, le=3_600)
    down_s_max: int = Field(default=900, ge=1, le=86_400)
    inquire_after_s: int | None = Field(default=None, ge=1)
    inquire_every_s: int = Field(default=900, ge=1)
    inquiries_max: int = Field(default=5, ge=0, le=100)
    confirms_recalls: bool = True
    poll_s: float = Field(default=15.0, ge=0.05, le=86_400)
