"""Tensors of equal shapes in a wrong order: the network guesses, and is refused."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from benchmark.classifiers.order_check import check_order
from benchmark.data.array_set import ArraySet


class Colours(nn.Module):
    """Three logits, each a weighted sum of the mean colours."""

    def __init__(self, weight_33: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(1))
        self.layer = nn.Linear(3, 3, bias=False)
        self.layer.weight.data = weight_33

    def forward(self, image_B3HW: torch.Tensor) -> torch.Tensor:
        return self.layer(image_B3HW.mean((2, 3)))


def coloured(count: int, classes: int = 3) -> ArraySet:
    """Images in which the label's own channel is the brightest."""
    label = torch.arange(count) % classes
    image = torch.full((count, 3, 4, 4), 100, dtype=torch.uint8)
    image[torch.arange(count), label] = 160
    ids = torch.arange(count)
    arrays = {"image": image, "label": label, "sample_id": ids, "source_id": ids}
    return ArraySet(["red", "green", "blue"], arrays)


def test_the_right_order_passes_and_its_mode_stays(caplog):
    caplog.set_level("INFO", "underfire")
    network = Colours(torch.eye(3)).train()
    check_order(network, coloured(60), "classifier.checkpoint=w.pt")
    assert network.training
    assert "gets 100.0% of 60 calibration images right, in the mean over 3 classes" in caplog.text


@pytest.mark.parametrize(
    ("weight", "rate"),
    [(torch.eye(3)[[1, 2, 0]], r"0\.0%"), (torch.tensor([[1.0] * 3, [0.0] * 3, [0.0] * 3]), r"33\.3%")],
    ids=["rows in another order", "always the same class"],
)
def test_a_wrong_order_is_refused(weight, rate):
    words = rf"w\.pt: with its tensors paired by their order .* {rate} of 60 calibration .* over 3 classes.*key_map"
    with pytest.raises(ValueError, match=words):
        check_order(Colours(weight), coloured(60), "classifier.checkpoint=w.pt")


def test_one_class_says_nothing():
    check_order(Colours(torch.eye(3)[[1, 2, 0]]), coloured(60, classes=1), "w")
