"""``python -m benchmark plan``: the cells of a sweep and what they lack, before anything is computed."""

from __future__ import annotations

import argparse

from rich.console import Console

from benchmark.configuration.sweep_expansion import expand
from benchmark.planning.plan import plan
from benchmark.planning.plan_tables import render


def main(conf: str, arguments: list[str]) -> int:
    """Prints the plan of ``run`` with these overrides; exit status 1 if a cell's configuration is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmark plan",
        description="The cells of a sweep: done, missing, failed; the artefacts that they share and lack; every "
        "mistake in any cell's configuration. Computes nothing. OVERRIDES are those of 'run'.",
    )
    parser.add_argument("--cells", action="store_true", help="name every cell and artefact")
    options, overrides = parser.parse_known_args(arguments)
    if unknown := [each for each in overrides if each.startswith("-") and each not in ("-m", "--multirun")]:
        parser.error(f"unknown option {unknown[0]}")
    made = plan(expand(conf, "run", overrides))
    Console(soft_wrap=True).print(render(made, every=options.cells))
    return 1 if made.count("wrong") else 0
