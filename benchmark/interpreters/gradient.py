"""Maps from the gradient of a logit in the image (back-propagation family), with a smooth surrogate to attack.

The gradient of a ReLU network is piecewise constant in the image, so that its map has no useful gradient. Attacks
therefore differentiate the map of a surrogate with the same weights and softplus in place of ReLU; measures take the
maps of the true network.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch
from torch import Tensor

from benchmark.interpreters.base import BaseInterpreter
from benchmark.interpreters.kept_for_backward import kept_of_an_image
from benchmark.interpreters.postprocess import check_pool, pooled_magnitude
from benchmark.interpreters.second_order import cheap_second_order
from benchmark.interpreters.surgery import check_smooth_copy
from benchmark.interpreters.surrogate import smooth_copy
from benchmark.numerics import rng
from benchmark.numerics.bounds import Fraction, NonNegative, Positive, Seed, WholePositive, checked_arguments
from benchmark.numerics.modules import shallow_copy
from benchmark.types import Classifier

# Fewer images than 16, or pixels than 100 images of 48 px have, are passed together at several points, which is faster.
PASS_IMAGES, PASS_PIXELS = 16, 100 * 48**2
# Where no gradient in the map is wanted: as many points as keep so much for their backward pass, where that is more.
PASS_BYTES = 2**31


class Gradient(BaseInterpreter):
    """GRAD (Simonyan et al., 2013), SmoothGrad (Smilkov et al., 2017), Integrated Gradients (Sundararajan, 2017).

    map = min-max of the average over ``pool`` x ``pool`` pixels of the largest channel of |attribution|, where the
    attribution is dlogit_c / dx, its mean over ``samples`` noisy copies, or (x - x0) times its mean over ``samples``
    points between x0 and x.

    Args:
        kind: gradient | smoothgrad | integrated. samples: noisy copies, or points between x0 and x.
        noise: standard deviation of SmoothGrad's noise, image units; drawn from ``seed``, the same for every image.
        baseline: grey value of x0. beta: of the surrogate's softplus. pool: side of a map pixel, in pixels.
    """

    @checked_arguments
    def __init__(
        self,
        *,
        classifier: Classifier,
        image_size: int,
        kind: Literal["gradient", "smoothgrad", "integrated"] = "gradient",
        samples: WholePositive = 16,
        noise: NonNegative = 0.1,
        baseline: Fraction = 0.0,
        beta: Positive = 20.0,
        pool: WholePositive = 2,
        seed: Seed = 0,
    ) -> None:
        super().__init__(classifier=classifier)
        check_pool(pool, image_size)
        self.kind, self.samples, self.baseline, self.pool = kind, samples, baseline, pool
        self.beta, self.image_size = beta, image_size
        self.is_checked = False  # whether the smooth copy has been; see surrogate
        keys = rng.sample_keys(seed, "smoothgrad", torch.arange(samples))
        noise_SCHW = noise * rng.normal(keys, 3, image_size, image_size) if kind == "smoothgrad" else None
        self.noise_SCHW: Tensor | None
        self.register_buffer("noise_SCHW", noise_SCHW, persistent=False)
        self.kept = 0 if kind == "gradient" else kept_of_an_image(self.classifier, image_size)  # bytes
        self.map_network = self.classifier  # whose gradient makes the map; a smooth copy in a surrogate

    def surrogate(self) -> Gradient:
        """The same interpreter with maps of the smooth network and logits of the true one.

        Raises:
            ValueError: the network has no smooth copy; checked once.
        """
        if not self.is_checked:
            check_smooth_copy(self.classifier, self.image_size)
            self.is_checked = True
        other = shallow_copy(self)
        other.map_network = smooth_copy(self.classifier, self.beta)
        return other

    def attribution(self, image_BCHW: Tensor, class_B: Tensor) -> Tensor:
        """(B, 3, H, W), differentiable in the image where the image asks for it."""
        differentiable = image_BCHW.requires_grad
        if self.kind == "gradient":
            return self._slope(image_BCHW, class_B, differentiable)
        total, together = torch.zeros_like(image_BCHW), self._points_of_a_pass(image_BCHW)
        for first in range(0, self.samples, together):
            steps = range(first, min(first + together, self.samples))
            points = torch.cat([self._point(image_BCHW, step) for step in steps])
            slopes = self._slope(points, class_B.repeat(len(steps)), differentiable)
            for slope in slopes.chunk(len(steps)):
                total = total + slope
        mean = total / self.samples
        return mean if self.kind == "smoothgrad" else (image_BCHW - self.baseline) * mean

    def _points_of_a_pass(self, image_BCHW: Tensor) -> int:
        """How many points are passed together; as many in every pass, where they may be more than a few."""
        few = max(PASS_PIXELS // image_BCHW[:, 0].numel(), PASS_IMAGES // len(image_BCHW), 1)
        if image_BCHW.requires_grad:
            return few
        most = max(few, PASS_BYTES // max(len(image_BCHW) * self.kept, 1))
        return math.ceil(self.samples / math.ceil(self.samples / most))

    def _point(self, image_BCHW: Tensor, step: int) -> Tensor:
        """The noisy copy, or the point between x0 and x, of one step."""
        if self.noise_SCHW is not None:
            return image_BCHW + self.noise_SCHW[step]
        return self.baseline + (step + 0.5) / self.samples * (image_BCHW - self.baseline)

    def attributing(self) -> AbstractContextManager[None]:
        """Entered while the gradient of the logit is taken; a subclass changes the rules of back-propagation here."""
        return nullcontext()

    def _slope(self, image_BCHW: Tensor, class_B: Tensor, differentiable: bool) -> Tensor:
        with torch.enable_grad(), cheap_second_order() if differentiable else nullcontext():
            image = image_BCHW if differentiable else image_BCHW.detach().requires_grad_()
            logit = self.map_network(image).gather(1, class_B[:, None]).sum()
            with self.attributing():
                (slope,) = torch.autograd.grad(logit, image, create_graph=differentiable)
        return slope

    def attribution_map(self, image_BCHW: Tensor, class_B: Tensor) -> Tensor:
        """Min-max of the pooled |attribution|, (B, H / pool, W / pool)."""
        return pooled_magnitude(self.attribution(image_BCHW, class_B), self.pool)
