"""The transfer matrices: planted distances come back in their place, and never mix with the other tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmark.records import read_records, write_record
from benchmark.report.build import build_report
from benchmark.report.transfer import matrices, source_of

PLANTED = {("rts", "rts"): 0.02, ("rts", "rtsa"): 0.2, ("rtsa", "rts"): 0.1, ("rtsa", "rtsa"): 0.05}


@pytest.fixture
def root(tmp_path):
    for (source, target), distance in PLANTED.items():
        samples = pd.DataFrame(
            {
                "sample_id": np.arange(40),
                "source_id": np.arange(40) // 2,
                "success": np.arange(40) % 4 > 0,
                "map_l1": np.full(40, distance),
                "looks_benign": np.arange(40) < 40 * (0.2 - distance) * 5,
            }
        )
        cell = {
            **{"cell": f"{source}{target}", "name": f"{source}{target}", "data": "digits", "classifier": "net"},
            **{"interpreter": target, "probe": "adv2", "level": None, "steps_factor": 1, "seed": 0, "data_seed": 0},
            **{"split": "test", "budget": "bench", "n_samples": 40, "n_sources": 20, "versions": {}},
            **{"artefacts": {}, "facts": {}, "seconds": {}, "counts": {}},
            "config": {"probe": {"source": {"name": source}}, "interpreter": {"name": target}},
        }
        write_record(tmp_path / "results" / f"{source}-{target}", samples, {}, cell)
    return tmp_path


def test_planted_distances_come_back_in_their_place(root):
    records = read_records(root / "results")
    assert {source_of(record) for record in records} == {"rts", "rtsa"}
    found = matrices(records, resamples=50)
    for place, distance in PLANTED.items():
        estimate = found["map_l1"][place]
        assert estimate.value == pytest.approx(distance)
        assert (estimate.n, estimate.n_sources) == (40, 20)
    assert found["looks_benign"]["rts", "rtsa"].value == 0


def test_the_report_has_the_matrices_and_no_verdict_of_them(root):
    path = build_report(root / "results", root / "report", resamples=50)
    text = path.read_text()
    assert "## Transfer" in text
    assert "0.200" in text
    assert (root / "report" / "verdicts.json").read_text().strip() == "[]"
    (figure,) = (root / "report" / "figures").glob("transfer*.png")
    assert figure.stat().st_size > 10_000
    assert len(list((root / "report" / "tables").glob("transfer*.tex"))) == 2
