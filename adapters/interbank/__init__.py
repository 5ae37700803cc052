"""What rails between banks share: messages with a signed business application header, and what they say."""
