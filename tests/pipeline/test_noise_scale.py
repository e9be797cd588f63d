"""The noise scale of a data set: on how many images, and what of it outlives a stop."""

from __future__ import annotations

import json
import signal

import pytest

from benchmark.configuration.specs import cell_spec, classifier_spec, probed_spec, scale_spec, spread_noise
from benchmark.pipeline.artefacts import noise_scale
from benchmark.pipeline.artefacts.classifier import get_classifier
from benchmark.pipeline.artefacts.noise_scale import get_noise_scale
from benchmark.pipeline.context import RunContext
from benchmark.planning.required_artefacts import scale_ref
from benchmark.probes import noise_calibration
from benchmark.processes.signals import Stopped
from benchmark.storage.paths import LOOKS, partial_folder
from tests.helpers import configured

LEVEL, PART = 0.3, 40
LOOK = 10  # samples of one look, here


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("scale")


@pytest.fixture(autouse=True)
def small_looks(monkeypatch):
    """The few samples that a barely trained classifier gets right, in several looks."""
    for module in (noise_scale, noise_calibration):
        monkeypatch.setattr(module, "LOOK", LOOK)
    monkeypatch.setattr(noise_calibration, "FEW", 2 * LOOK)


def context(root, most=None):
    config = configured(root, "budget.calibration_images=500")
    return RunContext({**config, "data": {**config["data"], "scale_images": most}})


def scale(ctx):
    classifier = get_classifier(ctx)
    return get_noise_scale(ctx, classifier, spread_noise(ctx.config), LEVEL)


@pytest.mark.parametrize("most", [None, PART])
def test_a_calibration_that_was_stopped_goes_on_and_finds_the_same(root, monkeypatch, most):
    ctx = context(root, most)
    whole = scale(ctx)
    ctx.store.discard("scale", scale_ref(ctx.config, spread_noise(ctx.config), LEVEL).spec)
    batches = []

    def stop_after_three():
        batches.append(1)
        if len(batches) == 4:
            raise Stopped(signal.SIGTERM)

    monkeypatch.setattr(noise_scale, "raise_if_stopped", stop_after_three)
    with pytest.raises(Stopped):
        scale(ctx)
    ref = scale_ref(ctx.config, spread_noise(ctx.config), LEVEL)
    kept = json.loads((partial_folder(ctx.store.path(ref.kind, ref.key)) / LOOKS).read_text())
    assert sum(len(counts) - 1 for _, counts in kept) == 3, "what was seen is kept"
    resumed = scale(ctx)
    assert resumed["passes"] == whole["passes"] - 3 * LOOK, "what was seen is not seen again"
    assert {**resumed, "passes": 0} == {**whole, "passes": 0}
    assert not (ctx.store.path(ref.kind, ref.key) / LOOKS).exists()


def test_a_damaged_note_of_what_was_seen_is_left_out(tmp_path):
    (tmp_path / LOOKS).write_text("[[0.5, [0, ")
    assert noise_scale._read(tmp_path / LOOKS) == {}


def test_a_part_of_calibration_is_drawn_by_class_and_takes_few_passes(root):
    found = scale(context(root, PART))
    assert found["samples"] == PART
    assert found["passes"] <= 10 * PART
    assert LEVEL <= found["rate"] <= LEVEL + found["tolerance"]


def test_the_number_of_images_enters_what_rests_on_the_scale_and_nothing_else(root):
    full, part = (
        {**context(root, most).config, "probe": {**context(root).config["probe"], "level": LEVEL}}
        for most in (None, PART)
    )
    noise = spread_noise(full)
    assert classifier_spec(full) == classifier_spec(part)
    for spec in (cell_spec, probed_spec, lambda config: scale_spec(config, noise, LEVEL)):
        assert spec(full) != spec(part)
    without = {**full, "data": {name: value for name, value in full["data"].items() if name != "scale_images"}}
    assert cell_spec(without) == cell_spec(full), "digits, which have no such key, keep their names"
