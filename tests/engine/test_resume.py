"""What was cut off goes on where it was, and ends with the same bytes."""

from __future__ import annotations

import json
import logging
import signal

import numpy as np
import pytest
import torch

from benchmark.classifiers.timm_classifier import TimmClassifier
from benchmark.data.epoch_loader import epoch_loader
from benchmark.data.groups import FixedGroups
from benchmark.engine import checkpoints
from benchmark.engine.checkpoints import Behind
from benchmark.engine.fit import fit
from benchmark.engine.loggers import History
from benchmark.pipeline.artefacts.dataset import load_data
from benchmark.pipeline.cell import run_cell
from benchmark.pipeline.context import seeded
from benchmark.probes.linf_ball import LinfBall
from benchmark.processes.signals import Stopped
from benchmark.storage.paths import HISTORY
from benchmark.storage.records import read_record
from benchmark.tracking.wandb_run import RunInfo
from lightning_modules.adversarial import LitTRADES
from lightning_modules.classifier import LitClassifier
from tests.helpers import configured


class Interrupted:
    """Raises once, in the second epoch."""

    broken = False

    def training_step(self, batch, index):
        if self.current_epoch == 1 and index == 1 and not type(self).broken:
            type(self).broken = True
            raise InterruptedError("the machine went away")
        return super().training_step(batch, index)


class Counted:
    """Counts its steps over all runs."""

    steps = 0

    def training_step(self, batch, index):
        type(self).steps += 1
        return super().training_step(batch, index)


def train(config, folder, kind, options, **length):
    data = load_data(config).split("train")
    folder.mkdir(exist_ok=True)
    with seeded(0, "classifier"):
        network = TimmClassifier(name="resnet10t", num_classes=10, options={"channels": (8, 8, 8, 8), "drop_rate": 0.3})
    module = kind(network=network, lr=1e-3, weight_decay=0.1, seed=0, **options)
    info = RunInfo("train", "t", "t", {})
    validation = FixedGroups(data, range(64), 64)
    fit(config, module, epoch_loader(data, 64, seed=0), folder, validation=validation, info=info, **(length or EPOCHS))
    history = [json.loads(line) for line in (folder / HISTORY).read_text().splitlines()]
    return network.state_dict(), history


EPOCHS = {"epochs": 3}
BALL = LinfBall(epsilon=0.1, step_size=0.1, random_start=True)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (LitClassifier, {}),
        (LitTRADES, {"beta": 6.0, "perturbation": BALL, "steps": 1}),
    ],
)
def test_a_training_resumes_at_its_epoch_and_ends_the_same(tmp_path, kind, options):
    config = configured(tmp_path)
    cut = type("Cut", (Interrupted, kind), {})
    whole, _ = train(config, tmp_path / "whole", kind, options)
    with pytest.raises(InterruptedError):
        train(config, tmp_path / "cut", cut, options)
    resumed, _ = train(config, tmp_path / "cut", cut, options)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


@pytest.mark.parametrize("length", [{"epochs": 3}, {"steps": 10}], ids=str)
def test_a_training_resumes_within_its_epoch_and_ends_the_same(tmp_path, length):
    """A checkpoint after every step; four steps an epoch, the fault at the second of the second."""
    config = configured(tmp_path, "trainer.keep_minutes=1e-9", "trainer.log_every_n_steps=1")
    kind = type("Counted", (Counted, LitClassifier), {})
    cut = type("Cut", (Interrupted, kind), {})
    whole, history = train(config, tmp_path / "whole", kind, {}, **length)
    steps, kind.steps = kind.steps, 0
    with pytest.raises(InterruptedError):
        train(config, tmp_path / "cut", cut, {}, **length)
    resumed, again = train(config, tmp_path / "cut", cut, {}, **length)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert cut.steps == steps, "no step is taken twice"
    assert again == history


