"""RTS, the real-time saliency interpreter: one pass of a masking network over a classifier's features gives the map.

RTS^A (RTSA) is the same network; only its training objective differs (lightning_modules.rtsa).
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from benchmark.interpreters.base import TrunkInterpreter
from benchmark.interpreters.masking_network import MaskingNetwork
from benchmark.numerics.bounds import WholePositive, checked_arguments
from benchmark.numerics.modules import freeze
from benchmark.types import Classifier, Explanation, Reading


class RTS(TrunkInterpreter):
    """g: image (B, 3, H, W) in [0, 1] and class (B,) to map (B, h, w) in [0, 1]; differentiable in the image.

    The encoder is frozen, in eval mode, BatchNorm included. By default it is the classifier that is explained itself,
    so that one forward pass gives logits and map. With ``own_trunk`` it is a copy that a stage may train; the
    classifier itself stays as it is.

    Args:
        classifier: the network that is explained. encoder: another network for the features, whose own class logits
            an attack then sees; None for the classifier itself.
        image_size: side of the images in pixels, to size the decoder.
        blocks, width: see MaskingNetwork.
        own_trunk: take the features from a copy of the encoder, which belongs to the masking network and is kept with
            it. A map then takes another forward pass beside that of the classifier.
        confidence: of the class selector, except in training by L_map, where it is 0.
    """

    masking: MaskingNetwork

    @checked_arguments
    def __init__(
        self,
        *,
        classifier: Classifier,
        image_size: int,
        encoder: Classifier | None = None,
        blocks: WholePositive = 3,
        width: WholePositive | None = None,
        confidence: float = 0.0,
        own_trunk: bool = False,
    ) -> None:
        super().__init__(classifier=classifier)
        self.shared = encoder is None and not own_trunk
        self.encoder = freeze(classifier if encoder is None else encoder)
        if own_trunk:
            self.encoder = copy.deepcopy(self.encoder)
        self.confidence = confidence
        self.masking = MaskingNetwork(
            channels=[channels for channels, _, _ in self.encoder.pyramid_shapes(image_size)],
            num_classes=classifier.num_classes,
            blocks=blocks,
            width=width,
            trunk=self.encoder if own_trunk else None,
        )

    def trunk_parameters(self) -> list[nn.Parameter]:
        """Of its own trunk, those that the features depend on; none where the trunk is another's."""
        return [] if self.masking.trunk is None else self.masking.trunk.feature_parameters()

    def attribution_map(self, image_BCHW: Tensor, class_B: Tensor) -> Tensor:
        """The map (B, h, w) of one pass of the encoder; no pass of the classifier where the encoder is another."""
        return self.masking(self.encoder.trunk(image_BCHW).pyramid, class_B, self.confidence)[0]

    def explanation(self, image_BCHW: Tensor, class_B: Tensor) -> Explanation:
        """Logits, map and presence logits; one forward where the encoder is the classifier."""
        trunk = self.encoder.trunk(image_BCHW)
        logits_BK = trunk.logits_BK if self.shared else self.classifier(image_BCHW)
        map_Bhw, presence_logits_B2 = self.masking(trunk.pyramid, class_B, self.confidence)
        return Explanation(logits_BK, map_Bhw, presence_logits_B2, None if self.shared else trunk.logits_BK)

    def read(self, image_BCHW: Tensor) -> Reading:
        """One pass of the encoder, and one of the decoder for every map."""
        trunk = self.encoder.trunk(image_BCHW)
        logits_BK = trunk.logits_BK if self.shared else self.classifier(image_BCHW)
        return Reading(logits_BK, lambda class_B: self.masking(trunk.pyramid, class_B, self.confidence)[0])

    def features(self, image_BCHW: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The classifier's logits (B, K) and the encoder's pyramid, for training: with a graph where it is trained."""
        with torch.set_grad_enabled(self.masking.trunk is not None and torch.is_grad_enabled()):
            trunk = self.encoder.trunk(image_BCHW)
        if self.shared:
            return trunk.logits_BK, trunk.pyramid
        with torch.no_grad():
            return self.classifier(image_BCHW), trunk.pyramid
