"""Started twice by the test beside this file: one training step each on half of the batch, or one on all of it.

python two.py RANK WORLD PORT FOLDER KIND     the first process writes FOLDER/KIND-WORLD-PRECISION.safetensors
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from benchmark.classifiers.timm_classifier import TimmClassifier
from benchmark.data.epoch_loader import epoch_loader
from benchmark.engine import distributed
from benchmark.engine.fit import fit
from benchmark.interpreters.rts import RTS
from benchmark.numerics.modules import freeze
from benchmark.objectives.joint import Joint
from benchmark.objectives.rts import MapWeights
from benchmark.pipeline.artefacts.dataset import load_data
from benchmark.probes.attack import GradientAttack, Phase
from benchmark.probes.linf_ball import LinfBall
from benchmark.processes import ranks
from benchmark.tracking.wandb_run import RunInfo
from lightning_modules.adversarial import LitTRADES
from lightning_modules.classifier import LitClassifier
from lightning_modules.rts import LitSelector
from lightning_modules.rtsa import LitRTSA
from tests.helpers import configured

# Twice the same step: in double precision, to compare what is computed; in single, as the suite trains.
DOUBLE, SINGLE = PRECISIONS = ("64-true", "32-true")
RECIPE = {"p_fake": 0.3, "lr": 0.01, "weight_decay": 0.0, "seed": 0}


class Plain:
    """Gradient descent, whose steps are as near as the gradients are (Adam's are not)."""

    step_size = 0.001

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters_to_train(), lr=self.step_size)


class Classifier(Plain, LitClassifier):
    """See Plain."""


class Robust(Plain, LitTRADES):
    """See Plain."""


class Selector(Plain, LitSelector):
    """See Plain."""

    step_size = 0.1


class Distilled(Plain, LitRTSA):
    """See Plain."""


def module(kind: str) -> tuple[torch.nn.Module, torch.nn.Module]:
    """What is trained, and the module that trains it."""
    torch.manual_seed(0)
    network = TimmClassifier(name="resnet10t", num_classes=10, options={"channels": (8, 8, 16, 16), "stem_width": 8})
    if kind == "classifier":
        return network, Classifier(network=network, lr=0.01, weight_decay=0.0, seed=0)
    if kind == "robust":  # at the random start: the sign of a gradient turns on the order of a sum
        ball = LinfBall(epsilon=8 / 255, step_size=8 / 255, random_start=True)
        options = {"beta": 6.0, "perturbation": ball, "steps": 0}
        return network, Robust(network=network, lr=0.01, weight_decay=0.0, seed=0, **options)
    interpreter = RTS(classifier=freeze(network), image_size=48, blocks=3, width=8)
    if kind == "selector":
        return interpreter.masking, Selector(interpreter=interpreter, **RECIPE)
    ball = LinfBall(epsilon=8 / 255, step_size=8 / 255, random_start=True)
    attack = GradientAttack(perturbation=ball, steps=0, phases=[Phase(Joint(weight=20))])
    aid = {"attack": attack, "lambda_aid": 20.0, "kappa": 0.3, "lambda_anchor": 10.0}
    return interpreter.masking, Distilled(interpreter=interpreter, weights=MapWeights(), blur=4.0, **RECIPE, **aid)


def main(rank: int, world: int, port: str, folder: Path, kind: str) -> None:
    torch.set_num_threads(1)
    trainer = ["trainer=cpu"]
    if world > 1:
        os.environ |= {"LOCAL_RANK": str(rank), "WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1"}
        os.environ |= {"MASTER_PORT": port, "NODE_RANK": "0"}
        trainer = ["trainer=ddp", "trainer.accelerator=cpu", f"trainer.devices={world}"]
    config = configured(folder, *trainer)
    distributed.join(config)
    assert (ranks.rank(), ranks.world_size()) == (rank, world)
    for precision in PRECISIONS:
        precise = {**config, "trainer": {**config["trainer"], "precision": precision}}
        one_step(precise, kind, folder / f"{kind}-{world}-{precision}")


def one_step(config: dict[str, Any], kind: str, place: Path) -> None:
    """Trains for one step and leaves the state beside the folder ``place``."""
    trained, lit = module(kind)
    info = RunInfo("train", kind, kind, {})
    place.mkdir(exist_ok=True)
    loader = epoch_loader(load_data(config).split("train"), 32, seed=0)
    fit(config, lit, loader, place, steps=1, info=info)
    if ranks.is_main_process():
        save_file({name: value.contiguous() for name, value in trained.state_dict().items()}, f"{place}.safetensors")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], Path(sys.argv[4]), sys.argv[5])
