"""Printed names: how they are put together, and that none is missing or used for two metrics."""

from __future__ import annotations

import pytest

from benchmark.report.figures.forest import METRICS as FOREST_METRICS
from benchmark.report.labels import (
    METRICS,
    interpreter_name,
    metric_name,
    probe_name,
    probe_setting,
    short_metric_name,
)
from benchmark.report.statistics.decision_rules import MARGINS


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        (interpreter_name("gradcam_pp"), "Grad-CAM++"),
        (interpreter_name("my_method"), "MY METHOD"),
        (probe_name("sign"), "random sign"),
        (probe_name("normal", 0.03), "normal 3 %"),
        (probe_name("my_attack"), "my_attack"),
        (probe_setting("adv2", None, 10), "adv2, steps x10"),
        (probe_setting("uniform", 0.3, 1), "uniform 30 %"),
        (metric_name("map_l1"), "map L1"),
        (short_metric_name("map_l1"), "L1"),
        (short_metric_name("deletion"), "deletion AUC"),
    ],
)
def test_names(printed, expected):
    assert printed == expected


def test_what_claims_and_figures_print_has_a_name():
    assert set(MARGINS) | set(FOREST_METRICS) <= set(METRICS)


def test_no_two_metrics_share_a_name():
    for name_of in (metric_name, short_metric_name):
        names = [name_of(metric) for metric in METRICS]
        assert len(names) == len(set(names))
