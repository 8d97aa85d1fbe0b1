"""Forgetting a call on request: its events, and all else that is kept of it."""
