"""Reading MPII, drawing a synthetic one, and the transforms from a person's box to the network's input."""
