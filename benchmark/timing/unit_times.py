"""Times a few units of each loop that a plan consists of, on drawn images and untrained networks."""

from __future__ import annotations

import copy
import logging
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch

from benchmark.configuration.instantiation import instantiate
from benchmark.configuration.specs import Config
from benchmark.data.epoch_loader import epoch_loader
from benchmark.numerics import layers
from benchmark.pipeline.artefacts.classifier import training_module
from benchmark.planning.image_counts import class_count, image_size
from benchmark.planning.work import Loop, steps_of
from benchmark.storage.hashing import content_hash
from benchmark.timing import bare
from benchmark.timing.blank_images import on_drawn_images
from benchmark.timing.clock import shortest, timer
from benchmark.timing.workbench import Workbench

log = logging.getLogger("underfire")

STEPS = 6  # of an attack that is timed: two lengths, whose difference is these steps
PASSES = 20  # of adv2_auto: some for each of its members
LARGE = 100  # pixels from which fewer images are enough


def unit_times(loops: list[Loop], threads: int, *, most_seconds: float = 240.0) -> Iterator[tuple[Loop, float, int]]:
    """(loop, seconds of a unit, bytes of what it makes) of each, until so many seconds are over.

    A loop that cannot be timed (a network that does not go with its interpreter) is named and left out.
    """
    loops = [loop for loop in loops if loop.name != "unknown"]
    end, benches = time.monotonic() + most_seconds, dict[str, Workbench]()
    for number, loop in enumerate(loops):
        if time.monotonic() > end:
            log.info("%d loops are not timed yet: the same command goes on with them", len(loops) - number)
            return
        try:
            config = _config(loop, threads)
            key = content_hash({name: config[name] for name in ("classifier", "interpreter", "data", "batch")})
            if key not in benches:
                benches.clear()  # one set of networks is held at a time
                benches[key] = Workbench(config)
            measures = loop.name in ("forward", "map", "start")
            with layers.as_written() if measures else layers.configured(config["trainer"]):
                seconds, size = _TIMED[loop.name](benches[key], loop)
            yield loop, seconds, size
        except Exception as error:
            log.info("%s: cannot be timed: %s", loop.label, error)


def _config(loop: Loop, threads: int) -> Config:
    """The loop's own configuration on drawn images, without logs, with its own batch where that is small enough."""
    config, size = loop.config, image_size(loop.config)
    classifier = loop.part if isinstance(loop.part, dict) else config["classifier"]
    on_gpu = torch.cuda.is_available() and config["trainer"]["accelerator"] != "cpu"
    batch = 64 if on_gpu else 4 if size > LARGE else 32
    return {
        **on_drawn_images({**config, "classifier": classifier}, size, class_count(config)),
        "trainer": {**config["trainer"], "threads": threads, "devices": 1},
        "batch": batch,
        "steps": STEPS,
    }


def _shortest(bench: Workbench, **works: Callable[[], object]) -> dict[str, float]:
    return shortest(works, 2, bench.device)


def _forward(bench: Workbench, loop: Loop) -> tuple[float, int]:
    seconds = _shortest(bench, work=lambda: bare.forward(bench, bench.image))["work"]
    return seconds / len(bench.image), _bytes(bench.classifier)


def _map(bench: Workbench, loop: Loop) -> tuple[float, int]:
    work = bare.maps(bench, bench.explained)
    seconds = _shortest(bench, work=work)["work"]
    made = bench.explained(bench.image[:1], bench.label[:1])
    return seconds / len(bench.image), 4 * made[0].numel()


def _classifier_step(bench: Workbench, loop: Loop) -> tuple[float, int]:
    group = bench.config["classifier"]
    if "ramp" in group["training"]["module"]:  # asks a Trainer how many steps there are
        training = group["training"]
        group = {**group, "training": {**training, "module": {**training["module"], "ramp": 0.0}}}
    sources = [bench.new_classifier() for _ in group["training"].get("sources") or ()]
    network = bench.new_classifier()
    step = bench.stepped(training_module(group, network, sources, np.arange(bench.classes)))
    return _shortest(bench, work=step)["work"] / len(bench.image), _bytes(network)


