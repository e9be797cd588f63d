"""The LightningModules: what they train, what they leave alone, and the objective that they hand over."""

from __future__ import annotations

import copy

import pytest
import torch

from benchmark.classifiers.timm_classifier import TimmClassifier
from benchmark.interpreters.cam import GradCAM
from benchmark.interpreters.rts import RTS
from benchmark.numerics import rng
from benchmark.numerics.images import at_image_size
from benchmark.objectives.joint import Joint
from benchmark.objectives.rts import MapWeights
from benchmark.probes.attack import GradientAttack, Phase
from benchmark.probes.linf_ball import LinfBall
from benchmark.types import Goal
from lightning_modules.classifier import LitClassifier, cutout, flip_crop
from lightning_modules.rts import LitRTS, LitSelector, LitWarmStart
from lightning_modules.rtsa import LitRTSA

RECIPE = {"p_fake": 0.3, "lr": 1e-3, "weight_decay": 1e-4, "seed": 0}


@pytest.fixture
def interpreter():
    torch.manual_seed(0)
    classifier = TimmClassifier(name="resnet10t", num_classes=5, options={"channels": (8, 12, 16, 24), "stem_width": 8})
    return RTS(classifier=classifier, image_size=48, blocks=3, width=4)


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    image = (torch.rand(6, 3, 48, 48, generator=generator) * 255).round() / 255
    return {"image": image, "label": torch.tensor([0, 1, 2, 3, 4, 0]), "sample_id": torch.arange(6)}


def inner(steps: int = 2) -> GradientAttack:
    ball = LinfBall(epsilon=8 / 255, step_size=4 / 255, random_start=True)
    return GradientAttack(perturbation=ball, phases=[Phase(Joint(weight=10.0))], steps=steps)


def rtsa(interpreter, **options) -> LitRTSA:
    return LitRTSA(interpreter=interpreter, weights=MapWeights(), blur=2.0, **{**RECIPE, **options})


def recorded(module, batch, monkeypatch):
    """Loss and parts of one training step."""
    logged = {}
    monkeypatch.setattr(module, "log", lambda *args, **kwargs: None)
    monkeypatch.setattr(module, "log_dict", lambda values, **options: logged.update(values))
    loss = module.training_step(batch, 0)
    return loss, {name.removeprefix("train/"): value for name, value in logged.items()}


@pytest.mark.parametrize("kind", ["selector", "warm start", "decoder", "aid"])
def test_a_step_moves_only_what_it_trains(interpreter, batch, kind, monkeypatch):
    interpreter.masking.requires_grad_(True)
    interpreter.train()
    module = {
        "selector": lambda: LitSelector(interpreter=interpreter, **RECIPE),
        "warm start": lambda: LitWarmStart(interpreter=interpreter, **RECIPE),
        "decoder": lambda: LitRTS(interpreter=interpreter, weights=MapWeights(), blur=2.0, **RECIPE),
        "aid": lambda: rtsa(interpreter, attack=inner(), lambda_aid=5.0, kappa=0.3, lambda_anchor=5.0),
    }[kind]()
    before = copy.deepcopy(interpreter.state_dict())
    loss, _ = recorded(module, batch, monkeypatch)
    loss.backward()
    optimizer = torch.optim.SGD(module.parameters_to_train(), lr=0.1)
    optimizer.step()
    after = interpreter.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name]) and "running" not in name}
    moved = {name for name in moved if "num_batches" not in name}
    assert moved
    part = "masking.selector." if kind == "selector" else ("masking.blocks.", "masking.head.")
    assert all(name.startswith(part) for name in moved)
    assert interpreter.masking.training, "the inner attack leaves training mode as it found it"


def test_fakes_come_at_their_rate_and_are_never_the_label(interpreter):
    module = LitSelector(interpreter=interpreter, **RECIPE)
    many = {"label": torch.arange(4000) % 5, "sample_id": torch.arange(4000)}
    chosen, real = module.selected(many)
    assert abs((~real).float().mean() - 0.3) < 0.03
    assert torch.equal(chosen[real], many["label"][real]) and (chosen[~real] != many["label"][~real]).all()
    offsets = torch.bincount((chosen[~real] - many["label"][~real]) % 5, minlength=5)
    assert offsets[0] == 0 and offsets[1:].min() > 0.2 * offsets.sum() * 0.8


