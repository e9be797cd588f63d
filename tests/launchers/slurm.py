"""SLURM on this machine alone: munged, slurmctld and slurmd on the loopback, in a folder, with two slots.

    with Slurm(folder) as environment: subprocess.run(["sbatch", ...], env=environment)

Debian has it as ``slurm-wlm``; slurmd wants to be root. By hand: ``python -m tests.launchers.slurm COMMAND``.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "squeue")

CONF = """\
ClusterName=trial
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
MpiDefault=none
ReturnToService=2
KillWait=5
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def lacking() -> str:
    """Why it cannot be started here; empty where it can."""
    missing = [name for name in PROGRAMS if _program(name) is None]
    if missing:
        return f"SLURM is not installed: {', '.join(missing)} (Debian: apt-get install slurm-wlm munge)"
    return "" if os.geteuid() == 0 else "slurmd starts jobs as their users: it wants to be root"


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


class Slurm:
    """The three daemons, from ``with`` to its end; gives the environment that its programs want."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.daemons = folder, list[subprocess.Popen[bytes]]()

    def __enter__(self) -> dict[str, str]:
        for name in ("state", "spool"):
            (self.folder / name).mkdir(parents=True)
        ports = dict(zip(("controller", "node"), _free_ports(2), strict=True))
        text = CONF.format(folder=self.folder, host=socket.gethostname().partition(".")[0], **ports)
        (self.folder / "slurm.conf").write_text(text)
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        environment = {**os.environ, "SLURM_CONF": str(self.folder / "slurm.conf")}
        files = {name: self.folder / f"munge.{name}" for name in ("socket", "log", "pid", "seed")}
        own = [f"--{name}-file={files[name]}" for name in ("log", "pid", "seed")]
        try:
            self._start(["munged", "--foreground", "--force", f"--key-file={key}", f"--socket={files['socket']}", *own])
            _wait_for(files["socket"].exists, "munged has no socket")
            self._start(["slurmctld", "-D"], environment)
            self._start(["slurmd", "-D"], environment)
            _wait_for(lambda: b"idle" in self._nodes(environment), "the node is not idle")
        except BaseException:
            self._stop()
            raise
        return environment

    def __exit__(self, *error: object) -> None:
        self._stop()

    def _start(self, command: list[str], environment: dict[str, str] | None = None) -> None:
        program = _program(command[0])
        assert program is not None
        with (self.folder / f"{command[0]}.out").open("wb") as out:
            self.daemons.append(
                subprocess.Popen([program, *command[1:]], env=environment, stdout=out, stderr=subprocess.STDOUT)
            )

    def _nodes(self, environment: dict[str, str]) -> bytes:
        return subprocess.run(["sinfo", "-h", "-o", "%T"], env=environment, capture_output=True, check=False).stdout

    def _stop(self) -> None:
        for daemon in reversed(self.daemons):
            daemon.terminate()
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        self.daemons.clear()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _wait_for(condition: object, otherwise: str) -> None:
    end = time.monotonic() + 60
    while not condition():  # type: ignore[operator]
        if time.monotonic() > end:
            raise RuntimeError(f"{otherwise} after 60 s")
        time.sleep(0.2)


if __name__ == "__main__":
    if reason := lacking():
        raise SystemExit(reason)
    with tempfile.TemporaryDirectory() as folder, Slurm(Path(folder)) as environment:
        raise SystemExit(subprocess.run(sys.argv[1:], env=environment, check=False).returncode)
