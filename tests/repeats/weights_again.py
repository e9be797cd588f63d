"""One set of weights, measured again and again.

    python -m tests.repeats.weights_again WEIGHTS THREADS:BATCH[:PRECISION] ...

A small classifier and an RTS, trained on bright squares whose place and colour are hashes, so that every machine sees
the same images. Prints a JSON list: for each number of threads, batch size and precision of the attack the cell means
of clean maps, of noise and of ADV2.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from torch.nn import functional

from benchmark.classifiers.timm_classifier import TimmClassifier
from benchmark.configuration.instantiation import instantiate
from benchmark.interpreters.rts import RTS
from benchmark.numerics import layers, rng
from benchmark.numerics.images import quantise
from benchmark.numerics.modules import freeze
from benchmark.numerics.precisions import FLOAT32
from benchmark.objectives.distances import l1
from tests.helpers import configured

SIDE, CLASSES, SQUARE = 32, 4, 12
COUNT = 200  # images that are measured
_COLOURS = torch.tensor([[1.0, 0.1, 0.1], [0.1, 1.0, 0.1], [0.1, 0.1, 1.0], [0.9, 0.9, 0.1]])


def scenes(ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Images (N, 3, S, S), classes (N,) and masks of the square (N, S, S)."""
    key = rng.sample_keys(0, "scenes", ids)
    label = rng.integers(key, CLASSES, 1)[:, 0]
    corner = rng.integers(rng.sample_keys(0, "corner", ids), SIDE - SQUARE, 2)
    place = torch.arange(SIDE)
    inside = (place >= corner[:, :, None]) & (place < corner[:, :, None] + SQUARE)
    mask = (inside[:, 0, :, None] & inside[:, 1, None, :]).float()
    ground = 0.7 * rng.uniform(rng.sample_keys(0, "ground", ids), 3, SIDE, SIDE)
    image = ground * (1 - 0.6 * mask[:, None]) + 0.3 * mask[:, None] * _COLOURS[label][:, :, None, None]
    return quantise(image.clamp(0, 1)), label, mask


def networks() -> RTS:
    """Untrained, from one seed."""
    torch.manual_seed(0)
    options = {"channels": (8, 12, 16, 24), "stem_width": 8}
    classifier = TimmClassifier(name="resnet10t", num_classes=CLASSES, options=options)
    return RTS(classifier=classifier, image_size=SIDE, blocks=3, width=8)


def train(path: Path, steps: int = 200, precision: str = FLOAT32) -> None:
    """Trains the classifier on the classes, then the masking network on the squares; writes the weights."""
    with layers.configured({"precision": precision}):
        torch.save(_trained(steps).state_dict(), path)


def _trained(steps: int) -> RTS:
    interpreter = networks()
    classifier = interpreter.classifier
    classifier.requires_grad_(True).train()
    optimizer = torch.optim.Adam(classifier.parameters(), 3e-3)
    for step in range(steps):
        image, label, _ = scenes(torch.arange(32) + 32 * step)
        optimizer.zero_grad()
        functional.cross_entropy(classifier(image), label).backward()
        optimizer.step()
    freeze(classifier)
    interpreter.masking.requires_grad_(True).train()
    optimizer = torch.optim.Adam(interpreter.masking.parameters(), 3e-3)
    for step in range(steps):
        image, label, mask = scenes(torch.arange(32) + 32 * step)
        drawn = interpreter.attribution_map(image, label)
        optimizer.zero_grad()
        functional.mse_loss(drawn, functional.adaptive_avg_pool2d(mask, drawn.shape[-2:])).backward()
        optimizer.step()
    return interpreter


def cell_means(interpreter: RTS, batch: int, precision: str = FLOAT32) -> dict[str, float]:
    """Means over ``COUNT`` images, computed in batches of so many and attacked in so much precision."""
    settings = configured(Path("."), "probe=adv2", "budget.attack_steps=24", "budget.attack_warmup=10")["probe"]
    probe = instantiate({**settings["module"]})
    columns: dict[str, list[torch.Tensor]] = {}
    for start in range(0, COUNT, batch):
        ids = 10_000 + torch.arange(start, min(start + batch, COUNT))
        image, label, mask = scenes(ids)
        seen = interpreter.explain(image, label)
        predicted = seen.logits_BK.argmax(1)
        benign = interpreter(image, predicted).detach()
        small = functional.adaptive_avg_pool2d(mask, benign.shape[-2:])
        noisy = (image + 0.3 * rng.normal(rng.sample_keys(0, "noise", ids), 3, SIDE, SIDE)).clamp(0, 1)
        with layers.configured({"precision": precision}):
            found = probe(interpreter, image, predicted, ids)
        now = {"accuracy": (predicted == label).float(), "benign map to mask": l1(benign, small)}
        for name, other in (("noise", noisy), ("adv2", found.image_BCHW)):
            with torch.no_grad():
                changed = interpreter.classifier(other).argmax(1)
            now[f"{name}: success"] = (changed == found.goal_B if name == "adv2" else changed != predicted).float()
            now[f"{name}: map l1"] = l1(benign, interpreter(other, changed).detach())
        for name, values in now.items():
            columns.setdefault(name, []).append(values)
    return {name: float(torch.cat(parts).double().mean()) for name, parts in columns.items()}


def main(path: str, *combinations: str) -> None:
    interpreter = networks()
    interpreter.load_state_dict(torch.load(path, weights_only=True))
    freeze(interpreter)
    found = []
    for combination in combinations:
        threads, batch, *precision = combination.split(":")
        torch.set_num_threads(int(threads))
        found.append(cell_means(interpreter, int(batch), *precision))
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
