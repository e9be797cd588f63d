"""Several interpreters at once: to attack all of them, or to average their maps."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from benchmark.interpreters.base import BaseInterpreter, TrunkInterpreter
from benchmark.numerics.images import at_image_size
from benchmark.types import Classifier, Interpreter, Reading


class Ensemble(BaseInterpreter):
    """map = the mean of the members' maps, on the finest of their grids.

    An attack differentiates ``surrogate()``, whose map stacks the members' own, scaled so that its mean squared
    distance to another is the sum of the members' l_int, each on its own grid.

    Args:
        members: at least two interpreters of one classifier.
    Raises:
        ValueError: fewer than two members.
    """

    def __init__(self, *, classifier: Classifier, image_size: int, members: Sequence[BaseInterpreter]) -> None:
        super().__init__(classifier=classifier)
        if len(members) < 2:
            raise ValueError(
                f"an ensemble takes at least two members, got {len(members)}: "
                "+interpreter@interpreter.members.NAME=NAME adds one"
            )
        self.members = tuple(members)
        self.registered = nn.ModuleList(members)  # so that they follow .to(), .eval() and .double()
        self.differentiable = all(member.differentiable for member in members)

    def details(self) -> dict[str, str]:
        """The members' details, those of one name in one, in the order of the members."""
        found: dict[str, list[str]] = {}
        for name, value in (item for member in self.members for item in member.details().items()):
            found.setdefault(name, []).append(value)
        return {name: ", ".join(dict.fromkeys(values)) for name, values in found.items()}

    def attribution_map(self, image_BCHW: Tensor, class_B: Tensor) -> Tensor:
        """The mean of the members' maps, (B, h, w)."""
        return torch.stack(same_size([member(image_BCHW, class_B) for member in self.members])).mean(0)

    def stacked(self) -> StackedMembers:
        """The members' own maps in one, for goal maps."""
        return StackedMembers(self.classifier, [member.stacked() for member in self.members])

    def surrogate(self) -> StackedMembers:
        """The maps of the members' surrogates in one."""
        return StackedMembers(self.classifier, [member.surrogate() for member in self.members])


class StackedMembers(TrunkInterpreter):
    """The pixels of several maps in one row, (B, 1, N), those of member i times sqrt(N / N_i).

    mean (g - m)^2 over the row is sum_i mean (g_i - m_i)^2: the sum of the members' l_int.
    """

    STATE = ("warm",)

    def __init__(self, classifier: Classifier, members: Sequence[Interpreter]) -> None:
        super().__init__(classifier=classifier)
        self.members = tuple(members)
        self.warm: list[Interpreter] = []  # members that change from call to call

    def warm_started(self) -> StackedMembers:
        """Every member warm-started for itself."""
        other = StackedMembers(self.classifier, [member.warm_started() for member in self.members])
        other.warm = [new for new, old in zip(other.members, self.members, strict=True) if new is not old]
        return other

    def read(self, image_BCHW: Tensor) -> Reading:
        """Logits as the first member gives them, and the maps in one row."""
        reads = [member.read(image_BCHW) for member in self.members]

        def in_one_row(class_B: Tensor) -> Tensor:
            rows = [read.map(class_B).flatten(1) for read in reads]
            total = sum(row.shape[1] for row in rows)
            return torch.cat([row * math.sqrt(total / row.shape[1]) for row in rows], dim=1)[:, None]

        return Reading(reads[0].logits_BK, in_one_row)


def same_size(maps: list[Tensor]) -> list[Tensor]:
    """Maps (B, h, w) enlarged to the most rows and columns among them."""
    size = [max(each.shape[axis] for each in maps) for axis in (1, 2)]
    return [each if list(each.shape[1:]) == size else at_image_size(each, size) for each in maps]
