"""Several interpreters at once: to attack all of them, and to look with all of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from benchmark.numerics.images import at_image_size, stand_in
from benchmark.numerics.modules import freeze
from benchmark.types import ClassifierModule, Explanation, Interpreter, InterpreterModule


class Ensemble(nn.Module):
    """map = the mean of the members' maps, on the finest of their grids.

    An attack meets ``attacked()``, whose map holds all the members' own, scaled so that its mean squared distance to
    another is the sum of the members' l_int, each on its own grid.

    Args:
        members: at least two interpreters of one classifier.
    Raises:
        ValueError: fewer than two members.
    """

    classifier: ClassifierModule

    def __init__(self, *, classifier: ClassifierModule, image_size: int, members: Sequence[InterpreterModule]) -> None:
        super().__init__()
        if len(members) < 2:
            raise ValueError(
                f"an ensemble takes at least two members, got {len(members)}: "
                "+interpreter@interpreter.members.NAME=NAME adds one"
            )
        self.classifier = freeze(classifier)
        self.members = nn.ModuleList(members)
        self.differentiable = all(member.differentiable for member in members)

    def stacked(self) -> SideBySide:
        """The members as they are, for what an attack wants of them."""
        return SideBySide(self.classifier, [stand_in(member, "stacked") for member in self.members])

    def surrogate(self) -> SideBySide:
        """The members that an attack looks at, each by its own stand-in."""
        return SideBySide(self.classifier, [stand_in(member, "surrogate") for member in self.members])

    def forward(self, image_BCHW: Tensor, class_B: Tensor) -> Tensor:
        """Attribution map (B, h, w)."""
        return torch.stack(same_size([member(image_BCHW, class_B) for member in self.members])).mean(0)

    def explain(self, image_BCHW: Tensor, class_B: Tensor) -> Explanation:
        """Logits and map."""
        return Explanation(self.classifier(image_BCHW), self(image_BCHW, class_B))


class SideBySide:
    """The pixels of several maps in one row, (B, 1, N), those of member i times sqrt(N / N_i).

    mean (g - m)^2 over the row is sum_i mean (g_i - m_i)^2: the sum of the members' l_int.
    """

    differentiable = True

    def __init__(self, classifier: ClassifierModule, members: Sequence[Interpreter]) -> None:
        self.classifier, self.members = classifier, members

    def warm_started(self) -> SideBySide:
        """Every member by its own memory, where it has one."""
        return SideBySide(self.classifier, [stand_in(member, "warm_started") for member in self.members])

    def __call__(self, image_BCHW: Tensor, class_B: Tensor) -> Tensor:
        return self.explain(image_BCHW, class_B).map_Bhw

    def explain(self, image_BCHW: Tensor, class_B: Tensor) -> Explanation:
        """Logits of the first member's look, and the maps."""
        seen = [member.explain(image_BCHW, class_B) for member in self.members]
        rows = [each.map_Bhw.flatten(1) for each in seen]
        total = sum(row.shape[1] for row in rows)
        scaled = [row * math.sqrt(total / row.shape[1]) for row in rows]
        return Explanation(seen[0].logits_BK, torch.cat(scaled, dim=1)[:, None])


def same_size(maps: list[Tensor]) -> list[Tensor]:
    """Maps (B, h, w) enlarged to the most rows and columns among them."""
    size = [max(each.shape[axis] for each in maps) for axis in (1, 2)]
    return [each if list(each.shape[1:]) == size else at_image_size(each, size) for each in maps]
