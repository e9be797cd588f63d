"""Starts a command that Hydra launches: what is wrong is said before the first job, what came of the jobs after it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from benchmark.commands.common.catalogue import COMMANDS
from benchmark.commands.common.options import launch_options


def launch(command: str, arguments: list[str], conf: str, main: Callable[[], Callable[..., Any]]) -> int:
    """One job of Hydra's, or with -m many; none where it is known beforehand what would come of them.

    Args:
        conf: the folder of the configuration. main: imports the command's function, which is needed late.
    Returns:
        The exit status.
    """
    from benchmark.processes import portable, signals
    from benchmark.storage.cell_fields import FILTER_FIELDS

    flags, settings = launch_options(command, arguments)
    overrides = settings.overrides
    if COMMANDS[command].filters:  # these words name groups of options in "run"
        overrides = [f"filter.{each}" if each.partition("=")[0] in FILTER_FIELDS else each for each in overrides]
    if command == "verify":  # verify FILE is short for verify bundle=FILE
        overrides = [each if "=" in each else f"bundle={_quoted(each)}" for each in overrides]
    if set(flags) <= {"--multirun", f"--config-dir={settings.config_dir}"}:  # no flag that Hydra alone answers
        if command == "run":
            from benchmark.commands.common.sweep_check import check_sweep

            if (status := check_sweep(conf, settings)) is not None:
                return status
        else:
            from benchmark.planning.precheck import precheck_command

            asks = precheck_command(conf, command, overrides, settings.config_dir, multirun=settings.multirun)
            if asks and not portable.is_on():
                portable.start_again()
    if COMMANDS[command].stoppable:
        signals.install_handlers()
    # Hydra takes overrides on one side of its flags only.
    sys.argv = [sys.argv[0], *flags, *overrides]
    return _jobs(command, conf, main)


def _quoted(text: str) -> str:
    """A text as Hydra reads it back, whatever characters it has."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _jobs(command: str, conf: str, main: Callable[[], Callable[..., Any]]) -> int:
    from benchmark.commands.common import sweep_summary
    from benchmark.processes import signals

    def with_command(config: Any) -> Any:
        # Lightning's DDP launcher starts this command line again: it has to find the command there.
        sys.argv.insert(1, command)
        try:
            return main()(config)
        finally:
            sys.argv.pop(1)

    import hydra

    failed = None
    quiet = "HYDRA_FULL_ERROR" not in os.environ
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # its errors come here, not to the terminal
    try:
        hydra.main(version_base="1.3", config_path=conf, config_name=command)(with_command)()
    except Exception as error:
        signals.raise_if_stopped()
        failed = error
    finally:
        if quiet:
            os.environ.pop("HYDRA_FULL_ERROR", None)
        sweep_summary.sum_up()  # also of a sweep that its launcher, or a signal, has broken off
    if failed is not None:
        from benchmark.commands.common.job import hydras_mistake

        sentence = hydras_mistake(failed, conf, jobs_failed=sweep_summary.any_failed())
        print(f"underfire: {sentence}", file=sys.stderr)
        return 1
    if sweep_summary.any_failed():
        signals.raise_if_stopped()
        return 1
    return 0
