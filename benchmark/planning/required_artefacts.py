"""What a cell is made of: its artefacts, in the order in which they are made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from benchmark.configuration.specs import (
    attacked,
    classifier_spec,
    predictions_spec,
    probed_spec,
    scale_spec,
    spread_noise,
    spread_spec,
    stage_specs,
)
from benchmark.storage.artefacts import artefact_key

Spec = dict[str, Any]


@dataclass(frozen=True)
class Need:
    """An artefact that a cell uses: kind and hash, together its place in the store, and what one user calls it."""

    kind: str
    key: str
    label: str = field(compare=False)


def needs(config: Spec) -> list[Need]:
    """Every artefact that the cell uses, each once.

    Raises:
        ValueError, OSError: a data folder or checkpoint that the configuration names cannot be used.
    """
    return list(dict.fromkeys([*_measured(config), *_made(attacked(config))]))


def _measured(config: Spec) -> Iterator[Need]:
    """Of the interpreter that is measured."""
    yield from _classifier(config, config["classifier"])
    yield _need("predictions", predictions_spec(config), f"predictions {config['split']}")
    yield from _interpreter(config, config["interpreter"])
    calibration = {**predictions_spec(config), "split": "calibration"}
    yield _need("predictions", calibration, "predictions calibration")
    noise, level = spread_noise(config)
    yield _need("scale", scale_spec(config, noise, level), f"noise {noise['kind']} {level:g}")
    yield _need("spread", spread_spec(config), f"spread {config['interpreter']['name']}")


def _made(config: Spec) -> Iterator[Need]:
    """Of what the probe attacks: the same, or a source and a surrogate."""
    probe = config["probe"]
    if probe["module"] is None:
        return
    yield from _classifier(config, config["classifier"])
    yield _need("predictions", predictions_spec(config), f"predictions {config['split']}")
    if probe["reads_maps"]:
        yield from _interpreter(config, config["interpreter"])
    if probe["level"] is not None:
        calibration = {**predictions_spec(config), "split": "calibration"}
        yield _need("predictions", calibration, "predictions calibration")
        label = f"noise {probe['module']['kind']} {probe['level']:g}"
        yield _need("scale", scale_spec(config, probe["module"], probe["level"]), label)
    yield _need("probed", probed_spec(config), f"probed {probe['name']}")


def _classifier(config: Spec, group: Spec) -> Iterator[Need]:
    yield _need("classifier", classifier_spec(config, group), f"{group['label']} s{group['seed']}")


def _interpreter(config: Spec, group: Spec) -> Iterator[Need]:
    members = list((group.get("members") or {}).values())
    for member in members or [group]:
        if member.get("encoder") is not None:
            yield from _classifier(config, member["encoder"])
        for name, spec in stage_specs({**config, "interpreter": member}):
            yield _need("interpreter", spec, f"{member['name']} {name} s{member['seed']}")


def _need(kind: str, spec: Spec, label: str) -> Need:
    return Need(kind, artefact_key(kind, spec), label)
