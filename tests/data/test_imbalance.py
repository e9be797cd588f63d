"""Sets whose classes are not balanced: they are told, chosen evenly, counted by class, and trained with weights."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from benchmark.data.calibration_split import drawn_order
from benchmark.data.groups import Population
from benchmark.data.split_check import check_data
from benchmark.pipeline.artefacts.predictions import tally
from benchmark.pipeline.cell import _class_names
from benchmark.pipeline.context import RunContext
from benchmark.processes import notices
from lightning_modules.classifier import LitClassifier, balanced_weights
from tests.data.folders import folder, plant
from tests.helpers import configured


@pytest.fixture(autouse=True)
def told(caplog):
    notices._log.cache_clear()
    caplog.set_level(logging.WARNING, "underfire")
    return caplog


def test_it_is_told_with_what_naming_the_largest_class_gives(tmp_path, told):
    plant(tmp_path, {"train": {"naevus": 80, "melanoma": 60}, "test": {"naevus": 40, "melanoma": 10}}, size=(16, 16))
    check_data(folder(tmp_path, calibration_share=0.2), ("train", "test"), 0.3)
    (text,) = [record.getMessage() for record in told.records if "not balanced" in record.getMessage()]
    assert "the test images are not balanced: 40 of naevus, 10 of melanoma" in text and "right on 80%" in text


def test_it_is_told_of_a_class_with_few_images_too(tmp_path, told):
    plant(tmp_path, {"train": {"naevus": 80, "melanoma": 60}, "test": {"naevus": 72, "melanoma": 8}}, size=(16, 16))
    check_data(folder(tmp_path, calibration_share=0.2), ("train", "test"), 0.3)
    assert "the test images are not balanced: 72 of naevus, 8 of melanoma" in told.text


def test_the_first_images_can_have_as_many_of_each_class():
    label_N = np.repeat([0, 1, 2], [40, 8, 12])
    order = label_N[drawn_order(label_N, 0, "test", balanced=True)]
    for count in range(1, 25):
        size_K = np.bincount(order[:count], minlength=3)
        assert size_K.max() - size_K.min() <= 1
    assert np.bincount(order).tolist() == [40, 8, 12] and set(order[32:]) == {0}
    plain = label_N[drawn_order(label_N, 0, "test")]
    assert (plain[:30] == 0).sum() == 20


def test_a_balanced_folder(tmp_path):
    plant(tmp_path, {"train": {"a": 40, "b": 20}, "test": {"a": 40, "b": 10}}, size=(16, 16))
    test = folder(tmp_path, balanced=True, test=20).split("test")
    assert np.bincount(test.label_N).tolist() == [10, 10]


def test_a_class_that_is_never_right_has_its_name_in_the_record(tmp_path):
    config = configured(tmp_path)
    found = _class_names(RunContext(config), pd.DataFrame({"label": [3], "pred_benign": [3]}), [3, 7])
    assert list(found) == ["3", "7"]


def test_accuracy_by_class_and_balanced_by_hand():
    """77 % right with no melanoma right is half of the classes."""
    label_N = np.repeat([3, 7], [77, 23])
    by_class = tally(label_N, label_N == 3)
    assert by_class == {3: (77, 77), 7: (23, 0)}
    assert Population(None, label_N, label_N, 0.77, by_class).balanced_accuracy == 0.5


class Net(nn.Module):
    num_classes = 4

    def forward(self, image):
        return image.flatten(1)[:, :4]


def test_weights_make_every_class_weigh_the_same():
    label_N = np.repeat([0, 1, 3], [60, 30, 10])
    weight = balanced_weights(label_N, 4)
    assert weight.tolist() == pytest.approx([100 / 180, 100 / 90, 0.0, 100 / 30])
    assert weight[torch.from_numpy(label_N)].mean() == pytest.approx(1)
    settings = {"network": Net(), "lr": 0.1, "weight_decay": 0.0, "seed": 0}
    weighted = LitClassifier(**settings, class_weights="balanced", label_N=label_N)
    plain = LitClassifier(**settings)
    logits, label = torch.randn(5, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 3, 0, 3])
    expected = nn.functional.cross_entropy(logits, label, weight=weight, reduction="none")
    torch.testing.assert_close(weighted.cross_entropy(logits, label), expected)
    torch.testing.assert_close(
        plain.cross_entropy(logits, label), nn.functional.cross_entropy(logits, label, reduction="none")
    )
    assert "weight_K" not in weighted.state_dict()
