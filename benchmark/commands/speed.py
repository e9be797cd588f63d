"""``python -m benchmark speed``: what one step of an attack costs, as ratios within one run."""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Callable
from typing import Any

from omegaconf import DictConfig

from benchmark.commands.common.job import job

log = logging.getLogger("underfire")


def main(config: DictConfig) -> None:
    """Prints milliseconds a step and their ratios; nothing is kept."""

    def work(resolved: dict[str, Any]) -> str:
        found = ratios(resolved)
        log.info(
            "%s under %s: step %.1f ms; %.2f of the bare forward and backward of its map; %.2f of the classifier's",
            resolved["interpreter"]["name"],
            resolved["probe"]["name"],
            1e3 * found["step"],
            found["step"] / found["map"],
            found["step"] / found["classifier"],
        )
        return "done"

    job(config, lambda settings: settings["interpreter"]["name"], work)


def ratios(config: dict[str, Any]) -> dict[str, float]:
    """Seconds of one attack ``step``, and of one forward and backward of the ``map`` and of the ``classifier``."""
    import torch

    from benchmark.configuration.instantiation import instantiate
    from benchmark.numerics import rng
    from benchmark.numerics.modules import freeze
    from benchmark.pipeline.artefacts.classifier import build_classifier
    from benchmark.pipeline.artefacts.dataset import load_data
    from benchmark.pipeline.artefacts.interpreter import build_interpreter
    from benchmark.pipeline.context import RunContext
    from benchmark.types import Goal

    ctx = RunContext(config)
    data = load_data(config)
    network = freeze(build_classifier(ctx)).to(ctx.device)
    explained = freeze(build_interpreter(ctx, network))
    if not explained.differentiable:
        raise ValueError(f"interpreter={config['interpreter']['name']} has no gradient to attack by, nothing to time")
    surrogate = explained.surrogate()
    key_B = rng.sample_keys(config["seed"], "speed", torch.arange(config["batch"])).to(ctx.device)
    image = rng.uniform(key_B, 3, data.image_size, data.image_size)
    target = rng.integers(key_B, data.num_classes, 1)[:, 0]
    goal = Goal(target, surrogate(image, target).detach())
    attack = instantiate(config["probe"]["module"]["attack"], steps=config["steps"], **_warmup(config))

    no_steps = instantiate(config["probe"]["module"]["attack"], steps=0, **_warmup(config))

    def attacked() -> None:
        attack(surrogate, image, goal, key_B)

    def without_steps() -> None:
        no_steps(surrogate, image, goal, key_B)

    def mapped() -> None:
        point = image.clone().requires_grad_()
        explanation = surrogate.explain(point, target)
        torch.autograd.grad(explanation.logits_BK.sum() + explanation.map_Bhw.sum(), point)

    def classified() -> None:
        point = image.clone().requires_grad_()
        torch.autograd.grad(network(point).sum(), point)

    times = _medians(
        {"step": attacked, "end": without_steps, "map": mapped, "classifier": classified}, config["repeats"], ctx.device
    )
    return times | {"step": (times["step"] - times["end"]) / config["steps"]}


def _warmup(config: dict[str, Any]) -> dict[str, Any]:
    """Joint steps only: the step that needs the map is the one that is timed."""
    phases = config["probe"]["module"]["attack"]["phases"]
    return {"phases": [phases[-1] | {"steps": None}]}


def _medians(works: dict[str, Callable[[], None]], repeats: int, device: Any) -> dict[str, float]:
    import torch

    seconds: dict[str, list[float]] = {name: [] for name in works}
    for repeat in range(repeats + 1):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            if device.type == "cuda":
                torch.cuda.synchronize()
            if repeat:  # the first round warms up
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}
