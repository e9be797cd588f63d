"""Checks of what is given to the API: a mistake is told as a sentence before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmark.classifiers.module_classifier import ModuleClassifier
from benchmark.types import Classifier

Labels = Tensor | np.ndarray | Sequence[int]


def checked_model(model: Any, image_BCHW: Tensor) -> Classifier:
    """A classifier that takes the images and knows its classes.

    Raises:
        ValueError: it is no wrapped model, does not take such images, or lies on another device.
    """
    if not isinstance(model, nn.Module) or not hasattr(model, "logits_and_features"):
        raise ValueError(
            f"model is a {type(model).__name__}: wrap it first, benchmark.wrap(net, mean=..., std=...), without mean "
            "and std where it normalises by itself; or take benchmark.classifier('resnet18')"
        )
    device = model_device(model)
    if image_BCHW.device != device:
        raise ValueError(
            f"the images are on {image_BCHW.device} and the model on {device}: move one, images.to({str(device)!r})"
        )
    if isinstance(model, ModuleClassifier):
        model.look_at(image_BCHW)
    elif (check := getattr(model, "check_size", None)) is not None:
        check(image_BCHW.shape[-1])
    return model  # type: ignore[return-value]


def model_device(model: nn.Module) -> torch.device:
    """Where a wrapped model is."""
    return next((each.device for each in (*model.parameters(), *model.buffers())), torch.device("cpu"))


def checked_images(image_BCHW: Any, name: str = "images") -> Tensor:
    """Images (B, 3, S, S) in [0, 1], float32.

    Raises:
        ValueError: another type, shape or range.
    """
    if not isinstance(image_BCHW, Tensor):
        raise ValueError(f"{name} is a torch tensor (B, 3, H, W) in [0, 1], got {type(image_BCHW).__name__}")
    shape = tuple(image_BCHW.shape)
    if image_BCHW.ndim != 4 or shape[1] != 3 or shape[2] != shape[3] or not shape[0]:
        hint = "add a first dimension, images[None]" if image_BCHW.ndim == 3 else "three channels, square, at least one"
        raise ValueError(f"{name} has the shape (B, 3, H, H), got {shape}: {hint}")
    if image_BCHW.dtype != torch.float32:
        hint = f"{name}.float()" if image_BCHW.is_floating_point() else f"{name}.float() / 255"
        raise ValueError(f"{name} is float32 in [0, 1], got {image_BCHW.dtype}: {hint}")
    low, high = float(image_BCHW.detach().amin()), float(image_BCHW.detach().amax())
    if not (low >= 0 and high <= 1):  # also of NaN
        hint = "divide by 255" if low >= 0 and high > 2 else "give them as they are, the model normalises them itself"
        raise ValueError(f"{name} must lie in [0, 1], got {low:.3g} to {high:.3g}: {hint}")
    return image_BCHW


def checked_labels(labels: Any, count: int, num_classes: int, device: torch.device, name: str = "labels") -> Tensor:
    """Class numbers (B,) int64 on the device.

    Raises:
        ValueError: another number of them, or one that the model does not have.
    """
    label_B = torch.as_tensor(labels)
    if label_B.ndim != 1 or len(label_B) != count or label_B.is_floating_point() or label_B.dtype == torch.bool:
        kind = str(label_B.dtype).removeprefix("torch.")
        raise ValueError(f"{name} has one class number for each of {count} images, got {tuple(label_B.shape)} {kind}")
    outside = (label_B < 0) | (label_B >= num_classes)
    if outside.any():
        raise ValueError(
            f"{name} must lie in 0 to {num_classes - 1}, the model's classes; row {int(outside.nonzero()[0])} has "
            f"{int(label_B[outside][0])}"
        )
    return label_B.long().to(device)


def checked_ids(ids: Any, count: int, name: str) -> Tensor:
    """Whole numbers (B,) int64 on the CPU; 0, 1, ... for None."""
    if ids is None:
        return torch.arange(count)
    id_B = torch.as_tensor(ids)
    if id_B.ndim != 1 or len(id_B) != count or id_B.is_floating_point():
        raise ValueError(f"{name} has one whole number for each of {count} images, got {tuple(id_B.shape)}")
    return id_B.long().cpu()
