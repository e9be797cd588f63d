"""The one attack loop: a perturbation descends phases of objectives.

``[prediction]`` is PGD, ``[prediction, joint]`` is ADV2; another perturbation under the same phases is another attack.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from benchmark import draws
from benchmark.objectives.joint import map_loss
from benchmark.probes.goals import KINDS, benign_goal, donor_goal, goal_class, shape_goal
from benchmark.types import Explanation, Goal, Interpreter, Objective, Outcome, Perturbation, Probed


@dataclass(frozen=True)
class Phase:
    """Some steps of one objective; ``steps`` None takes what the attack's total leaves over."""

    objective: Objective
    steps: int | None = None


class GradientAttack:
    """(interpreter, images, goals, keys) to perturbed images.

    Per-sample losses are summed, so that samples stay independent. From the end of the first phase on the iterate that
    is classified as the target with the smallest map loss is kept, else the last; a single phase keeps its last.

    Args:
        perturbation: what may be done to an image.
        phases: objectives in order. steps: of all phases together. steps_factor: multiplies every phase's steps.
    Raises:
        ValueError: negative steps, or phases that do not add up to ``steps``.
    """

    def __init__(self, *, perturbation: Perturbation, phases: list[Phase], steps: int, steps_factor: int = 1) -> None:
        if steps < 0 or steps_factor < 1:
            raise ValueError(f"an attack takes steps >= 0 and steps_factor >= 1, got {steps} and {steps_factor}")
        fixed = sum(phase.steps for phase in phases if phase.steps is not None)
        open_phases = sum(phase.steps is None for phase in phases)
        if fixed > steps or open_phases > 1 or (open_phases == 0 and fixed != steps):
            raise ValueError(
                f"probe.steps is {steps}, its phases take {[phase.steps for phase in phases]}: they must add up, "
                "one of them may be null and takes the rest; lower probe.warmup or raise probe.steps"
            )
        self.perturbation = perturbation
        self.schedule = [
            (phase.objective, steps_factor * (steps - fixed if phase.steps is None else phase.steps))
            for phase in phases
        ]

    @property
    def needs_map(self) -> bool:
        """Whether any phase looks at the interpreter."""
        return any(objective.needs_map for objective, _ in self.schedule)

    @torch.enable_grad()
    def __call__(self, interpreter: Interpreter, image_BCHW: Tensor, goal: Goal, key_B: Tensor) -> Outcome:
        parameter = self.perturbation.start(image_BCHW, key_B)
        kept = _Kept(image_BCHW, goal)
        descend = self.perturbation.descent()
        for number, (objective, steps) in enumerate(self.schedule):
            for step in range(steps):
                parameter = parameter.detach().requires_grad_()
                adversarial = self.perturbation.apply(parameter, image_BCHW)
                seen = _see(interpreter, adversarial, goal.target_B, objective.needs_map)
                loss_B = objective(seen, goal, step / max(steps - 1, 1))
                penalty_B = self.perturbation.penalty(parameter, image_BCHW)
                if penalty_B is not None:
                    loss_B = loss_B + penalty_B
                (gradient,) = torch.autograd.grad(loss_B.sum(), parameter)
                if number > 0:
                    kept.offer(adversarial, seen)
                parameter = descend(parameter.detach(), gradient, image_BCHW)
        with torch.no_grad():
            adversarial = self.perturbation.apply(parameter.detach(), image_BCHW)
            kept.close(adversarial, _see(interpreter, adversarial, goal.target_B, self.needs_map))
        return Outcome(kept.image_BCHW, kept.hit_B, kept.map_loss_B)


def _see(interpreter: Interpreter, image_BCHW: Tensor, class_B: Tensor, needs_map: bool) -> Explanation:
    if needs_map:
        return interpreter.explain(image_BCHW, class_B)
    return Explanation(interpreter.classifier(image_BCHW), image_BCHW.new_empty(0))


