"""RTS: check values, formulas of its parts, gradients, and what it must leave untouched."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmark.classifiers.timm_classifier import TimmClassifier
from benchmark.interpreters.masking_network import ClassSelector, MaskingNetwork
from benchmark.interpreters.rts import RTS

SMALL = {"channels": (8, 12, 16, 24), "stem_width": 8}


@pytest.fixture
def classifier():
    torch.manual_seed(0)
    return TimmClassifier(name="resnet10t", num_classes=5, options=SMALL)


@pytest.fixture
def interpreter(classifier):
    torch.manual_seed(1)
    return RTS(classifier=classifier, image_size=48, blocks=4, width=4).eval()


def test_check_values_of_a_resnet50_at_224():
    rts = RTS(classifier=TimmClassifier(name="resnet50", num_classes=10), image_size=224)
    attribution = rts(torch.rand(1, 3, 224, 224), torch.tensor([3]))
    parameters = sum(p.numel() for part in (rts.masking.blocks, rts.masking.head) for p in part.parameters())
    widths = [block.merge.shortcut[0].out_channels for block in rts.masking.blocks]
    assert attribution.shape == (1, 56, 56)
    assert parameters / 1e6 == pytest.approx(21.0, abs=0.05)
    assert widths == [256, 128, 64]


def test_selector_by_hand():
    selector = ClassSelector(2, 3)
    selector.embedding.weight.data = torch.tensor([[1.0, 0.0, 0.0], [0.0, 2.0, -1.0]])
    features = torch.randn(1, 3, 2, 2)
    kept, exists = selector(features, torch.tensor([1]), 0.5)
    act = 2 * features[0, 1] - features[0, 2]
    torch.testing.assert_close(kept[0], features[0] / (1 + torch.exp(0.5 - act)))
    torch.testing.assert_close(exists[0], torch.stack([-act.mean() / 2, act.mean() / 2]))


def test_embedding_starts_at_the_inverse_root_of_the_channels():
    torch.manual_seed(0)
    assert ClassSelector(200, 400).embedding.weight.std().item() == pytest.approx(400**-0.5, rel=0.02)


def test_map_is_a_share_and_zero_over_zero_is_zero(interpreter):
    attribution = interpreter(torch.rand(3, 3, 48, 48), torch.tensor([0, 1, 2]))
    assert attribution.shape == (3, 24, 24) and attribution.min() >= 0 and attribution.max() <= 1
    torch.nn.init.zeros_(interpreter.masking.head.weight)
    torch.nn.init.zeros_(interpreter.masking.head.bias)
    assert (interpreter(torch.rand(1, 3, 48, 48), torch.tensor([0])) == 0).all()


def test_one_trunk_forward_serves_logits_and_map(interpreter):
    image, classes = torch.rand(4, 3, 48, 48), torch.tensor([0, 1, 2, 3])
    before = dict(interpreter.classifier.passes)
    explanation = interpreter.explain(image, classes)
    assert interpreter.classifier.passes["forward"] - before["forward"] == 4
    torch.testing.assert_close(explanation.logits_BK, interpreter.classifier(image))
    torch.testing.assert_close(explanation.map_Bhw, interpreter(image, classes))


def test_a_separate_encoder_leaves_the_logits_to_the_classifier(classifier):
    torch.manual_seed(5)
    encoder = TimmClassifier(name="resnet10t", num_classes=7, options=SMALL)
    rts = RTS(classifier=classifier, encoder=encoder, image_size=48, blocks=2).eval()
    image = torch.rand(2, 3, 48, 48)
    explanation = rts.explain(image, torch.tensor([4, 4]))
    assert explanation.logits_BK.shape == (2, 5)
    torch.testing.assert_close(explanation.logits_BK, classifier(image))


def test_batched_equals_looped(interpreter):
    image, classes = torch.rand(6, 3, 48, 48), torch.arange(6) % 5
    together = interpreter(image, classes)
    alone = torch.cat([interpreter(image[i : i + 1], classes[i : i + 1]) for i in range(6)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)


def test_gradient_in_the_image_against_finite_differences(interpreter):
    interpreter.double()
    torch.manual_seed(2)
    image, classes = torch.rand(1, 3, 48, 48, dtype=torch.float64), torch.tensor([2])
    direction = torch.randn_like(image)
    image.requires_grad_()
    weight = torch.randn(1, 24, 24, dtype=torch.float64)
    (gradient,) = torch.autograd.grad((weight * interpreter(image, classes)).sum(), image)
    step = 1e-6

    def value(at):
        return (weight * interpreter(at, classes)).sum().item()

    with torch.no_grad():
        numeric = (value(image + step * direction) - value(image - step * direction)) / (2 * step)
    assert (gradient * direction).sum().item() == pytest.approx(numeric, rel=1e-4)


def test_training_mode_never_reaches_the_trunk(interpreter):
    before = {name: value.clone() for name, value in interpreter.classifier.state_dict().items()}
    interpreter.train()
    assert interpreter.masking.training and not interpreter.classifier.training
    interpreter(torch.rand(4, 3, 48, 48), torch.tensor([0, 1, 2, 3])).sum().backward()
    assert all(parameter.grad is None for parameter in interpreter.classifier.parameters())
    after = interpreter.classifier.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_odd_sizes_are_cropped_and_padded_to_the_skip():
    masking = MaskingNetwork(channels=[4, 6, 8], num_classes=2, blocks=2, width=4).eval()
    for sizes in ((11, 6, 3), (13, 6, 3)):
        pyramid = [torch.rand(1, channels, size, size) for channels, size in zip((4, 6, 8), sizes, strict=True)]
        attribution, _ = masking(pyramid, torch.tensor([0]), 0.0)
        assert attribution.shape == (1, sizes[0], sizes[0])


def test_a_net_with_one_resolution_is_refused():
    vit = TimmClassifier(name="vit_tiny_patch16_224", num_classes=5, options={"img_size": 64})
    with pytest.raises(ValueError, match="distinct resolutions"):
        RTS(classifier=vit, image_size=64)


def test_unknown_timm_names_are_answered_with_near_ones():
    with pytest.raises(ValueError, match="resnet18"):
        TimmClassifier(name="resnet81", num_classes=5)
    with pytest.raises(ValueError, match=r"classifier\.options"):
        TimmClassifier(name="resnet18", num_classes=5, options={"no_such_option": 1})
    with pytest.raises(ValueError, match="small_input"):
        TimmClassifier(name="convnext_atto", num_classes=5, small_input=True)


def test_normalises_inside_and_keeps_resolution_on_small_input():
    wide = TimmClassifier(name="resnet10t", num_classes=5, options=SMALL, small_input=True).eval()
    assert [shape[1] for shape in wide.pyramid_shapes(32)] == [32, 16, 8, 4]
    mean, std = np.array(wide.net.pretrained_cfg["mean"]), np.array(wide.net.pretrained_cfg["std"])
    image = torch.rand(2, 3, 32, 32)
    by_hand = (image.numpy() - mean[:, None, None]) / std[:, None, None]
    torch.testing.assert_close(wide(image), wide.net(torch.tensor(by_hand, dtype=torch.float32)), rtol=1e-4, atol=1e-5)


def test_other_weights_give_another_map(interpreter, classifier):
    """Adebayo et al., NeurIPS 2018: of the classifier that is the encoder, and of the decoder, each alone."""
    image = torch.rand(3, 3, 48, 48, generator=torch.Generator().manual_seed(2))
    classes = torch.tensor([0, 3, 1])
    before = interpreter(image, classes).detach()
    for part in (interpreter.masking.blocks, classifier.net):
        kept = {name: value.clone() for name, value in part.state_dict().items()}
        torch.manual_seed(5)
        for parameter in part.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
        after = interpreter(image, classes).detach()
        assert (before - after).abs().mean() > 0.01
        part.load_state_dict(kept)
    torch.testing.assert_close(interpreter(image, classes).detach(), before)


def test_a_separate_encoder_s_logits_come_with_the_look(classifier):
    torch.manual_seed(3)
    encoder = TimmClassifier(name="resnet10t", num_classes=5, options=SMALL)
    rts = RTS(classifier=classifier, image_size=48, blocks=4, width=4, encoder=encoder).eval()
    image = torch.rand(2, 3, 48, 48)
    explanation = rts.explain(image, torch.tensor([0, 1]))
    torch.testing.assert_close(explanation.encoder_BK, encoder(image))
    torch.testing.assert_close(explanation.logits_BK, classifier(image))
    shared = RTS(classifier=classifier, image_size=48, blocks=4, width=4).eval()
    assert shared.explain(image, torch.tensor([0, 1])).encoder_BK is None
