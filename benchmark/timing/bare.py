"""Bare passes: the least that a loop has to ask of a network, timed on the same images and frozen weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from benchmark.interpreters.base import BaseInterpreter
from benchmark.interpreters.rts import RTS
from benchmark.timing.workbench import Workbench
from benchmark.types import Interpreter

Work = Callable[[], object]


def passes(bench: Workbench) -> dict[str, Work]:
    """Of the classifier, by name: F a forward pass of the images, FB with the backward pass to them."""
    double = bench.on_several(bench.image, 2)
    return {
        "F": partial(forward, bench, bench.image),
        "FB": partial(both, bench, bench.image),
        "F of 2 B": partial(forward, bench, double),
        "FB of 2 B": partial(both, bench, double),
    }


@torch.no_grad()
def forward(bench: Workbench, image: Tensor) -> None:
    """The classifier's logits."""
    bench.classifier(image)


def both(bench: Workbench, image: Tensor) -> None:
    """The classifier's logits, and a gradient in the images."""
    point = image.clone().requires_grad_()
    torch.autograd.grad(bench.classifier(point).sum(), point)


def explained(bench: Workbench, interpreter: Interpreter) -> Work:
    """Logits and map, as an attack's loop asks for them, and a gradient in the images."""
    called = interpreter.warm_started()

    def work() -> None:
        point = bench.image.clone().requires_grad_()
        explanation = called.explain(point, bench.target)
        torch.autograd.grad(explanation.logits_BK.sum() + explanation.map_Bhw.sum(), point)

    return work


def maps(bench: Workbench, interpreter: BaseInterpreter) -> Work:
    """Logits and map, with no gradient in the images."""
    return lambda: interpreter.explain(bench.image, bench.target)


def map_alone(bench: Workbench, interpreter: Interpreter) -> Work:
    """The map, with no gradient in the images."""
    return lambda: interpreter(bench.image, bench.target)


def another_map(bench: Workbench, interpreter: BaseInterpreter) -> Work:
    """The map of a class of images that have been read."""
    read = interpreter.read(bench.image)
    return lambda: read.map(bench.target)


def trunk(bench: Workbench, interpreter: RTS) -> Work:
    """The classifier's logits and pyramid, without a graph."""
    return lambda: interpreter.features(bench.image)


def decoder(bench: Workbench, interpreter: RTS, times: int) -> Work:
    """The decoder in training mode, on ``times`` as many features, with a gradient in its weights."""
    masking = interpreter.masking
    pyramid = [bench.on_several(level, times) for level in interpreter.features(bench.image)[1]]
    class_B = bench.on_several(bench.target, times)
    weights = [*masking.blocks.parameters(), *masking.head.parameters()]

    def work() -> None:
        for weight in weights:
            weight.requires_grad_(True)
        masking.train()
        torch.autograd.grad(masking(pyramid, class_B, 0.0)[0].sum(), weights)

    return work


def decoder_alone(bench: Workbench, interpreter: RTS) -> Work:
    """The map from the images' features, without a graph."""
    pyramid = interpreter.features(bench.image)[1]

    @torch.no_grad()
    def work() -> None:
        interpreter.masking(pyramid, bench.target, 0.0)

    return work


def training(bench: Workbench) -> Work:
    """A classifier's bare training step: cross-entropy, backward, AdamW in one kernel."""
    network = bench.new_classifier().train().requires_grad_(True)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, fused=True)

    def work() -> None:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(bench.image), bench.label).backward()
        optimizer.step()

    return work
