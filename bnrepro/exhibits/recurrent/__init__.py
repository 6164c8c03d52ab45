"""Normalization of the connections of a recurrent network."""
