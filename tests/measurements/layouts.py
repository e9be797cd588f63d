"""The RTS decoder in both memory layouts: ``python -m tests.measurements.layouts [ROUNDS]``.

Digits' networks, 64 images of 48 px, one thread; the features are in the layout of the decoder. CPU milliseconds of a
forward pass, of an attack (the gradient in the features, of the folded decoder) and of a training pass (in the weights
too), the shortest of the rounds, both layouts in turn; beside them the classifier forward and backward.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmark.processes.allocator import keep_freed_memory
from benchmark.timing.clock import shortest
from tests.measurements.training_steps import training

LAYOUTS = {"channels last": torch.channels_last, "contiguous": torch.contiguous_format}


def works() -> dict[str, Callable[[], object]]:
    """Every pass to time, by its name."""
    interpreter = training("plain").interpreter
    image = torch.rand(64, 3, 48, 48)
    class_B = torch.arange(64) % 10
    with torch.no_grad():
        pyramid = interpreter.classifier.trunk(image).pyramid

    def trunk() -> None:
        inputs = image.clone().requires_grad_()
        torch.autograd.grad(interpreter.classifier(inputs).square().sum(), inputs)

    found: dict[str, Callable[[], object]] = {"classifier, forward and backward": trunk}
    for name, layout in LAYOUTS.items():
        decoder = copy.deepcopy(interpreter.masking).to(memory_format=layout)
        folded = decoder.folded().to(memory_format=layout)
        features = [each.contiguous(memory_format=layout) for each in pyramid]
        found[f"forward, {name}"] = _forward(folded, features, class_B)
        found[f"attack, {name}"] = _backward(folded, features, class_B, weights=False)
        found[f"training, {name}"] = _backward(decoder.train(), features, class_B, weights=True)
    return found


def _forward(decoder: nn.Module, features: list[Tensor], class_B: Tensor) -> Callable[[], object]:
    def work() -> None:
        with torch.no_grad():
            decoder(features, class_B, 0.0)

    return work


def _backward(decoder: nn.Module, features: list[Tensor], class_B: Tensor, *, weights: bool) -> Callable[[], object]:
    wanted = [each.requires_grad_() for each in decoder.parameters()] if weights else []

    def work() -> None:
        inputs = [each.detach().requires_grad_() for each in features]
        map_Bhw, logits_B2 = decoder(inputs, class_B, 0.0)
        loss = map_Bhw.square().sum() + logits_B2.square().sum()
        torch.autograd.grad(loss, wanted if weights else inputs, allow_unused=True)

    return work


def main(rounds: int) -> None:
    """Prints a line a pass."""
    torch.set_num_threads(1)
    keep_freed_memory()
    for name, seconds in shortest(works(), rounds, torch.device("cpu")).items():
        print(f"{name}: {1000 * seconds:.1f} ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
