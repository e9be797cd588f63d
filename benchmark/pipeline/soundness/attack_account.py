"""Whether an attack did what it could, by what it tells of every sample (benchmark/probes/account.py)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmark.pipeline.soundness.before_attack import Facts
from benchmark.storage import flags


def account_check(samples: pd.DataFrame, *, needs_map: bool) -> tuple[Facts, list[str]]:
    """Facts and flags from the columns that an attack writes; nothing where it wrote none.

    Args:
        samples: of the record. needs_map: whether the attack aims at the map, so that its loss matters after success.
    """
    if not len(samples):
        return {}, []
    stuck = samples["zero_gradient"] == 1 if "zero_gradient" in samples else None  # at every step
    shares = {
        "zero_gradient": (stuck, flags.ZERO_GRADIENT_SHARE),
        "lost_by_rounding": (samples.get("lost_by_rounding"), flags.ROUNDING_SHARE),
        "better_iterate": (samples.get("better_iterate"), flags.BETTER_ITERATE_SHARE),
    }
    found = [name for name, (each, limit) in shares.items() if each is not None and each.mean() > limit]
    if loss_falls(samples, needs_map=needs_map):
        found.append("loss_falling")
    if {"half_distance", "goal_map_l1"} <= set(samples) and second_half(samples) >= flags.NOT_CONVERGED:
        found.append("not_converged")
    return ({} if stuck is None else {"n_zero_gradient": int(stuck.sum())}), found


def loss_falls(samples: pd.DataFrame, *, needs_map: bool) -> bool:
    """Whether the loss still falls, in the mean over the samples that it matters for.

    Those are all of an attack on the map. An attack on the class alone has no more to win where it succeeded: there
    they are those that failed, if they are more than a few.
    """
    if "loss_fall" not in samples:
        return False
    fall, failed = samples["loss_fall"], ~samples["success"]
    if not needs_map:
        if failed.mean() <= flags.FAILED_SHARE:
            return False
        fall = fall[failed]
    return bool(fall.mean() > flags.LOSS_FALL)


def second_half(samples: pd.DataFrame) -> float:
    """By which share the second half of an attack's passes brought the maps closer to the goal map, in the mean.

    Over the samples that reached the goal in the first half. Where more than a few reached it in the second half only,
    the mean is no measure: then it is 1.
    """
    half, final = samples["half_distance"], samples["goal_map_l1"]
    late = half.isna() & samples["success"]
    if late.mean() > flags.FAILED_SHARE:
        return 1.0
    both = half.notna() & final.notna()
    if not both.any() or not half[both].mean() > 0:
        return 0.0
    return float(np.clip(1 - final[both].mean() / half[both].mean(), 0, 1))
