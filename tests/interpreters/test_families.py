"""CAM, Grad-CAM and the gradient maps: hand-solved nets, independent references, and what they leave behind."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from benchmark.classifiers.timm_classifier import TimmClassifier
from benchmark.interpreters.cam import CAM, GradCAM
from benchmark.interpreters.ensemble import Ensemble
from benchmark.interpreters.gradient import Gradient
from benchmark.interpreters.guided import GuidedBackprop, GuidedReLU, Switch
from benchmark.interpreters.mask import Mask
from benchmark.interpreters.postprocess import min_max
from benchmark.interpreters.rise import RISE, random_masks
from benchmark.interpreters.surrogate import smooth, smooth_copy
from benchmark.objectives.joint import map_loss
from benchmark.types import Trunk

SMALL = {"channels": (8, 12, 16, 24), "stem_width": 8}
CLASSES = torch.tensor([0, 3, 1])


@pytest.fixture
def classifier():
    torch.manual_seed(0)
    net = TimmClassifier(name="resnet10t", num_classes=5, options=SMALL, small_input=True).eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):  # statistics as after training
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.data.uniform_(0.5, 1.5)
    return net


@pytest.fixture
def image():
    return torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))


BUILDERS = {
    "cam": lambda c: CAM(classifier=c, image_size=32),
    "gradcam": lambda c: GradCAM(classifier=c, image_size=32),
    "gradcam general": lambda c: GradCAM(classifier=c, image_size=32, closed_form=False),
    "gradcam_pp": lambda c: GradCAM(classifier=c, image_size=32, plus_plus=True),
    "grad": lambda c: Gradient(classifier=c, image_size=32),
    "smoothgrad": lambda c: Gradient(classifier=c, image_size=32, kind="smoothgrad", samples=3),
    "guided": lambda c: GuidedBackprop(classifier=c, image_size=32),
    "integrated": lambda c: Gradient(classifier=c, image_size=32, kind="integrated", samples=4),
    "mask": lambda c: Mask(classifier=c, image_size=32, cells=8, steps=4, tracked=4, blur=2.0),
    "ensemble": lambda c: Ensemble(
        classifier=c, image_size=32, members=[CAM(classifier=c, image_size=32), Gradient(classifier=c, image_size=32)]
    ),
}
# Not stretched to [0, 1]: masks are what they are, means of maps lie inside.
UNSTRETCHED = (Mask, Ensemble)


@pytest.fixture(params=BUILDERS)
def interpreter(request, classifier):
    return BUILDERS[request.param](classifier)


def test_maps_are_in_range_and_come_with_the_logits(interpreter, classifier, image):
    explanation = interpreter.explain(image, CLASSES)
    torch.testing.assert_close(explanation.logits_BK, classifier(image))
    map_Bhw = explanation.map_Bhw
    assert map_Bhw.min() >= 0 and map_Bhw.max() <= 1 and map_Bhw.std((1, 2)).min() > 1e-3
    if not isinstance(interpreter, UNSTRETCHED):
        assert map_Bhw.amin((1, 2)).eq(0).all()
        torch.testing.assert_close(map_Bhw.amax((1, 2)), torch.ones(3))
    with torch.no_grad():
        torch.testing.assert_close(interpreter(image, CLASSES), map_Bhw, rtol=1e-4, atol=1e-5)


def test_batched_equals_looped(interpreter, image):
    together = interpreter(image, CLASSES)
    alone = torch.cat([interpreter(image[i : i + 1], CLASSES[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(together, alone, rtol=1e-3, atol=1e-4)


def test_nothing_is_left_behind(interpreter, classifier, image):
    before = copy.deepcopy(classifier.state_dict())
    interpreter(image.clone().requires_grad_(), CLASSES).sum().backward()
    assert all(torch.equal(value, before[name]) for name, value in classifier.state_dict().items())
    assert all(parameter.grad is None for parameter in classifier.parameters())
    assert not classifier.training
    assert not any(module._forward_hooks or module._backward_hooks for module in classifier.modules())


def test_gradient_in_the_image_against_finite_differences(interpreter, image):
    smooth = interpreter.double().surrogate()
    torch.manual_seed(3)
    point = image[:1].double().requires_grad_()
    classes = CLASSES[:1]
    weight = torch.randn_like(smooth(point, classes)).detach()
    direction = torch.randn_like(point)

    def value(at):
        return (weight * smooth(at, classes)).sum()

    (gradient,) = torch.autograd.grad(value(point), point)
    step = 1e-6
    with torch.no_grad():
        numeric = (value(point + step * direction) - value(point - step * direction)) / (2 * step)
    assert gradient.abs().max() > 0
    assert (gradient * direction).sum().item() == pytest.approx(numeric.item(), rel=2e-3, abs=1e-6)


def test_other_weights_give_another_map(interpreter, classifier, image):
    """The sanity check of Adebayo et al., NeurIPS 2018."""
    before = interpreter(image, CLASSES).detach()
    other = copy.deepcopy(classifier)
    torch.manual_seed(9)
    for parameter in other.parameters():
        nn.init.normal_(parameter, std=0.2)
    kind = next(name for name, build in BUILDERS.items() if _same(build(classifier), interpreter))
    after = BUILDERS[kind](other)(image, CLASSES).detach()
    assert (before - after).abs().mean() > (0.0005 if kind == "mask" else 0.02)  # four inner steps move a mask little


def test_other_weights_give_rise_another_map(classifier, image):
    other = copy.deepcopy(classifier)
    torch.manual_seed(9)
    for parameter in other.parameters():
        nn.init.normal_(parameter, std=0.2)
    before, after = (
        RISE(classifier=net, image_size=32, masks=40, seed=0)(image, CLASSES) for net in (classifier, other)
    )
    assert (before - after).abs().mean() > 0.02


@pytest.mark.parametrize("wrong", [-1, 5])
def test_a_class_out_of_range_is_a_sentence_to_attacks_too(interpreter, image, wrong):
    """-1 would be the last class, to an index."""
    attacked = interpreter.surrogate().warm_started()
    with pytest.raises(ValueError, match="class"):
        attacked.explain(image, torch.tensor([0, wrong, 1]))


def test_passes_of_a_surrogate_are_the_classifier_s(classifier, image):
    before = dict(classifier.passes)
    surrogate = Gradient(classifier=classifier, image_size=32).surrogate()
    surrogate(image.clone().requires_grad_(), CLASSES).sum().backward()
    assert classifier.passes["forward"] - before["forward"] == 3
    assert classifier.passes["backward"] > before["backward"]


def test_an_infinite_attribution_is_no_constant_map():
    assert torch.isnan(min_max(torch.tensor([[[float("inf"), 0.0], [1.0, 2.0]]]))).any()


class TestCaptum:
    """What the adapter adds to captum: seeds, tuples, sentences."""

    @pytest.fixture
    def adapted(self, classifier):
        pytest.importorskip("captum.attr")
        from benchmark.interpreters.captum_adapter import CaptumAttribution

        return lambda method, **options: CaptumAttribution(
            classifier=classifier, image_size=32, method=method, options=options, seed=3
        )

    @pytest.mark.parametrize("method", ["KernelShap", "ShapleyValueSampling"])
    def test_drawing_methods_depend_on_the_seed_alone(self, adapted, image, method):
        segments = (torch.arange(32)[:, None] // 16 * 2 + torch.arange(32) // 16)[None, None]
        found = adapted(method, feature_mask=segments, n_samples=8)
        first, again = found(image, CLASSES), found(image, CLASSES)
        assert torch.equal(first, again)
        alone = torch.cat([found(image[i : i + 1], CLASSES[i : i + 1]) for i in range(3)])
        torch.testing.assert_close(first, alone, rtol=1e-4, atol=1e-5)

    def test_lists_are_tuples_to_captum(self, adapted, image):
        assert adapted("Occlusion", sliding_window_shapes=[3, 8, 8], strides=[3, 8, 8])(image, CLASSES).std() > 0

    def test_what_captum_refuses_is_a_sentence(self, adapted, image):
        with pytest.raises(ValueError, match=r"Occlusion does not work with interpreter\.options"):
            adapted("Occlusion", sliding_window_shapes=3.5)(image, CLASSES)
        with pytest.raises(ValueError, match="model alone"):
            adapted("NoiseTunnel")


def _same(one, other) -> bool:
    traits = ("kind", "plus_plus")
    return type(one) is type(other) and all(getattr(one, t, None) == getattr(other, t, None) for t in traits)


def test_cam_costs_one_forward_and_equals_its_formula(classifier, image):
    cam = CAM(classifier=classifier, image_size=32)
    before = classifier.passes["forward"]
    explanation = cam.explain(image, CLASSES)
    assert classifier.passes["forward"] - before == 3
    trunk = classifier.trunk(image)
    for row, index in enumerate(CLASSES):
        raw = (classifier.net.fc.weight[index][:, None, None] * trunk.final_BChw[row]).sum(0)
        expected = (raw - raw.min()) / (raw.max() - raw.min())
        torch.testing.assert_close(explanation.map_Bhw[row], expected, rtol=1e-4, atol=1e-5)


def test_closed_form_equals_the_general_path(classifier, image):
    closed = GradCAM(classifier=classifier, image_size=32)
    general = GradCAM(classifier=classifier, image_size=32, closed_form=False)
    assert closed.weight_KC is not None
    assert general.weight_KC is None
    torch.testing.assert_close(closed(image, CLASSES), general(image, CLASSES), rtol=1e-4, atol=1e-5)


def test_grad_cam_pp_by_hand(classifier):
    """Two channels, g = (1, 2) everywhere: a_k = sum over positions of g^3 / (2 g^2 + sum(F_k) g^3)."""
    interpreter = GradCAM(classifier=classifier, image_size=32, plus_plus=True)
    features = torch.tensor([[[[1.0, 2.0]], [[3.0, 1.0]]]])
    slope = torch.tensor([1.0, 2.0])[None, :, None, None].expand_as(features)
    weights = interpreter.channel_weights(features, slope)
    expected = [2 * 1 / (2 * 1 + 3 * 1), 2 * 8 / (2 * 4 + 4 * 8)]
    torch.testing.assert_close(weights[0], torch.tensor(expected))


class Quadratic(nn.Module):
    """logit_0 = sum(w x^2) / 2, whose gradient is w x and whose integrated gradients from 0 are w x^2 / 2."""

    num_classes = 1

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.arange(1.0, 193.0).view(1, 3, 8, 8) / 192)

    def forward(self, image):
        return (self.weight * image.square()).sum((1, 2, 3))[:, None] / 2


def test_gradients_of_a_quadratic_net_by_hand():
    net, point, zero = Quadratic(), torch.rand(2, 3, 8, 8), torch.zeros(2, dtype=torch.long)
    gradient = Gradient(classifier=net, image_size=8, pool=1)
    torch.testing.assert_close(gradient.attribution(point, zero), net.weight * point)
    integrated = Gradient(classifier=net, image_size=8, pool=1, kind="integrated", samples=3)
    torch.testing.assert_close(integrated.attribution(point, zero), net.weight * point.square() / 2)
    smooth = Gradient(classifier=net, image_size=8, pool=1, kind="smoothgrad", samples=400, noise=0.1)
    torch.testing.assert_close(smooth.attribution(point, zero), net.weight * point, rtol=0, atol=0.03)
    expected = (net.weight * point).abs().amax(1)
    low, high = expected.amin((1, 2), keepdim=True), expected.amax((1, 2), keepdim=True)
    torch.testing.assert_close(gradient(point, zero), (expected - low) / (high - low))


def test_the_surrogate_shares_weights_keeps_true_logits_and_nears_the_true_map(classifier, image):
    interpreter = Gradient(classifier=classifier, image_size=32, beta=10.0)
    surrogate = interpreter.surrogate()
    assert not any(isinstance(module, nn.ReLU) for module in surrogate.map_network.modules())
    assert any(isinstance(module, nn.ReLU) for module in classifier.modules()), "the true net is as it was"
    ours = {parameter.data_ptr() for parameter in classifier.parameters()}
    assert ours == {parameter.data_ptr() for parameter in surrogate.map_network.parameters()}
    torch.testing.assert_close(surrogate.explain(image, CLASSES).logits_BK, classifier(image))
    errors = []
    for beta in (2.0, 20.0, 200.0):
        near = Gradient(classifier=classifier, image_size=32, beta=beta).surrogate()
        errors.append((near(image, CLASSES) - interpreter(image, CLASSES)).abs().mean().item())
    assert errors[0] > errors[1] > errors[2]


def test_a_relu_net_gives_no_gradient_to_attack_and_the_surrogate_does(classifier, image):
    interpreter = Gradient(classifier=classifier, image_size=32)

    def slope(of):
        point = image.clone().requires_grad_()
        return torch.autograd.grad(of.attribution(point, CLASSES).square().sum(), point, allow_unused=True)[0]

    dead = slope(interpreter)
    assert dead is None or dead.abs().max() < 1e-6 * slope(interpreter.surrogate()).abs().max()


def test_a_constant_map_is_zero_with_a_finite_gradient():
    raw = torch.full((2, 4, 4), 0.7, requires_grad=True)
    scaled = min_max(raw)
    assert (scaled == 0).all()
    scaled.sum().backward()
    assert torch.isfinite(raw.grad).all()


def test_guided_relu_by_hand():
    value = torch.tensor([-1.0, 2.0, 3.0, 4.0], requires_grad=True)
    switch = Switch()
    out = GuidedReLU(None, switch)(value)
    assert out.tolist() == [0.0, 2.0, 3.0, 4.0]
    weight = torch.tensor([1.0, 1.0, -1.0, 2.0])
    (plain,) = torch.autograd.grad((out * weight).sum(), value, retain_graph=True)
    assert plain.tolist() == [0.0, 1.0, -1.0, 2.0]
    switch.on = True
    (slope,) = torch.autograd.grad((out * weight).sum(), value)
    assert slope.tolist() == [0.0, 1.0, 0.0, 2.0], "only what is active and speaks for the class"


def test_rise_finds_what_the_net_looks_at():
    """Planted: the confidence follows a corner of the image, so the map has to light up there."""

    class Corner(nn.Module):
        num_classes = 2

        def forward(self, image):
            seen = image[:, :, :6, :6].mean((1, 2, 3))
            return torch.stack([-8 * seen, 8 * seen], 1)

    rise = RISE(classifier=Corner(), image_size=16, masks=400, cells=4, pool=1)
    attribution = rise(torch.ones(2, 3, 16, 16), torch.tensor([1, 0]))
    assert attribution[0, :6, :6].mean() > attribution[0, 8:, 8:].mean() + 0.3
    assert attribution[1, :6, :6].mean() < attribution[1, 8:, 8:].mean() - 0.3
    masks = random_masks(400, 4, 0.5, 16, 0)
    assert masks.shape == (400, 16, 16)
    assert masks.mean() == pytest.approx(0.5, abs=0.03)


def test_agreement_with_captum(classifier, image):
    captum = pytest.importorskip("captum.attr")
    pairs = {
        "gradient": (captum.Saliency(classifier), {"abs": False}),
        "integrated": (captum.IntegratedGradients(classifier), {"n_steps": 4, "method": "riemann_middle"}),
    }
    for kind, (method, options) in pairs.items():
        ours = Gradient(classifier=classifier, image_size=32, kind=kind, samples=4).attribution(image, CLASSES)
        theirs = method.attribute(image.clone().requires_grad_(), target=CLASSES, **options)
        torch.testing.assert_close(ours, theirs.to(ours.dtype), rtol=1e-3, atol=1e-5)
    guided = GuidedBackprop(classifier=classifier, image_size=32).attribution(image, CLASSES)
    with pytest.warns(UserWarning, match="ReLU"):
        theirs = captum.GuidedBackprop(classifier).attribute(image.clone().requires_grad_(), target=CLASSES)
    torch.testing.assert_close(guided, theirs, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda c: CAM(classifier=TimmClassifier(name="vgg11", num_classes=3), image_size=32), "another head"),
        (lambda c: smooth_copy(c, 0.0), "beta"),
        (lambda c: Gradient(classifier=c, image_size=32, kind="slope"), "kind"),
        (lambda c: Gradient(classifier=c, image_size=32, samples=0), "samples"),
        (lambda c: Gradient(classifier=c, image_size=32, pool=64), "pool"),
        (lambda c: RISE(classifier=c, image_size=32, masks=0), "masks"),
        (
            lambda c: GuidedBackprop(classifier=TimmClassifier(name="convnext_atto", num_classes=3), image_size=32),
            "ReLU",
        ),
    ],
)
def test_what_does_not_fit_is_refused(classifier, build, words):
    with pytest.raises(ValueError, match=words):
        build(classifier)


def test_a_trunk_is_enough_for_cam(classifier, image):
    cam = CAM(classifier=classifier, image_size=32)
    trunk = classifier.trunk(image)
    raw = cam.raw(Trunk(trunk.logits_BK, trunk.final_BChw), CLASSES)
    torch.testing.assert_close(min_max(raw), cam(image, CLASSES))


def test_a_class_that_is_not_there_is_named(interpreter, image):
    with pytest.raises(ValueError, match="class 7 was asked for and the classifier has the classes 0 to 4"):
        interpreter(image, torch.tensor([0, 7, 1]))


def test_input_shift(classifier, image):
    """Kindermans et al., 2017: a shift of the input that the first layer takes back leaves the net's function as it is.

    The gradient does not see the shift; integrated gradients from a black baseline do.
    """

    class Shifted(nn.Module):
        num_classes = 5

        def __init__(self, net):
            super().__init__()
            self.net = net

        def forward(self, image_BCHW):
            return self.net(image_BCHW - 0.3)

    shifted = Shifted(classifier)
    torch.testing.assert_close(shifted(image + 0.3), classifier(image), rtol=1e-4, atol=1e-4)
    moved = {}
    for kind in ("gradient", "integrated"):
        before = Gradient(classifier=classifier, image_size=32, kind=kind, samples=8)(image, CLASSES)
        after = Gradient(classifier=shifted, image_size=32, kind=kind, samples=8)(image + 0.3, CLASSES)
        moved[kind] = (before - after).abs().mean().item()
    assert moved["gradient"] < 1e-3
    assert moved["integrated"] > 0.02


def test_an_ensemble_asks_for_the_sum_of_the_members_losses(classifier, image):
    members = [CAM(classifier=classifier, image_size=32), Gradient(classifier=classifier, image_size=32, pool=2)]
    ensemble = Ensemble(classifier=classifier, image_size=32, members=members)
    other = image.flip(0)
    stacked = [ensemble.surrogate()(each, CLASSES) for each in (image, other)]
    surrogates = [members[0], members[1].surrogate()]
    single = [[member(each, CLASSES) for each in (image, other)] for member in surrogates]
    assert [len(each[0][0]) for each in single] == [4, 16], "of different sizes, each on its own"
    expected = torch.stack([map_loss(a, b) for a, b in single]).sum(0)
    torch.testing.assert_close(map_loss(*stacked), expected)
    truly = ensemble.stacked()(image, CLASSES)
    torch.testing.assert_close(truly[:, :, :16], ensemble.surrogate()(image, CLASSES)[:, :, :16])
    assert not torch.equal(truly[:, :, 16:], ensemble.surrogate()(image, CLASSES)[:, :, 16:]), "the true gradient"
    coarse, fine = (member(image, CLASSES) for member in members)
    enlarged = nn.functional.interpolate(coarse[:, None], size=16, mode="bilinear", align_corners=False)[:, 0]
    torch.testing.assert_close(ensemble(image, CLASSES), (enlarged + fine) / 2)
    with pytest.raises(ValueError, match="at least two members"):
        Ensemble(classifier=classifier, image_size=32, members=members[:1])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("vit_tiny_patch16_224", {"img_size": 32, "patch_size": 8, "depth": 3}),
        (
            "swin_tiny_patch4_window7_224",
            {"img_size": 64, "window_size": 2, "depths": (1, 1, 1, 1), "embed_dim": 24, "num_heads": (1, 2, 4, 8)},
        ),
    ],
)
def test_tokens_lie_on_a_grid(name, options):
    """By timm's metadata; the gradient at the features against one taken by a hook on the same module."""
    torch.manual_seed(0)
    classifier = TimmClassifier(name=name, num_classes=5, options=options).eval()
    size = options["img_size"]
    image = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    classes = torch.tensor([0, 3])
    interpreter = GradCAM(classifier=classifier, image_size=size, closed_form=False)
    got = interpreter(image, classes)
    caught = {}
    module = interpreter.target_layer or "norm"
    layer = classifier.net.get_submodule(module)
    hooks = [
        layer.register_forward_hook(lambda m, a, out: caught.update(features=out)),
        layer.register_full_backward_hook(lambda m, a, out: caught.update(slope=out[0])),
    ]
    classifier(image.clone().requires_grad_()).gather(1, classes[:, None]).sum().backward()
    for hook in hooks:
        hook.remove()
    features, slope = caught["features"].detach(), caught["slope"]
    if features.ndim == 3:
        side = size // options["patch_size"]
        features, slope = (each[:, 1:].reshape(2, side, side, -1) for each in (features, slope))
    weights = slope.mean((1, 2), keepdim=True)
    expected = min_max((weights * features).sum(-1).relu())
    torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-4)


