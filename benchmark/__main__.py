"""The command line: ``python -m benchmark COMMAND overrides``, or ``underfire COMMAND overrides``."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

COMMANDS = {
    "run": "compute one cell of the benchmark, or with -m a sweep of them",
    "plan": "what a sweep would compute: cells, shared artefacts, mistakes",
    "status": "how far a running or finished sweep is",
    "report": "read the records and write tables, figures and verdicts",
    "select": "choose settings by a fixed rule, from calibration records",
    "verify": "check artefacts and records, and classify saved images again",
    "gc": "list, or delete, artefacts that no record needs",
    "sync": "send records to Weights & Biases after the fact",
    "speed": "time the steps of an attack against the bare passes they need",
    "train_classifier": "train a classifier into the store",
    "train_interpreter": "train an interpreter (and the classifier it explains) into the store",
}

# Commands that inspect the sweep that overrides of "run" describe, without starting a job.
PLANNERS = ("plan", "status")

# Commands that end between two batches on a stop signal; the others end at once.
STOPPABLE = ("run", "status", "train_classifier", "train_interpreter")

# Commands that read records take the words of "run" as filters, though these name groups of options there.
READERS = ("report", "select", "sync")


def conf_folder() -> Path:
    """Where the configuration lies: inside the installed package, or beside it in a checkout."""
    here = Path(__file__).resolve().parent
    inside = here / "conf"
    return inside if inside.is_dir() else here.parent / "conf"


def usage() -> str:
    """What is printed without a command."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {what}" for name, what in COMMANDS.items()]
    return "\n".join(
        [
            "underfire: how well do attribution maps stand up to an adversary, and to noise?",
            "",
            "usage: python -m benchmark COMMAND [key=value ...] [-m]",
            "",
            *lines,
            "",
            "python -m benchmark COMMAND --help   lists its options; --cfg job prints the whole configuration",
        ]
    )


def main() -> None:
    """Runs one command; exit status 1 where it, or a cell of it, failed; 2 for an unknown command."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage())
        return
    command = arguments[0]
    if command not in COMMANDS:
        print(f"underfire: {command!r} is no command; there are {', '.join(COMMANDS)}", file=sys.stderr)
        raise SystemExit(2)
    from benchmark.commands.common import console
    from benchmark.processes import signals

    console.configure()
    if command in STOPPABLE:
        signals.install_handlers()
    try:
        if command in PLANNERS:
            raise SystemExit(_told(_command(command), str(conf_folder()), arguments[1:]))
        from benchmark.planning.precheck import precheck_command, precheck_sweep

        overrides = _with_filters(command, arguments[1:])
        if command == "run":
            status = _told(precheck_sweep, str(conf_folder()), overrides)
        else:
            status = _told(precheck_command, str(conf_folder()), command, overrides)
        if status is not None:
            raise SystemExit(status)
        _launch(command, overrides)
    except signals.Stopped as stop:
        logging.getLogger("underfire").warning("%s", stop)
        raise SystemExit(stop.exit_code) from None


def _command(name: str) -> Callable[..., Any]:
    return importlib.import_module(f"benchmark.commands.{name}").main


def _told(work: Callable[..., Any], *arguments: Any) -> Any:
    """What ``work`` returns, or 1 after telling a mistake in the overrides."""
    try:
        return work(*arguments)
    except ValueError as error:
        print(f"underfire: {error}", file=sys.stderr)
        return 1


def _with_filters(command: str, overrides: list[str]) -> list[str]:
    """The overrides, with the words of ``run`` as filters where records are read."""
    if command not in READERS:
        return overrides
    from benchmark.storage.cell_fields import FILTER_FIELDS

    return [f"filter.{each}" if each.partition("=")[0] in FILTER_FIELDS else each for each in overrides]


def _launch(command: str, overrides: list[str]) -> None:
    """One job of Hydra's, or with -m many."""

    import hydra

    # Hydra takes overrides on one side of its flags only.
    flags = [each for each in overrides if each in ("-m", "--multirun")]
    sys.argv = [sys.argv[0], *flags, *(each for each in overrides if each not in flags)]

    def with_command(config):
        # Lightning's DDP launcher starts this command line again: it has to find the command there.
        sys.argv.insert(1, command)
        try:
            return _command(command)(config)
        finally:
            sys.argv.pop(1)

    from benchmark.commands.common import sweep_summary
    from benchmark.processes import signals

    try:
        hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name=command)(with_command)()
    finally:
        sweep_summary.sum_up()  # also of a sweep that its launcher, or a signal, has broken off
    if sweep_summary.any_failed():
        signals.raise_if_stopped()
        raise SystemExit(1)


if __name__ == "__main__":
    main()
