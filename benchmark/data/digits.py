"""The embedded data set: scikit-learn's handwritten digits on a natural-looking background with clutter.

1,797 scans of 8x8 pixels (Alpaydin & Kaynak, UCI, 1998). Any number of composites can be made of a scan, so splits are
made by scan, also for the clutter, and ``source_id`` is the scan.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge
from safetensors import SafetensorError
from scipy import ndimage
from sklearn.datasets import load_digits

from benchmark.data.array_set import ArraySet
from benchmark.data.calibration_split import CALIBRATION_LEAST, FIRST_ID
from benchmark.data.digit_scenes import FRAGMENTS, compose
from benchmark.data.row_file import RowFile, read_rows, write_rows
from benchmark.numerics import rng
from benchmark.numerics.bounds import ImageCount, Seed, checked_arguments
from benchmark.numerics.expectations import Limit, Says
from benchmark.numerics.images import to_bytes
from benchmark.storage.formats import FORMAT
from benchmark.storage.hashing import content_hash
from benchmark.storage.leases import Lease
from benchmark.storage.paths import composites_file, lease_beside, partial_files_of

log = logging.getLogger("underfire")

TEST_SHARE, CALIBRATION_SHARE = 0.25, 0.10
# Composites are made in groups of exactly this size: another size of batch could change a sample's last bit.
_CHUNK = 128


class Digits:
    """Digits in images of ``image_size`` pixels, with object masks.

    Args:
        root: folder of the cache. seed: of the split of scans and of every composite.
        train, calibration, test: numbers of composites; the first n do not depend on the number.
    Raises:
        ValueError: images below 32 pixels, or a split without a number of composites.
    """

    num_classes = 10

    @checked_arguments
    def __init__(
        self,
        *,
        root: str,
        seed: Seed,
        image_size: Annotated[
            int, Ge(32), Limit(16_384), Says("a whole number of pixels, at least 32 for a digit to be legible")
        ] = 48,
        train: ImageCount = 8000,
        calibration: ImageCount = 2500,
        test: ImageCount = 4000,
    ) -> None:
        self.counts = {"train": train, "calibration": calibration, "test": test}
        self.root, self.seed, self.image_size = Path(root), seed, image_size
        self.class_names = [str(digit) for digit in range(10)]
        self._splits: dict[str, ArraySet] = {}

    def split(self, name: str) -> ArraySet:
        """``train``, ``calibration`` or ``test``, from the cache, which is made if it is missing."""
        if name not in self.counts:
            raise ValueError(f"split is train, calibration or test, got {name!r}")
        if name not in self._splits:
            self._splits[name] = ArraySet(self.class_names, self._cached(name))
        return self._splits[name]

    def scans(self, name: str) -> np.ndarray:
        """Indices of the scans of a split: stratified by class, disjoint between splits."""
        target = load_digits().target
        rank = rng.permutation(self.seed, "split of scans", len(target)).numpy()
        chosen = []
        for digit in range(10):
            own = np.flatnonzero(target == digit)
            own = own[np.argsort(rank[own])]
            test = round(TEST_SHARE * len(own))
            calibration = test + max(CALIBRATION_LEAST, round(CALIBRATION_SHARE * (len(own) - test)))
            bounds = {"test": (0, test), "calibration": (test, calibration), "train": (calibration, len(own))}
            chosen.append(own[slice(*bounds[name])])
        return np.sort(np.concatenate(chosen))

    def _cached(self, name: str) -> dict[str, torch.Tensor | RowFile]:
        count = self.counts[name]
        spec = {"seed": self.seed, "size": self.image_size, "split": name, "count": count, "format": FORMAT["data"]}
        path = composites_file(self.root, name, content_hash(spec))
        if (found := _read(path)) is not None:
            return found
        with Lease(lease_beside(path), f"the {name} composites {path.name}"):
            if (found := _read(path)) is not None:
                return found
            for cut in partial_files_of(path):
                cut.unlink(missing_ok=True)
            bunch = load_digits()
            made = composites(bunch.images, bunch.target, self.scans(name), name, count, self.seed, self.image_size)
            write_rows(path, count, made)
            return read_rows(path)


def _read(path: Path) -> dict[str, torch.Tensor | RowFile] | None:
    """The cache, or None where it is missing or damaged."""
    if not path.exists():
        return None
    try:
        return read_rows(path)
    except SafetensorError as error:
        log.warning("the cache %s is damaged (%s) and is made again", path, error)
        return None


def composites(
    scans: np.ndarray, target: np.ndarray, own: np.ndarray, name: str, count: int, seed: int, size: int
) -> Iterator[dict[str, torch.Tensor]]:
    """At least ``count`` composites of the scans ``own``, some at a time: image uint8, mask, label and ids."""
    glyphs = torch.from_numpy(np.stack([_glyph(scans[index]) for index in own]))
    whole = -(-count // _CHUNK) * _CHUNK
    for sample_id in (FIRST_ID[name] + torch.arange(whole)).split(_CHUNK):
        key_B = rng.sample_keys(seed, "composite", sample_id)
        rows = rng.integers(key_B ^ 4, len(own), 1 + FRAGMENTS)
        image, mask = compose(glyphs[rows[:, 0]], glyphs[rows[:, 1:].T], key_B, size)
        source_id = torch.from_numpy(own)[rows[:, 0]]
        yield {
            "image": to_bytes(image),
            "mask": mask,
            "label": torch.from_numpy(target)[source_id],
            "sample_id": sample_id,
            "source_id": source_id,
        }


def _glyph(scan: np.ndarray) -> np.ndarray:
    """A scan of 8x8 grey values up to 16 with an empty border, enlarged by cubic splines; float32 (40, 40), [0, 1]."""
    padded = np.pad(scan / 16.0, 1)
    return np.clip(ndimage.zoom(padded, 4, order=3, mode="grid-constant", grid_mode=True), 0, 1).astype(np.float32)
