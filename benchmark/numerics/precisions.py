"""The names of ``trainer.precision``, which are Lightning's."""

from __future__ import annotations

from typing import Literal

Precision = Literal["32-true", "bf16-mixed"]
FLOAT32: Precision = "32-true"
BFLOAT16: Precision = "bf16-mixed"
