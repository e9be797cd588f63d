"""When a claim holds: the rules that turn an interval into one of five words, and the fixed margins."""

from __future__ import annotations

import math

from benchmark.report.statistics.bootstrap import Estimate

HOLDS = "holds"
DOES_NOT_HOLD = "does not hold"
NOT_DISTINGUISHABLE = "not distinguishable"
TOO_FEW = "too few samples"
WITHHELD = "withheld"  # a cell is flagged: its attack could not attack
VERDICTS = (HOLDS, DOES_NOT_HOLD, NOT_DISTINGUISHABLE, TOO_FEW, WITHHELD)

MIN_SAMPLES = 30
FEW_SOURCES = 20  # below this a percentile interval over sources is known to be too narrow: rows say so

# Allowed difference RTSA − RTS, as (low, high), both ends inside. Fixed beforehand; never tuned to a result.
MARGINS: dict[str, tuple[float, float]] = {
    "reference_l1": (-math.inf, 0.02),
    "object_iou": (-0.05, math.inf),
    "deletion": (-0.03, 0.03),
    "insertion": (-0.03, 0.03),
}
SUCCESS_MARGIN = 0.10
CONVERGENCE_MARGIN = 0.10
PREMISE_RATIO = 0.5  # ADV2's map L1 on RTS is at most this share of PGD's


def _undecidable(estimate: Estimate) -> bool:
    return estimate.n < MIN_SAMPLES or math.isnan(estimate.low) or math.isnan(estimate.high)


def larger(estimate: Estimate) -> str:
    """Verdict on "the difference is above zero": the whole 95 % interval decides, not the point."""
    if _undecidable(estimate):
        return TOO_FEW
    if estimate.low > 0:
        return HOLDS
    return DOES_NOT_HOLD if estimate.high < 0 else NOT_DISTINGUISHABLE


def inside(estimate: Estimate, margins: tuple[float, float]) -> str:
    """Verdict on "the difference lies within the margins" (equivalence; ends belong to the margins).

    Holds iff the whole interval is inside, does not hold iff the whole interval is outside on one side.
    """
    if _undecidable(estimate):
        return TOO_FEW
    low, high = margins
    if low <= estimate.low and estimate.high <= high:
        return HOLDS
    return DOES_NOT_HOLD if estimate.low > high or estimate.high < low else NOT_DISTINGUISHABLE


def conjunction(verdicts: list[str]) -> str:
    """Verdict on "all of these": withheld with one part, refuted by one, else as weak as its weakest part."""
    for verdict in (WITHHELD, DOES_NOT_HOLD, TOO_FEW, NOT_DISTINGUISHABLE):
        if verdict in verdicts:
            return verdict
    return HOLDS if verdicts else TOO_FEW


def question(margins: tuple[float, float]) -> str:
    """What ``inside`` asks, in words."""
    low, high = margins
    if math.isinf(low):
        return f"difference at most {high:g}"
    if math.isinf(high):
        return f"difference at least {low:g}"
    return f"difference within [{low:g}, {high:g}]"
