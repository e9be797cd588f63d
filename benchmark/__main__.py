"""The command line: ``python -m benchmark COMMAND overrides``, or ``underfire COMMAND overrides``."""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

COMMANDS = {
    "run": "compute one cell of the benchmark, or with -m a sweep of them",
    "plan": "what a sweep would compute: cells, shared artefacts, mistakes",
    "status": "how far a running or finished sweep is",
    "report": "read the records and write tables, figures and verdicts",
    "publish": "pack finished records into a small folder, to be shipped and compared with",
    "select": "choose settings by a fixed rule, from calibration records",
    "verify": "check artefacts and records; classify and explain saved images again",
    "gc": "list, or delete, artefacts that no record needs",
    "sync": "send records to Weights & Biases after the fact",
    "speed": "time the steps of an attack against the bare passes they need",
    "train_classifier": "train a classifier into the store",
    "train_interpreter": "train an interpreter (and the classifier it explains) into the store",
}

# Commands that inspect the sweep that overrides of "run" describe, without starting a job.
PLANNERS = ("plan", "status")

# Commands that end between two batches on a stop signal once they work; the others end at once.
STOPPABLE = ("run", "train_classifier", "train_interpreter")

# Commands that read records take the words of "run" as filters, though these name groups of options there.
READERS = ("report", "publish", "select", "sync")


def conf_folder() -> Path:
    """Where the configuration lies: inside the installed package, or beside it in a checkout."""
    here = Path(__file__).resolve().parent
    inside = here / "conf"
    return inside if inside.is_dir() else here.parent / "conf"


def usage() -> str:
    """What is printed without a command."""
    from benchmark.commands.common.options import EXIT_STATUS

    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {what}" for name, what in COMMANDS.items()]
    return "\n".join(
        [
            "underfire: how well do attribution maps stand up to an adversary, and to noise?",
            "",
            "usage: python -m benchmark COMMAND [key=value ...] [-m] [--config-dir DIR]",
            "",
            *lines,
            "",
            "python -m benchmark COMMAND --help   lists its options; --cfg job prints the whole configuration",
            "python -m benchmark --version        names the version, and the format of records that it writes",
            "",
            EXIT_STATUS,
        ]
    )


def version() -> str:
    """The suite's version and the format of its records."""
    from importlib import metadata

    from benchmark.storage.formats import FORMAT

    try:
        number = metadata.version("underfire")
    except metadata.PackageNotFoundError:
        number = "(not installed: a checkout)"
    return f"underfire {number}, records of format {FORMAT['cell']}"


def main() -> None:
    """Runs one command. Exit status: see ``EXIT_STATUS`` of commands/common/options.py."""
    from benchmark.commands.common import console

    console.end_on_interrupt()
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage())
        return
    if "--version" in arguments:
        print(version())
        return
    command = arguments[0]
    if command not in COMMANDS:
        print(f"underfire: {command!r} is no command; there are {', '.join(COMMANDS)}", file=sys.stderr)
        raise SystemExit(2)
    from benchmark.processes import signals

    console.configure()
    try:
        raise SystemExit(_status(command, arguments[1:]))
    except signals.Stopped as stop:
        logging.getLogger("underfire").warning("%s", stop)
        raise SystemExit(stop.exit_code) from None


def _status(command: str, arguments: list[str]) -> int:
    """Runs a command and returns its exit status; mistakes in its settings are printed."""
    try:
        if command in PLANNERS:
            return int(_command(command)(str(conf_folder()), arguments))
        return _launch(command, arguments)
    except (ValueError, OSError) as error:
        print(f"underfire: {error}", file=sys.stderr)
        return 1


def _command(name: str) -> Callable[..., Any]:
    return importlib.import_module(f"benchmark.commands.{name}").main


def _launch(command: str, arguments: list[str]) -> int:
    """One job of Hydra's, or with -m many; none where it is known beforehand what would come of them."""
    from benchmark.commands.common.options import launch_options
    from benchmark.processes import portable, signals
    from benchmark.storage.cell_fields import FILTER_FIELDS

    flags, settings = launch_options(command, arguments)
    overrides = settings.overrides
    if command in READERS:
        overrides = [f"filter.{each}" if each.partition("=")[0] in FILTER_FIELDS else each for each in overrides]
    if set(flags) <= {"--multirun", f"--config-dir={settings.config_dir}"}:  # no flag that Hydra alone answers
        if command == "run":
            from benchmark.commands.common.sweep_check import check_sweep

            if (status := check_sweep(str(conf_folder()), settings)) is not None:
                return status
        else:
            from benchmark.planning.precheck import precheck_command

            conf, folder = str(conf_folder()), settings.config_dir
            asks = precheck_command(conf, command, overrides, folder, multirun=settings.multirun)
            if asks and not portable.is_on():
                portable.start_again()
    if command in STOPPABLE:
        signals.install_handlers()
    # Hydra takes overrides on one side of its flags only.
    sys.argv = [sys.argv[0], *flags, *overrides]
    return _jobs(command)


def _jobs(command: str) -> int:
    from benchmark.commands.common import sweep_summary
    from benchmark.processes import signals

    def with_command(config: Any) -> Any:
        # Lightning's DDP launcher starts this command line again: it has to find the command there.
        sys.argv.insert(1, command)
        try:
            return _command(command)(config)
        finally:
            sys.argv.pop(1)

    import hydra

    failed = None
    quiet = "HYDRA_FULL_ERROR" not in os.environ
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # its errors come here, not to the terminal
    try:
        hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name=command)(with_command)()
    except Exception as error:
        signals.raise_if_stopped()
        failed = error
    finally:
        if quiet:
            os.environ.pop("HYDRA_FULL_ERROR", None)
        sweep_summary.sum_up()  # also of a sweep that its launcher, or a signal, has broken off
    if failed is not None:
        from benchmark.commands.common.job import hydras_mistake

        sentence = hydras_mistake(failed, str(conf_folder()), jobs_failed=sweep_summary.any_failed())
        print(f"underfire: {sentence}", file=sys.stderr)
        return 1
    if sweep_summary.any_failed():
        signals.raise_if_stopped()
        return 1
    return 0


if __name__ == "__main__":
    main()
