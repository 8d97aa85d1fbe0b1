"""support of Callstream."""
