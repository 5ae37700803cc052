"""One connection to RabbitMQ in a thread of its own, which opens it again whenever it is lost.

The thread does nothing but input and output, so heartbeats are answered however long the caller works on a batch.
Whoever owns the link (a consumer, a publisher) is told on that thread when a channel is open and when it is lost;
everything it does to the channel must run there too, by ``run``.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import pika
import pika.exceptions
import structlog
import tenacity
from pika.adapters.select_connection import IOLoop
from pika.adapters.utils.connection_workflow import AMQPConnectorException

from gateway.bus.amqp_message import bound
from gateway.bus.base import BODY_LIMIT_BYTES
from schemas.errors import ConfigurationError

LIBRARY_ERRORS = (pika.exceptions.AMQPError, AMQPConnectorException, OSError)
"""What pika and the sockets below it raise; nothing of it leaves gateway.bus."""

NOT_FOUND = 404
"""AMQP: there is no such queue or exchange."""

_ADDRESS = "the broker's address is not amqp://user:password@host:port/vhost, or amqps://... with TLS"

_CLOSING_S = 3.0
"""How long a clean end may take before the connection is cut."""

_CUTTING_S = 0.5
"""How long a cut connection may take to close its socket."""

# A refused connection is a state, which this module reports in one line; pika reports it in nine, at error level.
logging.getLogger("pika").setLevel(logging.CRITICAL)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """How to reach the broker, and how patient to be with it.

    Attributes:
        url: ``amqp://user:password@host:port/vhost`` or ``amqps://...``; pika's query parameters work too.
        heartbeat_s: the broker or the gateway is taken for dead after two of them without a sign of life.
        connect_s: how long opening a connection may take.
        blocked_s: how long the broker may refuse to take anything (its memory or disk alarm).
        confirm_s: how long the broker may leave a publication without any answer.
        patience_s: how long a publisher waits for a connection before it says that the broker is away.
        reconnect_s_max: the longest pause between two attempts; they grow up to it, with jitter.
        body_limit_bytes: larger bodies are neither sent nor kept.
    """

    url: str = field(repr=False)
    heartbeat_s: int = 60
    connect_s: float = 10.0
    blocked_s: float = 60.0
    confirm_s: float = 30.0
    patience_s: float = 5.0
    reconnect_s_max: float = 10.0
    body_limit_bytes: int = BODY_LIMIT_BYTES

    @property
    def where(self) -> str:
        """Host and port, for people: the address itself holds a password."""
        parameters = self.parameters("address")
        return f"{parameters.host}:{parameters.port}"

    def parameters(self, name: str) -> pika.URLParameters:
        """Return pika's parameters of a connection; its name is what the broker's administrator sees.

        Raises:
            ConfigurationError: the address is none.
        """
        try:
            parameters = pika.URLParameters(self.url)
        except (ValueError, TypeError) as error:
            # The address holds a password, and the library's message may hold the address.
            raise ConfigurationError(_ADDRESS) from error
        if not self.url.startswith(("amqp://", "amqps://")):
            raise ConfigurationError(_ADDRESS)
        parameters.heartbeat = self.heartbeat_s
        parameters.blocked_connection_timeout = self.blocked_s
        parameters.socket_timeout = self.connect_s
        parameters.stack_timeout = self.connect_s
        parameters.connection_attempts = 1
        parameters.client_properties = {"connection_name": name}
        return parameters


class Owner(Protocol):
    """What a link works for. All calls come on the link's thread."""

    def channel_opened(self, channel: Any) -> None:
        """Prepare the new channel and call the link's ``ready`` when that is done."""

    def channel_lost(self, cause: str) -> None:
        """Forget whatever belonged to the channel; called with ``changed`` held."""


