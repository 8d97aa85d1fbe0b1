"""Backfills: runs through all of an account's calls, page by page, from HubSpot to the streams."""
