"""How sharp solutions of small and large mini-batches look, and along what (B3)."""
