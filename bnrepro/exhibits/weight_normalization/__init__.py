"""Weight normalization beside batch normalization (D6)."""
