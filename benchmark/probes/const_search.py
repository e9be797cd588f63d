"""The smallest perturbation that still succeeds: a search over the const c of each sample (Carlini & Wagner, 2017)."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmark.numerics.bounds import Positive, WholePositive, checked_arguments
from benchmark.probes.attack import GradientAttack
from benchmark.types import Goal, Interpreter, Outcome, WithConst


class ConstSearch:
    """Runs an attack several times with other c; of the successful outcomes each sample keeps the smallest in L2.

    c is bracketed by the largest that failed (at first 0) and the smallest that succeeded. The next c is the middle of
    the bracket, or ten times the last c until one has succeeded.

    Args:
        attack: a gradient attack by a perturbation with a const. rounds: how often it runs. start: the first c.
    Raises:
        ValueError: no round, a start not above 0, a perturbation without a const, or an attack that does not look at
            the iterate that it returns.
    """

    @checked_arguments
    def __init__(self, *, attack: GradientAttack, rounds: WholePositive = 5, start: Positive = 1.0) -> None:
        if not isinstance(attack.perturbation, WithConst):
            raise ValueError(f"{type(attack.perturbation).__name__} has no const to search for: use tanh_box")
        if not attack.chooses:
            raise ValueError("a search over c asks where its attack succeeded: give the attack keep=size")
        self.attack, self.rounds, self.first = attack, rounds, start
        self.with_const = attack.perturbation.with_const

    @property
    def needs_map(self) -> bool:
        """Whether the attack reads the interpreter's map."""
        return self.attack.needs_map

    def __call__(self, interpreter: Interpreter, image_BCHW: Tensor, goal: Goal, key_B: Tensor) -> Outcome:
        c_B = image_BCHW.new_full((len(image_BCHW),), self.first)
        low_B, high_B = torch.zeros_like(c_B), torch.full_like(c_B, float("inf"))
        best: Outcome | None = None
        rounds: list[Outcome] = []
        size_B = torch.full_like(c_B, float("inf"))
        for _ in range(self.rounds):
            found = self.attack.with_perturbation(self.with_const(c_B))(interpreter, image_BCHW, goal, key_B)
            success_B = _success(found)
            now_B = (found.image_BCHW - image_BCHW).flatten(1).norm(dim=1)
            better_B = success_B & (now_B < size_B)
            rounds.append(found)
            # a sample without a success keeps the outcome of the first round
            best = found if best is None else _choose(better_B, found, best)
            size_B = torch.where(better_B, now_B, size_B)
            high_B = torch.where(success_B, torch.minimum(high_B, c_B), high_B)
            low_B = torch.where(success_B, low_B, torch.maximum(low_B, c_B))
            c_B = torch.where(high_B.isinf(), 10 * c_B, (low_B + high_B) / 2)
        assert best is not None
        return best._replace(facts=_facts(best, rounds))


def _success(outcome: Outcome) -> Tensor:
    assert outcome.success_B is not None
    return outcome.success_B


def _choose(which_B: Tensor, new: Outcome, old: Outcome) -> Outcome:
    """The new outcome of the samples that are chosen, the old one of the others."""
    return Outcome(
        torch.where(which_B[:, None, None, None], new.image_BCHW, old.image_BCHW),
        torch.where(which_B, _success(new), _success(old)),
        torch.where(which_B, new.cost_B, old.cost_B),
        {name: torch.where(which_B, value, old.facts[name]) for name, value in new.facts.items()},
    )


def _facts(best: Outcome, rounds: list[Outcome]) -> dict[str, Tensor]:
    """Of all rounds: the passes of all, the mean share of zero gradients; the fall of the loss is that of the one kept.

    A better iterate is one of any round, kept there or not.
    """

    def stacked(name: str) -> Tensor:
        return torch.stack([each.facts[name] for each in rounds])

    kept_RB = torch.stack([_success(each) & (each.cost_B < best.cost_B) for each in rounds])
    return {
        "zero_gradient": stacked("zero_gradient").mean(0),
        "passes": stacked("passes").sum(0),
        "loss_fall": best.facts["loss_fall"],
        "better_iterate": (best.facts["better_iterate"] | kept_RB.any(0)),
    }
