"""Class activation maps: what the last features say for a class (representation family)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.interpreters.base import TrunkInterpreter
from benchmark.interpreters.postprocess import min_max
from benchmark.numerics.bounds import checked_arguments
from benchmark.types import Classifier, Reading, Trunk


class CAM(TrunkInterpreter):
    """CAM (Zhou et al., CVPR 2016): map = min-max of sum_k w_ck F_k at the resolution of the last features.

    Costs no pass beyond the classifier's own forward.

    Args:
        classifier: a net whose logits are a linear layer on globally averaged features. image_size: in pixels.
    Raises:
        ValueError: the head is another one.
    """

    weight_KC: Tensor

    def __init__(self, *, classifier: Classifier, image_size: int) -> None:
        super().__init__(classifier=classifier)
        head = classifier.linear_head(image_size)
        if head is None:
            raise ValueError(
                f"cam needs a net whose logits are one linear layer on globally averaged features; {classifier.name} "
                "has another head: use interpreter=gradcam, or a ResNet, DenseNet, EfficientNet or MobileNetV2"
            )
        self.register_buffer("weight_KC", head.weight.detach().clone(), persistent=False)
        self.layer = classifier.layer_of_features(image_size)

    def details(self) -> dict[str, str]:
        """The module whose output is weighted."""
        return {"target_layer": self.layer}

    def raw(self, trunk: Trunk, class_B: Tensor) -> Tensor:
        """sum_k w_ck F_k, (B, h, w), before it is normalised."""
        return torch.einsum("bchw,bc->bhw", trunk.final_BChw, self.weight_KC[class_B])

    def read(self, image_BCHW: Tensor) -> Reading:
        """One forward pass for the maps of all classes."""
        trunk = self.classifier.trunk(image_BCHW)
        return Reading(trunk.logits_BK, lambda class_B: min_max(self.raw(trunk, class_B)))


class GradCAM(TrunkInterpreter):
    """Grad-CAM (Selvaraju et al., ICCV 2017) and Grad-CAM++ (Chattopadhay et al., WACV 2018) on the last features.

    map = min-max of relu(sum_k a_k F_k).
    Grad-CAM: a_k = mean over positions of dlogit_c / dF_k. With a linear head on globally averaged features
    a_k = w_ck / (h w), and no gradient has to be taken.
    Grad-CAM++: a_k = sum over positions of relu(g) g^2 / (2 g^2 + sum(F_k) g^3), g = dlogit_c / dF_k.

    Args:
        plus_plus: Grad-CAM++. closed_form: use the closed form where the head allows it.
    """

    @checked_arguments
    def __init__(
        self, *, classifier: Classifier, image_size: int, plus_plus: bool = False, closed_form: bool = True
    ) -> None:
        super().__init__(classifier=classifier)
        self.plus_plus = plus_plus
        head = classifier.linear_head(image_size) if closed_form and not plus_plus else None
        self.weight_KC: Tensor | None
        self.register_buffer("weight_KC", None if head is None else head.weight.detach().clone(), persistent=False)
        self.target_layer = None if head is not None else classifier.target_layer(image_size)
        self.layer = self.target_layer or classifier.layer_of_features(image_size)

    def details(self) -> dict[str, str]:
        """The module whose output is weighted."""
        return {"target_layer": self.layer}

    def channel_weights(self, features_BChw: Tensor, gradient_BChw: Tensor) -> Tensor:
        """a_k (B, C) from the gradient of the class's logit in the features."""
        if not self.plus_plus:
            return gradient_BChw.mean(dim=(2, 3))
        square, cube = gradient_BChw.square(), gradient_BChw.pow(3)
        total = features_BChw.sum(dim=(2, 3), keepdim=True)
        below = 2 * square + total * cube
        share = torch.where(below.abs() > 1e-12, square / torch.where(below.abs() > 1e-12, below, 1.0), 0.0)
        return (share * F.relu(gradient_BChw)).sum(dim=(2, 3))

    def read(self, image_BCHW: Tensor) -> Reading:
        """One forward pass, and for every map min-max of relu(sum_k a_k F_k); without the closed form a backward pass
        from the logit to the target layer.
        """
        if self.weight_KC is not None:
            trunk, weight_KC = self.classifier.trunk(image_BCHW), self.weight_KC
            return Reading(trunk.logits_BK, lambda class_B: weighted_map(trunk.final_BChw, weight_KC[class_B]))
        differentiable = image_BCHW.requires_grad
        logits_BK, features = self.classifier.logits_and_features(image_BCHW, self.target_layer)
        features_BChw = self.classifier.on_grid(features if differentiable else features.detach())

        def map_of(class_B: Tensor) -> Tensor:
            with torch.enable_grad():
                logit = logits_BK.gather(1, class_B[:, None]).sum()
            (gradient,) = torch.autograd.grad(logit, features, create_graph=differentiable, retain_graph=True)
            weights_BC = self.channel_weights(features_BChw, self.classifier.on_grid(gradient))
            return weighted_map(features_BChw, weights_BC)

        return Reading(logits_BK if differentiable else logits_BK.detach(), map_of)


def weighted_map(features_BChw: Tensor, weights_BC: Tensor) -> Tensor:
    """Min-max of relu(sum_k a_k F_k), (B, h, w)."""
    return min_max(F.relu(torch.einsum("bchw,bc->bhw", features_BChw, weights_BC)))
