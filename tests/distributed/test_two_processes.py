"""Two processes give what one gives: attacks to the byte, a training step up to the order of a sum."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from benchmark.data.epoch_loader import EpochSampler
from benchmark.data.groups import GroupSubset
from benchmark.processes import ranks
from benchmark.storage.records import read_records
from tests.distributed.two import DOUBLE, SINGLE, module
from tests.faults.harness import start
from tests.helpers import PROJECT, underfire

CELL = ["interpreter=rtsa", "probe=adv2", "budget=smoke", "logger=none", "budget.batch_size=4"]
TWO = ["trainer=ddp", "trainer.accelerator=cpu"]
# How far two processes may be from one, relative to the size of what is compared. In double precision the order of a
# sum is felt by 5e-12, a wrong gradient by 0.3 at least and a variance of one half of the batch by 2e-4.
ALGEBRA = 1e-9
# In single precision, as the suite trains, BatchNorm's statistics follow their sums (7e-7). Gradients do not: the signs
# of L_aid and L_anchor jump where two maps meet, and one pixel of L_aid on the other side turns the step by up to 0.12.
STATISTICS = 1e-5
STEP = 0.2
PAYLOAD = ("samples.parquet", "maps.safetensors", "images.safetensors")


def started(tmp_path, kind, world):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-m", "tests.distributed.two"]
    return [
        subprocess.Popen(
            [*command, str(rank), str(world), port, str(tmp_path), kind],
            env=environment,
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(world)
    ]


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "kind", [*(pytest.param(kind, marks=SLOW) for kind in ("classifier", "robust", "selector")), "distilled"]
)
def test_a_step_of_training_is_that_of_one_process(tmp_path, kind):
    """Steps (gradients times the step size) and BatchNorm's statistics, each relative to its own size."""
    for world in (1, 2):
        for process in started(tmp_path, kind, world):
            said, _ = process.communicate(timeout=120)
            assert process.returncode == 0, said
    before = {name: value.double() for name, value in module(kind)[0].state_dict().items()}

    def moved(world, precision):
        after = load_file(tmp_path / f"{kind}-{world}-{precision}.safetensors")
        return {name: value.double() - before[name] for name, value in after.items()}

    one, two, single = moved(1, DOUBLE), moved(2, DOUBLE), moved(2, SINGLE)
    weights = [name for name in one if name.endswith(("weight", "bias"))]
    assert max(float(one[name].abs().max()) for name in weights) > 1e-4
    for name in one:
        assert off(two[name], one[name]) < ALGEBRA, name
        if name not in weights:
            assert off(single[name], one[name]) < STATISTICS, name
    steps = (torch.cat([state[name].flatten() for name in weights]) for state in (single, one))
    assert off(*steps) < STEP


def off(value, expected):
    """The distance relative to the size of what is expected; where that is zero, any distance is infinite."""
    distance = float((value - expected).norm())
    return distance and distance / max(float(expected.norm()), 1e-300)


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """A cell computed by one process of one thread."""
    root = tmp_path_factory.mktemp("one")
    ran = underfire(root, "run", *CELL, "trainer=cpu", "trainer.threads=1")
    assert ran.returncode == 0, ran.stderr
    return root


@pytest.mark.parametrize("launcher", ["lightning", pytest.param("torchrun", marks=SLOW)])
def test_an_attack_in_two_processes_gives_the_same_bytes(one, tmp_path, launcher):
    (ours,) = read_records(one / "results")
    shutil.copytree(one / "store", tmp_path / "store")
    shutil.rmtree(tmp_path / "store" / "probed")
    torchrun = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    before = torchrun if launcher == "torchrun" else []
    ran = underfire(tmp_path, "run", *CELL, *TWO, before=before)
    assert ran.returncode == 0, ran.stderr
    (theirs,) = read_records(tmp_path / "results")
    for name in PAYLOAD:
        assert (ours.folder / name).read_bytes() == (theirs.folder / name).read_bytes(), name
    assert theirs.cell["counts"] == ours.cell["counts"]
    again = underfire(tmp_path, "run", *CELL, *TWO, before=before)
    assert again.returncode == 0, again.stderr
    assert "cached" in again.stderr
    assert again.stderr.count("cached  ") == 1, "the first process alone tells it"


