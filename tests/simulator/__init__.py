"""simulator of Callstream."""
