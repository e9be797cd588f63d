"""Other packages, and the authors' scheme, on the same work as ours: their time over ours in the same run."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from benchmark.interpreters.rts import RTS
from benchmark.numerics.images import at_image_size
from benchmark.timing import attack_loops, bare
from benchmark.timing.bare import Work
from benchmark.timing.clock import shortest
from benchmark.timing.workbench import Workbench

EPSILON, ALPHA = 8 / 255, 1 / 255
NOISY = 10  # images that Quantus' measure draws around each


@dataclass(frozen=True)
class Peer:
    """One work by another (``theirs``) and by us (``ours``), both whole."""

    name: str
    theirs: Work
    ours: Work


def ours_pgd(bench: Workbench) -> Work:
    """Our PGD, with all that it does beside its steps."""
    (loop,) = attack_loops.pgd(bench)
    return loop.work


def torchattacks(bench: Workbench, package: Any) -> Iterator[Peer]:
    """Targeted PGD, of the same steps."""
    attack = package.PGD(bench.classifier, eps=EPSILON, alpha=ALPHA, steps=bench.config["steps"], random_start=False)
    attack.set_mode_targeted_by_label(quiet=True)
    yield Peer("torchattacks, PGD", lambda: attack(bench.image, bench.target), ours_pgd(bench))


def foolbox(bench: Workbench, package: Any) -> Iterator[Peer]:
    """Targeted PGD, of the same steps."""
    model = package.PyTorchModel(bench.classifier, bounds=(0, 1), device=bench.device)
    attack = package.attacks.LinfPGD(abs_stepsize=ALPHA, steps=bench.config["steps"], random_start=False)
    criterion = package.TargetedMisclassification(bench.target)

    def theirs() -> object:
        return attack.run(model, bench.image, criterion, epsilon=EPSILON)

    yield Peer("foolbox, PGD", theirs, ours_pgd(bench))


def captum(bench: Workbench, package: Any) -> Iterator[Peer]:
    """The gradient's size, and Integrated Gradients on the same number of points."""
    attr, groups = importlib.import_module("captum.attr"), bench.config["peer_maps"]
    saliency, integrated = attr.Saliency(bench.classifier), attr.IntegratedGradients(bench.classifier)
    points = groups["integrated"]["samples"]
    ours = {name: bench.interpreter(groups[name]) for name in ("gradient", "integrated")}

    def gradient() -> object:
        return saliency.attribute(bench.image, target=bench.label)

    def path() -> object:
        return integrated.attribute(bench.image, target=bench.label, n_steps=points, method="riemann_middle")

    yield Peer("captum, gradient", gradient, lambda: ours["gradient"](bench.image, bench.label))
    name = f"captum, Integrated Gradients of {points} points"
    yield Peer(name, path, lambda: ours["integrated"](bench.image, bench.label))


def pytorch_grad_cam(bench: Workbench, package: Any) -> Iterator[Peer]:
    """Grad-CAM on the last features, against our closed form and the general one; both also against the package on a
    network that is not frozen, as networks are when loaded, which takes the gradient in all weights; and bare passes.
    """
    targets = importlib.import_module("pytorch_grad_cam.utils.model_targets")
    wanted = [targets.ClassifierOutputTarget(int(label)) for label in bench.label]

    def theirs(*, trainable: bool) -> Work:
        classifier = bench.new_classifier().requires_grad_(trainable)
        layer = classifier.net.get_submodule(classifier.layer_of_features(bench.size))
        cam = package.GradCAM(model=classifier, target_layers=[layer])
        return lambda: cam(input_tensor=bench.image.clone().requires_grad_(not trainable), targets=wanted)

    frozen, trainable = theirs(trainable=False), theirs(trainable=True)
    for name, closed in (("closed form", True), ("general form", False)):
        network = bench.interpreter(bench.config["peer_maps"]["gradcam"], closed_form=closed)
        ours = _called(network, bench.image, bench.label)
        yield Peer(f"grad-cam, Grad-CAM against our {name}", frozen, ours)
        yield Peer(f"the same, of a network that is not frozen, against our {name}", trainable, ours)
    passes = bare.passes(bench)
    yield Peer("the bare passes of both, FB and F", passes["FB"], passes["F"])


