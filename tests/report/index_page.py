"""The report of planted records, for the tests of its page: several trainings with pictures, curves, transfer, and the
settings of AID on the calibration split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from benchmark.report.build import INDEX, build_report
from benchmark.report.statistics.bootstrap import Bootstrap
from benchmark.storage.columns import BY_NAME
from benchmark.storage.records import write_failure, write_record
from tests.report.planted import Planted, World, record, sweep, trainings

WORLD = World(n=120)
PROBES = (("clean", None, 1), ("normal", 0.3, 1), ("sign", None, 1), ("pgd", None, 1), ("adv2", None, 1))
# What a page must show as it stands.
NASTY = "NaN in the <b>map</b> | </script><script>alert(1)</script>"


def store(root: Path, records: list[Planted]) -> None:
    """The records on disk."""
    for one in records:
        tensors = {"images": one.images, "maps": one.maps} if one.images else {}
        samples = one.samples.astype({name: BY_NAME[name].dtype for name in one.samples})
        write_record(root / one.cell["name"], samples, tensors, one.cell, curves=one.curves)


def curves(interpreter: str) -> pd.DataFrame:
    """Curves of an attack that comes closer with every pass."""
    passes = np.array([10, 20, 40, 80], dtype=np.int64)
    distance = {"rts": 0.4, "rtsa": 0.6}[interpreter] / passes
    return pd.DataFrame(
        {"member": "all", "passes": passes, "success_rate": [0.5, 1.0, 1.0, 1.0], "map_l1": distance, "n": [60] * 4}
    )


def build(root: Path) -> Path:
    """Writes records and report below ``root``; returns the page."""
    results = root / "results"
    records = trainings(WORLD, ("rts", "rtsa"), PROBES, pictures=True)
    for name in ("rts", "rtsa"):
        auto = record(WORLD, name, "adv2_auto", pictures=True, flags=["not_converged"])
        auto.curves = curves(name)
        records.append(auto)
    for source in ("rts", "rtsa"):
        for reader in ("rts", "rtsa"):
            read = {"source": {"name": source}, "samples": 60}
            records.append(record(WORLD, reader, "adv2", config={"probe": read}, cell=f"{source}-{reader}"))
    calibration = {"split": "calibration", "budget": "bench"}
    study = (("clean", None, 1), ("pgd", None, 1), ("adv2", None, 1))
    records += sweep(WORLD, ("rts",), study, **calibration)
    for weight in (2.0, 5.0):
        config = {"interpreter": {"lambda_aid": weight}}
        records += sweep(WORLD, ("rtsa",), study, config=config, **calibration)
    store(results, records)
    write_failure(results / "broken", record(WORLD, "rtsa", "sign").cell, stage="probe", error=ValueError(NASTY))
    page = build_report(results, root / "report", bootstrap=Bootstrap(60))
    return page.with_name(INDEX)
