"""The front door: from a signed HTTP request to marks in the ledger."""
