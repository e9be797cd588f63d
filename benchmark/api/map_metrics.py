"""Distances between attribution maps as torchmetrics metrics: means over all samples seen.

Each wraps the function of ``benchmark/metrics/map_distance.py`` that a record's column is made by. Samples without a
value (a constant map has no ranks) are left out; without any the mean is NaN.

    >>> import torch
    >>> import benchmark
    >>> first = torch.tensor([[[0.0, 0.0], [1.0, 1.0]]])
    >>> second = torch.tensor([[[0.0, 1.0], [1.0, 1.0]]])
    >>> metric = benchmark.MapL1()
    >>> metric.update(first, second)
    >>> float(metric.compute())
    0.25
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from benchmark.metrics import map_distance


class MapDistance(Metric):
    """The mean over samples of a distance of two maps (B, h, w) in [0, 1]; a subclass implements :meth:`distance`.

    Attributes:
        higher_is_better: False for distances, True for similarities: "better" is a map that stays the same.
        lowest, highest: the range of the value.
    """

    is_differentiable = True
    higher_is_better = False
    full_state_update = False
    lowest: float = 0.0
    highest: float = 1.0
    total: Tensor
    count: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("total", torch.tensor(0.0, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")

    @property
    def plot_lower_bound(self) -> float:  # type: ignore[override]
        """For torchmetrics' ``plot``."""
        return self.lowest

    @property
    def plot_upper_bound(self) -> float:  # type: ignore[override]
        """For torchmetrics' ``plot``."""
        return self.highest

    def distance(self, map_Bhw: Tensor, other_Bhw: Tensor) -> Tensor:
        """Per sample (B,)."""
        raise NotImplementedError(f"{type(self).__name__} does not implement distance")

    def update(self, map_Bhw: Tensor, other_Bhw: Tensor) -> None:
        """Takes two maps of each of B samples.

        Raises:
            ValueError: they are not (B, h, w) of one shape, or leave [0, 1].
        """
        if map_Bhw.ndim != 3 or map_Bhw.shape != other_Bhw.shape:
            raise ValueError(
                f"two maps (B, h, w) of one shape, got {tuple(map_Bhw.shape)} and {tuple(other_Bhw.shape)}"
            )
        for each in (map_Bhw, other_Bhw):
            if len(each) and not (float(each.detach().amin()) >= 0 and float(each.detach().amax()) <= 1):
                raise ValueError("maps must lie in [0, 1], 1 = important")
        value_B = self.distance(map_Bhw, other_Bhw)
        known_B = ~torch.isnan(value_B)
        self.total = self.total + value_B[known_B].sum().to(self.total)
        self.count = self.count + known_B.sum().to(self.count)

    def compute(self) -> Tensor:
        """The mean, a scalar; NaN without a value."""
        return (self.total / self.count).float()


class MapL1(MapDistance):
    """Mean over pixels of |a - b|, in [0, 1]; 0 is the same map.

    >>> import torch
    >>> MapL1()(torch.zeros(1, 2, 2), torch.full((1, 2, 2), 0.5))
    tensor(0.5000)
    """

    def distance(self, map_Bhw: Tensor, other_Bhw: Tensor) -> Tensor:
        """Per sample (B,)."""
        return map_distance.l1(map_Bhw, other_Bhw)


class MapL2(MapDistance):
    """Root mean square of a - b, in [0, 1]; 0 is the same map.

    >>> import torch
    >>> MapL2()(torch.zeros(1, 2, 2), torch.tensor([[[1.0, 0.0], [0.0, 0.0]]]))
    tensor(0.5000)
    """

    def distance(self, map_Bhw: Tensor, other_Bhw: Tensor) -> Tensor:
        """Per sample (B,)."""
        return map_distance.l2(map_Bhw, other_Bhw)


class MapIoU(MapDistance):
    """Intersection over union of the maps binarised at ``threshold``, in [0, 1]; 1 is the same region.

    Two empty regions have 1.

    >>> import torch
    >>> MapIoU()(torch.tensor([[[1.0, 1.0], [0.0, 0.0]]]), torch.tensor([[[1.0, 0.0], [0.0, 0.0]]]))
    tensor(0.5000)
    """

    is_differentiable = False
    higher_is_better = True

    def __init__(self, threshold: float = 0.5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 < threshold <= 1:
            raise ValueError(f"threshold lies above 0 and at most at 1, got {threshold!r}")
        self.threshold = threshold

    def distance(self, map_Bhw: Tensor, other_Bhw: Tensor) -> Tensor:
        """Per sample (B,)."""
        return map_distance.iou(map_Bhw, other_Bhw, self.threshold)


class MapTopIoU(MapDistance):
    """Intersection over union of the top ``share`` of pixels, in [0, 1]; does not depend on the scale of the maps.

    >>> import torch
    >>> first = torch.tensor([[[0.9, 0.8], [0.1, 0.0]]])
    >>> MapTopIoU(share=0.5)(first, first / 2)
    tensor(1.)
    """

    is_differentiable = False
    higher_is_better = True

    def __init__(self, share: float = 0.2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 < share <= 1:
            raise ValueError(f"share lies above 0 and at most at 1, got {share!r}")
        self.share = share

    def distance(self, map_Bhw: Tensor, other_Bhw: Tensor) -> Tensor:
        """Per sample (B,)."""
        return map_distance.topq_iou(map_Bhw, other_Bhw, self.share)


class MapSSIM(MapDistance):
    """Structural similarity (Wang et al., 2004) of the maps enlarged to ``size``, in [-1, 1]; 1 is the same map.

    >>> import torch
    >>> same = torch.rand(1, 8, 8, generator=torch.Generator().manual_seed(0))
    >>> MapSSIM(size=(32, 32))(same, same)
    tensor(1.)
    """

    higher_is_better = True
    lowest = -1.0

    def __init__(self, size: tuple[int, int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = size

    def distance(self, map_Bhw: Tensor, other_Bhw: Tensor) -> Tensor:
        """Per sample (B,)."""
        return map_distance.ssim(map_Bhw, other_Bhw, self.size)


class MapSpearman(MapDistance):
    """Spearman's rank correlation over pixels, in [-1, 1]; 1 is the same order. Constant maps are left out.

    >>> import torch
    >>> first = torch.tensor([[[0.0, 0.1], [0.2, 0.3]]])
    >>> MapSpearman()(first, 1 - first)
    tensor(-1.)
    """

    is_differentiable = False
    higher_is_better = True
    lowest = -1.0

    def distance(self, map_Bhw: Tensor, other_Bhw: Tensor) -> Tensor:
        """Per sample (B,)."""
        return map_distance.spearman(map_Bhw, other_Bhw)


class MapShift(MapDistance):
    """Distance of the centres of mass, in pixels of the map, >= 0; an empty map has its centre in the middle.

    >>> import torch
    >>> MapShift()(torch.tensor([[[1.0, 0.0], [0.0, 0.0]]]), torch.tensor([[[0.0, 1.0], [0.0, 0.0]]]))
    tensor(1.)
    """

    highest = float("inf")

    def distance(self, map_Bhw: Tensor, other_Bhw: Tensor) -> Tensor:
        """Per sample (B,)."""
        return map_distance.centre_shift(map_Bhw, other_Bhw)
