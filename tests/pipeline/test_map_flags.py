"""Planted interpreters whose maps say nothing, and the flag that each raises."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from benchmark.metrics import map_distance
from benchmark.metrics.map_shape import entropy
from benchmark.pipeline.soundness.map_account import map_flags
from benchmark.storage import flags

N = 40


def record(maps: torch.Tensor, other: torch.Tensor) -> pd.DataFrame:
    """The columns of a cell without a probe: maps for the class, and for another one."""
    there = map_distance.has_map(maps)
    distance = map_distance.l1(maps, other)
    return pd.DataFrame(
        {
            "pred_benign": np.zeros(N, np.int64),
            "has_map": there.numpy(),
            "map_mean_benign": maps.flatten(1).mean(1).numpy(),
            "map_entropy": entropy(maps).numpy(),
            "control_class_l1": torch.where(there, distance, torch.nan).numpy(),
        }
    )


def blob(corner: int) -> torch.Tensor:
    """A map with a quarter of its places on."""
    maps = torch.zeros(N, 8, 8)
    maps[:, corner : corner + 4, corner : corner + 4] = 0.9
    return maps + 0.01 * torch.rand(N, 8, 8, generator=torch.Generator().manual_seed(corner))


@pytest.mark.parametrize(
    ("maps", "other", "expected"),
    [
        (blob(0), blob(4), []),
        (blob(0), blob(0) + 0.001, ["class_blind"]),
        (torch.full((N, 8, 8), 0.4), blob(0), ["constant_maps"]),
        (1 - 0.05 * blob(0), blob(0), ["full_maps", "even_maps"]),
        (0.004 * blob(0), blob(0), ["empty_maps"]),
        (0.7 + 0.05 * blob(0), blob(0), ["even_maps"]),
    ],
    ids=["sound", "class-blind", "constant", "full", "empty", "even"],
)
def test_each_failure_raises_its_flag(maps, other, expected):
    assert map_flags(record(maps, other)) == expected
    assert all(name in flags.BY_NAME and not flags.BY_NAME[name].withholds for name in expected)


def test_under_a_probe_only_changed_classes_count():
    """Where the class stays the same its map does too, which says nothing of the interpreter."""
    samples = record(blob(0), blob(4))
    samples["pred_probe"] = np.arange(N) % 2
    samples.loc[samples["pred_probe"] == 0, "control_class_l1"] = 0.0
    assert map_flags(samples) == []
    samples["control_class_l1"] *= 0.02
    assert map_flags(samples) == ["class_blind"]
    samples["pred_probe"] = 0
    assert map_flags(samples) == [], "no sample of another class"


def test_few_samples_say_nothing():
    assert map_flags(record(torch.full((N, 8, 8), 0.4), blob(0))[:9]) == []
