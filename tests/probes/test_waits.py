"""No step of an attack waits for the device: what a host has to wait for does not grow with the steps.

On a CPU nothing waits; the operations that would on a GPU are counted as they are dispatched.
"""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from benchmark.configuration.instantiation import instantiate
from benchmark.interpreters.base import BaseInterpreter
from benchmark.numerics import rng
from benchmark.probes.finite import EVERY
from benchmark.types import Goal
from tests.helpers import configured

COUNT, SIDE = 4, 16
WAITING = {"_local_scalar_dense", "nonzero", "equal", "masked_select", "is_nonzero", "unique_dim", "_unique2"}
NAMES = ("pgd", "adv2", "adv2_stadv", "adv2_auto", "cw")


class Waits(TorchDispatchMode):
    """Counts the operations whose result the host needs."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.__name__.split(".")[0]
        by_mask = name in ("index", "index_put", "index_put_") and any(
            isinstance(each, torch.Tensor) and each.dtype == torch.bool for each in args[1]
        )
        if name in WAITING or by_mask:
            self.found.append(name)
        return func(*args, **(kwargs or {}))


class Linear(nn.Module):
    num_classes = 3

    def __init__(self) -> None:
        super().__init__()
        weight = torch.randn(3, 3 * SIDE**2, generator=torch.Generator().manual_seed(0))
        self.weight = nn.Parameter(0.1 * weight, requires_grad=False)

    def forward(self, image_BCHW):
        return image_BCHW.flatten(1) @ self.weight.T


class Green(BaseInterpreter):
    def attribution_map(self, image_BCHW, class_B):
        return image_BCHW[:, 1]


@pytest.mark.parametrize("name", NAMES)
def test_waits_do_not_grow_with_steps(tmp_path, name):
    counts = []
    for steps in (3 * EVERY + 1, 4 * EVERY - 1):  # both are looked at three times for what is not finite
        own = [f"probe.passes={steps}"] if "auto" in name else [f"probe.steps={steps}", "budget.attack_warmup=2"]
        settings = configured(tmp_path, f"probe={name}", *own)["probe"]
        attack = instantiate(settings["module"]).attack
        if "auto" in name:  # between two members it asks which samples are finished, so that others leave
            attack.members = attack.members[:1]
        image = rng.uniform(rng.sample_keys(0, "waits", torch.arange(COUNT)), 3, SIDE, SIDE)
        interpreter = Green(classifier=Linear())
        class_B = interpreter.classifier(image).argmax(1)
        goal = Goal((class_B + 1) % 3, interpreter(image, class_B))
        with Waits() as waits:
            attack(interpreter, image, goal, torch.arange(COUNT))
        counts.append(sorted(waits.found))
    assert counts[0] == counts[1]
