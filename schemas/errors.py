"""The error tree of the whole project.

Expected outcomes (a refused order, a duplicate, an unmatched entry) are values. These exceptions are for input
that cannot be used at all and for broken infrastructure; each carries what was wrong, where, and what to do.

    GatewayError
    +-- InputError                 somebody else's bytes are wrong; retrying does not help
    |   +-- DocumentRefused        a bank document (or what claims to be one): reason code, path or byte offset
    |   |   +-- SignatureRefused   the signature or its key: DS0A .. DS0H
    |   +-- OrderMessageRefused    a whole message of a source system: reason code, path
    +-- ConfigurationError         a profile, a setting or a key file: file and line or key
    +-- Unavailable                a server is away for now: wait and try again
    |   +-- StoreUnavailable
    |   +-- BusUnavailable
    |   +-- KeyUnavailable         no key can sign: a person has to install or renew one
    |   +-- ChannelUnavailable     a bank cannot be reached: nothing was handed over
    +-- HandoverUnknown            the connection broke when a handover had begun: the bank may have it, or not
    +-- HandoverRefused            the bank's side took nothing, and said so: code, and whether it has it already
    +-- ArchiveDamaged             a kept document is gone or no longer the bytes of its name
    +-- Conflict                   another worker was first: run the step again
    +-- OperationRefused           a person asked for what may not be done: what, why, and what to do instead
"""

from __future__ import annotations


class GatewayError(Exception):
    """The gateway could not do what was asked."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").strip().splitlines()[0])


class InputError(GatewayError):
    """The input cannot be used.

    Args:
        message: what was wrong, in words, without any secret or full account number.
        code: an ISO external reason code, or a code of the project where ISO has none.
        path: where: an XPath-like path, a JSON path, ``line 12`` or ``byte 1024``.
    """

    def __init__(self, message: str | None = None, *, code: str = "FF01", path: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.path = path

    def __str__(self) -> str:
        """Return ``code at path: message``."""
        where = f" at {self.path}" if self.path else ""
        return f"{self.code}{where}: {super().__str__()}"


class DocumentRefused(InputError):
    """The document is not one that this gateway reads."""


class SignatureRefused(DocumentRefused):
    """The signature does not hold."""


class OrderMessageRefused(InputError):
    """The order message cannot be taken."""


class ConfigurationError(GatewayError):
    """The configuration is wrong."""


class OperationMissing(ConfigurationError):
    """The profile has no way to hand a document over for what it is: nothing was, and the others have theirs."""


class Unavailable(GatewayError):
    """A server that the gateway needs is away."""


class StoreUnavailable(Unavailable):
    """The database cannot be reached."""


class BusUnavailable(Unavailable):
    """The message broker cannot be reached."""


class KeyUnavailable(Unavailable):
    """No key can sign."""


class ChannelUnavailable(Unavailable):
    """A bank cannot be reached: nothing was handed over."""


class HandoverUnknown(GatewayError):
    """Nobody can tell whether the bank has what was being handed over: it is in doubt, and never simply sent anew."""


class HandoverRefused(GatewayError):
    """The bank's side took nothing, and said so.

    Args:
        message: what it said, without any secret or full account number.
        code: an ISO external reason code, or the transport's own (``HTTP 422``, ``SOAP Client``).
        known: it refused because it has something of this name already.
        absent: it was asked about something that it never had.
    """

    def __init__(
        self, message: str | None = None, *, code: str = "NARR", known: bool = False, absent: bool = False
    ) -> None:
        super().__init__(message)
        self.code = code
        self.known = known
        self.absent = absent

    def __str__(self) -> str:
        """Return ``code: message``."""
        return f"{self.code}: {super().__str__()}"


class ArchiveDamaged(GatewayError):
    """A document in the archive is not what was stored."""


class Conflict(GatewayError):
    """Another worker changed the same rows first; the step is run again."""


class OperationRefused(GatewayError):
    """What was asked for may not be done."""
