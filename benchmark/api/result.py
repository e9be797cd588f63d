"""What an evaluation found: numbers with their intervals, rows, flags, images, and a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from torch import Tensor

from benchmark.report.cohorts.strongest import STRONGEST, strongest
from benchmark.report.statistics.bootstrap import DEFAULT_BOOTSTRAP, Estimate, mean
from benchmark.report.statistics.pair_alarm import auc, pair_alarm
from benchmark.report.statistics.sample_metrics import mean_with_interval
from benchmark.storage.flags import BY_NAME
from benchmark.storage.records import Record

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CLEAN = ("deletion", "insertion", "harmless_noise_l1", "harmless_shift_l1")
_ATTACKED = (
    *("success", "joint_success", "looks_benign", "map_l1", "map_iou", "map_ssim", "map_spearman"),
    *("linf", "l2_norm", "passes"),
)
_PLOTTED = {"success": "class reached", "joint_success": "joint success", "map_l1": "map L1"}


@dataclass(frozen=True)
class Result:
    """What ``evaluate`` found.

    Attributes:
        method: whose maps they are.
        records: by attack, "clean" first: rows in ``.samples``, flags in ``.cell``.
        images: by attack, the adversarial images (N, 3, H, H) of the rows, multiples of 1/255.
    """

    method: str
    records: Mapping[str, Record]
    images: Mapping[str, Tensor]
    right_N: np.ndarray = field(repr=False)
    source_N: np.ndarray = field(repr=False)

    @property
    def attacks(self) -> list[str]:
        """The attacks, in order."""
        return [name for name in self.records if name != "clean"]

    @property
    def spread(self) -> float:
        """The benign spread of the method's maps, L1 in [0, 1]."""
        return float(self.records["clean"].cell["facts"]["benign_spread"])

    @property
    def flags(self) -> dict[str, list[str]]:
        """By attack: why it is no evidence of robustness, or less than it seems; see :meth:`explain_flags`."""
        return {name: list(self.records[name].cell["flags"]) for name in self.attacks}

    def explain_flags(self) -> list[str]:
        """A sentence for each flag that was raised."""
        found = {flag: None for names in self.flags.values() for flag in names}
        return [f"{name}: {BY_NAME[name].sentence}" for name in found]

    @cached_property
    def samples(self) -> pd.DataFrame:
        """A row per image that is classified right, and attack; docs/records.md says what the columns mean."""
        parts = [self.records[name].samples.assign(attack=name) for name in self.attacks]
        return pd.concat(parts, ignore_index=True)

    @cached_property
    def strongest(self) -> Record:
        """The best of all attacks for each image: of successes the smallest map distance (AutoAttack's rule).

        Over those attacks that go for a drawn class, where there are any; untargeted ones reach another goal.
        """
        records = [self.records[name] for name in self.attacks]
        drawn = [record for record in records if bool((record.samples["goal"] >= 0).all())]
        return strongest(drawn or records)

    @cached_property
    def estimates(self) -> dict[tuple[str, str], Estimate]:
        """{(attack, metric): value with its 95 % interval over sources}."""
        clean = self.records["clean"]
        found = {("clean", "accuracy"): mean(self.right_N.astype(float), self.source_N)}
        found |= {("clean", name): mean_with_interval([clean], name, DEFAULT_BOOTSTRAP) for name in _CLEAN}
        several = len(self.attacks) > 1
        for name in [*self.attacks, *([STRONGEST] if several else [])]:
            record = self.strongest if name == STRONGEST else self.records[name]
            for metric in _ATTACKED:
                estimate = mean_with_interval([record], metric, DEFAULT_BOOTSTRAP)
                if estimate.n:
                    found[name, metric] = estimate
            alarm = pair_alarm(record, clean)
            if alarm.is_measured:
                found[name, "pair_alarm_auc"] = auc([alarm], DEFAULT_BOOTSTRAP)
        return found

    @cached_property
    def frame(self) -> pd.DataFrame:
        """One row an attack and metric: ``value``, ``low``, ``high`` (95 %), ``n`` images, ``n_sources``, ``flags``.

        Success, joint success, looks_benign and pair_alarm_auc lie in [0, 1] and are the attacker's: higher is worse
        for the defence, but for the alarm's AUC, of which 0.5 tells nothing. map_l1 in [0, 1], map_iou, map_ssim and
        map_spearman (at most 1) compare the map with the benign one; linf and l2_norm are in image units. Of clean
        images: accuracy, and how well the map ranks what the model looks at, deletion (lower is better) and insertion
        (higher is better), areas under a confidence in [0, 1].
        """
        rows = [
            {
                "attack": name,
                "metric": metric,
                **{key: getattr(each, key) for key in ("value", "low", "high", "n", "n_sources")},
                "flags": ", ".join(self._flags_of(name)),
            }
            for (name, metric), each in self.estimates.items()
        ]
        return pd.DataFrame(rows)

    def _flags_of(self, name: str) -> Sequence[str]:
        if name == STRONGEST:
            return list(self.strongest.cell["flags"] or ())
        return [] if name == "clean" else self.flags[name]

    def table(self) -> pd.DataFrame:
        """The main numbers as text, a row an attack."""
        rows: dict[str, dict[str, Any]] = {}
        for name in dict.fromkeys(name for name, _ in self.estimates if name != "clean"):
            chosen = {**_PLOTTED, "pair_alarm_auc": "pair alarm AUC"}
            found = {text: self.estimates.get((name, metric)) for metric, text in chosen.items()}
            rows[name] = {text: "" if each is None else _short(each) for text, each in found.items()}
            rows[name]["flags"] = ", ".join(self._flags_of(name))
        return pd.DataFrame.from_dict(rows, orient="index")

    def __str__(self) -> str:
        accuracy = self.estimates["clean", "accuracy"]
        n = len(self.records["clean"].samples)
        head = f"{self.method}: accuracy {_short(accuracy)}, benign spread {self.spread:.3f}, {n} images attacked"
        deletion, insertion = (_short(self.estimates["clean", name]) for name in ("deletion", "insertion"))
        faithful = f"deletion AUC {deletion} (lower is better), insertion AUC {insertion} (higher is better)"
        return f"{head}\n{faithful}\n{self.table().to_string()}"

    def _repr_html_(self) -> str:
        head, faithful = str(self).splitlines()[:2]
        return f"<p>{head}<br>{faithful}</p>{self.table().to_html()}"

    def plot(self) -> Figure:
        """A figure of success, joint success and map L1 for each attack, with 95 % intervals; the dashed line is the
        benign spread."""
        from matplotlib.figure import Figure

        names = list(dict.fromkeys(name for name, _ in self.estimates if name != "clean"))
        figure = Figure(figsize=(9, 1.2 + 0.45 * len(names)), layout="constrained")
        axes = figure.subplots(1, len(_PLOTTED), sharey=True)
        for axis, (metric, text) in zip(axes, _PLOTTED.items(), strict=True):
            for place, name in enumerate(names):
                if (each := self.estimates.get((name, metric))) is not None:
                    axis.plot([each.low, each.high], [place, place], color="C0", linewidth=2)
                    axis.plot(each.value, place, "o", color="C0")
            axis.set_xlabel(f"{text} (95 % interval)" if metric != "map_l1" else "map L1 to the benign map")
            axis.grid(axis="x", alpha=0.3)
            if metric == "map_l1":
                axis.axvline(self.spread, color="C1", linestyle="--", label="benign spread")
                axis.legend(fontsize="small")
            else:
                axis.set_xlim(-0.03, 1.03)
        axes[0].set_yticks(range(len(names)), names)
        axes[0].invert_yaxis()
        return figure


def _short(estimate: Estimate) -> str:
    if np.isnan(estimate.low):
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"
