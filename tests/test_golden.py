"""Results that must not change unless a version in benchmark/storage/formats.py does: kept ones would be mistaken.

Whoever changes a formula sees a figure here move, raises FORMAT of the kinds that depend on it, and writes down both.
"""

from __future__ import annotations

import pytest
import torch

from benchmark.data.digits import Digits
from benchmark.numerics import rng
from benchmark.objectives.distances import l1
from benchmark.objectives.distillation import distillation_loss
from benchmark.objectives.evidence import noisy_and_alternative
from benchmark.objectives.joint import Joint
from benchmark.objectives.rts import MapWeights, map_objective
from benchmark.probes.goals import other_class
from benchmark.probes.noise import Noise
from benchmark.storage.formats import FORMAT
from benchmark.types import Explanation, Goal

IDS = torch.arange(8)
IMAGE = rng.uniform(rng.sample_keys(0, "golden image", IDS), 3, 32, 32)
LOGITS = rng.normal(rng.sample_keys(0, "golden logits", IDS), 10)
MAP = rng.uniform(rng.sample_keys(0, "golden map", IDS), 16, 16)


def digits(tmp_path) -> float:
    sample = (
        Digits(root=str(tmp_path), seed=0, train=8, calibration=8, test=8).split("test").__getitems__(list(range(8)))
    )
    return float(sample["image"].double().sum() + sample["mask"].sum() + sample["source_id"].sum())


def evidence(tmp_path) -> float:
    noisy, alternative = noisy_and_alternative(IMAGE, rng.sample_keys(0, "evidence", IDS), 2.0)
    return float((noisy.double() + alternative).square().sum())


def l_map(tmp_path) -> float:
    real = torch.arange(8) % 3 > 0
    return float(map_objective(LOGITS, LOGITS.flip(1), MAP, IDS, real, MapWeights())[0])


def aid(tmp_path) -> float:
    return float(distillation_loss(l1(MAP, MAP.flip(0)), IDS > 2, 0.34))


def joint(tmp_path) -> float:
    seen = Explanation(LOGITS, MAP, LOGITS[:, :2])
    return float(Joint(weight=5.0, presence_weight=0.1)(seen, Goal(IDS, MAP.flip(0)), 0.25).sum())


def noise(tmp_path) -> float:
    change = sum(
        Noise(kind=kind, scale=0.2, seed=0).perturb(IMAGE, IDS).double() for kind in ("normal", "uniform", "sign")
    )
    return float(change.square().sum())


def goals(tmp_path) -> float:
    return float((other_class(IDS, torch.arange(10), rng.sample_keys(0, "goal class", IDS)) * 10**IDS).sum())


GOLDEN = {
    digits: ({"data": 2}, 40145.7418755535),
    evidence: ({"interpreter": 2}, 26380.48307822177),
    l_map: ({"interpreter": 2}, 10.424942016601562),
    aid: ({"interpreter": 2}, -0.3352440893650055),
    joint: ({"interpreter": 2, "probed": 6}, 31.42494773864746),
    noise: ({"scale": 2, "probed": 6}, 72233.3741680499),
    goals: ({"interpreter": 2, "probed": 6}, 47901975.0),
}


@pytest.mark.parametrize("formula", GOLDEN, ids=lambda formula: formula.__name__)
def test_formulas_and_versions_change_together(formula, tmp_path):
    versions, value = GOLDEN[formula]
    assert formula(tmp_path) == pytest.approx(value, rel=1e-6)
    assert versions == {kind: FORMAT[kind] for kind in versions}
