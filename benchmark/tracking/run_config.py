"""What every run is grouped and filtered by: the same top-level keys in cells, trainings and comparisons.

``data``, ``classifier``, ``interpreter`` and ``probe`` are strings in each; the whole configuration stands under
``settings``.
"""

from __future__ import annotations

import hashlib
from typing import Any

from benchmark.report.cohorts.settings import as_text, flat, settings_of, without_seeds
from benchmark.report.labels import probe_setting
from benchmark.storage import flags
from benchmark.storage.records import Record

NONE = "none"  # what a run has no part of: a training has no probe, a classifier's training no interpreter

CONFIG_KEYS = {
    "data": "the data set, `data.name`",
    "classifier": "the classifier that is explained, `classifier.label`",
    "interpreter": "the interpreter that is measured or trained, `interpreter.name`; `none` for a classifier",
    "probe": "noise, attack or `clean`, `probe.name`; `none` for a training",
    "condition": "the probe and what sets it apart, in words: `normal 30 %`, `adv2, steps x10, epsilon 0.0314`",
    "level": "misclassification rate that noise is calibrated to; null without",
    "epsilon": "the attack's budget, L∞, or the radius of its L2 ball; null without",
    "steps": "steps of the attack, its factor included; null without",
    "passes": "passes an image that an automatic attack may take; null without",
    "setting": "8 hex digits of all settings but the seed: equal for runs that differ in the training alone",
    "seed": "seed of the run",
    "data_seed": "seed of the data set",
    "split": "`test` or `calibration`; `train` for a training",
    "budget": "group of sizes and steps, `budget.name`",
    "experiment": "the experiment that the run belongs to, or null",
    "kind": "`clean`, `noise` or `attack` of a cell, `classifier` or `interpreter` of a training, or `comparison`",
    "part": "the artefact that a training makes, as records name it; null for other runs",
    "flags": "names of what makes the cell weak or no evidence",
    "withheld": "whether a flag withholds the cell: no verdict rests on it, and the panels leave it out",
    "device": "name of the GPU or CPU; null for a training",
    "artefacts": "hash of every artefact that the cell was computed from, by its part in the cell",
    "settings": "the whole configuration: `settings.interpreter.lambda_aid`, `settings.probe.epsilon`",
}

_NOT_SENT = ("paths", "logger", "force", "retry", "objective")  # of the command, not of the cell
_TAGS = ("data", "classifier", "interpreter", "probe", "budget")
_TAGGED_NUMBERS = ("level", "epsilon", "steps", "passes")

# What the panels group by: runs that share these differ in their training (the seed) alone.
GROUP_KEYS = ("data", "classifier", "interpreter", "condition", "budget", "split", "setting")


def cell_config(record: Record) -> dict[str, Any]:
    """The configuration of a cell's run."""
    cell = record.cell
    return _common(cell, setting_of(record)) | {
        "probe": cell["probe"],
        "condition": condition_of(cell),
        "level": cell["level"],
        **attack_budget(cell["config"]["probe"]),
        "split": cell["split"],
        "kind": kind_of(record),
        "flags": list(cell.get("flags") or ()),
        "withheld": bool(flags.withholding(cell.get("flags") or ())),
        "device": cell["device"],
        "artefacts": cell["artefacts"],
        "settings": {name: value for name, value in cell["config"].items() if name not in _NOT_SENT},
    }


def training_config(config: dict[str, Any], part: str, *, interpreter: str | None = None) -> dict[str, Any]:
    """The configuration of a training's run.

    Args:
        config: of the run that trains, or of a cell that uses what was trained. part: the artefact's name in records.
        interpreter: whose training it is; None for a classifier's.
    """
    sections = ("data", "classifier", *(["interpreter"] if interpreter else []), "budget")
    settings = {name: config[name] for name in sections if name in config}
    cell = {
        "data": config["data"]["name"],
        "classifier": config["classifier"]["label"],
        "interpreter": interpreter or NONE,
        "seed": config["seed"],
        "data_seed": config["data"]["seed"],
        "budget": config["budget"]["name"],
        "experiment": config.get("experiment_name"),
        "config": settings,
    }
    setting = _hashed({"part": part, **flat(settings)})
    kind = "interpreter" if interpreter else "classifier"
    return _common(cell, setting) | {"kind": kind, "part": part, "split": "train", "settings": settings}


def _common(cell: dict[str, Any], setting: str) -> dict[str, Any]:
    """Every key, with what a run without a probe has in it."""
    names = ("data", "classifier", "interpreter", "seed", "data_seed", "budget", "experiment")
    none = {"probe": NONE, "condition": NONE, "flags": [], "withheld": False, "artefacts": {}}
    return {**dict.fromkeys(CONFIG_KEYS), **none, **{name: cell.get(name) for name in names}, "setting": setting}


def kind_of(record: Record) -> str:
    """What a cell's probe is: ``clean`` (none), ``noise``, or an ``attack``, which reaches for a class."""
    samples = record.samples
    if "success" not in samples:
        return "clean"
    return "attack" if "goal" in samples and bool((samples["goal"] >= 0).any()) else "noise"


def attack_budget(probe: dict[str, Any]) -> dict[str, Any]:
    """``epsilon``, ``steps`` and ``passes`` of a probe's configuration; None where it has none."""
    steps = probe.get("steps")
    return {
        "epsilon": probe.get("epsilon", probe.get("radius")),
        "steps": steps * probe["steps_factor"] if isinstance(steps, int) else None,
        "passes": probe.get("passes"),
    }


def condition_of(cell: dict[str, Any]) -> str:
    """The probe of a cell in words: its name, its level, its budget and whose images it takes."""
    probe = cell["config"]["probe"]
    words = [probe_setting(cell["probe"], cell["level"], cell["steps_factor"])]
    epsilon = attack_budget(probe)["epsilon"]
    words += [f"epsilon {epsilon:.3g}"] if isinstance(epsilon, int | float) else []
    if probe.get("source") is not None:
        words.append(f"from {probe['source']['name']}")
    if probe.get("surrogate") is not None:
        words.append(f"on {probe['surrogate']['label']}")
    return ", ".join(words)


def tags_of(config: dict[str, Any]) -> list[str]:
    """Tags of a run, from its configuration; W&B takes at most 64 characters each."""
    names = [str(config[name]) for name in _TAGS if config.get(name) not in (None, NONE)]
    numbers = [f"{name} {config[name]:.4g}" for name in _TAGGED_NUMBERS if config.get(name) is not None]
    return list(dict.fromkeys(tag[:64] for tag in (*names, *numbers, *config.get("flags", ())) if tag))


def setting_of(record: Record) -> str:
    """8 hex digits of all that a cell was set to, without seeds: cells that share it are trainings of one setting."""
    cell = record.cell
    return _hashed({**settings_of(record), "data_seed": cell["data_seed"], "split": cell["split"]})


def _hashed(settings: dict[str, Any]) -> str:
    return hashlib.sha256(as_text(without_seeds(settings)).encode()).hexdigest()[:8]
