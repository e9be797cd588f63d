"""Layers in bfloat16 or compiled against float32 as written: logits, maps, attacked images, and what is left alone."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from benchmark.classifiers.timm_classifier import TimmClassifier
from benchmark.configuration.validation import check_values
from benchmark.interpreters.cam import CAM
from benchmark.interpreters.gradient import Gradient
from benchmark.interpreters.rts import RTS
from benchmark.metrics.map_distance import l1
from benchmark.numerics import layers, rng
from benchmark.numerics.modules import freeze
from benchmark.objectives.joint import Joint
from benchmark.objectives.prediction import Prediction
from benchmark.planning.required_artefacts import required_artefacts
from benchmark.probes.attack import GradientAttack, Phase
from benchmark.probes.linf_ball import LinfBall
from benchmark.report.cohorts.settings import differing, settings_of
from benchmark.types import Goal
from tests.helpers import configured

COUNT, SIDE = 8, 96
IMAGE = rng.uniform(rng.sample_keys(0, "layers", torch.arange(COUNT)), 3, SIDE, SIDE)
CLASSES = torch.arange(COUNT) % 4
BF16 = {"precision": "bf16-mixed", "compile": False}
COMPILED = {"precision": "32-true", "compile": True}
# Map L1 that bfloat16's 8 bits of mantissa may cost on an untrained network; gradients move most.
BF16_MAP_L1 = {"cam": 0.02, "rts": 0.02, "grad": 0.05}


@pytest.fixture(scope="module")
def classifier():
    torch.manual_seed(0)
    net = TimmClassifier(name="resnet10t", num_classes=4, options={"channels": (8, 12, 16, 24), "stem_width": 8})
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.weight.data.uniform_(0.5, 1.5)
            module.momentum = 1.0
    with torch.no_grad():
        net.train()(IMAGE)
        net.net.get_classifier().weight *= 10
    return freeze(net)


@pytest.fixture(scope="module")
def interpreters(classifier):
    torch.manual_seed(1)
    common = {"classifier": classifier, "image_size": SIDE}
    return {"cam": CAM(**common), "rts": freeze(RTS(**common, width=8)), "grad": Gradient(**common)}


def adv2(interpreter):
    attack = GradientAttack(
        perturbation=LinfBall(epsilon=16 / 255, step_size=2 / 255),
        phases=[Phase(Prediction(), 4), Phase(Joint(weight=5.0))],
        steps=12,
    )
    goal = Goal((CLASSES + 1) % 4, interpreter(IMAGE, CLASSES).detach())
    return attack, goal


@pytest.mark.parametrize("name", ["cam", "rts", "grad"])
def test_bfloat16_maps_are_near_and_all_that_layers_return_is_float32(interpreters, name):
    interpreter = interpreters[name]
    expected = interpreter.explain(IMAGE, CLASSES)
    with layers.configured(BF16):
        found = interpreter.explain(IMAGE, CLASSES)
    assert found.logits_BK.dtype == found.map_Bhw.dtype == torch.float32
    assert not torch.equal(found.logits_BK, expected.logits_BK), "it did something"
    assert l1(found.map_Bhw, expected.map_Bhw).mean() < BF16_MAP_L1[name]
    again = interpreter.explain(IMAGE, CLASSES)
    assert torch.equal(again.map_Bhw, expected.map_Bhw), "outside nothing has changed"


@pytest.mark.parametrize("name", ["cam", "rts", "grad"])
def test_images_attacked_in_bfloat16_do_what_those_of_float32_do(classifier, interpreters, name):
    """Judged in float32: a gradient's signs differ, success and maps hardly."""
    interpreter = interpreters[name]
    attack, goal = adv2(interpreter)
    expected = attack(interpreter, IMAGE, goal, torch.arange(COUNT))
    with layers.configured(BF16):
        found = attack(interpreter, IMAGE, goal, torch.arange(COUNT))
    reached, moved = [], []
    for outcome in (expected, found):
        assert outcome.image_BCHW.dtype == torch.float32
        reached.append((classifier(outcome.image_BCHW).argmax(1) == goal.target_B).float().mean())
        moved.append(l1(interpreter(outcome.image_BCHW, goal.target_B).detach(), goal.map_Bhw).mean())
    assert reached[0] > 0.5 and abs(reached[0] - reached[1]) <= 1 / COUNT
    assert abs(moved[0] - moved[1]) < BF16_MAP_L1[name]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile takes a C++ compiler")
@pytest.mark.parametrize("name", ["cam", "rts", "grad"])
def test_compiled_layers_give_the_same_to_rounding(interpreters, name):
    interpreter = interpreters[name]
    point = IMAGE.clone().requires_grad_()

    def everything():
        surrogate = interpreter.surrogate()
        seen = surrogate.explain(point, CLASSES)
        total = seen.logits_BK.square().sum() + seen.map_Bhw.square().sum()
        (slope,) = torch.autograd.grad(total, point)
        return seen.logits_BK, seen.map_Bhw, slope / slope.abs().amax()

    expected = everything()
    with layers.configured(COMPILED):
        found = everything()
    for mine, other in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile takes a C++ compiler")
def test_modules_of_one_structure_share_what_is_compiled(interpreters):
    """AID attacks a new copy of the decoder at every step."""
    network = interpreters["rts"]
    pyramid = network.features(IMAGE)[1]
    with layers.configured(COMPILED), torch.no_grad():
        first = network.masking.folded()(pyramid, CLASSES, 0.0)[0]
        torch._dynamo.config.error_on_recompile = True
        try:
            again = network.masking.folded()(pyramid, CLASSES, 0.0)[0]
        finally:
            torch._dynamo.config.error_on_recompile = False
    assert torch.equal(first, again)


def test_what_is_made_in_bfloat16_is_kept_apart_and_what_is_compiled_is_not(tmp_path):
    def artefacts(*words):
        return required_artefacts(configured(tmp_path, "interpreter=rts", "probe=adv2", *words))

    usual, before = artefacts(), configured(tmp_path, "interpreter=rts", "probe=adv2")
    del before["trainer"]["precision"], before["trainer"]["compile"]
    assert required_artefacts(before) == usual == artefacts("trainer.compile=true")
    assert not set(artefacts("trainer.precision=bf16-mixed")) & set(usual)


def test_records_of_both_precisions_are_told_apart(tmp_path):
    cells = [{"config": configured(tmp_path, f"trainer.precision={each}")} for each in ("32-true", "bf16-mixed")]
    del cells[0]["config"]["trainer"]["precision"]  # of a record from before there was a choice
    settings = [settings_of(SimpleNamespace(cell=cell)) for cell in cells]
    assert differing(settings) == ["trainer.precision"]


@pytest.mark.parametrize("word", ["trainer.compile=true", "trainer.precision=bf16-mixed"])
def test_portable_arithmetic_goes_with_neither(tmp_path, word):
    with pytest.raises(ValueError, match=f"trainer.portable=true gives the same bytes on every CPU, and {word}"):
        check_values(configured(tmp_path, "trainer.portable=true", word))
    check_values(configured(tmp_path, word))


def test_no_compiler_is_a_sentence(monkeypatch):
    monkeypatch.setenv("CXX", "no_such_compiler")
    with pytest.raises(ValueError, match="no_such_compiler, which is not there"):
        layers.check_compiler({"compile": True}, torch.device("cpu"))
    layers.check_compiler({"compile": False}, torch.device("cpu"))
    layers.check_compiler({"compile": True}, torch.device("cuda"))
