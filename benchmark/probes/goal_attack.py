"""An attack together with its goals."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from benchmark.numerics import rng
from benchmark.numerics.bounds import Seed, checked_arguments
from benchmark.numerics.images import quantise
from benchmark.probes.goals import UNTARGETED, GoalClasses, GoalKind, benign_goal, donor_goal, other_class, shape_goal
from benchmark.types import Classifier, Goal, Interpreter, Outcome, Perturbed


class Attack(Protocol):
    """(interpreter, images, goals, keys) to perturbed images.

    The interpreter is the true one: an attack that differentiates maps asks it for its ``surrogate()``.
    """

    @property
    def needs_map(self) -> bool: ...

    def __call__(self, interpreter: Interpreter, image_BCHW: Tensor, goal: Goal, key_B: Tensor) -> Outcome: ...


@torch.no_grad()
def with_rounding(outcome: Outcome, classifier: Classifier, goal: Goal) -> dict[str, Tensor]:
    """The outcome's facts, and ``lost_by_rounding``: the goal was reached before rounding to 8 bit, and not after.

    An attack that tells it itself is not asked again; else it takes one more look at the rounded images. Where the
    attack has not looked at the images that it returns, those that miss the goal are looked at before rounding, too.
    """
    facts = dict(outcome.facts)
    if "lost_by_rounding" in facts:
        return facts

    def missed(image_BCHW: Tensor, target_B: Tensor) -> Tensor:
        return (classifier(image_BCHW).argmax(1) == target_B) != goal.targeted

    lost_B = missed(quantise(outcome.image_BCHW), goal.target_B)
    half = 0.5 if hasattr(classifier, "passes") else 0.0
    looks_B = torch.full(lost_B.shape, half, device=lost_B.device)
    if outcome.success_B is not None:
        lost_B &= outcome.success_B
    elif len(rows := lost_B.nonzero()[:, 0]):
        lost_B[rows] = ~missed(outcome.image_BCHW[rows], goal.target_B[rows])
        looks_B[rows] += half
    facts["lost_by_rounding"] = lost_B
    if "passes" in facts:
        facts["passes"] = facts["passes"] + looks_B
    return facts


class GoalAttack:
    """An attack with its goals, drawn once per sample from the seed.

    Args:
        attack: the attack. seed: of goal classes, goal maps and random starts.
        goal: which class and map the attack is to reach. Another class with the benign map (benign), with a drawn
            rectangle or disc as its map (shape), or with the map of another image of the goal class (other_image). Or
            the predicted class with a map unlike the benign one (keep), a shape (keep_shape), or the map of another
            image of the class (keep_other_image).
        targeted: whether the other class is drawn; False: any class other than the predicted one.
        goal_classes: what it is drawn from. All K classes, or those of the training images (trained), the only ones
            that an interpreter trained on them knows; ``classes_C`` has to hold them then.
    Raises:
        ValueError: an unknown goal, or targeted=False with a goal that needs a class.
    """

    @checked_arguments
    def __init__(
        self,
        *,
        attack: Attack,
        seed: Seed,
        goal: GoalKind = "benign",
        targeted: bool = True,
        goal_classes: GoalClasses = "all",
    ) -> None:
        if not targeted and goal not in UNTARGETED:
            raise ValueError(
                f"probe.targeted=false leaves the class open, goal={goal} needs one: use a goal of "
                f"{' or '.join(UNTARGETED)}, or probe.targeted=true"
            )
        self.attack, self.seed, self.goal, self.targeted = attack, seed, goal, targeted
        self.needs_map = attack.needs_map
        self.needs_donors = self.needs_map and goal.endswith("other_image")
        self.goal_classes = goal_classes
        self.classes_C: Tensor | None = None  # ascending; None for all classes of the classifier
        self.donors_CDCHW: Tensor | None = None  # of each of these classes

    def __call__(self, interpreter: Interpreter, image_BCHW: Tensor, class_B: Tensor, id_B: Tensor) -> Perturbed:
        if self.needs_map and not interpreter.differentiable:
            raise ValueError(
                f"{type(interpreter).__name__} is for measuring: its maps have no gradient to attack; use an attack "
                "that reads no maps, or the images made against another interpreter"
            )
        goal_B = class_B
        if self.targeted and not self.goal.startswith("keep"):
            key_B = rng.sample_keys(self.seed, "goal class", id_B)
            goal_B = other_class(class_B, self.drawn_from(interpreter.classifier), key_B)
        map_Bhw = self._goal_map(interpreter, image_BCHW, class_B, goal_B, id_B) if self.needs_map else None
        start_B = rng.sample_keys(self.seed, "attack start", id_B)
        outcome = self.attack(interpreter, image_BCHW, Goal(goal_B, map_Bhw, self.targeted), start_B)
        single_Bhw = None if interpreter.members else map_Bhw  # an ensemble has no single goal map to keep
        drawn_B = goal_B if self.targeted else torch.full_like(goal_B, -1)
        goal = Goal(goal_B, None, self.targeted)
        facts = with_rounding(outcome, interpreter.classifier, goal)
        return Perturbed(outcome.image_BCHW, drawn_B, single_Bhw, facts, outcome.curves)

    def drawn_from(self, classifier: Classifier) -> Tensor:
        """The classes that goals are drawn from, (C,) int64, ascending.

        Raises:
            ValueError: those of the training images are asked for, and were not given.
        """
        if self.classes_C is not None:
            return self.classes_C
        if self.goal_classes == "trained":
            raise ValueError("probe.goal_classes=trained draws goals among the training images' classes, and has none")
        return torch.arange(classifier.num_classes, device=next(iter(classifier.parameters())).device)

    def _goal_map(
        self, interpreter: Interpreter, image_BCHW: Tensor, class_B: Tensor, goal_B: Tensor, id_B: Tensor
    ) -> Tensor:
        interpreter = interpreter.stacked()  # on the grid of the surrogate's maps, by the true network
        benign_Bhw = benign_goal(interpreter, image_BCHW, class_B)
        key_B = rng.sample_keys(self.seed, "goal map", id_B)
        if self.goal.endswith("shape"):
            if interpreter.members:
                raise ValueError("an ensemble has no one map to draw a shape on: use goal benign or other_image")
            return shape_goal(key_B, (benign_Bhw.shape[1], benign_Bhw.shape[2]))
        if self.goal.endswith("other_image"):
            if self.donors_CDCHW is None:
                raise ValueError("goal=other_image needs images of every class to take maps from, and was given none")
            classes_C = self.drawn_from(interpreter.classifier)
            return donor_goal(interpreter, self.donors_CDCHW.to(image_BCHW.device), classes_C, goal_B, key_B)
        return benign_Bhw
