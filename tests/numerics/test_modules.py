"""Modes that are restored, and copies that share their weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from benchmark.numerics.images import from_bytes, quantise, to_bytes
from benchmark.numerics.modules import eval_mode, freeze, shallow_copy, weight_sharing_copy


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.ReLU(), nn.BatchNorm1d(4)))


def test_every_submodule_gets_its_own_mode_back():
    net = network().train()
    net[1][1].eval()
    before = [module.training for module in net.modules()]
    with eval_mode(net):
        assert not any(module.training for module in net.modules())
    assert [module.training for module in net.modules()] == before
    with pytest.raises(RuntimeError, match="shapes"), eval_mode(net):
        net(torch.zeros(1, 2))
    assert [module.training for module in net.modules()] == before


def test_frozen_is_eval_mode_without_gradients():
    net = freeze(network())
    assert not any(module.training for module in net.modules())
    assert not any(parameter.requires_grad for parameter in net.parameters())


def test_a_submodule_of_a_shallow_copy_is_its_own():
    net = network()
    other = shallow_copy(net)
    assert other[0] is net[0]
    other._modules["0"] = nn.Linear(3, 4)
    assert other[0] is not net[0]


def test_a_weight_sharing_copy_has_the_same_weights_and_other_activations():
    net = network()
    net.counter = counter = {"passes": 0}
    other = weight_sharing_copy(net, lambda each: nn.Softplus() if isinstance(each, nn.ReLU) else None, [counter])
    assert all(a is b for a, b in zip(net.parameters(), other.parameters(), strict=True))
    assert all(a is b for a, b in zip(net.buffers(), other.buffers(), strict=True))
    assert isinstance(other[1][0], nn.Softplus) and isinstance(net[1][0], nn.ReLU)
    assert other.counter is counter


def test_quantised_images_stay_as_they_are():
    image = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    quantised = quantise(image)
    assert (quantised - image).abs().max() <= 0.5 / 255 + 1e-7
    assert torch.equal(quantise(quantised), quantised)
    assert torch.equal(quantised, (image * 255).round() / 255)
    every = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(to_bytes(from_bytes(every)), every)
