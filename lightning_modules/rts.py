"""Training of RTS: the selector, then the decoder (Dabkowski & Gal, NeurIPS 2017)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmark.interpreters.rts import RTS
from benchmark.numerics import rng
from benchmark.numerics.bounds import NonNegative, Positive, Probability, Seed, checked_arguments
from benchmark.numerics.images import at_image_size
from benchmark.objectives.evidence import edit, noisy_and_alternative
from benchmark.objectives.rts import MapWeights, map_objective
from benchmark.types import Batch
from lightning_modules.training import Training


class FakeClasses(Training):
    """A training in which the selector is sometimes given a fake class, one that the image does not show.

    Args:
        interpreter: the network. p_fake: probability of a fake class, drawn uniformly from the other K - 1.
    """

    @checked_arguments
    def __init__(
        self, *, interpreter: RTS, p_fake: Probability, lr: Positive, weight_decay: NonNegative, seed: Seed
    ) -> None:
        super().__init__(lr=lr, weight_decay=weight_decay, seed=seed)
        self.interpreter, self.p_fake = interpreter, p_fake

    def selected(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The class given to the selector (B,), and r (B,) bool: whether it is the true one."""
        choice_B = rng.uniform(self.keys(batch, "fake or real"), 1)[:, 0]
        real_B = choice_B >= self.p_fake
        classes = self.interpreter.classifier.num_classes
        offset_B = 1 + rng.integers(self.keys(batch, "fake class"), classes - 1, 1)[:, 0]
        return torch.where(real_B, batch["label"], (batch["label"] + offset_B) % classes), real_B


class LitSelector(FakeClasses):
    """Phase 1: the selector alone, by the cross-entropy of its presence logits with r."""

    def trained(self) -> nn.Module:
        return self.interpreter.masking

    def parameters_to_train(self):
        """Those of the class embedding."""
        return self.interpreter.masking.selector.parameters()

    def training_step(self, batch: Batch, index: int) -> Tensor:
        _, pyramid = self.interpreter.features(batch["image"])
        class_B, real_B = self.selected(batch)
        _, presence_logits_B2 = self.interpreter.masking.selector(pyramid[-1], class_B, 0.0)
        loss = torch.nn.functional.cross_entropy(presence_logits_B2, real_B.long())
        right = (presence_logits_B2.argmax(1) == real_B).float().mean()
        return self.checked(loss, {"selector": loss, "selector_accuracy": right})


class LitRTS(FakeClasses):
    """Phase 2: decoder and head by L_map, at confidence 0; the selector is not trained.

    Args:
        weights: of L_map's terms; ``total_variation`` is the weight for 224 pixels and is scaled by 224 / H.
        blur: sigma in pixels of the blur that Phi blends in.
    """

    @checked_arguments
    def __init__(
        self,
        *,
        interpreter: RTS,
        weights: MapWeights,
        blur: Positive,
        p_fake: Probability,
        lr: Positive,
        weight_decay: NonNegative,
        seed: Seed,
    ) -> None:
        super().__init__(interpreter=interpreter, p_fake=p_fake, lr=lr, weight_decay=weight_decay, seed=seed)
        self.weights, self.blur = weights, blur

    def trained(self) -> nn.Module:
        return self.interpreter.masking

    def parameters_to_train(self):
        """Those of decoder and head."""
        masking = self.interpreter.masking
        return [*masking.blocks.parameters(), *masking.head.parameters()]

    def map_terms(self, batch: Batch, map_Bhw: Tensor, real_B: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """L_map of maps for the classes given to the selector, and its parts."""
        image_BCHW = batch["image"]
        height, width = image_BCHW.shape[-2:]
        noisy, alternative = noisy_and_alternative(image_BCHW, self.keys(batch, "evidence"), self.blur)
        map_BHW = at_image_size(map_Bhw, (height, width))
        edited = torch.cat([edit(noisy, alternative, 1 - map_BHW), edit(noisy, alternative, map_BHW)])
        destroyed, preserved = self.interpreter.classifier(edited).chunk(2)
        weights = MapWeights(
            area=self.weights.area,
            total_variation=self.weights.total_variation * 224 / height,
            preserve=self.weights.preserve,
            border=self.weights.border,
        )
        return map_objective(destroyed, preserved, map_BHW, batch["label"], real_B, weights)

    def training_step(self, batch: Batch, index: int) -> Tensor:
        _, pyramid = self.interpreter.features(batch["image"])
        class_B, real_B = self.selected(batch)
        map_Bhw, _ = self.interpreter.masking(pyramid, class_B, 0.0)
        loss, parts = self.map_terms(batch, map_Bhw, real_B)
        return self.checked(loss, {**parts, "map_mean": map_Bhw.mean()})
