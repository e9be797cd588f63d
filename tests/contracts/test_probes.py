"""What every probe in conf/probe/ keeps: a new yaml is tried here without being named."""

from __future__ import annotations

import copy

import pytest
import torch

from benchmark.configuration.conf_files import conf_folder
from benchmark.configuration.instantiation import instantiate
from tests.helpers import configured

NAMES = sorted(path.stem for path in (conf_folder() / "probe").glob("*.yaml") if path.stem != "clean")
CAM = "cam"


@pytest.fixture(scope="module")
def interpreter(made):
    return made(CAM)


@pytest.fixture(scope="module", params=NAMES)
def settings(request, root):
    return configured(root, f"interpreter={CAM}", f"probe={request.param}")["probe"]


def probe_of(settings, batch, **changes):
    """The probe as a cell makes it, with images of other classes to take maps from where it wants them."""
    level = {} if settings["level"] is None else {"scale": 0.1}
    probe = instantiate({**settings["module"], **changes}, **level)
    if probe.needs_donors:
        probe.donors_CDCHW = batch["image"].flip(0)[None].expand(10, *batch["image"].shape).contiguous()
    return probe


def probed(probe, interpreter, batch):
    prediction = interpreter.classifier(batch["image"]).argmax(1)
    return probe(interpreter, batch["image"], prediction, batch["sample_id"]), prediction


def test_images_stay_images_within_the_budget(settings, interpreter, batch):
    found, prediction = probed(probe_of(settings, batch), interpreter, batch)
    image = found.image_BCHW
    assert image.shape == batch["image"].shape and not image.requires_grad
    assert torch.isfinite(image).all() and image.min() >= 0 and image.max() <= 1
    assert (image - batch["image"]).abs().max() > 0, "it does something"
    if settings.get("epsilon") is not None:
        assert (image - batch["image"]).abs().max() <= settings["epsilon"] + 1e-6
    assert found.goal_B.shape == prediction.shape
    if (found.goal_B >= 0).all() and not settings["module"].get("goal", "").startswith("keep"):
        assert (found.goal_B != prediction).all()


def test_it_says_truly_whether_it_reads_maps(settings, batch):
    assert probe_of(settings, batch).needs_map == settings["needs_map"]


def test_the_same_seed_gives_the_same_bits_and_another_others(settings, interpreter, batch):
    first, again = (probed(probe_of(settings, batch), interpreter, batch)[0] for _ in range(2))
    assert torch.equal(first.image_BCHW, again.image_BCHW) and torch.equal(first.goal_B, again.goal_B)
    others = [probed(probe_of(settings, batch, seed=seed), interpreter, batch)[0] for seed in range(1, 5)]
    if not settings["module"].get("goal", "").startswith("keep"):
        assert any(
            not torch.equal(first.goal_B, other.goal_B) or not torch.equal(first.image_BCHW, other.image_BCHW)
            for other in others
        )


def test_samples_do_not_see_each_other(settings, interpreter, batch):
    """In double precision: a sign turns on the last bit of a sum, and hundreds of steps make another image of it."""
    interpreter, batch = copy.deepcopy(interpreter).double(), {**batch, "image": batch["image"].double()}
    together, _ = probed(probe_of(settings, batch), interpreter, batch)
    for row in (2, 0):
        one = {name: value[row : row + 1] for name, value in batch.items()}
        probe = probe_of(settings, batch)
        alone, _ = probed(probe, interpreter, one)
        torch.testing.assert_close(alone.image_BCHW[0], together.image_BCHW[row], rtol=0, atol=1e-5)
        assert torch.equal(alone.goal_B[0], together.goal_B[row])


def test_nothing_is_left_behind(settings, interpreter, batch):
    classifier = interpreter.classifier
    before = copy.deepcopy(classifier.state_dict())
    probed(probe_of(settings, batch), interpreter, batch)
    assert all(torch.equal(value, before[name]) for name, value in classifier.state_dict().items())
    assert all(parameter.grad is None for parameter in classifier.parameters())
    assert not any(module.training for module in classifier.modules())


def test_no_steps_are_the_identity(settings, root, interpreter, batch):
    if "steps" not in settings:
        pytest.skip("not an attack in steps")
    zero = [f"interpreter={CAM}", f"probe={settings['name']}", "probe.steps=0"]
    idle = configured(root, *zero, *(["probe.warmup=0"] if "warmup" in settings else []))["probe"]
    if idle.get("random_start"):
        pytest.skip("it starts elsewhere in the ball")
    found, _ = probed(probe_of(idle, batch), interpreter, batch)
    torch.testing.assert_close(found.image_BCHW, batch["image"], rtol=0, atol=1e-5)
