"""Runs in Weights & Biases: made from a record in memory, and an error there never costs anything."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from benchmark.storage.record_summary import summary_of
from benchmark.storage.records import Record
from benchmark.tracking import record_runs
from benchmark.tracking.record_runs import log_record, sample_table
from benchmark.tracking.run_config import CONFIG_KEYS, cell_config, condition_of, setting_of, tags_of, training_config
from benchmark.tracking.run_summary import run_summary
from benchmark.tracking.sample_pictures import CLASSES, TILE, amplification, kept_samples, labels, sheet


def cell(probe: str = "pgd", *, seed: int = 0, **settings) -> dict:
    """The content of a cell.json; ``settings`` are of the probe."""
    config = {
        "data": {"name": "digits", "seed": 3, "root": "/somewhere"},
        "classifier": {"label": "small_resnet", "seed": seed},
        "interpreter": {"name": "rtsa", "lambda_aid": 0.1, "seed": seed},
        "probe": {"name": probe, "level": None, "steps_factor": 1, "seed": seed, **settings},
        "budget": {"name": "bench"},
        "paths": {"root": "/home/somebody"},
        "seed": seed,
    }
    own = {name: config["probe"][name] for name in ("level", "steps_factor")}
    return {
        **{"cell": "c0ffee", "name": "digits-pgd", "data": "digits", "classifier": "small_resnet", "probe": probe},
        **own,
        **{"interpreter": "rtsa", "seed": seed, "data_seed": 3, "split": "test", "budget": "bench", "config": config},
        **{"experiment": "observation_8", "device": "a CPU", "artefacts": {"data": "beef"}, "flags": []},
        **{"facts": {"accuracy": 0.5}, "n_samples": 4, "seconds": {"measure": 1.0}},
    }


def made(folder, content: dict | None = None, *, goal: int | None = 1) -> Record:
    """A record in memory of four samples, two of them kept, whose folder is empty."""
    found = Record(folder, cell() if content is None else content)
    ids = np.array([3, 7])
    maps = {name: np.full((2, 2, 2), value, np.float16) for name, value in (("benign", 0.0), ("probed", 1.0))}
    images = {name: np.full((2, 3, 4, 4), value, np.uint8) for name, value in (("benign", 10), ("probed", 20))}
    columns = {
        "sample_id": [3, 7, 8, 9],
        "source_id": [0, 1, 2, 3],
        "label": [0] * 4,
        "pred_benign": [0] * 4,
        "pred_probe": [1, 0, 1, 0],
        "success": [True, False, True, False],
        "looks_benign": [1.0, 1.0, 0.0, 0.0],
        "map_l1": [0.25, 0.75, 0.35, np.nan],
        "map_iou": [0.5] * 4,
        "map_spearman": [0.5] * 4,
    }
    samples = pd.DataFrame(columns if goal is None else {**columns, "goal": [goal] * 4})
    curves = pd.DataFrame(
        [("all", 10, 0.0, np.nan, 4), ("all", 20, 0.5, 0.3, 4), ("plain", 20, 0.5, 0.3, 4)],
        columns=["member", "passes", "success_rate", "map_l1", "n"],
    )
    vars(found).update(
        samples=samples, curves=curves, images={"sample_id": ids, **images}, maps={"sample_id": ids, **maps}
    )
    return found


@pytest.fixture
def record(tmp_path):
    return made(tmp_path)


class Run:
    """A W&B run that keeps what it gets."""

    def __init__(self):
        self.logged, self.summary, self.axes = [], {}, {}

    def log(self, values):
        self.logged.append(values)

    def define_metric(self, name, step_metric=None, hidden=False):
        self.axes[name] = step_metric


@pytest.fixture
def sent(monkeypatch, tmp_path):
    """The configuration of a run in W&B, what start_run was asked for, and the run itself."""
    asked, run = [], Run()
    wandb = SimpleNamespace(
        Image=lambda picture, caption=None: (picture, caption), Table=lambda columns, data: (columns, data)
    )
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    monkeypatch.setattr(record_runs, "start_run", lambda config, info: asked.append(info) or run)
    monkeypatch.setattr(record_runs, "finish_run", lambda run: True)
    config = {"logger": {"mode": "offline", "images": 1}, "paths": {"wandb": str(tmp_path / "wandb")}}
    return config, asked, run


class TestCell:
    def test_a_record_in_memory_is_a_run(self, record, sent):
        config, asked, run = sent
        assert log_record(config, record)
        (info,) = asked
        assert info.job_type == "cell" and info.config == cell_config(record)
        assert run.summary == run_summary(record)

    def test_its_samples_are_a_table_and_a_sheet(self, record, sent):
        config, _, run = sent
        log_record(config, record)
        columns, rows = run.logged[0]["samples"]
        pictures = ["input", "perturbed", "difference", "map", "map_perturbed"]
        assert columns[:6] == [*pictures, "sample_id"] and len(rows) == 1
        row = dict(zip(columns, rows[0], strict=True))
        assert (row["sample_id"], row["map_l1"], row["success"]) == (3, 0.25, True)
        (picture, _), (perturbed, _) = row["input"], row["perturbed"]
        assert (picture == 10).all() and (perturbed == 20).all() and picture.shape == (4, 4, 3)
        assert run.logged[0]["sheet"][1] == "digits-pgd"

    def test_its_curve_has_passes_as_axis(self, record, sent):
        config, _, run = sent
        log_record(config, record)
        assert run.logged[1:] == [
            {"passes": 10, "curve/success_rate": 0.0},
            {"passes": 20, "curve/success_rate": 0.5, "curve/map_l1": 0.3},
        ]
        assert run.axes == {"passes": None, "curve/*": "passes"}

    def test_an_error_of_wandb_is_logged_and_not_noted_as_sent(self, record, sent, monkeypatch, caplog):
        config, _, run = sent
        monkeypatch.setattr(record_runs, "note_sent", lambda *args: pytest.fail("noted as sent"))
        monkeypatch.setattr(run, "log", lambda values: 1 / 0)
        assert not log_record(config, record)
        assert "W&B did not take digits-pgd" in caplog.text

    def test_without_a_logger_nothing_is_read(self, tmp_path):
        assert not log_record({"logger": {"mode": "disabled"}}, Record(tmp_path / "missing", {}))


class TestConfiguration:
    def test_every_run_has_every_key_and_strings_for_its_parts(self, record):
        trained = training_config(record.cell["config"], "interpreter finish", interpreter="rtsa")
        classifier = training_config(record.cell["config"], "classifier")
        for config in (cell_config(record), trained, classifier):
            assert list(config) == list(CONFIG_KEYS)
            assert all(isinstance(config[name], str) for name in ("data", "classifier", "interpreter", "probe"))
        assert (trained["interpreter"], classifier["interpreter"], trained["probe"]) == ("rtsa", "none", "none")
        assert (trained["kind"], classifier["kind"]) == ("interpreter", "classifier")

    def test_settings_name_no_place(self, record):
        assert "paths" not in cell_config(record)["settings"]

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ({"probe": "normal", "level": 0.03}, {"probe": "normal", "level": 0.3}),
            ({"probe": "adv2", "steps": 60}, {"probe": "adv2", "steps": 60, "steps_factor": 10}),
            ({"probe": "adv2", "epsilon": 0.0157}, {"probe": "adv2", "epsilon": 0.0314}),
        ],
        ids=["level", "steps", "epsilon"],
    )
    def test_unlike_cells_share_neither_group_nor_tags(self, tmp_path, first, second):
        one, other = (cell_config(made(tmp_path, cell(**settings))) for settings in (first, second))
        assert one["condition"] != other["condition"] and one["setting"] != other["setting"]
        assert tags_of(one) != tags_of(other)

    def test_trainings_of_one_setting_share_their_group(self, tmp_path):
        assert setting_of(made(tmp_path, cell(seed=0))) == setting_of(made(tmp_path, cell(seed=1)))
        other = cell()
        other["config"]["interpreter"]["lambda_aid"] = 0.2
        assert setting_of(made(tmp_path)) != setting_of(made(tmp_path, other)), "of another weight of AID"

    def test_conditions_are_words(self):
        assert condition_of(cell("normal", level=0.3)) == "normal 30 %"
        moved = cell("adv2", steps_factor=10, epsilon=8 / 255, source={"name": "rts"}, surrogate={"label": "resnet18"})
        assert condition_of(moved) == "adv2, steps x10, epsilon 0.0314, from rts, on resnet18"

    def test_flagged_cells_are_withheld(self, tmp_path):
        flagged = cell_config(made(tmp_path, cell() | {"flags": ["zero_gradient"]}))
        assert flagged["withheld"] is True and "zero_gradient" in tags_of(flagged)
        assert cell_config(made(tmp_path, cell() | {"flags": ["not_converged"]}))["withheld"] is False


class TestSummary:
    def test_noise_has_the_misclassified_samples(self, tmp_path):
        found = run_summary(made(tmp_path, cell("normal", level=0.3), goal=None))
        assert found["map_l1/mean"] == pytest.approx((0.25 + 0.75 + 0.35) / 3)
        assert found["map_l1/misclassified/mean"] == pytest.approx(0.3) and found["n_misclassified"] == 2
        assert not {name for name in found if "joint" in name or "succeeded" in name}

    def test_an_attack_has_joint_success(self, record):
        found = run_summary(record)
        assert found["joint_success_rate"] == 0.25 and found["success_rate"] == 0.5
        assert (found["n_attacked"], found["n_succeeded"]) == (4, 2)
        assert found["map_l1/succeeded/mean"] == pytest.approx(0.3)

    def test_every_mean_lies_in_its_interval(self, record):
        found = run_summary(record)
        assert summary_of(record).items() <= found.items()
        lows = [name for name in found if name.endswith("/low")]
        assert {"map_l1/low", "success_rate/low", "joint_success_rate/low", "map_l1/succeeded/low"} <= set(lows)
        for name in lows:
            base = name.removesuffix("/low")
            value = found.get(f"{base}/mean", found.get(base))
            assert found[name] <= value <= found[f"{base}/high"]


class TestPictures:
    def test_a_row_for_each_sample_and_none_where_nothing_was_kept(self, record, tmp_path):
        samples = kept_samples(record, 5)
        page = sheet(samples, amplification(record))
        assert len(samples) == 2 and page.height > 2 * TILE and page.width > 5 * TILE
        assert kept_samples(record, 0) == [] and sheet([], 1) is None
        assert kept_samples(Record(tmp_path, cell()), 5) == []

    def test_classes_are_called_by_their_names(self, record, tmp_path):
        words = {"0": "tench", "1": "a horn of a very long name"}
        (sample, _) = kept_samples(made(tmp_path, cell() | {"class_names": words}), 2)
        short = "a horn of a very lo…"
        assert labels(sample)[1:5] == ["true: tench", "predicted: tench", f"then: {short}", f"goal: {short}"]
        table = sample_table([sample])
        named = [table.data[0][table.columns.index(f"{name}_name")] for name in CLASSES]
        assert named == [words["0"], words["0"], words["1"], words["1"]]
        (number, _) = kept_samples(record, 2)
        assert not any(name.endswith("_name") for name in sample_table([number]).columns)

    def test_the_largest_difference_fills_the_scale(self, record):
        assert amplification(record) == 12
        (sample, _) = kept_samples(record, 2)
        assert (sample.pictures["difference"] == 128 + 12 * 10).all()

    def test_maps_have_one_scale(self, record):
        (sample, _) = kept_samples(record, 2)
        darkest, brightest = sample.pictures["map"].sum(), sample.pictures["map_perturbed"].sum()
        assert darkest < 100 < brightest
