"""Any timm network as a classifier of images in [0, 1], with the features of the same forward pass."""

from __future__ import annotations

import difflib
from typing import Any

import timm
import torch
from torch import Tensor, nn

from benchmark.classifiers.pretrained import check_pretrained, not_downloaded
from benchmark.numerics import layers
from benchmark.numerics.bounds import Positive, Text, WholePositive, checked_arguments
from benchmark.numerics.modules import eval_mode
from benchmark.types import Trunk


class TimmClassifier(nn.Module):
    """f: image (B, 3, H, W) in [0, 1] to logits (B, K). Normalises inside, by default with timm's own metadata.

    ``net`` is built here and belongs to this module: its fused attention is switched off and it is channels last.
    Questions about its layers (``target_layer``, ``pyramid_shapes``, ...) leave modes and hooks as they were.

    Args:
        name: of the model in timm.
        num_classes: K.
        pretrained: download timm's weights (needs the network and matching classes).
        small_input: the 32-px variant: stride 1 in the first convolution and no max-pool.
        options: further keyword arguments of ``timm.create_model`` (channels, stem_width, ...).
        mean, std: of the normalisation, a number a channel; None for timm's own. 0 and 1 normalise nothing, for a
            network that does so itself.
    Raises:
        ValueError: a name that timm does not know (names near ones), an option that the model does not take, or
            pretrained weights that do not exist or do not fit the options.
        OSError: pretrained weights that cannot be downloaded; told within some seconds where there is no network.
    """

    net: Any
    mean: Tensor
    std: Tensor

    @checked_arguments
    def __init__(
        self,
        *,
        name: Text,
        num_classes: WholePositive,
        pretrained: bool = False,
        small_input: bool = False,
        options: dict[str, Any] | None = None,
        mean: list[float] | None = None,
        std: list[Positive] | None = None,
    ) -> None:
        super().__init__()
        self.name, self.num_classes = name, num_classes
        self.net = _create(name, num_classes, pretrained, options or {})
        if small_input:
            _keep_resolution(self.net, name)
        for module in self.net.modules():  # attacks differentiate maps twice, which fused attention does not support
            if hasattr(module, "fused_attn"):
                module.fused_attn = False
        metadata = self.net.pretrained_cfg
        if (mean is None) != (std is None):
            given, lacking = ("mean", "std") if std is None else ("std", "mean")
            raise ValueError(
                f"classifier.{given} is set and classifier.{lacking} is not: a normalisation takes both; set "
                f"classifier.{lacking} too, or leave both null for those of timm's {name}"
            )
        for which, own in (("mean", mean), ("std", std)):
            if own is not None and len(own) != 3:
                raise ValueError(f"classifier.{which} is three numbers, of red, green and blue, got {own}")
            value = torch.tensor([float(each) for each in own or metadata[which]]).view(1, 3, 1, 1)
            self.register_buffer(which, value, persistent=False)
        self.to(memory_format=torch.channels_last)
        self.passes = {"forward": 0, "backward": 0}  # images, for the compute in a record

    def _count_backward(self, gradient: Tensor) -> None:
        self.passes["backward"] += len(gradient)

    def _normalised(self, image_BCHW: Tensor) -> Tensor:
        normalised = (image_BCHW - self.mean) / self.std
        self.passes["forward"] += len(image_BCHW)
        if normalised.requires_grad:
            normalised.register_hook(self._count_backward)
        return normalised.contiguous(memory_format=torch.channels_last)

    def forward(self, image_BCHW: Tensor) -> Tensor:
        """Logits (B, K)."""
        return layers.run(self.net, self._normalised(image_BCHW))

    def trunk(self, image_BCHW: Tensor) -> Trunk:
        """Logits and features of one forward pass; of levels with the same resolution the pyramid has the deepest."""
        final, levels = layers.run(self.net.forward_intermediates, self._normalised(image_BCHW))
        if not isinstance(final, Tensor) or not all(isinstance(level, Tensor) for level in levels):
            raise ValueError(self._several_branches())
        deepest = {tuple(level.shape[-2:]): level for level in levels}
        return Trunk(layers.run(self.net.forward_head, final), self.on_grid(final), list(deepest.values()))

    def feature_parameters(self) -> list[nn.Parameter]:
        """All parameters but those of the last layer."""
        last = self.net.get_classifier()
        head = {id(parameter) for parameter in last.parameters()} if isinstance(last, nn.Module) else set()
        return [parameter for parameter in self.parameters() if id(parameter) not in head]

    def on_grid(self, features: Tensor) -> Tensor:
        """Features in the net's own layout (channels last, tokens) as (B, C, h, w), by timm's metadata.

        Raises:
            ValueError: tokens that lie on no grid.
        """
        if features.ndim == 4:
            last = str(getattr(self.net, "output_fmt", "NCHW")).upper().endswith("NHWC")
            return features.permute(0, 3, 1, 2) if last else features
        patches = getattr(self.net, "patch_embed", None)
        rows, columns = getattr(patches, "grid_size", (0, 0))
        tokens = features[:, getattr(self.net, "num_prefix_tokens", 0) :]
        if features.ndim != 3 or tokens.shape[1] != rows * columns:
            raise ValueError(
                f"the last features of {self.name} have the shape {tuple(features.shape)} and say not on what "
                "grid they lie (patch_embed.grid_size): a map needs positions; use a net with spatial features"
            )
        return tokens.transpose(1, 2).unflatten(2, (rows, columns))

    def logits_and_features(self, image_BCHW: Tensor, module: str | None = None) -> tuple[Tensor, Tensor]:
        """Logits (B, K), and the features that they depend on, in the net's own layout: the last, or a module's output.

        The logits can be differentiated in the features, also where the image asks for no gradient.
        """
        kept: list[Tensor] = []

        def keep(features: Tensor) -> Tensor:
            if not isinstance(features, Tensor):
                raise ValueError(self._several_branches())
            kept.append(features if features.requires_grad else features.detach().requires_grad_())
            return kept[-1]

        with torch.enable_grad():
            if module is None:
                return self.net.forward_head(keep(self.net.forward_features(self._normalised(image_BCHW)))), kept[0]
            hook = self.net.get_submodule(module).register_forward_hook(lambda layer, args, output: keep(output))
            try:
                logits_BK = self.net(self._normalised(image_BCHW))
            finally:
                hook.remove()
        return logits_BK, kept[0]

    def _several_branches(self) -> str:
        return (
            f"{self.name} has features on several branches, of which no one map can be made: use a net with one trunk"
        )

    def target_layer(self, image_size: int) -> str | None:
        """The module at whose output Grad-CAM takes features: None, the last features, where the logits depend on them.

        A head that reads a class token alone has no gradient in the last spatial features; then it is the last module
        but one of timm's ``feature_info``.
        """
        with eval_mode(self):
            logits_BK, features = self.logits_and_features(
                torch.full((1, 3, image_size, image_size), 0.5, device=self.mean.device)
            )
        (slope,) = torch.autograd.grad(logits_BK.square().sum(), features)
        if self.on_grid(slope).abs().amax() > 0:
            return None
        levels = [level["module"] for level in self.net.feature_info]
        return str(levels[-2])

    @torch.no_grad()
    def layer_of_features(self, image_size: int) -> str:
        """The module of ``net`` whose output the last features are, the outermost if several return the same tensor.

        "last features" where they are no module's output.
        """
        outputs: list[tuple[str, Any]] = []
        hooks = [
            module.register_forward_hook(lambda module, args, output, name=name: outputs.append((name, output)))
            for name, module in self.net.named_modules()
            if name
        ]
        image_BCHW = torch.full((1, 3, image_size, image_size), 0.5, device=self.mean.device, dtype=self.mean.dtype)
        try:
            with eval_mode(self):
                features = self.net.forward_features((image_BCHW - self.mean) / self.std)
        finally:
            for hook in hooks:
                hook.remove()
        names = [name for name, output in outputs if output is features]
        return min(names, key=lambda name: name.count("."), default="last features")

    @torch.no_grad()
    def linear_head(self, image_size: int) -> nn.Linear | None:
        """The last layer, if the logits are that layer on globally averaged features (compared on an image)."""
        layer = self.net.get_classifier()
        if not isinstance(layer, nn.Linear):
            return None
        with eval_mode(self):
            trunk = self.trunk(
                torch.linspace(0, 1, 3 * image_size**2, device=self.mean.device).view(1, 3, image_size, -1)
            )
            if trunk.final_BChw.ndim != 4 or trunk.final_BChw.shape[1] != layer.in_features:
                return None
            same = torch.allclose(layer(trunk.final_BChw.mean((2, 3))), trunk.logits_BK, rtol=1e-3, atol=1e-4)
        return layer if same else None

    @torch.no_grad()
    def check_size(self, image_size: int) -> None:
        """Raises a ValueError where the net does not take square images of that many pixels."""
        try:
            with eval_mode(self):
                self(torch.zeros(1, 3, image_size, image_size, device=self.mean.device))
        except (AssertionError, RuntimeError) as error:
            size = self.net.pretrained_cfg.get("input_size", (3, "?"))[-1]
            raise ValueError(
                f"{self.name} does not take images of {image_size} px ({str(error).splitlines()[0]}): it is made for "
                f"{size} px; set data.image_size={size}, or build it for yours with "
                f"+classifier.options.img_size={image_size}"
            ) from None

    @torch.no_grad()
    def pyramid_shapes(self, image_size: int) -> list[tuple[int, int, int]]:
        """(channels, rows, columns) of every pyramid level, fine to coarse, for square images."""
        image = torch.zeros(1, 3, image_size, image_size, device=self.mean.device)
        with eval_mode(self):
            return [(level.shape[1], level.shape[2], level.shape[3]) for level in self.trunk(image).pyramid]


