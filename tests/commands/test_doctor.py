"""What doctor finds, and what it calls a fault."""

from __future__ import annotations

import json

import pytest
import torch

from benchmark.commands.common import arithmetic, examination
from benchmark.commands.common.examination import Examination
from tests.helpers import configured, underfire


def examined(root, *overrides):
    return Examination(configured(root, "repeats=false", *overrides, command="doctor"))


def test_it_tells_everything_and_finds_nothing_in_the_way(tmp_path):
    ran = underfire(tmp_path, "doctor", "--json", "trainer=cpu")
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["faults"] == []
    headings = [
        "suite",
        "packages",
        "machine",
        "threads",
        "folders",
        "Weights & Biases",
        "what repeats to the byte here",
    ]
    assert list(told["facts"]) == headings
    assert torch.__version__.startswith(told["facts"]["packages"]["torch"])
    assert told["facts"][headings[-1]]["again"].startswith("yes")
    assert not (tmp_path / "store").exists()


def test_for_people_it_is_lines(tmp_path):
    ran = underfire(tmp_path, "doctor", "repeats=false", "trainer.threads=64")
    assert ran.returncode == 0, ran.stderr
    assert "in the way of a run" in ran.stdout
    assert "64 threads on" in ran.stderr and "set trainer.threads" in ran.stderr


def test_a_folder_that_is_none(tmp_path):
    (tmp_path / "store").write_text("")
    (fault,) = (each for each in examined(tmp_path, f"paths.data={tmp_path}/data").faults)
    assert "paths.store" in fault and "name a folder you may write to" in fault


def test_a_full_disk(tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 10_000_000})
    monkeypatch.setattr(examination.shutil, "disk_usage", lambda path: usage)
    assert any("10 MB free: nothing is started there" in fault for fault in examined(tmp_path).faults)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_asked_for_and_not_there(tmp_path):
    assert any("trainer.accelerator asks for a GPU" in fault for fault in examined(tmp_path, "trainer=gpu").faults)
    assert underfire(tmp_path, "doctor", "trainer=gpu", "repeats=false").returncode == 1


def test_a_missing_package(tmp_path, monkeypatch):
    monkeypatch.setattr(examination, "NEEDED", ("torch", "no-such-package"))
    assert examined(tmp_path).faults == ["not installed: no-such-package: pip install underfire, or make setup"]


class TestBytes:
    def test_the_same_computation_gives_the_same(self):
        state = torch.get_rng_state()
        assert arithmetic.fingerprint() == arithmetic.fingerprint()
        assert torch.equal(torch.get_rng_state(), state)

    def test_other_bytes_are_seen(self, tmp_path, monkeypatch):
        answers = iter(["aaaa", "bbbb", "aaaa"])
        monkeypatch.setattr(examination, "fingerprint", lambda threads=1: next(answers))
        monkeypatch.setattr(examination, "portable_fingerprint", lambda: "cccc")
        monkeypatch.setattr(examination, "has_avx2", lambda: True)
        monkeypatch.setattr(examination, "PORTABLE", {torch.__version__.partition("+")[0]: "dddd"})
        found = Examination(configured(tmp_path, command="doctor"))
        told = found.facts["what repeats to the byte here"]
        assert told["again"].startswith("NO") and "OTHER bytes than" in told["portable mode"]
        assert any("nothing repeats exactly here" in warning for warning in found.warnings)
