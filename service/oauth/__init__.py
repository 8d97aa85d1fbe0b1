"""The install flow: an account connects itself to our app, over HubSpot's consent page."""
