"""A bundle's images through networks of this machine: what do they do here?

The networks are built from the configuration of a record of one's own, whose artefacts have the same keys as the
bundle's: nothing that the bundle says is built or called. Benign images, labels, goals and the choice of samples are
those of one's own data set and seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from benchmark.data.groups import shown_classes
from benchmark.leaderboard.bundle import Bundle
from benchmark.metrics.map_distance import has_map, l1
from benchmark.numerics import rng
from benchmark.numerics.images import from_bytes, to_bytes
from benchmark.pipeline.artefacts.benign_spread import get_benign_spread
from benchmark.pipeline.artefacts.classifier import get_classifier
from benchmark.pipeline.artefacts.dataset import load_data
from benchmark.pipeline.artefacts.interpreter import get_interpreter
from benchmark.pipeline.artefacts.predictions import get_correct_samples
from benchmark.pipeline.context import RunContext
from benchmark.probes.goals import other_class
from benchmark.storage.records import Record

RATE_TOLERANCE, MAP_TOLERANCE = 0.01, 0.005  # docs/reproducibility.md: one set of weights on another CPU
_AT_ONCE = 50


@dataclass(frozen=True)
class Recheck:
    """What came of it. cells: of each attacked cell that could be measured again, its numbers here and as reported.

    notes: why a cell could not. faults: what is not as the bundle says.
    """

    cells: Sequence[dict[str, Any]]
    notes: Sequence[str]
    faults: Sequence[str]


def recheck(bundle: Bundle, own: Sequence[Record], paths: dict[str, Any], samples: int | None = None) -> Recheck:
    """Measures the attacked cells of a bundle again.

    Args:
        own: finished records of one's own, which know how to build the networks. paths: store and data of this machine.
        samples: of each cell at most so many, the first by id; None for all.
    """
    cells, notes, faults = [], [], []
    for record in bundle.records:
        if "goal" not in record.samples:
            continue
        name = f"cell {record.cell['cell']}"
        twin = next((each for each in own if _same_networks(record, each)), None)
        if twin is None:
            notes.append(
                f"{name}: not measured again, no record here has its classifier and interpreter (classifier "
                f"{record.cell['artefacts'].get('classifier')}): train them, python -m benchmark run with its settings"
            )
            continue
        found, wrong = _cell(record, twin, paths, samples)
        cells.append(found)
        faults += [f"{name}: {fault}" for fault in wrong]
    return Recheck(cells, notes, faults)


def _same_networks(record: Record, own: Record) -> bool:
    """Whether the keys of all networks agree, and the settings of data and interpreter say the same."""
    keys = [
        {name: key for name, key in each.cell["artefacts"].items() if name.split()[0] in ("classifier", "interpreter")}
        for each in (record, own)
    ]
    sections = [
        {
            "data": {name: value for name, value in each.cell["config"]["data"].items() if name != "root"},
            "interpreter": each.cell["config"]["interpreter"],
            "split": each.cell["split"],
        }
        for each in (record, own)
    ]
    return bool(keys[0]) and keys[0] == keys[1] and sections[0] == sections[1]


def _cell(record: Record, own: Record, paths: dict[str, Any], count: int | None) -> tuple[dict[str, Any], list[str]]:
    config = {**own.cell["config"], "paths": {**own.cell["config"].get("paths", {}), **paths}, "force": None}
    trainer = {**config["trainer"], "accelerator": "auto", "devices": 1}
    trainer.pop("strategy", None)
    ctx = RunContext({**config, "trainer": trainer})
    classifier = get_classifier(ctx)
    interpreter = get_interpreter(ctx, classifier)
    spread = get_benign_spread(ctx, interpreter).spread
    population = get_correct_samples(ctx, classifier, own.cell["split"])
    rows = record.samples.sort_values("sample_id").iloc[:count]
    ids = rows["sample_id"].to_numpy(copy=True)
    faults = []
    if not np.array_equal(population.images.sample_id_N[population.first(len(ids)).rows], ids):
        faults.append("its samples are not the first that the classifier gets right, in the order of their ids")
    known = {sample: row for row, sample in enumerate(population.images.sample_id_N.tolist())}
    if absent := [sample for sample in ids.tolist() if sample not in known]:
        return {}, [*faults, f"sample {absent[0]} is not in the data set"]
    batch = population.images.__getitems__([known[sample] for sample in ids.tolist()])
    order = pd.Index(record.images["sample_id"]).get_indexer(pd.Index(ids))
    if not torch.equal(to_bytes(batch["image"]), torch.from_numpy(record.images["benign"][order])):
        faults.append("its benign images are not those of the data set")
    if not np.array_equal(batch["label"].numpy(), rows["label"].to_numpy()):
        faults.append("its labels are not those of the data set")
    classes_C = torch.arange(classifier.num_classes)
    if record.cell["config"]["probe"].get("goal_classes") == "trained":
        classes_C = torch.tensor(shown_classes(load_data(ctx.config).split("train")))
    faults += _goals(rows, batch["label"], torch.from_numpy(ids), classes_C, int(own.cell["seed"]))
    probed = from_bytes(torch.from_numpy(record.images["probed"][order]))
    found = _measured(interpreter, batch["image"], batch["label"], probed, ctx.device)
    goal = torch.from_numpy(rows["goal"].to_numpy(copy=True))
    success = torch.where(goal >= 0, found["predicted"] == goal, found["predicted"] != batch["label"])
    joint = (success & (found["map_l1"] <= spread))[found["has_map"]].float()
    here = {
        "success": float(success.float().mean()),
        "joint_success": float(joint.mean()),
        "map_l1": float(found["map_l1"][found["has_map"]].mean()),
    }
    said = {
        "success": float(rows["success"].mean()),
        "joint_success": float((rows["success"] * rows["looks_benign"]).mean()),
        "map_l1": float(rows["map_l1"].mean()),
    }
    for name, value in here.items():
        tolerance = MAP_TOLERANCE if name == "map_l1" else max(RATE_TOLERANCE, 1 / len(rows))
        if not abs(value - said[name]) <= tolerance:
            faults.append(f"{name} is {value:.4f} here and {said[name]:.4f} in the bundle")
    about = {name: record.cell[name] for name in ("cell", "classifier", "interpreter", "probe", "seed")}
    return {**about, "n": len(rows), "here": here, "reported": said}, faults


def _goals(rows: pd.DataFrame, label_N: Tensor, id_N: Tensor, classes_C: Tensor, seed: int) -> list[str]:
    """Whether targeted goals are those that the seed draws: who may choose the easiest reaches more."""
    goal = rows["goal"].to_numpy()
    if (goal < 0).all():
        return []
    drawn = other_class(label_N, classes_C, rng.sample_keys(seed, "goal class", id_N)).numpy()
    return [] if np.array_equal(goal, drawn) else ["its goal classes are not those that the seed draws"]


def _measured(
    interpreter: Any, image_NCHW: Tensor, label_N: Tensor, probed_NCHW: Tensor, device: torch.device
) -> dict[str, Tensor]:
    parts: list[dict[str, Tensor]] = []
    for start in range(0, len(image_NCHW), _AT_ONCE):
        own = slice(start, start + _AT_ONCE)
        image, label, probed = (each[own].to(device) for each in (image_NCHW, label_N, probed_NCHW))
        benign = interpreter(image, label).detach()
        read = interpreter.read(probed)
        predicted_B = read.logits_BK.detach().argmax(1)
        moved = read.map(predicted_B).detach()
        found = {"predicted": predicted_B, "map_l1": l1(benign, moved), "has_map": has_map(benign)}
        parts.append({name: value.cpu() for name, value in found.items()})
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
