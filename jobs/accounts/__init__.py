"""The connected accounts: whose calls may be read, with which token, and how they come and go."""
