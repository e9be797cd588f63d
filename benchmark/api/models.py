"""The networks that the API explains and attacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from benchmark.classifiers.module_classifier import ModuleClassifier

if TYPE_CHECKING:
    from benchmark.classifiers.timm_classifier import TimmClassifier


def wrap(
    net: nn.Module,
    mean: float | Sequence[float] | Tensor | None = None,
    std: float | Sequence[float] | Tensor | None = None,
    layer: str | nn.Module | None = None,
    *,
    reshape: Callable[[Tensor], Tensor] | None = None,
) -> ModuleClassifier:
    """Your own network, to be explained and attacked. It is not copied, and left as it was after every call.

    Args:
        net: any module from images (B, 3, H, H), normalised by (x - mean) / std, to logits (B, K).
        mean, std: in image units, one number or one a channel; neither where the net takes images in [0, 1].
        layer: name of the module (or the module) at whose output cam, gradcam and gradcam_pp take features. None takes
            the last whose output has positions (B, C, h, w), h and w above 1.
        reshape: a function from the layer's output to (B, C, h, w), for tokens of a transformer.
    Returns:
        A module from images in [0, 1] to logits.
    Raises:
        ValueError: no such layer (the sentence has near names), a mean without a std, or a std not above 0.
    """
    return ModuleClassifier(net=net, mean=mean, std=std, layer=layer, reshape=reshape)


def classifier(
    name: str, *, pretrained: bool = True, num_classes: int | None = None, options: dict[str, Any] | None = None
) -> TimmClassifier:
    """A network of timm, which normalises inside with timm's own metadata.

    Args:
        name: in timm, as "resnet50". pretrained: with timm's weights, downloaded once.
        num_classes: K; None takes that of the weights. options: further arguments of ``timm.create_model``.
    Raises:
        ValueError: a name that timm does not know (the sentence has near ones), or no such weights.
        OSError: weights that cannot be downloaded.
    """
    import timm  # which imports wandb, and is needed here alone

    from benchmark.classifiers.timm_classifier import TimmClassifier

    if num_classes is None:
        known: Any = timm.get_pretrained_cfg(name) if timm.is_model(name) else None
        num_classes = getattr(known, "num_classes", None) or 1000
    found = TimmClassifier(name=name, num_classes=num_classes, pretrained=pretrained, options=options)
    return found.eval()
