"""How a bank is reached, and which dialect it speaks: profiles, rails and transports."""
