"""``python -m benchmark plan``: the cells of a sweep and what they lack, before anything is computed."""

from __future__ import annotations

from rich.console import Console

from benchmark.commands.common.options import Parser
from benchmark.commands.common.output import json_is_wanted, tell_json
from benchmark.configuration.sweep_expansion import Sweep, expand
from benchmark.planning.plan import Plan, plan
from benchmark.planning.plan_tables import as_json, render


def parser() -> Parser:
    """The options."""
    made = Parser(
        "plan",
        "The cells of a sweep: done, missing, failed; the artefacts that they share and lack; every mistake in any "
        "cell's configuration. Computes nothing. Settings and options are those of 'run'.",
    )
    made.add_argument("--cells", action="store_true", help="name every cell and artefact")
    made.add_argument(
        "--deep",
        action="store_true",
        help="also load each data set and put each combination of networks together, untrained: what does not fit",
    )
    return made


def main(conf: str, arguments: list[str]) -> int:
    """Prints the plan of ``run`` with these overrides; exit status 1 if a cell's configuration is wrong."""
    options, settings = parser().settings(arguments)
    sweep = expand(conf, "run", settings.overrides, multirun=settings.multirun, config_dir=settings.config_dir)
    made = plan(sweep)
    if options.deep:
        _check_deeply(made, sweep)
    tell_json(as_json(made))
    if not json_is_wanted():
        Console(soft_wrap=True).print(render(made, every=options.cells))
    return 1 if made.count("wrong") else 0


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