def _stage_step(bench: Workbench, loop: Loop) -> tuple[float, int]:
    group = bench.config["interpreter"]
    interpreter = bench.interpreter(group)
    assert interpreter.masking is not None
    interpreter.masking.requires_grad_(True)
    step = bench.trained(group["stages"][loop.part]["module"], {"interpreter": interpreter})
    return _shortest(bench, work=step)["work"] / len(bench.image), _bytes(interpreter.masking)


def _probe_step(bench: Workbench, loop: Loop) -> tuple[float, int]:
    probe = loop.config["probe"]
    on_cpu, large = bench.device.type == "cpu", bench.size > LARGE
    count = min(2 if large else 8, len(bench.image)) if on_cpu else len(bench.image)
    interpreter = bench.explained

    def work(steps: int) -> Callable[[], object]:
        made = _probe(probe, steps)
        if getattr(made, "needs_donors", False):
            made.donors_CDCHW = bench.image[:1].expand(bench.classes, 1, -1, -1, -1)
        if getattr(made, "goal_classes", None) == "trained":  # drawn images show none: which does not change the time
            made.classes_C = torch.arange(bench.classes, device=bench.device)
        return lambda: made(interpreter, bench.image[:count], bench.label[:count], bench.batch["sample_id"][:count])

    if "attack" not in probe["module"]:
        return _shortest(bench, work=work(1))["work"] / count, 0
    if "passes" in probe["module"]["attack"]:
        return shortest({"work": work(PASSES)}, 1, bench.device)["work"] / count / PASSES, 0
    rounds = steps_of(_shortened(probe["module"], STEPS)) / STEPS
    times = _shortest(bench, long=work(STEPS), short=work(1))
    return max(times["long"] - times["short"], 0.1 * times["long"]) / (STEPS - 1) / rounds / count, 0


def _probe(probe: Config, steps: int) -> Any:
    """The configured probe with so many steps; of noise, whose scale is not known yet, one of a middling scale."""
    if probe["level"] is not None:
        return instantiate(probe["module"], scale=0.2)
    return instantiate(_shortened(probe["module"], steps))


def _shortened(node: Any, steps: int) -> Any:
    """An attack with so many steps in all, its phases in the same proportion."""
    node = copy.deepcopy(node)
    attack = node.get("attack")
    if not isinstance(attack, dict):
        return node
    if "passes" in attack:
        attack["passes"] = steps
    elif isinstance(attack.get("attack"), dict):
        node["attack"] = _shortened(attack, steps)
    elif "steps" in attack:
        whole = attack["steps"] or 1
        for phase in attack.get("phases", ()):
            if phase.get("steps") is not None:
                phase["steps"] = min(round(phase["steps"] * steps / whole), steps)
        attack |= {"steps": steps, "steps_factor": 1} if "steps_factor" in attack else {"steps": steps}
    return node


def _start(bench: Workbench, loop: Loop) -> tuple[float, int]:
    """The networks are built, and a Trainer goes through one step of a training that has nothing to do."""
    from benchmark.engine.fit import fit
    from benchmark.tracking.wandb_run import RunInfo

    now = timer(bench.device)
    config = {**bench.config, "logger": {**bench.config["logger"], "mode": "disabled"}}
    begun = now()
    bench.interpreter(bench.config["interpreter"])
    bench.new_classifier()
    with tempfile.TemporaryDirectory() as folder:
        info = RunInfo(job_type="train", name="start", key="start", config={})
        fit(config, _Idle(), epoch_loader(_Nothing(), 1, seed=0), Path(folder), steps=1, info=info)
    return now() - begun, 0


_TIMED: dict[str, Callable[[Workbench, Loop], tuple[float, int]]] = {
    "forward": _forward,
    "map": _map,
    "classifier step": _classifier_step,
    "stage step": _stage_step,
    "probe step": _probe_step,
    "start": _start,
}


class _Nothing:
    """An image set of one pixel."""

    def __len__(self) -> int:
        return 1

    def __getitems__(self, indices: list[int]) -> dict[str, torch.Tensor]:
        return {"image": torch.zeros(len(indices), 1)}


class _Idle(pl.LightningModule):
    """A training with nothing to learn."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def training_step(self, batch: Any, index: int) -> torch.Tensor:
        return (self.weight * batch["image"].sum()).sum()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def _bytes(network: torch.nn.Module) -> int:
    return sum(each.numel() * each.element_size() for each in network.state_dict().values())
