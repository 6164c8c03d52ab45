"""Figures 2 and 3, steps to an accuracy: tables and findings. Their claims: C13 to C16."""
