"""Who we are in a request, above TLS: a signature with a shared key, or a token of OAuth 2.0."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from adapters.web_settings import HmacSettings, OauthSettings
from schemas.errors import ChannelUnavailable

if TYPE_CHECKING:
    from adapters.transports import Vault

LIFETIME_DEFAULT_S = 300
"""How long a token is taken to hold when its server does not say (RFC 6749, 5.1 only recommends that it does)."""
LIFETIME_MAX_S = 86_400
LIFETIME_DIGITS_MAX = 9
"""Digits of one that is written as a text; more say no more than that it is too long."""


class Signer:
    """Signs requests with a key that the bank shares with us.

    Raises:
        ConfigurationError: the vault has no such key.
    """

    def __init__(self, settings: HmacSettings, vault: Vault, now: Callable[[], datetime]) -> None:
        self._settings = settings
        self._key = vault.secret(settings.key)
        self._now = now

    def headers(self, method: str, path: str, name: str, body: bytes) -> dict[str, str]:
        """Return the headers that sign a request."""
        settings = self._settings
        moment = self._now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        parts = {
            "method": method,
            "path": path,
            "timestamp": moment,
            "name": name,
            "body_sha256": hashlib.sha256(body).hexdigest(),
        }
        text = "\n".join(parts[one] for one in settings.signed).encode("utf-8")
        digest = hmac.digest(self._key, text, settings.digest)
        signature = digest.hex() if settings.written == "hex" else base64.b64encode(digest).decode("ascii")
        found = {settings.header: signature}
        if settings.timestamp_header is not None:
            found[settings.timestamp_header] = moment
        return found


class Tokens:
    """The token of the moment: kept, and renewed before it expires.

    Args:
        settings: where it is issued, and to whom.
        vault: where the client's name and secret are.
        now: the present moment.
        ask: posts a form to an address and returns the answer of status 200.

    Raises:
        ConfigurationError: the vault has no such secret.
    """

    def __init__(
        self,
        settings: OauthSettings,
        vault: Vault,
        now: Callable[[], datetime],
        ask: Callable[[str, Mapping[str, str]], bytes],
    ) -> None:
        self._settings = settings
        self._client = vault.secret(settings.client_id).decode("utf-8")
        self._secret = vault.secret(settings.client_secret).decode("utf-8")
        self._now, self._ask = now, ask
        self._token: str | None = None
        self._until = datetime.min.replace(tzinfo=UTC)

    def current(self) -> str:
        """Return a token that holds now.

        Raises:
            ChannelUnavailable: none can be had.
        """
        if self._token is None or self._now() >= self._until:
            self._renew()
        assert self._token is not None, "renewed, or an error was raised"
        return self._token

    def forget(self) -> None:
        """Forget the token: the bank did not take it."""
        self._token = None

    def _renew(self) -> None:
        asked = self._now()
        form = {
            "grant_type": "client_credentials",
            "client_id": self._client,
            "client_secret": self._secret,
        }
        if self._settings.scope is not None:
            form["scope"] = self._settings.scope
        said = _object(self._ask(self._settings.token_url, form))
        token, kind = said.get("access_token"), said.get("token_type", "Bearer")
        usable = isinstance(token, str) and token.isascii() and token.isprintable() and " " not in token and token
        if not usable or str(kind).lower() != "bearer":
            raise ChannelUnavailable("no token: the server's answer holds no bearer token")
        held = max(0, min(_seconds(said.get("expires_in")), LIFETIME_MAX_S) - self._settings.renew_before_s)
        self._token, self._until = str(token), asked + timedelta(seconds=held)


def _seconds(lifetime: object) -> int:
    """Return how long a token holds by what its server says: a whole number, or a few ASCII digits."""
    if isinstance(lifetime, int) and not isinstance(lifetime, bool) and lifetime >= 0:
        return lifetime
    if isinstance(lifetime, str) and lifetime.isascii() and lifetime.isdigit() and len(lifetime) <= LIFETIME_DIGITS_MAX:
        return int(lifetime)
    return LIFETIME_DEFAULT_S


def _object(answer: bytes) -> dict[str, Any]:
    """Read a JSON object."""
    try:
        found = json.loads(answer)
    except (ValueError, RecursionError) as error:
        raise ChannelUnavailable("no token: the server's answer is not JSON") from error
    if not isinstance(found, dict):
        raise ChannelUnavailable("no token: the server's answer is not a JSON object")
    return found
