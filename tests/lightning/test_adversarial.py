"""Robust classifiers: losses by hand, the attack inside them, and a planted problem where only they are robust."""

from __future__ import annotations

import copy
import math
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from benchmark.classifiers.timm_classifier import TimmClassifier
from benchmark.interpreters.base import BaseInterpreter
from benchmark.objectives.adversarial_training import Divergence, divergence, mixed_loss, trades_loss
from benchmark.objectives.prediction import Prediction
from benchmark.probes.attack import GradientAttack, Phase
from benchmark.probes.linf_ball import LinfBall
from benchmark.types import Explanation, Goal
from lightning_modules.adversarial import LitEnsembleAdversarial, LitPGD, LitTRADES
from lightning_modules.classifier import LitClassifier

EPSILON = 8 / 255
RECIPE = {"lr": 0.1, "weight_decay": 0.0, "seed": 0}


def ball(**options) -> LinfBall:
    return LinfBall(epsilon=EPSILON, step_size=EPSILON / 2, random_start=True, **options)


class Linear(nn.Module):
    """Two classes by the sign of w x: the worst image of the ball is x + epsilon sign(w_other - w_label)."""

    num_classes = 2

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.layer = nn.Linear(weight.numel(), 2)
        self.passes = {"forward": 0, "backward": 0}
        with torch.no_grad():
            self.layer.weight.copy_(torch.stack([-weight.flatten(), weight.flatten()]))
            self.layer.bias.zero_()

    def forward(self, image_BCHW):
        return self.layer(10 * (image_BCHW - 0.5).flatten(1))


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    image = 0.1 + 0.8 * torch.rand(6, 3, 8, 8, generator=generator)
    return {"image": image, "label": torch.tensor([0, 1, 0, 1, 1, 0]), "sample_id": torch.arange(6)}


@pytest.fixture
def linear():
    return Linear(0.05 * torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(2)))


def worst(linear: Linear, batch) -> torch.Tensor:
    slope_2D = linear.layer.weight.detach()
    towards = (slope_2D[1 - batch["label"]] - slope_2D[batch["label"]]).sign()
    return batch["image"] + EPSILON * towards.view_as(batch["image"])


def quiet(module, monkeypatch):
    """The module without a trainer to log to."""
    monkeypatch.setattr(module, "log", lambda *args, **options: None)
    monkeypatch.setattr(module, "log_dict", lambda *args, **options: None)
    return module


def test_the_divergence_of_two_classes_by_hand():
    """p = (0.8, 0.2), q = (0.5, 0.5): 0.8 ln 1.6 + 0.2 ln 0.4."""
    reference, logits = torch.tensor([[math.log(4), 0.0]]), torch.tensor([[3.0, 3.0]])
    by_hand = 0.8 * math.log(1.6) + 0.2 * math.log(0.4)
    assert float(divergence(reference, logits)) == pytest.approx(by_hand, rel=1e-6)
    assert float(trades_loss(torch.tensor(0.5), reference, logits, 6.0)) == pytest.approx(0.5 + 6 * by_hand, rel=1e-6)
    # d KL / d logits = q - p
    moved = logits.clone().requires_grad_()
    divergence(reference, moved).sum().backward()
    torch.testing.assert_close(moved.grad, torch.tensor([[-0.3, 0.3]]))
    assert float(mixed_loss(torch.tensor([1.0, 3.0]), torch.tensor([4.0, 8.0]), 0.25)) == pytest.approx(3.0)


def test_the_divergence_has_no_gradient_at_the_image_itself_and_one_beside_it():
    reference = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    for shift, zero in ((0.0, True), (0.1, False)):
        logits = (reference + shift * torch.arange(5.0)).requires_grad_()
        loss_B = Divergence(reference)(Explanation(logits, torch.empty(0)), Goal(torch.zeros(4).long(), None), 0.0)
        loss_B.sum().backward()
        assert (logits.grad.abs().max() < 1e-6) == zero
        assert (loss_B <= 1e-6).all(), "what the attack minimises is -KL"


def test_pgd_trains_on_the_worst_images_of_the_ball(linear, batch, monkeypatch):
    module = quiet(LitPGD(network=linear, perturbation=ball(), steps=6, **RECIPE), monkeypatch)
    by_hand = worst(linear, batch)
    torch.testing.assert_close(module.adversarial(linear, Prediction(), batch, batch["image"]), by_hand)
    loss = module.training_step(batch, 0)
    torch.testing.assert_close(loss, F.cross_entropy(linear(by_hand), batch["label"]))


