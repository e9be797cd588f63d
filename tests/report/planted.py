"""Synthetic records with known effects, in the shape of the records that a real sweep leaves."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark.storage.formats import FORMAT

PROBES: tuple[tuple[str, float | None, int], ...] = (
    ("clean", None, 1),
    ("normal", 0.03, 1),
    ("normal", 0.3, 1),
    ("uniform", 0.03, 1),
    ("uniform", 0.3, 1),
    ("sign", None, 1),
    ("pgd", None, 1),
    ("adv2", None, 1),
    ("adv2_auto", None, 1),
)
PASSES = {"pgd": 60.0, "adv2": 60.0, "adv2_auto": 300.0}


@dataclass
class Planted:
    """What a record offers to the report, held in memory."""

    folder: Path
    cell: dict[str, Any]
    samples: pd.DataFrame
    images: dict[str, np.ndarray] = field(default_factory=dict)
    maps: dict[str, np.ndarray] = field(default_factory=dict)
    curves: pd.DataFrame | None = None


@dataclass
class World:
    """The effects to plant. ``shift`` is RTSA − RTS in map L1 on misclassified (and attacked) samples, ``drift`` in
    reference L1, ``harmless`` the map L1 of harmless pairs, ``between`` the standard deviation of shifts over trainings
    (of ``seed``; RTS has none)."""

    n: int = 400
    per_source: int = 2
    shift: dict[str, float] = field(default_factory=lambda: {"rts": 0.0, "rtsa": 0.06, "rtsa_anchored": 0.03})
    drift: dict[str, float] = field(default_factory=lambda: {"rts": 0.0, "rtsa": 0.1, "rtsa_anchored": 0.005})
    everywhere: float = 0.0
    harmless: float = 0.05
    between: float = 0.0
    masks: bool = True
    spread: float = 0.01
    seed: int = 0


def _rng(*key: object) -> np.random.Generator:
    return np.random.default_rng(list(repr(key).encode()))


def wrong_fraction(probe: str, level: float | None) -> float:
    """Share of samples whose prediction the probe changes."""
    return level if level is not None else {"sign": 0.02, "pgd": 0.95, "adv2": 0.85, "adv2_auto": 0.85}.get(probe, 0.0)


def samples(world: World, interpreter: str, probe: str, level: float | None, factor: int) -> pd.DataFrame:
    """The rows of one cell. Predictions depend on the probe alone, so that cells pair up."""
    n = {"clean": world.n, "normal": world.n, "uniform": world.n}.get(probe, world.n // 2)
    ids = np.arange(n)
    mine = _rng(world.seed, interpreter, probe, level)
    base = {
        "sample_id": 2_000_000_000 + ids,
        "source_id": ids // world.per_source,
        "label": ids % 10,
        "pred_benign": ids % 10,
        "confidence_benign": np.full(n, 0.95),
        "map_mean_benign": 0.2 + 0.01 * mine.random(world.n)[:n],
    }
    noise = mine.normal(0.0, world.spread, world.n)[:n]
    if probe == "clean":
        quality = {
            "object_iou": 0.55 + noise if world.masks else np.full(n, np.nan),
            "deletion": np.where(ids < n // 2, 0.2 + noise, np.nan),
            "insertion": np.where(ids < n // 2, 0.8 + noise, np.nan),
            "reference_l1": 0.06 + world.drift[interpreter] + noise,
            "harmless_noise_l1": np.clip(world.harmless + noise, 0.0, 1.0),
            "harmless_shift_l1": np.clip(world.harmless + noise[::-1], 0.0, 1.0),
        }
        return pd.DataFrame({**base, **quality})
    shared = _rng(world.seed, "predictions", probe.removesuffix("_auto"), level)
    success = shared.random(world.n)[:n] < wrong_fraction(probe, level)
    trained = world.between * float(_rng(world.seed, interpreter, "training").normal()) if interpreter != "rts" else 0.0
    shift = world.shift[interpreter] + trained
    effect = np.where(success, shift, 0.0) if level is not None else shift
    effect = 0.0 if probe == "sign" else effect
    start = 0.05 * {"pgd": 2.0, "adv2_auto": 0.6}.get(probe, 1.0) * np.where(success, 1.5, 1.0)
    sensitivity = world.everywhere if interpreter != "rts" else 0.0
    map_l1 = np.clip(start + effect + sensitivity + noise, 0.0, 1.0)
    goal = (ids + 1 + ids // 10 % 9) % 10
    attack = probe in PASSES
    counted = {"passes": np.full(n, PASSES[probe])} if attack else {}
    return pd.DataFrame(
        {
            **base,
            "goal": goal if attack else np.full(n, -1),
            "pred_probe": np.where(success, goal, ids % 10),
            "confidence_probe": np.full(n, 0.8),
            "success": success,
            "linf": np.full(n, 1 / 32),
            "l2_norm": np.full(n, 1.0),
            "map_l1": map_l1,
            "map_l2": map_l1 * 1.5,
            "map_iou": np.clip(1 - 3 * map_l1, 0, 1),
            "map_topq_iou": np.clip(1 - 3 * map_l1, 0, 1),
            "map_ssim": np.clip(1 - 2 * map_l1, 0, 1),
            "map_spearman": np.where(ids % 50 == 7, np.nan, np.clip(1 - 2.5 * map_l1, -1, 1)),
            "map_shift": map_l1 * 10,
            "map_mean_probe": np.full(n, 0.2),
            "control_class_l1": 0.02 + 0.1 * noise,
            "looks_benign": map_l1 < 0.07,
            **counted,
        }
    )


def _pictures(world: World, interpreter: str, probe: str, table: pd.DataFrame, keep: int = 64) -> tuple[dict, dict]:
    """Blobs on smooth ground as images; a bump at the blob as map, which the probe moves by the planted amount."""
    kept = table[:keep]
    size, grid = 48, 24
    rows, columns = np.mgrid[0 : 1 : 1j * size, 0 : 1 : 1j * size]
    coarse_rows, coarse_columns = np.mgrid[0 : 1 : 1j * grid, 0 : 1 : 1j * grid]
    images, maps, probed_images, probed_maps, masks = [], [], [], [], []
    for sample in kept.itertuples():
        draw = _rng("picture", sample.sample_id)
        y, x = draw.uniform(0.3, 0.7, 2)
        colour, ground, tilt = draw.uniform(0.5, 1.0, 3), draw.uniform(0.0, 0.6, 3), draw.uniform(-0.5, 0.5, 3)
        ring = np.exp(-((np.hypot(rows - y, columns - x) - 0.18) ** 2) / 0.002)
        field_ = np.clip(ground[:, None, None] + tilt[:, None, None] * rows * np.cos(4 * columns), 0, 1)
        image = field_ * (1 - ring) + colour[:, None, None] * ring
        bump = np.exp(-((np.hypot(coarse_rows - y, coarse_columns - x) - 0.18) ** 2) / 0.004)
        images.append(image)
        masks.append(ring > 0.5)
        maps.append(bump)
        amount = 0.02 + world.shift[interpreter] * 4 if probe != "clean" else 0.0
        noisy = image + _rng(probe, sample.sample_id).normal(
            0, 0.1 if probe in ("normal", "uniform") else 0.02, image.shape
        )
        probed_images.append(np.clip(noisy, 0, 1))
        other = np.exp(-((coarse_rows - x) ** 2 + (coarse_columns - y) ** 2) / 0.05)
        probed_maps.append(np.clip((1 - amount) * bump + amount * other * 2, 0, 1))
    ids = kept["sample_id"].to_numpy(dtype=np.int64)
    picture = {"sample_id": ids, "benign": np.round(255 * np.array(images)).astype(np.uint8)}
    chart = {"sample_id": ids, "benign": np.array(maps).astype(np.float16)}
    if probe == "clean":
        picture["mask"] = np.array(masks).astype(np.uint8)
    else:
        picture["probed"] = np.round(255 * np.array(probed_images)).astype(np.uint8)
        chart["probed"] = np.array(probed_maps).astype(np.float16)
    return picture, chart


def record(
    world: World,
    interpreter: str,
    probe: str,
    level: float | None = None,
    factor: int = 1,
    *,
    pictures: bool = False,
    **changes: Any,
) -> Planted:
    """One cell; ``changes`` overwrite fields of its cell.json (``config`` is merged section by section)."""
    table = samples(world, interpreter, probe, level, factor)
    config = {
        "interpreter": {"name": interpreter},
        "probe": {"name": probe, "level": level, "steps": 60 * factor, "epsilon": 8 / 255},
    }
    for section, values in changes.pop("config", {}).items():
        config[section] = {**config.get(section, {}), **values}
    cell: dict[str, Any] = {
        "format": FORMAT["cell"],
        "status": "done",
        "data": "digits",
        "classifier": "resnet10t",
        "interpreter": interpreter,
        "probe": probe,
        "level": level,
        "steps_factor": factor,
        "seed": 0,
        "data_seed": 0,
        "split": "test",
        "budget": "default",
        "n_samples": len(table),
        "n_sources": int(table["source_id"].nunique()),
        "config": config,
        "artefacts": {"data": "d0", "classifier": "c0"},
        "facts": {
            **({"noise_scale": 0.1, "rate_calibration": level} if level is not None else {}),
            "alarm_threshold_1": world.harmless + 2.33 * world.spread,
            "alarm_threshold_5": world.harmless + 1.64 * world.spread,
        },
        "versions": {"underfire": "0.1.0", "torch": "2.15.0", "python": "3.11.2"},
        "commit": "0123456789abcdef",
        "device": "cpu",
        "threads": 1,
        "seconds": {"total": 1.5},
        "counts": {"forward": 10, "backward": 5},
        **changes,
    }
    variant = "".join(f"{v:g}" for v in config["interpreter"].values() if isinstance(v, int | float))
    identity = [cell[k] for k in ("data", "data_seed", "classifier", "seed", "split", "budget")]
    name = "-".join(map(str, [*identity, interpreter, variant, probe, level, factor, cell["versions"]["underfire"]]))
    cell["name"] = cell["cell"] = cell.get("cell", name)
    images, maps = _pictures(world, interpreter, probe, table) if pictures else ({}, {})
    return Planted(Path(cell["name"]), cell, table, images, maps)


def sweep(
    world: World | None = None,
    interpreters: tuple[str, ...] = ("rts", "rtsa", "rtsa_anchored"),
    probes: tuple[tuple[str, float | None, int], ...] = PROBES,
    **options: Any,
) -> list[Planted]:
    """Every interpreter under every probe."""
    chosen = world or World()
    return [record(chosen, name, *probe, **dict(options)) for name in interpreters for probe in probes]


def trainings(
    world: World | None = None,
    interpreters: tuple[str, ...] = ("rts", "rtsa", "rtsa_anchored"),
    probes: tuple[tuple[str, float | None, int], ...] = PROBES,
    count: int = 3,
    **options: Any,
) -> list[Planted]:
    """The same over several trainings: seeds, and classifiers, of their own."""
    found = []
    for seed in range(count):
        config = {"interpreter": {"seed": seed}, "probe": {"seed": seed}}
        own = {"seed": seed, "artefacts": {"data": "d0", "classifier": f"c{seed}"}, "config": config, **options}
        found += sweep(replace(world or World(), seed=seed), interpreters, probes, **own)
    return found
