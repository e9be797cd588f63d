"""``python -m benchmark status``: how far a running or finished sweep is."""

from __future__ import annotations

import argparse
import time

from rich.console import Console
from rich.live import Live

from benchmark.configuration.sweep_expansion import expand
from benchmark.planning.plan import Plan, plan
from benchmark.planning.plan_tables import render
from benchmark.processes import signals


def main(conf: str, arguments: list[str]) -> int:
    """Prints the state of ``run`` with these overrides; exit status 1 if a cell failed or cannot be run."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmark status",
        description="How far a sweep is, also while other processes compute it. OVERRIDES are those of 'run'.",
    )
    parser.add_argument("--cells", action="store_true", help="name every cell and artefact")
    parser.add_argument("--watch", action="store_true", help="repeat until nothing is left to do")
    parser.add_argument("--every", type=float, default=2.0, metavar="SECONDS", help="between two repeats (2)")
    options, overrides = parser.parse_known_args(arguments)
    if unknown := [each for each in overrides if each.startswith("-") and each not in ("-m", "--multirun")]:
        parser.error(f"unknown option {unknown[0]}")
    if options.every <= 0:
        parser.error(f"--every must be above 0 seconds, got {options.every:g}")
    sweep = expand(conf, "run", overrides)
    made = plan(sweep)
    if options.watch:
        with Live(render(made, every=options.cells), console=Console()) as live:
            while made.count("missing") or made.count("running"):
                _sleep(options.every)
                made = plan(sweep)
                live.update(render(made, every=options.cells), refresh=True)
    else:
        Console(soft_wrap=True).print(render(made, every=options.cells))
    return _status(made)


def _sleep(seconds: float) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        signals.raise_if_stopped()
        time.sleep(min(left, 0.1))


def _status(made: Plan) -> int:
    return 1 if made.count("failed") or made.count("wrong") else 0