def test_the_perturbation_grows_over_its_share_of_the_training(linear, batch, monkeypatch):
    module = LitPGD(network=linear, perturbation=ball(), steps=6, ramp=0.5, **RECIPE)
    monkeypatch.setattr(LitPGD, "trainer", SimpleNamespace(estimated_stepping_batches=40))
    change = worst(linear, batch) - batch["image"]
    for step, strength in ((0, 0.0), (5, 0.25), (20, 1.0), (39, 1.0)):
        monkeypatch.setattr(LitPGD, "global_step", step)
        attacked = module.adversarial(linear, Prediction(), batch, batch["image"])
        torch.testing.assert_close(attacked, batch["image"] + strength * change)


def test_trades_by_hand(linear, batch, monkeypatch):
    """With two classes the divergence grows to both sides of the image: x' is one of two corners of the ball."""
    module = quiet(
        LitTRADES(network=linear, beta=6.0, perturbation=ball(start_radius=0.001), steps=6, **RECIPE), monkeypatch
    )
    loss, parts = module.objective(batch, batch["image"])
    benign = linear(batch["image"])
    adversarial = linear(module.adversarial(linear, Divergence(benign), batch, batch["image"]))
    kl = F.kl_div(adversarial.log_softmax(1), benign.softmax(1), reduction="batchmean")
    torch.testing.assert_close(loss, F.cross_entropy(benign, batch["label"]) + 6 * kl)
    assert float(parts["divergence"].detach()) > 1e-3
    slope = (linear.layer.weight[1] - linear.layer.weight[0]).detach().sign().view(3, 8, 8) * EPSILON
    corners = torch.stack([linear(batch["image"] + sign * slope) for sign in (1, -1)])
    reached_2B = torch.stack([divergence(benign, corner) for corner in corners]) / divergence(benign, adversarial)
    assert ((reached_2B - 1).abs() < 1e-3).any(0).all()


def test_trades_with_beta_0_is_standard_training(batch, monkeypatch):
    torch.manual_seed(0)
    network = TimmClassifier(name="resnet10t", num_classes=2, options={"channels": (8, 8, 8, 8), "stem_width": 8})
    batch["image"] = batch["image"].repeat(1, 1, 4, 4)
    found = []
    for kind, options in ((LitClassifier, {}), (LitTRADES, {"beta": 0.0, "perturbation": ball(), "steps": 2})):
        own = copy.deepcopy(network).train()
        loss = quiet(kind(network=own, **RECIPE, **options), monkeypatch).training_step(batch, 0)
        loss.backward()
        found.append([loss, *(each.grad for each in own.parameters()), *own.buffers()])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_the_attack_leaves_the_network_as_it_was(batch, mode):
    torch.manual_seed(0)
    network = TimmClassifier(name="resnet10t", num_classes=2, options={"channels": (8, 8, 8, 8), "stem_width": 8})
    batch["image"] = batch["image"].repeat(1, 1, 4, 4)
    network.train()
    network.net.conv1.eval()  # a mode of its own
    modes = {name: each.training for name, each in network.named_modules()}
    before = copy.deepcopy(network.state_dict())
    module = LitPGD(network=network, perturbation=ball(), steps=2, attack_mode=mode, **RECIPE)
    attacked = module.adversarial(network, Prediction(), batch, batch["image"])
    assert {name: each.training for name, each in network.named_modules()} == modes
    assert all(each.requires_grad and each.grad is None for each in network.parameters())
    moved = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert all("running" in name or "num_batches" in name for name in moved) and bool(moved) == (mode == "train")
    if mode == "eval":  # samples are independent, and their random starts are their own
        order = torch.tensor([3, 1, 5])
        other = {name: value[order] for name, value in batch.items()}
        torch.testing.assert_close(module.adversarial(network, Prediction(), other, other["image"]), attacked[order])


