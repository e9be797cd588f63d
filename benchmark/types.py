"""The types that every part of the suite shares.

Shape suffixes, used in names throughout: ``B`` samples of a batch, ``N`` samples of a set, ``C`` channels, ``H W``
image rows and columns, ``h w`` attribution map rows and columns, ``K`` classes. ``image_BCHW`` is always RGB in [0, 1];
``map_Bhw`` is always in [0, 1] with 1 = important.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple, Protocol, Self, TypedDict, runtime_checkable

import numpy as np
from torch import Tensor, nn


class Batch(TypedDict, total=False):
    """Samples of one batch."""

    image: Tensor  # (B, 3, H, W) float32 in [0, 1], multiples of 1/255
    label: Tensor  # (B,) int64 in [0, K)
    sample_id: Tensor  # (B,) int64, unique in the data set over all its splits
    source_id: Tensor  # (B,) int64, the scan or photograph that the sample was made from
    mask: Tensor  # (B, H, W) bool, True on the object, empty where it is not known; only where the set has masks
    box: Tensor  # (B, M, 4) float32, left, top, right, bottom of the objects in pixels, NaN beyond them; only of boxes
    # in fixed groups:
    group: Tensor  # (), number of the group
    position: Tensor  # (B,) int64, number of the sample in the population, from 0
    prediction: Tensor  # (B,) int64, the benign prediction
    # in groups with perturbed images:
    probed: Tensor  # (B, 3, H, W) float32, the perturbed images, multiples of 1/255
    goal: Tensor  # (B,) int64, the goal class; -1 where there is none
    goal_map: Tensor  # (B, h, w), the goal map; only for the interpreter that was attacked
    attack: dict[str, Tensor]  # (B,) each, what the attack tells about itself; only of attacks
    curves: dict[str, Tensor]  # (B, G) each, map distance against passes; only of attacks that keep them


@runtime_checkable
class ImageSet(Protocol):
    """One split: a torch map-style dataset that fetches a whole batch at once."""

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
    """Logits and map of the same images, and what else an interpreter may compute on the way.

    Attributes:
        logits_BK: of the classifier.
        map_Bhw: the attribution map, in [0, 1].
        presence_logits_B2: logits of (class absent, class present), where the interpreter has a class selector.
        encoder_BK: logits of the encoder, where it is another network than the classifier.
    """

    logits_BK: Tensor
    map_Bhw: Tensor
    presence_logits_B2: Tensor | None = None
    encoder_BK: Tensor | None = None


class Reading(NamedTuple):
    """Images that an interpreter has read once: their logits, and their map of any class, without a pass twice."""

    logits_BK: Tensor
    map: Callable[[Tensor], Tensor]  # classes that the classifier has (B,) to maps (B, h, w)


class Goal(NamedTuple):
    """What an attack is to reach for each sample."""

    target_B: Tensor  # (B,) int64, the class to reach; for an untargeted goal the class to get away from
    map_Bhw: Tensor | None  # (B, h, w), the attribution map to reach; None where the attack reads no maps
    targeted: bool = True


@runtime_checkable
class Classifier(Protocol):
    """A torch.nn.Module from images in [0, 1] to logits, which normalises inside."""

    name: str
    num_classes: int
    passes: dict[str, int]  # images that went ``forward`` and ``backward`` so far

    def __call__(self, image_BCHW: Tensor) -> Tensor: ...

    def trunk(self, image_BCHW: Tensor) -> Trunk:
        """Logits and features of one forward pass."""
        ...

    def pyramid_shapes(self, image_size: int) -> list[tuple[int, int, int]]:
        """(channels, rows, columns) of every level of features, fine to coarse."""
        ...

    def linear_head(self, image_size: int) -> nn.Linear | None:
        """The last layer, where the logits are that layer on globally averaged features; else None."""
        ...

    def target_layer(self, image_size: int) -> str | None:
        """The module at whose output Grad-CAM takes features; None for the last features."""
        ...

    def layer_of_features(self, image_size: int) -> str:
        """The module whose output the last features are; "last features" where they are no module's."""
        ...

    def logits_and_features(self, image_BCHW: Tensor, module: str | None = None) -> tuple[Tensor, Tensor]:
        """Logits, and the features at a module's output (None: the last), in which they can be differentiated."""
        ...

    def feature_parameters(self) -> list[nn.Parameter]:
        """The parameters that the pyramid depends on."""
        ...

    def on_grid(self, features: Tensor) -> Tensor:
        """Features in the network's own layout as (B, C, h, w)."""
        ...

    # of torch.nn.Module:
    def eval(self) -> Self: ...

    def requires_grad_(self, requires_grad: bool = ...) -> Self: ...

    def modules(self) -> Iterator[nn.Module]: ...

    def parameters(self, recurse: bool = ...) -> Iterator[nn.Parameter]: ...


