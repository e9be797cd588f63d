"""Untrained networks and drawn images, from the configuration of ``speed``, for loops to be timed on."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from benchmark.classifiers.timm_classifier import TimmClassifier
from benchmark.configuration.instantiation import instantiate
from benchmark.configuration.specs import Config
from benchmark.interpreters.base import BaseInterpreter
from benchmark.numerics import rng
from benchmark.numerics.images import quantise
from benchmark.numerics.modules import freeze
from benchmark.pipeline.artefacts.classifier import build_classifier
from benchmark.pipeline.artefacts.dataset import load_data
from benchmark.pipeline.artefacts.interpreter import build_interpreter
from benchmark.pipeline.context import RunContext
from benchmark.types import Batch, Goal


class Workbench:
    """What every loop works on.

    Args:
        config: of the command ``speed``, resolved.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.ctx = RunContext(config)
        self.device = self.ctx.device
        data = load_data(config)
        self.size, self.classes = data.image_size, data.num_classes
        self.classifier = self.new_classifier()
        ids = torch.arange(config["batch"])
        key_B = rng.sample_keys(config["seed"], "speed", ids)
        image = quantise(rng.uniform(key_B, 3, self.size, self.size))
        label = rng.integers(key_B, self.classes, 1)[:, 0]
        self.key_B = key_B.to(self.device)
        self.image, self.label = image.to(self.device), label.to(self.device)
        self.target = (self.label + 1) % self.classes
        self.batch = Batch(image=self.image, label=self.label, sample_id=ids.to(self.device))

    def new_classifier(self) -> TimmClassifier:
        """Frozen, on the device."""
        return freeze(build_classifier(self.ctx)).to(self.device)

    def interpreter(self, group: Config, **changed: Any) -> BaseInterpreter:
        """The frozen interpreter of a group on the classifier; ``changed`` are options of its network."""
        group = {**group, "network": {**group["network"], **changed}}
        return freeze(build_interpreter(self.ctx.for_interpreter(group), self.classifier))

    @cached_property
    def explained(self) -> BaseInterpreter:
        """The configured interpreter."""
        return self.interpreter(self.config["interpreter"])

    @cached_property
    def two_networks(self) -> BaseInterpreter:
        """RTS as its authors attack it: the encoder is another network with the classifier's weights."""
        network = self.config["interpreter"]["network"]
        made = instantiate(
            network, classifier=self.classifier, image_size=self.size, encoder=copy.deepcopy(self.classifier)
        )
        return freeze(made).to(self.device)

    def goal(self, interpreter: BaseInterpreter) -> Goal:
        """Another class, with the benign map."""
        return Goal(self.target, interpreter.stacked()(self.image, self.label).detach())

    def attack(self, probe: Config, *, joint: bool, steps: int) -> Any:
        """The attack of a probe of two phases, with one of them alone."""
        node = probe["module"]["attack"]
        phase = node["phases"][-1 if joint else 0] | {"steps": None}
        return instantiate(node | {"phases": [phase], "steps": steps, "steps_factor": 1})

    def trained(self, node: Config, network: dict[str, Any]) -> Callable[[], None]:
        """One step of a training on the images, its optimizer included, without a Trainer and its logs."""
        return self.stepped(instantiate(node, **network))

    def stepped(self, module: Any) -> Callable[[], None]:
        """One step of a LightningModule's training, as :meth:`trained`."""
        module = module.to(self.device)
        module.setup("fit")
        module.train()
        module.log = module.log_dict = lambda *args, **options: None
        optimizer = module.new_optimizer()

        def step() -> None:
            loss = module.training_step(self.batch, 0)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

        return step

    def on_several(self, tensor: Tensor, times: int) -> Tensor:
        """The images, so many times."""
        return tensor.repeat(times, *[1] * (tensor.ndim - 1))
