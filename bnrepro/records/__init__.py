"""A run on disk.

`record`: its files and how they are read again. `run_directory`: what is finished, and what may be
written where. `checkpoint`, `predictions`: what else a run leaves. `environment`, `variables`: on
what it is trained. `stretches`: one environment after the other. `lock`: who works on it.
`study_records`: the records that there are of a study, and what is missing.
"""
