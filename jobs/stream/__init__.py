"""The stream: events on it, and the records of what was published last."""
