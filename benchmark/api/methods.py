"""From a method, by name or as an object, to maps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn

from benchmark.api.adapters import CaptumObject, FunctionInterpreter, GradCamObject, package_of
from benchmark.api.inputs import Labels, checked_images, checked_labels, checked_model, model_device
from benchmark.api.parts import build, resolved, settings
from benchmark.interpreters.base import BaseInterpreter
from benchmark.numerics.modules import restored
from benchmark.types import Classifier, Interpreter

Method = str | Interpreter | Callable[[Tensor, Tensor], Tensor] | Any


@contextmanager
def left_alone(model: Classifier) -> Iterator[None]:
    """Afterwards the model has the modes, hooks and ``requires_grad`` of before; interpreters freeze it."""
    with restored(cast(nn.Module, model)):
        yield


def make_interpreter(model: Classifier, method: Method, image_size: int, **options: Any) -> Interpreter:
    """The interpreter that a method means, for a checked model, which it freezes.

    Raises:
        ValueError: an unknown name or option, or an object that was made for another model.
    """
    if isinstance(method, BaseInterpreter):
        if method.classifier is not model:
            raise ValueError(
                "method was made for another model: make it for this one, benchmark.interpreter(model, ...)"
            )
        return _without_options(method, options)
    if isinstance(method, str):
        return _by_name(model, method, image_size, options)
    package = package_of(method)
    if package == "captum":
        return CaptumObject(classifier=model, method=method, options=options)
    if package == "pytorch_grad_cam":
        return _without_options(GradCamObject(classifier=model, method=method), options)
    if callable(method) and not isinstance(method, nn.Module):
        return _without_options(FunctionInterpreter(classifier=model, function=method), options)
    raise ValueError(
        f"method is a name (gradcam, grad, ...), an interpreter, a captum or grad-cam object, or a function (images, "
        f"classes) -> maps, got {type(method).__name__}"
    )


def _without_options(found: Interpreter, options: dict[str, Any]) -> Interpreter:
    if options:
        raise ValueError(f"{', '.join(options)}: a method that is an object has its options already")
    return found


def _by_name(model: Classifier, name: str, image_size: int, options: dict[str, Any]) -> Interpreter:
    seed = options.pop("seed", 0)
    if name == "ensemble":
        raise ValueError("an ensemble is made of interpreters: benchmark.interpreters.ensemble.Ensemble(members=[...])")
    group = settings("interpreter", name, options)
    if group["stages"] and group["checkpoint"] is None:
        raise ValueError(
            f"method={name!r} is a trained network: name its weights, checkpoint=FILE (python -m benchmark "
            "train_interpreter makes them), or take a method without training (gradcam, grad, ...)"
        )
    network = resolved(interpreter=group, seed=seed)["interpreter"]["network"]
    try:
        found: BaseInterpreter = build(network, classifier=model, image_size=image_size)
    except ValueError as error:
        raise ValueError(f"method={name!r}: {_in_words_of_the_api(str(error))}") from error
    if found.masking is not None:
        from benchmark.engine.external_weights import load_external_weights

        load_external_weights(group["checkpoint"], found.masking, "checkpoint")
    return found.to(model_device(cast(nn.Module, model))).eval().requires_grad_(False)


def _in_words_of_the_api(sentence: str) -> str:
    """The sentence of a part without the command line's names of groups."""
    return sentence.replace("interpreter=", "method=").replace("interpreter.", "").replace("probe.", "")


def interpreter(model: nn.Module, method: Method = "gradcam", image_size: int = 224, **options: Any) -> Interpreter:
    """An interpreter to keep: (images, classes) -> maps (B, h, w) in [0, 1]. The model stays frozen, in eval mode.

    Args:
        model: of ``wrap`` or ``classifier``. method: as in ``explain``. image_size: side of the images, in pixels.
        options: of the method, as in ``conf/interpreter`` (pool, samples, ...).
    Raises:
        ValueError: as ``explain``.
    """
    grey = torch.full((1, 3, image_size, image_size), 0.5, device=model_device(model))
    return make_interpreter(checked_model(model, grey), method, image_size, **options)


def explain(
    model: nn.Module,
    images: Tensor,
    method: Method = "gradcam",
    classes: Labels | None = None,
    **options: Any,
) -> Tensor:
    """Attribution maps (B, h, w) in [0, 1], 1 = important, on the method's own grid.

    Differentiable in the images where these ask for a gradient, unless the method cannot be (rise, captum, grad-cam
    objects). The model is left as it was.

    Args:
        model: of ``wrap`` or ``classifier``.
        images: (B, 3, H, H) in [0, 1], on the model's device.
        method: cam, gradcam, gradcam_pp, grad, smoothgrad, integrated_gradients, guided_backprop, mask, rise, captum
            (``conf/interpreter`` has them with their sources); rts, rtsa and rtsa_anchored with ``checkpoint=FILE``; an
            interpreter; an attribution object of captum or pytorch-grad-cam; a function (images, classes) -> maps.
        classes: whose evidence is shown (B,); None takes what the model predicts.
        options: of the method, as in ``conf/interpreter`` (pool, samples, ...).
    Raises:
        ValueError: images of another shape or range, a class that the model does not have, an unknown method or option,
            a method that does not go with the network; the sentence says what to do.
    """
    image_BCHW = checked_images(images)
    checked = checked_model(model, image_BCHW)
    with left_alone(checked):
        found = make_interpreter(checked, method, image_BCHW.shape[-1], **options)
        if classes is None:
            with torch.no_grad():
                class_B = checked(image_BCHW).argmax(1)
        else:
            class_B = checked_labels(classes, len(image_BCHW), checked.num_classes, image_BCHW.device, "classes")
        return found(image_BCHW, class_B)
