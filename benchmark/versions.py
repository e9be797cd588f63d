"""A version per kind of artefact, part of its hash: raise it when a formula or a file format changes."""

from __future__ import annotations

FORMAT = {
    "data": 1,
    "classifier": 1,
    "interpreter": 1,
    "predictions": 1,
    "scale": 1,
    "probed": 3,
    "spread": 1,
    "cell": 1,
}