def test_equal_budget_differs_from_aid_in_the_attack_alone(interpreter, batch, monkeypatch):
    """With lambda_aid = 0 and no attack the loss is L_map of the same three-part decoder pass."""
    interpreter.train()
    loss, parts = recorded(rtsa(interpreter), batch, monkeypatch)
    weights = MapWeights()
    total = parts["destroy"] + weights.area * parts["area"] + weights.preserve * parts["preserve"]
    total = total + weights.total_variation * 224 / 48 * parts["total_variation"]
    torch.testing.assert_close(loss.detach(), total)


def test_the_paper_s_objective_subtracts_the_distance_and_ours_caps_it(interpreter, batch, monkeypatch):
    interpreter.train()
    state = copy.deepcopy(interpreter.state_dict())
    batch["label"] = interpreter.classifier(batch["image"]).argmax(1)  # every sample counts
    results = {}
    for name, options in {
        "none": {"attack": inner()},
        "paper": {"attack": inner(), "lambda_aid": 5.0},
        "capped": {"attack": inner(), "lambda_aid": 5.0, "kappa": 1e-9},
    }.items():
        interpreter.load_state_dict(state)
        interpreter.train()
        results[name] = recorded(rtsa(interpreter, **options), batch, monkeypatch)
    distance = results["paper"][1]["distance"]
    assert distance > 1e-4
    torch.testing.assert_close(results["none"][0] - results["paper"][0], 5 * distance, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(results["none"][0], results["capped"][0], rtol=1e-5, atol=1e-5)


def test_misclassified_samples_are_left_out_of_the_reward(interpreter, batch, monkeypatch):
    interpreter.train()
    batch["label"] = (interpreter.classifier(batch["image"]).argmax(1) + 1) % 5
    _, parts = recorded(rtsa(interpreter, attack=inner(), lambda_aid=5.0), batch, monkeypatch)
    assert parts["distance"] == 0


def test_the_anchor_is_the_start_and_stays_there(interpreter, batch, monkeypatch):
    module = rtsa(interpreter, attack=inner(), lambda_aid=1.0, lambda_anchor=2.0)
    interpreter.eval()
    logits, pyramid = interpreter.features(batch["image"])
    anchored, _ = module.anchor(pyramid, logits.argmax(1), interpreter.confidence)
    torch.testing.assert_close(anchored, interpreter(batch["image"], logits.argmax(1)))
    assert not any(parameter.requires_grad for parameter in module.anchor.parameters())
    assert not any(parameter is own for parameter in module.parameters_to_train() for own in module.anchor.parameters())


def test_an_own_trunk_is_trained_with_the_decoder_and_the_classifier_is_not(batch, monkeypatch):
    torch.manual_seed(0)
    classifier = TimmClassifier(name="resnet10t", num_classes=5, options={"channels": (8, 12, 16, 24), "stem_width": 8})
    interpreter = RTS(classifier=classifier, image_size=48, blocks=3, width=4, own_trunk=True)
    shared = RTS(classifier=classifier, image_size=48, blocks=3, width=4)
    shared.masking.load_state_dict(interpreter.masking.state_dict(), strict=False)
    class_B = batch["label"]
    torch.testing.assert_close(interpreter(batch["image"], class_B), shared(batch["image"], class_B))
    module = rtsa(interpreter, attack=inner(), lambda_aid=5.0, lambda_anchor=5.0)
    module.setup("fit")
    interpreter.train()
    assert not any(each.training for each in interpreter.masking.trunk.modules())
    before = copy.deepcopy(interpreter.state_dict())
    loss, _ = recorded(module, batch, monkeypatch)
    loss.backward()
    assert all(each.grad is not None for each in module.parameters_to_train()), "distributed training waits for all"
    torch.optim.SGD(module.parameters_to_train(), lr=0.1).step()
    moved = {name for name, value in interpreter.state_dict().items() if not torch.equal(value, before[name])}
    moved = {name for name in moved if "running" not in name and "num_batches" not in name}
    own = {name.removeprefix("masking.trunk.") for name in moved if name.startswith("masking.trunk.")}
    assert own and not any(name.startswith("net.fc") for name in own)
    assert not any(name.startswith(("classifier.", "masking.selector.")) for name in moved)
    anchored = module.anchor.trunk.trunk(batch["image"]).pyramid[-1]
    torch.testing.assert_close(anchored, classifier.trunk(batch["image"]).pyramid[-1])


def test_a_selector_and_a_start_leave_an_own_trunk_alone(batch, monkeypatch):
    torch.manual_seed(0)
    classifier = TimmClassifier(name="resnet10t", num_classes=5, options={"channels": (8, 12, 16, 24), "stem_width": 8})
    interpreter = RTS(classifier=classifier, image_size=48, blocks=3, width=4, own_trunk=True)
    module = LitRTS(interpreter=interpreter, weights=MapWeights(), blur=2.0, **RECIPE)
    module.setup("fit")
    recorded(module, batch, monkeypatch)[0].backward()
    assert all(each.grad is None for each in interpreter.masking.trunk.parameters())


def test_a_nan_stops_the_training_with_the_step_and_the_parts(interpreter, batch, monkeypatch):
    interpreter.train()
    torch.nn.init.constant_(interpreter.masking.head.weight, float("nan"))
    with pytest.raises(FloatingPointError, match=r"LitRTS: the loss is nan at step 0 .*destroy nan"):
        recorded(LitRTS(interpreter=interpreter, weights=MapWeights(), blur=2.0, **RECIPE), batch, monkeypatch)


def test_flip_crop_is_a_mirrored_shift_drawn_per_sample():
    image = torch.rand(40, 3, 16, 16)
    keys = rng.sample_keys(0, "augment", torch.arange(40))
    moved = flip_crop(image, keys)
    found = 0
    for row in range(40):
        candidates = [image[row], image[row].flip(-1)]
        shifts = [(dy, dx) for dy in range(-2, 3) for dx in range(-2, 3)]
        found += any(
            torch.equal(moved[row][:, 2:-2, 2:-2], candidate[:, 2 + dy : 14 + dy, 2 + dx : 14 + dx])
            for candidate in candidates
            for dy, dx in shifts
        )
        assert torch.equal(flip_crop(image[row : row + 1], keys[row : row + 1])[0], moved[row])
    assert found == 40


def test_cutout_greys_a_square_of_half_the_side_whose_centre_is_any_pixel():
    """Against a loop over all the places of the square, in an image that is nowhere grey."""
    image = torch.zeros(200, 3, 8, 8)
    keys = rng.sample_keys(0, "cutout", torch.arange(200))
    cut = cutout(image, keys)
    places = {}
    for y in range(8):
        for x in range(8):
            square = torch.zeros(3, 8, 8)
            square[:, max(y - 2, 0) : y + 2, max(x - 2, 0) : x + 2] = 0.5
            places[y, x] = square
    found = [next(at for at, square in places.items() if torch.equal(row, square)) for row in cut]
    assert len(set(found)) > 50, "of 64 places in 200 draws"
    assert torch.equal(cutout(image[7:8], keys[7:8])[0], cut[7]), "drawn per sample"


def test_sgd_is_nesterov_s_with_weight_decay(interpreter):
    """Two steps by hand of one parameter: v <- 0.9 v + g, p <- p - lr (g + 0.9 v), g with the weight decay."""
    module = LitClassifier(network=interpreter.classifier, lr=0.1, weight_decay=0.01, seed=0, optimizer="sgd")
    parameter = next(iter(module.parameters_to_train()))
    optimizer = module.new_optimizer()
    expected, velocity = parameter.detach().clone(), 0.0
    for slope in (1.0, -3.0):
        parameter.grad = torch.full_like(parameter, slope)
        optimizer.step()
        gradient = slope + 0.01 * expected
        velocity = 0.9 * velocity + gradient
        expected = expected - 0.1 * (gradient + 0.9 * velocity)
        torch.testing.assert_close(parameter.detach(), expected)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"lambda_aid": -1.0}, "lambda_aid"),
        ({"lambda_aid": 1.0}, "no inner attack"),
        ({"attack": inner(), "kappa": 0.0}, "kappa"),
        ({"attack": inner(), "aid_on": "some"}, "aid_on"),
        ({"lr": 0.0}, "lr is a number above 0, got 0.0"),
        ({"p_fake": 1.5}, "probability"),
    ],
)
def test_settings_that_cannot_train_are_refused(interpreter, options, words):
    with pytest.raises(ValueError, match=words):
        rtsa(interpreter, **options)


