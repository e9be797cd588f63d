"""The one attack loop: a perturbation descends phases of objectives.

``[prediction]`` is PGD, ``[prediction, joint]`` is ADV2; another perturbation under the same phases is another attack.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from benchmark import draws
from benchmark.objectives.joint import map_loss
from benchmark.probes.goals import benign_goal, goal_class
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
        for number, (objective, steps) in enumerate(self.schedule):
            for step in range(steps):
                parameter = parameter.detach().requires_grad_()
                adversarial = self.perturbation.apply(parameter, image_BCHW)
                seen = _see(interpreter, adversarial, goal.target_B, objective.needs_map)
                loss_B = objective(seen, goal, step / max(steps - 1, 1))
                (gradient,) = torch.autograd.grad(loss_B.sum(), parameter)
                if number > 0:
                    kept.offer(adversarial, seen)
                parameter = self.perturbation.step(parameter.detach(), gradient, image_BCHW)
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
    """An attack with its goals: a class drawn once per sample from the seed, and the map it hides behind.

    Args:
        attack: the loop. seed: of goal classes and random starts.
    """

    def __init__(self, *, attack: GradientAttack, seed: int) -> None:
        self.attack, self.seed = attack, seed
        self.reads_maps = attack.needs_map

    def __call__(self, interpreter: Interpreter, image_BCHW: Tensor, class_B: Tensor, id_B: Tensor) -> Probed:
        goal_B = goal_class(class_B, interpreter.classifier.num_classes, draws.keys(self.seed, "goal class", id_B))
        map_Bhw = benign_goal(interpreter, image_BCHW, class_B) if self.reads_maps else None
        key_B = draws.keys(self.seed, "attack start", id_B)
        return Probed(self.attack(interpreter, image_BCHW, Goal(goal_B, map_Bhw), key_B).image_BCHW, goal_B)
