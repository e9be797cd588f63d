"""Second derivatives of networks with convolutions: the same bytes, and no convolution a channel."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from benchmark.classifiers.timm_classifier import TimmClassifier
from benchmark.interpreters.gradient import Gradient
from benchmark.interpreters.second_order import cheap_second_order
from benchmark.numerics.modules import freeze

KINDS = {
    "dense": {"kernel_size": 3, "padding": 1},
    "strided": {"kernel_size": 3, "padding": 1, "stride": 2},
    "uneven": {"kernel_size": (3, 1), "padding": (1, 0), "dilation": (2, 1), "bias": False},
    "grouped": {"kernel_size": 3, "padding": 0, "groups": 2},
    "depthwise": {"kernel_size": 5, "padding": 2, "stride": 2, "groups": 8},
}


def network(**settings) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.Softplus(), nn.Conv2d(8, 8, **settings), nn.Softplus()).double()


def derivatives(module: nn.Module, image: torch.Tensor, context) -> list[torch.Tensor]:
    """Values, a gradient in the image, and the gradient of that gradient's size."""
    point = image.clone().requires_grad_()
    with context:
        value = module(point).square().sum()
        (slope,) = torch.autograd.grad(value, point, create_graph=True)
    return [value, slope, torch.autograd.grad(slope.square().sum(), point)[0]]


class Convolutions(TorchDispatchMode):
    """Counts the convolutions that are computed."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += "convolution" in func.__name__
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("kind", KINDS)
def test_values_and_derivatives_are_those_of_the_plain_network(kind):
    module = freeze(network(**KINDS[kind]))
    image = torch.rand(2, 3, 12, 11, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    plain = derivatives(module, image, nullcontext())
    cheap = derivatives(module, image, cheap_second_order())
    for ours, theirs in zip(cheap, plain, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_second_derivatives_are_those_of_finite_differences():
    module = freeze(network(**KINDS["depthwise"]))

    def value(image):
        with cheap_second_order():
            return module(image)

    image = torch.rand(1, 3, 7, 7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(value, image)
    assert torch.autograd.gradgradcheck(value, image)


def test_trained_weights_keep_their_gradient():
    module = network(**KINDS["depthwise"])
    with cheap_second_order():
        module(torch.rand(1, 3, 12, 12, dtype=torch.float64, requires_grad=True)).sum().backward()
    assert all(parameter.grad is not None for parameter in module.parameters())


def test_an_attack_on_grad_takes_a_few_convolutions_a_layer_of_a_depthwise_network():
    classifier = freeze(TimmClassifier(name="tf_efficientnet_lite0", num_classes=5))
    layers = sum(isinstance(module, nn.Conv2d) for module in classifier.modules())
    surrogate = Gradient(classifier=classifier, image_size=32).surrogate()
    image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)).requires_grad_()
    with Convolutions() as counted:
        torch.autograd.grad(surrogate(image, torch.tensor([1])).sum(), image)
    assert counted.count <= 4 * layers, "forward, its gradient, and the gradient of both"
