"""The ledger: every model call with what it used and cost, and what is reserved for those under way."""
