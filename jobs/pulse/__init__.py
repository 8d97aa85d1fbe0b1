"""Notices that a Redis has lost data, and has what was lost made again."""