def test_grad_cam_agrees_with_the_peer(classifier, image):
    """pytorch-grad-cam, on the last stage; it stretches (epsilon 1e-7), enlarges to the image, stretches again."""
    peer = pytest.importorskip("pytorch_grad_cam")
    with torch.no_grad():  # gradients beside which its other epsilon, 1e-6 under Grad-CAM++'s fraction, is nothing
        classifier.net.get_classifier().weight *= 1000
    targets = [peer.utils.model_targets.ClassifierOutputTarget(int(c)) for c in CLASSES]
    for kind, ours in (("GradCAM", {}), ("GradCAMPlusPlus", {"plus_plus": True})):
        with getattr(peer, kind)(model=classifier, target_layers=[classifier.net.layer4]) as cam:
            theirs = torch.tensor(cam(input_tensor=image.clone().requires_grad_(), targets=targets))
        mine = GradCAM(classifier=classifier, image_size=32, closed_form=False, **ours)(image, CLASSES)
        mine = nn.functional.interpolate(mine[:, None], size=(32, 32), mode="bilinear", align_corners=False)[:, 0]
        torch.testing.assert_close(min_max(mine), theirs, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    "activation",
    [nn.ReLU(), nn.ReLU6(), nn.Hardsigmoid(), nn.Hardswish(), nn.LeakyReLU(0.2)],
    ids=lambda a: type(a).__name__,
)
def test_smooth_activations_come_near_and_bend(activation):
    value = torch.linspace(-8, 8, 401, dtype=torch.float64, requires_grad=True)
    error = {}
    for beta in (10.0, 100.0):
        near = smooth(activation, beta)(value)
        error[beta] = (near - activation(value)).abs().max().item()
        (slope,) = torch.autograd.grad(near.sum(), value, create_graph=True)
        (bend,) = torch.autograd.grad(slope.sum(), value)
        assert torch.isfinite(bend).all() and bend.abs().max() > 0
    # softplus(beta) is log(2) / beta above ReLU at its kink; hard swish multiplies by x, 3 at its kinks
    assert error[100.0] <= 0.0071 and error[10.0] <= 0.071
    assert error[100.0] < error[10.0] / 5
    assert smooth(nn.GELU(), 10.0) is None
