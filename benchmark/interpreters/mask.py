"""MASK: the smallest region whose deletion loses the class (perturbation family; Fong & Vedaldi, ICCV 2017)."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor

from benchmark.interpreters.base import BaseInterpreter
from benchmark.interpreters.second_order import cheap_second_order
from benchmark.interpreters.surgery import check_smooth_copy
from benchmark.interpreters.surrogate import smooth_copy
from benchmark.numerics.adam import Adam
from benchmark.numerics.bounds import Positive, Weight, WholeNonNegative, WholePositive, checked_arguments
from benchmark.numerics.expectations import Limit
from benchmark.numerics.images import at_image_size
from benchmark.numerics.modules import shallow_copy
from benchmark.objectives.deletion import deletion_objective
from benchmark.objectives.evidence import edit, gaussian_blur
from benchmark.types import Classifier


@dataclass(frozen=True)
class Costs:
    """Weights of the objective: area and smoothness of the deleted region, and the power of its roughness."""

    area: float = 0.1
    smoothness: float = 0.2
    power: float = 3.0


class Mask(BaseInterpreter):
    """map = sigmoid(theta), theta after ``steps`` of Adam on the deletion objective; 1 = deleted = important.

    Where the mask is 1 the image is replaced by its blurred copy. Samples are optimised independently. The gradient in
    the image goes through the last ``tracked`` steps of Adam. Under attack each mask starts from the mask of the attack
    step before and takes ``warm`` steps of Adam without a graph and ``tracked`` steps with one; a sample keeps its old
    mask where the new one has a larger objective.

    Args:
        cells: rows and columns of the mask. steps: of Adam for a map from theta = 0. warm, tracked: see above.
        lr: of Adam. blur: sigma in pixels. beta: of the surrogate's softplus under attack.
    Raises:
        ValueError: a setting outside its range.
    """

    @checked_arguments
    def __init__(
        self,
        *,
        classifier: Classifier,
        image_size: int,
        cells: Annotated[int, Ge(2), Limit(16_384)] = 12,
        steps: WholePositive = 60,
        warm: WholeNonNegative = 4,
        tracked: WholePositive = 4,
        lr: Positive = 0.1,
        area: Weight = 0.1,
        smoothness: Weight = 0.2,
        power: Annotated[float, Ge(1)] = 3.0,
        blur: Positive = 4.0,
        beta: Positive = 20.0,
    ) -> None:
        super().__init__(classifier=classifier)
        if cells > image_size:
            raise ValueError(f"interpreter.cells is the mask's side, 2 to the image's {image_size} pixels, got {cells}")
        if tracked > steps:
            raise ValueError(
                f"interpreter.tracked is a part of interpreter.steps ({steps}), through which an attack's gradient "
                f"goes, got {tracked}"
            )
        self.cells, self.steps, self.warm, self.tracked = cells, steps, warm, tracked
        self.lr, self.blur, self.beta = lr, blur, beta
        self.image_size = image_size
        self.is_checked = False  # whether the smooth copy has been; see surrogate
        self.costs = Costs(area, smoothness, power)
        self.map_network = self.classifier  # whose logits make the map; a smooth copy in a surrogate

    def surrogate(self) -> Mask:
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

    def warm_started(self) -> WarmMask:
        """An interpreter for one attack on one batch: every mask starts from the mask of the step before."""
        return WarmMask(self)

    def cost(self, theta_Bhw: Tensor, image_BCHW: Tensor, base_BCHW: Tensor, class_B: Tensor) -> Tensor:
        """The deletion objective of every sample (B,)."""
        map_Bhw = theta_Bhw.sigmoid()
        without = edit(image_BCHW, base_BCHW, 1 - at_image_size(map_Bhw, image_BCHW.shape[-2:]))
        costs = self.costs
        return deletion_objective(
            self.map_network(without),
            map_Bhw,
            class_B,
            area=costs.area,
            smoothness=costs.smoothness,
            power=costs.power,
        )

    def descend(self, theta_Bhw: Tensor, image_BCHW: Tensor, class_B: Tensor, steps: int) -> Tensor:
        """theta after Adam's steps, the last ``tracked`` of them with a graph to the image where it asks for one."""
        first_tracked = steps - self.tracked if image_BCHW.requires_grad else steps
        adam = Adam(lr=self.lr)
        with torch.enable_grad(), cheap_second_order() if image_BCHW.requires_grad else nullcontext():
            for step in range(steps):
                graph = step >= first_tracked
                image = image_BCHW if graph else image_BCHW.detach()
                theta = theta_Bhw if theta_Bhw.requires_grad else theta_Bhw.detach().requires_grad_()
                total = self.cost(theta, image, gaussian_blur(image, self.blur), class_B).sum()
                (slope,) = torch.autograd.grad(total, theta, create_graph=graph)
                theta_Bhw = adam(theta if graph else theta.detach(), slope)
        return theta_Bhw

    def initial(self, image_BCHW: Tensor) -> Tensor:
        """theta = 0 (B, cells, cells), half of the image deleted: where every map starts."""
        return image_BCHW.new_zeros(len(image_BCHW), self.cells, self.cells)

    def attribution_map(self, image_BCHW: Tensor, class_B: Tensor) -> Tensor:
        """sigmoid(theta) (B, cells, cells) after ``steps`` of Adam on the deletion objective."""
        return self.descend(self.initial(image_BCHW), image_BCHW, class_B, self.steps).sigmoid()


class WarmMask(BaseInterpreter):
    """A Mask under one attack: the mask of every sample starts from its mask of the step before."""

    STATE = ("theta_Bhw",)

    def __init__(self, mask: Mask) -> None:
        super().__init__(classifier=mask.classifier)
        self.mask = mask
        self.theta_Bhw: Tensor | None = None

    def attribution_map(self, image_BCHW: Tensor, class_B: Tensor) -> Tensor:
        """sigmoid(theta) (B, cells, cells) after ``warm`` + ``tracked`` steps of Adam from the theta before."""
        mask = self.mask
        if self.theta_Bhw is None:
            self.theta_Bhw = mask.descend(mask.initial(image_BCHW), image_BCHW.detach(), class_B, mask.steps)
        before = self.theta_Bhw.detach()
        after = mask.descend(before, image_BCHW, class_B, mask.warm + mask.tracked)
        with torch.no_grad():
            base = gaussian_blur(image_BCHW, mask.blur)
            old_B, new_B = (mask.cost(theta, image_BCHW, base, class_B) for theta in (before, after))
        accepted = (new_B <= old_B)[:, None, None]
        self.theta_Bhw = torch.where(accepted, after.detach(), before)
        return torch.where(accepted, after, before).sigmoid()
