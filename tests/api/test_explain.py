"""Maps of one's own network: as the definitions have them, differentiable, and the network left as it was."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import benchmark
from tests.api.nets import CLASSES, MEAN, SIDE, STD, images, own_net

MAP_METHODS = ("cam", "gradcam", "gradcam_pp", "grad", "smoothgrad", "integrated_gradients", "guided_backprop", "mask")


def wrapped(net=None, **settings):
    return benchmark.wrap(own_net() if net is None else net, mean=MEAN, std=STD, **settings)


def by_hand(net: nn.Module, image: torch.Tensor, label: int) -> torch.Tensor:
    """Grad-CAM of one image, with a hook of its own and numpy's steps."""
    kept = {}
    hook = net.body.register_forward_hook(lambda module, args, output: kept.setdefault("features", output))
    normalised = (image - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    logits = net(normalised[None])
    hook.remove()
    (slope,) = torch.autograd.grad(logits[0, label], kept["features"])
    raw = sum(slope[0, k].mean() * kept["features"][0, k] for k in range(slope.shape[1])).clamp(min=0).detach()
    return (raw - raw.min()) / (raw.max() - raw.min()) if raw.max() > 0 else torch.zeros_like(raw)


def test_gradcam_is_the_one_worked_out_by_hand():
    net = own_net().eval()
    image = images(3)
    found = benchmark.explain(wrapped(net, layer="body"), image, "gradcam", classes=[0, 3, 1])
    for row, label in enumerate((0, 3, 1)):
        torch.testing.assert_close(found[row], by_hand(net, image[row], label), rtol=1e-4, atol=1e-5)
    assert (found.amax((1, 2)) == 1).sum() >= 2, "maps that show something"


def test_the_gradient_is_that_of_the_logit():
    net = own_net().eval()
    image = images(2).requires_grad_()
    model = wrapped(net)
    (slope,) = torch.autograd.grad(model(image)[:, 2].sum(), image)
    pooled = torch.nn.functional.avg_pool2d(slope.abs().amax(1, keepdim=True), 3)[:, 0]
    low, high = pooled.amin((1, 2), keepdim=True), pooled.amax((1, 2), keepdim=True)
    found = benchmark.explain(model, image.detach(), "grad", classes=[2, 2], pool=3)
    torch.testing.assert_close(found, (pooled - low) / (high - low))


@pytest.mark.parametrize("method", MAP_METHODS)
def test_every_method_goes_with_ones_own_network(method):
    small = {"smoothgrad": {"samples": 2}, "integrated_gradients": {"samples": 2}, "mask": {"steps": 5, "cells": 6}}
    image = images(3).requires_grad_()
    found = benchmark.explain(wrapped(), image, method, **small.get(method, {}))
    assert found.ndim == 3 and len(found) == 3
    assert found.min() >= 0 and found.max() <= 1 and found.detach().flatten(1).std(1).max() > 0.01
    (slope,) = torch.autograd.grad((found * torch.rand_like(found)).sum(), image, allow_unused=True)
    assert slope is not None and torch.isfinite(slope).all()
    if method in ("cam", "gradcam", "mask"):
        assert slope.abs().max() > 0


def test_samples_do_not_depend_on_each_other_and_the_prediction_is_the_default_class():
    model, image = wrapped(), images(4)
    own = model.eval()(image).argmax(1)
    torch.testing.assert_close(benchmark.explain(model, image), benchmark.explain(model, image, classes=own))
    one = torch.cat([benchmark.explain(model, image[row : row + 1]) for row in range(4)])
    torch.testing.assert_close(benchmark.explain(model, image), one, rtol=1e-4, atol=1e-5)


def test_the_network_is_left_as_it_was():
    net = own_net().train()
    net.body[1].eval()
    net.stem[0].weight.requires_grad_(False)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    hooks = [len(module._forward_hooks) for module in net.modules()]
    modes = [module.training for module in net.modules()]
    asks = [each.requires_grad for each in net.parameters()]
    model = wrapped(net)
    benchmark.explain(model, images(2), "guided_backprop")
    benchmark.attack(model, images(2), passes=4)
    benchmark.evaluate(model, images(), model.eval()(images()).argmax(1), attacks=["fgsm"])
    net.train()
    net.body[1].eval()
    assert [module.training for module in net.modules()] == modes
    assert [each.requires_grad for each in net.parameters()] == asks
    assert [len(module._forward_hooks) for module in net.modules()] == hooks
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_modes_come_back_after_an_error():
    net = own_net().train()
    with pytest.raises(ValueError, match="did you mean gradcam"):
        benchmark.explain(wrapped(net), images(1), "gradcm")
    with pytest.raises(ValueError, match="classes must lie in 0 to 3"):
        benchmark.explain(wrapped(net), images(1), classes=[CLASSES])
    assert net.training and net.stem[0].weight.requires_grad


def test_a_layer_by_name_by_module_and_by_itself():
    net = own_net()
    last, named, given = wrapped(net), wrapped(net, layer="body"), wrapped(net, layer=net.body)
    maps = [benchmark.explain(model, images(2)) for model in (last, named, given)]
    assert last.layer == named.layer == given.layer == "body"
    assert torch.equal(maps[0], maps[1]) and torch.equal(maps[0], maps[2])
    early = benchmark.explain(wrapped(net, layer="stem"), images(2))
    assert early.shape == maps[0].shape and not torch.equal(early, maps[0])


def test_tokens_are_brought_onto_a_grid():
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patches, self.mix, self.head = nn.Conv2d(3, 6, 4, 4), nn.Linear(6, 6), nn.Linear(6, 3)

        def forward(self, image):
            tokens = self.patches(image).flatten(2).transpose(1, 2)
            return self.head(torch.relu(self.mix(tokens)).mean(1))

    torch.manual_seed(0)
    net = Tokens()
    with pytest.raises(ValueError, match=r"reshape="):
        benchmark.explain(benchmark.wrap(net, layer="mix"), images(1))
    model = benchmark.wrap(net, layer="mix", reshape=lambda x: x.transpose(1, 2).unflatten(2, (6, 6)))
    assert benchmark.explain(model, images(2)).shape == (2, 6, 6)


def test_a_function_as_a_method():
    model = wrapped()
    found = benchmark.explain(model, images(2), lambda image, label: image[:, 1])
    assert torch.equal(found, images(2)[:, 1])
    with pytest.raises(ValueError, match=r"maps in \[0, 1\]"):
        benchmark.explain(model, images(2), lambda image, label: 2 * image[:, 1])
    with pytest.raises(ValueError, match=r"maps \(B, h, w\)"):
        benchmark.explain(model, images(2), lambda image, label: image)


def test_an_interpreter_to_keep():
    model = wrapped()
    kept = benchmark.interpreter(model, "smoothgrad", image_size=SIDE, samples=2)
    label = torch.tensor([1, 2])
    again = benchmark.explain(model, images(2), kept, classes=label)
    assert torch.equal(again, kept(images(2), label))
    assert torch.equal(again, benchmark.explain(model, images(2), "smoothgrad", classes=label, samples=2))
    with pytest.raises(ValueError, match="another model"):
        benchmark.explain(wrapped(), images(2), kept)
