"""Maps for an attack: valued as the interpreter's own, differentiated as its surrogate's."""

from __future__ import annotations

import copy
from typing import Self

from torch import Tensor

from benchmark.types import Classifier, Explanation, Interpreter

# Attack steps between two maps of an interpreter whose every map is searched for.
RENEWED_EVERY = 10


class TrueMap:
    """s(x') + (g(x') - s(x')) without a gradient through the bracket, with g the true map and s the surrogate's.

    A descent on the surrogate's own map ends where s equals the goal map, and g stays as far from it as s is from g.
    Where g costs much more than s (``warm_started``), the bracket is renewed every tenth call only.

    Attributes:
        is_true: whether the map given last is the true one to the last digit, and not corrected by an older bracket.
    """

    STATE = ("calls", "is_true", "bracket_Bhw", "warm")

    def __init__(self, interpreter: Interpreter) -> None:
        self.classifier: Classifier = interpreter.classifier
        self.true, self.surrogate = interpreter.stacked(), interpreter.surrogate()
        parts = interpreter.members or (interpreter,)
        self.approximates = any(part.surrogate() is not part for part in parts)
        self.every, self.calls, self.is_true = 1, 0, True
        self.bracket_Bhw: Tensor | None = None
        self.warm: Interpreter | None = None  # the surrogate, where it changes from call to call

    def warm_started(self) -> Self:
        """A new one for one attack on one batch."""
        other = copy.copy(self)
        other.surrogate = self.surrogate.warm_started()
        other.warm = None if other.surrogate is self.surrogate else other.surrogate
        is_searched_for = type(other.surrogate) is not type(self.surrogate)
        other.every = RENEWED_EVERY if is_searched_for and self.approximates else 1
        return other

    def explanation(self, image_BCHW: Tensor, class_B: Tensor) -> Explanation:
        """Logits and map of the same images."""
        seen = self.surrogate.explanation(image_BCHW, class_B)
        if not self.approximates:
            return seen
        self.is_true = self.calls % self.every == 0
        if self.is_true:
            true_Bhw = self.true(image_BCHW.detach(), class_B)
            self.bracket_Bhw = (true_Bhw - seen.map_Bhw).detach()
        self.calls += 1
        assert self.bracket_Bhw is not None
        return Explanation(seen.logits_BK, seen.map_Bhw + self.bracket_Bhw)
