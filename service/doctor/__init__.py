"""Examines a deployment from outside: one file per group of checks, each asking and then judging.

Judging is pure: what was asked is handed to it as values. A check that cannot be done says so.
"""
