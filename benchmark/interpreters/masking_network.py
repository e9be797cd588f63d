"""The trained part of RTS: class selector and U-Net decoder on frozen features.

Dabkowski & Gal, "Real Time Image Saliency for Black Box Classifiers", NeurIPS 2017.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import pairwise
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from benchmark.numerics import layers
from benchmark.numerics.modules import freeze
from benchmark.types import Classifier


class ClassSelector(nn.Module):
    """Weights the coarsest features by how much they speak for one class.

    act(i, j) = sum_k F[k, i, j] e_c[k]; F <- F sigmoid(act - confidence); presence logits (-s/2, s/2), s = mean act.
    """

    def __init__(self, num_classes: int, channels: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num_classes, channels)
        nn.init.normal_(self.embedding.weight, std=channels**-0.5)

    def forward(self, top_BChw: Tensor, class_B: Tensor, confidence: float) -> tuple[Tensor, Tensor]:
        act_Bhw = torch.einsum("bchw,bc->bhw", top_BChw, self.embedding(class_B))
        score_B = act_Bhw.mean(dim=(1, 2))
        return top_BChw * torch.sigmoid(act_Bhw - confidence)[:, None], torch.stack([-score_B / 2, score_B / 2], 1)


class Bottleneck(nn.Module):
    """Residual bottleneck: 1x1, 3x3, 1x1 at a quarter of the width, beside a 1x1 projection."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        middle = max(channels_out // 4, 1)
        self.residual = nn.Sequential(
            nn.Conv2d(channels_in, middle, 1, bias=False),
            nn.BatchNorm2d(middle),
            nn.ReLU(),
            nn.Conv2d(middle, middle, 3, padding=1, bias=False),
            nn.BatchNorm2d(middle),
            nn.ReLU(),
            nn.Conv2d(middle, channels_out, 1, bias=False),
            nn.BatchNorm2d(channels_out),
        )
        self.shortcut = nn.Sequential(nn.Conv2d(channels_in, channels_out, 1, bias=False), nn.BatchNorm2d(channels_out))

    def forward(self, features: Tensor) -> Tensor:
        return F.relu(self.residual(features) + self.shortcut(features))


class DecoderBlock(nn.Module):
    """Twice the resolution: conv 3x3, BN, ReLU, PixelShuffle(2), crop to the skip's size, concatenate, bottleneck."""

    def __init__(self, channels_in: int, channels_skip: int, channels_out: int) -> None:
        super().__init__()
        self.up = nn.Sequential(
            nn.Conv2d(channels_in, 4 * channels_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(4 * channels_out),
            nn.ReLU(),
            nn.PixelShuffle(2),
        )
        self.merge = Bottleneck(channels_out + channels_skip, channels_out)

    def forward(self, coarse: Tensor, skip: Tensor) -> Tensor:
        return self.merge(torch.cat([_fit(self.up(coarse), skip.shape[-2:]), skip], dim=1))


def _fit(features: Tensor, size: Sequence[int]) -> Tensor:
    """Crops to ``size``; where the pyramid rounds down and a row or column is missing, the last one is repeated."""
    rows, columns = size[0] - features.shape[-2], size[1] - features.shape[-1]
    if rows > 0 or columns > 0:
        features = F.pad(features, (0, max(columns, 0), 0, max(rows, 0)), mode="replicate")
    return features[..., : size[0], : size[1]]


class MaskingNetwork(nn.Module):
    """Feature pyramid and class to map (B, h, w) in [0, 1] and presence logits (B, 2).

    map = |a| / (|a| + |b| + 1e-6), a and b the two channels of the head.

    Args:
        channels: channels of the pyramid's levels, fine to coarse.
        blocks: decoder blocks; the map has the resolution of level ``len(channels) - 1 - blocks``.
        trunk: a network whose features are trained with the decoder, and kept with it; always in eval mode, so that
            BatchNorm keeps its statistics. None where the features are another network's.
        width: channels of the last block; each earlier block has twice as many. None takes a 32nd of the channels of
            the coarsest level, at least 16 (blocks of 256, 128 and 64 channels for a ResNet-50).
    Raises:
        ValueError: fewer levels than ``blocks`` + 1.
    """

    def __init__(
        self,
        *,
        channels: list[int],
        num_classes: int,
        blocks: int = 3,
        width: int | None = None,
        trunk: Classifier | None = None,
    ) -> None:
        super().__init__()
        if not 1 <= blocks < len(channels):
            most = len(channels) - 1
            or_else = f", or interpreter.blocks between 1 and {most}" if most > 0 else ""
            raise ValueError(
                f"RTS with {blocks} decoder blocks needs a net whose features have at least {blocks + 1} distinct "
                f"resolutions; this one has {len(channels)} (a plain ViT has one): choose a convolutional or "
                f"hierarchical net{or_else}"
            )
        width = width or max(16, channels[-1] // 32)
        self.selector = ClassSelector(num_classes, channels[-1])
        self.blocks = nn.ModuleList()
        current = channels[-1]
        for level in range(blocks):
            out = width * 2 ** (blocks - 1 - level)
            self.blocks.append(DecoderBlock(current, channels[-2 - level], out))
            current = out
        self.head = nn.Conv2d(current, 2, 1)
        self.trunk = trunk
        self.to(memory_format=torch.channels_last)

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        if self.trunk is not None:
            self.trunk.eval()
        return self

    def folded(self) -> MaskingNetwork:
        """A frozen copy in eval mode whose BatchNorms are part of the convolutions before them; equal maps, cheaper."""
        other = freeze(copy.deepcopy(self))
        for part in other.modules():
            if isinstance(part, nn.Sequential):
                for index, (layer, after) in enumerate(pairwise(list(part))):
                    if isinstance(layer, nn.Conv2d) and isinstance(after, nn.BatchNorm2d):
                        part[index], part[index + 1] = fuse_conv_bn_eval(layer, after), nn.Identity()
        return other

    def decode(self, pyramid: list[Tensor], class_B: Tensor, confidence: float) -> tuple[Tensor, Tensor]:
        """The two channels of the head (B, 2, h, w), and presence logits (B, 2)."""
        features, presence_logits_B2 = self.selector(pyramid[-1], class_B, confidence)
        for level, block in enumerate(self.blocks):
            features = block(features, pyramid[-2 - level])
        return self.head(features), presence_logits_B2

    def forward(self, pyramid: list[Tensor], class_B: Tensor, confidence: float) -> tuple[Tensor, Tensor]:
        channels_B2hw, presence_logits_B2 = layers.run(self.decode, pyramid, class_B, confidence)
        a_Bhw, b_Bhw = channels_B2hw.abs().unbind(1)
        return a_Bhw / (a_Bhw + b_Bhw + 1e-6), presence_logits_B2
