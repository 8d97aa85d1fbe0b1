"""The HTTP edge: one module per API family of HubSpot, and the control API."""
