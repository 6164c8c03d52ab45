"""How a claim is judged: `criteria` the bounds, `comparison` the medians of runs held against them.

`verdict`: what comes out; `reasons` and `untested`: what is said beside it.
"""
