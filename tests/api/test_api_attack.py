"""Attacks on one's own network: inside the budget, repeatable, and as strong as the suite's own."""

from __future__ import annotations

import pytest
import torch

import benchmark
from benchmark.metrics.map_distance import l1
from tests.api.nets import MEAN, STD, images, own_net

EPSILON = 8 / 255


@pytest.fixture(scope="module")
def model():
    return benchmark.wrap(own_net(), mean=MEAN, std=STD).eval()


@pytest.mark.parametrize("name", ["pgd", "adv2", "adv2_auto", "fgsm", "cw", "stadv", "sign", "topk", "normal"])
def test_attacks_keep_to_their_images(model, name):
    options = {"steps": 6, "warmup": 2} if name == "adv2" else {"steps": 6} if name in ("pgd", "topk") else {}
    options |= {"passes": 12} if name == "adv2_auto" else {"steps": 4} if name in ("cw", "stadv") else {}
    options |= {"scale": 0.1} if name == "normal" else {}
    found = benchmark.attack(model, images(6), attack=name, epsilon=EPSILON, **options)
    assert found.shape == (6, 3, 24, 24) and found.min() >= 0 and found.max() <= 1
    torch.testing.assert_close(found * 255, (found * 255).round(), rtol=0, atol=1e-4)
    assert not torch.equal(found, images(6))
    if name not in ("cw", "stadv", "normal"):
        assert (found - images(6)).abs().max() <= EPSILON + 1e-6
    again = benchmark.attack(model, images(6), attack=name, epsilon=EPSILON, **options)
    assert torch.equal(found, again)


def test_the_strongest_attack_reaches_the_class_and_leaves_the_map(model):
    label = model(images()).argmax(1)
    budget = {"epsilon": 16 / 255}
    pgd = benchmark.attack(model, images(), label, attack="pgd", steps=40, **budget)
    joint = benchmark.attack(model, images(), label, attack="adv2_auto", passes=100, **budget)
    benign = benchmark.explain(model, images(), classes=label)
    distances = []
    for found in (pgd, joint):
        assert (model(found).argmax(1) != label).float().mean() > 0.7
        distances.append(l1(benign, benchmark.explain(model, found)).mean())
    assert distances[1] < 0.5 * distances[0]


def test_samples_keep_their_draws_whatever_the_batch(model):
    label = model(images()).argmax(1)
    whole = benchmark.attack(model, images(), label, attack="pgd", steps=5)
    parts = [
        benchmark.attack(
            model, images()[rows], label[rows], attack="pgd", steps=5, ids=torch.arange(16)[rows], batch_size=3
        )
        for rows in (slice(0, 9), slice(9, 16))
    ]
    torch.testing.assert_close(whole, torch.cat(parts))
    turned = benchmark.attack(
        model, images().flip(0), label.flip(0), attack="pgd", steps=5, ids=torch.arange(16).flip(0)
    )
    torch.testing.assert_close(whole, turned.flip(0))


def test_a_function_as_an_attack(model):
    found = benchmark.attack(model, images(4), attack=lambda net, image, label: (image + 2 / 255).clamp(0, 1))
    torch.testing.assert_close(found, (images(4) + 2 / 255).clamp(0, 1))
    with pytest.raises(ValueError, match=r"changes a pixel by 20.00/255, more than epsilon=8/255"):
        benchmark.attack(model, images(4), attack=lambda net, image, label: (image + 20 / 255).clamp(0, 1))
    with pytest.raises(ValueError, match=r"outside \[0, 1\]"):
        benchmark.attack(model, images(4), attack=lambda net, image, label: image - 0.5)
    with pytest.raises(ValueError, match="must give images of shape"):
        benchmark.attack(model, images(4), attack=lambda net, image, label: net(image))


def test_options_come_from_the_yaml_of_the_command_line():
    from hydra import compose, initialize_config_dir

    from benchmark.api.parts import names, resolved, settings
    from benchmark.configuration.conf_files import conf_folder
    from benchmark.configuration.resolution import as_dict

    with initialize_config_dir(version_base="1.3", config_dir=str(conf_folder())):
        for name in names("probe"):
            wanted = as_dict(compose("run", overrides=[f"probe={name}", "interpreter=grad"]))["probe"]["module"]
            probe = settings("probe", name, {})
            found = resolved(interpreter=settings("interpreter", "grad", {}), probe=probe)["probe"]
            assert found["module"] == wanted, name
        for name in names("interpreter"):
            wanted = as_dict(compose("run", overrides=[f"interpreter={name}"]))["interpreter"]
            found = resolved(interpreter=settings("interpreter", name, {}))["interpreter"]
            assert found["network"] == wanted["network"], name
            assert found["attack_weight"] == wanted.get("attack_weight"), name
