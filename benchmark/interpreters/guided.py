"""Guided back-propagation: only what speaks for the class is passed back (Springenberg et al., ICLR workshop 2015)."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.interpreters.gradient import Gradient
from benchmark.interpreters.surrogate import shared_copy, smooth
from benchmark.numerics.modules import freeze
from benchmark.types import ClassifierModule


class Switch:
    """Whether the gradient that is being taken is the attribution: only that one is guided.

    An attack differentiates the attribution once more, and that pass has to be the true one.
    """

    on = False


class GuidedReLU(nn.Module):
    """ReLU, or softplus(beta), whose backward pass drops negative gradients while the switch is on."""

    def __init__(self, beta: float | None, switch: Switch) -> None:
        super().__init__()
        self.beta, self.switch = beta, switch

    def _guide(self, gradient: Tensor) -> Tensor:
        return F.relu(gradient) if self.switch.on else gradient

    def forward(self, value: Tensor) -> Tensor:
        active = F.relu(value) if self.beta is None else F.softplus(value, beta=self.beta)
        if active.requires_grad:
            active.register_hook(self._guide)
        return active


class GuidedBackprop(Gradient):
    """map = min-max of the pooled magnitude of the guided gradient of the class's logit.

    Raises:
        ValueError: a net without a ReLU: there is nothing to guide.
    """

    def __init__(
        self, *, classifier: ClassifierModule, image_size: int, beta: float = 20.0, pool: int = 2, seed: int = 0
    ) -> None:
        super().__init__(classifier=classifier, image_size=image_size, beta=beta, pool=pool, seed=seed)
        if not any(isinstance(module, nn.ReLU) for module in classifier.modules()):
            raise ValueError("guided_backprop guides plain ReLUs and this net has none: use interpreter=grad")
        self._explain_with(None)

    def _explain_with(self, beta: float | None) -> None:
        self.switch, self.smoothness = Switch(), beta
        self.explained = freeze(shared_copy(self.classifier, self._replaced))

    def _replaced(self, activation: nn.Module) -> nn.Module | None:
        """Guided where it is a ReLU; while attacked any other kink is smooth."""
        if isinstance(activation, nn.ReLU):
            return GuidedReLU(self.smoothness, self.switch)
        return None if self.smoothness is None else smooth(activation, self.smoothness)

    def surrogate(self) -> GuidedBackprop:
        """The same interpreter with the surrogate's maps and the true net's logits."""
        other = copy.copy(self)
        other._modules = dict(self._modules)
        other._explain_with(self.beta)
        return other

    @contextmanager
    def attributing(self) -> Iterator[None]:
        """The switch is on inside."""
        self.switch.on = True
        try:
            yield
        finally:
            self.switch.on = False
