"""The command line: ``gateway COMMAND``. One module a family of commands; what they do is in gateway/operations.

Exit status: 0 when all is well; 1 when something was found or refused (a proof that fails, an order that was refused,
an approval that may not be given); 2 when it could not be done at all (usage, configuration, a server that is away).
"""

from __future__ import annotations

from gateway.cli.root import app, main

__all__ = ["app", "main"]
