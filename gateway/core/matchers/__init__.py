"""The matchers: each looks at one entry and says what it belongs to, or that it does not know.

A matcher is a module with one function, ``find(entry, pool, rules) -> Match | None``. It sees only what set-based
queries have put into the pool, asks no database, and leaves what it is not sure of to the next one: as a doubt where
the entry names something that does not fit, as a proposal where a person may choose. The profile orders them.
"""
