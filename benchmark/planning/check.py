"""What can be wrong with a configuration, found before anything costly starts and without importing torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmark.files import make_folder


def check(config: dict[str, Any]) -> None:
    """Raises a ValueError or OSError with a sentence for the first mistake found, in the values or the folders."""
    check_values(config)
    make_folder(Path(config["paths"]["results"]), "paths.results")
    make_folder(Path(config["paths"]["store"]), "paths.store")


def check_values(config: dict[str, Any]) -> None:
    """Raises a ValueError with a sentence for the first value that cannot be; touches no folder."""
    probe = config["probe"]
    if not isinstance(probe, dict):
        raise ValueError("probe is null: for maps without a probe set probe=clean")
    for key, place in config["paths"].items():
        if not isinstance(place, str):
            raise ValueError(f"paths.{key} is a folder, got {place!r}")
    if config["split"] not in ("test", "calibration"):
        raise ValueError(f"split is test or calibration, got {config['split']!r}")
    if config["force"] not in (None, "cell", "artefact"):
        raise ValueError(f"force is null, cell or artefact, got {config['force']!r}")
    if config["retry"] not in (None, "failed"):
        raise ValueError(f"retry is null or failed, got {config['retry']!r}")
    _check_numbers(config)
    for key in ("iou_threshold", "top_share"):
        if not 0 < (value := config["measure"][key]) <= 1:
            raise ValueError(f"measure.{key} lies in (0, 1], got {value}")
    level = probe["level"]
    if level is None and (probe["module"] or {}).get("kind") in ("normal", "uniform"):
        raise ValueError("probe.level is null: noise needs a misclassification rate between 0 and 1 (0.03, 0.30)")
    if level is not None and not 0 < level < 1:
        raise ValueError(f"probe.level is a misclassification rate between 0 and 1 (0.03, 0.30), got {level}")
    if probe["batch_size"] < 1 or (probe["samples"] is not None and probe["samples"] < 1):
        raise ValueError(
            f"probe.batch_size and probe.samples must be at least 1, got {probe['batch_size']} and {probe['samples']}"
        )
    _check_attack(probe)


def _check_numbers(config: dict[str, Any]) -> None:
    whole = {"batch_size", "samples", "steps", "steps_factor", "warmup", "rounds", "seed"}
    real = {"level", "epsilon", "step_size", "weight", "lr", "confidence", "price", "smoothness", "share", "start"}
    for key, value in config["probe"].items():
        kind, what = (int, "a whole number") if key in whole else (int | float, "a number")
        if key in whole | real and value is not None and (isinstance(value, bool) or not isinstance(value, kind)):
            raise ValueError(f"probe.{key} is {what}, got {value!r}" + _hint(key))
    for key, value in config["budget"].items():
        if isinstance(value, int | float) and value < 0:
            raise ValueError(f"budget.{key} is a count, 0 or more, got {value}")
    if config["probe"]["batch_size"] is None:
        raise ValueError("probe.batch_size is a whole number, got null")
    threads = config["trainer"]["threads"]
    if threads is not None and (not isinstance(threads, int) or threads < 1):
        raise ValueError(f"trainer.threads is a number of threads, or null, got {threads!r}")
    for path in ("seed", "data.seed", "classifier.seed", "interpreter.seed"):
        group, _, key = path.rpartition(".")
        seed = (config[group] if group else config)[key]
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise ValueError(f"{path} is a whole number, 0 or more, got {seed!r}")


def _hint(key: str) -> str:
    return ": fractions are not worked out, write 8/255 as 0.0314" if key in ("epsilon", "step_size") else ""


def _check_attack(probe: dict[str, Any]) -> None:
    epsilon, step_size, steps = (probe.get(name) for name in ("epsilon", "step_size", "steps"))
    if epsilon is not None and not 0 <= epsilon <= 1:
        raise ValueError(
            f"probe.epsilon is the perturbation budget in [0, 1] (8/255 = 0.031), got {epsilon}"
            + ("; divide pixel values by 255" if epsilon > 1 else "")
        )
    if step_size is not None and not step_size > 0:
        raise ValueError(f"probe.step_size must be above 0 (1/255 = 0.0039 is usual), got {step_size}")
    if steps is not None and steps < 0:
        raise ValueError(f"probe.steps is a number of steps, 0 or more, got {steps}")
    if (warmup := probe.get("warmup")) is not None and not 0 <= warmup <= steps:
        raise ValueError(f"probe.warmup is a part of probe.steps ({steps}), got {warmup}")
