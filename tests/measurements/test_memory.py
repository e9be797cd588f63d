"""The peak of memory does not grow with images, steps of an attack, or cells of a sweep."""

from __future__ import annotations

import pytest

from tests.measurements.memory import peak

SMALL = ("interpreter=cam", "classifier=fine_resnet", "budget.batch_size=50", "budget.attack_images=null")
IMAGES, STEPS, CELLS = (300, 3000), (5, 50), (2, 20)


@pytest.mark.slow
def test_the_peak_is_flat_in_images_steps_and_cells(tmp_path):
    root = str(tmp_path)
    few, many = IMAGES
    first = (f"budget.test_images={few}", "probe=pgd", *SMALL)
    peak(root, *first)  # trains the classifier, so that none of those compared does
    by_images = [
        peak(root, f"budget.test_images={count}", "probe=pgd", "probe.seed=1", *SMALL) for count in (few, many)
    ]
    assert by_images[1] < 1.15 * by_images[0], "3,000 images of 48 px are 20 MB themselves"
    by_steps = [peak(root, *first, f"probe.steps={count}") for count in STEPS]
    assert by_steps[1] < 1.03 * by_steps[0]
    seeds = [",".join(str(seed) for seed in range(10, 10 + count)) for count in CELLS]
    by_cells = [peak(root, "-m", *first, f"probe.seed={each}") for each in seeds]
    assert by_cells[1] < 1.1 * by_cells[0]
