"""How far a map moves under changes that do not matter: noise that keeps the prediction, and a shift by one pixel."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmark.numerics.images import at_image_size
from benchmark.objectives.distances import l1
from benchmark.types import Interpreter

SHIFTS = ((0, 1), (0, -1), (1, 0), (-1, 0))


def noise_distance(interpreter: Interpreter, noisy_BCHW: Tensor, class_B: Tensor, benign_Bhw: Tensor) -> Tensor:
    """L1 between the benign map and that of the noisy image, (B,); NaN where the noise changes the prediction."""
    seen = interpreter.explain(noisy_BCHW, class_B)
    same_B = seen.logits_BK.detach().argmax(1) == class_B
    return l1(benign_Bhw, seen.map_Bhw.detach()).masked_fill(~same_B, float("nan"))


def shifted_distance(interpreter: Interpreter, image_BCHW: Tensor, class_B: Tensor, benign_Bhw: Tensor) -> Tensor:
    """L1 between the benign map and that of the image shifted by 1 px each way, (4, B), both upsampled to the image.

    The image is shifted with its edge repeated; the outermost pixel, which is such a repeat, is left out.
    """
    size = (image_BCHW.shape[-2], image_BCHW.shape[-1])
    benign_BHW = at_image_size(benign_Bhw, size)
    distances = []
    for rows, columns in SHIFTS:
        padded = torch.nn.functional.pad(image_BCHW, (1, 1, 1, 1), mode="replicate")
        shifted = padded[..., 1 - rows : 1 - rows + size[0], 1 - columns : 1 - columns + size[1]].contiguous()
        moved = at_image_size(interpreter(shifted, class_B).detach(), size)
        back = moved.roll((-rows, -columns), dims=(1, 2))
        distances.append(l1(benign_BHW[:, 1:-1, 1:-1], back[:, 1:-1, 1:-1]))
    return torch.stack(distances)
