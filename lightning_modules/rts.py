"""Training of RTS: the selector, then the decoder (Dabkowski & Gal, NeurIPS 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.interpreters.cam import GradCAM
from benchmark.interpreters.rts import RTS
from benchmark.numerics import rng
from benchmark.numerics.bounds import NonNegative, Positive, Probability, Seed, WholePositive, checked_arguments
from benchmark.numerics.images import at_image_size
from benchmark.objectives.evidence import edit, noisy_and_alternative
from benchmark.objectives.rts import MapWeights, map_objective
from benchmark.probes.goals import other_class
from benchmark.types import Batch, Classifier
from lightning_modules.training import Training


class FakeClasses(Training):
    """A training in which the selector is sometimes given a fake class, one that the image does not show.

    Args:
        interpreter: the network. p_fake: probability of a fake class, drawn uniformly from the other classes.
        classes: those that the training images show, ascending; None for all K. A class that no image shows would only
            ever be a fake one, and the selector would learn a list of classes instead of looking at the image.
        image_size: side in pixels that square images are resized to in this training, which costs its square; None
            leaves them as they are.
    """

    @checked_arguments
    def __init__(
        self,
        *,
        interpreter: RTS,
        p_fake: Probability,
        lr: Positive,
        weight_decay: NonNegative,
        seed: Seed,
        classes: Sequence[int] | None = None,
        image_size: WholePositive | None = None,
    ) -> None:
        super().__init__(lr=lr, weight_decay=weight_decay, seed=seed)
        self.interpreter, self.p_fake, self.shown = interpreter, p_fake, classes
        self.image_size, self.scale = image_size, 1.0

    def trained(self) -> nn.Module:
        return self.interpreter.masking

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """The batch with its images at the size of this training."""
        side = batch["image"].shape[-1]
        if self.image_size is None or self.image_size == side:
            return batch
        self.scale = self.image_size / side
        size = (self.image_size, self.image_size)
        return {**batch, "image": F.interpolate(batch["image"], size, mode="bilinear", antialias=True).clamp(0, 1)}

    def classes(self, device: torch.device) -> Tensor:
        """The classes that fakes and goals are drawn from, (C,) int64, ascending."""
        shown = self.shown
        return torch.tensor(range(self.interpreter.classifier.num_classes) if shown is None else shown, device=device)

    def selected(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The class given to the selector (B,), and r (B,) bool: whether it is the true one."""
        choice_B = rng.uniform(self.keys(batch, "fake or real"), 1)[:, 0]
        real_B = choice_B >= self.p_fake
        fake_B = other_class(batch["label"], self.classes(choice_B.device), self.keys(batch, "fake class"))
        return torch.where(real_B, batch["label"], fake_B), real_B


class LitSelector(FakeClasses):
    """Phase 1: the selector alone, by the cross-entropy of its presence logits with r."""

    def parameters_to_train(self):
        """Those of the class embedding."""
        return self.interpreter.masking.selector.parameters()

    def training_step(self, batch: Batch, index: int) -> Tensor:
        _, pyramid = self.interpreter.features(batch["image"])
        class_B, real_B = self.selected(batch)
        _, presence_logits_B2 = self.interpreter.masking.selector(pyramid[-1], class_B, 0.0)
        loss = F.cross_entropy(presence_logits_B2, real_B.long())
        right = (presence_logits_B2.argmax(1) == real_B).float().mean()
        return self.checked(loss, {"selector": loss, "selector_accuracy": right})


class DecoderTraining(FakeClasses):
    """A training of decoder and head; the selector is not trained."""

    def parameters_to_train(self):
        """Those of decoder and head."""
        masking = self.interpreter.masking
        return [*masking.blocks.parameters(), *masking.head.parameters()]


@lru_cache(maxsize=1)
def _grad_cam(classifier: Classifier, image_size: int) -> GradCAM:
    """Grad-CAM of the classifier, which looks for its layer once."""
    return GradCAM(classifier=classifier, image_size=image_size)


class LitWarmStart(DecoderTraining):
    """A start for large images and many classes: the decoder learns to draw the classifier's own Grad-CAM.

    Loss: mean over places of (m - r G)^2 with G the Grad-CAM of the true class, at the size of m, and r = 0 for a fake
    class, whose map is empty. From random weights the gradient of L_map first moves the maps of all classes alike; this
    loss tells the decoder in some hundred cheap steps, without a further pass of the classifier, where and for which
    class to draw. L_map then trains on, and knows nothing of Grad-CAM.
    """

    def training_step(self, batch: Batch, index: int) -> Tensor:
        image = batch["image"]
        _, pyramid = self.interpreter.features(image)
        class_B, real_B = self.selected(batch)
        map_Bhw, _ = self.interpreter.masking(pyramid, class_B, 0.0)
        # A module is hashable; its protocol does not say so.
        grad_cam = _grad_cam(self.interpreter.classifier, image.shape[-1])  # type: ignore[arg-type]
        taught_Bhw = at_image_size(grad_cam(image, batch["label"]).detach(), map_Bhw.shape[1:])
        loss = (map_Bhw - taught_Bhw * real_B[:, None, None]).square().mean()
        return self.checked(loss, {"map_mean": map_Bhw.mean()})


class LitRTS(DecoderTraining):
    """Phase 2: decoder and head by L_map, at confidence 0; the selector is not trained.

    Args:
        weights: of L_map's terms; ``total_variation`` is the weight for 224 pixels and is scaled by 224 / H.
        blur: sigma in pixels of the blur that Phi blends in, at the full size of the images.
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
        classes: Sequence[int] | None = None,
        image_size: WholePositive | None = None,
    ) -> None:
        super().__init__(
            interpreter=interpreter,
            p_fake=p_fake,
            lr=lr,
            weight_decay=weight_decay,
            seed=seed,
            classes=classes,
            image_size=image_size,
        )
        self.weights, self.blur = weights, blur

    def map_terms(self, batch: Batch, map_Bhw: Tensor, real_B: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """L_map of maps for the classes given to the selector, and its parts."""
        image_BCHW = batch["image"]
        height, width = image_BCHW.shape[-2:]
        noisy, alternative = noisy_and_alternative(image_BCHW, self.keys(batch, "evidence"), self.blur * self.scale)
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
