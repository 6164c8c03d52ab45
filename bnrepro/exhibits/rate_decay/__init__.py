"""Rates that decay, and what of it reaches batch-normalized weights (F4)."""
