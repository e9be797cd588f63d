"""Any torch module as a classifier of images in [0, 1], with the features at one of its layers."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from benchmark.numerics.modules import eval_mode
from benchmark.types import Trunk


class ModuleClassifier(nn.Module):
    """f: image (B, 3, H, W) in [0, 1] to logits (B, K). Normalises inside; the net is not copied.

    Attributes:
        num_classes: K; 0 until :meth:`look_at` has seen an image. layer: where features are taken; until then None
            unless it was named.

    Args:
        net: from normalised images to logits (B, K).
        mean, std: of the normalisation, one number or one a channel; neither where the net normalises by itself.
        layer: name of the module (or the module) at whose output CAM, Grad-CAM and Grad-CAM++ take features; None takes
            the last whose output has positions.
        reshape: its output to (B, C, h, w), where it is none (tokens of a transformer).
        name: in sentences; None takes the class's.
    Raises:
        ValueError: a layer that the net does not have (names near ones), a mean without a std, a std not above 0.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        *,
        net: nn.Module,
        mean: float | Sequence[float] | Tensor | None = None,
        std: float | Sequence[float] | Tensor | None = None,
        layer: str | nn.Module | None = None,
        reshape: Callable[[Tensor], Tensor] | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(net, nn.Module):
            raise ValueError(f"wrap takes a torch.nn.Module from images to logits, got {type(net).__name__}")
        if (mean is None) != (std is None):
            raise ValueError("mean and std go together: give both, or neither where the net normalises by itself")
        self.net, self.name, self.num_classes = net, name or type(net).__name__, 0
        self.layer = None if layer is None else _name_of(net, layer)
        self.reshape = reshape
        at = next(net.parameters(), torch.empty(0)).device
        self.register_buffer("mean", _by_channel("mean", 0.0 if mean is None else mean).to(at), persistent=False)
        self.register_buffer("std", _by_channel("std", 1.0 if std is None else std).to(at), persistent=False)
        if not bool((self.std > 0).all()):
            raise ValueError(f"std must be above 0 in every channel, got {self.std.flatten().tolist()}")
        self.passes = {"forward": 0, "backward": 0}  # images

    @property
    def device(self) -> torch.device:
        """Where images have to be."""
        return self.mean.device

    def normalised(self, image_BCHW: Tensor) -> Tensor:
        """(image - mean) / std, what the net itself takes."""
        return (image_BCHW - self.mean) / self.std

    def _counted(self, image_BCHW: Tensor) -> Tensor:
        self.passes["forward"] += len(image_BCHW)
        normalised = self.normalised(image_BCHW)
        if normalised.requires_grad:
            normalised.register_hook(self._count_backward)
        return normalised

    def _count_backward(self, gradient: Tensor) -> None:
        self.passes["backward"] += len(gradient)

    def forward(self, image_BCHW: Tensor) -> Tensor:
        """Logits (B, K)."""
        return self.net(self._counted(image_BCHW))

    @torch.no_grad()
    def look_at(self, image_BCHW: Tensor) -> None:
        """Learns K, and where none was named the layer, from one pass of an image.

        Raises:
            ValueError: the net does not take the image, or gives something else than logits.
        """
        seen: list[str] = []

        def note(name: str) -> Callable[..., None]:
            return lambda module, args, output: seen.append(name) if _has_places(output) else None

        hooks = [module.register_forward_hook(note(name)) for name, module in self.net.named_modules() if name]
        try:
            with eval_mode(self):
                logits_BK = self.net(self.normalised(image_BCHW[:1]))
        except (RuntimeError, AssertionError, TypeError) as error:
            shape = tuple(image_BCHW.shape[1:])
            raise ValueError(
                f"{self.name} does not take an image of shape {shape}: {(str(error).splitlines() or ['?'])[0]}"
            ) from error
        finally:
            for hook in hooks:
                hook.remove()
        if not isinstance(logits_BK, Tensor) or logits_BK.ndim != 2 or logits_BK.shape[1] < 2:
            got = tuple(logits_BK.shape) if isinstance(logits_BK, Tensor) else type(logits_BK).__name__
            raise ValueError(
                f"{self.name} must give logits of shape (B, K) with two or more classes, got {got}: wrap a module "
                "that returns them alone"
            )
        self.num_classes = logits_BK.shape[1]
        if self.layer is None and seen:
            self.layer = seen[-1]

    def _layer(self) -> str:
        if self.layer is None:
            raise ValueError(
                f"no layer of {self.name} has features with positions (B, C, h, w): name one, wrap(net, layer=...), "
                "and for tokens reshape=..., or use a method without features (grad, smoothgrad, mask, rise)"
            )
        return self.layer

    def on_grid(self, features: Tensor) -> Tensor:
        """Features as (B, C, h, w)."""
        found = features if self.reshape is None else self.reshape(features)
        if found.ndim != 4:
            raise ValueError(
                f"the output of {self.layer!r} has the shape {tuple(found.shape)}, and a map needs (B, C, h, w): name "
                "another layer, or give wrap(reshape=...) a function that brings it there"
            )
        return found

    def logits_and_features(self, image_BCHW: Tensor, module: str | None = None) -> tuple[Tensor, Tensor]:
        """Logits (B, K), and the output of the layer (or of another module), in which they can be differentiated."""
        kept: list[Tensor] = []
        name = module or self._layer()

        def keep(layer: nn.Module, args: Any, output: Any) -> Tensor:
            if not isinstance(output, Tensor):
                raise ValueError(f"the layer {name!r} of {self.name} gives no tensor: name another")
            kept.append(output if output.requires_grad else output.detach().requires_grad_())
            return kept[-1]

        with torch.enable_grad():
            hook = self.net.get_submodule(name).register_forward_hook(keep)
            try:
                logits_BK = self.net(self._counted(image_BCHW))
            finally:
                hook.remove()
        return logits_BK, kept[-1]

    def trunk(self, image_BCHW: Tensor) -> Trunk:
        """Logits, and the features at the layer, of one forward pass."""
        kept: list[Tensor] = []
        hook = self.net.get_submodule(self._layer()).register_forward_hook(
            lambda layer, args, output: kept.append(output)
        )
        try:
            logits_BK = self.net(self._counted(image_BCHW))
        finally:
            hook.remove()
        final_BChw = self.on_grid(kept[-1])
        return Trunk(logits_BK, final_BChw, [final_BChw])

    @torch.no_grad()
    def linear_head(self, image_size: int) -> nn.Linear | None:
        """The linear layer that makes the logits of globally averaged features, if there is one (compared on an
        image)."""
        image = torch.linspace(0, 1, 3 * image_size**2, device=self.device).view(1, 3, image_size, image_size)
        with eval_mode(self):
            trunk = self.trunk(image)
        for layer in (module for module in self.net.modules() if isinstance(module, nn.Linear)):
            if (layer.in_features, layer.out_features) != (trunk.final_BChw.shape[1], trunk.logits_BK.shape[1]):
                continue
            if torch.allclose(layer(trunk.final_BChw.mean((2, 3))), trunk.logits_BK, rtol=1e-3, atol=1e-4):
                return layer
        return None

    def target_layer(self, image_size: int) -> str | None:
        """None: the features are those of the layer."""
        return None

    def layer_of_features(self, image_size: int) -> str:
        """The layer's name."""
        return self._layer()

    def pyramid_shapes(self, image_size: int) -> list[tuple[int, int, int]]:
        """(channels, rows, columns) of the layer's features."""
        with torch.no_grad(), eval_mode(self):
            final = self.trunk(torch.zeros(1, 3, image_size, image_size, device=self.device)).final_BChw
        return [(final.shape[1], final.shape[2], final.shape[3])]

    def feature_parameters(self) -> list[nn.Parameter]:
        """All parameters."""
        return list(self.parameters())


