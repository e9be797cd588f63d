"""The strongest iterate of every sample over all members of an attack, and what the attack tells about itself."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from benchmark.objectives.margin import margin
from benchmark.probes.account import LEAST_LOSS, SmallestCost

# A sample is finished at distance 0, or after this many members in a row that lowered it by less than this share.
PATIENCE, LEAST_FALL = 2, 0.02
# Points of a curve, after the one at no pass at all.
POINTS = 30
# Above every distance: what ranks an iterate that does not reach its class, by how far it is from it.
_NOT_REACHED = 1e3


class Strongest:
    """Per sample: of the iterates that reach their class the one with the smallest map distance, after rounding.

    Where none does, the one whose class is nearest.

    Attributes:
        image_BCHW, success_B, distance_B: of that iterate; the distance is infinite where the class is not reached.

    Args:
        image_BCHW: where the attack starts. passes: of every sample. members: names, in order.
    """

    STATE = (
        *("image_BCHW", "rank_B", "smallest", "member_B", "at_half_B", "at_last_tenth_B"),
        *("before_member_B", "stale_B", "curve_BG", "curve_MBG"),
    )

    def __init__(self, image_BCHW: Tensor, passes: int, members: Sequence[str]) -> None:
        count, device = len(image_BCHW), image_BCHW.device
        self.image_BCHW, self.members, self.passes = image_BCHW.clone(), list(members), passes
        self.rank_B = image_BCHW.new_full((count,), math.inf)
        self.smallest = SmallestCost(self.rank_B)
        self.member_B = torch.full((count,), -1, device=device)
        self.at_half_B, self.at_last_tenth_B = self.rank_B.clone(), self.rank_B.clone()
        self.before_member_B, self.stale_B = self.rank_B.clone(), torch.zeros_like(self.member_B)
        self.every = math.ceil(passes / POINTS)
        points = math.ceil(passes / self.every) + 1
        self.curve_BG = image_BCHW.new_full((count, points), math.inf)
        self.curve_MBG = image_BCHW.new_full((len(members), count, points), math.nan)

    @property
    def success_B(self) -> Tensor:
        """Whether the class is reached, (B,) bool."""
        return self.rank_B < _NOT_REACHED

    @property
    def distance_B(self) -> Tensor:
        """The map distance, infinite where the class is not reached, (B,)."""
        return torch.where(self.success_B, self.rank_B, math.inf)

    def unfinished(self) -> Tensor:
        """Rows of the samples that go on, after a member has ended."""
        fell_B = self.rank_B < (1 - LEAST_FALL) * self.before_member_B
        self.stale_B = torch.where(fell_B | ~self.success_B, 0, self.stale_B + 1)
        self.before_member_B = self.rank_B.clone()
        return ((self.stale_B < PATIENCE) & (self.rank_B > 0)).nonzero()[:, 0]

    @torch.no_grad()
    def update(
        self, rows: Tensor, member: int, image_BCHW: Tensor, logits_BK: Tensor, class_B: Tensor, distance_B: Tensor
    ) -> None:
        """Takes one rounded iterate of the samples in ``rows``, whose map is of ``class_B``."""
        reached_B = logits_BK.argmax(1) == class_B
        rank_B = torch.where(reached_B, distance_B, _NOT_REACHED - margin(logits_BK, class_B).clamp(max=0))
        self.smallest.update(logits_BK, class_B, distance_B, rows)
        better_B = rank_B < self.rank_B[rows]  # chosen by where, not by a mask, whose size the host would wait for
        better_B111 = better_B[:, None, None, None]
        self.image_BCHW[rows] = torch.where(better_B111, image_BCHW, self.image_BCHW[rows])
        self.rank_B[rows] = torch.where(better_B, rank_B, self.rank_B[rows])
        self.member_B[rows] = torch.where(better_B, torch.where(reached_B, member, -1), self.member_B[rows])

    def mark(self, rows: Tensor, member: int, own: int, spent: int, reached_distance_B: Tensor) -> None:
        """Notes the distances so far, after ``own`` passes of a member and ``spent`` of all.

        ``reached_distance_B``: of the iterate just seen, infinite where its class is not reached.
        """
        at, own_at = math.ceil(spent / self.every), math.ceil(own / self.every)
        self.curve_BG[rows, at] = self.distance_B[rows]
        curve_BG = self.curve_MBG[member]
        before_B = curve_BG[rows, own_at].nan_to_num(nan=math.inf)
        curve_BG[rows, own_at] = torch.minimum(before_B, reached_distance_B)
        if 2 * spent <= self.passes:
            self.at_half_B[rows] = self.rank_B[rows]
        if 10 * spent <= 9 * self.passes:
            self.at_last_tenth_B[rows] = self.rank_B[rows]

    def facts(self) -> dict[str, Tensor]:
        """``member``, ``half_distance``, ``loss_fall``, ``lost_by_rounding`` and ``better_iterate``, (B,) each.

        The loss is the distance, or where the class is not reached the margin that is missing. Nothing is lost by
        rounding where every iterate is judged after it.
        """
        half_B = torch.where(self.at_half_B < _NOT_REACHED, self.at_half_B, math.nan)
        before_B = self.at_last_tenth_B
        scale_B = torch.where(before_B < _NOT_REACHED, before_B, before_B - _NOT_REACHED).clamp(min=LEAST_LOSS)
        fall_B = torch.where(before_B.isfinite(), (before_B - self.rank_B) / scale_B, 0.0)
        arrived_B = self.success_B & (before_B >= _NOT_REACHED)
        return {
            "member": self.member_B,
            "half_distance": half_B,
            "loss_fall": torch.where(arrived_B, 1.0, fall_B),
            "lost_by_rounding": torch.zeros_like(self.success_B),
            "better_iterate": self.smallest.is_below(self.distance_B),
        }

    def curves(self) -> dict[str, Tensor]:
        """The smallest distance so far at each number of passes (B, G): of the attack, ``all``, and of its members.

        Infinite where the class is not reached by then, NaN where the member was not needed. A member's passes are its
        own. ``passes`` has the numbers.
        """
        points = self.curve_BG.shape[1]
        passes_G = torch.arange(points, device=self.curve_BG.device) * self.every
        found = {"passes": passes_G.expand(len(self.curve_BG), -1), "all": self.curve_BG.cummin(1).values}
        for name, curve_BG in zip(self.members, self.curve_MBG, strict=True):
            ran_B1 = curve_BG.isfinite().any(1, keepdim=True) | curve_BG.isinf().any(1, keepdim=True)
            running_BG = curve_BG.nan_to_num(nan=math.inf, posinf=math.inf).cummin(1).values
            found[name] = torch.where(ran_B1, running_BG, math.nan)
        return found
