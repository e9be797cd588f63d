"""One cell, a straight line: data, classifier, interpreter, probe, measures, record."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

from benchmark import ranks, records
from benchmark.leases import Lease, cell_lease
from benchmark.planning.check import check
from benchmark.runners import memory, provenance
from benchmark.runners.distributed import join
from benchmark.runners.views import show_cell
from benchmark.specs import cell_name, cell_spec
from benchmark.store import artefact_key, first_holds
from benchmark.tracking import by_agent

log = logging.getLogger("underfire")


def run_cell(config: dict[str, Any]) -> tuple[Path, str]:
    """Computes the cell that ``config`` describes, unless its record is there and whole.

    Returns the record's folder and what came of it: done, cached, or left (``retry=failed`` and it had not failed).

    Raises:
        ValueError, OSError, FloatingPointError: with a sentence; a record that says so is left behind.
    """
    check(config)
    join(config)
    folder = Path(config["paths"]["results"]) / cell_name(config)
    if _done(config, folder):
        return _cached(config, folder)
    if config["retry"] == "failed" and not ranks.agree(lambda: records.is_failed(folder)):
        log.info("left    %s", folder.name)
        return folder, "left"
    with first_holds(lambda: Lease(cell_lease(folder), f"cell {folder.name}")):
        if _done(config, folder):
            return _cached(config, folder)
        return _computed(config, folder)


def _done(config: dict[str, Any], folder: Path) -> bool:
    return config["force"] is None and ranks.agree(lambda: records.is_done(folder))


def _cached(config: dict[str, Any], folder: Path) -> tuple[Path, str]:
    log.info("cached  %s", folder.name)
    if by_agent() and ranks.first():
        show_cell(config, folder)
    return folder, "cached"


def _computed(config: dict[str, Any], folder: Path) -> tuple[Path, str]:
    start, shrink = time.perf_counter(), 1
    while True:
        try:
            record = _compute(config, folder, shrink)
            break
        except Exception as error:
            smaller = memory.smaller(error, config, shrink)
            if smaller is None:
                if ranks.first():
                    cell = provenance.identity(config) | provenance.surroundings(config)
                    records.write_failure(folder, cell, stage=provenance.stage_of(error), error=error)
                raise
        shrink = smaller
        memory.give_back()
        size = memory.shrunk(config, shrink)["probe"]["batch_size"]
        log.warning("memory  %s: it did not suffice, once more with %d samples at a time", folder.name, size)
    log.info("done    %s  %.1f s  %s", folder.name, time.perf_counter() - start, provenance.one_line(record))
    if ranks.first():
        show_cell(config, folder)
    return folder, "done"


def _compute(asked: dict[str, Any], folder: Path, shrink: int) -> dict[str, Any]:
    # torch and Lightning are imported here, so that a cached cell never pays for them.
    from benchmark.runners.classifier import get_classifier
    from benchmark.runners.instantiation import instantiate
    from benchmark.runners.interpreter import get_interpreter, get_reference
    from benchmark.runners.measure import measure
    from benchmark.runners.noise import get_probe
    from benchmark.runners.population import get_population
    from benchmark.runners.preflight import preflight
    from benchmark.runners.probed import get_probed, surrogate_error
    from benchmark.runners.spread import get_spread
    from benchmark.runners.workplace import Workplace

    config = memory.shrunk(asked, shrink)
    place = Workplace(config)
    place.shrink = shrink
    preflight(place)
    parts = {name: instantiate(module) for name, module in config["modules"].items()}
    probing, measuring = config["probe"], config["measure"]
    classifier = get_classifier(place)
    everything = get_population(place, classifier, config["split"])
    population = everything.first(probing["samples"])
    interpreter = get_interpreter(place, classifier)
    spread = get_spread(place, interpreter)
    facts = {"accuracy": everything.accuracy, "benign_spread": spread["spread"]}
    groups: Any = population.groups(probing["batch_size"])
    passes = dict(classifier.passes)
    facts |= {"batch_size": probing["batch_size"]}
    if probing["module"] is not None:
        there = place.attacked()
        surrogate = classifier if probing["surrogate"] is None else get_classifier(there)
        deceived = interpreter if there is place else get_interpreter(there, surrogate)
        made_of = population
        if surrogate is not classifier:
            made_of = get_population(there, surrogate, config["split"]).first(probing["samples"])
            population = everything.among(made_of)
        probe, about = get_probe(there, surrogate)
        facts |= about
        if probe.reads_maps and (error := surrogate_error(deceived, made_of, probing["batch_size"])) is not None:
            facts["surrogate_map_l1"] = error
        groups = get_probed(there, deceived, made_of, probe, parts["probe"], population)
    with place.timed("measure"):
        module = parts["measure"](
            interpreter=interpreter,
            reference=get_reference(place, classifier) if probing["module"] is None else None,
            spread=spread["spread"],
            blur=place.config["measure"]["blur"],
            faithful=measuring["faithful_samples"],
        )
        samples, pictures = measure(place, module, groups)
    counts = {name: classifier.passes[name] - passes[name] for name in passes}
    counts = {name: sum(part[name] for part in ranks.gather(counts)) for name in counts}
    if not ranks.first():
        ranks.barrier()
        return {"n_samples": 0, "summary": {}}
    if probing["level"] is not None:
        facts["rate_test"] = float(samples["success"].mean())
    cell = provenance.identity(asked) | {
        "n_samples": len(samples),
        "n_sources": int(samples["source_id"].nunique()),
        "artefacts": place.artefacts,
        "facts": facts,
        "seconds": {name: round(value, 3) for name, value in place.seconds.items()},
        "counts": counts,
        **provenance.surroundings(config),
    }
    cell["artefacts"]["spec"] = artefact_key("cell", cell_spec(asked))
    records.write_record(folder, samples, pictures, cell)
    ranks.barrier()
    return cell | {"summary": {"map_l1": samples.get("map_l1"), "success": samples.get("success")}}
