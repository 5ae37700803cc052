"""Who may, who signed, who did: keys, trust, signatures on messages and orders, maker and checker, the audit chain."""
