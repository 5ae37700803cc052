"""Work that needs no database: done where it is asked for, or by a second process while this one writes.

Reading and writing documents is half of the work of a payment and needs nothing but the configuration, the keys and
the bytes. A worker hands such a piece over as a function of this project and its arguments, and fetches what came of it
when its turn has come. What is decided against the database stays with the worker, in its transaction.

The second process may die at any moment: it keeps nothing, so what it had in hand is done again here.
"""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, Generic, Protocol, TypeVar

from adapters.profile import Profile
from gateway.flow.policy import Policy
from schemas.errors import InputError
from security.jws import OrderKeys
from security.keys import SigningKey
from security.trust import TrustStore

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
START_AGAIN_S = 5.0
"""Pause before a second process that died is replaced: one that dies at once shall not take all of the time."""
END_WITHIN_S = 5.0
"""A second process that takes longer to end than its piece of work can take is stuck."""
STUCK_S = 60.0
"""A second process that has something to do and does not answer for so long is stuck, and killed: no piece takes as
long, nor does the rest of a message that has begun, either way."""
LEFT_OVER_THERE = 2
"""Pieces that the second process always keeps: the one it works on, and the one it goes on with."""
MODULE = "gateway.hand"
"""What the second process runs."""


class Turn(IntEnum):
    """Which pieces go first: those of payments that are furthest on their way.

    Orders would else be read far ahead of what becomes of them; then this process waits for the other one while they
    are read, and the other one for this process once they are.
    """

    ANSWERS = 0
    MESSAGES = 1
    ORDERS = 2


@dataclass(frozen=True, slots=True)
class Kit:
    """What pieces of work may use; each process makes its own from the same configuration.

    Attributes:
        policy: who may order what; calendars and cut-offs.
        order_keys: the sources' public keys.
        profiles: the bank relationships by name.
        trust, signer: give by profile whose signatures are taken, and the key that signs, as of now.
    """

    policy: Policy
    order_keys: OrderKeys
    profiles: Mapping[str, Profile]
    trust: Callable[[str], TrustStore]
    signer: Callable[[str], SigningKey]


class Job(Protocol[T_co]):
    """A piece of work that was handed over."""

    def done(self) -> bool:
        """Tell whether its result can be had without waiting."""

    def result(self) -> T_co:
        """Return what came of it, and wait for it if need be; an error of the work is raised here."""


class Hands(Protocol):
    """Who does the work that needs no database."""

    ahead: bool
    """Whether it is done while others work, so that it pays to hand it over before its turn has come."""
    worth_bytes: int
    """Smallest document that is worth to be handed over; a smaller one is read before its answer would have come."""

    @property
    def pid(self) -> int | None:
        """The number of the other process, while there is one."""

    def start(self) -> None:
        """Get ready; without it, the first piece does."""

    def submit(self, work: Callable[..., T], *arguments: Any, turn: Turn = Turn.ORDERS) -> Job[T]:
        """Hand over ``work(kit, *arguments)``: a function of a module, and arguments that can be pickled.

        Pieces of the same turn are done in the order in which they are handed over.
        """

    def here(self, work: Callable[..., T], *arguments: Any) -> T:
        """Do a piece at once, in this thread."""

    def wait(self, seconds: float) -> bool:
        """Wait for the next result of a piece that is under way; False when there is none in this time."""

    def close(self) -> None:
        """Let go; what is under way is forgotten."""


class OwnHands:
    """Does each piece in this thread, when its result is asked for."""

    ahead = False
    worth_bytes = 0
    pid = None

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    def start(self) -> None:
        """There is nothing to start."""

    def submit(self, work: Callable[..., T], *arguments: Any, turn: Turn = Turn.ORDERS) -> Job[T]:
        """Note the piece."""
        del turn  # each is done when it is asked for
        return _OwnJob(self._kit, work, arguments)

    def here(self, work: Callable[..., T], *arguments: Any) -> T:
        """Do the piece."""
        return work(self._kit, *arguments)

    def wait(self, seconds: float) -> bool:
        """Return at once: nothing is ever under way."""
        del seconds
        return False

    def close(self) -> None:
        """There is nothing to let go."""


