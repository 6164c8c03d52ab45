"""What scale, mean and correlation of the features make of the error surface (E1 to E3)."""
