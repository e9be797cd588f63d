"""What an attack reads of an image at every step."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmark.types import Explained, Explanation, Goal


class Observer:
    """What the attack reads of an image: logits, and the map of ``class_B``.

    ``class_B`` is the target; in an untargeted attack it is the class with the largest logit at the step before, among
    the classes other than the one to get away from.
    """

    STATE = ("class_B", "warm")

    def __init__(self, interpreter: Explained, image_BCHW: Tensor, goal: Goal) -> None:
        self.interpreter = interpreter.warm_started()
        self.warm = None if self.interpreter is interpreter else self.interpreter
        self.goal = goal
        self.class_B = goal.target_B
        if not goal.targeted:
            with torch.no_grad():
                self._update_class(interpreter.classifier(image_BCHW))

    @property
    def is_true(self) -> bool:
        """Whether the map given last is the interpreter's own, and not an approximation of it."""
        return getattr(self.interpreter, "is_true", True)

    def _update_class(self, logits_BK: Tensor) -> None:
        self.class_B = logits_BK.detach().scatter(1, self.goal.target_B[:, None], float("-inf")).argmax(1)

    def __call__(self, image_BCHW: Tensor, needs_map: bool) -> Explanation:
        if needs_map:
            explanation = self.interpreter.explanation(image_BCHW, self.class_B)
        else:
            explanation = Explanation(self.interpreter.classifier(image_BCHW), image_BCHW.new_empty(0))
        if not self.goal.targeted:
            self._update_class(explanation.logits_BK)
        return explanation
