"""The command line: ``python -m benchmark COMMAND overrides``, or ``underfire COMMAND overrides``."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Callable
from typing import Any

from benchmark.commands.common import console
from benchmark.commands.common.catalogue import COMMANDS
from benchmark.commands.common.help_page import overview, suggestion, topic_page
from benchmark.configuration.conf_files import conf_folder
from benchmark.storage.suite_version import VERSION


def version() -> str:
    """The suite's version and the format of its records."""
    from benchmark.storage.formats import FORMAT

    return f"underfire {VERSION}, records of format {FORMAT['cell']}"


def main() -> None:
    """Runs one command. Exit status: see ``EXIT_STATUS`` of commands/common/help_page.py."""
    console.complete_streams()
    arguments = sys.argv[1:]
    command = arguments[0] if arguments else "help"
    known = COMMANDS.get(command)
    goes_on = known is not None and known.stoppable
    way = "the same command goes on" if goes_on else "the same command begins again"
    advice = f"; {way}:\n  {console.command_line()}" if known is not None else ""
    console.end_on_interrupt(advice)
    if "--version" in arguments:
        raise SystemExit(console.exit_status(_print_version))
    if command in ("-h", "--help", "help"):
        raise SystemExit(console.exit_status(lambda: _help(arguments[1:])))
    if known is None:
        print(f"underfire: {command!r} is no command{suggestion(command, list(COMMANDS))}", file=sys.stderr)
        raise SystemExit(2)
    from benchmark.processes import signals

    console.configure()
    try:
        raise SystemExit(console.exit_status(lambda: _status(command, arguments[1:])))
    except signals.Stopped as stop:
        logging.getLogger("underfire").warning("%s:\n  %s", stop, console.command_line())
        raise SystemExit(stop.exit_code) from None


def _print_version() -> int:
    print(version())
    return 0


def _help(topics: list[str]) -> int:
    """The overview; with a word the page of that command or group."""
    if not topics:
        print(overview())
    elif topics[0] in COMMANDS:
        return _status(topics[0], ["--help"])
    else:
        try:
            print(topic_page(topics[0]))
        except ValueError as error:
            print(f"underfire: {error}", file=sys.stderr)
            return 2
    return 0


def _status(command: str, arguments: list[str]) -> int:
    """Runs a command and returns its exit status; mistakes in its settings are printed."""
    conf = str(conf_folder())
    try:
        if not COMMANDS[command].launched:
            return int(_command(command)(conf, arguments))
        from benchmark.commands.common.launch import launch

        return launch(command, arguments, conf, lambda: _command(command))
    except BrokenPipeError:
        raise
    except (ValueError, OSError) as error:
        print(f"underfire: {error}", file=sys.stderr)
        return 1


def _command(name: str) -> Callable[..., Any]:
    return importlib.import_module(f"benchmark.commands.{name}").main


if __name__ == "__main__":
    main()
