"""Small exact experiments: each computes a claim of the paper with the project's own layers.

Each file holds one family, checked against an independent computation; `experiments` says which
claim is whose, `setting` gives them networks and data, `tables` and `figures` what they leave on
disk. The criteria stand in each file.
"""
