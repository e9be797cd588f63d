"""CPU milliseconds of a training step of RTS_0, of the equal-budget RTS and of AID, on one thread.

    python -m tests.measurements.training_steps aid 5

Digits' nets and batch (64 images of 48 px), random weights and images; the median of so many steps after two.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import Any

import torch

from benchmark.classifiers.timm_classifier import TimmClassifier
from benchmark.interpreters.rts import RTS
from benchmark.numerics import rng
from benchmark.objectives.joint import Joint
from benchmark.objectives.rts import MapWeights
from benchmark.probes.attack import GradientAttack, Phase
from benchmark.probes.linf_ball import LinfBall
from benchmark.processes.allocator import keep_freed_memory
from lightning_modules.rts import LitRTS
from lightning_modules.rtsa import LitRTSA


def training(kind: str) -> Any:
    """The module of a kind: rts0, plain (the equal-budget RTS) or aid (anchored)."""
    torch.manual_seed(0)
    options = {"channels": (32, 64, 128, 256), "stem_width": 16}
    network = RTS(
        classifier=TimmClassifier(name="resnet10t", num_classes=10, options=options), image_size=48, blocks=4, width=16
    )
    recipe: dict[str, Any] = {"interpreter": network, "weights": MapWeights(), "blur": 4.0, "p_fake": 0.3}
    recipe |= {"lr": 1e-3, "weight_decay": 1e-4, "seed": 0}
    if kind == "rts0":
        return LitRTS(**recipe)
    if kind == "plain":
        return LitRTSA(**recipe)
    ball = LinfBall(epsilon=8 / 255, step_size=4 / 255, random_start=True)
    attack = GradientAttack(perturbation=ball, phases=[Phase(Joint(weight=20.0))], steps=5)
    return LitRTSA(**recipe, attack=attack, lambda_aid=10.0, kappa=0.3, lambda_anchor=10.0)


def main(kind: str, count: int) -> None:
    """Prints the median."""
    torch.set_num_threads(1)
    keep_freed_memory()
    module = training(kind)
    module.log = module.log_dict = lambda *args, **options: None
    module.setup("fit")
    module.interpreter.train()
    optimizer = torch.optim.Adam(module.parameters_to_train(), lr=1e-3, weight_decay=1e-4, fused=True)
    ids = torch.arange(64)
    image = rng.uniform(rng.sample_keys(0, "image", ids), 3, 48, 48)
    milliseconds = []
    for _ in range(count + 2):
        start = time.process_time()
        optimizer.zero_grad()
        module.training_step({"image": image, "label": ids % 10, "sample_id": ids}, 0).backward()
        optimizer.step()
        milliseconds.append(1e3 * (time.process_time() - start))
    print(f"{kind}: {statistics.median(milliseconds[2:]):.0f} ms a step")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
