"""Is a bundle consistent with itself? What its records say is held against its images and maps, without a network."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from benchmark.leaderboard.bundle import Bundle
from benchmark.storage.records import Record

_MAP_TOLERANCE = 2e-3  # of a mean L1 between maps kept as float16
_LEVEL = 1 / 255


def faults_of(bundle: Bundle) -> list[str]:
    """A sentence on everything in a bundle that contradicts itself; empty where nothing does."""
    faults: list[str] = []
    attacked = [record for record in bundle.records if "goal" in record.samples]
    if not attacked:
        faults.append("the bundle holds no attacked cell")
    for record in bundle.records:
        name = record.cell["cell"]
        if len(record.samples) != record.cell["n_samples"]:
            faults.append(f"cell {name}: {len(record.samples)} samples, cell.json says {record.cell['n_samples']}")
        if "goal" in record.samples:
            faults += [f"cell {name}: {fault}" for fault in _of_an_attack(record)]
    return faults


def _of_an_attack(record: Record) -> Iterator[str]:
    samples, images = record.samples, record.images
    needed = {"success", "pred_benign", "pred_probe", "label", "linf", "map_l1", "looks_benign"}
    if missing := sorted(needed - set(samples)):
        yield f"samples.parquet has no column {missing[0]}"
        return
    if set(images) != {"sample_id", "benign", "probed"} or images["benign"].shape != images["probed"].shape:
        yield "images.safetensors does not hold benign and probed images of one shape"
        return
    order = pd.Index(images["sample_id"]).get_indexer(pd.Index(samples["sample_id"]))
    if (order < 0).any():
        yield f"{int((order < 0).sum())} samples have no image"
        return
    if (samples["pred_benign"] != samples["label"]).any():
        yield "an attacked sample was classified wrong before"
    levels = np.abs(images["probed"][order].astype(int) - images["benign"][order].astype(int)).max(axis=(1, 2, 3))
    if not np.allclose(levels * _LEVEL, samples["linf"], atol=1e-4):
        yield "the column linf is not the size of the perturbation in the images"
    epsilon = record.cell["config"]["probe"].get("epsilon")
    if isinstance(epsilon, int | float) and (levels > np.floor(255 * epsilon + 0.5 + 1e-6)).any():
        yield f"an image is changed by {levels.max()}/255, more than epsilon={255 * epsilon:.4g}/255"
    goal, probed = samples["goal"].to_numpy(), samples["pred_probe"].to_numpy()
    success = np.where(goal >= 0, probed == goal, probed != samples["pred_benign"])
    if (success != samples["success"].to_numpy(bool)).any():
        yield "the column success is not what the predictions and goals say"
    spread = record.cell["facts"].get("benign_spread")
    known = samples["map_l1"].notna().to_numpy()
    if not isinstance(spread, int | float):
        yield "cell.json states no benign spread"
    else:
        distance = samples["map_l1"].to_numpy(float)[known]
        near = np.abs(distance - spread) < 1e-6
        if ((distance <= spread) != samples["looks_benign"].to_numpy(float)[known].astype(bool))[~near].any():
            yield "the column looks_benign is not what map_l1 and the benign spread say"
    yield from _maps(record, known)


def _maps(record: Record, known_N: np.ndarray) -> Iterator[str]:
    samples, maps = record.samples, record.maps
    if set(maps) != {"sample_id", "benign", "probed"} or maps["benign"].shape != maps["probed"].shape:
        yield "maps.safetensors does not hold benign and probed maps of one shape"
        return
    order = pd.Index(maps["sample_id"]).get_indexer(pd.Index(samples["sample_id"]))
    if (order < 0).any():
        yield f"{int((order < 0).sum())} samples have no map"
        return
    benign, probed = (maps[name][order].astype(np.float32) for name in ("benign", "probed"))
    if not (np.isfinite(benign).all() and np.isfinite(probed).all()):
        yield "a map holds NaN or infinity"
        return
    distance = np.abs(benign - probed).mean(axis=(1, 2))
    if not np.allclose(distance[known_N], samples["map_l1"].to_numpy(float)[known_N], atol=_MAP_TOLERANCE):
        yield "the column map_l1 is not the distance of the maps that were kept"
