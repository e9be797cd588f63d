"""The one attack loop: gradient descent on a perturbation's parameter, through phases of objectives.

In the L-infinity ball ``[prediction]`` is PGD and ``[prediction, joint]`` is ADV2; another perturbation with the same
phases is another attack.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from benchmark.numerics.bounds import NonNegative, WholeNonNegative, WholePositive, checked_arguments
from benchmark.probes.account import LossCurve, PassMeter, SmallestCost
from benchmark.probes.best_iterate import BestIterate
from benchmark.probes.finite import FiniteCheck, largest
from benchmark.probes.kept_state import UnderWay
from benchmark.probes.observer import Observer
from benchmark.types import Bounded, Explanation, Goal, Interpreter, Objective, Outcome, Perturbation


@checked_arguments
@dataclass(frozen=True)
class Phase:
    """Some steps on one objective; ``steps`` None takes what the other phases leave of the attack's total."""

    objective: Objective
    steps: WholeNonNegative | None = None


class GradientAttack:
    """(interpreter, images, goals, keys) to perturbed images. Maps are those of the interpreter's surrogate.

    Per-sample losses are summed, so that samples stay independent. The result is one iterate per sample:
    ``keep="map"``: of the iterates after the first phase that reach the goal, the one with the smallest map loss; the
    last iterate where none does. Where there is one phase only it is the last iterate, at which nothing looks.
    ``keep="size"``: of all iterates that reach the goal, the one with the smallest L2 norm of x' - x; else the last.

    In an untargeted attack the map at each step is that of the class with the largest logit at the step before, leaving
    out the class to get away from.

    The outcome's facts, per sample: ``zero_gradient``, the share of steps at which the gradient in x' was exactly zero;
    ``passes`` that it took; ``loss_fall``, how far the loss still fell over the last tenth of the last phase; and
    ``better_iterate``, whether an iterate that could be kept reached the goal at a smaller cost than the one that was.

    Args:
        perturbation: what may be done to an image.
        phases: objectives in order. steps: of all phases together. steps_factor: multiplies every phase's steps.
        keep: map | size. margin: by how many logits a class has to win to reach the goal, >= 0.
    Raises:
        ValueError: negative steps, or phases that do not add up to ``steps``.
        ValueError, when called: the loss is not a differentiable function of the image.
        FloatingPointError, when called: a loss or gradient that is not finite; names the first such step.
    """

    @checked_arguments
    def __init__(
        self,
        *,
        perturbation: Perturbation,
        phases: list[Phase],
        steps: WholeNonNegative,
        steps_factor: WholePositive = 1,
        keep: Literal["map", "size"] = "map",
        margin: NonNegative = 0.0,
    ) -> None:
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
        """Whether any phase reads the interpreter's map."""
        return any(objective.needs_map for objective, _ in self.schedule)

    @property
    def chooses(self) -> bool:
        """Whether an iterate is chosen among several, so that the last one has to be looked at too."""
        return self.keep == "size" or len(self.schedule) > 1

    def with_perturbation(self, perturbation: Perturbation) -> GradientAttack:
        """The same attack with another perturbation."""
        other = copy.copy(self)
        other.perturbation = perturbation
        return other

    def without_bound(self, steps: WholePositive) -> GradientAttack | None:
        """The same attack with nothing that bounds its perturbation, its phases shortened to so many steps in all.

        None where nothing bounds it, or it takes no step.
        """
        total = sum(count for _, count in self.schedule)
        if not isinstance(self.perturbation, Bounded) or total == 0:
            return None
        other = self.with_perturbation(self.perturbation.without_bound(steps))
        *first, (last, _) = self.schedule
        other.schedule = [(objective, round(steps * count / total)) for objective, count in first]
        other.schedule.append((last, steps - sum(count for _, count in other.schedule)))
        return other

    @torch.enable_grad()
    def __call__(self, interpreter: Interpreter, image_BCHW: Tensor, goal: Goal, key_B: Tensor) -> Outcome:
        meter, observe = PassMeter(interpreter.classifier), self._observer(interpreter, image_BCHW, goal)
        account = _Account(self, meter, image_BCHW, goal)
        adversarial = self._descend(observe, image_BCHW, goal, key_B, account)
        best, smallest = account.best, account.smallest
        if self.chooses:
            with torch.no_grad():
                class_B = observe.class_B
                best.finalize(adversarial, observe(adversarial, self.needs_map), class_B)
        falls = [fall_B for curve in account.curves if (fall_B := curve.fall_B()) is not None]
        facts = {
            "zero_gradient": account.n_zero_B / max(sum(steps for _, steps in self.schedule), 1),
            "passes": torch.full_like(account.n_zero_B, meter.passes() / len(image_BCHW)),
            "loss_fall": falls[-1] if falls else torch.zeros_like(account.n_zero_B),
            "better_iterate": smallest.is_below(best.cost_B),
        }
        if not self.chooses:
            return Outcome(adversarial, None, torch.full_like(best.cost_B, float("nan")), facts)
        return Outcome(best.image_BCHW, best.success_B, best.cost_B, facts)

    @torch.enable_grad()
    def last_iterate(self, interpreter: Interpreter, image_BCHW: Tensor, goal: Goal, key_B: Tensor) -> Tensor:
        """The last iterate (B, 3, H, W), for trainings: without the facts, and the pass that tells what it reached.

        Raises as a call does.
        """
        return self._descend(self._observer(interpreter, image_BCHW, goal), image_BCHW, goal, key_B)

    def _observer(self, interpreter: Interpreter, image_BCHW: Tensor, goal: Goal) -> Observer:
        return Observer(interpreter.surrogate() if self.needs_map else interpreter, image_BCHW, goal)

    def _descend(
        self,
        observe: Observer,
        image_BCHW: Tensor,
        goal: Goal,
        key_B: Tensor,
        account: _Account | None = None,
    ) -> Tensor:
        """All steps of all phases: the image that the last one leads to. With an account the run is kept, and goes on
        where one that was stopped was; the account is told what each step has seen.
        """
        run = _Run(self.perturbation.start(image_BCHW, key_B), self.perturbation.optimizer())
        finite = FiniteCheck(image_BCHW, [steps for _, steps in self.schedule])
        parts = {"run": run, "observe": observe, "account": account, "finite": finite}
        under_way, total = None if account is None else UnderWay(), sum(steps for _, steps in self.schedule)
        if under_way is not None:
            under_way.put_back(image_BCHW.device, **parts)
        for number, objective, step, steps in islice(self._steps(), run.taken, None):
            parameter = run.parameter.detach().requires_grad_()
            adversarial = self.perturbation.apply(parameter, image_BCHW)
            class_B = observe.class_B
            explanation = observe(adversarial, objective.needs_map)
            loss_B = objective(explanation, goal, step / max(steps - 1, 1))
            check_graph(loss_B)
            penalty_B = self.perturbation.penalty(parameter, image_BCHW)
            if penalty_B is not None:
                loss_B = loss_B + penalty_B
            gradient, image_gradient = _gradients(loss_B, parameter, adversarial)
            size_B = largest(gradient)
            finite.note(loss_B.detach() + size_B)
            if account is not None:
                image_size_B = size_B if image_gradient is gradient else largest(image_gradient)
                account.note(_Seen(number, step, adversarial, explanation, class_B, penalty_B, image_size_B))
            run.parameter = run.optimizer(parameter.detach(), gradient, image_BCHW)
            run.taken += 1
            del parameter, adversarial, explanation, loss_B, penalty_B, gradient, image_gradient  # frees memory
            if under_way is not None:
                under_way.step(run.taken, total, **parts)
        finite.check()
        return self.perturbation.apply(run.parameter.detach(), image_BCHW).detach()

    def _steps(self) -> Iterator[tuple[int, Objective, int, int]]:
        """Of every step: the number of its phase, its objective, its own number in the phase, and the phase's steps."""
        for number, (objective, steps) in enumerate(self.schedule):
            for step in range(steps):
                yield number, objective, step, steps


