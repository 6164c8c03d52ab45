"""Batch, mini-batch and stochastic gradient descent (F3)."""
