"""ISO 20022 messages: one file a message, over one way to write, read and validate (xml.py)."""
