"""The embedded digits: scans that never leak, the same samples whatever their number, masks that lie on the strokes."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from benchmark.data import digit_scenes, digits
from benchmark.data.digit_scenes import background
from benchmark.data.digits import Digits, composites
from benchmark.data.groups import check_labels
from benchmark.numerics import rng
from benchmark.types import Data, ImageSet

SPLITS = ("train", "calibration", "test")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return Digits(root=str(tmp_path_factory.mktemp("cache")), seed=0, train=300, calibration=130, test=200)


def made(name: str, own: np.ndarray, count: int, seed: int = 0, size: int = 48, scans: np.ndarray | None = None):
    bunch = load_digits()
    parts = list(composites(bunch.images if scans is None else scans, bunch.target, own, name, count, seed, size))
    return {key: torch.cat([part[key] for part in parts])[:count] for key in parts[0]}


def test_it_is_what_the_suite_calls_data(data):
    assert isinstance(data, Data) and data.num_classes == 10 and data.image_size == 48
    first = {"train": 0, "calibration": 10**9, "test": 2 * 10**9}
    for name in SPLITS:
        images = data.split(name)
        assert isinstance(images, ImageSet) and images.has_masks
        check_labels(images, 10)
        assert images.sample_id_N.tolist() == list(range(first[name], first[name] + data.counts[name]))
        assert np.array_equal(images.label_N, load_digits().target[images.source_id_N])
        assert (np.bincount(images.label_N, minlength=10) > 0).all()


def test_splits_share_no_scan_and_each_holds_its_share_of_every_class(data):
    target = load_digits().target
    scans = {name: data.scans(name) for name in SPLITS}
    assert sorted(np.concatenate(list(scans.values()))) == list(range(1797))
    for digit in range(10):
        total = (target == digit).sum()
        counts = {name: (target[own] == digit).sum() for name, own in scans.items()}
        assert abs(counts["test"] - total / 4) <= 1 and abs(counts["calibration"] - 0.1 * 0.75 * total) <= 1
    for name in SPLITS:
        assert set(data.split(name).source_id_N) <= set(scans[name])


def test_no_pixel_comes_from_a_scan_of_another_split(data):
    """Also not in the clutter: blanking every scan of the other splits changes no image."""
    own = data.scans("train")
    blanked = np.zeros_like(load_digits().images)
    blanked[own] = load_digits().images[own]
    expected, got = made("train", own, 60), made("train", own, 60, scans=blanked)
    assert all(torch.equal(expected[name], got[name]) for name in expected)


def test_clutter_comes_from_scans(data):
    """Or the check above could not fail: blanking all scans but the one shown changes the image, not the mask."""
    own = data.scans("train")
    expected = made("train", own, 60)
    keep = expected["source_id"][0].item()
    blanked = np.zeros_like(load_digits().images)
    blanked[keep] = load_digits().images[keep]
    got = made("train", own, 60, scans=blanked)
    changed = (expected["image"][0] != got["image"][0]).any(0)
    assert torch.equal(expected["mask"][0], got["mask"][0]) and changed.any() and not changed.all()


def test_the_first_n_are_the_same_whatever_the_number(data):
    own = data.scans("test")
    many = made("test", own, 200)
    for count in (1, 127, 129):
        few = made("test", own, count)
        assert all(torch.equal(few[name], many[name][:count]) for name in many)


def test_seed_and_split_change_the_images_and_nothing_else_does(data, tmp_path):
    again = Digits(root=str(tmp_path), seed=0, train=300, calibration=130, test=200)
    other = Digits(root=str(tmp_path), seed=1, train=300, calibration=130, test=200)
    same, changed = again.split("test").arrays["image"], other.split("test").arrays["image"]
    assert torch.equal(same, data.split("test").arrays["image"]) and not torch.equal(same, changed)
    assert not np.array_equal(other.scans("test"), data.scans("test"))
    assert not torch.equal(data.split("test").arrays["image"][:130], data.split("calibration").arrays["image"])


def test_images_are_multiples_of_1_255(data):
    image = data.split("train").__getitems__(list(range(50)))["image"]
    assert image.dtype == torch.float32 and image.shape == (50, 3, 48, 48)
    assert torch.equal((image * 255).round() / 255, image) and image.min() >= 0 and image.max() <= 1
    assert image.std(dim=(1, 2, 3)).min() > 0.03


def test_masks_lie_on_the_strokes(data, monkeypatch):
    """Against the same composites without clutter: only the object differs from the plain background."""
    monkeypatch.setattr(digit_scenes, "clutter", lambda image, *_: image)
    sample = made("train", data.scans("train"), 100)
    key = rng.sample_keys(0, "composite", sample["sample_id"])
    change = (sample["image"].float() / 255 - background(key ^ 2, 48)).abs().amax(1)
    mask = sample["mask"]
    assert torch.equal(mask, data.split("train").arrays["mask"][:100])
    assert mask.float().mean((1, 2)).min() > 0.02 and mask.float().mean() < 0.3
    for row in range(100):
        assert np.corrcoef(change[row].flatten(), mask[row].float().flatten())[0, 1] > 0.9
        shifted = mask[row].roll((5, 5), (0, 1)).float()
        assert np.corrcoef(change[row].flatten(), shifted.flatten())[0, 1] < 0.7


def test_the_mask_has_the_shape_of_the_scan(data):
    """A bounding box of the mask, shrunk to the scan's, correlates with the scan that the source id names."""
    images, (scans, target) = data.split("test"), (load_digits().images, load_digits().target)
    right, wrong = [], []
    for row in range(60):
        own = _boxed(images.arrays["mask"][row].float())
        right.append(_similarity(own, scans[images.source_id_N[row]]))
        strangers = [scan for scan in range(0, 1797, 180) if target[scan] != images.label_N[row]]
        wrong.append(np.mean([_similarity(own, scans[scan]) for scan in strangers]))
    assert np.mean(right) > 0.6 and np.mean(np.array(right) > np.array(wrong)) > 0.95


