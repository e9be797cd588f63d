"""Map distances against numpy, scipy and cases solved by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import ndimage, stats

from benchmark.metrics import map_distance, prediction
from benchmark.numerics.images import top_region


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    first = rng.random((5, 6, 8))
    return first, np.clip(first + rng.normal(0, 0.2, first.shape), 0, 1)


def both(pair):
    return (torch.tensor(each, dtype=torch.float32) for each in pair)


def test_l1_and_l2_equal_numpy(pair):
    first, second = pair
    np.testing.assert_allclose(map_distance.l1(*both(pair)), np.abs(first - second).mean(axis=(1, 2)), rtol=1e-5)
    np.testing.assert_allclose(
        map_distance.l2(*both(pair)), np.sqrt(((first - second) ** 2).mean(axis=(1, 2))), rtol=1e-5
    )


def test_iou_by_hand():
    first = torch.tensor([[[0.5, 0.9], [0.1, 0.2]], [[0.0, 0.0], [0.0, 0.0]]])
    second = torch.tensor([[[0.7, 0.1], [0.6, 0.2]], [[0.1, 0.1], [0.1, 0.1]]])
    assert map_distance.iou(first, second).tolist() == [pytest.approx(1 / 3), 1.0]
    assert map_distance.iou(first, second, threshold=0.95).tolist() == [1.0, 1.0]


def test_top_share_takes_ties_by_index():
    flat = torch.tensor([[[0.3, 0.3, 0.3], [0.9, 0.3, 0.1]]])
    assert top_region(flat, 0.5).flatten().tolist() == [True, True, False, True, False, False]
    assert map_distance.topq_iou(flat, flat.flip(2), 0.5).item() == pytest.approx(2 / 4)


def test_spearman_equals_scipy_and_is_null_for_a_constant_map(pair):
    first, second = (np.round(each, 1) for each in pair)
    first[4] = 0.5
    value = map_distance.spearman(*both((first, second))).numpy()
    for row in range(4):
        assert value[row] == pytest.approx(stats.spearmanr(first[row].ravel(), second[row].ravel()).statistic)
    assert math.isnan(value[4])


def test_centre_shift_equals_scipy(pair):
    first, second = pair
    expected = [
        np.linalg.norm(np.subtract(ndimage.center_of_mass(a), ndimage.center_of_mass(b)))
        for a, b in zip(first, second, strict=True)
    ]
    np.testing.assert_allclose(map_distance.centre_shift(*both(pair)), expected, rtol=1e-4)
    empty = torch.zeros(1, 5, 5)
    assert map_distance.centre_shift(empty, empty).item() == 0


def test_ssim_against_its_formula():
    """Means, variances and covariance under an 11-tap Gaussian of sigma 1.5, reflected at the edges."""
    rng = np.random.default_rng(1)
    first, second = rng.random((2, 24, 24))

    def smooth(image):
        return ndimage.gaussian_filter(image, 1.5, mode="mirror", truncate=5 / 1.5)

    mean_1, mean_2 = smooth(first), smooth(second)
    var_1, var_2 = smooth(first**2) - mean_1**2, smooth(second**2) - mean_2**2
    covariance = smooth(first * second) - mean_1 * mean_2
    c1, c2 = 0.01**2, 0.03**2
    local = (2 * mean_1 * mean_2 + c1) * (2 * covariance + c2)
    local /= (mean_1**2 + mean_2**2 + c1) * (var_1 + var_2 + c2)
    pair = (torch.tensor(each, dtype=torch.float32)[None] for each in (first, second))
    assert map_distance.ssim(*pair, (24, 24)).item() == pytest.approx(local.mean(), abs=1e-4)


def test_identical_maps_are_at_no_distance(pair):
    attribution, _ = both(pair)
    distances = map_distance.compare(attribution, attribution, (12, 16))
    for name in ("map_l1", "map_l2", "map_shift"):
        assert distances[name].abs().max() == 0
    for name in ("map_iou", "map_topq_iou", "map_ssim", "map_spearman"):
        torch.testing.assert_close(distances[name].float(), torch.ones(5))


def test_object_iou_of_a_planted_mask():
    mask = torch.zeros(2, 8, 8, dtype=torch.bool)
    mask[:, 2:6, 2:6] = True
    exact = mask.float()
    half = exact.clone()
    half[:, 4:] = 0
    assert map_distance.object_iou(exact, mask).tolist() == [1.0, 1.0]
    assert map_distance.object_iou(half, mask).tolist() == [0.5, 0.5]
    assert map_distance.object_iou(torch.zeros(2, 4, 4), mask).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_an_empty_mask_has_no_object_iou(value):
    """Whatever the map: an empty map is no match for it. The other samples of the batch keep their numbers."""
    mask = torch.zeros(3, 8, 8, dtype=torch.bool)
    mask[1, 2:6, 2:6] = True
    maps = torch.full((3, 4, 4), value)
    maps[1] = mask[1, ::2, ::2].float()
    overlap = map_distance.object_iou(maps, mask)
    assert overlap.isnan().tolist() == [True, False, True]
    assert overlap[1] == map_distance.object_iou(maps[1:2], mask[1:2])[0] > 0.5


def test_perturbation_and_success_by_hand():
    benign, probed = torch.zeros(2, 3, 2, 2), torch.zeros(2, 3, 2, 2)
    probed[0, 0, 0, 0], probed[0, 1, 0, 0] = 0.3, -0.4
    size = prediction.perturbation(benign, probed)
    torch.testing.assert_close(size["linf"], torch.tensor([0.4, 0.0]))
    torch.testing.assert_close(size["l2_norm"], torch.tensor([0.5, 0.0]))
    before, after = torch.tensor([0, 0, 0, 0]), torch.tensor([1, 2, 0, 1])
    goal = torch.tensor([1, 1, -1, -1])
    assert prediction.success(before, after, goal).tolist() == [True, False, False, True]
