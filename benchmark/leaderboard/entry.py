"""One row of the leaderboard: a network with an interpreter and a defence, under one threat model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmark.report.statistics.bootstrap import Estimate


@dataclass(frozen=True, order=True)
class ThreatModel:
    """What an attacker may do, on which data; the rows of one table share it.

    epsilon: L-infinity budget in image units; None for attacks without one. passes: of an image, configured for the
    strongest attack that was tried. split: test, or calibration, where settings were chosen.
    """

    data: str
    data_seed: int
    split: str
    budget: str
    epsilon: float | None
    passes: int

    @property
    def title(self) -> str:
        """'digits, 8/255, 300 passes an image'."""
        bound = "no bound on pixels" if self.epsilon is None else f"L∞ {255 * self.epsilon:.4g}/255"
        parts = [f"{self.data} (data seed {self.data_seed})", bound, f"{self.passes} passes an image"]
        parts += [f"budget {self.budget}"] + (["calibration split"] if self.split == "calibration" else [])
        return ", ".join(parts)


@dataclass(frozen=True)
class Numbers:
    """What an attack came to: rates in [0, 1] with 95 % intervals over trainings and sources; None: not measured.

    attack: the attacks that were tried, of which the best counts for each image. passes: counted, mean of an image.
    rechecked: whether whoever keeps the board has measured an external attack again.
    """

    joint_success: Estimate
    success: Estimate | None
    map_l1: Estimate | None
    pair_alarm_auc: Estimate | None
    attack: str
    passes: float | None
    flags: tuple[str, ...] = ()
    by: str = ""
    rechecked: bool = False

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        names = ("joint_success", "success", "map_l1", "pair_alarm_auc")
        numbers = {name: _plain(getattr(self, name)) for name in names}
        rest = {"attack": self.attack, "passes": self.passes, "flags": list(self.flags), "by": self.by}
        rest["rechecked"] = self.rechecked
        return {**numbers, **rest}


@dataclass(frozen=True)
class Entry:
    """A row.

    classifier: its architecture. training: how it was trained against attacks, "standard" without. defence: of the
    interpreter, "none" without. settings: what a sweep varied. method: everything that defines the method, as text, by
    which an external attack finds the row that it attacks. accuracy: of the classifier, mean over trainings.
    reported: as its author says. rechecked: measured again by whoever keeps the board. external: by attacks that others
    have entered; one counts once it is re-checked, on as many images of a training.
    """

    threat: ThreatModel
    classifier: str
    training: str
    interpreter: str
    defence: str
    settings: Mapping[str, Any]
    method: str
    accuracy: float | None
    harm: str
    reported: Numbers
    trainings: int
    seeds: Sequence[int]
    by: str
    source: str
    provenance: str
    name: str = ""
    url: str = ""
    rechecked: Mapping[str, Any] | None = None
    external: Sequence[Numbers] = field(default_factory=tuple)

    @property
    def strongest(self) -> Numbers:
        """The numbers that count: of the strongest attack, whoever made it."""
        counted = (self.reported, *(numbers for numbers in self.external if not self.why_not(numbers)))
        return max(counted, key=lambda numbers: numbers.joint_success.value)

    def why_not(self, external: Numbers) -> str:
        """Why an external attack does not count; empty where it does."""
        if not external.rechecked:
            return "not re-checked"
        own, theirs = self.reported.joint_success, external.joint_success
        fewer = theirs.n * max(own.trainings, 1) < own.n * max(theirs.trainings, 1)
        return "on fewer images of a training" if fewer else ""

    @property
    def is_broken(self) -> bool:
        """Whether an external attack is stronger than those of the entry itself."""
        return self.strongest is not self.reported

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        names: tuple[str, ...] = (
            "classifier",
            "training",
            "interpreter",
            "defence",
            "accuracy",
            "harm",
            "trainings",
            "by",
            "source",
        )
        names += ("name", "url")
        return {
            **{name: getattr(self, name) for name in names},
            "settings": dict(self.settings),
            "seeds": list(self.seeds),
            "provenance": self.provenance,
            "joint_success": self.strongest.as_dict()["joint_success"],
            "strongest_attack": {"attack": self.strongest.attack, "by": self.strongest.by},
            "reported": self.reported.as_dict(),
            "rechecked": None if self.rechecked is None else dict(self.rechecked),
            "external": [numbers.as_dict() for numbers in self.external],
        }


def _plain(estimate: Estimate | None) -> dict[str, Any] | None:
    if estimate is None or not estimate.n:
        return None
    found = {name: getattr(estimate, name) for name in ("value", "low", "high", "n", "n_sources", "trainings")}
    return {name: None if isinstance(each, float) and each != each else each for name, each in found.items()}
