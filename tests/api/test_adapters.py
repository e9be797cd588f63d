"""Objects of captum, grad-cam, torchattacks and foolbox, against what they give when they are called by themselves."""

from __future__ import annotations

import warnings

import pytest
import torch

import benchmark
from benchmark.api.adapters import package_of
from tests.api.nets import MEAN, STD, images, own_net

LABELS = torch.tensor([0, 3, 1, 2])


@pytest.fixture
def model():
    return benchmark.wrap(own_net(), mean=MEAN, std=STD, layer="body").eval()


def imported(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name)


def test_captum(model):
    attr = imported("captum.attr")
    for network, prepare in ((model, lambda x: x), (model.net, model.normalised)):
        found = benchmark.explain(model, images(4), attr.Saliency(network), classes=LABELS)
        own = attr.Saliency(network).attribute(prepare(images(4)).requires_grad_(), target=LABELS).abs().amax(1)
        low, high = own.amin((1, 2), keepdim=True), own.amax((1, 2), keepdim=True)
        torch.testing.assert_close(found, (own - low) / (high - low))
    layer = attr.LayerGradCam(model, model.net.body)
    torch.testing.assert_close(
        benchmark.explain(model, images(4), layer, classes=LABELS),
        benchmark.explain(model, images(4), "gradcam", classes=LABELS),
        rtol=1e-4,
        atol=1e-5,
    )
    with pytest.raises(ValueError, match="another network"):
        benchmark.explain(model, images(4), attr.Saliency(own_net()))
    assert (
        benchmark.evaluate(model, images(), model(images()).argmax(1), layer, ["pgd"], steps=3).method == "LayerGradCam"
    )


def test_grad_cam(model):
    cam = imported("pytorch_grad_cam")
    with cam.GradCAM(model=model, target_layers=[model.net.body]) as method:
        assert package_of(method) == "pytorch_grad_cam"
        found = benchmark.explain(model, images(4), method, classes=LABELS)
    own = benchmark.explain(model, images(4), "gradcam", classes=LABELS)
    assert found.shape == (4, 24, 24)
    small = torch.nn.functional.interpolate(found[:, None], size=own.shape[1:], mode="area")[:, 0]
    for row in range(4):
        assert torch.corrcoef(torch.stack([small[row].flatten(), own[row].flatten()]))[0, 1] > 0.95


def test_torchattacks(model):
    attacks = imported("torchattacks")
    label = model(images()).argmax(1)
    torch.manual_seed(0)
    own = attacks.PGD(model, eps=8 / 255, alpha=2 / 255, steps=5, random_start=False)
    found = benchmark.attack(model, images(), label, attack=own)
    torch.testing.assert_close(found, own(images(), label), rtol=0, atol=0.51 / 255)
    result = benchmark.evaluate(model, images(), label, attacks=[own, "pgd"], steps=5)
    assert result.attacks == ["PGD", "pgd"] and set(result.records["PGD"].samples["goal"]) == {-1}
    rows = result.records["PGD"].samples
    assert (rows["success"] == (rows["pred_probe"] != rows["label"])).all()
    own.set_mode_targeted_by_label(quiet=True)
    rows = benchmark.evaluate(model, images(), label, attacks={"targeted": own}).records["targeted"].samples
    assert (rows["goal"] >= 0).all() and (rows["goal"] != rows["label"]).all()
    with pytest.raises(ValueError, match="more than epsilon=2/255"):
        benchmark.attack(model, images(), label, attack=own, epsilon=2 / 255)
    with pytest.raises(ValueError, match="another network"):
        benchmark.attack(model, images(), label, attack=attacks.FGSM(own_net()))


def test_foolbox(model):
    foolbox = imported("foolbox")
    label = model(images()).argmax(1)
    own = foolbox.attacks.LinfProjectedGradientDescentAttack(steps=5, random_start=False)
    found = benchmark.attack(model, images(), label, attack=own, epsilon=8 / 255)
    network = foolbox.PyTorchModel(model, bounds=(0, 1))
    alone = own(network, images(), label, epsilons=8 / 255)[1]
    torch.testing.assert_close(found, alone, rtol=0, atol=0.51 / 255)
    with pytest.raises(ValueError, match="takes epsilon"):
        benchmark.attack(model, images(), label, attack=own, epsilon=None)