def test_the_inner_attack_meets_the_map_of_the_network_as_it_is(interpreter, batch):
    """BatchNorm is folded into the convolutions of the copy that is attacked: the same map, the same last iterate."""
    interpreter.train()
    with torch.no_grad():
        for _ in range(3):  # running statistics that differ from those at the start
            interpreter.masking(interpreter.features(batch["image"])[1], batch["label"], 0.0)
    module = rtsa(interpreter, attack=inner(), lambda_aid=1.0)
    logits, pyramid = interpreter.features(batch["image"])
    class_B, target_B = logits.argmax(1), (logits.argmax(1) + 1) % 5
    found = module.adversarial(batch, pyramid, class_B, target_B)
    assert interpreter.masking.training
    interpreter.eval()
    goal = Goal(target_B, interpreter(batch["image"], class_B).detach())
    expected = module.attack(interpreter, batch["image"], goal, module.keys(batch, "inner attack"))
    assert (found - expected.image_BCHW).abs().gt(1e-6).float().mean() < 0.01  # a sign of a gradient of about zero
    folded = interpreter.masking.folded()
    assert not any(isinstance(each, torch.nn.BatchNorm2d) for each in folded.modules())
    torch.testing.assert_close(folded(pyramid, class_B, 0.0)[0], goal.map_Bhw, rtol=1e-4, atol=1e-5)