def _create(name: str, num_classes: int, pretrained: bool, options: dict[str, Any]) -> nn.Module:
    if not timm.is_model(name):
        near = difflib.get_close_matches(name, timm.list_models(), n=5, cutoff=0.5)
        hint = f"near ones: {', '.join(near)}" if near else "timm.list_models() lists them"
        raise ValueError(f"classifier.name is {name!r}, which timm {timm.__version__} does not know; {hint}")
    if pretrained:
        check_pretrained(name)
    try:
        return timm.create_model(name, pretrained=pretrained, num_classes=num_classes, **options)
    except TypeError as error:
        raise ValueError(f"timm's {name} does not take classifier.options={options}: {error}") from error
    except (OSError, RuntimeError) as error:
        if not pretrained:
            raise
        if "size mismatch" in str(error) or "Missing key" in str(error) or "Unexpected key" in str(error):
            raise ValueError(
                f"timm's pretrained weights of {name} do not fit classifier.options={options}: leave the options that "
                "change its layers away, or set classifier.pretrained=false"
            ) from error
        raise not_downloaded(name, (str(error).splitlines() or [type(error).__name__])[0]) from error


def _keep_resolution(net: nn.Module, name: str) -> None:
    first = next((module for module in net.modules() if isinstance(module, nn.Conv2d)), None)
    if first is None or "maxpool" not in dict(net.named_children()):
        raise ValueError(
            f"classifier.small_input=true needs a net that starts with a convolution and a max-pool (a ResNet); "
            f"{name} does not: set it to false"
        )
    first.stride = (1, 1)
    net.maxpool = nn.Identity()
