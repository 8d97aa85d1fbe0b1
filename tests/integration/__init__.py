"""integration of Callstream."""
