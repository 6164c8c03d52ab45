"""Normalizations in mini-batches that are small, or no sample of the data (D1, D1b)."""