@dataclass
class _Run:
    """What changes from step to step: the parameter, the optimizer's own state, and how many steps are taken."""

    parameter: Tensor
    optimizer: Callable[[Tensor, Tensor, Tensor], Tensor]
    taken: int = 0

    STATE: ClassVar = ("parameter", "optimizer", "taken")


class _Account:
    """What an attack notes of its steps: the best iterate, and what it tells about itself."""

    STATE = ("meter", "best", "smallest", "curves", "n_zero_B")

    def __init__(self, attack: GradientAttack, meter: PassMeter, image_BCHW: Tensor, goal: Goal) -> None:
        self.keep, self.goal, self.meter = attack.keep, goal, meter
        self.best = BestIterate(image_BCHW, goal, attack.keep, attack.margin)
        self.smallest = SmallestCost(self.best.cost_B, attack.margin)
        self.curves = [LossCurve(objective, steps) for objective, steps in attack.schedule]
        self.n_zero_B = torch.zeros(len(image_BCHW), device=image_BCHW.device)

    def note(self, seen: _Seen) -> None:
        """Takes what one step has seen."""
        self.n_zero_B.add_(seen.size_B == 0)
        self.curves[seen.phase].update(seen.step, seen.explanation, self.goal, seen.penalty_B)
        if seen.phase > 0 or self.keep == "size":
            self.best.update(seen.image_BCHW, seen.explanation, seen.class_B)
            cost_B = self.best.cost_of(seen.image_BCHW.detach(), seen.explanation)
            self.smallest.update(seen.explanation.logits_BK, seen.class_B, cost_B)


class _Seen(NamedTuple):
    """What one step has seen: its iterate, logits and map of ``class_B``, and the largest magnitude of the objective's
    gradient in the image.
    """

    phase: int
    step: int
    image_BCHW: Tensor
    explanation: Explanation
    class_B: Tensor
    penalty_B: Tensor | None
    size_B: Tensor


def _gradients(loss_B: Tensor, parameter: Tensor, adversarial: Tensor) -> tuple[Tensor, Tensor]:
    """The gradient of the summed losses in the parameter, and in the perturbed image, by one backward pass.

    A penalty is a function of the parameter alone, so that the gradient in the image is that of the objective.
    """
    inputs = (parameter,) if adversarial is parameter else (parameter, adversarial)
    found = torch.autograd.grad(loss_B.sum(), inputs, allow_unused=True)
    if found[-1] is None:
        raise ValueError(_NO_GRAPH)
    gradient = found[0].contiguous()  # networks return it channels last, and adding mixed layouts is slow
    return gradient, gradient if adversarial is parameter else found[-1]


_NO_GRAPH = (
    "the attack's loss has no gradient in the image: a step inside the network or the interpreter is not "
    "differentiable or cuts the graph (rounding to integers, argmax, detach, no_grad, numpy); give it a differentiable "
    "one, or use a probe that takes no gradient (probe=normal, uniform or sign)"
)


def check_graph(value: Tensor) -> None:
    """Raises a ValueError where a loss, or logits, depend on the image by no differentiable step."""
    if not value.requires_grad:
        raise ValueError(_NO_GRAPH)
