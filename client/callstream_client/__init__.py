"""Typed events and a reader for Callstream's streams."""
