"""What a dashboard shows: sections of panels, each with the keys that runs log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from benchmark.tracking.run_config import GROUP_KEYS

Kind = Literal["bars", "lines", "scatter", "coordinates", "table", "media"]


@dataclass(frozen=True)
class Panel:
    """One panel. keys: of the summary (bars, scatter: y), the history (lines) or the files (table, media).

    x: the axis of lines and scatter. settings: keys of the configuration that coordinates have in front.
    """

    kind: Kind
    title: str
    keys: tuple[str, ...]
    x: str | None = None
    settings: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as ``dashboard --json`` prints them."""
        optional = {"x": self.x, "settings": list(self.settings)}
        given = {name: value for name, value in optional.items() if value}
        return {"kind": self.kind, "title": self.title, "keys": list(self.keys), **given}


@dataclass(frozen=True)
class Section:
    """Panels of one question.

    text: how to read them. group_by: keys of the
    configuration. only: the values of such keys that the runs with these panels have.
    """

    title: str
    text: str
    panels: tuple[Panel, ...]
    group_by: tuple[str, ...] = GROUP_KEYS
    only: dict[str, tuple[Any, ...]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as ``dashboard --json`` prints them."""
        return {
            "title": self.title,
            "text": self.text,
            "group_by": list(self.group_by),
            "only": {key: list(values) for key, values in self.only.items()},
            "panels": [panel.as_dict() for panel in self.panels],
        }


def interval(title: str, name: str, mean: str = "mean") -> Panel:
    """Bars of a mean between the ends of its interval."""
    value = f"{name}/{mean}" if mean else name
    return Panel("bars", title, (f"{name}/low", value, f"{name}/high"))


LAYOUT: tuple[Section, ...] = (
    Section(
        "Claim 1: maps under noise",
        "Maps should move further on inputs that noise makes the classifier get wrong. Of each interpreter and noise: "
        "mean over the misclassified samples, between the ends of its 95 % interval over sources. A bar of several "
        "trainings is their mean, its whiskers reach from the lowest to the highest.",
        (
            interval("map L1, misclassified samples", "map_l1/misclassified"),
            interval("map IoU, misclassified samples", "map_iou/misclassified"),
            interval("map Spearman, misclassified samples", "map_spearman/misclassified"),
            Panel("bars", "misclassified samples", ("n_misclassified",)),
        ),
        only={"kind": ("noise",)},
    ),
    Section(
        "Claim 2: maps under attack",
        "Joint success: the class is reached and the map looks benign. Attacks of another budget have bars of their "
        "own.",
        (
            interval("joint success", "joint_success_rate", ""),
            interval("success (of noise: misclassified)", "success_rate", ""),
            interval("map L1, all attacked samples", "map_l1/attacked"),
            interval("map L1, successful samples", "map_l1/succeeded"),
        ),
        only={"kind": ("attack",)},
    ),
    Section(
        "Distance against passes",
        "How far an attack comes with how much work: mean over the images whose class is reached by then.",
        (
            Panel("lines", "map L1 against passes", ("curve/map_l1",), x="passes"),
            Panel("lines", "success against passes", ("curve/success_rate",), x="passes"),
        ),
        only={"kind": ("attack",)},
    ),
    Section(
        "Claim 3: harm on benign inputs",
        "Benign maps should stay as they are. Deletion: lower is better; insertion and object IoU: higher.",
        (
            interval("object IoU", "object_iou"),
            interval("deletion AUC", "deletion"),
            interval("insertion AUC", "insertion"),
            interval("map L1 to RTS0", "reference_l1"),
        ),
        only={"kind": ("clean",)},
    ),
    Section(
        "The frontier of AID",
        "Joint success under the strongest attack against the cost on benign images: the largest share of a margin of "
        "claim 3 that a difference to RTS takes up; 1 is the margin. `sync` makes these runs.",
        (
            Panel("scatter", "joint success against cost", ("frontier/joint_success",), x="frontier/cost"),
            interval("joint success under the strongest attack", "frontier/joint_success", ""),
            interval("map L1 under the strongest attack", "frontier/map_l1", ""),
            Panel(
                "coordinates",
                "settings of AID",
                ("frontier/cost", "frontier/joint_success"),
                settings=("settings.interpreter.name", "settings.interpreter.lambda_aid", "settings.interpreter.kappa"),
            ),
            interval("object IoU, difference to RTS", "difference/object_iou", ""),
            interval("map L1 to RTS0, difference to RTS", "difference/reference_l1", ""),
        ),
        only={"kind": ("comparison",)},
    ),
    Section(
        "Samples",
        "The kept samples of every cell: input, perturbed input, difference, maps and numbers. The table sorts and "
        "filters.",
        (
            Panel("table", "maps side by side", ("samples",)),
            Panel("media", "sheets of samples", ("sheet",)),
        ),
        group_by=(),
        only={"kind": ("clean", "noise", "attack")},
    ),
    Section(
        "Trainings",
        "Curves of the classifier and of the interpreter's stages, against steps.",
        (
            Panel("lines", "loss", ("train/loss",), x="step"),
            Panel("lines", "accuracy on calibration", ("calibration/accuracy",), x="step"),
            Panel("lines", "selector", ("train/selector_accuracy",), x="step"),
            Panel("lines", "AID: success of the inner attack", ("train/attack_success",), x="step"),
            Panel("lines", "AID: distance of the maps", ("train/distance",), x="step"),
            Panel("lines", "mean map", ("train/map_mean",), x="step"),
        ),
        group_by=("data", "classifier", "interpreter", "part", "budget", "setting"),
        only={"kind": ("classifier", "interpreter")},
    ),
)

# Columns of the table of runs, in front.
COLUMNS = (
    *("config:interpreter", "config:condition", "config:seed", "summary:success_rate", "summary:joint_success_rate"),
    *("summary:map_l1/mean", "summary:map_l1/low", "summary:map_l1/high", "summary:n_samples"),
)


def panels() -> Iterator[tuple[Section, Panel]]:
    """Every panel with its section."""
    for section in LAYOUT:
        for panel in section.panels:
            yield section, panel


def keys_of(kind: Literal["summary", "history", "file", "config"]) -> set[str]:
    """The keys that the layout reads, by where a run keeps them."""
    places = {"lines": "history", "table": "file", "media": "file"}
    found: set[str] = set()
    for section, panel in panels():
        if places.get(panel.kind, "summary") == kind:
            found |= set(panel.keys) | ({panel.x} if panel.x else set())
        if kind == "config":
            found |= {*section.group_by, *section.only, *panel.settings}
    prefix = f"{kind}:"
    return found | {column.removeprefix(prefix) for column in COLUMNS if column.startswith(prefix)}
