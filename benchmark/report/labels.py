"""Every name that the report prints: interpreters, probes, metrics, populations and claims, each once.

Tables, figures, sentences and captions take their words from here. Keys are the names that records and rows use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

INTERPRETERS = {
    "rts": "RTS",
    "rtsa": "RTSA",
    "rtsa_anchored": "RTSA anchored",
    "cam": "CAM",
    "gradcam": "Grad-CAM",
    "gradcam_pp": "Grad-CAM++",
    "grad": "GRAD",
    "smoothgrad": "SmoothGrad",
    "integrated_gradients": "IG",
    "guided_backprop": "guided BP",
    "mask": "MASK",
}

PROBES = {
    "normal": "normal",
    "uniform": "uniform",
    "sign": "random sign",
    "pgd": "PGD",
    "adv2": "ADV²",
    "adv2_auto": "ADV² auto",
    "strongest": "strongest",
}

POPULATIONS = {"wrong - right": "wrong − right", "both succeed": "both succeed", "right": "still right"}


@dataclass(frozen=True)
class MetricName:
    """``full`` stands alone; ``short`` is for a heading whose context says the rest ("" where full is short enough)."""

    full: str
    short: str = ""


# By column of a record's samples, or by the name of the metric that the report derives from such columns.
METRICS = {
    "success": MetricName("success"),
    "looks_benign": MetricName("share that looks benign", "looks benign"),
    "joint_success": MetricName("success and looks benign", "joint success"),
    "pair_alarm_auc": MetricName("pair alarm's AUC"),
    "pair_alarm_tpr_1": MetricName("alarms at 1 %, adversarial"),
    "pair_alarm_fpr_1": MetricName("alarms at 1 %, harmless"),
    "pair_alarm_tpr_5": MetricName("alarms at 5 %, adversarial"),
    "pair_alarm_fpr_5": MetricName("alarms at 5 %, harmless"),
    "linf": MetricName("L∞"),
    "l2_norm": MetricName("L2"),
    "map_l1": MetricName("map L1", "L1"),
    "map_iou": MetricName("map IoU", "IoU"),
    "map_ssim": MetricName("map SSIM", "SSIM"),
    "map_spearman": MetricName("map Spearman", "Spearman"),
    "map_mean_benign": MetricName("mean map"),
    "goal_map_l1_benign": MetricName("benign map to the goal"),
    "goal_map_l1": MetricName("adversarial map to the goal"),
    "iou_distance": MetricName("1 − IoU"),
    "spearman_distance": MetricName("1 − Spearman"),
    "class_excess": MetricName("L1 beyond class change"),
    "reference_l1": MetricName("map L1 to RTS0", "L1 to RTS0"),
    "object_iou": MetricName("object IoU"),
    "pointing_game": MetricName("pointing game"),
    "energy_in_object": MetricName("energy in the object"),
    "box_iou": MetricName("box IoU"),
    "deletion": MetricName("deletion AUC"),
    "insertion": MetricName("insertion AUC"),
}


@dataclass(frozen=True)
class ClaimName:
    """A claim of Observation 8: its number there, the title of its panel, what it states, and the paper's sentence."""

    number: int
    title: str
    statement: str
    paper: str


CLAIMS = {
    "noise": ClaimName(
        1,
        "noise",
        "maps move further on inputs that noise makes the classifier get wrong",
        "Compared to RTS, RTSA appears much more sensitive to the DNN's behavior change, generating highly contrastive "
        "maps.",
    ),
    "attack": ClaimName(
        2,
        "ADV²",
        "ADV2 cannot keep the map close to the benign one",
        "While ADV² generates adversarial inputs with interpretations fairly similar to benign cases on RTS, it fails "
        "to do so on RTSA: the maps of adversarial inputs are easily distinguishable from their benign counterparts.",
    ),
    "harmless": ClaimName(
        3, "harmless", "benign maps stay as they are", "RTSA behaves almost identically to RTS on benign inputs."
    ),
}


def interpreter_name(interpreter: str) -> str:
    """Printed name of an interpreter; one without an entry is printed in capitals."""
    return INTERPRETERS.get(interpreter, interpreter.upper().replace("_", " "))


def metric_name(metric: str) -> str:
    """Printed name of a metric, to stand alone."""
    return METRICS[metric].full


def short_metric_name(metric: str) -> str:
    """Printed name of a metric in a heading whose context says the rest."""
    return METRICS[metric].short or METRICS[metric].full


def class_name(cell: Mapping[str, Any], index: int) -> str:
    """Printed name of a class: the word that the record has for it, else its number."""
    return str((cell.get("class_names") or {}).get(str(index), index))


def percent(level: float | None) -> str:
    """' 30 %' for 0.3; nothing where there is no level."""
    return "" if level is None else f" {100 * level:g} %"


def probe_name(probe: str, level: float | None = None) -> str:
    """Printed name of a probe with its level: 'normal 30 %', 'ADV²'."""
    return f"{PROBES.get(probe, probe)}{percent(level)}"


def probe_setting(probe: str, level: float | None, steps_factor: int) -> str:
    """A probe as the user types it, with its level and steps: 'normal 30 %', 'adv2, steps x10'."""
    return f"{probe}{percent(level)}" + (f", steps x{steps_factor}" if steps_factor > 1 else "")
