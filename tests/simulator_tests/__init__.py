"""Tests of the stand-in itself: what others rely on when they test against it."""
