"""Find annotations that are probably wrong, before a network learns them."""