@runtime_checkable
class Interpreter(Protocol):
    """(image, class) to attribution map. ``benchmark.interpreters.base.BaseInterpreter`` has the defaults."""

    differentiable: bool  # whether the map has a gradient in the image
    classifier: Classifier

    @property
    def members(self) -> Sequence[Interpreter]:
        """Of an ensemble; empty for everything else."""
        ...

    @property
    def masking(self) -> nn.Module | None:
        """The network that is trained; None where there is none."""
        ...

    def __call__(self, image_BCHW: Tensor, class_B: Tensor) -> Tensor: ...

    def explain(self, image_BCHW: Tensor, class_B: Tensor) -> Explanation:
        """Logits and map of the same images, with as few passes of the network as the method allows."""
        ...

    def explanation(self, image_BCHW: Tensor, class_B: Tensor) -> Explanation:
        """As :meth:`explain`, of classes that are known to be the classifier's: nothing waits for the device."""
        ...

    def read(self, image_BCHW: Tensor) -> Reading:
        """Logits, and the map of any class of the same images."""
        ...

    def details(self) -> dict[str, str]:
        """Facts for the record about how the maps are made."""
        ...

    def surrogate(self) -> Interpreter:
        """What an attack differentiates: itself or a smooth approximation."""
        ...

    def warm_started(self) -> Interpreter:
        """What one attack on one batch calls at every step: itself, or one that starts each map from the last."""
        ...

    def stacked(self) -> Interpreter:
        """What an attack takes goal maps from: itself, or the maps of an ensemble's members in one."""
        ...


class Explained(Protocol):
    """What an attack asks at every step: an interpreter, or one with other gradients."""

    @property
    def classifier(self) -> Classifier: ...

    def explanation(self, image_BCHW: Tensor, class_B: Tensor) -> Explanation:
        """Logits and map of the same images, of classes that are known to be the classifier's."""
        ...

    def warm_started(self) -> Explained:
        """As an interpreter's."""
        ...


class Perturbation(Protocol):
    """What an attack may do to an image: a parameter, the image that it makes, its penalty, and its update rule."""

    def start(self, image_BCHW: Tensor, key_B: Tensor) -> Tensor:
        """The first parameter; random ones are drawn from one key per sample."""
        ...

    def apply(self, parameter: Tensor, image_BCHW: Tensor) -> Tensor:
        """The perturbed image, in [0, 1]."""
        ...

    def penalty(self, parameter: Tensor, image_BCHW: Tensor) -> Tensor | None:
        """A term added to the loss, per sample (B,); None where there is none."""
        ...

    def optimizer(self) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
        """The update rule: (parameter, gradient, image) to the next parameter.

        It may keep state: every run of an attack asks for a new one.
        """
        ...


@runtime_checkable
class Ball(Perturbation, Protocol):
    """A perturbation whose parameter is the image, within a distance of the original one and within [0, 1]."""

    @property
    def radius(self) -> float:
        """The largest distance, in the ball's own norm."""
        ...

    def random_point(self, image_BCHW: Tensor, key_B: Tensor) -> Tensor:
        """A point of the ball, drawn from one key per sample."""
        ...

    def project(self, point_BCHW: Tensor, image_BCHW: Tensor) -> Tensor:
        """The nearest point of the ball in its norm, clipped to [0, 1]."""
        ...

    def steepest(self, gradient_BCHW: Tensor) -> Tensor:
        """The step of norm 1 along which the loss rises most."""
        ...

    def bounded(self, direction_BCHW: Tensor) -> Tensor:
        """A direction of any size as a step of norm 1 at most."""
        ...


@runtime_checkable
class WithConst(Protocol):
    """A perturbation whose penalty is its size divided by a const c."""

    def with_const(self, const_B: Tensor) -> Perturbation:
        """The same perturbation with one c per sample."""
        ...


@runtime_checkable
class Bounded(Protocol):
    """A perturbation whose size is bounded."""

    def without_bound(self, steps: int) -> Perturbation:
        """The same perturbation with nothing that bounds it, and update steps that so many of get far."""
        ...


class Objective(Protocol):
    """A loss per sample (B,) that an attack minimises. ``progress`` rises from 0 to 1 over the phase's steps."""

    needs_map: bool

    def __call__(self, explanation: Explanation, goal: Goal, progress: float) -> Tensor: ...


class Outcome(NamedTuple):
    """The iterate that an attack keeps of each sample, not yet rounded to 8 bit."""

    image_BCHW: Tensor
    success_B: Tensor | None  # (B,) bool, whether it reaches its goal; None where the attack has not looked at it
    cost_B: Tensor  # (B,) by what it was chosen: its map loss or the L2 norm of x' - x; NaN where nothing was
    facts: Mapping[str, Tensor] = MappingProxyType({})  # (B,) each, columns of the record: what it tells about itself
    curves: Mapping[str, Tensor] = MappingProxyType({})  # (B, G) each: see benchmark.probes.strongest.Strongest.curves


class Perturbed(NamedTuple):
    """The images that a probe makes of a batch."""

    image_BCHW: Tensor  # in [0, 1], not yet rounded to 8 bit
    goal_B: Tensor  # (B,) int64, the goal class; -1 where the probe has none
    goal_Bhw: Tensor | None = None  # (B, h, w), the goal map; None where the probe has none, or an ensemble several
    facts: Mapping[str, Tensor] = MappingProxyType({})  # (B,) each, as of an outcome; none where nothing attacks
    curves: Mapping[str, Tensor] = MappingProxyType({})  # (B, G) each, as of an outcome


class Probe(Protocol):
    """What perturbs the inputs: noise or an attack."""

    needs_map: bool  # whether the perturbed images depend on the interpreter
    needs_donors: bool  # whether goal maps are those of other images, which have to be given to it first

    def __call__(self, interpreter: Interpreter, image_BCHW: Tensor, class_B: Tensor, id_B: Tensor) -> Perturbed: ...
