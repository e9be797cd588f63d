"""Perturbations beside the ball, goals of every kind, and their objectives."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from benchmark.numerics import rng
from benchmark.numerics.adam import Adam
from benchmark.objectives.joint import Joint
from benchmark.objectives.prediction import Prediction
from benchmark.objectives.smoothness import flow_roughness
from benchmark.objectives.topk import TopK, top_mass
from benchmark.probes.attack import GradientAttack, Phase
from benchmark.probes.flow_field import FlowField
from benchmark.probes.goal_attack import GoalAttack
from benchmark.probes.goals import other_class, shape_goal
from benchmark.probes.linf_ball import LinfBall, edge_weight
from benchmark.types import Goal
from tests.probes.test_attack import ALPHA, EPSILON, GreenChannel, Linear, pgd

IDS = torch.arange(6)


@pytest.fixture
def image():
    smooth = torch.rand(6, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    return (smooth * 255).round() / 255


def test_roughness_equals_a_loop():
    flow = torch.randn(2, 2, 4, 5, dtype=torch.float64)
    expected = []
    for field in flow:
        total = 0.0
        for i in range(4):
            for j in range(5):
                for di, dj in ((1, 0), (0, 1)):
                    if i + di < 4 and j + dj < 5:
                        total += math.sqrt(((field[:, i + di, j + dj] - field[:, i, j]) ** 2).sum() + 1e-12)
        expected.append(total)
    np.testing.assert_allclose(flow_roughness(flow), expected)


def test_adam_equals_torch():
    generator = torch.Generator().manual_seed(0)
    ours, theirs = torch.ones(3, 4), torch.ones(3, 4, requires_grad=True)
    optimizer, adam = torch.optim.Adam([theirs], lr=0.1), Adam(lr=0.1)
    for _ in range(5):
        gradient = torch.randn(3, 4, generator=generator)
        theirs.grad = gradient.clone()
        optimizer.step()
        ours = adam(ours, gradient, ours)
    torch.testing.assert_close(ours, theirs.detach())


def test_no_flow_is_the_identity_and_a_whole_pixel_is_a_shift(image):
    field = FlowField()
    flow = field.start(image, IDS)
    torch.testing.assert_close(field.apply(flow, image), image, rtol=0, atol=1e-6)
    flow[:, 0] = 1.0  # every pixel takes the value of its right neighbour
    expected = torch.cat([image[..., 1:], image[..., -1:]], dim=-1)
    torch.testing.assert_close(field.apply(flow, image), expected, rtol=0, atol=1e-6)


def test_half_a_pixel_equals_scipy(image):
    field = FlowField()
    flow = field.start(image, IDS)
    flow[:, 1] = 0.5
    moved = field.apply(flow, image)[0, 0].numpy()
    expected = ndimage.shift(image[0, 0].numpy(), (-0.5, 0), order=1, mode="nearest")
    np.testing.assert_allclose(moved, expected, atol=1e-6)


def test_a_spatial_attack_moves_pixels_and_invents_none(image):
    interpreter = GreenChannel(Linear())
    logits = interpreter.classifier(image)
    goal = Goal(logits.topk(2, dim=1).indices[:, 1], interpreter(image, logits.argmax(1)))
    attack = GradientAttack(perturbation=FlowField(lr=0.1, smoothness=1e-3), phases=[Phase(Prediction())], steps=30)
    outcome = attack(interpreter, image, goal, IDS)
    assert (interpreter.classifier(outcome.image_BCHW).argmax(1) == goal.target_B).float().mean() > 0.5
    low, high = image.amin((2, 3), keepdim=True), image.amax((2, 3), keepdim=True)
    assert (outcome.image_BCHW >= low - 1e-6).all()
    assert (outcome.image_BCHW <= high + 1e-6).all()


def test_samples_of_a_spatial_attack_are_independent(image):
    interpreter = GreenChannel(Linear())
    attack = GradientAttack(
        perturbation=FlowField(lr=0.1), phases=[Phase(Prediction(), 5), Phase(Joint(weight=2.0))], steps=10
    )
    targeted = GoalAttack(attack=attack, seed=0)
    prediction = interpreter.classifier(image).argmax(1)
    together = targeted(interpreter, image, prediction, IDS).image_BCHW
    alone = targeted(interpreter, image[2:3], prediction[2:3], IDS[2:3]).image_BCHW
    torch.testing.assert_close(together[2:3], alone, rtol=0, atol=1e-5)


def test_edges_equal_scipy_and_a_flat_image_has_none():
    picture = np.random.default_rng(0).random((3, 9, 9))
    grey = picture.mean(0)
    magnitude = np.hypot(ndimage.sobel(grey, 0, mode="nearest"), ndimage.sobel(grey, 1, mode="nearest"))
    weight = edge_weight(torch.tensor(picture)[None].float())[0, 0]
    np.testing.assert_allclose(weight, magnitude / magnitude.max(), atol=1e-5)
    flat = (torch.arange(256 * 3).view(256, 3, 1, 1) % 256 / 255).expand(-1, -1, 5, 5)
    assert edge_weight(flat).max() < 1e-3, "what rounding leaves is not blown up to an edge"
    faint = flat[100:101].clone()
    faint[0, 0, 2, 2] += 1 / 255
    assert edge_weight(faint).max() == 1, "one level in one channel is an edge"


def test_an_edge_weighted_step_leaves_flat_ground_alone():
    picture = torch.full((1, 3, 8, 8), 0.5)
    picture[..., 4:] = 0.9
    ball = LinfBall(epsilon=EPSILON, step_size=ALPHA, edges=True)
    moved = ball.optimizer()(picture, torch.ones_like(picture), picture)
    assert torch.equal(moved[..., :3], picture[..., :3])
    assert (moved[..., 3:5] < picture[..., 3:5]).all()


def test_momentum_with_smaller_steps_by_hand():
    """v <- mu v + g / ||g||_1 per sample, and steps of 1, 1/2, 1/4 of the size along its sign."""
    ball = LinfBall(epsilon=0.4, step_size=0.1, momentum=0.5, decay=0.5)
    image = torch.full((2, 1, 1, 2), 0.5)
    gradients = torch.tensor([[[3.0, 1.0], [40.0, 10.0]], [[-1.0, 1.0], [-1.0, 4.0]], [[-1.0, -9.0], [-8.0, -2.0]]])
    step, x = ball.optimizer(), image
    velocity, by_hand = torch.zeros(2, 2), torch.full((2, 2), 0.5)
    for number, gradient in enumerate(gradients):
        x = step(x, gradient.view(2, 1, 1, 2), image)
        velocity = 0.5 * velocity + gradient / gradient.abs().sum(1, keepdim=True)
        by_hand = by_hand - 0.1 * 0.5**number * velocity.sign()
        torch.testing.assert_close(x.view(2, 2), by_hand)
    first = gradients[2].view(2, 1, 1, 2)
    assert torch.equal(ball.optimizer()(image, first, image), ball.step(image, first, image)), "each run starts anew"


def test_shapes_are_drawn_per_sample_and_are_rectangles_or_discs():
    keys = rng.sample_keys(0, "goal map", torch.arange(300))
    shapes = shape_goal(keys, (24, 24))
    assert set(shapes.unique().tolist()) == {0.0, 1.0}
    area = shapes.mean((1, 2))
    assert area.min() > 0.02
    assert area.max() < 0.3
    boxes = [np.argwhere(shape.numpy()) for shape in shapes]
    filled = np.array([len(box) / np.prod(np.ptp(box, axis=0) + 1) for box in boxes])
    assert 0.35 < (filled == 1).mean() < 0.65, "rectangles fill their box, discs do not"
    assert torch.equal(shape_goal(keys[7:8], (24, 24))[0], shapes[7])


def test_goals_that_keep_the_prediction_and_change_the_map(image):
    interpreter = GreenChannel(Linear())
    prediction = interpreter.classifier(image).argmax(1)
    ball = LinfBall(epsilon=0.2, step_size=0.02)
    attack = GradientAttack(perturbation=ball, phases=[Phase(TopK(share=0.25, weight=50.0))], steps=20)
    probed = GoalAttack(attack=attack, seed=0, goal="keep")(interpreter, image, prediction, IDS)
    assert torch.equal(probed.goal_B, prediction)
    before = top_mass(interpreter(image, prediction), interpreter(image, prediction), 0.25)
    after = top_mass(interpreter(probed.image_BCHW, prediction), interpreter(image, prediction), 0.25)
    assert (after < before - 0.1).all(), "the planted answer: darken the top pixels of the green channel"
    assert (interpreter.classifier(probed.image_BCHW).argmax(1) == prediction).float().mean() > 0.8


def test_another_class_is_drawn_evenly_from_the_classes_given_and_is_never_the_own_one():
    classes = torch.tensor([2, 5, 11, 40])
    for own, expected in ((5, [2, 11, 40]), (3, [2, 5, 11, 40]), (99, [2, 5, 11, 40])):
        key = rng.sample_keys(0, "test", torch.arange(6000))
        drawn = other_class(torch.full((6000,), own), classes, key)
        found, counts = drawn.unique(return_counts=True)
        assert found.tolist() == expected
        assert (counts - 6000 / len(expected)).abs().max() < 5 * (6000 / len(expected)) ** 0.5
    mixed = other_class(torch.tensor([5, 3]), classes, rng.sample_keys(0, "test", torch.arange(2)))
    alone = other_class(torch.tensor([5]), classes, rng.sample_keys(0, "test", torch.arange(1)))
    assert mixed[0] == alone[0], "a sample's draw does not depend on its neighbours"
    with pytest.raises(ValueError, match="at least two classes"):
        other_class(torch.tensor([5]), torch.tensor([5]), rng.sample_keys(0, "test", torch.arange(1)))


def test_goals_among_the_trained_classes_need_these_classes(image):
    interpreter = GreenChannel(Linear())
    prediction = interpreter.classifier(image).argmax(1)
    among = GoalAttack(attack=pgd(), seed=0, goal_classes="trained")
    with pytest.raises(ValueError, match="goal_classes=trained"):
        among(interpreter, image, prediction, IDS)
    among.classes_C = torch.tensor([0, 2])
    assert set(among(interpreter, image, prediction, IDS).goal_B.tolist()) <= {0, 2}


def test_a_goal_map_of_another_image_comes_from_the_goal_class(image):
    interpreter = GreenChannel(Linear())
    donors = torch.stack([torch.full((2, 3, 4, 4), 0.1 * (index + 1)) for index in range(3)])
    ball = LinfBall(epsilon=1.0, step_size=0.02)
    attack = GradientAttack(perturbation=ball, phases=[Phase(Joint(weight=1e5))], steps=60)
    targeted = GoalAttack(attack=attack, seed=0, goal="other_image")
    prediction = interpreter.classifier(image).argmax(1)
    with pytest.raises(ValueError, match="images of every class"):
        targeted(interpreter, image, prediction, IDS)
    targeted.donors_CDCHW = donors
    probed = targeted(interpreter, image, prediction, IDS)
    wanted = (0.1 * (probed.goal_B + 1)).view(-1, 1, 1).expand(-1, 4, 4)
    assert (probed.image_BCHW[:, 1] - wanted).abs().max() < 0.05


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: FlowField(lr=0.0), "lr is a number above 0"),
        (lambda: FlowField(smoothness=-1.0), "smoothness"),
        (lambda: TopK(share=0.0, weight=1.0), "share"),
        (lambda: TopK(share=0.5, weight=-1.0), "weight"),
        (lambda: GoalAttack(attack=pgd(), seed=0, goal="hide"), "goal is one of"),
    ],
)
def test_settings_that_cannot_attack_are_refused(build, words):
    with pytest.raises(ValueError, match=words):
        build()
