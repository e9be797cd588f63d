"""``python -m benchmark plan``: the cells of a sweep and what they lack, before anything is computed."""

from __future__ import annotations

import logging
from pathlib import Path

from rich.console import Console

from benchmark.commands.common import console
from benchmark.commands.common.options import Parser
from benchmark.commands.common.output import json_is_wanted, tell_json
from benchmark.configuration.sweep_expansion import Sweep, expand
from benchmark.planning.forecast import Forecast, forecast, loops_of
from benchmark.planning.kept_times import KeptTimes, machine_of
from benchmark.planning.plan import Plan, plan
from benchmark.planning.plan_tables import as_json, render
from benchmark.processes import allocator

log = logging.getLogger("underfire")


def parser() -> Parser:
    """The options."""
    made = Parser(
        "plan",
        "The cells of a sweep: done, missing, failed; the artefacts that they share and lack; every mistake in any "
        "cell's configuration; and what is left in hours and gigabytes. Times of loops come from finished work and are "
        "kept in the store; those that are not known are timed first, on drawn images, which may take a minute or "
        "more (--quick leaves that out). Settings are those of 'run'.",
    )
    made.add_argument("--cells", action="store_true", help="name every cell and artefact")
    made.add_argument(
        "--deep",
        action="store_true",
        help="also load each data set and put each combination of networks together, untrained: what does not fit",
    )
    made.add_argument("--quick", action="store_true", help="forecast from the times that are kept; time nothing")
    made.add_argument(
        "--jobs", type=int, metavar="N", help="processes at a time (hydra.launcher.n_jobs, where it is given)"
    )
    made.add_argument(
        "--faster",
        type=float,
        default=1.0,
        metavar="X",
        help="forecast for a device that is X times as fast as this one, for which nothing is timed",
    )
    return made


def main(conf: str, arguments: list[str]) -> int:
    """Prints the plan of ``run`` with these overrides; exit status 1 if a cell's configuration is wrong."""
    reader = parser()
    options, settings = reader.settings(arguments)
    if options.jobs is not None and options.jobs < 1:
        reader.error(f"--jobs is a number of processes, 1 or more, got {options.jobs}")
    if not options.faster > 0:
        reader.error(f"--faster is how many times as fast, above 0, got {options.faster:g}")
    sweep = expand(conf, "run", settings.overrides, multirun=settings.multirun, config_dir=settings.config_dir)
    made = plan(sweep)
    if options.deep:
        _check_deeply(made, sweep)
    foreseen = None
    if (made.count("missing") or made.count("failed")) and not made.count("wrong"):
        jobs = options.jobs or _jobs_of(settings.overrides)
        foreseen = _foresee(made, sweep, jobs, options.faster, measure=not options.quick)
    tell_json(as_json(made, foreseen))
    if not json_is_wanted():
        Console(soft_wrap=True).print(render(made, foreseen, every=options.cells))
    return 1 if made.count("wrong") else 0


def _jobs_of(overrides: list[str]) -> int:
    """The processes that a joblib launcher is asked for; 1 where none is."""
    named = [each.partition("=")[2] for each in overrides if each.startswith("hydra.launcher.n_jobs=")]
    return int(named[-1]) if named and named[-1].isdigit() and int(named[-1]) else 1


def _foresee(made: Plan, sweep: Sweep, jobs: int, faster: float, *, measure: bool) -> Forecast:
    """The forecast of what is left, after the times that it lacks have been taken."""
    config = next(planned.config for planned in sweep.cells if planned.config is not None)
    machine, threads = machine_of(config, jobs)
    times = KeptTimes(Path(config["paths"]["store"]), machine)
    learnt = times.learn(Path(config["paths"]["results"]))
    if measure and (lacking := times.missing(loops_of(sweep.cells, made))):
        from benchmark.timing.unit_times import unit_times  # imports torch

        console.configure()
        allocator.keep_freed_memory()  # as the work does that is foreseen
        log.info("timing %d kinds of loops on this machine (--quick leaves it out)", len(lacking))
        for loop, seconds, size in unit_times(lacking, threads):
            times.note(loop, timed=seconds, size=size)
            learnt += 1
    if learnt:
        times.keep()
    return forecast(sweep.cells, made, times, jobs=jobs, faster=faster)


def _check_deeply(made: Plan, sweep: Sweep) -> None:
    """Marks the cells whose parts do not fit together as wrong."""
    from benchmark.commands.common.deep_check import deep_check  # imports torch

    open_cells = [
        planned for planned, cell in zip(sweep.cells, made.cells, strict=True) if cell.state not in ("wrong", "done")
    ]
    found = deep_check(open_cells, every_error=True)
    wrong = {cell.name: cell for cell in found.cells if cell.state == "wrong"}
    made.cells = [wrong.get(cell.name, cell) for cell in made.cells]
    if found.note:
        made.notes.append(found.note)
