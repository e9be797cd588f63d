"""The one attack loop: a perturbation descends phases of objectives.

``[prediction]`` is PGD, ``[prediction, joint]`` is ADV2; another perturbation under the same phases is another attack.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmark.probes.best_iterate import RULES, BestIterate
from benchmark.types import Explanation, Goal, Interpreter, Objective, Outcome, Perturbation


@dataclass(frozen=True)
class Phase:
    """Some steps of one objective; ``steps`` None takes what the attack's total leaves over."""

    objective: Objective
    steps: int | None = None


class GradientAttack:
    """(interpreter, images, goals, keys) to perturbed images.

    Per-sample losses are summed, so that samples stay independent. From the end of the first phase on the iterate that
    reaches its goal with the smallest map loss is kept, else the last; a single phase keeps its last. With
    ``keep="size"`` it is the iterate that reaches its goal with the smallest change, from the first step on.

    An untargeted goal's map is taken, at every step, for the class that came first at the step before among those to
    get to.

    Args:
        perturbation: what may be done to an image.
        phases: objectives in order. steps: of all phases together. steps_factor: multiplies every phase's steps.
        keep: map | size. margin: by how many logits the goal has to be reached to count, >= 0.
    Raises:
        ValueError: negative steps, or phases that do not add up to ``steps``.
        FloatingPointError, when called: a loss or gradient that is not finite; names the step.
    """

    def __init__(
        self,
        *,
        perturbation: Perturbation,
        phases: list[Phase],
        steps: int,
        steps_factor: int = 1,
        keep: str = "map",
        margin: float = 0.0,
    ) -> None:
        if steps < 0 or steps_factor < 1:
            raise ValueError(f"an attack takes steps >= 0 and steps_factor >= 1, got {steps} and {steps_factor}")
        if keep not in RULES or margin < 0:
            raise ValueError(f"probe.keep is {' or '.join(RULES)}, with a margin >= 0, got {keep!r} and {margin}")
        fixed = sum(phase.steps for phase in phases if phase.steps is not None)
        open_phases = sum(phase.steps is None for phase in phases)
        if fixed > steps or open_phases > 1 or (open_phases == 0 and fixed != steps):
            raise ValueError(
                f"probe.steps is {steps}, its phases take {[phase.steps for phase in phases]}: they must add up, "
                "one of them may be null and takes the rest; lower probe.warmup or raise probe.steps"
            )
        self.perturbation, self.keep, self.margin = perturbation, keep, margin
        self.schedule = [
            (phase.objective, steps_factor * (steps - fixed if phase.steps is None else phase.steps))
            for phase in phases
        ]

    @property
    def needs_map(self) -> bool:
        """Whether any phase looks at the interpreter."""
        return any(objective.needs_map for objective, _ in self.schedule)

    def by(self, perturbation: Perturbation) -> GradientAttack:
        """The same attack by another perturbation."""
        other = copy.copy(self)
        other.perturbation = perturbation
        return other

    @torch.enable_grad()
    def __call__(self, interpreter: Interpreter, image_BCHW: Tensor, goal: Goal, key_B: Tensor) -> Outcome:
        look = _Look(interpreter, image_BCHW, goal)
        parameter = self.perturbation.start(image_BCHW, key_B)
        best = BestIterate(image_BCHW, goal, self.keep, self.margin)
        descend = self.perturbation.optimizer()
        for number, (objective, steps) in enumerate(self.schedule):
            for step in range(steps):
                parameter = parameter.detach().requires_grad_()
                adversarial = self.perturbation.apply(parameter, image_BCHW)
                class_B = look.class_B
                seen = look(adversarial, objective.needs_map)
                loss_B = objective(seen, goal, step / max(steps - 1, 1))
                penalty_B = self.perturbation.penalty(parameter, image_BCHW)
                if penalty_B is not None:
                    loss_B = loss_B + penalty_B
                (gradient,) = torch.autograd.grad(loss_B.sum(), parameter)
                gradient = gradient.contiguous()  # nets hand it back channels last: mixed layouts are slow to add up
                _check_finite(loss_B, gradient, number, step)
                if number > 0 or self.keep == "size":
                    best.update(adversarial, seen, class_B)
                parameter = descend(parameter.detach(), gradient, image_BCHW)
                del adversarial, seen, loss_B, penalty_B, gradient  # the next pass finds their memory free
        with torch.no_grad():
            adversarial = self.perturbation.apply(parameter.detach(), image_BCHW)
            class_B = look.class_B
            best.finalize(adversarial, look(adversarial, self.needs_map), class_B)
        return Outcome(best.image_BCHW, best.hit_B, best.cost_B)


def _check_finite(loss_B: Tensor, gradient: Tensor, phase: int, step: int) -> None:
    """A NaN has no sign: the attack would stand still and flatter whoever is attacked."""
    bad_B = ~torch.isfinite(loss_B.detach() + gradient.abs().amax(tuple(range(1, gradient.ndim))))  # amax passes NaN on
    if bad_B.any():
        raise FloatingPointError(
            f"the attack's loss or gradient is NaN or infinite at step {step} of phase {phase + 1}, for samples in "
            f"rows {bad_B.nonzero()[:5, 0].tolist()} of their group; groups that are finished are kept: the map or its "
            "gradient is not finite there (interpreter.beta, the interpreter's weights), or the step is too large"
        )


class _Look:
    """What the attack sees of an image: logits, and the map of ``class_B``, the class it is to be taken for."""

    def __init__(self, interpreter: Interpreter, image_BCHW: Tensor, goal: Goal) -> None:
        self.interpreter = interpreter.warm_started() if hasattr(interpreter, "warm_started") else interpreter
        self.goal = goal
        self.class_B = goal.target_B
        if not goal.targeted:
            with torch.no_grad():
                self._follow(interpreter.classifier(image_BCHW))

    def _follow(self, logits_BK: Tensor) -> None:
        self.class_B = logits_BK.detach().scatter(1, self.goal.target_B[:, None], float("-inf")).argmax(1)

    def __call__(self, image_BCHW: Tensor, needs_map: bool) -> Explanation:
        if needs_map:
            seen = self.interpreter.explain(image_BCHW, self.class_B)
        else:
            seen = Explanation(self.interpreter.classifier(image_BCHW), image_BCHW.new_empty(0))
        if not self.goal.targeted:
            self._follow(seen.logits_BK)
        return seen
