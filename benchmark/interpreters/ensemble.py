"""Several interpreters at once: to attack all of them, and to look with all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from benchmark.tensors import at_image_size, freeze
from benchmark.types import ClassifierModule, Explanation, Interpreter, InterpreterModule


class Ensemble(nn.Module):
    """map = the mean of the members' maps, on the finest of their grids.

    An attack meets ``attacked()``, whose map is the members' maps one below the other: its mean squared distance is the
    mean of the members' l_int, so that a weight of M c asks for the sum of their l_int at c each.

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

    def attacked(self) -> SideBySide:
        """The members that an attack looks at, each by its own stand-in."""
        return SideBySide(self.classifier, [stand_in(member, "attacked") for member in self.members])

    def forward(self, image_BCHW: Tensor, class_B: Tensor) -> Tensor:
        """Attribution map (B, h, w)."""
        return torch.stack(same_size([member(image_BCHW, class_B) for member in self.members])).mean(0)

    def explain(self, image_BCHW: Tensor, class_B: Tensor) -> Explanation:
        """Logits and map."""
        return Explanation(self.classifier(image_BCHW), self(image_BCHW, class_B))


class SideBySide:
    """The maps of several interpreters one below the other, (B, M h, w)."""

    differentiable = True

    def __init__(self, classifier: ClassifierModule, members: Sequence[Interpreter]) -> None:
        self.classifier, self.members = classifier, members

    def remembering(self) -> SideBySide:
        """Every member by its own memory, where it has one."""
        return SideBySide(self.classifier, [stand_in(member, "remembering") for member in self.members])

    def __call__(self, image_BCHW: Tensor, class_B: Tensor) -> Tensor:
        return self.explain(image_BCHW, class_B).map_Bhw

    def explain(self, image_BCHW: Tensor, class_B: Tensor) -> Explanation:
        """Logits of the first member's look, and the maps."""
        seen = [member.explain(image_BCHW, class_B) for member in self.members]
        return Explanation(seen[0].logits_BK, torch.cat(same_size([each.map_Bhw for each in seen]), dim=1))


def stand_in(member: Any, kind: str) -> Any:
    """What the member offers under that name, or the member itself."""
    offer = getattr(member, kind, None)
    return member if offer is None else offer()


def same_size(maps: list[Tensor]) -> list[Tensor]:
    """Maps (B, h, w) enlarged to the most rows and columns among them."""
    size = [max(each.shape[axis] for each in maps) for axis in (1, 2)]
    return [each if list(each.shape[1:]) == size else at_image_size(each, size) for each in maps]
