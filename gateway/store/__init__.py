"""The only place that speaks SQL.

A ``Store`` is one connection to one engine; ``transaction()`` gives a ``Session``, which the modules beside this one
take as their first argument: ``orders``, ``payments``, ``messages``, ``documents``, ``statements``, ``ledger``,
``findings`` (exceptions) and ``trail`` (audit). They are verbs, not tables: each says what a step of the flow does.
"""
