"""What Python calls: runs and sweeps trained (`calls`), finished networks loaded and scored.

`trained_model`: a run's network, or its engine. `scoring`: its scores on other images.
"""
