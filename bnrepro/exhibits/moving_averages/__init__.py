"""What batch normalization infers with: moving averages beside statistics computed anew (D2)."""
