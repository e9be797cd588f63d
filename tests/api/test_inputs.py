"""What is given wrongly is told as a sentence that says what was expected, what came, and what to do."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import benchmark
from tests.api.nets import MEAN, STD, images, own_net

LABELS = [0] * 16


@pytest.fixture
def model():
    return benchmark.wrap(own_net(), mean=MEAN, std=STD)


@pytest.mark.parametrize(
    "given, words",
    [
        (np.zeros((1, 3, 24, 24)), "torch tensor .* got ndarray"),
        (torch.zeros(3, 24, 24), r"add a first dimension, images\[None\]"),
        (torch.zeros(0, 3, 24, 24), "at least one"),
        (torch.zeros(1, 1, 24, 24), "three channels"),
        (torch.zeros(1, 3, 24, 20), "square"),
        (torch.zeros(1, 3, 24, 24, dtype=torch.uint8), r"uint8: images.float\(\) / 255"),
        (torch.zeros(1, 3, 24, 24, dtype=torch.float64), r"float64: images.float\(\)"),
        (torch.full((1, 3, 24, 24), 200.0), "divide by 255"),
        (torch.full((1, 3, 24, 24), -0.5), "the model normalises them itself"),
        (torch.full((1, 3, 24, 24), float("nan")), r"must lie in \[0, 1\]"),
    ],
)
def test_images(model, given, words):
    for call in (benchmark.explain, benchmark.attack):
        with pytest.raises(ValueError, match=words):
            call(model, given)
    with pytest.raises(ValueError, match=words):
        benchmark.evaluate(model, given, [0])


@pytest.mark.parametrize(
    "labels, words",
    [
        ([0, 1], "one class number for each of 16 images"),
        ([0.0] * 16, r"got \(16,\) float32"),
        ([0] * 15 + [4], "0 to 3, the model's classes; row 15 has 4"),
        ([-1] + [0] * 15, "row 0 has -1"),
    ],
)
def test_labels(model, labels, words):
    with pytest.raises(ValueError, match=words):
        benchmark.attack(model, images(), labels)
    with pytest.raises(ValueError, match=words):
        benchmark.evaluate(model, images(), labels)


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"layer": "bodi"}, "no layer 'bodi': did you mean body"),
        ({"layer": nn.ReLU()}, "no part of OwnNet"),
        ({"mean": None}, "mean and std go together"),
        ({"std": 0.0}, "std must be above 0"),
        ({"mean": (0.5, 0.5)}, "one number or one for each of three channels"),
    ],
)
def test_wrapping(arguments, words):
    with pytest.raises(ValueError, match=words):
        benchmark.wrap(own_net(), **{"mean": MEAN, "std": STD, **arguments})


def test_what_cannot_be_wrapped():
    with pytest.raises(ValueError, match=r"torch.nn.Module from images to logits, got function"):
        benchmark.wrap(lambda image: image)
    with pytest.raises(ValueError, match=r"model is a OwnNet: wrap it first, benchmark.wrap\(net"):
        benchmark.explain(own_net(), images(1))
    with pytest.raises(ValueError, match=r"logits of shape \(B, K\).* got \(1, 3, 24, 24\)"):
        benchmark.explain(benchmark.wrap(nn.Identity()), images(1))
    with pytest.raises(ValueError, match=r"does not take an image of shape \(3, 24, 24\)"):
        benchmark.explain(benchmark.wrap(nn.Linear(5, 2)), images(1))
    flat = benchmark.wrap(nn.Sequential(nn.Flatten(), nn.Linear(3 * 24 * 24, 3)))
    with pytest.raises(ValueError, match="no layer of Sequential has features with positions"):
        benchmark.explain(flat, images(1))
    assert benchmark.explain(flat, images(1), "grad").shape == (1, 12, 12)


@pytest.mark.parametrize(
    "call, words",
    [
        ({"method": "smothgrad"}, "no method 'smothgrad': did you mean smoothgrad"),
        ({"method": "gradcam", "method_options": {"pol": 2}}, "method 'gradcam' has no option 'pol'"),
        ({"method": 7}, "function .* got int"),
        ({"method": "rts"}, "a trained network: name its weights, checkpoint=FILE"),
        ({"method": "grad", "method_options": {"pool": 5}}, "divides the image's 24"),
        ({"method": "rise"}, "no gradient"),
        ({"attack": "adv2auto"}, "no attack 'adv2auto': did you mean adv2_auto"),
        ({"attack": "clean"}, "changes nothing"),
        ({"attack": "normal"}, "give its scale"),
        ({"attack": "adv2_other_image"}, "needs images of every class"),
        ({"attack": 3}, "got int"),
        ({"epsilon": 8}, "divide pixel values by 255"),
        ({"stps": 3}, "attack 'adv2_auto' has no option 'stps'"),
        ({"batch_size": 0}, "batch_size is a whole number"),
        ({"ids": [1] * 16}, "ids must differ"),
        ({"ids": [1]}, "one whole number for each of 16 images"),
    ],
)
def test_methods_and_attacks(model, call, words):
    call = {"passes": 4, **call} if call.get("attack", "adv2_auto") == "adv2_auto" else call
    with pytest.raises((ValueError, TypeError), match=words):
        benchmark.attack(model, images(), LABELS, **call)


def test_an_evaluation(model):
    right = model.eval()(images()).argmax(1)
    with pytest.raises(ValueError, match=r"attacks is a list of attacks, such as"):
        benchmark.evaluate(model, images(), right, attacks="pgd")
    with pytest.raises(ValueError, match="names of their own"):
        benchmark.evaluate(model, images(), right, attacks=["pgd", "pgd"])
    with pytest.raises(ValueError, match=r"no attack among \['pgd'\] has an option 'pases'"):
        benchmark.evaluate(model, images(), right, attacks=["pgd"], pases=3)
    with pytest.raises(ValueError, match="none of the 16 images right"):
        benchmark.evaluate(model, images(), (right + 1) % 4, attacks=["pgd"])
    with pytest.raises(ValueError, match="adv2_auto cannot attack them"):
        benchmark.evaluate(model, images(), right, "rise")


def test_a_classifier_of_timm():
    with pytest.raises(ValueError, match="near ones: resnet18"):
        benchmark.classifier("resnet-18", pretrained=False)
    small = benchmark.classifier("resnet10t", pretrained=False, num_classes=4, options={"channels": (4, 4, 8, 8)})
    assert benchmark.explain(small, images(2)).shape[0] == 2
    with pytest.raises(ValueError, match="classes must lie in 0 to 3"):
        benchmark.explain(small, images(1), classes=[4])


def test_results(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        benchmark.load_results(tmp_path / "none")
    assert len(benchmark.load_results(tmp_path)) == 0