@pytest.mark.slow
def test_everything_from_nothing_in_two_processes(one, tmp_path):
    """Trained in two processes too: as many steps on the same batches; Adam lets them drift apart from the last bit."""
    ran = underfire(tmp_path, "run", *CELL, *TWO)
    assert ran.returncode == 0, ran.stderr
    (ours,), (theirs,) = read_records(one / "results"), read_records(tmp_path / "results")
    assert theirs.folder.name == ours.folder.name
    assert theirs.cell["artefacts"] == ours.cell["artefacts"]
    assert theirs.cell["facts"]["accuracy"] == pytest.approx(ours.cell["facts"]["accuracy"], abs=0.05)
    assert theirs.cell["facts"]["benign_spread"] == pytest.approx(ours.cell["facts"]["benign_spread"], rel=0.1)
    (alone,), (both,) = (list(root.glob("store/classifier/*/weights.safetensors")) for root in (one, tmp_path))
    alone, both = load_file(alone), load_file(both)
    for name in alone:
        if name.endswith("num_batches_tracked"):
            assert torch.equal(alone[name], both[name]), "as many steps, none padded"
        else:
            distance = (alone[name] - both[name]).norm() / alone[name].norm().clamp(min=1e-3)
            assert distance < 0.3, f"{name} drifts further than twelve steps explain"
    assert len(list((tmp_path / "results").glob("*/cell.json"))) == 1


@pytest.mark.slow
@pytest.mark.parametrize("after", ["made classifier", "made interpreter selector"])
def test_a_signal_ends_both_processes(tmp_path, after):
    process = start(tmp_path, *CELL, *TWO)
    deadline = time.monotonic() + 90
    while after not in (tmp_path / "log").read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) != 0
    assert not list(tmp_path.glob("results/*/cell.json"))
    ran = underfire(tmp_path, "run", *CELL, *TWO)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.slow
def test_a_signal_to_one_of_torchrun_s_processes_ends_both(tmp_path):
    """No process goes on alone, and no row says that the cell failed."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {**os.environ, "UNDERFIRE_ROOT": str(tmp_path), "OMP_NUM_THREADS": "1"}
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, "-m", "benchmark", "run", *CELL, *TWO], cwd=PROJECT, env=environment, stdout=log, stderr=log
        )
    deadline = time.monotonic() + 90
    while "made classifier" not in (tmp_path / "log").read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    second = [pid for pid in children if b"LOCAL_RANK=1" in Path(f"/proc/{pid}/environ").read_bytes()]
    os.kill(int(second[0]), signal.SIGUSR1)
    assert process.wait(60) != 0
    assert "stopped by SIGUSR1 between two steps" in (tmp_path / "log").read_text()
    assert not list(tmp_path.glob("results/*/cell.json"))
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]
    ran = underfire(tmp_path, "run", *CELL, *TWO)
    assert ran.returncode == 0, ran.stderr


def test_two_processes_for_a_trainer_of_one_are_refused(tmp_path):
    before = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    ran = underfire(tmp_path, "run", *CELL, "trainer=cpu", before=before)
    assert ran.returncode != 0
    assert "add trainer=ddp" in ran.stderr


def test_groups_are_dealt_out_whole_and_once(monkeypatch):
    dealt = []
    for rank in range(3):
        monkeypatch.setattr(ranks, "rank", lambda rank=rank: rank)
        monkeypatch.setattr(ranks, "world_size", lambda: 3)
        dealt.append(list(GroupSubset.for_rank(list("abcdefgh"))))
    assert sorted(itertools.chain(*dealt)) == list("abcdefgh")
    assert [len(part) for part in dealt] == [3, 3, 2]


def test_a_batch_is_shared_out_equally_or_refused(monkeypatch):
    whole = list(EpochSampler(12, 4, seed=0))
    parts = []
    for rank in range(2):
        monkeypatch.setattr(ranks, "rank", lambda rank=rank: rank)
        monkeypatch.setattr(ranks, "world_size", lambda: 2)
        parts.append(list(EpochSampler(12, 4, seed=0)))
    for batch, *shares in zip(whole, *parts, strict=True):
        assert all(len(share) == 2 for share in shares)
        assert sorted(itertools.chain(*shares)) == sorted(batch)
    with pytest.raises(ValueError, match="cannot be shared out equally to 2 processes"):
        EpochSampler(12, 3, seed=0)


def test_alone_the_first_process_waits_for_nobody(monkeypatch):
    monkeypatch.setenv("RANK", "1")
    assert not ranks.is_main_process()
    with ranks.single_process():
        assert ranks.is_main_process() and ranks.world_size() == 1
        assert ranks.broadcast(lambda: 7) == 7
        assert ranks.gather("own") == ["own"]
        assert torch.equal(ranks.mean(torch.tensor(2.0)), torch.tensor(2.0))
