"""HubSpot's API: answers, client, budget, accounts."""