def _called(interpreter: Callable[[Tensor, Tensor], Tensor], image: Tensor, label: Tensor) -> Work:
    return lambda: interpreter(image, label)


def quantus(bench: Workbench, package: Any) -> Iterator[Peer]:
    """Its largest sensitivity of gradient maps, against as many of our maps of noisy images."""
    ours = bench.interpreter(bench.config["peer_maps"]["gradient"])
    image, label = bench.image.cpu().numpy(), bench.label.cpu().numpy()

    def explain(model: Any, inputs: Any, targets: Any, **options: Any) -> Any:
        class_B = torch.as_tensor(targets, device=bench.device)
        map_Bhw = ours(torch.as_tensor(inputs, device=bench.device).float(), class_B).detach()
        return at_image_size(map_Bhw, (bench.size, bench.size))[:, None].cpu().numpy()

    measure = package.MaxSensitivity(
        nr_samples=NOISY, disable_warnings=True, display_progressbar=False, return_aggregate=False
    )

    def theirs() -> object:
        return measure(
            model=bench.classifier,
            x_batch=image,
            y_batch=label,
            a_batch=None,
            explain_func=explain,
            device=str(bench.device),
        )

    def mine() -> None:
        benign = ours(bench.image, bench.label)
        for _ in range(NOISY):
            noise = torch.rand_like(bench.image).mul_(0.4).sub_(0.2)
            moved = ours((bench.image + noise).clamp_(0, 1), bench.label)
            (moved - benign).square().flatten(1).sum(1).sqrt_()

    yield Peer(f"Quantus, largest sensitivity of {NOISY}", theirs, mine)


def authors(bench: Workbench, package: Any) -> Iterator[Peer]:
    """ADV2 on RTS, where it is explained, with a second network of the same weights as its encoder; and bare passes."""
    if not isinstance(bench.explained, RTS):
        return
    two, one = bench.two_networks, bench.explained
    theirs = attack_loops.attack_on(bench, "two networks", two, "two").work
    ours = attack_loops.attack_on(bench, "one network", one, "one").work
    yield Peer("the authors' two networks, ADV2 on RTS", theirs, ours)
    yield Peer("the bare passes of both", bare.explained(bench, two), bare.explained(bench, one))


PEERS: dict[str, Callable[[Workbench, Any], Iterator[Peer]]] = {
    "torchattacks": torchattacks,
    "foolbox": foolbox,
    "captum": captum,
    "pytorch_grad_cam": pytorch_grad_cam,
    "quantus": quantus,
    "authors": authors,
}
_MODULES = {"authors": "benchmark"}  # where a peer is no package of its name


def compared(
    bench: Workbench, repeats: int, names: Sequence[str] | None = None
) -> tuple[list[tuple[str, float, float]], list[str]]:
    """(work, seconds of theirs, of ours) of every package that is installed, and a sentence on each that is not.

    ``names``: of some packages; None for all.

    Each pair is timed in turn. What another package raises is told, and the rest goes on.
    """
    told, missing = [], []
    for name in PEERS if names is None else names:
        make = PEERS[name]
        try:
            package = importlib.import_module(_MODULES.get(name, name))
        except ImportError:
            missing.append(f"{name} is not installed")
            continue
        try:
            for peer in make(bench, package):
                times = shortest({"theirs": peer.theirs, "ours": peer.ours}, repeats, bench.device)
                told.append((peer.name, times["theirs"], times["ours"]))
        except Exception as error:
            missing.append(f"{name} failed with {type(error).__name__}: {error}")
    return told, missing


def lines(told: Sequence[tuple[str, float, float]], missing: Sequence[str]) -> list[str]:
    """A table in Markdown, and what is not installed."""
    head = ["work", "theirs, ms", "ours, ms", "theirs / ours"]
    rows = [[name, f"{1e3 * theirs:.1f}", f"{1e3 * ours:.1f}", f"{theirs / ours:.2f}"] for name, theirs, ours in told]
    table = ["| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *rows]]
    return [*table, *missing]
