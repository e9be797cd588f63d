"""The hot loops, each with the bare passes that it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch

from benchmark.configuration.instantiation import instantiate
from benchmark.interpreters.rts import RTS
from benchmark.metrics.faithfulness import STEPS, deletion_and_insertion
from benchmark.numerics.images import quantise
from benchmark.probes.noise import Noise
from benchmark.timing import bare
from benchmark.timing.attack_loops import adv2, adv2_auto, pgd, short
from benchmark.timing.loop import Loop
from benchmark.timing.workbench import Workbench
from benchmark.types import Batch


def classifier(bench: Workbench) -> Iterator[Loop]:
    """A training step needs a bare one, AdamW's included."""
    node = bench.config["classifier"]["training"]["module"]
    step = bench.trained(node, {"network": bench.new_classifier()})
    yield Loop("classifier training step", step, {"training pass": 1}, passes={"training pass": bare.training(bench)})


def _rts(bench: Workbench, group: dict[str, Any]) -> RTS:
    interpreter = bench.interpreter(group)
    if not isinstance(interpreter, RTS):
        raise ValueError(f"{group['name']} has no decoder to train: loops=[rts,aid] need interpreter@aid=rtsa")
    return interpreter


def rts(bench: Workbench) -> Iterator[Loop]:
    """A step needs the trunk, the decoder with a gradient in its weights, and the classifier on two edited images."""
    group = bench.config["aid"]
    step = bench.trained(group["stages"]["start"]["module"], {"interpreter": _rts(bench, group)})
    network = _rts(bench, group)
    passes = {"trunk": bare.trunk(bench, network), "decoder": bare.decoder(bench, network, 1)}
    yield Loop("RTS step", step, {"trunk": 1, "decoder": 1, "FB of 2 B": 1}, passes=passes)


def aid(bench: Workbench) -> Iterator[Loop]:
    """A step needs that of RTS with three maps an image, the trunk once more, the goal map from its features, and the
    inner attack's passes on a decoder whose BatchNorm is folded into its convolutions.
    """
    group = bench.config["aid"]
    node = group["stages"]["finish"]["module"]
    step = bench.trained(node, {"interpreter": _rts(bench, group)})
    network, attacked = _rts(bench, group), _rts(bench, group)
    attacked.masking = attacked.masking.folded()
    passes = {
        "trunk": bare.trunk(bench, network),
        "decoder of 3 B": bare.decoder(bench, network, 3),
        "goal map": bare.decoder_alone(bench, attacked),
        "FB of aid's map": bare.explained(bench, attacked),
    }
    needs = {"trunk": 2, "decoder of 3 B": 1, "goal map": 1, "FB of aid's map": node["attack"]["steps"], "FB of 2 B": 1}
    yield Loop("AID step", step, needs, passes=passes)


def deletion(bench: Workbench) -> Iterator[Loop]:
    """The scores of the images need one pass an edited image: two an image, at 24 places of the curve."""
    map_Bhw = bench.explained(bench.image, bench.label).detach()
    blur = bench.config["measure"]["blur"]

    def work() -> None:
        deletion_and_insertion(bench.classifier, bench.image, bench.label, map_Bhw, blur)

    yield Loop("deletion and insertion", work, {"F of 2 B": STEPS})


def noise(bench: Workbench) -> Iterator[Loop]:
    """One scale of the bisection needs one pass an image."""
    drawn = Noise(kind="normal", scale=0.2, seed=bench.config["seed"])

    @torch.no_grad()
    def work() -> None:
        bench.classifier(quantise(drawn.perturb(bench.image, bench.batch["sample_id"]))).argmax(1)

    yield Loop("noise calibration, a scale", work, {"F": 1})


def measure(bench: Workbench) -> Iterator[Loop]:
    """A group needs logits and maps of benign and probed images, and the benign ones' map of another class."""
    settings, nothing = bench.config["measure"], {"reference": None, "harmless_noise": None}
    module = instantiate(bench.config["modules"]["measure"])(
        interpreter=bench.explained,
        spread=0.1,
        blur=settings["blur"],
        n_faithfulness_samples=0,
        n_harmless_samples=0,
        **nothing,
    )
    batch = Batch(
        **bench.batch,
        source_id=bench.batch["sample_id"],
        prediction=bench.label,
        position=torch.arange(len(bench.label), device=bench.device),
        probed=bench.image.flip(0),
        goal=bench.target,
        attack={},
    )
    passes = {"map": bare.maps(bench, bench.explained), "another map": bare.another_map(bench, bench.explained)}
    needs: dict[str, float] = {"map": 2, "another map": 1}
    yield Loop("measuring a group", lambda: module.predict_step(batch, 0), needs, passes=passes)


LOOPS: dict[str, Callable[[Workbench], Iterator[Loop]]] = {
    "pgd": pgd,
    "adv2": adv2,
    "short": short,
    "adv2_auto": adv2_auto,
    "classifier": classifier,
    "rts": rts,
    "aid": aid,
    "deletion": deletion,
    "noise": noise,
    "measure": measure,
}
