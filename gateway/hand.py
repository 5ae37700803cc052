"""A process beside a worker or an embedded gateway: does what it is handed, and keeps nothing.

    python -m gateway.hand <file descriptor of its socket>

The first message is the configuration, every other one a piece of work (``gateway.flow.hands``), or the number of one
that the first process has taken back. Pieces are done by their turn. It ends when the first process does, however that
ends; a signal that is meant for both is left to the first, which finishes what it has in hand.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from gateway import logs
from gateway.app import Gateway
from gateway.clock import SystemClock
from gateway.config import Settings
from gateway.flow.hands import Answer, Kit, Turn
from gateway.process import route_library_logs, spare_the_collector
from schemas.errors import InputError

Piece = tuple[Turn, int, Callable[..., Any], tuple[Any, ...]]
"""Its turn and number, which are its place in the queue; the work, and its arguments."""
SWITCH_S = 0.0005
"""How long the work may keep the interpreter from the threads that read and write: the first process waits for them."""


def main(arguments: list[str]) -> None:
    """Work until the other end of the socket is closed."""
    for asked in (signal.SIGTERM, signal.SIGINT):
        signal.signal(asked, signal.SIG_IGN)
    link = Connection(int(arguments[0]))
    try:
        settings: Settings = link.recv()
    except (EOFError, OSError):
        return
    clock = SystemClock()
    log = logs.create(clock, form=settings.logs.format, level=settings.logs.level)
    route_library_logs(log)
    kit = Gateway(settings, log, clock).kit()
    spare_the_collector()
    sys.setswitchinterval(SWITCH_S)
    pieces: queue.PriorityQueue[Piece] = queue.PriorityQueue()
    answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
    taken_back: set[int] = set()
    threading.Thread(target=_read, args=(link, pieces, taken_back), name="reads", daemon=True).start()
    threading.Thread(target=_write, args=(link, answers), name="writes", daemon=True).start()
    while True:
        piece = pieces.get()
        number = piece[1]
        if number not in taken_back:
            answers.put(do(kit, piece))
        taken_back.discard(number)


def do(kit: Kit, piece: Piece) -> Answer:
    """Do one piece; whatever goes wrong but the input is left to the first process, which has the log."""
    _, number, work, arguments = piece
    try:
        return Answer(number, work(kit, *arguments))
    except InputError as refused:
        return Answer(number, refused=refused)
    except Exception:  # noqa: BLE001  the first process does it again, and says what is wrong
        return Answer(number, failed=True)


def _read(link: Connection, pieces: queue.PriorityQueue[Piece], taken_back: set[int]) -> None:
    """Take every piece at once, so that the first process never waits to hand one over; leave when it does."""
    try:
        while True:
            message: Piece | int = link.recv()
            if isinstance(message, int):
                taken_back.add(message)
            else:
                pieces.put(message)
    except (EOFError, OSError):
        os._exit(0)  # whatever is still in hand, nobody waits for it


def _write(link: Connection, answers: queue.SimpleQueue[Answer]) -> None:
    """Send the answers, while the next piece is worked on."""
    try:
        while True:
            link.send(answers.get())
    except OSError:  # the first process is gone, and the reader knows it as well
        return


if __name__ == "__main__":
    main(sys.argv[1:])
