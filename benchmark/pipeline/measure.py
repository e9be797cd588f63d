"""From benign and perturbed images to the rows and pictures of a record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pytorch_lightning import Callback, LightningModule, Trainer

from benchmark.configuration.instantiation import instantiate
from benchmark.data.groups import Groups, GroupSubset, shown_classes
from benchmark.engine.trainer import predict
from benchmark.interpreters.base import BaseInterpreter
from benchmark.numerics.images import to_bytes
from benchmark.pipeline.artefacts.benign_spread import BenignSpread, get_harmless_noise
from benchmark.pipeline.artefacts.dataset import load_data
from benchmark.pipeline.artefacts.interpreter import get_reference
from benchmark.pipeline.context import RunContext
from benchmark.probes.account import CURVE
from benchmark.processes import ranks
from benchmark.storage.curves import curve_table
from benchmark.storage.schema import Column
from benchmark.types import Batch

Columns = dict[str, np.ndarray]

_MAPS = ("benign_map", "probed_map")


class MeasureModule(LightningModule):
    """What ``modules.measure`` builds: columns of the record from a group of samples.

    further_columns: describes the columns beyond those of storage/columns.py, for a measure from outside the suite.
    """

    further_columns: Sequence[Column] = ()


@dataclass(frozen=True)
class Measurements:
    """A row per sample in sample-id order, and the pictures of the first ``measure.keep`` of them.

    tensors: "images" (uint8) and "maps" (float16), each with "sample_id", "benign" and, under a probe, "probed". In a
    distributed run the main process has all rows, the others none. curves: see benchmark.storage.curves.
    """

    samples: pd.DataFrame
    tensors: dict[str, Columns]
    curves: pd.DataFrame | None = None  # the attack's map distance against its passes, where it keeps curves
    further: Sequence[Column] = ()  # the columns of a measure from outside the suite


class ColumnCollector(Callback):
    """Keeps the columns of every group, and the maps of the groups before ``n_map_groups``: memory stays bounded."""

    def __init__(self, n_map_groups: int) -> None:
        self.n_map_groups = n_map_groups
        self.groups: dict[int, Columns] = {}

    def on_predict_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Batch, index: int, loader: int = 0
    ) -> None:
        number = int(batch["group"])
        kept = {name: value for name, value in outputs.items() if name not in _MAPS or number < self.n_map_groups}
        self.groups[number] = {name: value.cpu().numpy() for name, value in kept.items()}


def measure(ctx: RunContext, interpreter: BaseInterpreter, spread: BenignSpread, groups: Groups) -> Measurements:
    """Every measure of every sample of the groups; each process of a distributed run measures its share."""
    keep, size = ctx.config["measure"]["keep"], ctx.config["probe"]["batch_size"]
    collector = ColumnCollector(-(-keep // size))
    module = _module(ctx, interpreter, spread)
    predict(ctx.config, module, GroupSubset.for_rank(groups), collector)
    collected = {number: group for part in ranks.gather(collector.groups) for number, group in part.items()}
    columns = [collected[number] for number in sorted(collected)]
    names = [name for name in (columns[0] if columns else {}) if name not in _MAPS and not name.startswith(CURVE)]
    samples = pd.DataFrame({name: np.concatenate([group[name] for group in columns]) for name in names})
    return Measurements(samples, _pictures(columns, groups, keep), _curves(columns), module.further_columns)


def _curves(columns: list[Columns]) -> pd.DataFrame | None:
    """The table of the attack's curves over all groups; None where it keeps none."""
    names = [name for name in (columns[0] if columns else {}) if name.startswith(CURVE)]
    if not names:
        return None
    return curve_table({name.removeprefix(CURVE): np.concatenate([group[name] for group in columns]) for name in names})


def _module(ctx: RunContext, interpreter: BaseInterpreter, spread: BenignSpread) -> MeasureModule:
    """The LightningModule that measures; without a probe it also measures the distance to the reference
    RTS_0, and the harmless distances.
    """
    classifier = interpreter.classifier
    settings, clean = ctx.config["measure"], ctx.config["probe"]["module"] is None
    module: MeasureModule = instantiate(ctx.config["modules"]["measure"])(
        interpreter=interpreter,
        reference=get_reference(ctx, classifier) if clean else None,
        harmless_noise=get_harmless_noise(ctx, classifier).perturb if clean else None,
        spread=spread.spread,
        box_threshold=spread.box_threshold,
        blur=settings["blur"],
        n_faithfulness_samples=settings["faithful_samples"],
        n_harmless_samples=settings["harmless_samples"],
        iou_threshold=settings["iou_threshold"],
        top_share=settings["top_share"],
        classes=shown_classes(load_data(ctx.config).split("train")) if clean else None,
    )
    return module


def inside_boxes(box_BM4: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Whether a pixel's centre lies in any of its image's boxes (left, top, right, bottom in pixels, NaN for none):
    bool (B, H, W)."""
    y_H1, x_W = np.arange(size[0])[:, None] + 0.5, np.arange(size[1]) + 0.5
    left, top, right, bottom = np.moveaxis(box_BM4, -1, 0)[..., None, None]
    inside_BMHW = (left <= x_W) & (x_W < right) & (top <= y_H1) & (y_H1 < bottom)
    found: np.ndarray = inside_BMHW.any(axis=1)
    return found


def _pictures(columns: list[Columns], groups: Groups, keep: int) -> dict[str, Columns]:
    """Images and maps of the first ``keep`` samples; without a probe also their objects' masks, where there are any."""
    kept: dict[str, list[np.ndarray]] = {name: [] for name in ("sample_id", "benign", "probed", "mask", *_MAPS)}
    for number, group in enumerate(columns):
        room = keep - sum(map(len, kept["sample_id"]))
        if room <= 0:
            break
        batch = groups[number]
        kept["sample_id"].append(group["sample_id"][:room])
        kept["benign"].append(to_bytes(batch["image"])[:room].numpy())
        if "probed" in batch:
            kept["probed"].append(to_bytes(batch["probed"])[:room].numpy())
        elif "mask" in batch:
            kept["mask"].append(batch["mask"][:room].numpy().astype(np.uint8))
        elif "box" in batch:
            kept["mask"].append(inside_boxes(batch["box"][:room].numpy(), batch["image"].shape[2:]).astype(np.uint8))
        for name in _MAPS:
            if name in group:
                kept[name].append(group[name][:room].astype(np.float16))
    arrays = {name: np.concatenate(parts) for name, parts in kept.items() if parts}
    if not arrays:
        return {}
    ids = {"sample_id": arrays["sample_id"]}
    images: Columns = {name: arrays[name] for name in ("benign", "probed", "mask") if name in arrays}
    maps: Columns = {name.removesuffix("_map"): arrays[name] for name in _MAPS if name in arrays}
    return {"images": ids | images, "maps": ids | maps}
