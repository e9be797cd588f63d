"""The measures under ``Trainer.predict``: benign and probed maps of one interpreter, side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytorch_lightning as pl
import torch
from torch import Tensor

from benchmark.metrics import map_distance, object_evidence, prediction
from benchmark.metrics.faithfulness import deletion_and_insertion
from benchmark.metrics.map_shape import entropy
from benchmark.metrics.stability import noise_distance, shifted_distance
from benchmark.numerics import rng
from benchmark.numerics.bounds import Positive, UnitInterval, WholeNonNegative, checked_arguments
from benchmark.probes.account import CURVE
from benchmark.probes.goals import other_class
from benchmark.storage.schema import Column
from benchmark.types import Batch, Interpreter, Reading


class LitMeasure(pl.LightningModule):
    """Batch in, one value per sample and column out.

    Args:
        interpreter: what is measured. reference: RTS_0, the common starting point, or None.
        spread: the interpreter's benign spread, for ``looks_benign``. blur: of deletion and insertion, in pixels.
        n_faithfulness_samples: how many samples, by their position, get deletion and insertion scores.
        harmless_noise: (image, sample id) to the image under noise that seldom changes the prediction; None where
            nothing harmless is measured. n_harmless_samples: how many samples, by their position, get its distances.
        box_threshold: share of a map's range at which its box is cut out. iou_threshold: of binarised maps.
        top_share: of the pixels, for the overlap of the top ones. classes: those that the training images show,
            ascending, of which the class whose map is compared is drawn; None, or fewer than two, for all.
    Raises:
        ValueError: a threshold or share outside (0, 1]; when called, maps of fewer than 4 x 4 places.
    """

    further_columns: Sequence[Column] = ()  # what a subclass adds to the columns of storage/columns.py

    @checked_arguments
    def __init__(
        self,
        *,
        interpreter: Interpreter,
        reference: Interpreter | None,
        spread: float,
        blur: Positive,
        n_faithfulness_samples: WholeNonNegative,
        harmless_noise: Callable[[Tensor, Tensor], Tensor] | None,
        n_harmless_samples: WholeNonNegative,
        box_threshold: UnitInterval = object_evidence.DEFAULT_BOX_THRESHOLD,
        iou_threshold: UnitInterval = 0.5,
        top_share: UnitInterval = 0.2,
        classes: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.iou_threshold, self.top_share, self.box_threshold = iou_threshold, top_share, box_threshold
        self.interpreter, self.reference, self.spread = interpreter, reference, spread
        self.blur, self.n_faithfulness_samples = blur, n_faithfulness_samples
        self.harmless_noise, self.n_harmless_samples = harmless_noise, n_harmless_samples
        self.classes = classes if classes is not None and len(classes) > 1 else None

    @torch.enable_grad()
    def predict_step(self, batch: Batch, index: int) -> dict[str, Tensor]:
        """Columns (B,) of the samples of the group, and their maps."""
        image, class_B = batch["image"], batch["prediction"]
        read = self.interpreter.read(image)
        benign = _checked(read.map(class_B).detach(), batch["sample_id"])
        predicted_B, confidence_B = prediction.decision(read.logits_BK.detach())
        columns = {
            "sample_id": batch["sample_id"],
            "source_id": batch["source_id"],
            "label": batch["label"],
            "pred_benign": predicted_B,
            "confidence_benign": confidence_B,
            "has_map": map_distance.has_map(benign),
            "map_entropy": entropy(benign),
            "benign_map": benign,
        }
        columns |= self._probed(batch, read, benign) if "probed" in batch else self._clean(batch, benign)
        if "probed" not in batch:
            columns["control_class_l1"] = self._class_change(batch, read, benign)
        if "probed" not in batch and self.harmless_noise is not None:
            columns |= self._harmless(batch, benign, self.harmless_noise)
        return columns

    def _probed(self, batch: Batch, read: Reading, benign: Tensor) -> dict[str, Tensor]:
        image, probed, class_B = batch["image"], batch["probed"], batch["prediction"]
        read_probed = self.interpreter.read(probed)
        predicted_B, confidence_B = prediction.decision(read_probed.logits_BK.detach())
        probed_map = _checked(read_probed.map(predicted_B).detach(), batch["sample_id"])
        changed_class = _checked(read.map(predicted_B).detach(), batch["sample_id"])
        distances = map_distance.compare(benign, probed_map, image.shape[-2:], self.iou_threshold, self.top_share)
        if "goal_map" in batch:
            distances["goal_map_l1"] = map_distance.l1(batch["goal_map"], probed_map)
            distances["goal_map_l1_benign"] = map_distance.l1(batch["goal_map"], benign)
        distances["control_class_l1"] = map_distance.l1(benign, changed_class)
        distances["looks_benign"] = (distances["map_l1"] <= self.spread).float()
        return {
            "goal": batch["goal"],
            "pred_probe": predicted_B,
            "confidence_probe": confidence_B,
            "success": prediction.success(class_B, predicted_B, batch["goal"]),
            **prediction.perturbation(image, probed),
            **_where_there_is_a_map(distances, benign),
            **batch.get("attack", {}),
            **{f"{CURVE}{name}": curve for name, curve in batch.get("curves", {}).items()},
            "probed_map": probed_map,
        }

    @torch.no_grad()
    def _clean(self, batch: Batch, benign: Tensor) -> dict[str, Tensor]:
        image, class_B = batch["image"], batch["prediction"]
        nothing = torch.full_like(benign[:, 0, 0], float("nan"))
        columns = {
            **self._object(batch, benign),
            "deletion": nothing,
            "insertion": nothing,
            "map_mean_benign": benign.flatten(1).mean(1),
            "reference_l1": nothing
            if self.reference is None
            else map_distance.l1(benign, self.reference(image, class_B)),
        }
        if count := int((batch["position"] < self.n_faithfulness_samples).sum()):
            first = image[:count], class_B[:count], benign[:count]
            scores = deletion_and_insertion(self.interpreter.classifier, *first, self.blur)
            columns |= {
                name: _first(value, nothing) for name, value in zip(("deletion", "insertion"), scores, strict=True)
            }
        return _where_there_is_a_map(columns, benign)

    def _object(self, batch: Batch, benign: Tensor) -> dict[str, Tensor]:
        """How well the map points at the object; NaN where it is not known where that is."""
        size = (batch["image"].shape[-2], batch["image"].shape[-1])
        nothing = torch.full_like(benign[:, 0, 0], float("nan"))
        columns = dict.fromkeys(("object_iou", "pointing_game", "energy_in_object", "box_iou"), nothing)
        region = None
        if "box" in batch:
            region = object_evidence.region_of_boxes(batch["box"], size)
            columns["box_iou"] = object_evidence.box_iou(benign, batch["box"], size, self.box_threshold)
        if "mask" in batch:
            columns["object_iou"] = map_distance.object_iou(benign, batch["mask"], self.iou_threshold)
            known_B11 = batch["mask"].flatten(1).any(1)[:, None, None]
            region = batch["mask"] if region is None else torch.where(known_B11, batch["mask"], region)
        if region is not None:
            columns["pointing_game"] = object_evidence.pointing_game(benign, region)
            columns["energy_in_object"] = object_evidence.energy_in_object(benign, region)
        return columns

    def _class_change(self, batch: Batch, read: Reading, benign: Tensor) -> Tensor:
        """L1 between the map and that of another class, drawn by the sample alone, (B,); NaN beyond the first ones."""
        taken_B = (batch["position"] < self.n_harmless_samples).to(benign.device)
        nothing = torch.full_like(benign[:, 0, 0], float("nan"))
        if not taken_B.any():
            return nothing
        key_B = rng.sample_keys(0, "control class", batch["sample_id"])
        drawn_from = range(self.interpreter.classifier.num_classes) if self.classes is None else self.classes
        other_B = other_class(batch["prediction"], torch.tensor(drawn_from, device=key_B.device), key_B)
        distance_B = map_distance.l1(benign, _checked(read.map(other_B).detach(), batch["sample_id"]))
        return torch.where(taken_B & map_distance.has_map(benign), distance_B, nothing)

    def _harmless(self, batch: Batch, benign: Tensor, noise: Callable[[Tensor, Tensor], Tensor]) -> dict[str, Tensor]:
        """Distances to the maps of images that are the same to any eye: the harmless pairs of an alarm."""
        names = ("harmless_noise_l1", "harmless_shift_l1")
        nothing = torch.full_like(benign[:, 0, 0], float("nan"))
        if not (count := int((batch["position"] < self.n_harmless_samples).sum())):
            return dict.fromkeys(names, nothing)
        image, class_B, id_B, map_Bhw = (
            each[:count] for each in (batch["image"], batch["prediction"], batch["sample_id"], benign)
        )
        by_noise = noise_distance(self.interpreter, noise(image, id_B), class_B, map_Bhw)
        by_shift = shifted_distance(self.interpreter, image, class_B, map_Bhw).amax(0)
        columns = {name: _first(value, nothing) for name, value in zip(names, (by_noise, by_shift), strict=True)}
        return _where_there_is_a_map(columns, benign)


def _first(value_B: Tensor, nothing_B: Tensor) -> Tensor:
    """The values of the first samples, by position, and nothing for the rest of the group."""
    return torch.cat([value_B.to(nothing_B), nothing_B[len(value_B) :]])


_WITHOUT_A_MAP = ("map_mean_benign", "map_mean_probe", "map_entropy")  # columns that need none


def _where_there_is_a_map(columns: dict[str, Tensor], benign_Bhw: Tensor) -> dict[str, Tensor]:
    """The columns, NaN where the benign map is constant: nothing compared with nothing is not perfect."""
    present_B = map_distance.has_map(benign_Bhw)
    return {
        name: value if name in _WITHOUT_A_MAP else value.masked_fill(~present_B.to(value.device), float("nan"))
        for name, value in columns.items()
    }


def _checked(map_Bhw: Tensor, id_B: Tensor) -> Tensor:
    map_distance.check_places(map_Bhw.shape[1], map_Bhw.shape[2])
    bad_B = ~torch.isfinite(map_Bhw).flatten(1).all(1)
    if bad_B.any():
        raise FloatingPointError(
            f"the attribution maps of samples {id_B[bad_B].tolist()[:5]} hold NaN or infinity: the interpreter's "
            "weights are unfit; retrain it (force=artefact)"
        )
    return map_Bhw
