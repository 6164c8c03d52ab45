"""Batch normalization of one linear unit (D8)."""
