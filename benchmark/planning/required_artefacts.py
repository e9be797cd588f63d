"""What a cell is made of: its artefacts, in the order in which they are made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from benchmark.configuration.specs import (
    classifier_spec,
    predictions_spec,
    probed_spec,
    scale_spec,
    source_config,
    spread_noise,
    spread_spec,
    stage_specs,
)
from benchmark.storage.artefacts import artefact_key

Spec = dict[str, Any]


@dataclass(frozen=True)
class ArtefactRef:
    """An artefact that a cell uses: kind and hash, together its place in the store, and what one user calls it."""

    kind: str
    key: str
    label: str = field(compare=False)


def required_artefacts(config: Spec) -> list[ArtefactRef]:
    """Every artefact that the cell uses, each once.

    Raises:
        ValueError, OSError: a data folder or checkpoint that the configuration names cannot be used.
    """
    return list(dict.fromkeys([*_measured(config), *_made(source_config(config))]))


def _measured(config: Spec) -> Iterator[ArtefactRef]:
    """Of the interpreter that is measured."""
    yield from _classifier(config, config["classifier"])
    yield _ref("predictions", predictions_spec(config), f"predictions {config['split']}")
    yield from _interpreter(config, config["interpreter"])
    calibration = {**predictions_spec(config), "split": "calibration"}
    yield _ref("predictions", calibration, "predictions calibration")
    noise, level = spread_noise(config)
    yield _ref("scale", scale_spec(config, noise, level), f"noise {noise['kind']} {level:g}")
    yield _ref("spread", spread_spec(config), f"spread {config['interpreter']['name']}")


def _made(config: Spec) -> Iterator[ArtefactRef]:
    """Of what the probe attacks: the same, or a source and a surrogate."""
    probe = config["probe"]
    if probe["module"] is None:
        return
    yield from _classifier(config, config["classifier"])
    yield _ref("predictions", predictions_spec(config), f"predictions {config['split']}")
    if probe["needs_map"]:
        yield from _interpreter(config, config["interpreter"])
    if probe["level"] is not None:
        calibration = {**predictions_spec(config), "split": "calibration"}
        yield _ref("predictions", calibration, "predictions calibration")
        label = f"noise {probe['module']['kind']} {probe['level']:g}"
        yield _ref("scale", scale_spec(config, probe["module"], probe["level"]), label)
    yield _ref("probed", probed_spec(config), f"probed {probe['name']}")


def _classifier(config: Spec, group: Spec) -> Iterator[ArtefactRef]:
    yield _ref("classifier", classifier_spec(config, group), f"{group['label']} s{group['seed']}")


def _interpreter(config: Spec, group: Spec) -> Iterator[ArtefactRef]:
    members = list((group.get("members") or {}).values())
    for member in members or [group]:
        if member.get("encoder") is not None:
            yield from _classifier(config, member["encoder"])
        for name, spec in stage_specs({**config, "interpreter": member}):
            yield _ref("interpreter", spec, f"{member['name']} {name} s{member['seed']}")


def _ref(kind: str, spec: Spec, label: str) -> ArtefactRef:
    return ArtefactRef(kind, artefact_key(kind, spec), label)
