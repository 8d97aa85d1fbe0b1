"""The embedded Redis: a real server that this process starts, holds and ends."""
