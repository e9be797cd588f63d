"""Other packages do the same work as ours: equal images of PGD, equal gradients, paths and maps.

In double precision where a gradient's sign turns on the last bit.
"""

from __future__ import annotations

import copy
import importlib

import pytest
import torch
from torch import nn

from benchmark.classifiers.timm_classifier import TimmClassifier
from benchmark.interpreters.cam import GradCAM
from benchmark.interpreters.gradient import Gradient
from benchmark.numerics.images import at_image_size
from benchmark.numerics.modules import freeze
from benchmark.objectives.prediction import Prediction
from benchmark.probes.attack import GradientAttack, Phase
from benchmark.probes.linf_ball import LinfBall
from benchmark.types import Goal

COUNT, SIDE, STEPS, EPSILON, ALPHA = 6, 32, 12, 8 / 255, 1 / 255
LABEL = torch.arange(COUNT) % 4
TARGET = (LABEL + 1) % 4


@pytest.fixture(scope="module")
def image():
    return (torch.rand(COUNT, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) * 255).round() / 255


@pytest.fixture(scope="module")
def classifier(image):
    torch.manual_seed(0)
    net = TimmClassifier(name="resnet10t", num_classes=4, options={"channels": (8, 12, 16, 24), "stem_width": 8})
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.weight.data.uniform_(0.5, 1.5)
            module.momentum = 1.0
    with torch.no_grad():
        net.train()(image)
    return freeze(net)


@pytest.fixture(scope="module")
def ours(classifier, image):
    """Our PGD's images, in double precision."""
    attack = GradientAttack(
        perturbation=LinfBall(epsilon=EPSILON, step_size=ALPHA), phases=[Phase(Prediction())], steps=STEPS
    )
    precise = GradCAM(classifier=copy.deepcopy(classifier), image_size=SIDE).double()
    return attack(precise, image.double(), Goal(TARGET, None), torch.arange(COUNT)).image_BCHW


def package(name: str):
    return pytest.importorskip(name, reason="pip install 'underfire[peers]'")


def test_torchattacks_pgd_gives_the_same_images(classifier, image, ours):
    peer = package("torchattacks").PGD(
        copy.deepcopy(classifier).double(), eps=EPSILON, alpha=ALPHA, steps=STEPS, random_start=False
    )
    peer.set_mode_targeted_by_label(quiet=True)
    torch.testing.assert_close(peer(image.double(), TARGET).double(), ours, rtol=0, atol=1e-6)


def test_foolbox_pgd_gives_the_same_images(classifier, image, ours):
    foolbox = package("foolbox")
    model = foolbox.PyTorchModel(copy.deepcopy(classifier).double(), bounds=(0, 1), device="cpu")
    attack = foolbox.attacks.LinfPGD(abs_stepsize=ALPHA, steps=STEPS, random_start=False)
    criterion = foolbox.TargetedMisclassification(TARGET)
    torch.testing.assert_close(attack.run(model, image.double(), criterion, epsilon=EPSILON), ours, rtol=0, atol=1e-6)


def test_captum_gives_the_same_gradient_and_path(classifier, image):
    attr = importlib.import_module("captum.attr") if package("captum") else None
    gradient = Gradient(classifier=classifier, image_size=SIDE)
    slope = gradient.attribution(image, LABEL).abs()
    theirs = attr.Saliency(classifier).attribute(image.clone().requires_grad_(), target=LABEL)
    torch.testing.assert_close(theirs, slope)
    path = Gradient(classifier=classifier, image_size=SIDE, kind="integrated", samples=16)
    theirs = attr.IntegratedGradients(classifier).attribute(image, target=LABEL, n_steps=16, method="riemann_middle")
    torch.testing.assert_close(theirs.float(), path.attribution(image, LABEL), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("closed_form", [True, False])
def test_grad_cam_gives_the_same_map(classifier, image, closed_form):
    grad_cam = package("pytorch_grad_cam")
    targets = importlib.import_module("pytorch_grad_cam.utils.model_targets")
    ours = GradCAM(classifier=classifier, image_size=SIDE, closed_form=closed_form)
    layer = classifier.net.get_submodule(classifier.layer_of_features(SIDE))
    with grad_cam.GradCAM(model=classifier, target_layers=[layer]) as peer:
        wanted = [targets.ClassifierOutputTarget(int(label)) for label in LABEL]
        theirs = torch.as_tensor(peer(input_tensor=image.clone().requires_grad_(), targets=wanted))
    mine = at_image_size(ours(image, LABEL).detach(), (SIDE, SIDE))
    torch.testing.assert_close(theirs.float(), mine, rtol=0, atol=1e-4)
