"""Dropout, weight decay and batch normalization on little data (G1, C17)."""
