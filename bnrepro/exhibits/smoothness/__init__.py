"""Whether it is stable distributions or a smoother error surface (A1 to A3).

One study of trainings, told as three exhibits: `distributions` (A1), `covariate_shift` (A3) and
`landscape` (A2), each with its claims beside it; `networks` says which networks, and reads what was
measured while they trained.
"""
