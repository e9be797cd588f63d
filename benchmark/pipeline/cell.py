"""One cell, from the command to its record: skip what is done, claim what is not, retry with smaller batches."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.configuration.cells import Cell
from benchmark.configuration.specs import Config
from benchmark.configuration.validation import check_folders, check_values
from benchmark.engine import out_of_memory
from benchmark.engine.distributed import join
from benchmark.pipeline import provenance
from benchmark.processes import ranks, signals
from benchmark.storage import flags, records
from benchmark.storage.artefacts import main_process_lease
from benchmark.storage.leases import Lease
from benchmark.storage.paths import lease_in_folder
from benchmark.tracking.record_runs import log_record
from benchmark.tracking.wandb_run import by_agent

if TYPE_CHECKING:
    import pandas as pd

    from benchmark.pipeline.context import RunContext
    from benchmark.pipeline.evaluation import Evaluation
    from benchmark.storage.records import Record

log = logging.getLogger("underfire")


def run_cell(config: Config) -> tuple[Path, str]:
    """Computes the cell that ``config`` describes, unless its record is there and whole.

    Returns the record's folder and what came of it: done, cached, or left (``retry=failed`` and it had not failed).

    Raises:
        ValueError, OSError, FloatingPointError: with a sentence; a record that says so is left behind.
    """
    cell = Cell(config)
    _check(check_values, cell)
    join(config)
    if _is_done(cell):
        return _cached(cell)
    _check(check_folders, cell)
    if config["retry"] == "failed" and not ranks.broadcast(lambda: records.is_failed(cell.folder)):
        log.info("left    %s", cell.name)
        return cell.folder, "left"
    with main_process_lease(lambda: Lease(lease_in_folder(cell.folder), f"cell {cell.name}")) as lease:
        return _cached(cell) if _is_done(cell) else _computed(cell, lease)


def _is_done(cell: Cell) -> bool:
    return cell.config["force"] is None and ranks.broadcast(lambda: records.is_done(cell.folder))


def _cached(cell: Cell) -> tuple[Path, str]:
    log.info("cached  %s", cell.name)
    if by_agent() and ranks.is_main_process():
        log_record(cell.config, records.read_record(cell.folder))
    return cell.folder, "cached"


def _computed(cell: Cell, lease: Lease | None) -> tuple[Path, str]:
    start = time.perf_counter()
    record = _with_enough_memory(cell, lease)
    if record is not None:  # in the main process
        line = provenance.one_line(record.samples, cell.config["probe"])
        log.info("done    %s  %.1f s  %s", cell.name, time.perf_counter() - start, line)
        for name in record.cell.get("flags", ()):
            flag = flags.BY_NAME[name]
            log.warning("%s %s  %s: %s", "flagged" if flag.withholds else "caveat ", cell.name, name, flag.sentence)
        log_record(cell.config, record)
    return cell.folder, "done"


def _with_enough_memory(cell: Cell, lease: Lease | None) -> Record | None:
    """The record of a cell, computed in batches that are halved until they fit into memory."""
    divisor = 1
    while True:
        try:
            return _compute(cell, divisor, lease)
        except Exception as error:
            signals.raise_if_stopped()  # an error because another process has stopped is no failure
            smaller = out_of_memory.next_divisor(error, cell.config, divisor)
            if smaller is None:
                _leave_failure(cell, error)
                raise
        divisor = smaller
        out_of_memory.free_memory()
        size = out_of_memory.with_smaller_batches(cell.config, divisor)["probe"]["batch_size"]
        log.warning("memory  %s: it did not suffice, once more with %d samples at a time", cell.name, size)


def _compute(cell: Cell, divisor: int, lease: Lease | None) -> Record | None:
    # torch and Lightning are imported here and below, so that a cached cell never pays for them.
    from benchmark.pipeline.context import RunContext
    from benchmark.pipeline.evaluation import evaluate

    ctx = RunContext(out_of_memory.with_smaller_batches(cell.config, divisor), divisor)
    evaluation = evaluate(ctx)
    record = None
    if lease is not None:  # in the main process
        lease.must_be_held()
        record = _write(cell, ctx, evaluation)
    ranks.barrier()
    return record


def _write(cell: Cell, ctx: RunContext, evaluation: Evaluation) -> Record:
    measured = evaluation.measurements
    content = cell.identity() | {
        "n_samples": len(measured.samples),
        "n_sources": int(measured.samples["source_id"].nunique()),
        "class_names": _class_names(ctx, measured.samples, evaluation.by_class),
        "artefacts": {**ctx.ledger.artefacts, "spec": cell.key},
        "facts": evaluation.facts,
        "flags": evaluation.flags,
        "by_class": {str(label): {"n": n, "right": right} for label, (n, right) in evaluation.by_class.items()},
        "seconds": {name: round(value, 3) for name, value in ctx.ledger.seconds.items()},
        "counts": evaluation.passes,
        **provenance.surroundings(ctx.config),
    }
    return records.write_record(
        cell.folder, measured.samples, measured.tensors, content, curves=measured.curves, further=measured.further
    )


def _class_names(ctx: RunContext, samples: pd.DataFrame, in_split: Iterable[int]) -> dict[str, str]:
    """The names of the classes that occur in the split, as label, goal or prediction, by number."""
    from benchmark.pipeline.artefacts.dataset import load_data

    names = load_data(ctx.config).class_names
    columns = [samples[name] for name in ("label", "goal", "pred_benign", "pred_probe") if name in samples]
    occurring = sorted({*in_split, *(int(index) for column in columns for index in column.unique())})
    return {str(index): names[index] for index in occurring if 0 <= index < len(names)}


def _check(check: Callable[[Config], None], cell: Cell) -> None:
    try:
        check(cell.config)
    except (ValueError, OSError) as error:
        _leave_failure(cell, error)
        raise


def _leave_failure(cell: Cell, error: Exception) -> None:
    """The record of a failure, where one can be written."""
    if not ranks.is_main_process():
        return
    try:
        content = cell.identity() | provenance.surroundings(cell.config)
        records.write_failure(cell.folder, content, stage=provenance.stage_of(error), error=error)
    except OSError as second:
        log.warning("the failure of %s left no record: %s", cell.name, second)
