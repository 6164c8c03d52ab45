"""A run on disk.

`record`: its files and how they are read again. `run_directory`: what is finished, and what may be
written where. `checkpoint`, `predictions`, `environment`: what else a run leaves. `lock`: who works
on it. `study_records`: the records that there are of a study, and what is missing.
"""
