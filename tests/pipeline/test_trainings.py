"""Trainings that rest on others: what the plan lists is what is made, and stages start where they say."""

from __future__ import annotations

import torch
from safetensors.torch import load_file

from benchmark.configuration.specs import stage_specs
from benchmark.pipeline.cell import run_cell
from benchmark.planning.required_artefacts import required_artefacts
from benchmark.storage.records import read_record
from tests.helpers import configured

QUICK = ("budget.classifier_epochs=1", "probe=clean")


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


def test_an_own_trunk_and_a_decoder_from_scratch(tmp_path):
    _, artefacts = made(tmp_path, "interpreter=aid/trunk")
    classifier = weights(tmp_path, "classifier", artefacts["classifier"])
    start, finish = (weights(tmp_path, "interpreter", artefacts[f"interpreter {name}"]) for name in ("start", "finish"))
    convolution = "net.conv1.0.weight"
    assert torch.equal(start[f"trunk.{convolution}"], classifier[convolution])
    assert not torch.equal(finish[f"trunk.{convolution}"], classifier[convolution])
    assert torch.equal(finish["trunk.net.bn1.running_mean"], classifier["net.bn1.running_mean"])

    config, artefacts = made(tmp_path, "interpreter=aid/scratch", "interpreter.finish_steps=0")
    specs = dict(stage_specs(config))
    assert specs["finish"]["after"] == artefacts["interpreter selector"] != artefacts["interpreter start"]
    selector, finish = (
        weights(tmp_path, "interpreter", artefacts[f"interpreter {name}"]) for name in ("selector", "finish")
    )
    assert all(torch.equal(finish[name], value) for name, value in selector.items()), "no step was taken"
