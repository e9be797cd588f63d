"""What every interpreter in conf/interpreter/ keeps: a new yaml is tried here without being named."""

from __future__ import annotations

import copy
import importlib.util

import pytest
import torch

from benchmark.configuration.conf_files import conf_folder
from benchmark.interpreters.base import TrunkInterpreter

NAMES = sorted(path.stem for path in (conf_folder() / "interpreter").glob("*.yaml"))
CLASSES = torch.tensor([0, 3, 1])


@pytest.fixture(scope="module", params=NAMES)
def interpreter(request, made):
    if request.param == "captum" and importlib.util.find_spec("captum") is None:
        pytest.skip("pip install 'underfire[peers]'")
    return made(request.param)


def test_map_and_logits_of_one_explanation(interpreter, classifier, batch):
    explanation = interpreter.explain(batch["image"], CLASSES)
    torch.testing.assert_close(explanation.logits_BK.detach(), classifier(batch["image"]), rtol=1e-4, atol=1e-5)
    map_Bhw = explanation.map_Bhw.detach()
    assert map_Bhw.shape[0] == 3 and map_Bhw.ndim == 3
    assert torch.isfinite(map_Bhw).all() and map_Bhw.min() >= 0 and map_Bhw.max() <= 1
    torch.testing.assert_close(interpreter(batch["image"], CLASSES).detach(), map_Bhw, rtol=1e-4, atol=1e-5)


def test_images_read_once_have_the_maps_of_every_class(interpreter, classifier, batch):
    read = interpreter.read(batch["image"])
    for class_B in (CLASSES, CLASSES.flip(0)):
        assert torch.equal(read.map(class_B).detach(), interpreter(batch["image"], class_B).detach())
    assert torch.equal(read.logits_BK.detach(), classifier(batch["image"]))
    if isinstance(interpreter, TrunkInterpreter):
        before = classifier.passes["forward"]
        read = interpreter.read(batch["image"])
        made = classifier.passes["forward"] - before
        read.map(CLASSES), read.map(CLASSES.flip(0))
        assert classifier.passes["forward"] - before == made == len(CLASSES), "one pass for all maps"


def test_samples_do_not_see_each_other(interpreter, batch):
    """In double precision: a gradient jumps where the last bit of a sum puts a ReLU on its other side."""
    interpreter, image = copy.deepcopy(interpreter).double(), batch["image"].double()
    together = interpreter(image, CLASSES).detach()
    for row in (2, 0):
        alone = interpreter(image[row : row + 1], CLASSES[row : row + 1]).detach()
        torch.testing.assert_close(alone[0], together[row], rtol=0, atol=1e-6)


def test_the_same_map_twice(interpreter, batch):
    first, second = (interpreter(batch["image"], CLASSES).detach() for _ in range(2))
    assert torch.equal(first, second)


def test_nothing_is_left_behind(interpreter, classifier, batch):
    before = copy.deepcopy(classifier.state_dict())
    interpreter.explain(batch["image"].clone().requires_grad_(), CLASSES)
    assert all(torch.equal(value, before[name]) for name, value in classifier.state_dict().items())
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in classifier.parameters())
    assert not any(module.training for module in classifier.modules())
    assert not any(module._forward_hooks or module._backward_hooks for module in classifier.modules())


def state(classifier) -> dict[str, object]:
    """Everything of a network but its weights: modes, flags, hooks, attributes."""
    hooks = {name for name in vars(classifier) if name.endswith("_hooks")}
    return {
        "flags": [parameter.requires_grad for parameter in classifier.parameters()],
        "attributes": [sorted(vars(module)) for module in classifier.modules()],
        "hooks": [[list(getattr(module, name)) for name in sorted(hooks)] for module in classifier.modules()],
        "modes": [module.training for module in classifier.modules()],
        "classes": [type(module) for module in classifier.modules()],
        "fused": [getattr(module, "fused_attn", None) for module in classifier.modules()],
    }


def test_the_classifier_is_frozen_and_otherwise_as_it_was(request, interpreter, made, classifier, batch):
    """As docstrings say: made, attacked and set to train mode, an interpreter leaves its classifier in eval mode."""
    hook = classifier.net.get_classifier().register_forward_hook(lambda module, args, output: None)
    try:
        before = state(classifier)
        again = made(request.node.callspec.params["interpreter"])
        again.train()
        assert again.training and state(classifier) == before
        again.surrogate().warm_started().explain(batch["image"][:1].clone().requires_grad_(), CLASSES[:1])
        assert state(classifier) == before
    finally:
        hook.remove()


def test_it_can_be_attacked_by_gradient_exactly_if_it_says_so(interpreter, batch):
    point = batch["image"].clone().requires_grad_()
    map_Bhw = interpreter.surrogate().explain(point, CLASSES).map_Bhw
    if not interpreter.differentiable:
        assert not map_Bhw.requires_grad
        return
    weight = torch.linspace(0, 1, map_Bhw[0].numel()).view_as(map_Bhw[0])
    (slope,) = torch.autograd.grad((map_Bhw * weight).sum(), point)
    assert torch.isfinite(slope).all() and slope.abs().amax() > 0


@pytest.mark.parametrize("wrong", [-1, 10])
def test_a_class_that_is_not_there_is_named(interpreter, batch, wrong):
    with pytest.raises(ValueError, match=rf"class {wrong} was asked for and the classifier has the classes 0 to 9"):
        interpreter(batch["image"], torch.tensor([0, wrong, 1]))
