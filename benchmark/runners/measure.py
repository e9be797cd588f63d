"""From benign and probed images to the rows and pictures of a record."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from benchmark.runners.fit import make_trainer
from benchmark.runners.workplace import Workplace
from benchmark.tensors import to_bytes

_MAPS = ("benign_map", "probed_map")


def measure(place: Workplace, module: Any, groups: Any) -> tuple[pd.DataFrame, dict[str, dict[str, np.ndarray]]]:
    """A row per sample in sample-id order, and the images and maps of the first ``measure.keep`` of them."""
    keep = place.config["measure"]["keep"]
    columns: dict[str, list[Tensor]] = {}
    kept: dict[str, list[Tensor]] = {name: [] for name in ("sample_id", "benign", "probed", *_MAPS)}
    trainer = make_trainer(place.config, logger=False)
    outputs: list[Any] = trainer.predict(module, groups) or []
    for output, batch in zip(outputs, groups if keep else [], strict=False):
        room = keep - sum(len(part) for part in kept["sample_id"])
        if room <= 0:
            break
        real = batch["real"]
        kept["sample_id"].append(output["sample_id"].cpu()[:room])
        kept["benign"].append(to_bytes(batch["image"][real])[:room])
        if "probed" in batch:
            kept["probed"].append(to_bytes(batch["probed"][real])[:room])
        for name in _MAPS:
            if name in output:
                kept[name].append(output[name].cpu()[:room].half())
    for output in outputs:
        for name, value in output.items():
            if name not in _MAPS:
                columns.setdefault(name, []).append(value.cpu())
    samples = pd.DataFrame({name: torch.cat(parts).numpy() for name, parts in columns.items()})
    return samples, _pictures({name: torch.cat(parts).numpy() for name, parts in kept.items() if parts})


def _pictures(kept: dict[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    if not kept:
        return {}
    ids = {"sample_id": kept["sample_id"]}
    images: dict[str, np.ndarray] = {name: kept[name] for name in ("benign", "probed") if name in kept}
    maps = {name.removesuffix("_map"): kept[name] for name in _MAPS if name in kept}
    return {"images": {**ids, **images}, "maps": {**ids, **maps}}
