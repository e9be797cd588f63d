"""Copies with other activations reach every use of every activation, or the net is refused by name."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from benchmark.classifiers.timm_classifier import TimmClassifier
from benchmark.interpreters.gradient import Gradient
from benchmark.interpreters.guided import GuidedBackprop
from benchmark.interpreters.kinks import find_kinks
from benchmark.interpreters.mask import Mask
from benchmark.interpreters.surgery import check_activations_are_modules, check_smooth_copy
from benchmark.interpreters.surrogate import smooth_copy
from benchmark.numerics.modules import freeze

SIZE = 16


class Net(nn.Module):
    """Three convolutions; ``first`` follows two of them and ``second`` the last."""

    name, num_classes = "mine", 5

    def __init__(self, first: nn.Module, second: nn.Module | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.convolutions = nn.ModuleList(nn.Conv2d(each, 16, 3, padding=1) for each in (3, 16, 16))
        self.head = nn.Linear(16, 5)
        self.first = first
        self.second = first if second is None else second
        self.passes = {"forward": 0, "backward": 0}
        freeze(self)

    def forward(self, image_BCHW):
        features = image_BCHW
        for convolution, activation in zip(self.convolutions, (self.first, self.first, self.second), strict=True):
            features = activation(convolution(features))
        return self.head(features.mean((2, 3)))


class Called(nn.Module):
    """A block that calls a function on its features."""

    def __init__(self, function) -> None:
        super().__init__()
        self.inner = nn.Identity()
        self.function = function

    def forward(self, value):
        return self.function(self.inner(value))


class OwnReLU(torch.autograd.Function):
    """ReLU with a gradient of its own, which autograd's graph says nothing about."""

    @staticmethod
    def forward(ctx, value):
        ctx.save_for_backward(value)
        return value.clamp(min=0)

    @staticmethod
    def backward(ctx, slope):
        return slope * (ctx.saved_tensors[0] > 0)


class ReLU(nn.Module):
    """Another activation by the name of a known one."""

    def forward(self, value):
        return value.tanh()


class NoSecondDerivative(torch.autograd.Function):
    """The square, as fused kernels are written: differentiable once."""

    @staticmethod
    def forward(ctx, value):
        ctx.save_for_backward(value)
        return value.square()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, slope):
        return 2 * slope * ctx.saved_tensors[0]


FUNCTIONS = {
    "F.relu": (F.relu, "functional relu"),
    "torch.relu": (torch.relu, "functional relu"),
    "relu_": (lambda value: value.clone().relu_(), "functional relu"),
    "clamp": (lambda value: value.clamp(min=0), "functional clamp"),
    "clip": (lambda value: torch.clip(value, 0), "functional clamp"),
    "max": (lambda value: torch.max(value, torch.zeros_like(value)), "functional maximum"),
    "-min": (lambda value: -torch.minimum(-value, torch.zeros_like(value)), "functional minimum"),
    "abs": (lambda value: (value + value.abs()) / 2, "functional abs"),
    "gate": (lambda value: value * (value > 0), "slopes of mine change"),
    "where": (lambda value: torch.where(value > 0, value, 0.0), "slopes of mine change"),
    "masked_fill": (lambda value: value.masked_fill(value < 0, 0.0), "slopes of mine change"),
    "own function": (OwnReLU.apply, "slopes of mine change"),
}


@pytest.mark.parametrize("kind", FUNCTIONS)
@pytest.mark.parametrize("build", [Gradient, GuidedBackprop, Mask], ids=lambda build: build.__name__)
def test_a_relu_that_is_no_module_is_refused_by_name(build, kind):
    function, words = FUNCTIONS[kind]
    extra = {"cells": 4} if build is Mask else {}
    with pytest.raises(ValueError, match=words) as refused:
        build(classifier=Net(nn.ReLU(), Called(function)), image_size=SIZE, **extra).surrogate()
    assert "interpreter=gra" in str(refused.value), "what to use instead"
    if "functional" in words:
        assert "is not a module) in Called (second)" in str(refused.value), "where it is"


def test_maps_without_an_attack_need_no_smooth_copy():
    interpreter = Gradient(classifier=Net(Called(F.relu)), image_size=SIZE)
    assert interpreter(torch.rand(1, 3, SIZE, SIZE), torch.zeros(1, dtype=torch.long)).max() == 1


SHARED = nn.ReLU()


@pytest.mark.parametrize(
    "net",
    [
        lambda: Net(SHARED, SHARED),  # one module by two names
        lambda: Net(nn.ReLU(inplace=True)),
        lambda: Net(SHARED, nn.Sequential(nn.Identity(), nn.Sequential(SHARED))),
        lambda: Net(nn.Sequential(nn.Sequential(nn.ReLU()))),
    ],
    ids=["two names", "in place", "in a container too", "nested"],
)
def test_every_use_of_a_shared_relu_is_replaced(net):
    classifier, image = net(), torch.rand(2, 3, SIZE, SIZE)
    assert not any(isinstance(module, nn.ReLU) for module in smooth_copy(classifier, 20.0).modules())
    classes = torch.tensor([0, 3])
    guided = GuidedBackprop(classifier=classifier, image_size=SIZE)
    torch.testing.assert_close(guided.attribution(image, classes), guided_by_function(classifier, image, classes))
    point = image.clone().requires_grad_()
    (slope,) = torch.autograd.grad(guided.surrogate()(point, classes).sum(), point)
    assert slope.abs().max() > 0
    assert classifier.passes == {"forward": 0, "backward": 0}, "checks are not counted"


