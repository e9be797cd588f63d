"""The schema of a record: what the measures write is what the check, the summary and the docs know."""

from __future__ import annotations

import importlib
import math

import numpy as np
import pandas as pd
import pytest
import torch

from benchmark.configuration.cells import Cell
from benchmark.pipeline.provenance import surroundings
from benchmark.report.labels import METRICS
from benchmark.storage.cell_fields import FIELD_NAMES, FILTER_FIELDS, IDENTITY_FIELDS, TAG_FIELDS
from benchmark.storage.columns import COLUMNS
from benchmark.storage.record_check import check_samples
from benchmark.storage.record_page import records_page
from benchmark.storage.record_summary import SUMMARY_NAMES, summary_of
from benchmark.storage.records import Record
from benchmark.storage.schema import Column, When
from benchmark.types import Explanation, Reading
from lightning_modules.measure import LitMeasure
from tests.helpers import PROJECT, configured

SIZE, COUNT = 16, 5


class Net(torch.nn.Module):
    """Two classes: the brighter half of the image."""

    num_classes = 2

    def forward(self, image_BCHW):
        return torch.stack([half.flatten(1).mean(1) for half in image_BCHW.chunk(2, dim=2)], 1)


class Brightness:
    """The map is the mean over channels, for every class."""

    classifier = Net()

    def __call__(self, image_BCHW, class_B):
        return image_BCHW.mean(1)

    def explain(self, image_BCHW, class_B):
        return Explanation(self.classifier(image_BCHW), self(image_BCHW, class_B))

    def read(self, image_BCHW):
        return Reading(self.classifier(image_BCHW), lambda class_B: self(image_BCHW, class_B))


def measured(**further: torch.Tensor) -> pd.DataFrame:
    """The samples of one group as the measures give them."""
    draw = torch.Generator().manual_seed(0)
    image, ids = torch.rand(COUNT, 3, SIZE, SIZE, generator=draw), torch.arange(COUNT)
    batch = {
        **{"image": image, "label": ids % 2, "sample_id": ids, "source_id": ids, "position": ids},
        "prediction": Net()(image).argmax(1),
        **further,
    }
    interpreter = Brightness()
    module = LitMeasure(
        **{"interpreter": interpreter, "reference": interpreter, "spread": 0.1, "blur": 2.0},
        **{"n_faithfulness_samples": 3, "n_harmless_samples": 4, "harmless_noise": lambda image, ids: image},
    )
    columns = module.predict_step(batch, 0)
    return pd.DataFrame({name: each.numpy() for name, each in columns.items() if each.ndim == 1})


def cells() -> dict[frozenset[When], pd.DataFrame]:
    """Samples by the kind of cell, without a probe, with one, and with a goal map."""
    draw = torch.Generator().manual_seed(1)
    mask = torch.arange(SIZE).expand(COUNT, SIZE, SIZE) < 4
    probed = {"probed": torch.rand(COUNT, 3, SIZE, SIZE, generator=draw), "goal": torch.full((COUNT,), -1)}
    goal_map = torch.rand(COUNT, SIZE, SIZE, generator=draw)
    return {
        frozenset({When.ALWAYS, When.CLEAN}): measured(mask=mask),
        frozenset({When.ALWAYS, When.PERTURBED}): measured(**probed),
        frozenset({When.ALWAYS, When.PERTURBED, When.GOAL_MAP}): measured(**probed, goal_map=goal_map),
    }


def test_the_schema_is_what_the_measures_write():
    for when, samples in cells().items():
        assert set(samples) == {column.name for column in COLUMNS if column.when in when}
        check_samples(samples)


def test_nan_is_where_the_schema_says():
    samples = measured()
    assert samples["object_iou"].isna().all(), "there is no mask"
    assert samples["deletion"].isna().tolist() == [False] * 3 + [True] * 2
    for name in ("harmless_noise_l1", "harmless_shift_l1"):
        assert samples[name].isna().tolist() == [False] * 4 + [True]
    assert samples["control_class_l1"].tolist()[:4] == [0] * 4, "the map is the same for every class"
    assert samples[["pointing_game", "energy_in_object", "box_iou"]].isna().all(axis=None), "nor a box"
    check_samples(samples)


def test_boxes_stand_in_for_masks_that_are_missing():
    """Of two images the first has a mask on its left, the second a box on its right."""
    mask, box = torch.zeros(COUNT, SIZE, SIZE, dtype=torch.bool), torch.full((COUNT, 1, 4), torch.nan)
    mask[0, :, :4], box[1, 0] = True, torch.tensor([12.0, 0.0, 16.0, 16.0])
    samples = measured(mask=mask, box=box)
    known = [True, True, False, False, False]
    assert samples["energy_in_object"].notna().tolist() == samples["pointing_game"].notna().tolist() == known
    assert samples["object_iou"].notna().tolist() == [True, *[False] * 4]
    assert samples["box_iou"].notna().tolist() == [False, True, *[False] * 3]
    assert samples["energy_in_object"][:2].between(0.2, 0.3).all(), "a quarter of noise lies on a quarter of the image"
    check_samples(samples)


