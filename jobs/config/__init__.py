"""The settings: their names, their values, and what is wrong with them."""
