"""The peak of memory does not grow with images, steps of an attack, or cells of a sweep."""

from __future__ import annotations

import pytest

from tests.measurements.memory import peak

SMALL = ("interpreter=cam", "classifier=fine_resnet", "probe=pgd", "budget.batch_size=50")
IMAGES, STEPS, CELLS = (300, 3000), (5, 50), (2, 20)


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_the_peak_is_flat_in_images_steps_and_cells(tmp_path):
    def of(count: int, *words: str) -> float:
        return peak(str(tmp_path), f"budget.test_images={count}", f"budget.attack_images={count}", *SMALL, *words)

    few, many = IMAGES
    for count in IMAGES:  # makes the images and trains the classifier, so that none of those compared does
        of(count)
    assert of(many, "probe.seed=1") < 1.15 * of(few, "probe.seed=1"), "3,000 images of 48 px are 20 MB themselves"
    steps = [of(few, f"probe.steps={count}") for count in STEPS]
    assert steps[1] < 1.03 * steps[0]
    seeds = [",".join(str(seed) for seed in range(10, 10 + count)) for count in CELLS]
    cells = [of(few, "-m", f"probe.seed={each}") for each in seeds]
    assert cells[1] < 1.1 * cells[0]
