"""How an entry of a statement is explained by what is not a payment of ours: pure decisions, one module a kind."""
