"""What all interpreters have in common."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Self

from torch import Tensor, nn

from benchmark.numerics import layers
from benchmark.numerics.modules import freeze
from benchmark.types import Classifier, Explanation, Interpreter, Reading


class BaseInterpreter(nn.Module):
    """(image, class) to attribution map; a subclass implements :meth:`attribution_map`.

    The classifier given is not copied: it is frozen (eval mode, no parameter asks for a gradient) and stays so, also
    when the interpreter is set to train mode. Nothing else of it changes, and no hook stays behind; whoever goes on to
    train it calls ``train()`` and ``requires_grad_()`` again, or hands over a deep copy.

    Attributes:
        differentiable: whether the map has a gradient in the image, so that it can be attacked.
        classifier: the network that is explained, frozen.
        members: of an ensemble; empty for everything else.
        masking: the network that is trained, of interpreters that are (RTS); None for everything else.
    """

    differentiable: bool = True

    def __init__(self, *, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = freeze(classifier)
        self.members: Sequence[Interpreter] = ()
        self.masking: nn.Module | None = None

    def train(self, mode: bool = True) -> Self:
        """Only the masking network, where there is one, ever leaves eval mode."""
        super().train(False)
        self.training = mode
        if self.masking is not None:
            self.masking.train(mode)
        return self

    def details(self) -> dict[str, str]:
        """What a record says about how the maps are made, by the names of facts in benchmark/storage/cell_fields.py."""
        return {}

    def attribution_map(self, image_BCHW: Tensor, class_B: Tensor) -> Tensor:
        """The map (B, h, w) in [0, 1], 1 = important, of images in [0, 1] for classes that the classifier has.

        Differentiable in the image where the image asks for a gradient, unless ``differentiable`` is False. Samples do
        not depend on each other.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement attribution_map")

    def explanation(self, image_BCHW: Tensor, class_B: Tensor) -> Explanation:
        """Logits of the classifier, and the map."""
        return Explanation(self.classifier(image_BCHW), self._map(image_BCHW, class_B))

    def _map(self, image_BCHW: Tensor, class_B: Tensor) -> Tensor:
        """The map by layers that are not compiled: it may be a gradient, or made by hooks."""
        with layers.as_written():
            return self.attribution_map(image_BCHW, class_B)

    def forward(self, image_BCHW: Tensor, class_B: Tensor) -> Tensor:
        """The attribution map (B, h, w).

        Raises:
            ValueError: a class that the classifier does not have.
        """
        check_classes(class_B, self.classifier.num_classes)
        return self._map(image_BCHW, class_B)

    def explain(self, image_BCHW: Tensor, class_B: Tensor) -> Explanation:
        """Logits and map of the same images, with as few passes of the network as the method allows.

        Raises:
            ValueError: a class that the classifier does not have.
        """
        check_classes(class_B, self.classifier.num_classes)
        return self.explanation(image_BCHW, class_B)

    def read(self, image_BCHW: Tensor) -> Reading:
        """Logits of the classifier, and the map of any class that it has: for several classes of the same images, or
        one that depends on the logits. What the maps have in common is computed once.
        """
        return Reading(self.classifier(image_BCHW), partial(self._map, image_BCHW))

    def surrogate(self) -> Interpreter:
        """What an attack differentiates: itself, or where its map has no useful gradient a smooth approximation."""
        return self

    def warm_started(self) -> Interpreter:
        """What one attack on one batch calls at every step: itself, or where a map is costly to find, an interpreter
        that starts the search for each map from the map of the step before.
        """
        return self

    def stacked(self) -> Interpreter:
        """What an attack takes its goal maps from: itself, or for an ensemble the maps of all members in one."""
        return self


class TrunkInterpreter(BaseInterpreter):
    """An interpreter whose map and logits come from one forward pass; a subclass implements :meth:`read`."""

    def read(self, image_BCHW: Tensor) -> Reading:
        """Logits, and the map of any class, of one forward pass."""
        raise NotImplementedError(f"{type(self).__name__} does not implement read")

    def explanation(self, image_BCHW: Tensor, class_B: Tensor) -> Explanation:
        """Logits and map of one forward pass."""
        read = self.read(image_BCHW)
        return Explanation(read.logits_BK, read.map(class_B))

    def attribution_map(self, image_BCHW: Tensor, class_B: Tensor) -> Tensor:
        """The map (B, h, w) in [0, 1]."""
        return self.read(image_BCHW).map(class_B)

    def _map(self, image_BCHW: Tensor, class_B: Tensor) -> Tensor:
        return self.attribution_map(image_BCHW, class_B)


def check_classes(class_B: Tensor, num_classes: int) -> None:
    """Raises a ValueError that names the first class outside [0, num_classes)."""
    outside = (class_B < 0) | (class_B >= num_classes)
    if outside.any():
        raise ValueError(
            f"class {int(class_B[outside][0])} was asked for and the classifier has the classes 0 to {num_classes - 1}"
        )
