"""Small exact experiments: each computes a claim of the paper with the project's own layers.

One file a family, checked against an independent computation; `experiments` says which claim is
whose, `setting` gives them networks and data, `tables` and `drawing` what they leave on disk. The
bounds stand in `verdicts.criteria`.
"""
