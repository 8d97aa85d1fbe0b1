"""unit of Callstream."""
