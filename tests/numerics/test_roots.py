"""Square roots that are correctly rounded, whatever the CPU."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmark.numerics.roots import square_root


@pytest.mark.parametrize("scale", [1e-38, 1e-6, 1.0, 1e30])
def test_the_root_is_ieee_754_s_on_every_cpu(scale):
    value = np.random.default_rng(0).random(200_001, dtype=np.float32) * np.float32(scale)
    assert np.array_equal(square_root(torch.from_numpy(value)).numpy(), np.sqrt(value))


def test_the_gradient_is_that_of_the_root():
    value = torch.tensor([0.25, 4.0], requires_grad=True)
    square_root(value).sum().backward()
    torch.testing.assert_close(value.grad, torch.tensor([1.0, 0.25]))