@pytest.mark.parametrize("column", [each for each in COLUMNS if each.dtype.startswith("float")], ids=lambda c: c.name)
def test_a_value_outside_its_range_is_named(column):
    def with_last(value: float) -> pd.DataFrame:
        return pd.DataFrame({column.name: np.array([0.0, value], dtype=column.dtype)})

    low, high = column.range
    for value in {low - 0.01, high + 0.01, math.inf}:
        wanted = rf"{column.name} of samples\.parquet lies in .* \(1 of 2 values are outside\)"
        with pytest.raises(ValueError, match=wanted):
            check_samples(with_last(value))
    if column.nullable:
        check_samples(with_last(math.nan))
    else:
        with pytest.raises(ValueError, match=f"{column.name} .* is never NaN, got 1 of 2"):
            check_samples(with_last(math.nan))


def test_rounding_past_the_end_of_a_range_is_allowed():
    check_samples(pd.DataFrame({"map_ssim": np.array([1.0 + 1e-5], dtype=np.float32)}))


def test_another_dtype_and_an_unknown_column_are_named():
    with pytest.raises(ValueError, match=r"success of samples\.parquet is bool, got int64"):
        check_samples(pd.DataFrame({"success": [0, 1]}))
    samples = pd.DataFrame({"entropy": np.array([0.5], dtype=np.float32)})
    with pytest.raises(ValueError, match="no column 'entropy'"):
        check_samples(samples)
    further = Column("entropy", "float32", "nat", (0, math.inf), When.ALWAYS, "mine.entropy", "of the softmax")
    check_samples(samples, [further])


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.name)
def test_a_source_can_be_imported(column):
    module, _, name = column.source.rpartition(".")
    assert hasattr(importlib.import_module(module), name)


def test_the_report_names_a_column_as_the_schema_does():
    named = {column.name: column.label for column in COLUMNS if column.name in METRICS}
    assert named == {name: METRICS[name].full for name in named}


def test_a_cell_s_fields_are_those_of_the_schema(tmp_path):
    config = configured(tmp_path)
    fields = Cell(config).identity() | surroundings(config)
    assert set(fields) <= FIELD_NAMES
    assert [name for name in fields if name in IDENTITY_FIELDS] == list(IDENTITY_FIELDS)
    assert set(TAG_FIELDS) <= set(IDENTITY_FIELDS)
    for command in ("report", "sync"):
        assert set(configured(tmp_path, command=command)["filter"]) == set(FILTER_FIELDS)


def test_the_summary_against_means_written_out(tmp_path):
    samples = pd.DataFrame(
        {
            "sample_id": [1, 2, 3, 4],
            "map_l1": np.array([0.1, 0.2, 0.3, 0.4]),
            "map_spearman": [0.5, np.nan, 0.7, np.nan],
            "object_iou": [np.nan] * 4,
            "map_mean_benign": [0.1] * 4,
            "success": [True, False, True, True],
        }
    )
    cell = {"facts": {"accuracy": 0.9, "none": None}, "n_samples": 4, "seconds": {"a": 1.0, "b": 2.5}}
    record = Record(tmp_path, cell)
    vars(record)["samples"] = samples
    expected = {"map_l1/mean": 0.25, "map_spearman/mean": 0.6, "success_rate": 0.75}
    assert summary_of(record) == pytest.approx(expected | {"fact/accuracy": 0.9, "n_samples": 4, "seconds": 3.5})


def test_summary_names_are_stable():
    """Dashboards and the objectives of sweepers go by them."""
    means = [*("map_l1", "map_l2", "map_iou", "map_topq_iou", "map_ssim", "map_spearman", "map_shift", "linf")]
    means += ["l2_norm", "object_iou", "deletion", "insertion", "reference_l1", "confidence_benign", "confidence_probe"]
    means += ["harmless_noise_l1", "harmless_shift_l1", "pointing_game", "energy_in_object", "box_iou"]
    assert set(SUMMARY_NAMES) == {*(f"{name}/mean" for name in means), "success_rate", "looks_benign_rate"}


def test_the_docs_are_made_from_the_schema():
    make = 'python -c "from benchmark.storage.record_page import records_page as p; print(p(), end=str())"'
    text = (PROJECT / "docs" / "records.md").read_text()
    assert text == records_page(), f"make docs/records.md anew: {make} > docs/records.md"