class _Kept:
    """The best iterate of every sample so far."""

    def __init__(self, image_BCHW: Tensor, goal: Goal) -> None:
        self.goal = goal
        self.image_BCHW = image_BCHW.clone()
        self.hit_B = torch.zeros(len(image_BCHW), dtype=torch.bool, device=image_BCHW.device)
        self.map_loss_B = image_BCHW.new_full((len(image_BCHW),), float("inf"))

    def _judge(self, seen: Explanation) -> tuple[Tensor, Tensor]:
        hit_B = seen.logits_BK.detach().argmax(1) == self.goal.target_B
        if self.goal.map_Bhw is None or seen.map_Bhw.numel() == 0:
            return hit_B, torch.full_like(self.map_loss_B, float("nan"))
        return hit_B, map_loss(seen.map_Bhw.detach(), self.goal.map_Bhw)

    @torch.no_grad()
    def offer(self, image_BCHW: Tensor, seen: Explanation) -> None:
        hit_B, map_loss_B = self._judge(seen)
        self._take(hit_B & (map_loss_B < self.map_loss_B), image_BCHW, hit_B, map_loss_B)

    @torch.no_grad()
    def close(self, image_BCHW: Tensor, seen: Explanation) -> None:
        """The last iterate: taken where it is better, and wherever none has hit."""
        hit_B, map_loss_B = self._judge(seen)
        better_B = (hit_B & (map_loss_B < self.map_loss_B)) | ~self.hit_B
        self._take(better_B, image_BCHW, hit_B, map_loss_B)

    def _take(self, which_B: Tensor, image_BCHW: Tensor, hit_B: Tensor, map_loss_B: Tensor) -> None:
        self.image_BCHW = torch.where(which_B[:, None, None, None], image_BCHW.detach(), self.image_BCHW)
        self.hit_B = torch.where(which_B, hit_B, self.hit_B)
        self.map_loss_B = torch.where(which_B, map_loss_B, self.map_loss_B)


class TargetedAttack:
    """An attack with its goals, drawn once per sample from the seed.

    Args:
        attack: the loop. seed: of goal classes, goal maps and random starts.
        goal: benign (another class behind the benign map), shape (behind a drawn rectangle or disc), other_image
            (behind the map of another image of the goal class); keep, keep_shape and keep_other_image leave the
            prediction and change the map: away from the benign one, to a shape, to that of another image of the class.
    """

    def __init__(self, *, attack: GradientAttack, seed: int, goal: str = "benign") -> None:
        if goal not in KINDS:
            raise ValueError(f"probe.goal is one of {', '.join(KINDS)}, got {goal!r}")
        self.attack, self.seed, self.goal = attack, seed, goal
        self.reads_maps = attack.needs_map
        self.needs_donors = self.reads_maps and goal.endswith("other_image")
        self.donors_KDCHW: Tensor | None = None

    def __call__(self, interpreter: Interpreter, image_BCHW: Tensor, class_B: Tensor, id_B: Tensor) -> Probed:
        goal_B = class_B
        if not self.goal.startswith("keep"):
            key_B = draws.keys(self.seed, "goal class", id_B)
            goal_B = goal_class(class_B, interpreter.classifier.num_classes, key_B)
        map_Bhw = self._goal_map(interpreter, image_BCHW, class_B, goal_B, id_B) if self.reads_maps else None
        start_B = draws.keys(self.seed, "attack start", id_B)
        return Probed(self.attack(interpreter, image_BCHW, Goal(goal_B, map_Bhw), start_B).image_BCHW, goal_B)

    def _goal_map(
        self, interpreter: Interpreter, image_BCHW: Tensor, class_B: Tensor, goal_B: Tensor, id_B: Tensor
    ) -> Tensor:
        benign_Bhw = benign_goal(interpreter, image_BCHW, class_B)
        key_B = draws.keys(self.seed, "goal map", id_B)
        if self.goal.endswith("shape"):
            return shape_goal(key_B, (benign_Bhw.shape[1], benign_Bhw.shape[2]))
        if self.goal.endswith("other_image"):
            if self.donors_KDCHW is None:
                raise ValueError("goal=other_image needs images of every class to take maps from, and was given none")
            return donor_goal(interpreter, self.donors_KDCHW.to(image_BCHW.device), goal_B, key_B)
        return benign_Bhw
