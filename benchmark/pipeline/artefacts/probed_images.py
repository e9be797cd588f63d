"""Perturbed images: made once a group under ``Trainer.predict``, kept in the store, read by every interpreter."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from safetensors import SafetensorError
from safetensors.torch import load_file

from benchmark.configuration.instantiation import instantiate
from benchmark.data.groups import GroupSubset, Population, WithPrediction
from benchmark.engine.trainer import has_bar, predict
from benchmark.interpreters.base import BaseInterpreter
from benchmark.numerics import layers
from benchmark.numerics.images import from_bytes
from benchmark.pipeline.artefacts.predictions import get_correct_samples
from benchmark.pipeline.context import RunContext
from benchmark.planning.required_artefacts import probed_ref
from benchmark.probes.account import CURVE, FACT
from benchmark.probes.goal_attack import GoalAttack
from benchmark.probes.kept_state import StateKeeper, kept_by
from benchmark.probes.tensor_file import read_checked, write_checked
from benchmark.processes import ranks
from benchmark.processes.progress import Progress
from benchmark.storage.paths import group_file, state_file
from benchmark.types import Batch, Classifier, Probe

log = logging.getLogger("underfire")


class GroupWriter(Callback):
    """Writes what every predict step returns, a file a group, atomically: an attack that was cut off resumes there.

    The state of the group under way is the keeper's, who keeps it in a file beside.
    """

    def __init__(self, folder: Path, keeper: StateKeeper, progress: Progress) -> None:
        self.folder, self.keeper, self.progress = folder, keeper, progress

    def on_predict_batch_start(
        self, trainer: Trainer, module: LightningModule, batch: Batch, index: int, loader: int = 0
    ) -> None:
        self.keeper.begin(state_file(self.folder, int(batch["group"])))

    def on_predict_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Batch, index: int, loader: int = 0
    ) -> None:
        arrays = {name: value.cpu().contiguous() for name, value in outputs.items()}
        write_checked(group_file(self.folder, int(batch["group"])), arrays)
        self.keeper.end()
        self.progress.advance()


class PerturbedGroups:
    """Fixed groups of a population, each batch with its ``probed`` images, ``goal``, what the attack tells about itself
    (``attack``, of attacks) and, if asked for, ``goal_map``.

    Args:
        groups: whose samples are all among the perturbed ones. folder: of the images, a file a group of their own.
        source_samples: in whose groups of ``batch_size`` the images were made. goal_maps: whether the goal maps are
            those of the interpreter that reads them.
    """

    def __init__(
        self, groups: WithPrediction, folder: Path, source_samples: Population, batch_size: int, *, goal_maps: bool
    ) -> None:
        self.groups, self.folder, self.goal_maps = groups, folder, goal_maps
        self.source_samples, self.batch_size = source_samples, batch_size
        ids = source_samples.images.sample_id_N[source_samples.rows]
        self.group_of = {sample: position // batch_size for position, sample in enumerate(ids.tolist())}
        self.files: dict[int, dict[str, torch.Tensor]] = {}

    @property
    def streams(self) -> bool:
        """Whether the benign images are read from the disk; see groups.py."""
        return self.groups.streams

    def of_the_source(self) -> PerturbedGroups:
        """The groups of what was perturbed, with the goal maps."""
        groups = self.source_samples.groups(self.batch_size)
        return PerturbedGroups(groups, self.folder, self.source_samples, self.batch_size, goal_maps=True)

    def __len__(self) -> int:
        return len(self.groups)

    def __getitem__(self, number: int) -> Batch:
        batch = self.groups[number]
        ids = batch["sample_id"].tolist()
        numbers = sorted({self.group_of[sample] for sample in ids})
        self.files = {n: self.files.get(n) or load_file(group_file(self.folder, n)) for n in numbers}
        names = [name for name in next(iter(self.files.values())) if self.goal_maps or name != "goal_map"]
        saved = {name: torch.cat([file[name] for file in self.files.values()]) for name in names}
        row_of = {sample: row for row, sample in enumerate(saved["sample_id"].tolist())}
        rows = torch.tensor([row_of[sample] for sample in ids])
        perturbed: Batch = {"probed": from_bytes(saved["image"][rows]), "goal": saved["goal"][rows]}
        if "goal_map" in saved:
            perturbed["goal_map"] = saved["goal_map"][rows]
        if facts := _below(FACT, saved, rows):
            perturbed["attack"] = facts
        if curves := _below(CURVE, saved, rows):
            perturbed["curves"] = curves
        return {**batch, **perturbed}


def _below(prefix: str, saved: dict[str, torch.Tensor], rows: torch.Tensor) -> dict[str, torch.Tensor]:
    """Of the tensors whose names begin so, these rows, by the rest of their names."""
    return {name.removeprefix(prefix): each[rows] for name, each in saved.items() if name.startswith(prefix)}


def get_probed_images(
    ctx: RunContext,
    interpreter: BaseInterpreter,
    source_samples: Population,
    probe: Probe,
    samples: Population,
    *,
    goal_maps: bool,
) -> PerturbedGroups:
    """The perturbed images of a population, from the store or made now, in the groups of those that read them.

    Args:
        source_samples: what is perturbed. samples: who is read, the same population or a part of it.
        goal_maps: whether the interpreter that reads the images is the one that they were made against.
    """
    settings = ctx.config["probe"]
    if probe.needs_map != settings["needs_map"]:
        raise ValueError(
            f"probe.needs_map is {settings['needs_map']} in the configuration of probe={settings['name']}, but the "
            f"probe {'needs' if probe.needs_map else 'does not need'} maps: correct its yaml"
        )
    size = settings["batch_size"]
    groups = source_samples.groups(size)

    def make(folder: Path) -> dict[str, Any]:
        missing = ranks.broadcast(lambda: [n for n in range(len(groups)) if not is_whole(group_file(folder, n))])
        if isinstance(probe, GoalAttack) and probe.needs_donors:
            probe.donors_CDCHW = _donors(ctx, interpreter.classifier, probe.drawn_from(interpreter.classifier))
        module = instantiate(ctx.config["modules"]["probe"])(interpreter=interpreter, probe=probe)
        own = GroupSubset.for_rank(groups, missing)
        what = f"{settings['name']} against {ctx.config['interpreter']['name']}"
        progress = Progress(what if probe.needs_map else settings["name"], "groups", len(own), quiet=has_bar())
        keeper = StateKeeper(60 * ctx.config["trainer"]["keep_minutes"], lambda note: progress.advance(0, note))
        with layers.configured(ctx.config["trainer"]), progress, kept_by(keeper):
            predict(ctx.config, module, own, GroupWriter(folder, keeper, progress))
        interpreter.to(ctx.device)
        return {"samples": len(source_samples.rows), "groups": len(groups)}

    folder = ctx.artefact(probed_ref(ctx.config), make, single_process=False).path
    return PerturbedGroups(samples.groups(size), folder, source_samples, size, goal_maps=goal_maps)


def is_whole(path: Path) -> bool:
    """Whether a group's file holds what was written; a damaged one is named in a warning and removed."""
    if not path.exists():
        return False
    try:
        read_checked(path)
        return True
    except SafetensorError:
        pass
    log.warning("%s is damaged; its group is attacked again", path)
    path.unlink()
    return False


def _donors(ctx: RunContext, classifier: Classifier, classes_C: torch.Tensor, count: int = 8) -> torch.Tensor:
    """The first ``count`` right-classified calibration images of each class (C, count, 3, H, W), repeated where fewer.

    Raises:
        ValueError: a class without one.
    """
    population = get_correct_samples(ctx, classifier, "calibration")
    label = population.images.label_N[population.rows]
    chosen = []
    for index in classes_C.tolist():
        rows = population.rows[label == index][:count]
        if not len(rows):
            name = population.images.class_names[index]
            raise ValueError(
                f"no calibration image of class {name!r} is classified right, so that goal=other_image has no "
                "map of it: take another goal, or probe.goal_classes=trained where the data show a part of the classes"
            )
        chosen.append(population.images.__getitems__(np.resize(rows, count).tolist())["image"])
    return torch.stack(chosen)
