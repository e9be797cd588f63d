"""The saved images of a record through freshly loaded networks: do predictions and maps repeat?"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from benchmark.interpreters.base import BaseInterpreter
from benchmark.metrics.map_distance import l1
from benchmark.numerics.images import from_bytes
from benchmark.pipeline.artefacts.classifier import get_classifier
from benchmark.pipeline.artefacts.interpreter import get_interpreter
from benchmark.pipeline.context import RunContext
from benchmark.pipeline.provenance import surroundings
from benchmark.storage.records import Record
from benchmark.storage.repeats import MAP_TOLERANCE, bytes_repeat, most_otherwise

_COLUMNS = {"benign": "pred_benign", "probed": "pred_probe"}


def repeat(record: Record, samples: int) -> list[str]:
    """A sentence on each of predictions and maps of the first ``samples`` saved images that does not repeat.

    Predictions: all of them where the record was made on this type of machine, with these threads and versions; else
    all but 1 % (at least one). Maps: mean L1 to the saved ones within ``MAP_TOLERANCE``.
    """
    images = record.images
    if not images or not samples:
        return []
    config = _here(record.cell["config"])
    try:
        ctx = RunContext(config)
        classifier = get_classifier(ctx)
        interpreter = get_interpreter(ctx, classifier)
    except (ValueError, OSError) as error:
        return [f"record {record.folder.name}: its images cannot be classified again: {error}"]
    exact = bytes_repeat(record.cell, surroundings(config))
    rows = record.samples.set_index("sample_id").loc[images["sample_id"][:samples]]
    faults = []
    for kind, column in _COLUMNS.items():
        if kind not in images:
            continue
        image = from_bytes(torch.from_numpy(images[kind][:samples])).to(ctx.device)
        recorded = torch.from_numpy(rows[column].to_numpy(copy=True)).to(ctx.device)
        with torch.no_grad():
            wrong = rows.index[(classifier(image).argmax(1) != recorded).cpu().numpy()].tolist()
        if len(wrong) > most_otherwise(len(rows), exact=exact):
            faults.append(
                f"record {record.folder.name}: the {kind} images of samples {wrong[:5]} are classified otherwise than "
                f"recorded ({len(wrong)} of {len(rows)}): {_reason(exact)}"
            )
            continue
        distance = _map_distance(interpreter, image, recorded, record.maps[kind][:samples])
        if not distance <= MAP_TOLERANCE:  # NaN neither
            faults.append(
                f"record {record.folder.name}: maps of the {kind} images are {distance:.4f} (mean L1) from those kept, "
                f"{MAP_TOLERANCE:g} is allowed: {_reason(exact)}"
            )
    return faults


def _here(own: dict[str, Any]) -> dict[str, Any]:
    """The configuration of a record, to be computed on one device of this machine."""
    trainer = {**own["trainer"], "accelerator": "auto", "devices": 1}
    trainer.pop("strategy", None)
    return {**own, "force": None, "trainer": trainer}


def _reason(exact: bool) -> str:
    return "other networks or images" if exact else "another classifier, interpreter, device or version"


def _map_distance(interpreter: BaseInterpreter, image: Tensor, class_B: Tensor, kept: Any) -> float:
    """Mean L1 between the maps of now and those kept."""
    with torch.enable_grad():
        again = interpreter(image, class_B).detach().float().cpu()
    return float(l1(again, torch.from_numpy(kept).float()).mean())
