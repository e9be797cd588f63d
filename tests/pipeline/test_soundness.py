"""An attack that could not attack does not look like a defence that held: planted faults and the flags they raise."""

from __future__ import annotations

import pandas as pd
import pytest
import torch
from torch import nn

from benchmark.numerics import rng
from benchmark.objectives.margin import Margin
from benchmark.objectives.prediction import Prediction
from benchmark.objectives.topk import TopK
from benchmark.pipeline.soundness.attack_account import account_check
from benchmark.pipeline.soundness.before_attack import map_gradient_flags, repeat_flags, surrogate_check
from benchmark.probes.attack import GradientAttack, Phase
from benchmark.probes.const_search import ConstSearch
from benchmark.probes.flow_field import FlowField
from benchmark.probes.goal_attack import GoalAttack
from benchmark.probes.linf_ball import LinfBall
from benchmark.probes.tanh_box import TanhBox
from lightning_modules.measure import LitMeasure
from lightning_modules.probe import LitProbe
from tests.pipeline.tiny import BALL, COUNT, SIDE, Green, Images, Linear, WithSurrogate


@pytest.fixture
def batch():
    image = (torch.rand(COUNT, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1)) * 255).round() / 255
    ids = torch.arange(COUNT)
    rest = {"sample_id": ids, "source_id": ids, "label": ids % 3, "position": ids}
    return {"image": image, **rest}


def with_prediction(batch, classifier):
    return {**batch, "prediction": classifier(batch["image"]).argmax(1)}


def untargeted(attack) -> GoalAttack:
    return GoalAttack(attack=attack, seed=0, targeted=False)


def gradient(perturbation, objective=None, **options) -> GradientAttack:
    return GradientAttack(perturbation=perturbation, phases=[Phase(objective or Prediction())], steps=3, **options)


