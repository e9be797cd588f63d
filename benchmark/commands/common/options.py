"""What stands behind a command: settings (key=value) and options (--name), in any order."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

EXIT_STATUS = (
    "exit status: 0 done; 1 a mistake in the settings, or a cell failed; 2 an option or a command that there is not; "
    "130 Ctrl-C; 128 + its number after another signal"
)


@dataclass(frozen=True)
class Settings:
    """What ``run``, ``plan`` and ``status`` are given: key=value overrides, -m, and a further folder of options."""

    overrides: list[str]
    multirun: bool = False
    config_dir: str | None = None


class Parser(argparse.ArgumentParser):
    """A parser whose mistakes are one sentence; everything that is no option is a setting."""

    def __init__(self, command: str, description: str | None = None) -> None:
        super().__init__(
            prog=f"python -m benchmark {command}",
            usage=f"python -m benchmark {command} [key=value ...] [options]",
            description=description,
            epilog=EXIT_STATUS,
            allow_abbrev=False,
            add_help=description is not None,
        )
        self.command = command
        self.add_argument("--multirun", "-m", action="store_true", help="sweep over settings with several values")
        self.add_argument("--config-dir", "-cd", metavar="DIR", help="a folder with further options, as conf/ has them")

    def split(self, arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
        """The options, and the settings. Ends the process with a sentence and exit status 2 for unknown options."""
        options, rest = self.parse_known_args(arguments)
        if unknown := [each for each in rest if each.startswith("-")]:
            self.error(f"{unknown[0]} is no option of {self.command}; there are {', '.join(self._names())}")
        folder = options.config_dir
        if folder is not None and not Path(folder).is_dir():
            self.error(f"--config-dir {folder} is not there: name a folder with options, like DIR/probe/mine.yaml")
        return options, rest

    def settings(self, arguments: Sequence[str]) -> tuple[argparse.Namespace, Settings]:
        """As :meth:`split`, of a command that reads the settings of ``run``."""
        options, overrides = self.split(arguments)
        return options, Settings(overrides, options.multirun, options.config_dir)

    def _names(self) -> list[str]:
        return [max(action.option_strings, key=len) for action in self._actions if action.option_strings]

    def error(self, message: str) -> NoReturn:
        """One line on standard error, exit status 2."""
        print(f"underfire {self.command}: {message}", file=sys.stderr)
        raise SystemExit(2)


def launch_options(command: str, arguments: Sequence[str]) -> tuple[list[str], Settings]:
    """The options of a command that Hydra launches, as Hydra takes them, and the settings."""
    parser = Parser(command)
    for name, short in (("help", "-h"), ("hydra-help", None), ("resolve", None), ("run", "-r")):
        parser.add_argument(f"--{name}", *([short] if short else []), action="store_true")
    parser.add_argument("--shell-completion", "-sc", action="store_true")
    parser.add_argument("--cfg", "-c", choices=("job", "hydra", "all"))
    parser.add_argument("--package", "-p")
    parser.add_argument("--info", "-i", nargs="?", const="all", choices=_INFO)
    options, settings = parser.settings(arguments)
    flags: list[str] = []
    for name, value in vars(options).items():
        flag = f"--{name.replace('_', '-')}"
        flags += [flag] if value is True else [f"{flag}={value}"] if value else []
    return flags, settings


_INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
