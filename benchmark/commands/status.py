"""``python -m benchmark status``: how far a running or finished sweep is."""

from __future__ import annotations

import argparse
import signal
import time

from rich.console import Console
from rich.live import Live

from benchmark.commands.common.options import Parser
from benchmark.commands.common.output import json_is_wanted, tell_json
from benchmark.configuration.sweep_expansion import Sweep, expand
from benchmark.planning.plan import Plan, plan
from benchmark.planning.plan_tables import as_json, render


def parser() -> Parser:
    """The options."""
    made = Parser(
        "status",
        "How far a sweep is, also while other processes compute it. Settings and options are those of 'run'.",
    )
    made.add_argument("--cells", action="store_true", help="name every cell and artefact")
    made.add_argument("--watch", action="store_true", help="repeat until nothing is left to do")
    made.add_argument("--every", type=float, default=2.0, metavar="SECONDS", help="between two repeats (2)")
    return made


def main(conf: str, arguments: list[str]) -> int:
    """Prints the state of ``run`` with these overrides; exit status 1 if a cell failed or cannot be run."""
    reader = parser()
    options, settings = reader.settings(arguments)
    if not options.every > 0:
        reader.error(f"--every must be above 0 seconds, got {options.every:g}")
    sweep = expand(conf, "run", settings.overrides, multirun=settings.multirun, config_dir=settings.config_dir)
    made = plan(sweep)
    if options.watch:
        made = _watch(sweep, made, options)
    elif not json_is_wanted():
        Console(soft_wrap=True).print(render(made, every=options.cells))
    tell_json(as_json(made))
    return _status(made)


def _watch(sweep: Sweep, made: Plan, options: argparse.Namespace) -> Plan:
    """Shows the plan again and again, until nothing is left to do or Ctrl-C; the last one, which JSON shows alone."""
    if json_is_wanted():
        while _goes_on(made):
            time.sleep(options.every)
            made = plan(sweep)
        return made
    at_once = signal.signal(signal.SIGINT, signal.default_int_handler)  # so that the cursor is shown again
    try:
        with Live(render(made, every=options.cells), console=Console()) as live:
            while _goes_on(made):
                time.sleep(options.every)
                made = plan(sweep)
                live.update(render(made, every=options.cells), refresh=True)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, at_once)
        signal.raise_signal(signal.SIGINT)
    return made


def _goes_on(made: Plan) -> bool:
    return bool(made.count("missing") or made.count("running"))


def _status(made: Plan) -> int:
    return 1 if made.count("failed") or made.count("wrong") else 0