class Link:
    """A connection that comes back by itself.

    Args:
        settings: see :class:`LinkSettings`.
        name: for logs and for the broker's administrator.
        owner: who uses the channel.

    Attributes:
        changed: guards the state below and the owner's; notified whenever it changes.
        channel: the open channel, or None while there is none.
        generation: counts channels: what belongs to an earlier one is void.
        cause: why there is no channel, in words.
        missing: the broker is there, but the queue is not.
        tried: the first attempt has ended, well or not.
        closed: the owner left.
        where: the broker's host and port.
    """

    def __init__(self, settings: LinkSettings, name: str, owner: Owner) -> None:
        self.changed = threading.Condition()
        self.channel: Any = None
        self.generation = 0
        self.cause = "not connected yet"
        self.missing = False
        self.tried = False
        self.closed = False
        self._settings = settings
        self._name = name
        self._owner = owner
        self._leaving = threading.Event()
        self._ioloop: IOLoop | None = None
        self._connection: Any = None
        self._connecting = False
        self._parameters = settings.parameters(name)
        self.where = settings.where
        self._thread = threading.Thread(target=self._live, name=name, daemon=True)

    def start(self) -> None:
        """Begin to connect, in the background."""
        self._thread.start()

    def wait_tried(self) -> None:
        """Wait until the first attempt has succeeded or failed."""
        with self.changed:
            self.changed.wait_for(lambda: self.tried or self.closed, 2 * self._settings.connect_s)

    def run(self, action: Callable[[], object]) -> None:
        """Run something on the link's thread, soon; it is dropped when the connection is lost before."""
        ioloop = self._ioloop
        if ioloop is not None:
            ioloop.add_callback_threadsafe(action)

    @property
    def is_up(self) -> bool:
        """Tell whether there is a channel to work with."""
        return self.channel is not None

    def ready(self, channel: Any) -> None:
        """Say that the channel is prepared; the owner calls this on the link's thread."""
        with self.changed:
            self.channel, self._connecting = channel, False
            self.generation += 1
            self.cause, self.missing, self.tried = "", False, True
            self.changed.notify_all()
        self._stop_loop()

    def drop(self, cause: str) -> None:
        """Cut the connection because it is of no use any more; another is opened."""
        self.run(lambda: self._abort(cause))

    def close(self) -> None:
        """Leave: what was handed to ``run`` before is still done when the broker is there."""
        with self.changed:
            self.closed = True
            self.changed.notify_all()
        self._leaving.set()
        self.run(self._close_connection)
        self._thread.join(_CLOSING_S)
        if self._thread.is_alive():
            self.drop("the broker does not answer to the farewell")
            self._thread.join(_CLOSING_S)

    # Everything below runs on the link's own thread.

    def _live(self) -> None:
        """Connect, serve until the connection is lost, and again, until the owner leaves."""
        while not self._leaving.is_set():
            try:
                self._attempts()(self._connect)
            except (_NotConnected, tenacity.RetryError):
                break
            self._guarded(self._loop)
        self._lose("closed")

    def _attempts(self) -> tenacity.Retrying:
        """Return how connecting is tried: for ever, with growing pauses and jitter, until the owner leaves."""
        return tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_NotConnected),
            wait=tenacity.wait_random_exponential(multiplier=0.2, max=self._settings.reconnect_s_max),
            stop=tenacity.stop_when_event_set(self._leaving),
            sleep=tenacity.sleep_using_event(self._leaving),
            before_sleep=self._report_waiting,
        )

    def _connect(self) -> None:
        """Open connection and channel once.

        Raises:
            _NotConnected: that failed; ``cause`` says why.
        """
        self._guarded(self._open)
        if not self.is_up:
            raise _NotConnected
        if self.generation > 1:
            _log.info("broker connected again", connection=self._name, broker=self.where)

    def _open(self) -> None:
        """Begin to connect, and run until the channel is ready or that has failed."""
        self._connecting = True
        self._ioloop = IOLoop()
        self._connection = pika.SelectConnection(
            self._parameters,
            on_open_callback=lambda connection: connection.channel(on_open_callback=self._channel_opened),
            on_open_error_callback=lambda _, error: self._ended(error),
            on_close_callback=lambda _, error: self._ended(error),
            custom_ioloop=self._ioloop,
        )
        self._ioloop.call_later(2 * self._settings.connect_s, self._give_up_opening)
        if self._leaving.is_set():
            self._close_connection()
        self._ioloop.start()

    def _give_up_opening(self) -> None:
        """Try again from the start: the broker took the connection, and then said nothing (a queue without leader)."""
        if self._connecting:
            self._abort("the broker does not open the channel or the subscription")

    def _loop(self) -> None:
        if self._ioloop is not None:
            self._ioloop.start()

    def _guarded(self, action: Callable[[], None]) -> None:
        """Run the loop so that whatever goes wrong in it costs this connection only, not the thread."""
        try:
            action()
        except Exception as error:  # noqa: BLE001  a connection may break in any way, the thread may not
            if not isinstance(error, LIBRARY_ERRORS):
                _log.exception("broker connection failed in an unforeseen way", connection=self._name)
            self._abort(describe(error))
            self._finish_loop()
        if not self.is_up:
            self._discard_loop()

    def _channel_opened(self, channel: Any) -> None:
        bound(channel, self._settings.body_limit_bytes)
        channel.add_on_close_callback(lambda _, error: self._channel_closed(error))
        channel.add_on_cancel_callback(lambda _: self._abort("the broker cancelled the subscription"))
        self._owner.channel_opened(channel)

    def _channel_closed(self, error: Exception) -> None:
        """Take the connection along: a channel never ends alone, and both are opened again."""
        self._lose(describe(error), missing=getattr(error, "reply_code", 0) == NOT_FOUND)
        self._close_connection()

    def _close_connection(self) -> None:
        connection = self._connection
        if connection is not None and not connection.is_closed and not connection.is_closing:
            connection.close()

    def _abort(self, cause: str) -> None:
        """Cut the connection without a farewell, as pika's own heartbeat does with a dead peer."""
        self._lose(cause)
        connection = self._connection
        if connection is None or connection.is_closed:
            self._stop_loop()
        elif connection.is_open or connection.is_closing:
            connection._terminate_stream(pika.exceptions.StreamLostError(cause))  # noqa: SLF001  has no public form
        else:
            connection.close()

    def _ended(self, error: BaseException) -> None:
        """Take notice that the connection is closed, or could not be opened."""
        self._lose(describe(error))
        self._stop_loop()

    def _lose(self, cause: str, *, missing: bool = False) -> None:
        """Tell everybody that there is no channel; the first cause of a loss is the one that counts."""
        with self.changed:
            if self._connecting or self.is_up:
                self.cause, self.missing = cause, missing
            self._connecting = False
            self.channel, self.tried = None, True
            self._owner.channel_lost(self.cause)
            self.changed.notify_all()

    def _stop_loop(self) -> None:
        if self._ioloop is not None:
            self._ioloop.stop()

    def _finish_loop(self) -> None:
        """Give a cut connection the moment that it needs to close its socket."""
        if self._ioloop is not None:
            self._ioloop.call_later(_CUTTING_S, self._ioloop.stop)
            self._ioloop.start()

    def _discard_loop(self) -> None:
        if self._ioloop is not None:
            self._ioloop.close()
        self._ioloop = self._connection = None

    def _report_waiting(self, state: tenacity.RetryCallState) -> None:
        _log.warning(
            "broker away: waiting for it",
            connection=self._name,
            broker=self.where,
            cause=self.cause,
            attempt=state.attempt_number,
            next_attempt_s=round(state.upcoming_sleep, 1),
        )


class _NotConnected(Exception):
    """The attempt failed."""


def describe(error: BaseException) -> str:
    """Return what a library's error says, in words; many of pika's say nothing but their name."""
    if isinstance(error, pika.exceptions.ConnectionClosed | pika.exceptions.ChannelClosed):
        return f"{error.reply_code} {error.reply_text}"
    return f"{type(error).__name__} {error}".strip()
