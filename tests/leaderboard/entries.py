"""Small records with images and maps, consistent with themselves, and bundles of them."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.report.published.pack import read_pack
from benchmark.storage.records import Record, write_record
from tests.helpers import PROJECT

PUBLISHED = PROJECT / "docs" / "results" / "v1"
N, SIDE, GRID, LEVELS = 200, 8, 6, 8


def published(interpreter: str = "rts", probe: str = "adv2_auto", seed: int = 5) -> Record:
    """A published record, without images."""
    wanted = {"interpreter": interpreter, "probe": probe, "seed": seed}
    return next(r for r in _records() if all(r.cell[name] == each for name, each in wanted.items()))


@cache
def _records() -> list[Record]:
    return read_pack(PUBLISHED).records


def attacked(
    folder: Path,
    *,
    seed: int = 5,
    distance: float = 0.01,
    levels: int = LEVELS,
    interpreter: str = "rts",
    count: int = N,
    **config: Any,
) -> Record:
    """A record of an attack on a published method: every class is reached, maps are ``distance`` from the benign ones.

    ``config`` overwrites settings of the probe.
    """
    model = published(interpreter, seed=seed)
    draw = np.random.default_rng(seed)
    samples = model.samples.iloc[:count].copy()
    ids = samples["sample_id"].to_numpy(np.int64)
    benign = draw.integers(20, 230, (count, 3, SIDE, SIDE), dtype=np.uint8)
    probed = (benign.astype(int) + levels * draw.choice([-1, 1], benign.shape)).astype(np.uint8)
    maps = draw.uniform(0.2, 0.6, (count, GRID, GRID)).astype(np.float16)
    moved = (maps.astype(np.float32) + distance).astype(np.float16)
    map_l1 = np.abs(moved.astype(np.float32) - maps.astype(np.float32)).mean((1, 2))
    spread = model.cell["facts"]["benign_spread"]
    columns = {
        "pred_probe": samples["goal"],
        "success": np.ones(count, dtype=bool),
        "map_l1": map_l1,
        "looks_benign": (map_l1 <= spread),
        "linf": np.full(count, levels / 255),
    }
    for name, values in columns.items():
        samples[name] = np.asarray(values).astype(samples[name].dtype)
    cell = copy.deepcopy({key: value for key, value in model.cell.items() if key not in ("checksum", "checksums")})
    cell["n_samples"] = count
    cell["config"]["probe"].update(config)
    tensors = {
        "images": {"sample_id": ids, "benign": benign, "probed": probed},
        "maps": {"sample_id": ids, "benign": maps, "probed": moved},
    }
    written = write_record(folder / cell["name"], samples.reset_index(drop=True), tensors, cell)
    return Record(written.folder, written.cell)


def clean(folder: Path, *, seed: int = 5, interpreter: str = "rts") -> Record:
    """The clean cell of the same method."""
    model = published(interpreter, "clean", seed)
    cell = copy.deepcopy({key: value for key, value in model.cell.items() if key not in ("checksum", "checksums")})
    cell["n_samples"] = len(model.samples)
    written = write_record(folder / cell["name"], model.samples.reset_index(drop=True), {}, cell)
    return Record(written.folder, written.cell)
