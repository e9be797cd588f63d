"""Modes that are restored, and copies that share their weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from benchmark.numerics.images import from_bytes, quantise, to_bytes
from benchmark.numerics.modules import eval_mode, freeze, restored, shallow_copy, weight_sharing_copy


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


def test_a_second_name_of_a_submodule_is_replaced_too():
    relu = nn.ReLU()
    net = nn.Module()
    net.first, net.second, net.inner = relu, relu, nn.Sequential(relu)
    other = weight_sharing_copy(net, lambda each: nn.Softplus() if isinstance(each, nn.ReLU) else None)
    assert isinstance(other.first, nn.Softplus) and other.first is other.second is other.inner[0]
    assert net.first is net.second is net.inner[0] is relu


def test_what_cannot_be_copied_is_a_sentence():
    net = network()
    net.rows = (row for row in ())
    with pytest.raises(ValueError, match=r"Sequential cannot be copied .*keep only modules, parameters"):
        weight_sharing_copy(net, lambda each: None)


def test_modes_flags_hooks_and_attributes_are_restored_after_an_error():
    net = network().train()
    net[1][1].eval()
    net[0].weight.requires_grad_(False)
    kept = net[0].register_forward_hook(lambda module, args, output: None)
    before = {name: dict(vars(module)) for name, module in net.named_modules()}
    weights = list(net.parameters())

    def change() -> None:
        freeze(net)
        kept.remove()
        for module in net.modules():
            module.register_forward_pre_hook(lambda module, args: None)
            module.register_full_backward_hook(lambda module, slopes_in, slopes_out: None)
            module.input = torch.zeros(1)
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"), restored(net):
        change()
    assert {name: dict(vars(module)) for name, module in net.named_modules()} == before
    assert len(net[0]._forward_hooks) == 1 and not net[0]._forward_pre_hooks and not net[0]._backward_hooks
    assert [weight.requires_grad for weight in net.parameters()] == [False, True, True, True]
    assert all(one is other for one, other in zip(net.parameters(), weights, strict=True))
