"""The words that intervals get, at and around every boundary."""

from __future__ import annotations

import math

import pytest

from benchmark.report.statistics import decision_rules
from benchmark.report.statistics.bootstrap import Estimate


def interval(low: float, high: float, n: int = 30) -> Estimate:
    return Estimate((low + high) / 2, low, high, n, n)


@pytest.mark.parametrize(
    ("low", "high", "n", "verdict"),
    [
        (1e-9, 0.1, 30, "holds"),
        (0.0, 0.1, 30, "not distinguishable"),
        (-0.1, 0.0, 30, "not distinguishable"),
        (-0.1, -1e-9, 30, "does not hold"),
        (0.1, 0.2, 29, "too few samples"),
        (math.nan, math.nan, 99, "too few samples"),
    ],
)
def test_larger(low, high, n, verdict):
    assert decision_rules.larger(interval(low, high, n)) == verdict


@pytest.mark.parametrize(
    ("metric", "low", "high", "verdict"),
    [
        ("reference_l1", -0.5, 0.02, "holds"),
        ("reference_l1", 0.0, 0.0200001, "not distinguishable"),
        ("reference_l1", 0.02, 0.03, "not distinguishable"),
        ("reference_l1", 0.0200001, 0.03, "does not hold"),
        ("object_iou", -0.05, 0.9, "holds"),
        ("object_iou", -0.0500001, 0.1, "not distinguishable"),
        ("object_iou", -0.2, -0.05, "not distinguishable"),
        ("object_iou", -0.2, -0.0500001, "does not hold"),
        ("deletion", -0.03, 0.03, "holds"),
        ("deletion", -0.031, 0.01, "not distinguishable"),
        ("deletion", 0.031, 0.04, "does not hold"),
        ("insertion", -0.04, -0.031, "does not hold"),
        ("insertion", -0.04, 0.04, "not distinguishable"),
    ],
)
def test_margins_of_spec(metric, low, high, verdict):
    assert decision_rules.inside(interval(low, high), decision_rules.MARGINS[metric]) == verdict


def test_equivalence_is_never_not_significant():
    """An interval around zero that is wider than the margins does not make a map harmless."""
    assert (
        decision_rules.inside(interval(-0.2, 0.2), decision_rules.MARGINS["deletion"])
        == decision_rules.NOT_DISTINGUISHABLE
    )
    assert decision_rules.inside(interval(0.001, 0.002), decision_rules.MARGINS["deletion"]) == decision_rules.HOLDS


def test_conjunction_is_as_weak_as_its_weakest_part():
    assert decision_rules.conjunction([decision_rules.HOLDS, decision_rules.HOLDS]) == decision_rules.HOLDS
    assert (
        decision_rules.conjunction([decision_rules.HOLDS, decision_rules.NOT_DISTINGUISHABLE])
        == decision_rules.NOT_DISTINGUISHABLE
    )
    assert (
        decision_rules.conjunction([decision_rules.NOT_DISTINGUISHABLE, decision_rules.TOO_FEW])
        == decision_rules.TOO_FEW
    )
    assert (
        decision_rules.conjunction([decision_rules.TOO_FEW, decision_rules.DOES_NOT_HOLD])
        == decision_rules.DOES_NOT_HOLD
    )
    assert decision_rules.conjunction([]) == decision_rules.TOO_FEW
