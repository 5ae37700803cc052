"""The world outside, to run and test against: a government, its central bank, and what goes wrong in between."""
