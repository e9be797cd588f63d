"""adv2_auto: the strongest attack on classifier and map that needs no setting for an interpreter.

Several descents that differ where it matters share a budget of passes, and the best of all their iterates is kept, per
sample and after rounding to 8 bit (after AutoAttack's rule, Croce & Hein, 2020; members: members.py).
"""

from __future__ import annotations

import copy
from itertools import islice
from typing import cast

import torch
from torch import Tensor

from benchmark.numerics.bounds import WholePositive, checked_arguments
from benchmark.numerics.images import quantise
from benchmark.objectives.distances import l1
from benchmark.objectives.margin import margin
from benchmark.probes.account import PassMeter
from benchmark.probes.attack import check_graph
from benchmark.probes.finite import FiniteCheck, largest
from benchmark.probes.kept_state import UnderWay
from benchmark.probes.members import LEAST_MARGIN, Member
from benchmark.probes.observer import Observer
from benchmark.probes.strongest import Strongest
from benchmark.probes.true_map import TrueMap
from benchmark.types import Ball, Bounded, Goal, Interpreter, Outcome


class AutoAttack:
    """(interpreter, images, goals, keys) to perturbed images, by members one after the other.

    Every member walks on a point of the ball that is not rounded, and looks at the rounded point: loss, gradient, class
    and map are of that, the gradient straight through the rounding. So one pass serves the step and the choice, and no
    iterate is chosen by what 8 bit cannot hold. The map's value is the true interpreter's (true_map.py). A sample that
    two members in a row could not bring nearer by 2 % leaves; the others go on without it.

    Args:
        ball: what may be done to an image. passes: of one image, over all members: a pass is a step, one forward and
            backward of classifier and interpreter. members: in order, shares of the passes that add up to 1 at most.
    Raises:
        ValueError: no member, shares above 1, or a perturbation that is no ball.
    """

    needs_map = True

    @checked_arguments
    def __init__(self, *, ball: Ball, passes: WholePositive, members: list[Member]) -> None:
        if not isinstance(ball, Ball):
            raise ValueError(
                f"adv2_auto steps inside a ball and {type(ball).__name__} is none: use linf_ball or l2_ball"
            )
        if not members or sum(member.share for member in members) > 1 + 1e-9:
            raise ValueError(
                "the members of adv2_auto share its passes: their shares must add up to 1 at most, "
                f"got {[member.share for member in members]}"
            )
        self.ball, self.passes, self.members = ball, passes, members

    def without_bound(self, steps: WholePositive) -> AutoAttack | None:
        """The same attack with nothing that bounds it and so many passes; None where its ball has no such form."""
        if not isinstance(self.ball, Bounded):
            return None
        other = copy.copy(self)
        other.ball, other.passes = cast(Ball, self.ball.without_bound(steps)), steps
        return other

    @torch.enable_grad()
    def __call__(self, interpreter: Interpreter, image_BCHW: Tensor, goal: Goal, key_B: Tensor) -> Outcome:
        if goal.map_Bhw is None:
            raise ValueError("adv2_auto needs a goal map and got none: give the probe a goal")
        strongest = Strongest(image_BCHW, self.passes, [member.name for member in self.members])
        attacked, run = TrueMap(interpreter), _Run(len(image_BCHW), image_BCHW.device)
        under_way, finite = UnderWay(), FiniteCheck(image_BCHW, self.steps())
        kept = {"run": run, "strongest": strongest, "finite": finite}
        under_way.put_back(image_BCHW.device, **kept)
        for number, (member, steps) in islice(
            enumerate(zip(self.members, self.steps(), strict=True)), run.member, None
        ):
            if run.step == 0:
                run.rows = strongest.unfinished()
            if not len(rows := run.rows):
                break
            meter = PassMeter(interpreter.classifier)
            part = Goal(goal.target_B[rows], goal.map_Bhw[rows], goal.targeted)
            start = self._start(member, image_BCHW, strongest, key_B ^ number)[rows]
            descent = _Descent(member, self.ball, image_BCHW[rows], start, Observer(attacked, image_BCHW[rows], part))
            if run.step > 0:
                under_way.put_back(image_BCHW.device, descent=descent, meter=meter)
            for step in range(run.step, steps):
                loss_B, size_B = descent.step(step, steps, part, strongest, rows, number, run.spent + step + 1)
                finite.note(loss_B + size_B, rows)
                run.zero_B[rows] += (size_B == 0) & (loss_B > 0)
                run.step = step + 1
                under_way.step(run.spent + run.step, self.passes, **kept, descent=descent, meter=meter)
            run.finish(steps, meter)
        finite.check()
        facts = {"zero_gradient": run.zero_B / run.steps_B.clamp(min=1), "passes": run.passes_B, **strongest.facts()}
        return Outcome(strongest.image_BCHW, strongest.success_B, strongest.distance_B, facts, strongest.curves())

    def steps(self) -> list[int]:
        """Of every member: its share of the passes, at least one while passes are left."""
        left, found = self.passes, []
        for member in self.members:
            found.append(min(max(int(member.share * self.passes + 1e-6), 1), left))
            left -= found[-1]
        return found

    def _start(self, member: Member, image_BCHW: Tensor, strongest: Strongest, key_B: Tensor) -> Tensor:
        if member.start == "random":
            return self.ball.random_point(image_BCHW, key_B)
        return strongest.image_BCHW if member.start == "best" else image_BCHW


