"""What can be wrong with a configuration, found before anything costly starts and without importing torch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmark.storage.atomic import make_folder


def check_folders(config: dict[str, Any]) -> None:
    """Raises an OSError with a sentence for a folder that cannot be written to or has no room."""
    make_folder(Path(config["paths"]["results"]), "paths.results")
    make_folder(Path(config["paths"]["store"]), "paths.store")


def check_values(config: dict[str, Any]) -> None:
    """Raises a ValueError with a sentence for every value that cannot be; touches no folder."""
    if found := list(mistakes(config)):
        raise ValueError("; also: ".join(found))


def mistakes(config: dict[str, Any]) -> Iterator[str]:
    """A sentence for every value that cannot be, as far as that can be told without building anything."""
    null = [name for name in ("probe", "interpreter", "logger", "classifier", "data") if config[name] is None]
    yield from (f"{name} is null: name one ({name}={_EXAMPLES[name]})" for name in null)
    if null:
        return
    for key, place in config["paths"].items():
        if not isinstance(place, str):
            yield f"paths.{key} is a folder, got {place!r}"
    if config["split"] not in ("test", "calibration"):
        yield f"split is test or calibration, got {config['split']!r}"
    if config["force"] not in (None, "cell", "artefact"):
        yield f"force is null, cell or artefact, got {config['force']!r}"
    if config["retry"] not in (None, "failed"):
        yield f"retry is null or failed, got {config['retry']!r}"
    yield from _seeds(config)
    yield from _counts(config)
    yield from _interpreter(config["interpreter"])
    wrong = list(_probe_numbers(config["probe"]))
    yield from wrong or _probe(config["probe"])


_EXAMPLES = {"probe": "clean", "interpreter": "rts", "logger": "none", "classifier": "small_resnet", "data": "digits"}


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _seeds(config: dict[str, Any]) -> Iterator[str]:
    for path in ("seed", "data.seed", "classifier.seed", "interpreter.seed"):
        group, _, key = path.rpartition(".")
        seed = (config[group] if group else config)[key]
        if not _whole(seed) or seed < 0:
            yield f"{path} is a whole number, 0 or more, got {seed!r}"


def _counts(config: dict[str, Any]) -> Iterator[str]:
    for group in ("budget", "measure"):
        for key, value in config[group].items():
            if key != "name" and value is not None and not (_number(value) and value >= 0):
                yield f"{group}.{key} is a number, 0 or more, got {value!r}"
    for key in ("iou_threshold", "top_share"):
        if _number(value := config["measure"][key]) and not 0 < value <= 1:
            yield f"measure.{key} lies in (0, 1], got {value}"
    if config["measure"]["spread_samples"] == 0:
        yield "measure.spread_samples is at least 1: without samples there is no benign spread, got 0"
    size = config["data"].get("image_size")
    if size is not None and not (_whole(size) and size >= 1):
        yield f"data.image_size is a whole number of pixels, got {size!r}"
    threads = config["trainer"]["threads"]
    if threads is not None and not (_whole(threads) and threads >= 1):
        yield f"trainer.threads is a number of threads, or null, got {threads!r}"


def _interpreter(settings: dict[str, Any]) -> Iterator[str]:
    for name in ("lambda_aid", "lambda_anchor", "attack_weight"):
        if (value := settings.get(name)) is not None and not (_number(value) and value >= 0):
            yield f"interpreter.{name} is a weight, a number of 0 or more, got {value!r}"
    for name in ("beta", "blur", "lr"):
        if name in settings and not (_number(settings[name]) and settings[name] > 0):
            yield f"interpreter.{name} is a number above 0, got {settings[name]!r}"
    if (kappa := settings.get("kappa")) is not None and not (_number(kappa) and 0 < kappa <= 1):
        yield f"interpreter.kappa caps a distance in (0, 1], or is null for the paper's objective, got {kappa!r}"
    if (pool := settings.get("pool")) is not None and not (_whole(pool) and pool >= 1):
        yield f"interpreter.pool is a whole number of pixels, got {pool!r}"


_WHOLE = ("batch_size", "samples", "steps", "steps_factor", "warmup", "rounds", "seed")
_REAL = ("level", "epsilon", "step_size", "weight", "lr", "confidence", "const", "smoothness", "share", "start")


def _probe_numbers(probe: dict[str, Any]) -> Iterator[str]:
    for key, value in probe.items():
        right, what = (_whole, "a whole number") if key in _WHOLE else (_number, "a number")
        if key in (*_WHOLE, *_REAL) and value is not None and not right(value):
            hint = ": fractions are not worked out, write 8/255 as 0.0314" if key in ("epsilon", "step_size") else ""
            yield f"probe.{key} is {what}, got {value!r}{hint}"
    if probe["batch_size"] is None:
        yield "probe.batch_size is a whole number, got null"


def _probe(probe: dict[str, Any]) -> Iterator[str]:
    """Of a probe whose numbers are numbers."""
    level = probe["level"]
    if level is None and (probe["module"] or {}).get("kind") in ("normal", "uniform"):
        yield "probe.level is null: noise needs a misclassification rate between 0 and 1 (0.03, 0.30)"
    if level is not None and not 0 < level < 1:
        yield f"probe.level is a misclassification rate between 0 and 1 (0.03, 0.30), got {level}"
    if probe["batch_size"] < 1 or (probe["samples"] is not None and probe["samples"] < 1):
        yield f"probe.batch_size and probe.samples must be at least 1, got {probe['batch_size']} and {probe['samples']}"
    epsilon, step_size, steps = (probe.get(name) for name in ("epsilon", "step_size", "steps"))
    if epsilon is not None and not 0 <= epsilon <= 1:
        hint = "; divide pixel values by 255" if epsilon > 1 else ""
        yield f"probe.epsilon is the perturbation budget in [0, 1] (8/255 = 0.031), got {epsilon}{hint}"
    if step_size is not None and not step_size > 0:
        yield f"probe.step_size must be above 0 (1/255 = 0.0039 is usual), got {step_size}"
    if steps is not None and steps < 0:
        yield f"probe.steps is a number of steps, 0 or more, got {steps}"
    if (warmup := probe.get("warmup")) is not None and not 0 <= warmup <= (steps or 0):
        yield f"probe.warmup is a part of probe.steps ({steps}), got {warmup}"
    for name in ("weight", "confidence", "const", "smoothness", "presence_weight", "encoder_weight"):
        if (value := probe.get(name)) is not None and _number(value) and value < 0:
            yield f"probe.{name} is a weight, 0 or more, got {value}"
