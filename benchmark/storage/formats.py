"""A version per kind of artefact, part of its hash: raise it when a formula or a file format changes."""

from __future__ import annotations

FORMAT = {
    "data": 2,
    "classifier": 2,
    "interpreter": 2,
    "predictions": 2,
    "scale": 2,
    "probed": 4,
    "spread": 2,
    "cell": 3,
}
