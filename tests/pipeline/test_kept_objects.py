"""Where the objects are, as records keep it."""

from __future__ import annotations

import numpy as np

from benchmark.pipeline.measure import inside_boxes


def test_boxes_are_kept_as_the_pixels_inside():
    """By hand, on 3x4 pixels: one box, two that overlap, and an image without any."""
    none = [np.nan] * 4
    boxes = np.array([[[1, 0, 3, 2], none], [[0, 0, 1, 1], [0, 0, 2, 1]], [none, none]], np.float32)
    expected = np.zeros((3, 3, 4), bool)
    expected[0, 0:2, 1:3] = True
    expected[1, 0, 0:2] = True
    assert (inside_boxes(boxes, (3, 4)) == expected).all()
