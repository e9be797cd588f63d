"""Whether something weaker does better than an attack, and whether the attack succeeds where nothing bounds it.

A few samples show it, after Pintor et al., "Indicators of Attack Failure", NeurIPS 2022.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from benchmark.metrics import prediction
from benchmark.metrics.map_distance import l1
from benchmark.numerics import rng
from benchmark.numerics.images import quantise
from benchmark.objectives.prediction import goal_loss
from benchmark.pipeline.soundness.before_attack import Facts, uncounted
from benchmark.probes.goal_attack import GoalAttack
from benchmark.storage.flags import CLOSER_SHARE, WEAKER_SHARE, ZERO_GRADIENT_SHARE
from benchmark.types import Batch, Goal, Interpreter

COMPARED = 8  # samples
DRAWS = 3  # of random signs
TRANSFER_STEPS = 10  # of the descent on the classifier alone
UNBOUNDED_STEPS = (20, 100)  # of the attack without its bound: the second for the samples that the first leaves


@dataclass(frozen=True)
class Reached:
    """success_B: whether each image reaches the goal. distance_B: of its map to the goal map; 0 without one."""

    success_B: Tensor
    distance_B: Tensor

    def is_better_than(self, other: Reached) -> Tensor:
        """Where this one reaches the goal and the other does not, or with a map that is closer by a stated share."""
        closer_B = self.distance_B < other.distance_B - CLOSER_SHARE * other.distance_B.abs()
        return self.success_B & (~other.success_B | closer_B)


class Contest:
    """Attacked samples, and what else may be done to them.

    Args:
        interpreter: that was attacked. probe: the attack with its goals. batch: some of its samples, with their
            perturbed images and, where it is one of a single map, the goal map. epsilon: its L-infinity budget; without
            one, images of the same size have at most the L2 norm of the attack's own.
    """

    def __init__(self, interpreter: Interpreter, probe: GoalAttack, batch: Batch, epsilon: float | None) -> None:
        self.interpreter, self.probe = interpreter, probe
        device = next(interpreter.classifier.parameters()).device

        def taken(values: Tensor) -> Tensor:
            return values[:COMPARED].to(device)

        self.image, self.probed = taken(batch["image"]), taken(batch["probed"])
        self.class_B, self.id_B, self.goal_B = map(taken, (batch["prediction"], batch["sample_id"], batch["goal"]))
        self.facts = {name: value[:COMPARED] for name, value in batch["attack"].items()}
        self.goal_Bhw = taken(batch["goal_map"]) if "goal_map" in batch else None
        self._is_stack = self.goal_Bhw is None and probe.needs_map and probe.goal == "benign"  # of an ensemble
        if self._is_stack:
            self.goal_Bhw = interpreter(self.image, self.class_B).detach()
        change = (self.probed - self.image).flatten(1)
        radius_B = change.norm(dim=1) / change.shape[1] ** 0.5
        self.radius_B111 = (radius_B if epsilon is None else torch.full_like(radius_B, epsilon))[:, None, None, None]

    @property
    def class_goal(self) -> Goal:
        """The goal of the class alone."""
        drawn = bool((self.goal_B >= 0).all())
        return Goal(self.goal_B if drawn else self.class_B, None, drawn)

    def _predicted(self, image_BCHW: Tensor) -> Tensor:
        with torch.no_grad():
            return prediction.decision(self.interpreter.classifier(image_BCHW))[0]

    def reached(self, probed_BCHW: Tensor) -> Reached:
        """What images do once they are rounded to 8 bit. Of a goal that is to get away from a map, nearer is worse."""
        probed_BCHW = quantise(probed_BCHW.detach())
        predicted_B = self._predicted(probed_BCHW)
        success_B = prediction.success(self.class_B, predicted_B, self.goal_B)
        if self.goal_Bhw is None:
            return Reached(success_B, torch.zeros(len(success_B), device=success_B.device))
        distance_B = l1(self.goal_Bhw, self.interpreter(probed_BCHW, predicted_B).detach())
        return Reached(success_B, -distance_B if self.probe.goal == "keep" else distance_B)

    def random_signs(self, draw: int) -> Tensor:
        """x + r s, s random signs."""
        key_B = rng.sample_keys(self.probe.seed, "weaker than random", self.id_B, draw)
        sign = torch.where(rng.uniform(key_B, *self.image.shape[1:]) < 0.5, -1.0, 1.0)
        return torch.clamp(self.image + self.radius_B111 * sign, 0, 1)

    def transferred(self) -> Tensor:
        """A short sign-gradient descent on the classifier alone, in the ball."""
        image, step = self.image, 2.5 * self.radius_B111 / TRANSFER_STEPS
        for _ in range(TRANSFER_STEPS):
            image = image.detach().requires_grad_()
            with torch.enable_grad():
                loss = goal_loss(self.interpreter.classifier(image), self.class_goal).sum()
                (slope,) = torch.autograd.grad(loss, image)
            change = image.detach() - step * slope.sign() - self.image
            inside = torch.clamp(change, -self.radius_B111, self.radius_B111)
            image = torch.clamp(self.image + inside, 0, 1)
        return image.detach()

    def unbounded_success(self, reached_B: Tensor) -> float | None:
        """The share that the same attack gets to the goal with nothing that bounds it; None where nothing does.

        Those that it reached within its bound count, and those that any of ``UNBOUNDED_STEPS`` reaches without. None,
        too, where the goal map is not at hand.
        """
        goal_Bhw = self.interpreter.stacked()(self.image, self.class_B).detach() if self._is_stack else self.goal_Bhw
        if self.probe.needs_map and goal_Bhw is None:
            return None
        target_B, _, targeted = self.class_goal
        left = (~reached_B).nonzero()[:, 0]
        for steps in UNBOUNDED_STEPS:
            attack = getattr(self.probe.attack, "without_bound", lambda steps: None)(steps)
            if attack is None:
                return None
            if not len(left):
                break
            goal = Goal(target_B[left], None if goal_Bhw is None else goal_Bhw[left], targeted)
            key_B = rng.sample_keys(self.probe.seed, "attack start", self.id_B[left])
            image = quantise(attack(self.interpreter, self.image[left], goal, key_B).image_BCHW)
            left = left[~prediction.success(self.class_B[left], self._predicted(image), self.goal_B[left])]
        return 1 - len(left) / len(self.image)


def comparison_check(
    interpreter: Interpreter, probe: GoalAttack, batch: Batch, epsilon: float | None
) -> tuple[Facts, list[str]]:
    """Facts and flags of an attack from a few of its samples; the arguments are those of :class:`Contest`.

    The checks stop at the first that finds something: an attack that is weaker than random signs is weaker than others
    too, and one without a gradient is told so by another flag. Goals that keep the class are compared with random signs
    alone.
    """
    with uncounted(interpreter.classifier):
        contest = Contest(interpreter, probe, batch, epsilon)
        stuck = contest.facts.get("zero_gradient")
        if stuck is not None and float((stuck == 1).float().mean()) > ZERO_GRADIENT_SHARE:
            return {}, []
        direct = contest.reached(contest.probed)
        draws = [contest.reached(contest.random_signs(draw)).is_better_than(direct) for draw in range(DRAWS)]
        facts: Facts = {"random_better": _share(torch.stack(draws).any(0))}
        if _above(facts["random_better"]):
            return facts, ["weaker_than_random"]
        if probe.goal.startswith("keep"):
            return facts, []
        if (success := contest.unbounded_success(direct.success_B)) is not None:
            facts["unbounded_success"] = success
            if success < 1:
                return facts, ["bounded_without_bound"]
        facts["transfer_better"] = _share(contest.reached(contest.transferred()).is_better_than(direct))
        return facts, ["weaker_than_transfer"] if _above(facts["transfer_better"]) else []


def _share(flag_B: Tensor) -> float:
    return float(flag_B.float().mean())


def _above(share: float | str) -> bool:
    return float(share) > WEAKER_SHARE
