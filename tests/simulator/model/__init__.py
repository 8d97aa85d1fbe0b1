"""What HubSpot knows, in memory and without any HTTP."""
