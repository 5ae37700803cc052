"""The rules of the business, pure: no IO, no clock, no randomness."""
