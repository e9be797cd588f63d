"""Which interpreter goes with which family of networks: every pair is tried, and docs/support.md says what came of it.

UNDERFIRE_WRITE_DOCS=1 python -m pytest -m slow tests/interpreters/test_support.py     writes the page anew
"""

from __future__ import annotations

import os
import warnings

import pytest
import torch
from hydra import compose, initialize_config_dir

from benchmark.classifiers.timm_classifier import TimmClassifier
from benchmark.configuration.conf_files import conf_folder
from benchmark.configuration.instantiation import instantiate
from benchmark.configuration.resolution import as_dict
from benchmark.interpreters.cam import GradCAM
from benchmark.numerics.modules import freeze
from tests.helpers import PROJECT

PAGE = PROJECT / "docs" / "support.md"
SIZE = 96
FAMILIES = {
    "ResNet": ("resnet18", {}),
    "DenseNet": ("densenet121", {}),
    "EfficientNet": ("efficientnet_b0", {}),
    "MobileNet": ("mobilenetv3_small_100", {}),
    "ConvNeXt": ("convnext_atto", {}),
    "VGG": ("vgg11", {}),
    "ViT": ("vit_tiny_patch16_224", {"img_size": SIZE, "patch_size": 8, "depth": 4}),
    "Swin": ("swin_tiny_patch4_window7_224", {"img_size": SIZE, "depths": (1, 1, 2, 1)}),
}
INTERPRETERS = [
    *("rts", "rtsa", "cam", "gradcam", "gradcam_pp", "grad", "smoothgrad", "integrated_gradients"),
    *("guided_backprop", "mask", "rise"),
]
IMAGE = torch.rand(6, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
CLASSES = torch.tensor([1, 4, 0, 7, 9, 3])


def network(family: str) -> TimmClassifier:
    name, options = FAMILIES[family]
    torch.manual_seed(0)
    classifier = freeze(TimmClassifier(name=name, num_classes=10, options=options))
    with torch.no_grad():  # an untrained head hardly decides: scaled until it does
        classifier.net.get_classifier().weight *= 2 / classifier(IMAGE).std()
    return classifier


def settings(interpreter: str) -> dict:
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_folder())):
        group = as_dict(compose("run", overrides=[f"interpreter={interpreter}"]))["interpreter"]["network"]
    small = {"samples": 3, "masks": 40, "steps": 8}
    return group | {name: value for name, value in small.items() if name in group}


def tried(name: str, classifier: TimmClassifier) -> tuple[str, str]:
    """What a pair comes to, and the sentence with which it is refused."""
    try:
        interpreter = freeze(instantiate(settings(name), classifier=classifier, image_size=SIZE))
    except ValueError as error:
        return "refused", str(error)
    explanation = interpreter.explain(IMAGE, CLASSES)
    map_Bhw = explanation.map_Bhw.detach()
    torch.testing.assert_close(explanation.logits_BK, classifier(IMAGE), rtol=1e-3, atol=1e-3)
    assert torch.isfinite(map_Bhw).all() and map_Bhw.min() >= 0 and map_Bhw.max() <= 1
    assert map_Bhw.ndim == 3 and map_Bhw.flatten(1).std(1).max() > 1e-5, "a map that shows nothing"
    if not interpreter.differentiable:
        return "measured", ""
    point = IMAGE.clone().requires_grad_()
    map_Bhw = interpreter.surrogate().explain(point, CLASSES).map_Bhw
    (slope,) = torch.autograd.grad(
        (map_Bhw * torch.linspace(0, 1, map_Bhw[0].numel()).view_as(map_Bhw[0])).sum(), point
    )
    assert torch.isfinite(slope).all() and slope.abs().max() > 0
    return "surrogate", ""


def page() -> str:
    lines = [
        "# Which interpreter goes with which network",
        "",
        "Every pair was built, on a small untrained net of the family, and tried: *attacked* means that its map has a",
        "finite, nonzero gradient in the image (through a smooth surrogate where the method needs one) and can be",
        "attacked by ADV²; *measured* that it has a map and no gradient; *refused* that the pair is unsound and fails",
        "before anything starts, with the reason below. Layers, token grids, heads and normalisation come from timm's",
        "metadata.",
        "",
        "```",
        "UNDERFIRE_WRITE_DOCS=1 python -m pytest -m slow tests/interpreters/test_support.py",
        "```",
        "",
        "| | " + " | ".join(f"{family} (`{name}`)" for family, (name, _) in FAMILIES.items()) + " |",
        "| --- |" + " --- |" * len(FAMILIES),
    ]
    reasons: dict[str, list[str]] = {}
    for interpreter in INTERPRETERS:
        cells = []
        for family in FAMILIES:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                outcome, reason = tried(interpreter, network(family))
            cells.append(outcome)
            if reason:
                reasons.setdefault(f"`{interpreter}`: {reason}", []).append(family)
        lines.append(f"| `{interpreter}` | " + " | ".join(cells) + " |")
    layers = (GradCAM(classifier=network(family), image_size=SIZE).details()["target_layer"] for family in FAMILIES)
    lines += [
        f"| *layer* | {' | '.join(f'`{layer}`' for layer in layers)} |",
        "",
        "*layer* is the module whose output CAM and Grad-CAM weight, in timm's names; a record has it as the fact",
        "`target_layer`. Attacks on gradient maps and MASK go through a smooth copy of the net, which is checked: a",
        "net that calls an activation as a function (`F.relu`, `x * (x > 0)`) instead of as a module is refused.",
    ]
    lines += ["", "`rtsa_anchored` goes where `rtsa` goes; `captum` takes any net and is measured.", "", "Refused:", ""]
    lines += [f"* {', '.join(families)}: {reason}" for reason, families in reasons.items()]
    return "\n".join(lines) + "\n"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_page_says_what_every_pair_comes_to():
    found = page()
    if os.environ.get("UNDERFIRE_WRITE_DOCS"):
        PAGE.write_text(found, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == found
