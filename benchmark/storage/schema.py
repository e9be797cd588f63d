"""The parts of a schema: a column of samples.parquet, and a field of cell.json."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Larger(StrEnum):
    """What a larger value means."""

    MORE_SIMILAR = "more similar"
    FURTHER_APART = "further apart"
    STRONGER = "a stronger perturbation"
    BETTER = "better"
    WORSE = "worse"


class When(StrEnum):
    """The cells in which a column or a field occurs."""

    ALWAYS = "every cell"
    PERTURBED = "cells with a probe"
    NOISE = "cells with noise"
    ATTACK = "attacks that take gradients"
    MEMBERS = "attacks by several members (adv2_auto)"
    BOUNDED = "attacks with a bound"
    SURROGATE = "attacks on maps that are taken from a surrogate of the interpreter"
    GOAL_MAP = "attacks with a goal map, measured on the interpreter that they attack"
    CAM = "cells with CAM or Grad-CAM, or an ensemble of them"
    CLEAN = "cells without a probe"
    BOXES = "cells without a probe on data with boxes"
    DONE = "finished cells"
    FAILED = "failed cells"


@dataclass(frozen=True)
class Column:
    """One column of samples.parquet.

    Args:
        dtype: of numpy. unit: of the values. range: least and greatest value, both allowed. when: the cells with it.
        source: import path of the function or class that computes it. description: formula, and paper if there is one.
        direction: what a larger value means; None where it is no question of more or less.
        label: name in print; empty for what is not printed. null: where the value is NaN; empty where it never is.
        summarised: whether the summary of a record holds its mean.
    """

    name: str
    dtype: str
    unit: str
    range: tuple[float, float]
    when: When
    source: str
    description: str
    direction: Larger | None = None
    label: str = ""
    null: str = ""
    summarised: bool = False

    @property
    def nullable(self) -> bool:
        """Whether NaN is allowed."""
        return bool(self.null)

    @property
    def summary_name(self) -> str:
        """Its name in the summary of a record: the rate of a flag, the mean of a number."""
        return f"{self.name}_rate" if self.unit == "flag" else f"{self.name}/mean"


@dataclass(frozen=True)
class CellField:
    """One field of cell.json, or of its object ``facts``.

    Args:
        type: of JSON. when: the cells with it.
    """

    name: str
    type: str
    description: str
    when: When = When.ALWAYS
