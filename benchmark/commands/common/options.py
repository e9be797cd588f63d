"""What stands behind a command: settings (key=value) and options (--name), in any order."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from benchmark.commands.common import output
from benchmark.commands.common.catalogue import COMMANDS, settings_file
from benchmark.commands.common.help_page import PROGRAM, command_page, suggestion


@dataclass(frozen=True)
class Settings:
    """What ``run``, ``plan`` and ``status`` are given: key=value overrides, -m, and a further folder of options."""

    overrides: list[str]
    multirun: bool = False
    config_dir: str | None = None


class Parser(argparse.ArgumentParser):
    """A parser whose mistakes are one sentence; everything that is no option is a setting.

    Args:
        about: the first sentences of the help, of a command that has no file in conf/.
    """

    def __init__(self, command: str, about: str = "") -> None:
        super().__init__(prog=f"{PROGRAM} {command}", usage=f"{PROGRAM} {command}", allow_abbrev=False, add_help=False)
        self.command, self.about = command, about
        if settings_file(command):
            self.add_argument("--multirun", "-m", action="store_true", help="sweep over settings with several values")
            self.add_argument(
                "--config-dir", "-cd", metavar="DIR", help="a folder with further options, as conf/ has them"
            )
        if COMMANDS[command].json:
            self.add_argument("--json", action="store_true", help="print what was found as JSON on standard output")
        self.add_argument("--help", "-h", action="help", help="this page")

    def format_help(self) -> str:
        """The page that every command has in the same layout."""
        return command_page(self.command, list(self._rows()), self.about) + "\n"

    def split(self, arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
        """The options, and the settings. Ends the process with a sentence and exit status 2 for unknown options."""
        options, rest = self.parse_known_args(arguments)
        if unknown := [each for each in rest if each.startswith("-")]:
            name = unknown[0].partition("=")[0]
            self.error(f"{name} is no option of {self.command}{suggestion(name, self.names())}")
        if getattr(options, "json", False):
            output.want_json()
        folder = getattr(options, "config_dir", None)
        if folder is not None and not Path(folder).is_dir():
            self.error(f"--config-dir {folder} is not there: name a folder with options, like DIR/probe/mine.yaml")
        return options, rest

    def settings(self, arguments: Sequence[str]) -> tuple[argparse.Namespace, Settings]:
        """As :meth:`split`, of a command that reads the settings of ``run``."""
        options, overrides = self.split(arguments)
        return options, Settings(overrides, options.multirun, options.config_dir)

    def names(self) -> list[str]:
        """The long names of the options."""
        return [max(action.option_strings, key=len) for action in self._actions if action.option_strings]

    def _rows(self) -> Iterator[tuple[str, str]]:
        for action in self._actions:
            if not action.option_strings:
                yield f"{action.dest.upper()} ({' '.join(action.choices or ())})", action.help or ""
                continue
            shown = ", ".join(sorted(action.option_strings, key=len, reverse=True))
            value = action.metavar or "|".join(map(str, action.choices or ()))
            yield (f"{shown} {value}" if value and action.nargs != 0 else shown), action.help or ""

    def error(self, message: str) -> NoReturn:
        """One line on standard error, exit status 2."""
        print(f"underfire {self.command}: {message}", file=sys.stderr)
        raise SystemExit(2)


def launch_parser(command: str) -> Parser:
    """The options of a command that Hydra launches: our own, and those of Hydra that print a configuration."""
    parser = Parser(command)
    parser.add_argument(
        "--cfg", "-c", choices=("job", "hydra", "all"), help="print the whole configuration; compute nothing"
    )
    parser.add_argument("--resolve", action="store_true", help="with --cfg: references replaced by their values")
    parser.add_argument("--package", "-p", metavar="KEY", help="with --cfg: a part of it")
    parser.add_argument("--info", "-i", nargs="?", const="all", choices=_INFO, help="how Hydra puts it together")
    return parser


def launch_options(command: str, arguments: Sequence[str]) -> tuple[list[str], Settings]:
    """The options of a command that Hydra launches, as Hydra takes them, and the settings."""
    options, settings = launch_parser(command).settings(arguments)
    flags: list[str] = []
    for name, value in vars(options).items():
        flag = f"--{name.replace('_', '-')}"
        if name != "json" and value:
            flags.append(flag if value is True else f"{flag}={value}")
    return flags, settings


_INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