def test_an_ensemble_s_examples_are_made_against_the_net_that_is_drawn(linear, batch, monkeypatch):
    source = Linear(0.05 * torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(5)))
    before = copy.deepcopy(source.state_dict())
    options = {"perturbation": ball(start_radius=EPSILON / 2), "steps": 3, "share": 0.25}
    module = quiet(LitEnsembleAdversarial(network=linear, sources=[source], **options, **RECIPE), monkeypatch)
    module.setup("fit")
    drawn = []
    for step in range(40):
        monkeypatch.setattr(LitEnsembleAdversarial, "global_step", step)
        drawn.append(module.drawn())
        assert module.drawn() is drawn[-1]
    assert 10 < sum(each is source for each in drawn) < 30
    for net in (source, linear):
        step = next(index for index, each in enumerate(drawn) if each is net)
        monkeypatch.setattr(LitEnsembleAdversarial, "global_step", step)
        loss = module.training_step(batch, 0)
        benign, attacked = (F.cross_entropy(linear(x), batch["label"]) for x in (batch["image"], worst(net, batch)))
        torch.testing.assert_close(loss, 0.75 * benign + 0.25 * attacked)
    loss.backward()
    assert all(torch.equal(value, before[name]) for name, value in source.state_dict().items())
    assert not any(each.requires_grad or each.grad is not None for each in source.parameters())
    with pytest.raises(ValueError, match=r"classifier.training.sources .* is empty"):
        LitEnsembleAdversarial(network=linear, sources=[], **options, **RECIPE)


def planted(count: int, seed: int):
    """A strong pixel that is right nine times in ten, and weak ones, right together but bent by less than epsilon.

    Tsipras et al., "Robustness May Be at Odds with Accuracy", ICLR 2019.
    """
    generator = torch.Generator().manual_seed(seed)
    label = torch.randint(2, (count,), generator=generator)
    sign = (2.0 * label - 1)[:, None]
    image = 0.5 + 0.5 * EPSILON * sign + 0.03 * torch.randn(count, 192, generator=generator)
    right = torch.where(torch.rand(count, generator=generator) < 0.9, 1.0, -1.0)
    image[:, 0] = 0.5 + 0.25 * sign[:, 0] * right
    return {"image": image.clamp(0, 1).view(-1, 3, 8, 8), "label": label, "sample_id": torch.arange(count)}


KINDS = {
    "standard": (LitClassifier, {}),
    "pgd": (LitPGD, {"perturbation": ball(), "steps": 2}),
    "trades": (LitTRADES, {"perturbation": ball(start_radius=0.001), "steps": 3, "beta": 6.0}),
}


def accuracies(kind: str, monkeypatch) -> tuple[float, float]:
    """Of a linear net trained on the planted problem: on images as they are, and under PGD."""
    network = Linear(torch.zeros(3, 8, 8))
    make, options = KINDS[kind]
    module = quiet(make(network=network, **options, **RECIPE), monkeypatch)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.05)
    train, test = planted(256, 0), planted(400, 1)
    for step in range(80):
        optimizer.zero_grad()
        module.training_step(train, step).backward()
        optimizer.step()
    attack = GradientAttack(perturbation=ball(), phases=[Phase(Prediction())], steps=10)
    goal = Goal(test["label"], None, targeted=False)
    attacked = attack(BaseInterpreter(classifier=network), test["image"], goal, test["sample_id"]).image_BCHW
    return tuple(float((network(x).argmax(1) == test["label"]).float().mean()) for x in (test["image"], attacked))


def test_robust_training_finds_the_feature_that_cannot_be_bent(monkeypatch):
    found = {kind: accuracies(kind, monkeypatch) for kind in KINDS}
    assert found["standard"][0] > 0.95 and found["standard"][1] < 0.2
    for kind in ("pgd", "trades"):
        assert 0.85 < found[kind][0] < 0.96 and found[kind][1] > 0.8, found


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        (LitPGD, {"attack_mode": "test"}, "attack_mode"),
        (LitPGD, {"steps": -1}, "steps"),
        (LitTRADES, {"beta": -1.0}, "beta"),
        (LitPGD, {"label_smoothing": 2.0}, "label_smoothing"),
    ],
)
def test_settings_that_cannot_train_are_refused(linear, kind, options, words):
    with pytest.raises(ValueError, match=words):
        kind(**{"network": linear, "perturbation": ball(), "steps": 1, **RECIPE, **options})


def test_a_start_outside_the_ball_is_refused():
    with pytest.raises(ValueError, match="start_radius is at most epsilon"):
        ball(start_radius=0.5)
    image = torch.full((2, 3, 8, 8), 0.5)
    start = ball(start_radius=0.001).start(image, torch.tensor([3, 4]))
    assert 0.0005 < (start - image).abs().max() <= 0.001
