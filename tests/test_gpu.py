"""On a GPU the suite computes what it computes on the CPU. Left out unless asked for: pytest -m gpu."""

from __future__ import annotations

import pytest
import torch

from benchmark.interpreters.base import BaseInterpreter
from benchmark.metrics.map_distance import l1
from benchmark.numerics import rng
from benchmark.numerics.modules import freeze
from benchmark.objectives.joint import Joint
from benchmark.pipeline.artefacts.classifier import get_classifier
from benchmark.pipeline.artefacts.dataset import load_data
from benchmark.pipeline.artefacts.interpreter import build_interpreter
from benchmark.pipeline.cell import run_cell
from benchmark.pipeline.context import RunContext
from benchmark.probes.attack import GradientAttack, Phase
from benchmark.probes.linf_ball import LinfBall
from benchmark.storage.records import read_record
from benchmark.types import Goal
from tests.helpers import configured
from tests.measurements.tf32 import tf32

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
CUDA = torch.device("cuda")


@pytest.fixture(autouse=True)
def _exact():
    with tf32(False):
        yield


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("gpu")


@pytest.fixture(scope="module")
def batch(root):
    return load_data(configured(root)).split("test").__getitems__(list(range(16)))


def on_both(root, name: str) -> tuple[BaseInterpreter, BaseInterpreter]:
    """The same interpreter on the CPU and on the GPU, on one trained classifier."""
    config = configured(root, f"interpreter={name}")
    made = []
    for device in ("cpu", "cuda"):
        ctx = RunContext({**config, "trainer": {**config["trainer"], "accelerator": device}})
        made.append(freeze(build_interpreter(ctx, get_classifier(ctx))))
    return made[0], made[1]


def test_random_draws_are_the_same_bits():
    key = rng.sample_keys(3, "noise", torch.arange(8), 2)
    for draw in (rng.uniform(key, 5, 7), rng.integers(key, 10, 4)):
        again = rng.uniform(key.to(CUDA), 5, 7) if draw.is_floating_point() else rng.integers(key.to(CUDA), 10, 4)
        assert torch.equal(draw, again.cpu())


@pytest.mark.parametrize("name", ["gradcam", "grad", "integrated_gradients", "guided_backprop", "rts"])
def test_maps_are_those_of_the_cpu(root, batch, name):
    here, there = on_both(root, name)
    expected = here.explain(batch["image"], batch["label"])
    found = there.explain(batch["image"].to(CUDA), batch["label"].to(CUDA))
    torch.testing.assert_close(found.logits_BK.cpu(), expected.logits_BK, rtol=1e-3, atol=1e-3)
    assert l1(found.map_Bhw.cpu(), expected.map_Bhw).max() < 1e-3


@pytest.mark.parametrize("name", ["gradcam", "rts"])
def test_attacks_reach_what_they_reach_on_the_cpu(root, batch, name):
    """A gradient's sign amplifies rounding: images may differ, success and maps may not."""
    attack = GradientAttack(
        perturbation=LinfBall(epsilon=8 / 255, step_size=1 / 255), phases=[Phase(Joint(weight=20))], steps=10
    )
    target = (batch["label"] + 1) % 10
    key = rng.sample_keys(0, "gpu", batch["sample_id"])
    reached, moved = [], []
    for interpreter, device in zip(on_both(root, name), ("cpu", "cuda"), strict=True):
        image = batch["image"].to(device)
        benign = interpreter(image, batch["label"].to(device)).detach()
        outcome = attack(interpreter, image, Goal(target.to(device), benign), key.to(device))
        maps = interpreter(outcome.image_BCHW, target.to(device)).detach()
        reached.append(
            (interpreter.classifier(outcome.image_BCHW).argmax(1) == target.to(device)).float().mean().item()
        )
        moved.append(l1(benign, maps).mean().item())
    assert abs(reached[0] - reached[1]) <= 1 / 16
    assert abs(moved[0] - moved[1]) < 0.005


@pytest.mark.parametrize("name", ["rts", "rtsa_anchored"])
def test_a_cell_is_trained_and_measured_and_the_cpu_measures_the_same(tmp_path, name):
    """Everything on the GPU, deterministic; then the same weights and images measured on the CPU."""
    words = (f"interpreter={name}", "probe=adv2")
    folder, _ = run_cell(configured(tmp_path, *words, "trainer=gpu", "trainer.deterministic=warn"))
    found = read_record(folder).samples
    folder, _ = run_cell(configured(tmp_path, *words, "force=cell"))
    expected = read_record(folder).samples
    assert found["sample_id"].tolist() == expected["sample_id"].tolist()
    assert abs(found["map_l1"].mean() - expected["map_l1"].mean()) < 0.005
    assert abs(found["success"].mean() - expected["success"].mean()) <= 0.01
