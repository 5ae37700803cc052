"""The message bus: one contract (base.py) and its two implementations, in-process and RabbitMQ."""
