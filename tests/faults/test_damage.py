"""What can happen to files, data and services: told in a sentence, mended, and the same bytes in the end."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import time

import pytest
import torch

from benchmark.classifiers.timm_classifier import TimmClassifier
from benchmark.commands.common.integrity import check_files
from benchmark.data.epoch_loader import epoch_loader
from benchmark.data.groups import FixedGroups
from benchmark.engine.checkpoints import newest
from benchmark.engine.fit import fit
from benchmark.pipeline.artefacts import dataset
from benchmark.pipeline.artefacts.dataset import load_data
from benchmark.pipeline.cell import run_cell
from benchmark.pipeline.context import seeded
from benchmark.storage.paths import lease_in_folder
from benchmark.storage.records import read_records
from benchmark.tracking.wandb_run import RunInfo
from lightning_modules.classifier import LitClassifier
from tests.data.folders import small
from tests.faults.harness import computed, finish
from tests.helpers import configured, underfire


@pytest.fixture
def root(undisturbed, tmp_path, monkeypatch):
    """A copy of the finished sweep, its data set not yet loaded."""
    monkeypatch.setattr(dataset, "_loaded", {})
    shutil.copytree(undisturbed[0] / "store", tmp_path / "store")
    shutil.copytree(undisturbed[0] / "results", tmp_path / "results")
    return tmp_path


CELL = ("interpreter=rts", "probe=pgd", "trainer.threads=1")  # one thread, as the undisturbed sweep had


def flipped(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(bytes(content))


def truncated(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("harm", [flipped, truncated])
@pytest.mark.parametrize(
    "pattern",
    [
        "store/classifier/*/weights.safetensors",
        "store/probed/*/group-000000.safetensors",
        "store/data/digits-test-*.safetensors",
    ],
)
def test_harmed_artefacts_are_told_and_made_again(undisturbed, root, pattern, harm, caplog):
    config = configured(root, *CELL)
    (record,) = read_records(root / "results", interpreter="rts", probe="pgd")
    used = {"data", *record.cell["artefacts"].values()}
    (path,) = [path for path in root.glob(pattern) if path.parent.name in used]
    harm(path)
    told = "the cache" if path.parent.name == "data" else path.parent.name
    assert any(told in fault for fault in check_files(root / "store", root / "results").faults)
    with caplog.at_level(logging.WARNING, "underfire"):
        folder, status = run_cell({**config, "force": "cell"})
    assert status == "done"
    told = path.name if path.parent.name == "data" else path.parent.name
    assert any("damaged" in line and told in line for line in caplog.text.splitlines())
    assert computed(root)[folder.name] == undisturbed[1][folder.name]


@pytest.mark.parametrize("harm", [flipped, truncated, lambda path: path.unlink()])
@pytest.mark.parametrize("name", ["samples.parquet", "maps.safetensors", "cell.json"])
def test_harmed_records_are_computed_again(undisturbed, root, name, harm, caplog):
    folder = root / "results" / next(each for each in undisturbed[1] if "-rts-pgd-" in each)
    harm(folder / name)
    with caplog.at_level(logging.WARNING, "underfire"):
        again, status = run_cell(configured(root, *CELL))
    assert again == folder
    assert status == "done"
    assert computed(root) == undisturbed[1]


class Breaking(LitClassifier):
    """Raises in its fourth epoch."""

    def training_step(self, batch, index):
        if self.current_epoch == 3:
            raise InterruptedError
        return super().training_step(batch, index)


@pytest.mark.parametrize("harm", [flipped, truncated])
def test_a_harmed_checkpoint_has_a_predecessor(tmp_path, harm, caplog):
    """Cut off in the fourth epoch, its newest checkpoint harmed: it goes on from the one before, to the same end."""
    config = configured(tmp_path)
    data = load_data(config).split("train")

    def train(folder, breaks):
        with seeded(0, "classifier"):
            network = TimmClassifier(name="resnet10t", num_classes=10, options={"channels": (8, 8, 8, 8)})
        kind = Breaking if breaks else LitClassifier
        module = kind(network=network, lr=1e-3, weight_decay=0.1, seed=0)
        folder.mkdir(exist_ok=True)
        info = RunInfo("train", "t", "t", {})
        checked = FixedGroups(data, range(64), 64)
        fit(config, module, epoch_loader(data, 64, seed=0), folder, epochs=4, validation=checked, info=info)
        return network.state_dict()

    whole = train(tmp_path / "whole", False)
    with pytest.raises(InterruptedError):
        train(tmp_path / "cut", True)
    harm(newest(tmp_path / "cut" / "checkpoints"))
    with caplog.at_level(logging.WARNING, "underfire"):
        resumed = train(tmp_path / "cut", False)
    assert "is damaged; training goes on from the one before" in caplog.text
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_stale_leases_stop_nobody(undisturbed, root):
    """Of a process that is gone, on the cell and on every artefact."""
    name = next(each for each in undisturbed[1] if "-rts-pgd-" in each)
    dead = subprocess.Popen(["true"])
    dead.wait()
    from benchmark.processes.process_identity import number_space

    lease = {
        "token": "t",
        "beat": 4,
        "pid": dead.pid,
        "born": "1",
        "host": os.uname().nodename,
        "space": number_space(),
    }
    (root / "results" / ".leases").mkdir(exist_ok=True)
    shutil.rmtree(root / "results" / name)
    shutil.rmtree(root / "store" / "probed")
    probed = read_records(undisturbed[0] / "results", interpreter="rts", probe="pgd")[0].cell["artefacts"]["probed"]
    (root / "store" / "probed").mkdir()
    for path in (lease_in_folder(root / "results" / name), root / "store" / "probed" / f"{probed}.lease"):
        path.write_text(json.dumps(lease))
        os.utime(path, (4e9, 4e9))  # and of a clock that runs ahead
    start = time.monotonic()
    run_cell(configured(root, *CELL))
    assert time.monotonic() - start < 30
    assert computed(root) == undisturbed[1]


def test_a_vanished_data_set_is_a_sentence_and_back_again_a_result(tmp_path):
    data = tmp_path / "pictures"
    small(data, size=(32, 32))
    arguments = [
        *("data=image_folder", f"data.root={data}", "data.image_size=32", "interpreter=grad", "probe=pgd"),
        *("budget=smoke", "logger=none", "trainer=cpu", "classifier.training.epochs=40"),
    ]
    data.rename(tmp_path / "elsewhere")
    gone = underfire(tmp_path, "run", *arguments)
    assert gone.returncode == 1
    assert str(data) in gone.stderr
    assert "Traceback" not in gone.stderr
    (tmp_path / "elsewhere").rename(data)
    back = underfire(tmp_path, "run", *arguments)
    assert back.returncode == 0, back.stderr


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 300 MB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)


@pytest.mark.slow
def test_a_disk_that_fills_up_costs_nothing_that_is_finished(undisturbed, small_disk):
    filler = small_disk / "filler"
    filler.write_bytes(b"\0" * 120 * 2**20)
    refused = underfire(small_disk, "run", "interpreter=rts", "probe=pgd", "budget=smoke", "logger=none", "trainer=cpu")
    assert refused.returncode == 1
    assert "at least 200 MB are needed" in refused.stderr + refused.stdout
    filler.unlink()
    shutil.copytree(undisturbed[0] / "store", small_disk / "store")
    shutil.rmtree(small_disk / "store" / "probed")
    from tests.faults.harness import start

    process = start(small_disk, log=small_disk.parent / "log")
    deadline = time.monotonic() + 60
    while not list(small_disk.glob("results/*/cell.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    with filler.open("wb") as file:  # to the last byte
        try:
            while True:
                file.write(b"\0" * 2**20)
                file.flush()
        except OSError:
            pass
    assert process.wait(200) == 1
    told = (small_disk.parent / "log").read_text()
    assert "No space left" in told or "MB are needed" in told
    kept = computed(small_disk)
    assert kept and all(kept[name] == undisturbed[1][name] for name in kept)
    filler.unlink()
    finish(small_disk)
    assert computed(small_disk) == undisturbed[1]


@pytest.mark.slow
def test_a_store_that_cannot_be_written_to(undisturbed, small_disk):
    shutil.copytree(undisturbed[0] / "store", small_disk / "store")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    ran = underfire(
        small_disk.parent,
        "run",
        *("interpreter=rts", "probe=pgd", "budget=smoke", "logger=none", "trainer=cpu"),
        f"paths.store={small_disk}/store",
    )
    assert ran.returncode == 1
    assert "is not writable" in ran.stderr
    assert "Traceback" not in ran.stderr


class Throwing:
    """A W&B run that fails at whatever is asked of it."""

    def __getattr__(self, name):
        raise RuntimeError(f"W&B cannot {name}")

    def define_metric(self, *names, **options):
        """What a run is asked for at its start: this one starts."""


class TestWeightsAndBiases:
    """It is a view: whatever it does, the records are the same."""

    def logged(self, root, *options):
        return configured(root, *CELL, "logger=wandb", "force=cell", "trainer.log_every_n_steps=1", *options)

    def test_throwing_at_every_call(self, undisturbed, root, monkeypatch, caplog):
        import wandb

        monkeypatch.setattr(wandb, "init", lambda **options: Throwing())
        shutil.rmtree(root / "store" / "interpreter")  # so that trainings log too
        with caplog.at_level(logging.WARNING, "underfire"):
            folder, _ = run_cell(self.logged(root))
        assert "W&B stopped taking metrics" in caplog.text
        assert "W&B did not take" in caplog.text
        assert "W&B did not close its run" in caplog.text
        assert computed(root)[folder.name] == undisturbed[1][folder.name]

    def test_not_starting(self, undisturbed, root, monkeypatch, caplog):
        import wandb

        def init(**options):
            raise OSError("no")

        monkeypatch.setattr(wandb, "init", init)
        with caplog.at_level(logging.WARNING, "underfire"):
            folder, _ = run_cell(self.logged(root))
        assert "W&B did not start (no); results are written all the same" in caplog.text
        assert computed(root)[folder.name] == undisturbed[1][folder.name]

    def test_its_folder_cannot_be_made(self, undisturbed, root, caplog):
        (root / "file").write_text("in the way")
        with caplog.at_level(logging.WARNING, "underfire"):
            folder, _ = run_cell(self.logged(root, f"paths.wandb={root}/file/wandb"))
        assert "W&B did not start" in caplog.text
        assert computed(root)[folder.name] == undisturbed[1][folder.name]

    @pytest.mark.slow
    def test_out_of_reach(self, undisturbed, root):
        ran = underfire(
            root,
            "run",
            *("interpreter=rts", "probe=pgd", "budget=smoke", "trainer=cpu", "force=cell"),
            *("logger=wandb_online", "logger.patience=5"),
            WANDB_MODE="online",
            WANDB_BASE_URL="http://127.0.0.1:9",
            WANDB_API_KEY="0" * 40,
        )
        assert ran.returncode == 0, ran.stderr
        assert "W&B did not start" in ran.stderr
        assert computed(root) == undisturbed[1]

    def test_by_default_it_is_given_a_limited_time(self, tmp_path):
        assert configured(tmp_path)["logger"]["patience"] <= 60