def guided_by_function(classifier, image_BCHW, class_B):
    """Guided gradients by replacing the function that every ReLU calls."""

    class Guide(torch.autograd.Function):
        @staticmethod
        def forward(ctx, value):
            ctx.save_for_backward(value)
            return value.clamp(min=0)

        @staticmethod
        def backward(ctx, slope):
            return slope.clamp(min=0) * (ctx.saved_tensors[0] > 0)

    class Mode(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            return Guide.apply(args[0]) if function is F.relu else function(*args, **(kwargs or {}))

    point = image_BCHW.clone().requires_grad_()
    with Mode():
        logits_BK = classifier(point)
    return torch.autograd.grad(logits_BK.gather(1, class_B[:, None]).sum(), point)[0]


@pytest.mark.parametrize(
    "activation",
    [
        *(nn.PReLU(), nn.PReLU(16), nn.RReLU(), nn.LeakyReLU(0.1), nn.Hardtanh(-0.1, 0.2), nn.ReLU6()),
        *(nn.Hardswish(), nn.Hardsigmoid(), nn.ELU(), nn.ELU(0.5), nn.SELU(), nn.CELU(0.5), nn.GELU(), nn.Tanh()),
        *(nn.SiLU(), Called(F.gelu), Called(F.normalize)),
    ],
    ids=lambda activation: str(activation),
)
def test_known_activations_have_a_smooth_form(activation):
    check_smooth_copy(Net(activation), SIZE)


@pytest.mark.parametrize("activation", [nn.Threshold(0.1, 0.0), nn.Softshrink(), nn.Hardshrink()], ids=str)
def test_an_activation_without_a_smooth_form_is_named(activation):
    with pytest.raises(ValueError, match=rf"no smooth form of the activation {type(activation).__name__} \(first\)"):
        check_smooth_copy(Net(activation), SIZE)


def test_a_step_is_named():
    with pytest.raises(ValueError, match="functional round"):
        check_smooth_copy(Net(nn.ReLU(), Called(lambda value: value + (8 * value).round() / 8)), SIZE)


def test_pooling_is_no_kink_that_is_refused():
    channels = Called(lambda value: value.amax(1, keepdim=True) + value.max(dim=1, keepdim=True).values + value)
    for pool in (nn.MaxPool2d(3, 1, 1), Called(lambda value: F.max_pool2d(value, 2)), channels):
        check_smooth_copy(Net(nn.ReLU(), nn.Sequential(pool, nn.ReLU())), SIZE)


def test_an_epsilon_is_no_kink():
    net = Net(nn.ReLU(), Called(lambda value: value / value.norm(dim=1, keepdim=True).clamp(min=1e-12)))
    assert not find_kinks(smooth_copy(net, 2.0), torch.rand(1, 3, SIZE, SIZE))


def test_large_activations_are_no_kinks():
    net = Net(nn.ReLU())
    with torch.no_grad():
        net.convolutions[0].weight.mul_(1000)
    check_smooth_copy(net, SIZE)


def test_another_activation_by_a_known_name_is_told():
    with pytest.raises(ValueError, match=r"gives other logits .*has the name of a known one"):
        check_smooth_copy(Net(ReLU()), SIZE)


def test_a_function_that_is_differentiable_once_is_told():
    with pytest.raises(ValueError, match="the slopes of mine change in a way that their derivative does not see"):
        check_smooth_copy(Net(Called(NoSecondDerivative.apply), nn.Tanh()), SIZE)


def test_fused_attention_is_told():
    options = {"img_size": 32, "patch_size": 8, "depth": 2}
    classifier = freeze(TimmClassifier(name="vit_tiny_patch16_224", num_classes=5, options=options))
    for block in classifier.net.blocks:
        block.attn.fused_attn = True
    with pytest.raises(ValueError, match=r"differentiate vit_tiny_patch16_224 twice, which it does not support"):
        check_smooth_copy(classifier, 32)


def test_logits_without_a_gradient_are_told():
    with pytest.raises(ValueError, match="the logits of mine have no gradient in the image"):
        check_smooth_copy(Net(Called(lambda value: value.detach())), SIZE)


def test_a_net_that_cannot_be_copied_is_told():
    net = Net(nn.ReLU())
    net.stream = (each for each in ())
    with pytest.raises(ValueError, match="Net cannot be copied"):
        check_smooth_copy(net, SIZE)


def test_methods_that_work_on_modules_refuse_functions():
    check_activations_are_modules(Net(nn.ReLU()), SIZE, "captum's DeepLift")
    with pytest.raises(ValueError, match=r"captum's DeepLift works on the modules of mine.*functional relu"):
        check_activations_are_modules(Net(Called(F.relu)), SIZE, "captum's DeepLift")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("resnet10t", {"channels": (8, 12, 16, 24), "stem_width": 8}),
        ("mobilenetv3_small_050", {}),
        ("convnext_atto", {"depths": (1, 1, 1, 1), "dims": (8, 16, 16, 16)}),
        ("vit_tiny_patch16_224", {"img_size": 32, "patch_size": 8, "depth": 2}),
    ],
)
def test_families_are_not_refused(name, options):
    torch.manual_seed(0)
    classifier = freeze(TimmClassifier(name=name, num_classes=5, options=options))
    check_smooth_copy(classifier, 32)
    assert classifier.passes == {"forward": 0, "backward": 0}
