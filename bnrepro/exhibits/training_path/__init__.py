"""The path of a training in the plane of its principal components, with a control (B4)."""
