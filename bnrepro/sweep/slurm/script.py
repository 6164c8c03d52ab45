"""The script of an array: a task for each run, which goes on where its time was over."""

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bnrepro.config.overrides import CONFIG_DIRECTORY_VARIABLE
from bnrepro.sweep.launcher import command
from bnrepro.sweep.slurm.options import SlurmOptions

# Slurm sends the signal so many seconds before the time is over, or up to a minute earlier; a run
# needs ten of them to be saved and gone.
_SECONDS_BEFORE_THE_END = 120
_VARIABLES = (CONFIG_DIRECTORY_VARIABLE, "BNREPRO_DATA")

_BODY = r"""
folder={folder}
{exports}# The task's line: the log of its run, then the words of the run.
eval "set -- $(sed -n "$((SLURM_ARRAY_TASK_ID + 1))p" "$folder/tasks.txt")"
log=$1
shift
task=${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID
note=$folder/$SLURM_ARRAY_TASK_ID
rm -f "$note.code"
mkdir -p "$(dirname "$log")"
echo "start $((${{SLURM_RESTART_COUNT:-0}} + 1)) on $(hostname)"

# Signals reach this script; the run saves its work when it is told.
asked=
run=
pass_on() {{
    asked=$1
    heard=yes
    [ -z "$run" ] || kill -s "$1" "$run" 2> /dev/null
}}
trap 'pass_on USR1' USR1
trap 'pass_on TERM' TERM
echo "$ {shown} $*" >> "$log"
{run} "$@" < /dev/null >> "$log" 2>&1 &
run=$!
[ -z "$asked" ] || kill -s "$asked" "$run"
# A signal ends `wait` before the run has ended.
while heard=; wait "$run"; code=$?; [ -n "$heard" ]; do :; done
echo "$code" > "$note.code"

# 138: ended by USR1, its work saved. It goes on in a new start, if this one came further than the
# last.
if [ "$code" = 138 ] && [ "$asked" = USR1 ]; then
    last=$(tail -n 1 "$log")
    if [ "$last" = "$(cat "$note.last" 2> /dev/null)" ]; then
        echo "no step further within its time; raise time in launcher/slurm.yaml" >> "$log"
    else
        echo "$last" > "$note.last"
        scontrol requeue "$task"
    fi
fi
exit "$code"
"""


@dataclass(frozen=True)
class Array:
    """An array to be submitted: where its files lie, and how many tasks it has."""

    folder: Path
    num_tasks: int

    @property
    def name(self) -> str:
        """The job's name in the queue, which no other array has."""
        return f"bnrepro-{self.folder.name}"


def array_script(array: Array, options: SlurmOptions) -> str:
    """The whole script, as `sbatch` takes it."""
    lines = [f"#SBATCH {each}" for each in _directives(array, options)]
    run = command([])
    exports = [
        f"export {name}={shlex.quote(os.environ[name])}\n"
        for name in _VARIABLES
        if name in os.environ
    ]
    body = _BODY.format(
        folder=shlex.quote(str(array.folder)),
        exports="".join(exports),
        run=shlex.join(run),
        shown="bnrepro run",
    )
    return "\n".join(["#!/bin/bash", *lines, body])


def task_line(log: Path, words: Sequence[str]) -> str:
    """The line of a task in `tasks.txt`."""
    return shlex.join([str(log), *words])


def _directives(array: Array, options: SlurmOptions) -> list[str]:
    most = f"%{options.at_once}" if options.at_once else ""
    asked = {
        "partition": options.partition,
        "account": options.account,
        "time": options.time,
        "gpus": options.gpus,
        "cpus-per-task": options.cpus,
        "mem": options.memory,
    }
    return [
        f"--job-name={array.name}",
        f"--array=0-{array.num_tasks - 1}{most}",
        "--nodes=1",
        "--ntasks=1",
        *(f"--{key}={value}" for key, value in asked.items() if value is not None),
        "--requeue",
        f"--signal=B:USR1@{_SECONDS_BEFORE_THE_END}",
        "--open-mode=append",
        f"--chdir={_quoted(Path.cwd())}",
        # What Slurm itself says of a task; the run's own output goes to its log.
        f"--output={_quoted(array.folder)}/%a.txt",
    ]


def _quoted(path: Path) -> str:
    """A path in a directive, whose `%` would stand for something."""
    text = str(path).replace("%", "%%")
    return text if text == shlex.quote(text) else f'"{text}"'
