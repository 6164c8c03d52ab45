"""Figure 1, on MNIST: accuracy, and percentiles of a sigmoid. Its claims: C11, C12, C20."""