def test_a_stop_in_a_training_keeps_where_it_was(tmp_path, monkeypatch):
    config = configured(tmp_path)
    kind = type("Counted", (Counted, LitClassifier), {})
    whole, _ = train(config, tmp_path / "whole", kind, {})
    steps, kind.steps = kind.steps, 0
    monkeypatch.setattr(checkpoints, "is_stopped", lambda: kind.steps == 6)
    monkeypatch.setattr(checkpoints, "raise_if_stopped", lambda: (_ for _ in ()).throw(Stopped(signal.SIGTERM)))
    with pytest.raises(Stopped):
        train(config, tmp_path / "cut", kind, {})
    monkeypatch.undo()
    resumed, _ = train(config, tmp_path / "cut", kind, {})
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert kind.steps == steps


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    root = tmp_path_factory.mktemp("resume")
    options = ("probe=adv2", "budget.batch_size=4")
    folder, _ = run_cell(configured(root, *options))
    return root, options, read_record(folder)


def test_an_attack_resumes_at_its_group(finished, monkeypatch):
    root, options, record = finished
    probed = root / "store" / "probed" / record.cell["artefacts"]["probed"]
    groups = sorted(probed.glob("group-*.safetensors"))
    assert len(groups) > 1
    before = {path.name: path.read_bytes() for path in groups}
    (probed / "artefact.json").unlink()
    probed.rename(probed.with_name(f"{probed.name}.partial"))
    cut = probed.with_name(f"{probed.name}.partial") / groups[1].name
    cut.unlink()
    kept = cut.with_name(groups[0].name).stat().st_mtime_ns
    folder, status = run_cell({**configured(root, *options), "force": "cell"})
    assert status == "done"
    assert {path.name: path.read_bytes() for path in probed.glob("group-*.safetensors")} == before
    assert (probed / groups[0].name).stat().st_mtime_ns == kept, "what was there was not made again"
    assert read_record(folder).samples.equals(record.samples)


def test_a_group_that_was_cut_short_is_attacked_again(finished, caplog):
    root, options, record = finished
    probed = root / "store" / "probed" / record.cell["artefacts"]["probed"]
    before = {path.name: path.read_bytes() for path in probed.glob("group-*.safetensors")}
    (probed / "artefact.json").unlink()
    partial = probed.with_name(f"{probed.name}.partial")
    probed.rename(partial)
    first, second, *_ = sorted(partial.glob("group-*.safetensors"))
    first.write_bytes(first.read_bytes()[:-9])
    changed = bytearray(second.read_bytes())
    changed[-9] ^= 1
    second.write_bytes(bytes(changed))
    with caplog.at_level(logging.WARNING, "underfire"):
        run_cell({**configured(root, *options), "force": "cell"})
    assert all(f"{path.name} is damaged" in caplog.text for path in (first, second))
    assert {path.name: path.read_bytes() for path in probed.glob("group-*.safetensors")} == before


def test_a_history_goes_on_where_its_checkpoint_was(tmp_path):
    path = tmp_path / "history.jsonl"
    whole = History(path)
    for epoch in range(3):
        whole.log_metrics({"loss": 1.0 - epoch / 10, "epoch": epoch}, step=epoch)
    resumed = History(path, Behind(2, 0, 2))
    assert resumed.last["loss"] == 0.9
    assert len(path.read_text().splitlines()) == 2, "the third epoch happens again"
    assert History(path).last == {}


def test_batch_size_changes_nothing_beyond_float_summation(finished):
    root, _, _ = finished
    ours, theirs = (
        read_record(run_cell(configured(root, "probe=normal_30", f"budget.batch_size={size}"))[0]).samples
        for size in (4, 7)
    )
    assert ours["sample_id"].equals(theirs["sample_id"])
    np.testing.assert_allclose(ours["map_l1"], theirs["map_l1"], atol=1e-5)
    np.testing.assert_allclose(ours["confidence_probe"], theirs["confidence_probe"], atol=1e-5)
