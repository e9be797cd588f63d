"""One cell, a straight line: data, classifier, interpreter, probe, measures, record."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.configuration.specs import cell_name, cell_spec
from benchmark.configuration.validation import check_folders, check_values
from benchmark.engine import out_of_memory
from benchmark.engine.distributed import join
from benchmark.pipeline import provenance
from benchmark.processes import ranks, signals
from benchmark.storage import records
from benchmark.storage.artefacts import artefact_key, main_process_lease
from benchmark.storage.leases import Lease
from benchmark.storage.paths import lease_in_folder
from benchmark.tracking.record_runs import log_record
from benchmark.tracking.wandb_run import by_agent

if TYPE_CHECKING:
    from benchmark.pipeline.artefacts.predictions import Population
    from benchmark.pipeline.context import RunContext

log = logging.getLogger("underfire")


def run_cell(config: dict[str, Any]) -> tuple[Path, str]:
    """Computes the cell that ``config`` describes, unless its record is there and whole.

    Returns the record's folder and what came of it: done, cached, or left (``retry=failed`` and it had not failed).

    Raises:
        ValueError, OSError, FloatingPointError: with a sentence; a record that says so is left behind.
    """
    folder = Path(config["paths"]["results"]) / cell_name(config)
    _checked(check_values, config, folder)
    join(config)
    if _done(config, folder):
        return _cached(config, folder)
    _checked(check_folders, config, folder)
    if config["retry"] == "failed" and not ranks.broadcast(lambda: records.is_failed(folder)):
        log.info("left    %s", folder.name)
        return folder, "left"
    with main_process_lease(lambda: Lease(lease_in_folder(folder), f"cell {folder.name}")) as lease:
        if _done(config, folder):
            return _cached(config, folder)
        return _computed(config, folder, lease)


def _checked(check: Callable[[dict[str, Any]], None], config: dict[str, Any], folder: Path) -> None:
    try:
        check(config)
    except (ValueError, OSError) as error:
        _leave_row(config, folder, error)
        raise


def _leave_row(config: dict[str, Any], folder: Path, error: Exception) -> None:
    """The record of a failure, where one can be written."""
    if not ranks.is_main_process():
        return
    try:
        cell = provenance.identity(config) | provenance.surroundings(config)
        records.write_failure(folder, cell, stage=provenance.stage_of(error), error=error)
    except OSError as second:
        log.warning("the failure of %s left no record: %s", folder.name, second)


def _done(config: dict[str, Any], folder: Path) -> bool:
    return config["force"] is None and ranks.broadcast(lambda: records.is_done(folder))


def _cached(config: dict[str, Any], folder: Path) -> tuple[Path, str]:
    log.info("cached  %s", folder.name)
    if by_agent() and ranks.is_main_process():
        log_record(config, records.read_record(folder))
    return folder, "cached"


def _computed(config: dict[str, Any], folder: Path, lease: Lease | None) -> tuple[Path, str]:
    start, shrink = time.perf_counter(), 1
    while True:
        try:
            record = _compute(config, folder, shrink, lease)
            break
        except Exception as error:
            signals.raise_if_stopped()  # an error because another process has stopped is no failure
            smaller = out_of_memory.next_divisor(error, config, shrink)
            if smaller is None:
                _leave_row(config, folder, error)
                raise
        shrink = smaller
        out_of_memory.free_memory()
        size = out_of_memory.with_smaller_batches(config, shrink)["probe"]["batch_size"]
        log.warning("memory  %s: it did not suffice, once more with %d samples at a time", folder.name, size)
    log.info("done    %s  %.1f s  %s", folder.name, time.perf_counter() - start, provenance.one_line(record))
    if ranks.is_main_process():
        log_record(config, records.read_record(folder))
    return folder, "done"


def _compute(asked: dict[str, Any], folder: Path, shrink: int, lease: Lease | None) -> dict[str, Any]:
    # torch and Lightning are imported here and below, so that a cached cell never pays for them.
    from benchmark.pipeline.artefacts.benign_spread import get_spread
    from benchmark.pipeline.artefacts.classifier import get_classifier
    from benchmark.pipeline.artefacts.interpreter import get_interpreter
    from benchmark.pipeline.artefacts.predictions import get_population
    from benchmark.pipeline.context import RunContext
    from benchmark.pipeline.preflight import preflight

    place = RunContext(out_of_memory.with_smaller_batches(asked, shrink))
    place.shrink = shrink
    preflight(place)
    classifier = get_classifier(place)
    everything = get_population(place, classifier, asked["split"])
    interpreter = get_interpreter(place, classifier)
    spread = get_spread(place, interpreter)["spread"]
    facts = {"accuracy": everything.accuracy, "benign_spread": spread}
    facts["batch_size"] = place.config["probe"]["batch_size"]
    passes = dict(classifier.passes)
    groups, about = _groups(place, interpreter, everything)
    with place.timed("measure"):
        samples, pictures = _measured(place, interpreter, spread, groups)
    counts = ranks.gather({name: classifier.passes[name] - passes[name] for name in passes})
    record = {"n_samples": len(samples), "summary": {name: samples.get(name) for name in ("map_l1", "success")}}
    if lease is not None:  # in the first process
        lease.must_be_held()
        if asked["probe"]["level"] is not None:
            about |= _rate(samples)
        cell = provenance.identity(asked) | {
            "n_samples": len(samples),
            "n_sources": int(samples["source_id"].nunique()),
            "artefacts": {**place.artefacts, "spec": artefact_key("cell", cell_spec(asked))},
            "facts": facts | about,
            "seconds": {name: round(value, 3) for name, value in place.seconds.items()},
            "counts": {name: sum(part[name] for part in counts) for name in passes},
            **provenance.surroundings(place.config),
        }
        records.write_record(folder, samples, pictures, cell)
    ranks.barrier()
    return record


def _rate(samples: Any) -> dict[str, float]:
    """The misclassification rate that the noise causes on this split, with its 95 % interval over sources."""
    from benchmark.report.statistics.bootstrap import mean

    found = mean(samples["success"].to_numpy(float), samples["source_id"].to_numpy())
    return {"rate_measured": found.value, "rate_measured_low": found.low, "rate_measured_high": found.high}


def _groups(place: RunContext, interpreter: Any, everything: Population) -> tuple[Any, dict[str, float]]:
    """The groups that are measured, with their probed images where there is a probe, and what the record says of it."""
    from benchmark.configuration.instantiation import instantiate
    from benchmark.pipeline.artefacts.classifier import get_classifier
    from benchmark.pipeline.artefacts.interpreter import get_interpreter
    from benchmark.pipeline.artefacts.noise_scale import get_probe
    from benchmark.pipeline.artefacts.predictions import get_population
    from benchmark.pipeline.artefacts.probed_images import get_probed, surrogate_error

    probing = place.config["probe"]
    population = everything.first(probing["samples"])
    if probing["module"] is None:
        return population.groups(probing["batch_size"]), {}
    there, attacked_on, made_of = place.for_source(), interpreter.classifier, population
    if probing["surrogate"] is not None:
        attacked_on = get_classifier(there)
        made_of = get_population(there, attacked_on, place.config["split"]).first(probing["samples"])
        population = everything.among(made_of)
    deceived = interpreter if there is place else get_interpreter(there, attacked_on)
    probe, about = get_probe(there, attacked_on)
    if probe.needs_map and (error := surrogate_error(deceived, made_of, probing["batch_size"])) is not None:
        about["surrogate_map_l1"] = error
    lit_probe = instantiate(place.config["modules"]["probe"])
    return get_probed(there, deceived, made_of, probe, lit_probe, population, goal_maps=there is place), about


def _measured(place: RunContext, interpreter: Any, spread: float, groups: Any) -> tuple[Any, Any]:
    """Samples and pictures of the record."""
    from benchmark.configuration.instantiation import instantiate
    from benchmark.pipeline.artefacts.interpreter import get_reference
    from benchmark.pipeline.measure import measure

    measuring, clean = place.config["measure"], place.config["probe"]["module"] is None
    module = instantiate(place.config["modules"]["measure"])(
        interpreter=interpreter,
        reference=get_reference(place, interpreter.classifier) if clean else None,
        spread=spread,
        blur=measuring["blur"],
        n_faithfulness_samples=measuring["faithful_samples"],
        iou_threshold=measuring["iou_threshold"],
        top_share=measuring["top_share"],
    )
    return measure(place, module, groups)
