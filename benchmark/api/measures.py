"""The columns of a record, for images that are at hand: the same functions as a cell's, without its machinery."""

from __future__ import annotations

import pandas as pd
import torch
from torch import Tensor

from benchmark.data.groups import Population
from benchmark.metrics import map_distance, prediction
from benchmark.metrics.faithfulness import deletion_and_insertion
from benchmark.metrics.map_shape import entropy
from benchmark.metrics.stability import noise_distance, shifted_distance
from benchmark.numerics.images import quantise
from benchmark.probes.noise import Noise
from benchmark.probes.noise_calibration import calibrate
from benchmark.types import Batch, Classifier, Interpreter, Perturbed

LEVEL = 0.03  # misclassification rate of the noise that counts as harmless where it keeps the prediction

Columns = dict[str, Tensor]


class _NoiseLooks:
    """What normal noise does to a population; each scale is looked at once."""

    def __init__(self, classifier: Classifier, population: Population, size: int, device: torch.device) -> None:
        self.classifier, self.groups, self.device = classifier, population.groups(size), device
        self.count = len(population.rows)
        self.seen: dict[float, Tensor] = {}  # scale to whether each sample is classified otherwise, (N,)

    @torch.no_grad()
    def wrong(self, scale: float, among: int) -> int:
        """How many of the first ``among`` samples noise of this scale gets wrong."""
        if scale not in self.seen:
            noise, parts = Noise(kind="normal", scale=scale, seed=0), []
            for batch in self.groups:
                image, id_B = batch["image"].to(self.device), batch["sample_id"].to(self.device)
                predicted_B = self.classifier(quantise(noise.perturb(image, id_B))).argmax(1)
                parts.append(predicted_B.cpu() != batch["prediction"])
            self.seen[scale] = torch.cat(parts)
        return int(self.seen[scale][:among].sum())


def harmless_noise(classifier: Classifier, population: Population, size: int, device: torch.device) -> Noise:
    """Normal noise at the scale of the 3 % level on these samples.

    Raises:
        ValueError: no scale up to 4 reaches the level.
    """
    looks = _NoiseLooks(classifier, population, size, device)
    return Noise(kind="normal", scale=calibrate(looks, LEVEL).scale, seed=0)


def spread_of(
    interpreter: Interpreter, population: Population, noise: Noise, size: int, device: torch.device
) -> dict[str, float]:
    """The benign spread and the alarm's thresholds; see ``benchmark.pipeline.artefacts.benign_spread``.

    Raises:
        ValueError: all benign maps are constant, or noise keeps no prediction.
    """
    from benchmark.pipeline.artefacts.benign_spread import quantiles  # which imports the machinery of cells

    by_noise: list[Tensor] = []
    by_shift: list[Tensor] = []
    for batch in population.groups(size):
        image, class_B = batch["image"].to(device), batch["prediction"].to(device)
        benign = _checked(interpreter(image, class_B).detach())
        present_B = map_distance.has_map(benign)
        noisy = noise.perturb(image, batch["sample_id"].to(device))
        by_noise.append(noise_distance(interpreter, noisy, class_B, benign)[present_B].cpu())
        by_shift.append(shifted_distance(interpreter, image, class_B, benign)[:, present_B].cpu())
    noise_N, shift_SN = torch.cat(by_noise), torch.cat(by_shift, dim=1)
    noise_N = noise_N[~noise_N.isnan()]
    if not shift_SN.numel() or not len(noise_N):
        raise ValueError(
            "there is no benign spread: the maps are constant on every image, or noise keeps no prediction; give more "
            "images, calibration=(images, labels), or another method"
        )
    return quantiles(noise_N, shift_SN)


def clean_columns(classifier: Classifier, interpreter: Interpreter, batch: Batch, noise: Noise, blur: float) -> Columns:
    """Of one group on the device: the benign decision, the faithfulness of the maps (``blur`` in pixels), and their
    distances under harmless changes."""
    image, class_B = batch["image"], batch["prediction"]
    read = interpreter.read(image)
    benign = _checked(read.map(class_B).detach())
    predicted_B, confidence_B = prediction.decision(read.logits_BK.detach())
    noisy = noise.perturb(image, batch["sample_id"])
    deletion_B, insertion_B = deletion_and_insertion(classifier, image, class_B, benign, blur)
    measured = {
        "deletion": deletion_B,
        "insertion": insertion_B,
        "harmless_noise_l1": noise_distance(interpreter, noisy, class_B, benign),
        "harmless_shift_l1": shifted_distance(interpreter, image, class_B, benign).amax(0),
    }
    found = {"pred_benign": predicted_B, "confidence_benign": confidence_B, **_shape(benign)}
    found["map_mean_benign"] = benign.flatten(1).mean(1)
    return found | _where_there_is_a_map(measured, benign)


def probed_columns(interpreter: Interpreter, batch: Batch, made: Perturbed, spread: float) -> tuple[Tensor, Columns]:
    """Of one group on the device: the perturbed images rounded to 8 bit, and what they do."""
    image, class_B, probed = batch["image"], batch["prediction"], quantise(made.image_BCHW.detach())
    read, read_probed = interpreter.read(image), interpreter.read(probed)
    benign = _checked(read.map(class_B).detach())
    predicted_B, confidence_B = prediction.decision(read_probed.logits_BK.detach())
    moved, changed_class = _checked(read_probed.map(predicted_B).detach()), read.map(predicted_B).detach()
    distances = map_distance.compare(benign, moved, image.shape[-2:])
    if made.goal_Bhw is not None:
        distances["goal_map_l1"] = map_distance.l1(made.goal_Bhw.detach(), moved)
        distances["goal_map_l1_benign"] = map_distance.l1(made.goal_Bhw.detach(), benign)
    distances["control_class_l1"] = map_distance.l1(benign, changed_class)
    distances["looks_benign"] = (distances["map_l1"] <= spread).float()
    return probed, {
        "goal": made.goal_B,
        "pred_benign": class_B,
        "pred_probe": predicted_B,
        "confidence_probe": confidence_B,
        "success": prediction.success(class_B, predicted_B, made.goal_B),
        **prediction.perturbation(image, probed),
        **_shape(benign),
        **_where_there_is_a_map(distances, benign),
        **dict(made.facts),
    }


def _shape(benign_Bhw: Tensor) -> Columns:
    """Whether there is a map, and how evenly it weighs the places."""
    return {"has_map": map_distance.has_map(benign_Bhw), "map_entropy": entropy(benign_Bhw)}


def table(columns: list[Columns]) -> pd.DataFrame:
    """The columns of several groups as one table."""
    return pd.DataFrame({name: torch.cat([each[name].detach().cpu() for each in columns]) for name in columns[0]})


def with_numbers(batch: Batch, columns: Columns) -> Columns:
    """The columns of a group, with the numbers of its samples."""
    return {"sample_id": batch["sample_id"], "source_id": batch["source_id"], "label": batch["label"], **columns}


def _where_there_is_a_map(columns: Columns, benign_Bhw: Tensor) -> Columns:
    """The columns, NaN where the benign map is constant: nothing compared with nothing is not perfect."""
    present_B = map_distance.has_map(benign_Bhw)
    return {
        name: value if name.startswith("map_mean") else value.masked_fill(~present_B.to(value.device), float("nan"))
        for name, value in columns.items()
    }


def _checked(map_Bhw: Tensor) -> Tensor:
    map_distance.check_places(map_Bhw.shape[1], map_Bhw.shape[2])
    if not bool(torch.isfinite(map_Bhw).all()):
        raise FloatingPointError("the attribution maps hold NaN or infinity: check the weights of the network")
    return map_Bhw
