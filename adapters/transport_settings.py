"""How a bank is reached, from the ``[transport]`` table of its profile; ``kind`` says which of these it is.

Each says of itself whether it is ``idempotent``: the same document under the same name, handed over twice, is one to
the bank's side. Where it is not, nothing is ever handed over twice without two people. And each says how long one
handover may take at the bank's slowest (``handover_s``): nobody else takes the message as long as that.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from adapters.fields import Table
from adapters.file_settings import FolderSettings, SftpSettings
from adapters.web_settings import HttpsSettings, SoapSettings


class BusSettings(Table):
    """A bank on the message broker: a pair of queues, ``bank.<profile>.out`` and ``bank.<profile>.in``."""

    kind: Literal["bus"] = "bus"

    @property
    def idempotent(self) -> bool:
        """A bank on the bus knows a message by its MsgId, however often it comes."""
        return True

    @property
    def handover_s(self) -> float:
        """Nobody waits for a bank on the bus."""
        return 0.0


TransportSettings = Annotated[
    BusSettings | FolderSettings | SftpSettings | HttpsSettings | SoapSettings, Field(discriminator="kind")
]
"""One of the kinds."""


def missing(transport: TransportSettings, operation: str) -> str | None:
    """Return the key of a profile that is missing for handing something over for this; None: nothing is.

    On the bus and in folders every document goes the one way.
    """
    if isinstance(transport, HttpsSettings) and all(one != operation for one in transport.paths):
        return f"transport.paths.{operation}"
    if isinstance(transport, SoapSettings) and all(one != operation for one in transport.operations):
        return f"transport.operations.{operation}"
    return None
