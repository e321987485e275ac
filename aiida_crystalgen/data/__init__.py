"""Data nodes of batches of crystals, and the plain columnar layout below them."""
