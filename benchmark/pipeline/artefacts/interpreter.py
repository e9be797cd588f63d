"""The configured interpreter: its training stages, each an artefact on top of the one before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from benchmark.classifiers.timm_classifier import TimmClassifier
from benchmark.configuration.instantiation import instantiate
from benchmark.configuration.specs import classifier_spec, stage_specs
from benchmark.data.groups import epoch_loader
from benchmark.engine.external_weights import load_external_weights
from benchmark.engine.fit import fit
from benchmark.numerics.images import freeze
from benchmark.pipeline.artefacts.classifier import get_classifier
from benchmark.pipeline.artefacts.dataset import load_data
from benchmark.pipeline.context import RunContext, seeded
from benchmark.processes import ranks
from benchmark.storage.artefacts import artefact_key
from benchmark.storage.paths import WEIGHTS
from benchmark.types import InterpreterModule


def build(place: RunContext, classifier: TimmClassifier, trained: bool = False) -> InterpreterModule:
    """The interpreter with fresh weights, seeded; with ``trained`` the members of an ensemble have theirs."""
    group = place.config["interpreter"]
    parts: dict[str, Any] = {"classifier": classifier}
    if members := group.get("members"):
        make = get_interpreter if trained else build
        parts["members"] = [make(place.explained_by(member), classifier) for member in members.values()]
    if group.get("encoder") is not None:
        parts["encoder"] = get_classifier(place, group["encoder"], "encoder")
    with seeded(group["seed"], "interpreter"):
        interpreter = instantiate(group["network"], image_size=load_data(place.config).image_size, **parts)
    return interpreter.to(place.device)


def get_interpreter(place: RunContext, classifier: TimmClassifier, until: str | None = None) -> InterpreterModule:
    """The interpreter after its last stage, or after the stage named ``until``; frozen, in eval mode."""
    interpreter = build(place, classifier, trained=True)
    stages = place.config["interpreter"].get("stages", {})
    before: Path | None = None
    for name, spec in stage_specs(place.config):

        def make(folder: Path, name: str = name, before: Path | None = before) -> dict[str, Any]:
            if name == "checkpoint":
                told = load_checkpoint(place, interpreter)
                _save(interpreter, folder)
                return told
            return _train(place, interpreter, stages[name], name, before, folder)

        before = place.artefact("interpreter", f"interpreter {name}", spec, make, alone=False).path
        if name == until:
            break
    if before is not None:
        interpreter.masking.load_state_dict(load_file(before / WEIGHTS))
    return freeze(interpreter)


def get_reference(place: RunContext, classifier: TimmClassifier) -> InterpreterModule | None:
    """RTS_0, the common starting point of interpreters that have one."""
    stage = place.config["interpreter"].get("reference")
    if stage is None or place.config["interpreter"].get("checkpoint") is not None:
        return None
    return get_interpreter(place, classifier, until=stage)


def _train(
    place: RunContext,
    interpreter: InterpreterModule,
    stage: dict[str, Any],
    name: str,
    before: Path | None,
    folder: Path,
) -> dict[str, Any]:
    group = place.config["interpreter"]
    if before is not None:
        interpreter.masking.load_state_dict(load_file(before / WEIGHTS))
    interpreter.masking.requires_grad_(True)
    module = instantiate(stage["module"], interpreter=interpreter)
    data = load_data(place.config)
    metrics = fit(
        place.config,
        module,
        epoch_loader(data.split("train"), stage["batch_size"], seed=group["seed"]),
        folder,
        steps=stage["steps"],
        job={
            "job_type": "train",
            "name": f"{group['name']} {name} s{group['seed']}",
            "id": folder.name.split(".")[0],
            "tags": [place.config["data"]["name"], place.config["classifier"]["label"], group["name"], name],
            "config": {key: place.config[key] for key in ("data", "classifier", "interpreter")},
        },
    )
    _save(interpreter, folder)
    interpreter.to(place.device)
    return {key: float(value) for key, value in metrics.items()}


def load_checkpoint(place: RunContext, interpreter: InterpreterModule) -> dict[str, Any]:
    """Somebody else's weights, taken as they are.

    Raises:
        ValueError: the interpreter has none, or they belong to another one.
    """
    group = place.config["interpreter"]
    if not hasattr(interpreter, "masking"):
        raise ValueError(f"interpreter={group['name']} is not trained: leave interpreter.checkpoint null")
    classifier = artefact_key("classifier", classifier_spec(place.config))
    load_external_weights(group["checkpoint"], interpreter.masking, "interpreter.checkpoint", classifier=classifier)
    return {"checkpoint": str(group["checkpoint"])}


def _save(interpreter: InterpreterModule, folder: Path) -> None:
    weights = {key: value.cpu().contiguous() for key, value in interpreter.masking.state_dict().items()}
    if ranks.is_main_process():
        save_file(weights, folder / WEIGHTS)
