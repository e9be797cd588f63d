"""From an attack, by name or as an object of another library, to perturbed images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from benchmark.api.adapters import package_of
from benchmark.api.inputs import Labels, checked_ids, checked_images, checked_labels, checked_model, model_device
from benchmark.api.methods import Method, left_alone, make_interpreter
from benchmark.api.parts import Node, build, resolved, settings
from benchmark.api.samples import population_of
from benchmark.numerics import rng
from benchmark.numerics.images import quantise
from benchmark.probes.goals import other_class
from benchmark.types import Classifier, Interpreter, Perturbed, Probe

AttackFunction = Callable[[nn.Module, Tensor, Tensor], Tensor]
Attack = str | AttackFunction | Any
EPSILON = 8 / 255
_HALF_STEP = 0.5 / 255 + 1e-6  # what rounding to 8 bit may add


@dataclass(frozen=True)
class Named:
    """A probe with what it is called and, where it has one, its L-infinity budget."""

    name: str
    probe: Probe
    epsilon: float | None


class _Run(Protocol):
    """(model, images, classes, images' size of perturbation) to perturbed images."""

    def __call__(self, classifier: Classifier, image_BCHW: Tensor, class_B: Tensor) -> Tensor: ...


class ForeignProbe:
    """An attack of another library, on the prediction alone, as a probe.

    Args:
        run: (model, images, classes) to images; classes are the goals where it is targeted, else the labels.
        targeted: whether it is to reach drawn classes. epsilon: its L-infinity budget, which is checked; None for none.
    """

    needs_map = False
    needs_donors = False

    def __init__(self, run: _Run, *, name: str, targeted: bool, seed: int, epsilon: float | None) -> None:
        self.run, self.name, self.targeted, self.seed, self.epsilon = run, name, targeted, seed, epsilon

    def __call__(self, interpreter: Interpreter, image_BCHW: Tensor, class_B: Tensor, id_B: Tensor) -> Perturbed:
        classifier = interpreter.classifier
        goal_B = class_B
        if self.targeted:
            key_B = rng.sample_keys(self.seed, "goal class", id_B)
            classes_C = torch.arange(classifier.num_classes, device=class_B.device)
            goal_B = other_class(class_B, classes_C, key_B)
        found = self.run(classifier, image_BCHW, goal_B)
        if not isinstance(found, Tensor) or found.shape != image_BCHW.shape:
            got = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise ValueError(f"{self.name} must give images of shape {tuple(image_BCHW.shape)}, got {got}")
        found = found.detach().to(image_BCHW)
        if not bool(((found >= 0) & (found <= 1)).all()):
            raise ValueError(
                f"{self.name} gives images outside [0, 1]: make it for the wrapped model, which normalises"
            )
        size = float((found - image_BCHW).abs().amax())
        if self.epsilon is not None and size > self.epsilon + _HALF_STEP:
            raise ValueError(
                f"{self.name} changes a pixel by {255 * size:.2f}/255, more than epsilon={255 * self.epsilon:g}/255: "
                "give evaluate and attack its own budget, epsilon=..., or None where it has no such budget"
            )
        return Perturbed(found, goal_B if self.targeted else torch.full_like(class_B, -1))


def make_probe(
    attack: Attack, method: Method, *, epsilon: float | None, seed: int, options: Mapping[str, Any] | None = None
) -> Named:
    """The probe that an attack means; ``method`` gives the named ones their weight of the map.

    Raises:
        ValueError: an unknown name or option, or one that cannot be used here.
    """
    if isinstance(attack, str):
        return _by_name(attack, method, epsilon, seed, dict(options or {}))
    if options:
        raise ValueError(f"{', '.join(options)}: an attack that is an object has its options already")
    name, package = getattr(attack, "__name__", type(attack).__name__), package_of(attack)
    if package == "torchattacks":
        by_label = getattr(attack, "attack_mode", "") == "targeted(label)"
        run = _torchattacks(attack)
        return Named(name, ForeignProbe(run, name=name, targeted=by_label, seed=seed, epsilon=epsilon), epsilon)
    if package == "foolbox":
        if epsilon is None:
            raise ValueError("a foolbox attack takes epsilon, in its own norm: give one")
        bound = epsilon if "linf" in str(getattr(attack, "distance", "")).lower() else None
        run = _foolbox(attack, epsilon)
        return Named(name, ForeignProbe(run, name=name, targeted=False, seed=seed, epsilon=bound), bound)
    if callable(attack):
        run = cast(_Run, attack)
        return Named(name, ForeignProbe(run, name=name, targeted=False, seed=seed, epsilon=epsilon), epsilon)
    raise ValueError(
        "attack is a name (pgd, adv2_auto, ...), a torchattacks or foolbox attack, or a function (model, images, "
        f"labels) -> images, got {type(attack).__name__}"
    )


def _by_name(name: str, method: Method, epsilon: float | None, seed: int, options: dict[str, Any]) -> Named:
    scale = options.pop("scale", None)
    group = settings("probe", name, options)
    if group["module"] is None:
        raise ValueError(f"attack={name!r} changes nothing: take pgd, adv2_auto, ...")
    if name.endswith("other_image"):
        raise ValueError(
            f"attack={name!r} needs images of every class to take maps from: python -m benchmark run has it"
        )
    if group["level"] is not None and scale is None:
        raise ValueError(f"attack={name!r} is noise: give its scale in image units, scale=0.1")
    if "epsilon" in group and epsilon is not None:
        group["epsilon"] = float(epsilon)
    if isinstance(method, str):
        interpreter = settings("interpreter", method, {})
    else:
        interpreter = {"network": {}, "attack_weight": settings("interpreter", "gradcam", {})["attack_weight"]}
    node: Node = resolved(interpreter=interpreter, probe=group, seed=seed)["probe"]
    probe = build(node["module"], **({} if group["level"] is None else {"scale": scale}))
    return Named(name, probe, node.get("epsilon"))


def _torchattacks(attack: Any) -> _Run:
    def run(classifier: Classifier, image_BCHW: Tensor, class_B: Tensor) -> Tensor:
        inside = attack.model is getattr(classifier, "net", None) and attack._normalization_applied
        if attack.model is not classifier and not inside:
            raise ValueError(
                f"torchattacks' {type(attack).__name__} was made for another network than the model: make it for the "
                "wrapped model, which normalises (or for the net inside, with set_normalization_used)"
            )
        found: Tensor = attack(image_BCHW.detach(), class_B)
        return found

    return run


def _foolbox(attack: Any, epsilon: float) -> _Run:
    def run(classifier: Classifier, image_BCHW: Tensor, class_B: Tensor) -> Tensor:
        import foolbox

        device = model_device(cast(nn.Module, classifier))
        network = foolbox.PyTorchModel(classifier, bounds=(0, 1), device=device)
        found: Tensor = attack(network, image_BCHW.detach(), class_B, epsilons=epsilon)[1]
        return found

    return run


def attack(
    model: nn.Module,
    images: Tensor,
    labels: Labels | None = None,
    method: Method = "gradcam",
    attack: Attack = "adv2_auto",
    epsilon: float | None = EPSILON,
    *,
    seed: int = 0,
    ids: Labels | None = None,
    batch_size: int = 100,
    method_options: Mapping[str, Any] | None = None,
    **options: Any,
) -> Tensor:
    """Adversarial images (B, 3, H, H) in [0, 1], rounded to 8 bit.

    An attack on the map (adv2_auto, adv2, ...) goes for a drawn class and for a map that stays the benign one. Images
    are rounded to multiples of 1/255 first, as a file would hold them. The model is left as it was.

    Args:
        model: of ``wrap`` or ``classifier``.
        images: (B, 3, H, H) in [0, 1], on the model's device.
        labels: the classes (B,) to get away from; None takes what the model predicts.
        method: whose maps are attacked, as in ``explain``; pgd, fgsm, cw and stadv read no maps.
        attack: adv2_auto (the strongest), adv2, adv2_cw, adv2_edge, adv2_stadv, adv2_shape, pgd, fgsm, cw, stadv, topk,
            fixed_label, sign (``conf/probe`` has them with their sources); normal or uniform with ``scale``; a
            torchattacks or foolbox attack; a function (model, images, labels) -> images.
        epsilon: L-infinity budget in image units, of attacks that have one; of a foolbox attack in its own norm.
        seed: of goals and random starts. ids: of the samples, which draws depend on; None takes 0, 1, ...
        batch_size: of the groups in which the images are attacked. method_options: as in ``explain``.
        options: of the attack, as in ``conf/probe`` (passes, steps, targeted, ...).
    Raises:
        ValueError: as ``explain``; or an attack on the map of a method whose maps have no gradient, an unknown attack
            or option, an attack that goes beyond epsilon.
    """
    image_BCHW = checked_images(images)
    checked = checked_model(model, image_BCHW)
    id_B = checked_ids(ids, len(image_BCHW), "ids")
    named = make_probe(attack, method, epsilon=epsilon, seed=seed, options=options)
    with left_alone(checked):
        interpreter = make_interpreter(checked, method, image_BCHW.shape[-1], **dict(method_options or {}))
        if labels is None:
            with torch.no_grad():
                label_B = checked(image_BCHW).argmax(1)
        else:
            label_B = checked_labels(labels, len(image_BCHW), checked.num_classes, image_BCHW.device)
        population = population_of(image_BCHW, label_B, label_B, id_B, id_B)
        parts: dict[int, Tensor] = {}
        for batch in population.groups(group_size(len(image_BCHW), batch_size)):
            probed = perturbed(named.probe, interpreter, batch, image_BCHW.device).image_BCHW
            parts |= dict(zip(batch["sample_id"].tolist(), quantise(probed.detach()), strict=True))
    return torch.stack([parts[sample] for sample in id_B.tolist()])


def perturbed(probe: Probe, interpreter: Interpreter, batch: Any, device: torch.device) -> Perturbed:
    """What a probe makes of one group."""
    taken = (batch[name].to(device) for name in ("image", "prediction", "sample_id"))
    return probe(interpreter, *taken)


def group_size(count: int, batch_size: int) -> int:
    """The size of equal groups of at most ``batch_size``, so that hardly any sample is computed twice."""
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"batch_size is a whole number of 1 or more, got {batch_size!r}")
    groups = -(-count // batch_size)
    return -(-count // groups)
