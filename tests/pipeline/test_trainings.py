"""Trainings that rest on others: what the plan lists is what is made, and stages start where they say."""

from __future__ import annotations

import torch
from safetensors.torch import load_file

from benchmark.configuration.specs import stage_specs
from benchmark.pipeline.artefacts.classifier import get_classifier
from benchmark.pipeline.artefacts.interpreter import get_interpreter, get_reference
from benchmark.pipeline.cell import run_cell
from benchmark.pipeline.context import RunContext
from benchmark.planning.required_artefacts import required_artefacts
from benchmark.storage.records import read_record
from tests.helpers import configured

QUICK = ("budget.classifier_epochs=1", "probe=clean")
TRUNK = ("interpreter.own_trunk=true",)


def made(root, *overrides):
    """The configuration of a cell, and the artefacts that its record names."""
    config = configured(root, *QUICK, *overrides)
    folder, status = run_cell(config)
    assert status == "done"
    return config, read_record(folder).cell["artefacts"]


def weights(root, kind, key):
    return load_file(root / "store" / kind / key / "weights.safetensors")


def test_a_classifier_is_trained_after_its_start_and_those_that_it_is_trained_against(tmp_path):
    config, artefacts = made(tmp_path, "interpreter=grad", "classifier/training=ensemble")
    wanted = {ref.name: ref.key for ref in required_artefacts(config) if ref.kind == "classifier"}
    assert list(wanted) == ["classifier start", "classifier source small_regnet", "classifier"]
    assert wanted.items() <= artefacts.items()
    assert artefacts["classifier source small_resnet"] == artefacts["classifier start"], "the same net, trained once"
    plain = configured(tmp_path, *QUICK, "interpreter=grad")
    assert {ref.key for ref in required_artefacts(plain)} & set(wanted.values()) == {wanted["classifier start"]}


def test_an_own_trunk_is_trained_in_the_last_stage_and_the_stages_before_are_shared(tmp_path):
    config, artefacts = made(tmp_path, "interpreter=rtsa_anchored", *TRUNK)
    classifier = weights(tmp_path, "classifier", artefacts["classifier"])
    start, finish = (weights(tmp_path, "interpreter", artefacts[f"interpreter {name}"]) for name in ("start", "finish"))
    convolution = "net.conv1.0.weight"
    assert not any(name.startswith("trunk.") for name in start)
    assert not torch.equal(finish[f"trunk.{convolution}"], classifier[convolution])
    assert torch.equal(finish["trunk.net.bn1.running_mean"], classifier["net.bn1.running_mean"])
    _, plain = made(tmp_path, "interpreter=rtsa_anchored", "interpreter.own_trunk=false")
    for stage in ("selector", "start"):
        assert artefacts[f"interpreter {stage}"] == plain[f"interpreter {stage}"]
    assert artefacts["interpreter finish"] != plain["interpreter finish"]
    refs = {
        ref.name: ref.config["interpreter"]["network"]["own_trunk"] for ref in required_artefacts(config) if ref.part
    }
    assert refs["interpreter start"] is False and refs["interpreter finish"] is True


def test_an_own_trunk_starts_as_the_classifiers_and_draws_the_same_map(tmp_path):
    """A finish of no steps is RTS_0 with the copy, whose maps are those of RTS_0."""
    config = configured(tmp_path, *QUICK, "interpreter=rtsa_anchored", *TRUNK, "interpreter.finish_steps=0")
    ctx = RunContext(config)
    classifier = get_classifier(ctx)
    found, start = get_interpreter(ctx, classifier), get_interpreter(ctx, classifier, until="start")
    assert found.masking.trunk is not None and start.masking.trunk is None
    image, class_B = torch.rand(3, 3, 48, 48), torch.tensor([0, 1, 2])
    torch.testing.assert_close(found(image, class_B), start(image, class_B), rtol=0, atol=0)


def test_a_decoder_from_scratch_goes_on_from_the_selector(tmp_path):
    config, artefacts = made(tmp_path, "interpreter=aid/scratch", "interpreter.finish_steps=0")
    specs = dict(stage_specs(config))
    assert specs["finish"]["after"] == artefacts["interpreter selector"] != artefacts["interpreter start"]
    selector, finish = (
        weights(tmp_path, "interpreter", artefacts[f"interpreter {name}"]) for name in ("selector", "finish")
    )
    assert all(torch.equal(finish[name], value) for name, value in selector.items()), "no step was taken"


def test_the_confidence_of_the_selector_leaves_the_stages_before_the_last_as_they_are(tmp_path):
    """They train at confidence 0; the finish does not, and the map is another."""
    keys = []
    for confidence in ("0.0", "6.0"):
        config = configured(tmp_path, "interpreter=rtsa", f"interpreter.confidence={confidence}")
        keys.append({ref.name: ref.key for ref in required_artefacts(config) if ref.kind == "interpreter"})
    same = {name for name, key in keys[0].items() if keys[1][name] == key}
    assert {"interpreter selector", "interpreter start"} <= same and "interpreter finish" not in same
    assert get_reference(RunContext(config), get_classifier(RunContext(config))).confidence == 6.0
