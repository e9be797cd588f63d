"""underfire: how well the maps that explain a network's decision stand up to an adversary, and to noise.

    import benchmark

    model = benchmark.wrap(net, mean=..., std=..., layer="layer4")      # or benchmark.classifier("resnet50")
    maps = benchmark.explain(model, images, method="gradcam")
    adv = benchmark.attack(model, images, labels, method="gradcam", attack="adv2_auto", epsilon=8 / 255)
    result = benchmark.evaluate(model, images, labels, method="gradcam")
    benchmark.load_results("results/")

Names are imported when they are first used: importing the package costs nothing. docs/api.md has examples.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmark.api.attacks import attack
    from benchmark.api.evaluation import evaluate
    from benchmark.api.map_metrics import MapIoU, MapL1, MapL2, MapShift, MapSpearman, MapSSIM, MapTopIoU
    from benchmark.api.methods import explain, interpreter
    from benchmark.api.models import classifier, wrap
    from benchmark.api.result import Result
    from benchmark.api.results import Results, load_results

_HOMES = {
    "attack": "attacks",
    "classifier": "models",
    "evaluate": "evaluation",
    "explain": "methods",
    "interpreter": "methods",
    "load_results": "results",
    "Result": "result",
    "Results": "results",
    "wrap": "models",
    **dict.fromkeys(("MapIoU", "MapL1", "MapL2", "MapSSIM", "MapShift", "MapSpearman", "MapTopIoU"), "map_metrics"),
}

__all__ = [
    "MapIoU",
    "MapL1",
    "MapL2",
    "MapSSIM",
    "MapShift",
    "MapSpearman",
    "MapTopIoU",
    "Result",
    "Results",
    "attack",
    "classifier",
    "evaluate",
    "explain",
    "interpreter",
    "load_results",
    "wrap",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"benchmark.api.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
