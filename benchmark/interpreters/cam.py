"""Class activation maps: what the last features say for a class (representation family)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.interpreters.postprocess import min_max
from benchmark.numerics.images import check_classes
from benchmark.numerics.modules import freeze
from benchmark.types import ClassifierModule, Explanation, Trunk


class CAM(nn.Module):
    """CAM (Zhou et al., CVPR 2016): map = min-max of sum_k w_ck F_k at trunk resolution.

    Costs no pass beyond the classifier's own forward.

    Args:
        classifier: a net whose logits are a linear layer on globally averaged features. image_size: in pixels.
    Raises:
        ValueError: the head is another one.
    """

    differentiable = True
    classifier: ClassifierModule
    weight_KC: Tensor

    def __init__(self, *, classifier: ClassifierModule, image_size: int) -> None:
        super().__init__()
        self.classifier = freeze(classifier)
        head = classifier.linear_head(image_size)
        if head is None:
            raise ValueError(
                f"cam needs a net whose logits are one linear layer on globally averaged features; {classifier.name} "
                "has another head: use interpreter=gradcam, or a ResNet, DenseNet, EfficientNet or MobileNetV2"
            )
        self.register_buffer("weight_KC", head.weight.detach().clone(), persistent=False)

    def raw(self, trunk: Trunk, class_B: Tensor) -> Tensor:
        """sum_k w_ck F_k, (B, h, w), before it is normalised."""
        return torch.einsum("bchw,bc->bhw", trunk.final_BChw, self.weight_KC[class_B])

    def explain(self, image_BCHW: Tensor, class_B: Tensor) -> Explanation:
        """Logits and map of one forward."""
        check_classes(class_B, self.classifier.num_classes)
        trunk = self.classifier.trunk(image_BCHW)
        return Explanation(trunk.logits_BK, min_max(self.raw(trunk, class_B)))

    def forward(self, image_BCHW: Tensor, class_B: Tensor) -> Tensor:
        """Attribution map (B, h, w)."""
        return self.explain(image_BCHW, class_B).map_Bhw


class GradCAM(nn.Module):
    """Grad-CAM (Selvaraju et al., ICCV 2017) and Grad-CAM++ (Chattopadhay et al., WACV 2018) on the last features.

    Grad-CAM: map = min-max of relu(sum_k a_k F_k), a_k = mean over positions of dlogit_c / dF_k. With a linear head on
    globally averaged features a_k = w_ck / (h w), and no gradient has to be taken.
    Grad-CAM++: a_k = sum over positions of relu(g) g^2 / (2 g^2 + sum(F_k) g^3), g = dlogit_c / dF_k.

    Args:
        plus_plus: Grad-CAM++. closed_form: use the closed form where the head allows it.
    """

    differentiable = True
    classifier: ClassifierModule

    def __init__(
        self, *, classifier: ClassifierModule, image_size: int, plus_plus: bool = False, closed_form: bool = True
    ) -> None:
        super().__init__()
        self.classifier, self.plus_plus = freeze(classifier), plus_plus
        head = classifier.linear_head(image_size) if closed_form and not plus_plus else None
        self.weight_KC: Tensor | None
        self.register_buffer("weight_KC", None if head is None else head.weight.detach().clone(), persistent=False)
        self.module = None if head is not None else classifier.target_layer(image_size)

    def channel_weights(self, features_BChw: Tensor, gradient_BChw: Tensor) -> Tensor:
        """a_k (B, C) by the general path."""
        if not self.plus_plus:
            return gradient_BChw.mean(dim=(2, 3))
        square, cube = gradient_BChw.square(), gradient_BChw.pow(3)
        total = features_BChw.sum(dim=(2, 3), keepdim=True)
        below = 2 * square + total * cube
        share = torch.where(below.abs() > 1e-12, square / torch.where(below.abs() > 1e-12, below, 1.0), 0.0)
        return (share * F.relu(gradient_BChw)).sum(dim=(2, 3))

    def _attended(self, image_BCHW: Tensor, class_B: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits, features on the grid, and channel weights, up to a positive factor per sample."""
        if self.weight_KC is not None:
            trunk = self.classifier.trunk(image_BCHW)
            return trunk.logits_BK, trunk.final_BChw, self.weight_KC[class_B]
        logits_BK, features = self.classifier.logits_and_features(image_BCHW, self.module)
        with torch.enable_grad():
            logit = logits_BK.gather(1, class_B[:, None]).sum()
        (gradient,) = torch.autograd.grad(logit, features, create_graph=image_BCHW.requires_grad, retain_graph=True)
        if not image_BCHW.requires_grad:
            logits_BK, features = logits_BK.detach(), features.detach()
        grid_BChw = self.classifier.on_grid(features)
        return logits_BK, grid_BChw, self.channel_weights(grid_BChw, self.classifier.on_grid(gradient))

    def explain(self, image_BCHW: Tensor, class_B: Tensor) -> Explanation:
        """Logits and map; one forward, and one backward through the head where there is no closed form."""
        check_classes(class_B, self.classifier.num_classes)
        logits_BK, grid_BChw, weights_BC = self._attended(image_BCHW, class_B)
        raw_Bhw = F.relu(torch.einsum("bchw,bc->bhw", grid_BChw, weights_BC))
        return Explanation(logits_BK, min_max(raw_Bhw))

    def forward(self, image_BCHW: Tensor, class_B: Tensor) -> Tensor:
        """Attribution map (B, h, w)."""
        return self.explain(image_BCHW, class_B).map_Bhw