def _has_places(output: Any) -> bool:
    return isinstance(output, Tensor) and output.ndim == 4 and min(output.shape[2:]) > 1


def _by_channel(name: str, value: float | Sequence[float] | Tensor) -> Tensor:
    found = torch.as_tensor(value, dtype=torch.float32).flatten().detach().cpu()
    if len(found) not in (1, 3) or not bool(torch.isfinite(found).all()):
        raise ValueError(f"{name} is one number or one for each of three channels, got {value!r}")
    return found.view(1, -1, 1, 1)


def _name_of(net: nn.Module, layer: str | nn.Module) -> str:
    """The name of a layer, given by its name or as the module itself."""
    modules = {name: module for name, module in net.named_modules() if name}
    if isinstance(layer, nn.Module):
        found = [name for name, module in modules.items() if module is layer]
        if not found:
            raise ValueError(
                f"the layer {type(layer).__name__} is no part of {type(net).__name__}: take one of its own"
            )
        return found[0]
    if layer in modules:
        return layer
    close = difflib.get_close_matches(str(layer), modules, n=3, cutoff=0.4)
    near = f"did you mean {', '.join(close)}?" if close else f"it has {', '.join(list(modules)[:12])}"
    raise ValueError(f"{type(net).__name__} has no layer {layer!r}: {near}")
