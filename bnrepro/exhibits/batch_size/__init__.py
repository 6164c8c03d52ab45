"""The size of a mini-batch, as later courses ask."""
