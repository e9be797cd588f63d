"""Probed images: made once a group under ``Trainer.predict``, kept in the store, read by every interpreter."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save

from benchmark.configuration.specs import probed_spec
from benchmark.data.groups import GroupSubset
from benchmark.engine.fit import predict
from benchmark.metrics.map_distance import l1
from benchmark.numerics.images import from_bytes
from benchmark.pipeline.artefacts.predictions import Population, WithPrediction, get_population
from benchmark.pipeline.context import RunContext
from benchmark.processes import ranks
from benchmark.storage.atomic import write_atomic
from benchmark.storage.paths import group_file
from benchmark.types import Batch, ClassifierModule, InterpreterModule

log = logging.getLogger("underfire")


class GroupWriter(Callback):
    """Writes what every predict step returns, a file a group, atomically: a cut-off attack goes on where it was."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_predict_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Batch, index: int, loader: int = 0
    ) -> None:
        arrays = {name: value.cpu().contiguous() for name, value in outputs.items()}
        content = save(arrays, metadata={"sum": _sum(arrays)})
        write_atomic(group_file(self.folder, int(batch["group"])), content)


class WithProbed:
    """Fixed groups of a population, each batch with its ``probed`` images, ``goal`` and, if asked for, ``goal_map``.

    Args:
        groups: whose samples are all among the probed ones. folder: the probed images, a file a group of their own.
        batch_size: of the groups that the images were made in. goal_maps: for the interpreter that was attacked.
    """

    def __init__(
        self, groups: WithPrediction, folder: Path, made_in: Population, batch_size: int, *, goal_maps: bool
    ) -> None:
        self.groups, self.folder, self.batch_size, self.goal_maps = groups, folder, batch_size, goal_maps
        ids = made_in.images.sample_id_N[made_in.rows]
        self.number = {sample: place // batch_size for place, sample in enumerate(ids.tolist())}
        self.files: dict[int, dict[str, torch.Tensor]] = {}

    def __len__(self) -> int:
        return len(self.groups)

    def __getitem__(self, number: int) -> Batch:
        batch = self.groups[number]
        ids = batch["sample_id"].tolist()
        numbers = sorted({self.number[sample] for sample in ids})
        self.files = {n: self.files.get(n) or load_file(group_file(self.folder, n)) for n in numbers}
        names = [name for name in next(iter(self.files.values())) if self.goal_maps or name != "goal_map"]
        saved = {name: torch.cat([file[name] for file in self.files.values()]) for name in names}
        place = {sample: row for row, sample in enumerate(saved["sample_id"].tolist())}
        rows = torch.tensor([place[sample] for sample in ids])
        probed: Batch = {"probed": from_bytes(saved["image"][rows]), "goal": saved["goal"][rows]}
        if "goal_map" in saved:
            probed["goal_map"] = saved["goal_map"][rows]
        return {**batch, **probed}


def _sum(arrays: dict[str, torch.Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode() + arrays[name].numpy().tobytes())
    return digest.hexdigest()


def is_whole(path: Path) -> bool:
    """Whether a group's file is there with the content that was written; a damaged one is told of and removed."""
    if not path.exists():
        return False
    try:
        with safe_open(path, "pt") as file:
            told = (file.metadata() or {}).get("sum")
            if told == _sum({name: file.get_tensor(name) for name in file.keys()}):  # noqa: SIM118
                return True
    except SafetensorError:
        pass
    log.warning("%s is damaged; its group is attacked again", path)
    path.unlink()
    return False


def get_probed(
    place: RunContext,
    interpreter: InterpreterModule,
    population: Population,
    probe: Any,
    lit_probe: Any,
    readers: Population,
    *,
    goal_maps: bool,
) -> WithProbed:
    """The probed images of a population, from the store or made now, in the groups of those that read them.

    Args:
        readers: the population, or a part of it.
        lit_probe: makes the LightningModule of (interpreter, probe).
        goal_maps: whether who reads them is the interpreter that they were made against.
    """
    settings = place.config["probe"]
    if probe.needs_map != settings["needs_map"]:
        raise ValueError(
            f"probe.needs_map is {settings['needs_map']} in the configuration of probe={settings['name']}, but the "
            f"probe {'reads' if probe.needs_map else 'does not read'} maps: correct its yaml"
        )
    groups = population.groups(settings["batch_size"])

    def make(folder: Path) -> dict[str, Any]:
        missing = ranks.broadcast(lambda: [n for n in range(len(groups)) if not is_whole(group_file(folder, n))])
        if getattr(probe, "needs_donors", False):
            probe.donors_KDCHW = donors(place, interpreter.classifier)
        own = GroupSubset.for_rank(groups, missing)
        predict(place.config, lit_probe(interpreter=interpreter, probe=probe), own, GroupWriter(folder))
        interpreter.to(place.device)
        return {"samples": len(population.rows), "groups": len(groups)}

    folder = place.artefact("probed", "probed", probed_spec(place.config), make, alone=False).path
    size = settings["batch_size"]
    return WithProbed(readers.groups(size), folder, population, size, goal_maps=goal_maps)


def surrogate_error(interpreter: InterpreterModule, population: Population, batch_size: int) -> float | None:
    """Mean L1 between an interpreter's maps and those of the stand-in that attacks meet, on the first benign group.

    None where attacks meet the interpreter itself.
    """
    if not hasattr(interpreter, "surrogate") or hasattr(interpreter, "members"):
        return None
    batch = next(iter(population.groups(batch_size)))
    device = next(interpreter.classifier.parameters()).device
    image, class_B = batch["image"].to(device), batch["prediction"].to(device)
    own, other = (each(image, class_B).detach() for each in (interpreter, interpreter.surrogate()))
    return float(l1(own, other)[batch["valid"].to(device)].mean())


def donors(place: RunContext, classifier: ClassifierModule, count: int = 8) -> torch.Tensor:
    """The first ``count`` right-classified calibration images of every class (K, count, 3, H, W), repeated where fewer.

    Raises:
        ValueError: a class without one.
    """
    population = get_population(place, classifier, "calibration")
    label = population.images.label_N[population.rows]
    chosen = []
    for index, name in enumerate(population.images.class_names):
        own = population.rows[label == index][:count]
        if not len(own):
            raise ValueError(f"no calibration image of class {name!r} is classified right: goal=other_image has no map")
        chosen.append(population.images.__getitems__(np.resize(own, count).tolist())["image"])
    return torch.stack(chosen)
