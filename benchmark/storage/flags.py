"""The flags of a record: why its attack, noise or maps are no evidence of robustness, or less than it seems."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# Above this share of samples whose gradient was zero at every step, the cell has the flag zero_gradient.
ZERO_GRADIENT_SHARE = 0.05
# Two calls on the same images differ by more than rounding above this share of the values' mean magnitude.
REPEAT_TOLERANCE = 1e-2
# A surrogate is far above this share of the distance between the interpreter's maps of different images.
SURROGATE_SHARE = 0.75
# Above this share of samples whose success rounding to 8 bit undid.
ROUNDING_SHARE = 0.05
# Above this share of samples that had a better iterate than the one that was kept.
BETTER_ITERATE_SHARE = 0.01
# Above this share of compared samples on which something weaker than the attack does better than the attack.
WEAKER_SHARE = 0.25
# Of two images that both reach the goal one does better if its map is closer by more than this share.
CLOSER_SHARE = 0.10
# Above this share by which the loss still falls, in the mean, over the last tenth of the steps. A loss that falls as a
# power of the steps and loses a fifth when they double, as one does whose distances lose a tenth, loses 3 % there.
LOSS_FALL = 0.02
# Above this share of failed samples their falling loss says that more steps would help an attack on the class alone.
FAILED_SHARE = 0.05
# From this share on, by which the second half of the passes still brings the maps closer, the attack has not converged.
NOT_CONVERGED = 0.10
# Of the benign maps of an interpreter. Above this share of constant ones.
CONSTANT_SHARE = 0.05
# Below this mean L1 between the maps of one image for two classes.
CLASS_BLIND = 0.01
# Above and below this mean over places and samples.
FULL_MEAN, EMPTY_MEAN = 0.9, 0.001
# Above this mean entropy, of at most 1.
EVEN_ENTROPY = 0.995

# No record has this one: the report raises it where it finds the cells that say so.
BEATEN_BY_TRANSFER = "beaten_by_transfer"


@dataclass(frozen=True)
class Flag:
    """One flag.

    sentence: what was found and what to do, in one sentence without a semicolon. withholds: whether the cell is no
    evidence, so that no verdict rests on it; else the flag is a caveat that stands beside the verdict.
    """

    name: str
    sentence: str
    withholds: bool = True


FLAGS: tuple[Flag, ...] = (
    Flag(
        "zero_gradient",
        f"the attack could not attack: for more than {100 * ZERO_GRADIENT_SHARE:g} % of the samples the gradient was "
        "exactly zero at every step (saturated logits, a quantised or constant step in the network or interpreter)",
    ),
    Flag(
        "zero_map_gradient",
        "the attack could not aim at the map: the gradient of the map that it differentiates was exactly zero "
        "(a piecewise constant or quantised map without a smooth surrogate)",
    ),
    Flag(
        "random_classifier",
        "the classifier is random at inference: two calls on the same images differ, so that an attack follows the "
        "gradient of another network (dropout or noise outside of training)",
    ),
    Flag(
        "random_interpreter",
        "the interpreter is random at inference: two maps of the same images differ, so that its distances are not "
        "what the probe did (noise without a fixed seed)",
    ),
    Flag(
        "surrogate_far",
        "the attack aimed at other maps: those of the interpreter's surrogate are more than "
        f"{100 * SURROGATE_SHARE:g} % as far from the true ones as the true maps of different images are from each "
        "other (a surrogate without its weights, a beta that is too small)",
    ),
    Flag(
        "weaker_than_random",
        f"random signs of the attack's size do better than the attack on more than {100 * WEAKER_SHARE:g} % of a few "
        "samples (a gradient that points the wrong way, an update or projection that undoes the steps)",
    ),
    Flag(
        "bounded_without_bound",
        "with nothing that bounds the perturbation the same attack still fails on some of a few samples, so that it is "
        "the attack that fails and not the budget (a gradient that is clipped or masked, a goal that nothing reaches)",
    ),
    Flag(
        "weaker_than_transfer",
        "images of the same size that a short descent made against the classifier alone do better than the attack on "
        f"more than {100 * WEAKER_SHARE:g} % of a few samples (a surrogate that hides the class, a map that weighs too "
        "much, too few or too short steps)",
    ),
    Flag(
        BEATEN_BY_TRANSFER,
        "images that were made against another interpreter or network do better than the attack on the same samples "
        "in the same bound: they reach the goal more often, or as often with maps that are closer to the benign ones "
        "(a gradient that is masked, an attack that is too weak)",
    ),
    Flag(
        "lost_by_rounding",
        f"rounding to 8 bit undid the success of more than {100 * ROUNDING_SHARE:g} % of the samples (iterates that "
        "win by too little, so ask for a margin or choose among rounded ones)",
    ),
    Flag(
        "better_iterate",
        f"for more than {100 * BETTER_ITERATE_SHARE:g} % of the samples the attack saw an iterate that reached the "
        "goal at a smaller cost than the one it returned (an attack that keeps the last iterate, or compares wrongly)",
    ),
    Flag(
        "loss_falling",
        f"the loss still fell by more than {100 * LOSS_FALL:g} % over the last tenth of the steps, in the mean over "
        "the samples that it matters for, so that more steps make a stronger attack (raise probe.steps)",
        withholds=False,
    ),
    Flag(
        "not_converged",
        f"the second half of the passes still brought the maps {100 * NOT_CONVERGED:g} % closer or more, in the mean, "
        "so that more passes make a stronger attack (raise probe.passes)",
        withholds=False,
    ),
    Flag(
        "constant_maps",
        f"more than {100 * CONSTANT_SHARE:g} % of the benign maps are constant, which say nothing about any place (an "
        "interpreter that is trained too little or has saturated)",
        withholds=False,
    ),
    Flag(
        "class_blind",
        f"the maps do not depend on the class: of one image for two classes they differ by less than {CLASS_BLIND:g} "
        "in the mean, so that no change of the class can move them (a class selector that is trained too little, or a "
        "method that does not look at the class)",
        withholds=False,
    ),
    Flag(
        "full_maps",
        f"the benign maps are full, above {FULL_MEAN:g} in the mean, so that everything counts as the object (a "
        "masking network that is trained too little or whose area weighs too little)",
        withholds=False,
    ),
    Flag(
        "empty_maps",
        f"the benign maps are empty, below {EMPTY_MEAN:g} in the mean (a masking network whose area weighs too much)",
        withholds=False,
    ),
    Flag(
        "even_maps",
        f"the benign maps weigh all places alike, with an entropy above {EVEN_ENTROPY:g} of at most 1 in the mean, and "
        "point at none (an interpreter that is trained too little)",
        withholds=False,
    ),
)

BY_NAME = {flag.name: flag for flag in FLAGS}


def ordered(names: Iterable[str]) -> list[str]:
    """The names without repeats, in the order of ``FLAGS``."""
    found = set(names)
    return [name for name in BY_NAME if name in found]


def withholding(names: Iterable[str]) -> list[str]:
    """Those of the flags that leave no evidence, in the order of ``FLAGS``; the others are caveats."""
    return [name for name in ordered(names) if BY_NAME[name].withholds]
