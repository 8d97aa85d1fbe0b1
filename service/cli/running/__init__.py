"""`callstream run`: service and worker together, and the screen that shows them."""
