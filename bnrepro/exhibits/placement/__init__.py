"""Normalization before or after the activation, as later courses ask. Its claim: C21."""
