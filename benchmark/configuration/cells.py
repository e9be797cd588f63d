"""A cell of the benchmark: one resolved configuration, and the identity that follows from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark.configuration.specs import Config, cell_spec
from benchmark.storage.artefacts import artefact_key


@dataclass(frozen=True)
class Cell:
    """One row of the benchmark: data x classifier x interpreter x probe x seed, at one budget.

    config: the resolved configuration. key: the hash of everything that the result depends on. name: the record's
    folder name, readable, and unique by the key. folder: where the record lies.
    """

    config: Config = field(compare=False, repr=False)
    key: str
    name: str
    folder: Path

    @classmethod
    def of(cls, config: Config) -> Cell:
        """The cell that a configuration describes.

        Raises:
            FileNotFoundError, ValueError: a checkpoint or data folder that the configuration names cannot be read.
        """
        key = artefact_key("cell", cell_spec(config))
        name = f"{_readable(config)}-{key[:8]}"
        return cls(config, key, name, Path(config["paths"]["results"]) / name)

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
