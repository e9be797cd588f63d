"""An attack that was stopped at any step goes on inside its group and gives the bytes of an undisturbed one."""

from __future__ import annotations

import logging
import signal
from pathlib import Path

import pytest
import torch

from benchmark.configuration.instantiation import instantiate
from benchmark.numerics.modules import freeze
from benchmark.pipeline.artefacts.classifier import build_classifier
from benchmark.pipeline.artefacts.interpreter import build_interpreter
from benchmark.pipeline.context import RunContext
from benchmark.probes import kept_state
from benchmark.probes.kept_state import StateKeeper, kept_by, restore, state_of
from benchmark.processes.signals import Stopped
from tests.helpers import configured

IDS, CLASSES = torch.arange(2), torch.tensor([0, 1])
FAST = ("interpreter.network.steps=2", "interpreter.network.tracked=1", "interpreter.network.warm=1")
# Perturbations and update rules that differ, one phase and two, several attacks in turn, and what keeps state besides.
CASES = [
    ("pgd", "rts", ()),
    ("adv2", "cam", ("+probe.module.attack.perturbation.momentum=0.9",)),
    ("stadv", "rts", ()),
    ("adv2", "mask", FAST),
    (
        "adv2",
        "ensemble",
        (
            "+interpreter@interpreter.members.a=cam",
            "+interpreter@interpreter.members.b=mask",
            *(f"interpreter.members.b{each.removeprefix('interpreter')}" for each in FAST),
        ),
    ),
    ("adv2_auto", "rts", ()),
    ("adv2_auto", "mask", (*FAST, "probe.targeted=false", "probe.passes=8")),
    ("cw", "rts", ()),
]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("kept")


def probe_of(root: Path, probe: str, interpreter: str, options: tuple[str, ...]):
    """The probe, an untrained interpreter in float32, and images."""
    config = configured(root, f"probe={probe}", f"interpreter={interpreter}", *options)
    ctx = RunContext(config)
    explained = freeze(build_interpreter(ctx, freeze(build_classifier(ctx))))
    image = torch.rand(2, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    return instantiate(config["probe"]["module"]), explained, image


def tensors_of(perturbed) -> dict[str, torch.Tensor]:
    return {"image": perturbed.image_BCHW, **perturbed.facts, **perturbed.curves}


class Stops:
    """A signal at the steps of these numbers, counted over all runs."""

    def __init__(self, *steps: int) -> None:
        self.steps, self.count = steps, 0

    def __call__(self) -> None:
        self.count += 1
        if self.count in self.steps:
            raise Stopped(signal.SIGTERM)


@pytest.mark.parametrize(("probe", "interpreter", "options"), CASES, ids=lambda value: str(value)[:24])
def test_a_stopped_attack_goes_on_at_its_step_with_the_same_bytes(
    root, tmp_path, monkeypatch, probe, interpreter, options
):
    attack, explained, image = probe_of(root, probe, interpreter, options)
    whole = tensors_of(attack(explained, image, CLASSES, IDS))
    stops = Stops(3, 5, 8)
    monkeypatch.setattr(kept_state, "raise_if_stopped", stops)
    file = tmp_path / "state.safetensors"
    found = None
    while found is None:
        keeper = StateKeeper(seconds=3600)
        with kept_by(keeper):
            keeper.begin(file)
            try:
                found = tensors_of(attack(explained, image, CLASSES, IDS))
            except Stopped:
                assert file.exists()
                continue
            keeper.end()
    assert not file.exists()
    for name, value in whole.items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=0, equal_nan=True, msg=name)
    if probe != "cw":  # which goes through the rounds that it has finished again
        single = Stops()
        monkeypatch.setattr(kept_state, "raise_if_stopped", single)
        keeper = StateKeeper(seconds=3600)
        with kept_by(keeper):
            keeper.begin(file)
            attack(explained, image, CLASSES, IDS)
        assert stops.count == single.count, "no step is taken twice"


def test_a_state_is_written_every_so_many_seconds_and_survives_a_kill(root, tmp_path):
    attack, explained, image = probe_of(root, "adv2", "cam", ())
    whole = tensors_of(attack(explained, image, CLASSES, IDS))
    file = tmp_path / "state.safetensors"
    killed = StateKeeper(seconds=0)
    with kept_by(killed):
        killed.begin(file)
        attack(explained, image, CLASSES, IDS)  # and the process is gone before the group is written
    assert file.exists()
    keeper = StateKeeper(seconds=3600)
    with kept_by(keeper):
        keeper.begin(file)
        found = tensors_of(attack(explained, image, CLASSES, IDS))
    assert all(torch.equal(found[name], whole[name]) for name in whole)


def test_a_damaged_state_is_left_out(root, tmp_path, caplog):
    file = tmp_path / "state.safetensors"
    file.write_bytes(b"half of a fi")
    keeper = StateKeeper(seconds=3600)
    with caplog.at_level(logging.WARNING, "underfire"):
        keeper.begin(file)
    assert keeper.found is None and "is damaged; its group is attacked from the start" in caplog.text


class Part:
    STATE = ("count", "share", "done", "tensor", "none", "parts")

    def __init__(self, *values) -> None:
        self.count, self.share, self.done, self.tensor, self.none, self.parts = values


def test_every_kind_of_value_comes_back():
    last = torch.rand(2, 3, 4, 5).contiguous(memory_format=torch.channels_last)
    inner = Part(1, 0.1, True, torch.arange(3), None, [])
    state = state_of(Part(7, 0.7, False, last, None, [inner, inner]), "part")
    other = Part(0, 0.0, True, None, torch.ones(1), [Part(0, 0.0, False, None, 1.0, []) for _ in range(2)])
    restore(other, state, "part", torch.device("cpu"))
    assert (other.count, other.share, other.done, other.none) == (7, 0.7, False, None)
    assert torch.equal(other.tensor, last) and other.tensor.is_contiguous(memory_format=torch.channels_last)
    assert other.parts[1].done is True and torch.equal(other.parts[1].tensor, torch.arange(3))


def test_what_does_not_say_its_state_is_not_kept(tmp_path, monkeypatch, caplog):
    class Secret:
        def __call__(self):
            """An update rule from outside that changes without saying how."""

    monkeypatch.setattr(kept_state, "raise_if_stopped", Stops(1))
    keeper = StateKeeper(seconds=3600)
    with kept_by(keeper), caplog.at_level(logging.WARNING, "underfire"):
        keeper.begin(tmp_path / "state.safetensors")
        with pytest.raises(Stopped):
            kept_state.UnderWay().step(1, 2, optimizer=Secret())
    assert "Secret has no STATE" in caplog.text and not keeper.file.exists()
