"""The line of a finished cell."""

from __future__ import annotations

import pandas as pd
import pytest

from benchmark.pipeline.provenance import one_line

SAMPLES = pd.DataFrame({"success": [True, False, True], "map_l1": [0.1, 0.2, 0.3]})


@pytest.mark.parametrize(
    "probe, line",
    [
        ({"samples": 3}, "n 3  map_l1 0.200  success 0.667"),
        ({"samples": None}, "n 3  map_l1 0.200  success 0.667"),
        (
            {"samples": 5},
            "n 3 of 5: the classifier gets no more of the split right  map_l1 0.200  success 0.667",
        ),
        (
            {"samples": 5, "surrogate": {"label": "other"}},
            "n 3 of 5: the classifier gets no more of the surrogate's samples right  map_l1 0.200  success 0.667",
        ),
    ],
)
def test_fewer_samples_than_asked_for_are_explained(probe, line):
    assert one_line(SAMPLES, probe) == line
