"""A linear classifier and an interpreter that shows the green channel: what faults are planted in."""

from __future__ import annotations

import torch
from torch import nn

from benchmark.interpreters.base import BaseInterpreter

SIDE, COUNT = 8, 6
BALL = {"epsilon": 8 / 255, "step_size": 1 / 255}


class Linear(nn.Module):
    """Three classes, linear in the pixels; ``prepare`` is what happens to the image before."""

    def __init__(self, scale: float = 1.0, prepare=lambda image: image) -> None:
        super().__init__()
        self.num_classes, self.passes, self.prepare = 3, {"forward": 0, "backward": 0}, prepare
        draw = torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(scale * torch.randn(3, 3 * SIDE * SIDE, generator=draw))

    def forward(self, image):
        self.passes["forward"] += len(image)
        return self.prepare(image).flatten(1) @ self.weight.T


class Green(BaseInterpreter):
    """The map is a function of the green channel."""

    def __init__(self, classifier, change=lambda green: green) -> None:
        super().__init__(classifier=classifier)
        self.change = change

    def attribution_map(self, image_BCHW, class_B):
        return self.change(image_BCHW[:, 1])


class WithSurrogate(Green):
    """An attack differentiates another map."""

    def __init__(self, classifier, surrogate) -> None:
        super().__init__(classifier)
        self.other = surrogate

    def surrogate(self):
        return self.other


class Images:
    """A population of one group."""

    def __init__(self, batch) -> None:
        self.batch = batch

    def groups(self, size):
        return [self.batch]
