"""The words that may stand at the end of a command line: commands, options, groups and their options, and keys."""

from __future__ import annotations

import importlib
import itertools
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmark.commands.common.catalogue import COMMANDS, settings_file
from benchmark.commands.common.options import Parser, launch_parser
from benchmark.configuration.conf_files import command_defaults, conf_folder, groups_of, keys_of_group, options_of


def completions(line: str) -> list[str]:
    """Whole words that begin as the last word of ``line`` does; those that go on end in "=" or "."."""
    try:
        before, last = _words(line)
    except ValueError:  # an open quotation
        return []
    commands = [word for word in before if not word.startswith("-")]
    if not commands:
        return _beginning([*COMMANDS, "help", "--help", "--version"], last)
    if commands[0] == "help":
        return _beginning([*COMMANDS, *groups_of([conf_folder()])], last)
    if commands[0] not in COMMANDS:
        return []
    if last.startswith("-"):
        return _beginning(_options(commands[0]), last)
    folders = [conf_folder(), *_config_dirs(before)]
    settings = settings_file(commands[0])
    return _settings(folders, settings, last) if settings else []


def _words(line: str) -> tuple[list[str], str]:
    """The words of an unfinished line behind the program's, and the last one, which may be empty."""
    words = shlex.split(line)
    if len(words) < 2 or line[-1].isspace():
        words.append("")
    return words[1:-1], words[-1]


def _beginning(words: Iterable[str], start: str) -> list[str]:
    return sorted({word for word in words if word.startswith(start)})


def _options(command: str) -> list[str]:
    if COMMANDS[command].launched:
        return launch_parser(command).names()
    parser: Parser = importlib.import_module(f"benchmark.commands.{command}").parser()
    return parser.names()


def _config_dirs(words: Sequence[str]) -> list[Path]:
    found = [value for word, value in itertools.pairwise(words) if word in ("--config-dir", "-cd")]
    found += [word.partition("=")[2] for word in words if word.startswith("--config-dir=")]
    return [Path(each) for each in found if Path(each).is_dir()]


def _settings(folders: list[Path], command: str, last: str) -> list[str]:
    """Keys and groups, then values of groups; a plus or tilde in front stays there."""
    sign = last[: len(last) - len(last.lstrip("+~"))]
    key, equals, value = last[len(sign) :].partition("=")
    groups, keys = command_defaults(folders[0], command)
    if equals:
        group = key.partition("@")[0]
        done, comma, _ = value.rpartition(",")
        given = f"{sign}{key}={done}{comma}"
        return _beginning((f"{given}{option}" for option in options_of(folders, group)), last)
    names = {f"{group}=" for group, _ in groups} | {f"{each.name}=" for each in keys if each.value}
    if COMMANDS[command].filters:
        names |= {f"{each.name.removeprefix('filter.')}=" for each in keys if each.name.startswith("filter.")}
    names |= {f"{group}=" for group in groups_of(folders) if "/" in group} if command == "run" else set()
    own = [group for group, _ in groups if group != "experiment"]
    inside = key.partition(".")[0]
    if "." in key and inside.partition("@")[0] in own:
        names |= {f"{each.name}=" for each in keys_of_group(folders, inside) if each.value}
    else:
        names |= {f"{group}." for group in own if "@" not in group}
    return _beginning((f"{sign}{name}" for name in names), last)
