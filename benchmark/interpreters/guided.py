"""Guided back-propagation: ReLUs pass back positive gradients only (Springenberg et al., ICLR workshop 2015)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.interpreters.gradient import Gradient
from benchmark.interpreters.surgery import check_guided_copy
from benchmark.interpreters.surrogate import copy_with, smooth
from benchmark.numerics.bounds import Positive, Seed, WholePositive, checked_arguments
from benchmark.numerics.modules import shallow_copy
from benchmark.types import Classifier


class Switch:
    """Whether ReLUs guide the gradient that is being taken.

    They do while the attribution is taken. An attack differentiates the attribution once more, by the true rules.
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
        ValueError: a net without a ReLU, so that there is nothing to guide, or with one that is not a module.
    """

    @checked_arguments
    def __init__(
        self,
        *,
        classifier: Classifier,
        image_size: int,
        beta: Positive = 20.0,
        pool: WholePositive = 2,
        seed: Seed = 0,
    ) -> None:
        super().__init__(classifier=classifier, image_size=image_size, beta=beta, pool=pool, seed=seed)
        self._differentiate(None)
        check_guided_copy(self.classifier, self._replacement, GuidedReLU, image_size)

    def _differentiate(self, beta: float | None) -> None:
        """Takes the maps of a copy with guided ReLUs, all kinks smooth where there is a ``beta``."""
        self.switch, self.smoothness = Switch(), beta
        self.map_network = copy_with(self.classifier, self._replacement)

    def _replacement(self, activation: nn.Module) -> nn.Module | None:
        """A guided ReLU for a ReLU; with a ``beta`` a smooth function for any other activation with kinks."""
        if isinstance(activation, nn.ReLU):
            return GuidedReLU(self.smoothness, self.switch)
        return None if self.smoothness is None else smooth(activation, self.smoothness)

    def surrogate(self) -> GuidedBackprop:
        """The same interpreter with maps of the smooth network and logits of the true one.

        Raises:
            ValueError: the network has no smooth copy; checked once.
        """
        super().surrogate()
        other = shallow_copy(self)
        other._differentiate(self.beta)
        return other

    @contextmanager
    def attributing(self) -> Iterator[None]:
        """ReLUs guide inside."""
        self.switch.on = True
        try:
            yield
        finally:
            self.switch.on = False
