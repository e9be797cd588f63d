"""adv2_auto attacks every interpreter that has a gradient, in either ball, and tells truly what it reached."""

from __future__ import annotations

import importlib.util

import pytest
import torch

from benchmark.configuration.instantiation import instantiate
from benchmark.numerics.rng import sample_keys
from benchmark.types import Goal
from tests.contracts.test_interpreters import NAMES
from tests.helpers import configured

LARGE = {"adv2_auto": "probe.epsilon=0.15", "adv2_auto_l2": "probe.radius=10"}


@pytest.fixture(scope="module", params=NAMES)
def attacked(request, made):
    if request.param == "captum" and importlib.util.find_spec("captum") is None:
        pytest.skip("pip install 'underfire[peers]'")
    interpreter = made(request.param)
    if not interpreter.differentiable:
        pytest.skip(f"{request.param} has no gradient")
    return request.param, interpreter


@pytest.mark.parametrize("probe", LARGE)
def test_success_and_distance_are_those_of_the_image_that_is_kept(attacked, probe, root, batch):
    name, interpreter = attacked
    settings = configured(root, f"interpreter={name}", f"probe={probe}", "probe.passes=30", LARGE[probe])["probe"]
    attack, image = instantiate(settings["module"]["attack"]), batch["image"]
    class_B = interpreter.classifier(image).argmax(1)
    drawn = interpreter.stacked() if name == "ensemble" else interpreter  # its members' maps side by side
    benign_Bhw = drawn(image, class_B).detach()
    target_B = interpreter.classifier(image).topk(2).indices[:, 1]
    found = attack(interpreter, image, Goal(target_B, benign_Bhw), sample_keys(0, "start", batch["sample_id"]))
    change = (found.image_BCHW - image).flatten(1)
    rounding = 0.5 / 255
    if probe == "adv2_auto":
        assert change.abs().max() <= settings["epsilon"] + rounding + 1e-6
    else:
        assert change.norm(dim=1).max() <= settings["radius"] + rounding * change.shape[1] ** 0.5
    torch.testing.assert_close(found.image_BCHW * 255, (found.image_BCHW * 255).round(), rtol=0, atol=1e-4)
    reached_B = interpreter.classifier(found.image_BCHW).argmax(1) == target_B
    assert torch.equal(found.success_B, reached_B) and reached_B.any()
    distance_B = (drawn(found.image_BCHW, target_B).detach() - benign_Bhw).abs().flatten(1).mean(1)
    torch.testing.assert_close(found.cost_B[reached_B], distance_B[reached_B], rtol=1e-3, atol=1e-5)
