"""Pure frozen dataclasses: no IO, no clock, no randomness."""
