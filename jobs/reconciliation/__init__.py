"""Finds the changes that no notification told of: by search, by listings, by our own records."""
