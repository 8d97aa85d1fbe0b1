"""A HubSpot to develop against: calls, notifications and their oddities, in one small program."""
