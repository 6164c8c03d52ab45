"""What a learning rate that is off costs, by optimizer (F1)."""
