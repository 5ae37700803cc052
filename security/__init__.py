"""Who may, who signed, who did: keys and trust, signatures on messages and orders, roles, the audit chain."""
