"""Gradients that grow with depth (D5)."""
