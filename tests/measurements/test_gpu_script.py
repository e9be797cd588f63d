"""The script for a GPU runs through on any machine, so that it does not fail where time is dear."""

from __future__ import annotations

import json

import pytest

from tests.measurements import gpu


def test_a_trial_on_the_cpu_fills_every_table(tmp_path, capsys):
    told = gpu.main(["--tiny", "--only", "precision,ranks,speed", "--out", str(tmp_path / "gpu.json")])
    assert json.loads((tmp_path / "gpu.json").read_text()).keys() == told.keys()
    (bf16,) = told["precision"]
    assert 0 < bf16["logits, relative error"] < 0.1  # bfloat16 keeps 8 bits of mantissa
    assert bf16["gradient's signs that agree"] > 0.7
    assert {row["loop"] for row in told["speed"]} >= {"bare pass", "PGD", "ADV2 on CAM", "ADV2 on RTS"}
    assert all(row["ms a step"] > 0 for row in told["speed"])
    assert "not run" in told["ranks"] or "exit status 0" in told["ranks"]
    assert "| precision | loop |" in capsys.readouterr().out


def test_a_section_that_fails_does_not_take_the_others_with_it(monkeypatch):
    def broken(scale, device):
        raise RuntimeError("no kernel image")

    monkeypatch.setitem(gpu.RUN, "precision", broken)
    told = gpu.main(["--tiny", "--only", "precision,ranks"])
    assert told["precision"] == "failed: RuntimeError: no kernel image"
    assert isinstance(told["ranks"], str)


def test_without_a_gpu_it_says_so_and_ends(monkeypatch, capsys):
    monkeypatch.setattr(gpu.torch.cuda, "is_available", lambda: False)
    assert gpu.main([]) == {}
    assert capsys.readouterr().out.startswith("not run: there is no GPU here")


def test_no_section_begins_when_the_time_is_over(monkeypatch):
    monkeypatch.setattr(gpu, "LONGEST", -1.0)
    told = gpu.main(["--tiny", "--only", "ranks"])
    assert told["ranks"].startswith("failed: TimeoutError")


def test_a_section_that_there_is_not(capsys):
    with pytest.raises(SystemExit):
        gpu.main(["--tiny", "--only", "speeed"])
    assert "--only takes some of tests, precision" in capsys.readouterr().err
