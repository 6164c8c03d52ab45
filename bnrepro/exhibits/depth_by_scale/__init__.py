"""Which depths and initial scales a network trains at (F2)."""
