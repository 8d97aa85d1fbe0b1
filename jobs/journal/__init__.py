"""The Webhooks Journal as a second source: HubSpot's own log of the last three days."""
