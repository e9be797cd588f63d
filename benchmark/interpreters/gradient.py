"""Maps from the gradient of a logit in the image (back-propagation family), with a smooth surrogate to attack.

A ReLU net's gradient is piecewise constant: its map has no useful gradient in the image. So attacks differentiate the
map of a surrogate with the same weights and softplus in place of ReLU, and maps are measured on the true net.
"""

from __future__ import annotations

import copy
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from benchmark.interpreters.postprocess import check_pool, pooled_magnitude
from benchmark.interpreters.surrogate import check_beta, smooth_copy
from benchmark.numerics import rng
from benchmark.numerics.images import check_classes
from benchmark.numerics.modules import freeze
from benchmark.types import ClassifierModule, Explanation


class Gradient(nn.Module):
    """GRAD (Simonyan et al., 2013), SmoothGrad (Smilkov et al., 2017), Integrated Gradients (Sundararajan, 2017).

    map = min-max of the average over ``pool`` x ``pool`` pixels of the largest channel of |attribution|, where the
    attribution is dlogit_c / dx, its mean over ``samples`` noisy copies, or (x - x0) times its mean on the way from x0.

    Args:
        kind: gradient | smoothgrad | integrated. samples: noisy copies, or points on the way.
        noise: standard deviation of SmoothGrad's noise, image units; drawn from ``seed``, alike for every image.
        baseline: grey value of x0. beta: of the surrogate's softplus. pool: in pixels.
    """

    differentiable = True
    classifier: ClassifierModule

    def __init__(
        self,
        *,
        classifier: ClassifierModule,
        image_size: int,
        kind: str = "gradient",
        samples: int = 16,
        noise: float = 0.1,
        baseline: float = 0.0,
        beta: float = 20.0,
        pool: int = 2,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if kind not in ("gradient", "smoothgrad", "integrated"):
            raise ValueError(f"interpreter.kind is gradient, smoothgrad or integrated, got {kind!r}")
        check_pool(pool, image_size)
        if samples < 1 or noise < 0:
            raise ValueError(
                f"interpreter.samples must be at least 1 and interpreter.noise at least 0, got {samples} and {noise}"
            )
        check_beta(beta)
        self.classifier = freeze(classifier)
        self.kind, self.samples, self.baseline, self.pool = kind, samples, baseline, pool
        self.beta = beta
        keys = rng.sample_keys(seed, "smoothgrad", torch.arange(samples))
        noise_SCHW = noise * rng.normal(keys, 3, image_size, image_size) if kind == "smoothgrad" else None
        self.noise_SCHW: Tensor | None
        self.register_buffer("noise_SCHW", noise_SCHW, persistent=False)
        self.explained = self.classifier

    def surrogate(self) -> Gradient:
        """The same interpreter with the surrogate's maps and the true net's logits."""
        other = copy.copy(self)
        other._modules = dict(self._modules)
        other.explained = smooth_copy(self.classifier, self.beta)
        return other

    def attribution(self, image_BCHW: Tensor, class_B: Tensor) -> Tensor:
        """(B, 3, H, W), differentiable in the image where the image asks for it."""
        differentiable = image_BCHW.requires_grad
        if self.kind == "gradient":
            return self._slope(image_BCHW, class_B, differentiable)
        total = torch.zeros_like(image_BCHW)
        for step in range(self.samples):
            if self.noise_SCHW is not None:
                at = image_BCHW + self.noise_SCHW[step]
            else:
                at = self.baseline + (step + 0.5) / self.samples * (image_BCHW - self.baseline)
            total = total + self._slope(at, class_B, differentiable)
        mean = total / self.samples
        return mean if self.kind == "smoothgrad" else (image_BCHW - self.baseline) * mean

    def attributing(self) -> AbstractContextManager[None]:
        """Entered while the attribution's own gradient is taken; other rules of back-propagation hook in here."""
        return nullcontext()

    def _slope(self, image_BCHW: Tensor, class_B: Tensor, differentiable: bool) -> Tensor:
        with torch.enable_grad():
            image = image_BCHW if differentiable else image_BCHW.detach().requires_grad_()
            logit = self.explained(image).gather(1, class_B[:, None]).sum()
            with self.attributing():
                (slope,) = torch.autograd.grad(logit, image, create_graph=differentiable)
        return slope

    def explain(self, image_BCHW: Tensor, class_B: Tensor) -> Explanation:
        """Logits of the true net, and the map."""
        return Explanation(self.classifier(image_BCHW), self(image_BCHW, class_B))

    def forward(self, image_BCHW: Tensor, class_B: Tensor) -> Tensor:
        """Attribution map (B, H / pool, W / pool)."""
        check_classes(class_B, self.classifier.num_classes)
        return pooled_magnitude(self.attribution(image_BCHW, class_B), self.pool)
