"""What others would use for a backfill, each run in an environment of its own."""
