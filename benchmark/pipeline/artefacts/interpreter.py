"""The configured interpreter: its training stages, each an artefact on top of the one before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import nn

from benchmark.configuration.instantiation import instantiate
from benchmark.configuration.specs import Config, stage_order
from benchmark.data.epoch_loader import epoch_loader
from benchmark.data.groups import shown_classes
from benchmark.engine.external_weights import load_external_weights
from benchmark.engine.fit import fit
from benchmark.interpreters.base import BaseInterpreter
from benchmark.numerics.modules import freeze
from benchmark.pipeline.artefacts.classifier import get_classifier
from benchmark.pipeline.artefacts.dataset import load_data
from benchmark.pipeline.context import RunContext, seeded
from benchmark.planning.required_artefacts import ArtefactRef, classifier_ref, stage_refs
from benchmark.processes import ranks
from benchmark.storage.paths import WEIGHTS
from benchmark.tracking.run_config import training_config
from benchmark.tracking.wandb_run import RunInfo
from benchmark.types import Classifier


def build_interpreter(ctx: RunContext, classifier: Classifier, *, trained: bool = False) -> BaseInterpreter:
    """The interpreter with seeded weights, on the device; the members of an ensemble are trained if ``trained``."""
    group = ctx.config["interpreter"]
    parts: dict[str, Any] = {"classifier": classifier}
    if members := group.get("members"):
        make = get_interpreter if trained else build_interpreter
        parts["members"] = [make(ctx.for_interpreter(member), classifier) for member in members.values()]
    if group.get("encoder") is not None:
        parts["encoder"] = get_classifier(ctx, group["encoder"], "encoder")
    with seeded(group["seed"], "interpreter"):
        interpreter: BaseInterpreter = instantiate(
            group["network"], image_size=load_data(ctx.config).image_size, **parts
        )
    return interpreter.to(ctx.device)


def get_interpreter(ctx: RunContext, classifier: Classifier, until: str | None = None) -> BaseInterpreter:
    """The interpreter after its last stage, or after the stage named ``until``; frozen, in eval mode."""
    order = stage_order(ctx.config["interpreter"])
    made: dict[str | None, Path] = {}
    for stage, ref in stage_refs(ctx.config).items():
        ctx = replace(ctx, config=ref.config)
        made[stage] = _get_stage(ctx, classifier, stage, ref, made.get(order.get(stage)))
        if stage == until:
            break
    interpreter = build_interpreter(ctx, classifier, trained=True)
    if made:
        _masking(interpreter).load_state_dict(load_file(made[stage] / WEIGHTS))
    return freeze(interpreter)


def get_reference(ctx: RunContext, classifier: Classifier) -> BaseInterpreter | None:
    """RTS_0, the common starting point of interpreters that have one."""
    group = ctx.config["interpreter"]
    if group.get("reference") is None or group.get("checkpoint") is not None:
        return None
    return get_interpreter(ctx, classifier, until=group["reference"])


def _get_stage(ctx: RunContext, classifier: Classifier, stage: str, ref: ArtefactRef, previous: Path | None) -> Path:
    """The folder of one stage's weights, trained on top of ``previous`` if it is not in the store."""

    def make(folder: Path) -> dict[str, Any]:
        interpreter = build_interpreter(ctx, classifier)
        if stage == "checkpoint":
            load_checkpoint(ctx, interpreter)
            _save(interpreter, folder)
            return {"checkpoint": str(ctx.config["interpreter"]["checkpoint"])}
        if previous is not None:
            _go_on_from(previous, _masking(interpreter))
        return _train(ctx, interpreter, ctx.config["interpreter"]["stages"][stage], ref, folder)

    return ctx.artefact(ref, make, single_process=False).path


def _go_on_from(previous: Path, masking: nn.Module) -> None:
    """Loads the weights of the stage before. A trunk of its own, which that stage had not, stays the encoder's copy."""
    found = masking.load_state_dict(load_file(previous / WEIGHTS), strict=False)
    lacking = [name for name in found.missing_keys if not name.startswith("trunk.")]
    if lacking or found.unexpected_keys:
        raise ValueError(
            f"{previous} holds the weights of another network: {lacking} are missing and {found.unexpected_keys} too "
            "many; delete the folder, and it is made again"
        )


def _train(
    ctx: RunContext, interpreter: BaseInterpreter, stage: Config, ref: ArtefactRef, folder: Path
) -> dict[str, Any]:
    group = ctx.config["interpreter"]
    _masking(interpreter).requires_grad_(True)
    train = load_data(ctx.config).split("train")
    metrics = fit(
        ctx.config,
        instantiate(stage["module"], interpreter=interpreter, classes=shown_classes(train)),
        epoch_loader(train, stage["batch_size"], seed=group["seed"]),
        folder,
        steps=stage["steps"],
        info=RunInfo("train", ref.label, ref.key, training_config(ctx.config, ref.name, interpreter=group["name"])),
    )
    _save(interpreter, folder)
    interpreter.to(ctx.device)
    return {key: float(value) for key, value in metrics.items()}


def load_checkpoint(ctx: RunContext, interpreter: BaseInterpreter) -> None:
    """Loads ``interpreter.checkpoint``, weights from outside.

    Raises:
        ValueError: the interpreter has none, or they belong to another one.
    """
    group = ctx.config["interpreter"]
    if interpreter.masking is None:
        raise ValueError(f"interpreter={group['name']} is not trained: leave interpreter.checkpoint null")
    key = classifier_ref(ctx.config).key
    load_external_weights(group["checkpoint"], interpreter.masking, "interpreter.checkpoint", classifier=key)


def _masking(interpreter: BaseInterpreter) -> nn.Module:
    assert interpreter.masking is not None, "an interpreter with training stages has a network to train"
    return interpreter.masking


def _save(interpreter: BaseInterpreter, folder: Path) -> None:
    weights = {key: value.cpu().contiguous() for key, value in _masking(interpreter).state_dict().items()}
    if ranks.is_main_process():
        save_file(weights, folder / WEIGHTS)
