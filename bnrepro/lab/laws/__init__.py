"""Laws around batch normalization that hold exactly, each measured on the project's own parts.

A file has its criteria, with what they allow for, and a function per law that gives its verdicts.
All runs in double precision under either backend. `paper/laws.py` says what the laws are and who
derived them.
"""
