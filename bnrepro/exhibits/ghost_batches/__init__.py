"""Statistics over parts of a mini-batch, and what in them regularizes (G2, C19)."""
