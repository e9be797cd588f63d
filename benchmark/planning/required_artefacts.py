"""The graph of artefacts: what each is made from, and which of them a cell needs, in the order of making.

``plan`` and ``status`` list these references; the pipeline makes the artefacts that they name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from benchmark.configuration.specs import (
    SPREAD_LEVEL,
    Config,
    Spec,
    classifier_spec,
    of_stage,
    predictions_spec,
    probed_spec,
    scale_spec,
    source_config,
    spread_noise,
    spread_spec,
    stage_specs,
    training_sources,
    training_start,
)
from benchmark.storage.artefacts import artefact_key


@dataclass(frozen=True)
class ArtefactRef:
    """An artefact, made or not: kind and key (the hash of its spec) are its place in the store.

    name: what the record of a cell calls it. label: what a plan calls it. config: the configuration that it is made by;
    part: of that, what is made: a classifier's group, or the name of a training stage.
    """

    kind: str
    key: str
    spec: Spec = field(compare=False, repr=False)
    name: str = field(compare=False)
    label: str = field(compare=False)
    config: Config = field(compare=False, repr=False)
    part: Any = field(default=None, compare=False, repr=False)


def classifier_ref(config: Config, group: Config | None = None, name: str = "classifier") -> ArtefactRef:
    """The explained classifier, or the one of ``group`` (an encoder)."""
    chosen = config["classifier"] if group is None else group
    label = f"{chosen['label']} s{chosen['seed']}"
    return _ref(config, "classifier", classifier_spec(config, group), name, label, chosen)


def classifier_refs(config: Config, group: Config | None = None, name: str = "classifier") -> Iterator[ArtefactRef]:
    """A classifier, after those that its training needs."""
    chosen = config["classifier"] if group is None else group
    if (start := training_start(chosen)) is not None:
        yield from classifier_refs(config, start, start_name(name))
    for key, source in training_sources(chosen).items():
        yield from classifier_refs(config, source, source_name(name, key))
    yield classifier_ref(config, group, name)


def start_name(name: str) -> str:
    """What the record of a cell calls the weights that the training of a classifier goes on from."""
    return f"{name} start"


def source_name(name: str, key: str) -> str:
    """What the record of a cell calls a classifier that the training of another needs."""
    return f"{name} source {key}"


def predictions_ref(config: Config, split: str) -> ArtefactRef:
    """The classifier's decisions on a split."""
    return _ref(config, "predictions", predictions_spec(config, split), f"predictions {split}")


def stage_refs(config: Config) -> dict[str, ArtefactRef]:
    """The training stages of the interpreter by name, in order, each with the interpreter as it is trained there."""
    group = config["interpreter"]
    found = {}
    for stage, spec in stage_specs(config):
        trained, label = {**config, "interpreter": of_stage(group, stage)}, f"{group['name']} {stage} s{group['seed']}"
        found[stage] = _ref(trained, "interpreter", spec, f"interpreter {stage}", label, stage)
    return found


def scale_ref(config: Config, module: Spec, level: float) -> ArtefactRef:
    """The scale of a noise that causes a misclassification rate."""
    return _ref(config, "scale", scale_spec(config, module, level), f"noise {module['kind']} {level:g}")


def spread_ref(config: Config) -> ArtefactRef:
    """The benign spread of the interpreter."""
    return _ref(config, "spread", spread_spec(config), "spread", f"spread {config['interpreter']['name']}")


def probed_ref(config: Config) -> ArtefactRef:
    """The perturbed images."""
    return _ref(config, "probed", probed_spec(config), "probed", f"probed {config['probe']['name']}")


def _ref(config: Config, kind: str, spec: Spec, name: str, label: str | None = None, part: Any = None) -> ArtefactRef:
    return ArtefactRef(kind, artefact_key(kind, spec), spec, name, name if label is None else label, config, part)


def required_artefacts(config: Config) -> list[ArtefactRef]:
    """Every artefact that the cell needs, each once.

    Raises:
        ValueError, OSError: a data folder or checkpoint that the configuration names cannot be used.
    """
    perturbing = _of_perturbing(source_config(config))
    return list(dict.fromkeys([*_of_explaining(config), *perturbing, *_of_measuring(config)]))


def _of_explaining(config: Config) -> Iterator[ArtefactRef]:
    """The measured interpreter."""
    yield from classifier_refs(config)
    yield predictions_ref(config, config["split"])
    yield from _of_interpreter(config)


def _of_measuring(config: Config) -> Iterator[ArtefactRef]:
    """What the measures read beside the interpreter and the perturbed images."""
    yield predictions_ref(config, "calibration")
    yield scale_ref(config, spread_noise(config), SPREAD_LEVEL)
    yield spread_ref(config)


def _of_perturbing(config: Config) -> Iterator[ArtefactRef]:
    """What the perturbed images take; ``config`` is that of the source."""
    probe = config["probe"]
    if probe["module"] is None:
        return
    yield from classifier_refs(config)
    yield predictions_ref(config, config["split"])
    if probe["needs_map"]:
        yield from _of_interpreter(config)
    if probe["level"] is not None:
        yield predictions_ref(config, "calibration")
        yield scale_ref(config, probe["module"], probe["level"])
    yield probed_ref(config)


def _of_interpreter(config: Config) -> Iterator[ArtefactRef]:
    group = config["interpreter"]
    for member in list((group.get("members") or {}).values()) or [group]:
        if member.get("encoder") is not None:
            yield from classifier_refs(config, member["encoder"], "encoder")
        yield from stage_refs({**config, "interpreter": member}).values()
