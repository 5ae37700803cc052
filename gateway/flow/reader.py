"""The process beside the one that stores a large statement: reads it, and keeps nothing (gateway/flow/beside.py).

    python -m gateway.flow.reader <file descriptor of its socket> <file descriptor of the document>

The first message is the bank relationship. It leaves when the document is read, or when nobody wants it any more.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from multiprocessing.connection import Connection

from adapters.profile import Profile
from gateway.flow.beside import pieces

GARBAGE_THRESHOLD = 50_000
"""New objects between two looks for cyclic garbage: what is read of a statement has no cycles."""


def main(arguments: list[str]) -> None:
    """Read the document, and leave when it is read or nobody wants it any more."""
    for asked in (signal.SIGTERM, signal.SIGINT):
        signal.signal(asked, signal.SIG_IGN)  # they are for the first process, and this one ends with it
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD, 20, 20)
    link = Connection(int(arguments[0]))
    try:
        profile: Profile = link.recv()
        with os.fdopen(int(arguments[1]), "rb") as file:
            file.seek(0)
            for piece in pieces(profile, file):
                link.send(piece)
    except (EOFError, OSError):
        return


if __name__ == "__main__":
    main(sys.argv[1:])
