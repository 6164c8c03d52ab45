"""A real Slurm of one node, of its own, in a temporary folder: munged, slurmctld and slurmd.

Nothing of the machine's own Slurm is touched: keys, sockets, ports and states are the folder's.
"""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from runs import START_SECONDS

_PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol", "squeue", "scancel")
_SECONDS_TO_START = 60.0
_CONF = """
ClusterName=bnrepro
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={root}/munge.socket
CredType=cred/munge
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd.pid
SlurmctldLogFile={root}/slurmctld.log
SlurmdLogFile={root}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=2,bf_interval=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
KillWait=20
MinJobAge=60
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=4000 State=UNKNOWN
PartitionName=low Nodes=ALL Default=YES MaxTime=INFINITE PriorityTier=1 State=UP
PartitionName=high Nodes=ALL MaxTime=INFINITE PriorityTier=10 State=UP
"""


class Unavailable(Exception):
    """No Slurm can be started here."""


class Cluster:
    """Starts the cluster's daemons; `environment` leads Slurm's commands to them."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.environment = {**os.environ, "SLURM_CONF": str(root / "slurm.conf")}

    def start(self) -> None:
        """Start all daemons and wait for the node.

        Raises:
            Unavailable: with the reason.
        """
        self._path()
        absent = [name for name in _PROGRAMS if shutil.which(name) is None]
        if absent:
            raise Unavailable(f"{', '.join(absent)} not installed (slurm-wlm, munge)")
        self._root.chmod(0o755)  # the socket of munge is for everybody
        (self._root / "munge.key").write_bytes(os.urandom(1024))
        (self._root / "munge.key").chmod(0o600)
        for folder in ("state", "spool"):
            (self._root / folder).mkdir()
        names = ("key-file", "socket", "pid-file", "log-file", "seed-file")
        files = ("munge.key", "munge.socket", "munged.pid", "munged.log", "munge.seed")
        conf = _CONF.format(
            host=socket.gethostname().partition(".")[0],
            ports=_free_ports(2),
            user=os.environ.get("USER") or subprocess.getoutput("id -un"),
            root=self._root,
        )
        (self._root / "slurm.conf").write_text(conf)
        paths = [f"--{name}={self._root / file}" for name, file in zip(names, files, strict=True)]
        self._daemon("munged", *paths)
        self.start_controller()
        self._daemon("slurmd")
        self._await_node()

    def start_controller(self) -> None:
        """Start the controller, with the state that an earlier one has left."""
        self._daemon("slurmctld")

    def stop_controller(self) -> None:
        """End the controller, which writes its state first; jobs go on without it."""
        path = self._root / "slurmctld.pid"
        folder = Path("/proc") / path.read_text().strip()
        self._end("slurmctld", "-TERM")
        while folder.exists():
            time.sleep(0.1)

    def call(self, *words: str) -> str:
        """What one of Slurm's commands prints."""
        done = subprocess.run(
            words,
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=START_SECONDS,
        )
        return done.stdout

    def stop(self) -> None:
        """End all jobs, then the daemons."""
        if (self._root / "slurmctld.pid").exists():
            subprocess.run(
                ["scancel", "--partition=low,high", "--signal=KILL", "--full"],
                env=self.environment,
                check=False,
                timeout=START_SECONDS,
            )
        for name in ("slurmd", "slurmctld", "munged"):
            self._end(name, "-TERM")

    def _path(self) -> None:
        # Debian's daemons lie where a person's path does not lead.
        os.environ["PATH"] += ":/usr/sbin:/sbin"

    def _daemon(self, *words: str) -> None:
        done = subprocess.run(
            words,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=START_SECONDS,
        )
        if done.returncode != 0:
            raise Unavailable(f"{words[0]} does not start: {done.stderr.strip()}")

    def _end(self, name: str, number: str) -> None:
        path = self._root / f"{name}.pid"
        if path.exists():
            subprocess.run(["kill", number, path.read_text().strip()], check=False)

    def _await_node(self) -> None:
        end = time.monotonic() + _SECONDS_TO_START
        while time.monotonic() < end:
            words = ["sinfo", "--noheader", "--format=%T", "--partition=low"]
            done = subprocess.run(
                words, env=self.environment, capture_output=True, text=True, check=False
            )
            if done.stdout.strip() == "idle":
                return
            time.sleep(0.5)
        raise Unavailable("its node does not come up")


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
