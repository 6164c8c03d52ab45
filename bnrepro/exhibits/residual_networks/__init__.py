"""Deep residual networks without batch normalization and with it (D4, D7)."""
