"""From benign and probed images to the rows and pictures of a record."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from pytorch_lightning import Callback, LightningModule, Trainer

from benchmark.data.groups import GroupSubset
from benchmark.engine.trainer import predict
from benchmark.numerics.images import to_bytes
from benchmark.pipeline.context import RunContext
from benchmark.processes import ranks
from benchmark.types import Batch

_MAPS = ("benign_map", "probed_map")


class Collected(Callback):
    """The columns of every group, and the maps of those before ``until``: what is held does not grow with the rest."""

    def __init__(self, until: int) -> None:
        self.until = until
        self.groups: dict[int, dict[str, np.ndarray]] = {}

    def on_predict_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Batch, index: int, loader: int = 0
    ) -> None:
        number = int(batch["group"])
        self.groups[number] = {
            name: value.cpu().numpy() for name, value in outputs.items() if name not in _MAPS or number < self.until
        }


def measure(place: RunContext, module: Any, groups: Any) -> tuple[pd.DataFrame, dict[str, dict[str, np.ndarray]]]:
    """A row per sample in sample-id order, and the images and maps of the first ``measure.keep`` of them.

    Of a distributed run every process measures its share, and the first has the result; the others have no rows.
    """
    keep, size = place.config["measure"]["keep"], place.config["probe"]["batch_size"]
    collected = Collected(-(-keep // size))
    predict(place.config, module, GroupSubset.for_rank(groups), collected)
    everything = {number: group for part in ranks.gather(collected.groups) for number, group in part.items()}
    found = [everything[number] for number in sorted(everything)]
    names = [name for name in (found[0] if found else {}) if name not in _MAPS]
    samples = pd.DataFrame({name: np.concatenate([group[name] for group in found]) for name in names})
    return samples, _pictures(found, groups, keep)


def _pictures(found: list[dict[str, np.ndarray]], groups: Any, keep: int) -> dict[str, dict[str, np.ndarray]]:
    kept: dict[str, list[np.ndarray]] = {name: [] for name in ("sample_id", "benign", "probed", *_MAPS)}
    for number, group in enumerate(found):
        room = keep - sum(map(len, kept["sample_id"]))
        if room <= 0:
            break
        batch = groups[number]
        valid = batch["valid"]
        kept["sample_id"].append(group["sample_id"][:room])
        kept["benign"].append(to_bytes(batch["image"][valid])[:room].numpy())
        if "probed" in batch:
            kept["probed"].append(to_bytes(batch["probed"][valid])[:room].numpy())
        for name in _MAPS:
            if name in group:
                kept[name].append(group[name][:room].astype(np.float16))
    return _named({name: np.concatenate(parts) for name, parts in kept.items() if parts})


def _named(kept: dict[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    if not kept:
        return {}
    ids = {"sample_id": kept["sample_id"]}
    images: dict[str, np.ndarray] = {name: kept[name] for name in ("benign", "probed") if name in kept}
    maps = {name.removesuffix("_map"): kept[name] for name in _MAPS if name in kept}
    return {"images": {**ids, **images}, "maps": {**ids, **maps}}
