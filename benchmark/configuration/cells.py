"""A cell of the benchmark: one resolved configuration, and the identity that follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmark.configuration.specs import Config, cell_spec
from benchmark.storage.artefacts import artefact_key


@dataclass(frozen=True)
class Cell:
    """One row of the benchmark: data x classifier x interpreter x probe x seed, at one budget.

    config: the resolved configuration, from which the identity follows. Each part of the identity is computed once;
    it is a FileNotFoundError or ValueError if a checkpoint or data folder of the configuration cannot be read.
    """

    config: Config

    @cached_property
    def key(self) -> str:
        """The hash of everything that the result depends on."""
        return artefact_key("cell", cell_spec(self.config))

    @cached_property
    def name(self) -> str:
        """The folder name of the record: readable, and unique by the key."""
        return f"{_readable(self.config)}-{self.key[:8]}"

    @cached_property
    def folder(self) -> Path:
        """Where the record lies."""
        return Path(self.config["paths"]["results"]) / self.name

    def identity(self) -> dict[str, Any]:
        """The fields of cell.json by which records are chosen, and the whole configuration."""
        config, probe = self.config, self.config["probe"]
        return {
            "cell": self.key,
            "name": self.name,
            "data": config["data"]["name"],
            "classifier": config["classifier"]["label"],
            "interpreter": config["interpreter"]["name"],
            "probe": probe["name"],
            "level": probe["level"],
            "steps_factor": probe["steps_factor"],
            "seed": config["seed"],
            "data_seed": config["data"]["seed"],
            "split": config["split"],
            "budget": config["budget"]["name"],
            "experiment": config.get("experiment_name"),
            "config": config,
        }


def _readable(config: Config) -> str:
    """data-classifier-interpreter-probe-seed, with what sets the probe apart from others of its name."""
    probe = config["probe"]
    level = probe["level"]
    perturbation = str(probe["name"])
    if level is not None:  # a level that is no number still names the record of its failure
        perturbation += f"_{level:g}" if isinstance(level, int | float) else f"_{level}"
    if probe["steps_factor"] != 1:
        perturbation += f"_x{probe['steps_factor']}"
    if probe.get("source") is not None:
        perturbation += f"_from_{probe['source']['name']}"
    if probe.get("surrogate") is not None:
        perturbation += f"_on_{probe['surrogate']['label']}"
    parts = (config["data"]["name"], config["classifier"]["label"], config["interpreter"]["name"])
    return "-".join(map(str, (*parts, perturbation, f"s{config['seed']}")))
