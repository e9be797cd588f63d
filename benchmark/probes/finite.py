"""Losses and gradients that are not finite: noted on the device, so that no step of an attack waits for it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

# Steps between two looks at what was noted; a look waits for the device.
EVERY = 10
_ALL = slice(None)


def largest(gradient: Tensor) -> Tensor:
    """max |g| of every sample (B,); NaN where a value is NaN."""
    return gradient.abs().amax(tuple(range(1, gradient.ndim)))


class FiniteCheck:
    """Notes every sample's first step whose loss or gradient is not finite, and raises within the next few steps.

    A NaN has no sign: the attack would stop moving, and the interpreter would seem robust.

    Args:
        image_BCHW: of the samples. steps: of every phase.
    """

    STATE = ("count", "first_B")

    def __init__(self, image_BCHW: Tensor, steps: Sequence[int]) -> None:
        self.phases, self.count = steps, 0
        self.never = sum(steps)
        self.first_B = torch.full((len(image_BCHW),), self.never, device=image_BCHW.device)

    @torch.no_grad()
    def note(self, value_B: Tensor, rows: Tensor | slice = _ALL) -> None:
        """Takes the values of the samples in ``rows`` at the next step, not finite where their loss or gradient is not.

        Raises:
            FloatingPointError: as :meth:`check`, at every tenth step.
        """
        before_B = self.first_B[rows]
        self.first_B[rows] = torch.where(torch.isfinite(value_B), before_B, before_B.clamp(max=self.count))
        self.count += 1
        if self.count % EVERY == 0:
            self.check()

    def check(self) -> None:
        """Raises a FloatingPointError that names the first step that was not finite, and its samples."""
        if (first := int(self.first_B.min())) == self.never:
            return
        rows = (self.first_B == first).nonzero()[:5, 0].tolist()
        phase = 0
        while first >= self.phases[phase]:
            first -= self.phases[phase]
            phase += 1
        raise FloatingPointError(
            f"the attack's loss or gradient is NaN or infinite at step {first} of phase {phase + 1}, for samples in "
            f"rows {rows} of their group; groups that are finished are kept: the map or its gradient is not finite "
            "there (interpreter.beta, the interpreter's weights), or the step is too large"
        )
