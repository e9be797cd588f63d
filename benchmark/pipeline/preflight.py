"""Checks that cost seconds, before trainings that cost hours: does everything that a cell needs fit together?"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from benchmark.classifiers.pretrained import check_pretrained
from benchmark.configuration.instantiation import instantiate
from benchmark.configuration.specs import SPREAD_LEVEL, Config, training_sources
from benchmark.data.split_check import check_data
from benchmark.interpreters.base import BaseInterpreter
from benchmark.interpreters.captum_adapter import CaptumAttribution
from benchmark.interpreters.gradient import Gradient
from benchmark.interpreters.mask import Mask
from benchmark.interpreters.rise import RISE
from benchmark.metrics.map_distance import check_places
from benchmark.numerics.layers import check_compiler
from benchmark.numerics.modules import freeze
from benchmark.pipeline.artefacts.classifier import build_classifier, load_weights_from_outside, training_module
from benchmark.pipeline.artefacts.dataset import load_data
from benchmark.pipeline.artefacts.interpreter import build_interpreter, load_checkpoint
from benchmark.pipeline.context import RunContext
from benchmark.planning.required_artefacts import classifier_ref, stage_refs
from benchmark.probes.attack import GradientAttack, check_graph
from benchmark.probes.const_search import ConstSearch
from benchmark.probes.goal_attack import GoalAttack
from benchmark.processes.notices import warn_once
from benchmark.types import Classifier, Data, Interpreter

BLUR = 11 / 224  # sigma of the blurred evidence of RTS's authors, as a share of the side


def check_settings(ctx: RunContext, data: Data) -> None:
    """Checks the splits of the data set, the blur against the image size, the probe's own arguments, and the compiler.

    Raises:
        ValueError: the part's own sentence.
    """
    check_data(data, ("train", ctx.config["split"]), SPREAD_LEVEL)
    sigma, size = ctx.config["measure"]["blur"], data.image_size
    if not sigma > 0 or math.ceil(2.5 * sigma) >= size:
        raise ValueError(
            f"measure.blur is a sigma in pixels, above 0 and below {size / 2.5:.0f} for images of {size} px, got "
            f"{sigma}"
        )
    _warn_of_blur(ctx.config, size)
    check_compiler(ctx.config["trainer"], ctx.device)
    settings = ctx.config["probe"]
    if settings["module"] is not None:
        instantiate(settings["module"], **({} if settings["level"] is None else {"scale": 0.0}))


def _warn_of_blur(config: Config, size: int) -> None:
    """Warns of a blur that is small for images of this side: what it should take away stays to be seen."""
    usual = round(BLUR * size, 1 if size < 500 else None)
    groups = {"interpreter": config["interpreter"]}
    groups |= {
        f"interpreter.members.{name}": each for name, each in (groups["interpreter"].get("members") or {}).items()
    }
    settings = {"measure.blur": config["measure"]["blur"]} | {
        f"{key}.blur": of.get("blur") for key, of in groups.items()
    }
    small = {key: sigma for key, sigma in settings.items() if sigma is not None and sigma < usual / 2}
    if small:
        found = " and ".join(f"{key}={sigma:g}" for key, sigma in small.items())
        mend = " ".join(f"{key}={usual:g}" for key in small)
        warn_once(f"{found}: too small for images of {size} px, set {mend} (11 / 224 of the side)")


def check_before_training(ctx: RunContext) -> None:
    """Puts the networks and training modules of a cell together, untrained, where something is still to be trained.

    Once everything is trained this builds nothing: the networks are built when they are used.

    Raises:
        ValueError, OSError: the part's own sentence.
    """
    source_ctx = ctx.for_source()
    for each in (ctx,) if source_ctx is ctx else (ctx, source_ctx):
        if not _is_trained(each):
            _build_untrained(each)


def _is_trained(ctx: RunContext) -> bool:
    group = ctx.config["interpreter"]
    configs = [{**ctx.config, "interpreter": member} for member in (group.get("members") or {"": group}).values()]
    refs = [classifier_ref(ctx.config), *(ref for config in configs for ref in stage_refs(config).values())]
    return all(map(ctx.is_made, refs))


def _build_untrained(ctx: RunContext) -> None:
    """Builds classifier, interpreter and their training modules, and takes one map."""
    config, data = ctx.config, load_data(ctx.config)
    network = freeze(build_classifier(ctx)).to(ctx.device)
    network.check_size(data.image_size)
    if config["classifier"]["checkpoint"] is not None:
        load_weights_from_outside(ctx, config["classifier"], network)
    elif config["classifier"]["pretrained"] and not ctx.is_made(classifier_ref(config)):
        check_pretrained(config["classifier"]["name"])
    sources = [build_classifier(ctx, source) for source in training_sources(config["classifier"]).values()]
    training_module(config["classifier"], network, sources, data.split("train").label_N)
    interpreter = build_interpreter(ctx, network)
    if ctx.for_source() is ctx:  # else it is measured on images that are made for another one
        check_attackable(config, interpreter)
        if config["probe"]["needs_map"]:
            interpreter.surrogate()  # raises where an attack cannot differentiate these maps
    for each in interpreter.members or (interpreter,):
        check_places(*_grid(ctx, each, data.image_size))
    _check_gradient(ctx, network, data.image_size)
    if config["interpreter"].get("checkpoint") is not None:
        load_checkpoint(ctx, interpreter)
    for stage in config["interpreter"].get("stages", {}).values():
        instantiate(stage["module"], interpreter=interpreter)


def check_attackable(config: Config, interpreter: BaseInterpreter) -> None:
    """Raises a ValueError where the probe needs the gradient of maps that have none."""
    if config["probe"]["needs_map"] and not interpreter.differentiable:
        raise ValueError(
            f"interpreter={config['interpreter']['name']} is for measuring: its maps have no gradient to attack. "
            "Measure it under a probe that needs no maps (noise, pgd), or on another's images: "
            "+interpreter@probe.source=rts"
        )


def _grid(ctx: RunContext, interpreter: Interpreter, size: int) -> tuple[int, int]:
    """Rows and columns of a map; one is taken, of a grey image, where they do not follow from the settings."""
    if isinstance(interpreter, Mask):
        return interpreter.cells, interpreter.cells
    if isinstance(interpreter, Gradient | RISE | CaptumAttribution):  # RISE takes hundreds of passes for a map
        return size // interpreter.pool, size // interpreter.pool
    map_Bhw = interpreter(*_grey(ctx, size))
    return map_Bhw.shape[1], map_Bhw.shape[2]


def _check_gradient(ctx: RunContext, network: Classifier, size: int) -> None:
    """Raises a ValueError where the probe takes gradients and the classifier has none."""
    settings = ctx.config["probe"]
    if settings["module"] is None or settings["level"] is not None:
        return
    probe = instantiate(settings["module"])
    if isinstance(probe, GoalAttack) and isinstance(probe.attack, GradientAttack | ConstSearch):
        image, _ = _grey(ctx, size)
        check_graph(network(image.requires_grad_()))


def _grey(ctx: RunContext, size: int) -> tuple[Tensor, Tensor]:
    """A grey image and class 0."""
    grey = torch.full((1, 3, size, size), 0.5, device=ctx.device)
    return grey, torch.zeros(1, dtype=torch.long, device=ctx.device)