def test_the_optimiser_steps_as_adam_is_written(interpreter):
    module = rtsa(interpreter)
    module.trainer = type("Steps", (), {"estimated_stepping_batches": 10})()
    optimizer = module.configure_optimizers()["optimizer"]
    parameter = interpreter.masking.head.weight
    start, gradient = parameter.detach().clone(), torch.linspace(-1, 1, parameter.numel()).view_as(parameter)
    parameter.grad = gradient.clone()
    lr = optimizer.param_groups[0]["lr"]
    optimizer.step()
    decayed = gradient + 1e-4 * start
    torch.testing.assert_close(parameter.detach(), start - lr * decayed / (decayed.abs() + 1e-8))


def test_the_warm_start_draws_grad_cam_for_the_true_class_and_nothing_for_a_fake_one(interpreter, batch, monkeypatch):
    interpreter.train()
    interpreter.masking.requires_grad_(True)
    module = LitWarmStart(interpreter=interpreter, **{**RECIPE, "p_fake": 0.5})
    class_B, real_B = module.selected(batch)
    assert real_B.any() and not real_B.all()
    taught = GradCAM(classifier=interpreter.classifier, image_size=48)(batch["image"], batch["label"])
    wanted = at_image_size(taught, (12, 12)).detach() * real_B[:, None, None]
    drawn = interpreter.masking(interpreter.features(batch["image"])[1], class_B, 0.0)[0]
    loss, _ = recorded(module, batch, monkeypatch)
    torch.testing.assert_close(loss, torch.nn.functional.mse_loss(drawn, wanted))
    optimizer = torch.optim.Adam(module.parameters_to_train(), lr=0.02)
    for _ in range(80):
        loss, _ = recorded(module, batch, monkeypatch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    learnt = interpreter.masking(interpreter.features(batch["image"])[1], class_B, 0.0)[0]
    assert (learnt - wanted).square().mean() < 0.3 * (drawn - wanted).square().mean()


def test_fakes_and_goals_are_drawn_from_the_classes_shown(interpreter):
    module = LitSelector(interpreter=interpreter, classes=[0, 3, 4], **RECIPE)
    many = {"label": torch.tensor([0, 3, 4]).repeat(500), "sample_id": torch.arange(1500)}
    chosen, real = module.selected(many)
    assert set(chosen.tolist()) == {0, 3, 4} and (chosen[~real] != many["label"][~real]).all()


def test_a_training_on_smaller_images_scales_what_is_told_in_pixels(interpreter, batch, monkeypatch):
    """The step on resized images is that of a set of this size, with its own sigma."""
    interpreter.train()
    state = copy.deepcopy(interpreter.state_dict())
    small = LitRTS(interpreter=interpreter, weights=MapWeights(), blur=2.0, image_size=24, **RECIPE)
    resized = small.on_after_batch_transfer(batch, 0)
    assert resized["image"].shape[-2:] == (24, 24) and batch["image"].shape[-1] == 48
    assert resized["image"].mean() == pytest.approx(float(batch["image"].mean()), abs=0.01)
    loss, _ = recorded(small, resized, monkeypatch)
    interpreter.load_state_dict(state)
    own = LitRTS(interpreter=interpreter, weights=MapWeights(), blur=1.0, **RECIPE)
    expected, _ = recorded(own, own.on_after_batch_transfer(resized, 0), monkeypatch)
    torch.testing.assert_close(loss, expected)
