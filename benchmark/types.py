"""The vocabulary that every part of the suite shares.

Shape suffixes, used in names throughout: ``B`` samples of a batch, ``N`` samples of a set, ``C`` channels, ``H W``
image rows and columns, ``h w`` attribution map rows and columns, ``K`` classes. ``image_BCHW`` is always RGB in [0, 1];
``map_Bhw`` is always in [0, 1] with 1 = important.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypedDict, runtime_checkable

import numpy as np
from torch import Tensor


class Batch(TypedDict, total=False):
    """Samples as the data layer hands them over."""

    image: Tensor  # (B, 3, H, W) float32 in [0, 1], multiples of 1/255
    label: Tensor  # (B,) int64 in [0, K)
    sample_id: Tensor  # (B,) int64, unique in the data set over all its splits
    source_id: Tensor  # (B,) int64, what the sample was made from (scan, photograph)
    mask: Tensor  # (B, H, W) bool, the object; only where the set has masks
    # in fixed groups:
    valid: Tensor  # (B,) bool, not a repeat that fills the group up
    group: Tensor  # (), number of the group
    place: Tensor  # (B,) int64, number of the sample in the population
    prediction: Tensor  # (B,) int64, the benign prediction
    # in probed groups:
    probed: Tensor  # (B, 3, H, W) float32, multiples of 1/255
    goal: Tensor  # (B,) int64, the goal class; -1 where there is none
    goal_map: Tensor  # (B, h, w), the goal map; only where the reader is the attacked interpreter


@runtime_checkable
class ImageSet(Protocol):
    """One split. A torch map-style dataset that fetches a whole batch at once."""

    class_names: list[str]
    has_masks: bool
    label_N: np.ndarray  # int64
    sample_id_N: np.ndarray  # int64
    source_id_N: np.ndarray  # int64

    def __len__(self) -> int: ...

    def __getitems__(self, indices: list[int]) -> Batch: ...


@runtime_checkable
class Data(Protocol):
    """A data set with the splits ``train``, ``calibration`` and ``test``."""

    num_classes: int
    class_names: list[str]
    image_size: int

    def split(self, name: str) -> ImageSet: ...


@dataclass
class Trunk:
    """One forward pass of a classifier: its logits and the features they were made from."""

    logits_BK: Tensor
    final_BChw: Tensor  # on a grid, channels first, whatever the net's own layout
    pyramid: list[Tensor] = field(default_factory=list)  # fine to coarse, one level per distinct stride


@dataclass
class Explanation:
    """What one look at an image gives: the classifier's logits, the map, and whatever else the interpreter knows."""

    logits_BK: Tensor
    map_Bhw: Tensor
    presence_logits_B2: Tensor | None = (
        None  # logits of (class absent, class present), where the interpreter has a selector
    )
    encoder_BK: Tensor | None = None  # logits of the encoder, where it is another network than the classifier


class Goal(NamedTuple):
    """What an attack wants of each sample."""

    target_B: Tensor  # (B,) int64, the class to reach; for an untargeted goal the class to get away from
    map_Bhw: Tensor | None  # (B, h, w), the attribution map; None where no map is asked for
    targeted: bool = True


@runtime_checkable
class Classifier(Protocol):
    """Images in [0, 1] to logits; normalises inside."""

    num_classes: int

    def __call__(self, image_BCHW: Tensor) -> Tensor: ...

    def trunk(self, image_BCHW: Tensor) -> Trunk: ...

    def pyramid_shapes(self, image_size: int) -> list[tuple[int, int, int]]: ...


@runtime_checkable
class Interpreter(Protocol):
    """(image, class) to attribution map.

    Where its own map has no useful gradient it may offer ``attacked()``, a smooth stand-in for attacks; where a map
    costs an optimisation it may offer ``remembering()``, a stand-in for one attack on one batch that starts every map
    from the one before.
    """

    differentiable: bool
    classifier: Classifier

    def __call__(self, image_BCHW: Tensor, class_B: Tensor) -> Tensor: ...

    def explain(self, image_BCHW: Tensor, class_B: Tensor) -> Explanation:
        """Logits and map of one image, with as few passes of the trunk as the method allows."""
        ...


# An nn.Module that is also a Classifier or an Interpreter: Python's types have no intersection to say so with.
ClassifierModule = Any
InterpreterModule = Any


class Perturbation(Protocol):
    """What an attack may do to an image: a parameter, its effect, its penalty, and how it descends."""

    def start(self, image_BCHW: Tensor, key_B: Tensor) -> Tensor: ...

    def apply(self, parameter: Tensor, image_BCHW: Tensor) -> Tensor: ...

    def penalty(self, parameter: Tensor, image_BCHW: Tensor) -> Tensor | None:
        """What is added to every sample's loss (B,); None for nothing."""
        ...

    def optimizer(self) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
        """(parameter, gradient, image) to the next parameter; asked for once an attack, so that it may remember."""
        ...


@runtime_checkable
class WithConst(Protocol):
    """A perturbation whose penalty is its size over a const c."""

    def with_const(self, const_B: Tensor) -> Perturbation: ...


class Objective(Protocol):
    """A loss per sample for an attack to descend. ``progress`` runs from 0 to 1 over the phase it serves."""

    needs_map: bool

    def __call__(self, seen: Explanation, goal: Goal, progress: float) -> Tensor: ...


class Outcome(NamedTuple):
    """What an attack leaves behind for each sample, before it is rounded to 8 bit."""

    image_BCHW: Tensor
    hit_B: Tensor  # (B,) bool, the kept iterate reaches its goal
    cost_B: Tensor  # (B,) what the kept iterate was kept for: its map loss (NaN without a map) or its L2 norm


class Probed(NamedTuple):
    """What a probe makes of a batch."""

    image_BCHW: Tensor  # in [0, 1]
    goal_B: Tensor  # (B,) int64, the goal class; -1 where the probe has none
    goal_Bhw: Tensor | None = None  # (B, h, w), the goal map; None where the probe has none, or an ensemble several


class Probe(Protocol):
    """What is done to the inputs: noise or an attack."""

    needs_map: bool  # whether the probed images depend on the interpreter

    def __call__(self, interpreter: Interpreter, image_BCHW: Tensor, class_B: Tensor, id_B: Tensor) -> Probed: ...
