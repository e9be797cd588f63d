"""What an interpreter from outside gets from the base class by implementing one method."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from benchmark.interpreters.base import BaseInterpreter, TrunkInterpreter
from benchmark.types import Interpreter, Reading

CLASSES = torch.tensor([0, 2])


class Means(nn.Module):
    """The logits are the means of the three channels."""

    num_classes = 3

    def forward(self, image_BCHW):
        return image_BCHW.mean((2, 3))


class Channel(BaseInterpreter):
    """The map of class c is channel c."""

    def attribution_map(self, image_BCHW, class_B):
        return image_BCHW[torch.arange(len(class_B)), class_B]


class ChannelOfTrunk(TrunkInterpreter):
    """The same, with logits from the same pass."""

    def read(self, image_BCHW):
        return Reading(self.classifier(image_BCHW), lambda class_B: image_BCHW[torch.arange(len(class_B)), class_B])


@pytest.fixture
def image():
    return torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=[Channel, ChannelOfTrunk])
def interpreter(request) -> Interpreter:
    return request.param(classifier=Means())


def test_one_method_gives_map_and_explanation(interpreter, image):
    explanation = interpreter.explain(image, CLASSES)
    assert torch.equal(explanation.map_Bhw, torch.stack([image[0, 0], image[1, 2]]))
    assert torch.equal(interpreter(image, CLASSES), explanation.map_Bhw)
    assert torch.equal(explanation.logits_BK, image.mean((2, 3)))


def test_everything_else_has_a_default(interpreter):
    assert isinstance(interpreter, Interpreter) and interpreter.differentiable
    assert interpreter.surrogate() is interpreter.warm_started() is interpreter.stacked() is interpreter
    assert not interpreter.members and interpreter.masking is None


@pytest.mark.parametrize("wrong", [-1, 3])
def test_a_class_that_does_not_exist_is_named(interpreter, image, wrong):
    for call in (interpreter, interpreter.explain):
        with pytest.raises(ValueError, match=rf"class {wrong} was asked for and the classifier has the classes 0 to 2"):
            call(image, torch.tensor([0, wrong]))


@pytest.mark.parametrize(("base", "method"), [(BaseInterpreter, "attribution_map"), (TrunkInterpreter, "read")])
def test_a_missing_method_is_named(base, method, image):
    with pytest.raises(NotImplementedError, match=f"{base.__name__} does not implement {method}"):
        base(classifier=Means())(image, CLASSES)
