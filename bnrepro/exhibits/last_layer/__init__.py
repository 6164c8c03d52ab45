"""What of batch normalization's generalization the last layer alone gives (G3)."""
