"""What every data set must have, whatever its kind, and what is said of its masks."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from benchmark.data import image_folder
from benchmark.data.array_set import ArraySet
from benchmark.data.split_check import check_data
from benchmark.processes import notices
from tests.data.folders import folder, plant, save, small

SPLITS = ("train", "test")


@pytest.fixture(autouse=True)
def told(caplog):
    """The log, in which every sentence counts as new."""
    notices._log.cache_clear()
    caplog.set_level(logging.WARNING, "underfire")
    return caplog


def image_set(labels: list[int], mask: torch.Tensor | None = None) -> ArraySet:
    ids = torch.arange(len(labels))
    arrays = {"image": torch.zeros(len(labels), 3, 8, 8, dtype=torch.uint8), "label": torch.tensor(labels)}
    arrays |= {"sample_id": ids, "source_id": ids} | ({} if mask is None else {"mask": mask})
    return ArraySet(["ant", "bee"], arrays)


@dataclass
class Planted:
    """A data set that is no folder."""

    sets: dict[str, ArraySet]
    class_names: list[str] = field(default_factory=lambda: ["ant", "bee"])
    image_size: int = 8

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    def split(self, name: str) -> ArraySet:
        return self.sets[name]


def planted(calibration: int = 40, masks: dict[str, torch.Tensor] | None = None, **options) -> Planted:
    counts = {"train": 20, "calibration": calibration, "test": 8}
    return Planted(
        {name: image_set([row % 2 for row in range(n)], (masks or {}).get(name)) for name, n in counts.items()},
        **options,
    )


def test_nothing_is_said_of_a_good_data_set(told):
    check_data(planted(), SPLITS, 0.03)
    assert not told.records


@pytest.mark.parametrize(("names", "words"), [(["ant"], r"1 class \(ant\)"), ([], r"0 class \(none\)")])
def test_one_class_is_refused(names, words):
    with pytest.raises(ValueError, match=rf"{words}, a classifier and an attack's goal need at least 2: add a folder"):
        check_data(planted(class_names=names), SPLITS, 0.03)


def test_a_folder_of_one_class_is_refused_before_an_image_is_read(tmp_path):
    root = plant(tmp_path, {"train": {"ant": 9}, "test": {"ant": 2}})
    (root / "train/ant/000.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"1 class \(ant\)"):
        check_data(folder(root), SPLITS, 0.03)


def test_too_few_images_to_calibrate_are_refused():
    message = "calibration split has 9 images, at least 10 are needed .*: add images, or raise data.calibration"
    with pytest.raises(ValueError, match=message):
        check_data(planted(9), SPLITS, 0.03)


def test_a_calibration_folder_that_is_too_small_is_refused_before_training_images_are_read(tmp_path):
    sizes = {"train": {"ant": 2, "bee": 2}, "calibration": {"ant": 3, "bee": 1}, "test": {"ant": 1, "bee": 1}}
    root = plant(tmp_path, sizes)
    (root / "train/ant/000.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match="calibration split has 4 images, at least 10"):
        check_data(folder(root), SPLITS, 0.03)


def test_few_images_to_calibrate_are_told(told):
    check_data(planted(20), SPLITS, 0.03)
    assert "20 images, of which one is 5.0%: a misclassification rate of 3% needs at least 34" in told.text
    told.clear()
    check_data(planted(20), SPLITS, 0.30)
    assert not told.records


def test_classes_without_images_are_told(told):
    data = planted()
    data.sets |= {"train": image_set([0] * 20), "calibration": image_set([0] * 36 + [1] * 4)}
    check_data(data, SPLITS, 0.03)
    assert "1 of 2 classes have no train image among the 20 that are used (e.g. bee has 0)" in told.text
    assert "1 of 2 classes have fewer than 5 calibration images among the 40" in told.text and "bee has 4" in told.text


@pytest.mark.parametrize("labels", [[], [0, 2], [-1, 0]])
def test_labels_are_checked(labels):
    data = planted()
    data.sets["test"] = image_set(labels)
    with pytest.raises(ValueError, match=r"without a single image|labels must lie in \[0, 2\)"):
        check_data(data, SPLITS, 0.03)


def test_empty_and_full_masks_are_counted(told):
    mask = torch.zeros(8, 8, 8, dtype=torch.bool)
    mask[3:5, 2:4, 2:4] = True
    mask[5] = True
    everywhere = {name: torch.ones(n, 8, 8, dtype=torch.bool) for name, n in (("train", 20), ("calibration", 40))}
    everywhere = {name: each.tril() for name, each in everywhere.items()}
    check_data(planted(masks={"test": mask, **everywhere}), SPLITS, 0.03)
    first, second = (record.message for record in told.records)
    assert "5 of 8 test masks are missing or empty: these samples have no object IoU" in first
    assert "1 of 8 test masks cover the whole image: a mask is 0 outside of the object" in second


@pytest.mark.parametrize("memory", [0, 2**31])
def test_empty_masks_of_a_folder_are_counted(tmp_path, told, monkeypatch, memory):
    """Also where images are read batch by batch, and where the object lies outside of the square."""
    monkeypatch.setattr(image_folder, "MEMORY", memory)
    root = small(tmp_path, size=(20, 40), masks=True)
    save(root / "masks/test/ant/000.png", np.zeros((20, 40), np.uint8))
    aside = np.zeros((20, 40), np.uint8)
    aside[:, :8] = 255
    save(root / "masks/test/bee/001.png", aside)
    save(root / "masks/train/bee/001.png", np.full((20, 40), 2, np.uint8))
    check_data(folder(root), SPLITS, 0.3)
    assert "2 of 6 test masks are missing or empty" in told.text
    assert "1 of 20 train masks cover" in told.text or "1 of 10 calibration masks cover" in told.text


def test_masks_of_one_split_only_are_told(told):
    check_data(planted(masks={"test": torch.eye(8, dtype=torch.bool).repeat(8, 1, 1)}), SPLITS, 0.03)
    message = "not every split has object masks (calibration 0 of 40, train 0 of 20, test 8 of 8)"
    assert message in told.text


def test_it_is_told_once(told):
    check_data(planted(20), SPLITS, 0.03), check_data(planted(20), SPLITS, 0.03)
    assert len(told.records) == 1
