"""Any attribution method of captum, for measuring (extra ``peers``)."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from benchmark.interpreters.base import BaseInterpreter
from benchmark.interpreters.postprocess import check_pool, pooled_magnitude
from benchmark.interpreters.surgery import check_activations_are_modules
from benchmark.numerics.bounds import Seed, Text, WholePositive, checked_arguments
from benchmark.numerics.modules import restored
from benchmark.types import Classifier

# Methods of captum that draw random numbers.
RANDOM_METHODS = ("GradientShap", "KernelShap", "Lime", "LimeBase", "ShapleyValueSampling")

# Methods that change the rules of modules by hooks, and do not see functions.
MODULE_WISE_METHODS = ("Deconvolution", "DeepLift", "DeepLiftShap", "GuidedBackprop")


class CaptumAttribution(BaseInterpreter):
    """map = min-max of the pooled magnitude of what captum's ``method`` attributes to the image's pixels.

    captum detaches its results: such a map can be measured, not attacked by gradient.

    Args:
        method: a class of captum.attr that takes the model alone (Saliency, DeepLift, Occlusion, ...).
        options: of its ``attribute``; lists are passed on as tuples. pool: side of a map pixel, in pixels.
        seed: of the method's random numbers.
    Raises:
        ValueError: captum is not installed, or has no such method, or one that works on modules while the net calls an
            activation as a function.
    """

    differentiable = False

    @checked_arguments
    def __init__(
        self,
        *,
        classifier: Classifier,
        image_size: int,
        method: Text,
        options: dict[str, Any] | None = None,
        pool: WholePositive = 2,
        seed: Seed = 0,
    ) -> None:
        super().__init__(classifier=classifier)
        check_pool(pool, image_size)
        self.pool, self.seed = pool, seed
        self.options = {name: _tuples(value) for name, value in (options or {}).items()}
        self.draws = method in RANDOM_METHODS
        try:
            self.method = _method(method)(self.classifier)
        except (TypeError, AttributeError) as error:
            raise ValueError(
                f"captum's {method} does not take the model alone ({error}): choose one that does (Saliency, DeepLift, "
                "InputXGradient, IntegratedGradients, Occlusion, ...)"
            ) from None
        if method in MODULE_WISE_METHODS:
            check_activations_are_modules(classifier, image_size, f"captum's {method}")

    def attribution_map(self, image_BCHW: Tensor, class_B: Tensor) -> Tensor:
        """Min-max of the pooled |attribution|, (B, H / pool, W / pool)."""
        if not self.draws:
            return pooled_magnitude(self._attributed(image_BCHW, class_B), self.pool)
        devices = [image_BCHW.device] if image_BCHW.device.type == "cuda" else []
        parts = []
        for row in range(len(image_BCHW)):  # the same random numbers for every sample, whatever the batch
            with torch.random.fork_rng(devices), _numpy_seeded(self.seed):
                torch.manual_seed(self.seed)
                parts.append(self._attributed(image_BCHW[row : row + 1], class_B[row : row + 1]))
        return pooled_magnitude(torch.cat(parts), self.pool)

    def _attributed(self, image_BCHW: Tensor, class_B: Tensor) -> Tensor:
        with torch.enable_grad(), restored(cast(nn.Module, self.classifier)):  # captum keeps its hooks after errors
            image = image_BCHW.detach().requires_grad_()
            try:
                return self.method.attribute(image, target=class_B, **self.options).detach()
            except (TypeError, AssertionError, AttributeError, ValueError) as error:
                raise ValueError(
                    f"captum's {type(self.method).__name__} does not work with interpreter.options={self.options}: "
                    f"{error}"
                ) from None


@contextmanager
def _numpy_seeded(seed: int) -> Iterator[None]:
    """Seeds numpy's global generator, which some methods use, and restores it afterwards."""
    state = np.random.get_state()
    np.random.seed(seed % 2**32)
    try:
        yield
    finally:
        np.random.set_state(state)


def _tuples(value: Any) -> Any:
    """Lists as tuples, which captum requires and a configuration does not have."""
    return tuple(_tuples(each) for each in value) if isinstance(value, list) else value


def _method(name: str) -> Any:
    try:
        captum = importlib.import_module("captum.attr")
    except ImportError:
        raise ValueError("interpreter=captum needs captum: pip install 'underfire[peers]'") from None
    method = getattr(captum, name, None)
    if not inspect.isclass(method) or not hasattr(method, "attribute"):
        kinds = {key: getattr(captum, key) for key in dir(captum) if inspect.isclass(getattr(captum, key))}
        known = sorted(key for key, kind in kinds.items() if issubclass(kind, captum.Attribution))
        known = [key for key in known if not key.startswith(("Layer", "Neuron")) and not key.endswith("Attribution")]
        raise ValueError(f"interpreter.method {name!r} is no attribution method of captum; it has {', '.join(known)}")
    return method