def _boxed(image_HW: torch.Tensor) -> torch.Tensor:
    rows, columns = (image_HW > 0.3).any(1).nonzero(), (image_HW > 0.3).any(0).nonzero()
    box = image_HW[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    return torch.nn.functional.interpolate(box[None, None], (16, 16), mode="bilinear", align_corners=False)[0, 0]


def _similarity(own: torch.Tensor, scan: np.ndarray) -> float:
    return float(np.corrcoef(own.flatten(), _boxed(torch.from_numpy(scan / 16).float()).flatten())[0, 1])


def test_a_damaged_cache_is_told_and_made_again(tmp_path, caplog):
    settings = {"root": str(tmp_path), "seed": 0, "train": 20, "calibration": 10, "test": 10}
    expected = Digits(**settings).split("test").arrays
    (cache,) = tmp_path.glob("digits-test-*.safetensors")
    whole = cache.read_bytes()
    for content in (whole[:-100], b"", b"no tensors"):
        cache.write_bytes(content)
        with caplog.at_level(logging.WARNING, "underfire"):
            got = Digits(**settings).split("test").arrays
        assert "is damaged" in caplog.text and "made again" in caplog.text
        caplog.clear()
        assert all(torch.equal(got[name], expected[name]) for name in expected) and cache.read_bytes() == whole
    assert not list(tmp_path.glob("*.partial"))


def test_a_whole_cache_is_used(tmp_path, monkeypatch):
    settings = {"root": str(tmp_path), "seed": 0, "train": 20, "calibration": 10, "test": 10}
    expected = Digits(**settings).split("test").arrays["image"]
    monkeypatch.setattr(digits, "composites", None)
    assert torch.equal(Digits(**settings).split("test").arrays["image"], expected)


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"image_size": 31}, "at least 32 for .*, got 31"),
        ({"test": 0}, "test is a number of images, a whole number of 1 or more, got 0"),
        ({"train": None}, "train is a number of images, a whole number of 1 or more, got null"),
    ],
)
def test_a_bad_knob_is_told_in_a_sentence(tmp_path, knobs, message):
    with pytest.raises(ValueError, match=message):
        Digits(root=str(tmp_path), seed=0, **knobs)


def test_an_unknown_split_is_refused(data):
    with pytest.raises(ValueError, match="train, calibration or test, got 'val'"):
        data.split("val")


def test_what_a_killed_process_left_is_cleared_away(tmp_path):
    settings = {"seed": 0, "train": 20, "calibration": 10, "test": 20}
    whole = Digits(root=str(tmp_path / "whole"), **settings)
    whole.split("test")
    (file,) = (tmp_path / "whole").glob("digits-test-*.safetensors")
    cut = tmp_path / "cut" / f"{file.name}.0123.partial"
    cut.parent.mkdir()
    cut.write_bytes(file.read_bytes()[:100])
    Digits(root=str(cut.parent), **settings).split("test")
    assert (cut.parent / file.name).read_bytes() == file.read_bytes()
    assert not cut.exists() and not list(cut.parent.glob("*.lease"))