ATTACKS = {
    "pgd": lambda: untargeted(gradient(LinfBall(**BALL))),
    "stadv": lambda: untargeted(gradient(FlowField())),
    "tanh box": lambda: untargeted(gradient(TanhBox(), keep="size")),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_saturated_logits_are_flagged_and_others_are_not(batch, name):
    for scale, share in ((1e6, 1.0), (0.01, 0.0)):
        interpreter = Green(Linear(scale))
        module = LitProbe(interpreter=interpreter, probe=ATTACKS[name]())
        made = module.predict_step(with_prediction(batch, interpreter.classifier), 0)
        assert (made["attack.zero_gradient"] == share).all()
        facts, flags = account_check(
            pd.DataFrame({"zero_gradient": made["attack.zero_gradient"].numpy()}), needs_map=False
        )
        assert (facts, flags) == ({"n_zero_gradient": COUNT * int(share)}, ["zero_gradient"] * int(share))


@pytest.mark.parametrize("name", ["const search", "topk"])
def test_a_quantised_network_has_no_gradient(batch, name):
    search = ConstSearch(attack=gradient(TanhBox(), Margin(confidence=1.0), keep="size"), rounds=2)
    topk = gradient(LinfBall(**BALL), TopK(share=0.2, weight=1.0))
    probe = {
        "const search": GoalAttack(attack=search, seed=0),
        "topk": GoalAttack(attack=topk, seed=0, goal="keep"),
    }[name]
    for prepare, share in ((lambda image: (4 * image).round() / 4, 1.0), (lambda image: image, 0.0)):
        interpreter = Green(Linear(prepare=prepare), prepare_map(prepare))
        prediction = interpreter.classifier(batch["image"]).argmax(1)
        found = probe(interpreter, batch["image"], prediction, batch["sample_id"])
        assert (found.facts["zero_gradient"] == share).all()


def prepare_map(prepare):
    return lambda green: prepare(green)


def test_samples_count_one_by_one(batch):
    """Half of the samples are dark and lie where the network is flat."""
    image = batch["image"].clone()
    image[: COUNT // 2] *= 0.4
    flat = lambda x: torch.where(x.mean((1, 2, 3), keepdim=True) < 0.3, 0 * x, x)  # noqa: E731
    interpreter = Green(Linear(0.01, flat))
    prediction = interpreter.classifier(image).argmax(1)
    found = ATTACKS["pgd"]()(interpreter, image, prediction, batch["sample_id"])
    assert found.facts["zero_gradient"].tolist() == [1.0] * 3 + [0.0] * 3


def test_a_few_stuck_samples_are_counted_and_not_flagged():
    samples = pd.DataFrame({"zero_gradient": [1.0] + [0.9] * 39})
    assert account_check(samples, needs_map=False) == ({"n_zero_gradient": 1}, [])
    assert account_check(pd.DataFrame({"success": [True]}), needs_map=False) == ({}, [])


def test_a_loss_without_a_graph_is_answered_in_our_words(batch):
    interpreter = Green(Linear(prepare=lambda image: image.detach()))
    prediction = interpreter.classifier(batch["image"]).argmax(1)
    for probe in (ATTACKS["pgd"](), ATTACKS["tanh box"]()):
        with pytest.raises(ValueError, match=r"no gradient in the image.* use a probe that takes no gradient"):
            probe(interpreter, batch["image"], prediction, batch["sample_id"])


def flags_of(interpreter, batch):
    class_B = torch.zeros(COUNT, dtype=torch.long)
    return repeat_flags(interpreter, batch["image"], class_B) + map_gradient_flags(interpreter, batch["image"], class_B)


def test_what_is_random_at_inference_is_flagged(batch):
    noisy = lambda x: x + 0.1 * torch.rand_like(x)  # noqa: E731
    assert flags_of(Green(Linear()), batch) == []
    assert flags_of(Green(Linear(prepare=nn.functional.dropout)), batch) == ["random_classifier"]
    assert flags_of(Green(Linear(), noisy), batch) == ["random_interpreter"]


def test_a_map_without_a_slope_is_flagged_and_one_without_a_graph_refused(batch):
    assert flags_of(Green(Linear(), lambda green: (4 * green).round() / 4), batch) == ["zero_map_gradient"]
    with pytest.raises(ValueError, match="the maps of Green have no gradient in the image"):
        flags_of(Green(Linear(), lambda green: green.detach()), batch)


def test_a_surrogate_without_its_weights_is_far(batch):
    net = Linear()
    batch = with_prediction(batch, net)
    noise = rng.uniform(rng.sample_keys(0, "lost weights", batch["sample_id"]), SIDE, SIDE)
    lost = WithSurrogate(net, Green(net, lambda green: noise))
    near = WithSurrogate(net, Green(net, lambda green: 0.9 * green))
    facts, flags = surrogate_check(lost, Images(batch), COUNT)
    assert flags == ["surrogate_far"] and facts["surrogate_map_l1"] > 0.75 * facts["other_map_l1"]
    facts, flags = surrogate_check(near, Images(batch), COUNT)
    assert flags == [] and 0 < facts["surrogate_map_l1"] < 0.2
    assert surrogate_check(Green(net), Images(batch), COUNT) == ({}, [])


def measured(interpreter, batch, **further):
    module = LitMeasure(
        **{"interpreter": interpreter, "reference": interpreter, "spread": 0.1, "blur": 1.0},
        **{"n_faithfulness_samples": 9, "n_harmless_samples": 9, "harmless_noise": lambda image, ids: image},
    )
    columns = module.predict_step({**with_prediction(batch, interpreter.classifier), **further}, 0)
    return pd.DataFrame({name: each.numpy() for name, each in columns.items() if each.ndim == 1})


def constant_for_the_first_two(green):
    row = torch.arange(len(green)).view(-1, 1, 1)
    return torch.where(row < 2, 0 * green, green)


def test_a_constant_map_is_no_map(batch):
    interpreter = Green(Linear(), constant_for_the_first_two)
    probed = {
        "probed": batch["image"].flip(3),
        "goal": torch.full((COUNT,), -1),
        "attack": {"zero_gradient": torch.zeros(COUNT)},
    }
    goal_map = torch.rand(COUNT, SIDE, SIDE)
    samples = measured(interpreter, batch, **probed, goal_map=goal_map)
    assert samples["has_map"].tolist() == [False] * 2 + [True] * 4
    distances = ("map_l", "map_i", "map_s", "map_t", "goal_map", "control", "looks")
    for name in (name for name in samples if name.startswith(distances)):
        assert samples[name].isna().tolist() == [True] * 2 + [False] * 4, name
    assert samples["success"].dtype == bool and samples["map_mean_benign"].notna().all()
    clean = measured(interpreter, batch, mask=batch["image"][:, 0] > 0.5)
    for name in ("object_iou", "deletion", "insertion", "reference_l1", "harmless_noise_l1", "harmless_shift_l1"):
        assert clean[name].isna().tolist() == [True] * 2 + [False] * 4, name


@pytest.mark.parametrize("side", [1, 2, 3])
def test_a_map_of_few_places_is_refused(batch, side):
    coarse = Green(Linear(), lambda green: nn.functional.adaptive_avg_pool2d(green[:, None], side)[:, 0])
    with pytest.raises(ValueError, match=rf"{side}x{side} places.*4x4.*image_size.*small_input.*interpreter\.blocks"):
        measured(coarse, batch)
