"""Figure 3 (section 4.2.2): steps to the target and best accuracies, with verdicts."""
