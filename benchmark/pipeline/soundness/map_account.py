"""Whether an interpreter's maps say anything: class-blind, constant, full, empty and even ones, from the record."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmark.storage import flags

LEAST = 10  # samples, below which nothing is said


def map_flags(samples: pd.DataFrame) -> list[str]:
    """The flags that the benign maps of a cell raise.

    Maps are compared between classes where the class of the second one is another: on the samples that a probe changed
    the class of, and on all of a cell without a probe that have the measure.
    """
    if samples.empty:  # of a process that is not the main one
        return []
    found = []
    constant = 1 - float(samples["has_map"].mean()) if len(samples) >= LEAST else 0.0
    if constant > flags.CONSTANT_SHARE:
        found.append("constant_maps")
    shown = samples[samples["has_map"]]
    changed = shown[shown["pred_probe"] != shown["pred_benign"]] if "pred_probe" in shown else shown
    if (other := _mean(changed, "control_class_l1")) is not None and other < flags.CLASS_BLIND:
        found.append("class_blind")
    if (mean := _mean(shown, "map_mean_benign")) is not None:
        found += ["full_maps"] * (mean > flags.FULL_MEAN) + ["empty_maps"] * (mean < flags.EMPTY_MEAN)
    if (entropy := _mean(shown, "map_entropy")) is not None and entropy > flags.EVEN_ENTROPY:
        found.append("even_maps")
    return found


def _mean(samples: pd.DataFrame, name: str) -> float | None:
    """The mean of the values that are there; None for fewer than ``LEAST``."""
    if name not in samples:
        return None
    value_N = samples[name].to_numpy(dtype=np.float64)
    value_N = value_N[np.isfinite(value_N)]
    return float(value_N.mean()) if len(value_N) >= LEAST else None
