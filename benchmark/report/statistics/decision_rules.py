"""When a claim holds: the rules that turn an interval into a word, and the fixed margins."""

from __future__ import annotations

import math

from benchmark.report.statistics.bootstrap import Estimate

HOLDS = "holds"
GIVES_AWAY = "gives the attack away"  # claim 2 alone
MOVES_FURTHER = "moves further, yet does not give it away"  # claim 2 alone
MOVES = "moves further"  # the same where the effects were not measured
DOES_NOT_HOLD = "does not hold"
NOT_DISTINGUISHABLE = "not distinguishable"
TOO_FEW = "too few samples"
ONE_TRAINING = "in this training"  # no verdict: the numbers are of one set of weights
FEW_TRAININGS = "too few trainings"
WITHHELD = "withheld"  # a cell is flagged: its attack could not attack
DECIDED = (HOLDS, GIVES_AWAY, MOVES_FURTHER, MOVES, DOES_NOT_HOLD)
VERDICTS = (*DECIDED, NOT_DISTINGUISHABLE, TOO_FEW, ONE_TRAINING, FEW_TRAININGS, WITHHELD)

MIN_TRAININGS = 3
MIN_SAMPLES = 30  # of a training, on average
FEW_SOURCES = 20  # below this a percentile interval over sources is known to be too narrow: rows say so

# Allowed difference RTSA − RTS, as (low, high), both ends inside. Fixed beforehand; never tuned to a result.
MARGINS: dict[str, tuple[float, float]] = {
    "reference_l1": (-math.inf, 0.02),
    "object_iou": (-0.05, math.inf),
    "deletion": (-0.03, 0.03),
    "insertion": (-0.03, 0.03),
}
SUCCESS_MARGIN = 0.10
ALARM_AUC = 0.90  # the lower bound of the pair alarm's AUC, for "gives the attack away"
JOINT_SUCCESS_FALL = 0.25  # by which joint success falls against RTS, the bound nearest to 0
PREMISE_RATIO = 0.5  # ADV2's map L1 on RTS is at most this share of PGD's


def _undecidable(estimate: Estimate) -> bool:
    few = estimate.n < MIN_SAMPLES * max(estimate.trainings, 1)
    return few or math.isnan(estimate.low) or math.isnan(estimate.high)


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


def p_larger(estimate: Estimate) -> float:
    """Two-sided p of "the difference is zero"; at most 0.05 where ``larger`` decides."""
    return estimate.p(0.0)


def p_inside(estimate: Estimate, margins: tuple[float, float]) -> float:
    """p of the equivalence where the value is inside (the larger of the two at the margins), else of a value that lies
    on the nearest margin; at most 0.05 where ``inside`` decides."""
    low, high = margins
    violated = [low] * (estimate.value < low) + [high] * (estimate.value > high)
    return max(estimate.p(margin) for margin in violated or margins if math.isfinite(margin))


def over_trainings(answer: str, trainings: int, needed: int = MIN_TRAININGS) -> str:
    """What may be said of the method: the answer of enough trainings, else that there are too few for a verdict."""
    if answer in (TOO_FEW, WITHHELD) or trainings >= needed:
        return answer
    return ONE_TRAINING if trainings == 1 else FEW_TRAININGS


def conjunction(verdicts: list[str]) -> str:
    """Verdict on "all of these": withheld with one part, refuted by one, else as weak as its weakest part."""
    for verdict in (WITHHELD, ONE_TRAINING, FEW_TRAININGS, DOES_NOT_HOLD, TOO_FEW, NOT_DISTINGUISHABLE):
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
