"""Dead letters: how their bytes are kept, and what operators do with them."""
