"""The ledger: which calls may have changed, and who is reading them."""