class _Run:
    """How far the attack is: the member that walks, its steps so far, and per sample what the members have taken.

    rows: the samples that the member walks with. spent: steps of the members before it.
    """

    STATE = ("member", "step", "spent", "rows", "passes_B", "zero_B", "steps_B")

    def __init__(self, count: int, device: torch.device) -> None:
        self.member = self.step = self.spent = 0
        self.rows = torch.arange(count, device=device)
        self.passes_B, self.zero_B, self.steps_B = torch.zeros(3, count, device=device)

    def finish(self, steps: int, meter: PassMeter) -> None:
        """The member has taken all of its steps."""
        self.steps_B[self.rows] += steps
        self.passes_B[self.rows] += meter.passes() / len(self.rows)
        self.member, self.step, self.spent = self.member + 1, 0, self.spent + steps


class _Descent:
    """One member's walk on some samples.

    Args:
        image_BCHW: of the samples. start_BCHW: the first point. observe: logits and map of an image.
    """

    STATE = ("point_BCHW", "direction", "weight_B", "observe")

    def __init__(self, member: Member, ball: Ball, image_BCHW: Tensor, start_BCHW: Tensor, observe: Observer) -> None:
        self.member, self.ball, self.image_BCHW, self.observe = member, ball, image_BCHW, observe
        self.point_BCHW, self.direction = start_BCHW, member.direction(ball)
        self.weight_B = image_BCHW.new_full((len(image_BCHW),), member.weight)

    def step(
        self, step: int, steps: int, goal: Goal, strongest: Strongest, rows: Tensor, number: int, spent: int
    ) -> tuple[Tensor, Tensor]:
        """Looks at the rounded point, offers it, and takes a step: its loss, and the largest magnitude of its gradient,
        (B,) each.
        """
        assert goal.map_Bhw is not None
        member, progress = self.member, step / max(steps - 1, 1)
        iterate = quantise(self.point_BCHW).to(self.point_BCHW.dtype).requires_grad_()
        class_B = self.observe.class_B
        seen = self.observe(iterate, needs_map=True)
        margin_B = margin(seen.logits_BK.detach(), class_B)
        distance_B = l1(seen.map_Bhw.detach(), goal.map_Bhw)
        if self.observe.is_true:
            strongest.update(rows, number, iterate.detach(), seen.logits_BK.detach(), class_B, distance_B)
            reached_B = torch.where(seen.logits_BK.argmax(1) == class_B, distance_B, torch.inf)
            strongest.mark(rows, number, step + 1, spent, reached_B)
        loss_B = member.prediction_loss(seen.logits_BK, class_B)
        if step >= member.warmup * steps:
            rising = 1.0 if member.adapts else 1 + progress
            loss_B = loss_B + rising * self.weight_B * member.map_distance(seen.map_Bhw, goal.map_Bhw)
            self.weight_B = member.next_weight(self.weight_B, margin_B >= LEAST_MARGIN / 2)
        check_graph(loss_B)
        gradient = torch.autograd.grad(loss_B.sum(), iterate)[0].contiguous()
        length = self.ball.radius * member.step_size(progress)
        moved = self.point_BCHW - length * self.direction(gradient)
        self.point_BCHW = self.ball.project(moved, self.image_BCHW)
        return loss_B.detach(), largest(gradient)
