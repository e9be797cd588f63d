"""Training of RTS^A: Adversarial Interpretation Distillation, with the attack in the loop.

L(x) = L_map(x) + lambda_aid L_aid(x) (+ lambda_anchor L_anchor(x)). Without an attack and with lambda_aid = 0 the same
steps train the equal-budget RTS, with x in place of A(x).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from annotated_types import Gt, Le
from torch import Tensor

from benchmark.interpreters.rts import RTS
from benchmark.numerics.bounds import NonNegative, Positive, Probability, Seed, Weight, WholePositive, checked_arguments
from benchmark.numerics.expectations import Says
from benchmark.numerics.modules import shallow_copy
from benchmark.objectives.distances import l1
from benchmark.objectives.distillation import anchor_loss, distillation_loss
from benchmark.objectives.rts import MapWeights
from benchmark.probes.attack import GradientAttack
from benchmark.probes.best_iterate import reaches_goal
from benchmark.probes.goals import other_class
from benchmark.processes import ranks
from benchmark.types import Batch, Goal
from lightning_modules.rts import LitRTS


class LitRTSA(LitRTS):
    """RTS_0, trained for M further decoder steps with AID.

    Args:
        attack: A, ADV2 on the current interpreter; None for A(x) = x (the equal-budget RTS).
        lambda_aid: weight of the distillation term. kappa: its cap per sample, None for the paper's unbounded one.
        lambda_anchor: weight of the distance of benign maps to those of RTS_0, which costs one decoder pass more.
        aid_on: all | successes, the inner attacks that count.
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
        attack: GradientAttack | None = None,
        lambda_aid: Weight = 0.0,
        kappa: Annotated[float, Gt(0), Le(1), Says("a cap of a map distance in (0, 1]")] | None = None,
        lambda_anchor: Weight = 0.0,
        aid_on: Literal["all", "successes"] = "all",
    ) -> None:
        super().__init__(
            interpreter=interpreter,
            weights=weights,
            blur=blur,
            p_fake=p_fake,
            lr=lr,
            weight_decay=weight_decay,
            seed=seed,
            classes=classes,
            image_size=image_size,
        )
        if lambda_aid > 0 and attack is None:
            raise ValueError("interpreter.lambda_aid is above 0 but there is no inner attack: set interpreter.inner")
        self.attack, self.lambda_aid, self.kappa = attack, lambda_aid, kappa
        self.lambda_anchor, self.aid_on = lambda_anchor, aid_on
        self.anchor = interpreter.masking.folded() if lambda_anchor > 0 else None

    def parameters_to_train(self):
        """Those of decoder and head, and of the trunk where it is the interpreter's own."""
        return [*super().parameters_to_train(), *self.interpreter.trunk_parameters()]

    def adversarial(self, batch: Batch, pyramid: list[Tensor], class_B: Tensor, target_B: Tensor) -> Tensor:
        """A(x) (B, 3, H, W) against the current interpreter in eval mode; ``pyramid``: the features of x."""
        assert self.attack is not None
        attacked = shallow_copy(self.interpreter)
        attacked.masking = self.interpreter.masking.folded()
        if attacked.masking.trunk is not None:
            attacked.encoder = attacked.masking.trunk
        with torch.no_grad():
            goal = Goal(target_B, attacked.masking(pyramid, class_B, attacked.confidence)[0])
        return self.attack.last_iterate(attacked, batch["image"], goal, self.keys(batch, "inner attack"))

    def training_step(self, batch: Batch, index: int) -> Tensor:
        interpreter, size = self.interpreter, len(batch["label"])
        logits_BK, pyramid = interpreter.features(batch["image"])
        class_B = logits_BK.argmax(1)
        target_B = other_class(class_B, self.classes(class_B.device), self.keys(batch, "goal class"))
        success_B, pyramid_adversarial = torch.ones_like(class_B, dtype=torch.bool), pyramid
        if self.attack is not None:
            adversarial_BCHW = self.adversarial(batch, pyramid, class_B, target_B)
            adversarial_BK, pyramid_adversarial = interpreter.features(adversarial_BCHW)
            success_B = reaches_goal(adversarial_BK, target_B, self.attack.margin)
        selected_B, real_B = self.selected(batch)

        # One decoder pass over all three parts: BatchNorm statistics must not tell benign from adversarial images.
        levels = zip(pyramid, pyramid_adversarial, strict=True)
        stacked = [torch.cat([benign, benign, adversarial]) for benign, adversarial in levels]
        confidence = logits_BK.new_zeros(3 * size, 1, 1)
        confidence[size:] = interpreter.confidence
        maps, _ = interpreter.masking(stacked, torch.cat([selected_B, class_B, target_B]), confidence)
        selected_map, benign_map, adversarial_map = maps.split(size)

        loss, parts = self.map_terms(batch, selected_map, real_B)
        distance_B = l1(benign_map, adversarial_map)
        counted_B = class_B == batch["label"]
        parts["attack_success"] = success_B[counted_B].float().mean() if counted_B.any() else success_B.float().mean()
        if self.aid_on == "successes":
            counted_B = counted_B & success_B
        parts["distance"] = (distance_B * counted_B).sum() / counted_B.sum().clamp(min=1)
        if self.lambda_aid > 0:
            count = ranks.mean(counted_B.sum().float())
            loss = loss + self.lambda_aid * distillation_loss(distance_B, counted_B, self.kappa, count)
        if self.anchor is not None:
            with torch.no_grad():
                anchored = pyramid if self.anchor.trunk is None else self.anchor.trunk.trunk(batch["image"]).pyramid
                anchor_map, _ = self.anchor(anchored, class_B, interpreter.confidence)
            parts["anchor"] = anchor_loss(benign_map, anchor_map)
            loss = loss + self.lambda_anchor * parts["anchor"]
        return self.checked(loss, {**parts, "map_mean": benign_map.mean()})
