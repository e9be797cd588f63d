"""Oxford-IIIT Pet as it unpacks, planted small."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmark.data.oxford_pets import OxfordPets
from tests.data.folders import save


@pytest.fixture
def root(tmp_path):
    """Two breeds; every animal is the red half, with a border of one column."""
    folder = tmp_path / "oxford-iiit-pet"
    (folder / "annotations").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for listed, count in (("trainval", 12), ("test", 4)):
        lines = []
        for label, breed in ((1, "Abyssinian"), (2, "german_shorthaired")):
            for number in range(count):
                name = f"{breed}_{number if listed == 'test' else 100 + number}"
                pixels = rng.integers(0, 60, (32, 32, 3), dtype=np.uint8)
                pixels[:, :16, 0] = 250
                trimap = np.full((32, 32), 2, np.uint8)
                trimap[:, :16], trimap[:, 16] = 1, 3
                save(folder / "images" / f"{name}.jpg", pixels, quality=95)
                save(folder / "annotations" / "trimaps" / f"{name}.png", trimap)
                lines.append(f"{name} {label} 1 {label}")
        (folder / "annotations" / f"{listed}.txt").write_text("\n".join(lines))
    return tmp_path


def test_splits_names_and_masks(root):
    data = OxfordPets(root=str(root), seed=0, image_size=32, download=False)
    assert data.class_names == ["Abyssinian", "German Shorthaired"] and data.num_classes == 2
    sizes = {name: len(data.split(name)) for name in ("train", "calibration", "test")}
    assert sizes == {"train": 14, "calibration": 10, "test": 8}
    batch = data.split("test").__getitems__(list(range(8)))
    expected = torch.zeros(32, 32, dtype=torch.bool)
    expected[:, :16] = True
    assert (batch["mask"] == expected).all() and np.bincount(batch["label"]).tolist() == [4, 4]
    with pytest.raises(ValueError, match="train, calibration or test, got 'val'"):
        data.split("val")


def test_where_it_is_not_there(tmp_path):
    with pytest.raises(OSError, match=r"Oxford-IIIT Pet is not in .*oxford-iiit-pet and data\.download is false"):
        OxfordPets(root=str(tmp_path), seed=0, image_size=32, download=False)
