"""What an event holds, made from what HubSpot answered; pure functions all."""
