"""One file a step, in the order of the flow: intake, dispatch, relay, inbound, reconcile.

Each role is a small class with ``step(wait_s) -> int``: it does one bounded piece of work and says how much. What it
needs stands on its ``Desk``.
"""