class _OwnJob(Generic[T]):
    """A piece that is done when its result is asked for."""

    def __init__(self, kit: Kit, work: Callable[..., T], arguments: tuple[Any, ...]) -> None:
        self._do = partial(work, kit, *arguments)

    def done(self) -> bool:
        """Nothing is gained by asking later."""
        return True

    def result(self) -> T:
        """Do it."""
        return self._do()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the second process says of one piece: its value, or that the input was refused, or that it does not know."""

    number: int
    value: Any = None
    refused: InputError | None = None
    failed: bool = False


class SecondProcess:
    """Hands pieces to one other process and collects its answers; used from one thread only.

    It runs no thread of its own: each piece is sent, and each answer taken, by the worker that asks. The other side
    always reads, so sending never waits for it.

    Args:
        kit: for what has to be done here after all.
        configuration: what the other process makes its kit of; it goes through a socket that nobody else has.
        log: a structlog logger.
        worth_bytes: see ``Hands``.
    """

    ahead = True

    def __init__(self, kit: Kit, configuration: Any, log: Any, worth_bytes: int = 0) -> None:
        self.worth_bytes = worth_bytes
        self._kit = kit
        self._configuration = configuration
        self._log = log
        self._open: dict[int, _SentJob[Any]] = {}
        self._number = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._link: Connection | None = None
        self._not_before_s = 0.0
        self._heard_s = 0.0

    @property
    def pid(self) -> int | None:
        """The number of the other process, while there is one."""
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Start the other process; work may be handed over while it is still loading."""
        if self._link is not None or time.monotonic() < self._not_before_s:
            return
        self._not_before_s = time.monotonic() + START_AGAIN_S
        mine, other = socket.socketpair()
        for direction in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
            mine.setsockopt(socket.SOL_SOCKET, direction, struct.pack("ll", int(STUCK_S), int(STUCK_S % 1 * 1_000_000)))
        with other:
            command = [sys.executable, "-m", MODULE, str(other.fileno())]
            self._process = subprocess.Popen(command, pass_fds=[other.fileno()], stdin=subprocess.DEVNULL)  # noqa: S603 - our own module
        self._link = Connection(mine.detach())
        self._send(self._configuration)

    def submit(self, work: Callable[..., T], *arguments: Any, turn: Turn = Turn.ORDERS) -> Job[T]:
        """Send a piece; where the other process is gone, it is done here when its result is asked for."""
        self.start()
        if not self._open:
            self._heard_s = time.monotonic()
        self._number += 1
        job = _SentJob(self, _OwnJob(self._kit, work, arguments), turn)
        if self._send((turn, self._number, work, arguments)):
            self._open[self._number] = job
        else:
            job.lost = True
        return job

    def here(self, work: Callable[..., T], *arguments: Any) -> T:
        """Do the piece in this process."""
        return work(self._kit, *arguments)

    def wait(self, seconds: float) -> bool:
        """Wait until an answer has come; while enough pieces wait over there, the last of them is done here instead."""
        if not self._open or self._link is None:
            return False
        if self._collect(0.0):
            return True
        spare = self._spare()
        if spare is not None:
            self._take_back(spare)
            return True
        return self._collect(seconds)

    def _spare(self) -> int | None:
        """Return the piece that the other process will do last, if it has enough without it and has not begun it."""
        if len(self._open) <= LEFT_OVER_THERE:
            return None
        first = {job.turn: number for number, job in reversed(self._open.items())}  # what it has begun is one of them
        waiting = [(job.turn, number) for number, job in self._open.items() if first[job.turn] != number]
        return max(waiting)[1] if waiting else None

    def _take_back(self, number: int) -> None:
        """Do a piece here that the other process has not begun; it is told so, and may have died by now."""
        job = self._open.pop(number)
        self._send(number)
        job.do()

    def collect(self) -> None:
        """Take the answers that have come."""
        while self._collect(0.0):
            pass

    def close(self) -> None:
        """End the other process: it leaves when nobody is at the other end of its socket."""
        process, self._process = self._process, None
        if self._link is not None:
            self._link.close()
            self._link = None
        if process is not None:
            try:
                process.wait(END_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _collect(self, wait_s: float) -> bool:
        """Take one answer; False when none came."""
        if self._link is None:
            return False
        try:
            if not self._link.poll(wait_s):
                self._lose_if_stuck()
                return False
            answer: Answer = self._link.recv()
        except (OSError, EOFError):
            self._lose()
            return False
        self._heard_s = time.monotonic()
        job = self._open.pop(answer.number, None)
        if job is not None:
            job.answer, job.lost = answer, answer.failed
        return True

    def _send(self, message: Any) -> bool:
        """Send a message; False when the other process is gone."""
        if self._link is None:
            return False
        try:
            self._link.send(message)
        except OSError:
            self._lose()
            return False
        return True

    def _lose_if_stuck(self) -> None:
        """Kill a process that has had something to do for too long without an answer."""
        if self._open and self._process is not None and time.monotonic() - self._heard_s > STUCK_S:
            self._process.kill()
            self._lose()

    def _lose(self) -> None:
        """Give up a process that is gone; everything that it had in hand is done here."""
        pid, count = self.pid, len(self._open)
        self.close()
        for job in self._open.values():
            job.lost = True
        self._open.clear()
        self._log.warning("second process is gone, its work is done again here", pid=pid, pieces=count)


class _SentJob(Generic[T]):
    """A piece that the other process has in hand, and how to do it here should that be needed."""

    def __init__(self, hands: SecondProcess, own: _OwnJob[T], turn: Turn) -> None:
        self._hands = hands
        self._own = own
        self.turn = turn
        self.answer: Answer | None = None
        self.lost = False

    def done(self) -> bool:
        """Tell whether the answer has come, or never will."""
        if self.answer is None and not self.lost:
            self._hands.collect()
        return self.answer is not None or self.lost

    def do(self) -> None:
        """Do it here, because this process has nothing else to do."""
        try:
            self.answer = Answer(0, self._own.result())
        except InputError as refused:
            self.answer = Answer(0, refused=refused)
        except Exception:  # noqa: BLE001  whoever asks for the result does it again, and sees what is wrong
            self.lost = True

    def result(self) -> T:
        """Return the answer; what the other process could not do, or took with it, is done here."""
        while not self.done():
            self._hands.wait(1.0)
        if self.lost or self.answer is None:
            return self._own.result()
        if self.answer.refused is not None:
            raise self.answer.refused
        value: T = self.answer.value
        return value
