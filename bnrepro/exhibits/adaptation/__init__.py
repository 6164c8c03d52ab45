"""What statistics of another domain do for a trained network (C24)."""
