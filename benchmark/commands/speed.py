"""``python -m benchmark speed``: what the hot loops cost, as ratios within one run."""

from __future__ import annotations

import logging
from typing import Any

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from benchmark.commands.common.job import job
from benchmark.configuration.resolution import as_dict

log = logging.getLogger("underfire")

CLASSES = 1000  # of drawn images


def main(config: DictConfig) -> None:
    """Prints a table of loops, and one of other packages if asked for; nothing is kept."""

    def work(resolved: dict[str, Any]) -> str:
        for line in table(resolved):
            log.info("%s", line)
        return "done"

    job(config, lambda settings: settings["interpreter"]["name"], work)


def table(config: dict[str, Any]) -> list[str]:
    """The lines that are printed.

    Raises:
        ValueError: a loop that there is not, or that the configured interpreter does not have.
    """
    from benchmark.numerics import layers
    from benchmark.timing import peers, report
    from benchmark.timing.blank_images import on_drawn_images
    from benchmark.timing.loop import Loop
    from benchmark.timing.loops import LOOPS
    from benchmark.timing.workbench import Workbench

    names = list(LOOPS) if config["loops"] is None else list(config["loops"])
    if unknown := [name for name in names if name not in LOOPS]:
        raise ValueError(f"loops={unknown}: there is no such loop; there are {', '.join(LOOPS)}")
    compared = None if isinstance(config["peers"], bool) else list(config["peers"])
    if unknown := [name for name in compared or [] if name not in peers.PEERS]:
        raise ValueError(f"peers={unknown}: nothing is compared of that name; there are {', '.join(peers.PEERS)}")
    if "adv2_auto" in names:
        config = {**config, "auto": _automatic(config)}
    if (size := config["image_size"]) is not None:
        config = on_drawn_images(config, size, CLASSES)
    bench = Workbench(config)
    made: list[Loop] = []
    left_out: list[str] = []
    for name in names:
        try:
            made += LOOPS[name](bench)
        except ValueError as error:
            if config["loops"] is not None:
                raise
            left_out.append(f"{name} is left out: {error}")
    told = [
        f"{config['classifier']['label']} at {bench.size} px, {config['batch']} images, {bench.device}: a step's time "
        "over that of the bare passes that it needs (F a forward pass, FB a forward and backward pass, B the images)"
    ]
    with layers.configured(config["trainer"]):
        told += [*report.lines(report.costs(bench, made, config["repeats"])), *left_out]
        if config["peers"]:
            told += ["", *peers.lines(*peers.compared(bench, config["repeats"], compared))]
    return told


def _automatic(config: dict[str, Any]) -> dict[str, Any]:
    """probe=adv2_auto under the same command line."""
    own = [each for each in HydraConfig.get().overrides.task if not each.lstrip("+~").startswith("probe")]
    overrides = [*own, "probe=adv2_auto", f"probe.passes={config['auto_passes']}"]
    probe: dict[str, Any] = as_dict(compose("speed", overrides=overrides))["probe"]
    return probe
