"""A cell on a planted folder: what does not go is refused before any training, what has no mask is counted."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest

from benchmark.pipeline import preflight
from benchmark.pipeline.cell import run_cell
from benchmark.pipeline.evaluation import _null_counts
from benchmark.pipeline.measure import Measurements
from benchmark.processes import notices
from benchmark.storage.records import read_records
from tests.data.folders import plant, save
from tests.helpers import configured


def on_folder(root, *overrides: str):
    fixed = ("data=image_folder", f"data.root={root}/set", "data.image_size=32", "interpreter=grad", "probe=clean")
    return configured(root, *fixed, "classifier.training.epochs=40", *overrides)


@pytest.mark.parametrize(
    ("splits", "words"),
    [
        ({"train": {"ant": 30}, "test": {"ant": 4}}, r"has 1 class \(ant\)"),
        (
            {"train": {"ant": 9, "bee": 9}, "calibration": {"ant": 3, "bee": 3}, "test": {"ant": 4, "bee": 4}},
            "calibration split has 6 images, at least 10",
        ),
    ],
)
def test_a_folder_that_does_not_go_is_refused_before_any_training(tmp_path, splits, words):
    plant(tmp_path / "set", splits, size=(32, 32))
    with pytest.raises(ValueError, match=words):
        run_cell(on_folder(tmp_path))
    made = {path.parent.name for path in (tmp_path / "store").glob("*/*")}
    assert made <= {"data"}, "nothing was made but notes on the folder"


def test_a_blur_that_is_small_for_the_images_is_told(tmp_path, caplog):
    """Four pixels are those of digits of 48: at 128 px the rule gives 6.3, at 224 px 11."""
    notices._log.cache_clear()
    caplog.set_level("WARNING", "underfire")
    config = configured(tmp_path, "interpreter=rts", "measure.blur=4.0", "interpreter.blur=11")
    preflight._warn_of_blur(config, 224)
    assert "measure.blur=4: too small for images of 224 px, set measure.blur=11 (11 / 224 of the side)" in caplog.text
    caplog.clear()
    for size in (48, 128):
        preflight._warn_of_blur(config, size)
    assert not caplog.text


def test_samples_with_an_empty_mask_are_counted_in_the_record(tmp_path, caplog):
    root = plant(
        tmp_path / "set", {"train": {"ant": 20, "bee": 20}, "test": {"ant": 8, "bee": 8}}, (32, 32), masks=True
    )
    for file in root.glob("test/*/*.png"):  # bees are bright, so that the classifier gets most of them right
        save(file, np.full((32, 32, 3), 220 if file.parent.name == "bee" else 30, np.uint8))
    for file in root.glob("train/*/*.png"):
        noise = np.random.default_rng(int(file.stem)).integers(0, 30, (32, 32, 3))
        save(file, (noise + (200 if file.parent.name == "bee" else 20)).astype(np.uint8))
    empty = [
        save(root / f"masks/test/{name}/00{n}.png", np.zeros((32, 32), np.uint8))
        for name in ("ant", "bee")
        for n in range(4)
    ]
    notices._log.cache_clear()
    with caplog.at_level(logging.WARNING, "underfire"):
        run_cell(on_folder(tmp_path))
    assert f"{len(empty)} of 16 test masks are missing or empty: these samples have no object IoU" in caplog.text
    (record,) = read_records(tmp_path / "results")
    value_N = record.samples["object_iou"].to_numpy()
    assert record.cell["facts"]["n_without_object_iou"] == np.isnan(value_N).sum() > 0
    assert np.isfinite(value_N).any()


def test_cells_that_measure_no_object_iou_count_nothing():
    clean, noise = pd.DataFrame({"object_iou": [np.nan, 0.5]}), pd.DataFrame({"map_l1": [0.1]})
    assert _null_counts(Measurements(clean, {})) == {"n_without_object_iou": 1}
    assert _null_counts(Measurements(noise, {})) == {}
