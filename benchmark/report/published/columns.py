"""What of a record's samples is published: the columns that the report reads, and how exactly their values are kept.

Values are kept in whole multiples of ``STEP``. A mean of n of them is off by less than STEP / 2, and by about
STEP / sqrt(12 n): 3e-6 for a hundred samples, where reports print three decimals.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

STEP = 1e-4
_MISSING = np.iinfo(np.int32).min

# Read of every cell. Those that identify a sample, or say which population it belongs to, are whole numbers.
_EVERY = (
    *("sample_id", "source_id", "label", "goal", "pred_benign", "pred_probe", "success", "looks_benign"),
    *("map_l1", "map_iou", "map_ssim", "map_spearman", "control_class_l1"),
    *("object_iou", "pointing_game", "energy_in_object", "box_iou", "deletion", "insertion", "reference_l1"),
    *("harmless_noise_l1", "harmless_shift_l1"),
)
_CLEAN = ("map_mean_benign",)
# Read of attacks alone, which have few samples.
_ATTACKS = (
    *("linf", "l2_norm", "goal_map_l1", "goal_map_l1_benign", "passes", "zero_gradient"),
    *("loss_fall", "lost_by_rounding", "better_iterate", "member", "half_distance"),
)


def published_columns(samples: pd.DataFrame) -> list[str]:
    """The columns of one cell that are published, in the order of the record."""
    attack = "goal" in samples and bool((samples["goal"] >= 0).any())
    wanted = {*_EVERY, *(_ATTACKS if attack else ()), *(() if "goal" in samples else _CLEAN)}
    return [str(name) for name in samples if name in wanted]


def packed(values: pd.Series) -> np.ndarray:
    """A column as int32: whole numbers and flags as they are, others in steps of ``STEP``; NaN as a number of its own.

    Raises:
        ValueError: a value is too large to be kept.
    """
    if values.dtype.kind in "biu":
        found = values.to_numpy(dtype=np.int64)
    else:
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
        found = np.where(np.isnan(numbers), 0.0, np.round(numbers / STEP))
        found = np.where(np.isnan(numbers), float(_MISSING), found)
    if (np.abs(found[found != _MISSING]) > np.iinfo(np.int32).max).any():
        raise ValueError(f"{values.name}: a value of {values.abs().max():g} is too large to be published")
    return found.astype(np.int32)


def unpacked(found: np.ndarray, dtype: str) -> np.ndarray:
    """The column that ``packed`` was given, of its dtype; numbers rounded to ``STEP``."""
    if np.dtype(dtype).kind in "biu":
        return found.astype(dtype)
    numbers = np.round(found * STEP, 4).astype(dtype)
    return np.where(found == _MISSING, np.nan, numbers).astype(dtype)
