"""Residual networks at small and large rates, with batch normalization and without it (D4b)."""
