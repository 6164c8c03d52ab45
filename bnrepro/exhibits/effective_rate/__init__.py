"""Learning rate and weight decay where the length of weights does not matter (D3, C3)."""
