"""The loss around trained networks, with shortcuts and without, in three modes (B1, B2)."""
