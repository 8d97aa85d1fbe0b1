"""bench of Callstream."""
