"""The jobs that turn marked calls into events."""
