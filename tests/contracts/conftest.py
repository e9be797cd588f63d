"""What every option of conf/ is tried on: a small untrained classifier, and some composites."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from benchmark.classifiers.timm_classifier import TimmClassifier
from benchmark.numerics.modules import freeze
from benchmark.pipeline.artefacts.dataset import load_data
from benchmark.pipeline.artefacts.interpreter import build_interpreter
from benchmark.pipeline.context import RunContext
from tests.helpers import configured


@pytest.fixture(scope="session")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("contracts")


@pytest.fixture(scope="session")
def classifier():
    torch.manual_seed(0)
    net = TimmClassifier(name="resnet10t", num_classes=10, options={"channels": (8, 12, 16, 24), "stem_width": 8})
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):  # statistics as after training
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.data.uniform_(0.5, 1.5)
    with torch.no_grad():
        net.net.get_classifier().weight *= 4
    return freeze(net)


@pytest.fixture(scope="session")
def batch(root):
    """Three composites of digits."""
    return load_data(configured(root)).split("test").__getitems__([0, 1, 2])


@pytest.fixture(scope="session")
def made(root, classifier):
    """An interpreter by the name of its yaml."""
    small = {"mask": ("steps=6", "tracked=3"), "rise": ("network.masks=30",), "smoothgrad": ("samples=3",)}

    def make(name: str):
        overrides = [f"interpreter={name}", *(f"interpreter.{each}" for each in small.get(name, ()))]
        return freeze(build_interpreter(RunContext(configured(root, *overrides)), classifier))

    return make
