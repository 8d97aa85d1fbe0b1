"""The HTTP service, the commands and what starts them."""
