"""l_p norms in place of the deviation, in a deep linear network (A4, A5)."""
