"""The one layout of help: for the command line as a whole, for each command, and for a group of options."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmark.commands.common.catalogue import COMMANDS, settings_file
from benchmark.configuration.conf_files import (
    Key,
    command_defaults,
    conf_folder,
    groups_of,
    keys_of_group,
    options_of,
    read,
)
from benchmark.numerics.expectations import near

PROGRAM = "python -m benchmark"
EXIT_STATUS = (
    "exit status: 0 done; 1 a mistake in the settings, or a cell failed; 2 an option or a command that there is not; "
    "130 Ctrl-C; 128 + its number after another signal"
)

Rows = Iterable[tuple[str, str]]


def overview() -> str:
    """What is printed without a command."""
    parts = [
        "underfire: how well do attribution maps stand up to an adversary, and to noise?",
        f"usage: {PROGRAM} COMMAND [key=value ...] [options]        (or: underfire COMMAND ...)",
    ]
    for heading in dict.fromkeys(command.heading for command in COMMANDS.values()):
        own = [(name, command.about) for name, command in COMMANDS.items() if command.heading == heading]
        parts.append(_block(heading, own, column=17))
    more = [
        ("COMMAND --help", "what a command takes, with examples (also: help COMMAND)"),
        ("help GROUP[/OPTION]", "the options and keys of a group: help probe, help probe/adv2"),
        ("--version", "the version, and the format of records that it writes"),
    ]
    return "\n\n".join([*parts, _block("more", more), _wrapped(EXIT_STATUS)])


def command_page(name: str, options: Rows, about: str = "") -> str:
    """The help of one command.

    Args:
        options: of the command line, with what each is for. about: of a command without a file in conf/.
    """
    conf, settings = conf_folder(), settings_file(name)
    parts = [f"usage: {PROGRAM} {name}{' [key=value ...]' if settings else ''} [options]"]
    if settings == name:
        file = read(conf / f"{name}.yaml")
        parts += [_wrapped(file.about), *([_lines("examples", file.examples)] if file.examples else [])]
    else:
        parts.append(_wrapped(about))
    if settings:
        groups, keys = command_defaults(conf, settings)
        of_run = "" if settings == name else f", those of {settings}"
        shown = [(f"{group}={option}", _choices(conf, group)) for group, option in groups]
        parts += [_block(f"groups{of_run} (help GROUP lists the keys of each)", shown)] if shown else []
        parts += [_block(f"keys{of_run}", _rows(keys))] if keys else []
    return "\n\n".join([*parts, _block("options", options), _wrapped(EXIT_STATUS)])


def topic_page(topic: str) -> str:
    """The help of a group of options, or of one of them.

    Raises:
        ValueError: there is no such group or option.
    """
    conf = conf_folder()
    group, option = topic.strip("/"), None
    there = groups_of([conf])
    if group not in there:
        group, _, option = group.rpartition("/")
    if group not in there:
        known = [*COMMANDS, *there]
        raise ValueError(f"{topic!r} is no command and no group of options{suggestion(topic, known)}")
    options = options_of([conf], group)
    if option is not None and option not in options:
        raise ValueError(f"{topic}: there is no such option{suggestion(option, options)}")
    shown = [option] if option else options
    about = [(f"{group}={name}", read(conf / group / f"{name}.yaml").about) for name in shown]
    return "\n\n".join([_block("options", about), _block("keys", _rows(keys_of_group([conf], group, option)))])


def suggestion(word: str, known: Sequence[str]) -> str:
    """': did you mean ...?', or what there is."""
    found = near(word, known)
    return f": did you mean {' or '.join(found)}?" if found else f"; there are {', '.join(known)}"


def _choices(conf: Path, group: str) -> str:
    """The options of a group; of one that is placed elsewhere (interpreter@families.cam) where they are listed."""
    name, _, place = group.partition("@")
    return f"any of {name}" if place else " ".join(options_of([conf], name))


def _rows(keys: Iterable[Key]) -> list[tuple[str, str]]:
    """Keys as they are typed, with their values where these are short; groups of keys only where they say something."""
    return [
        (f"{key.name}={key.value}" if key.value and len(key.value) < 24 else key.name, key.comment)
        for key in keys
        if key.value or key.comment
    ]


def _block(title: str, rows: Rows, column: int | None = None) -> str:
    """A title with indented rows, names to the left, and what they are to the right."""
    rows = list(rows)
    if column is None:
        column = min(max((len(name) for name, _ in rows), default=0), 34)
    lines = [f"{title}:"]
    for name, what in rows:
        told = textwrap.wrap(what, max(_width() - column - 4, 30)) or [""]
        if len(name) > column:
            lines.append(f"  {name}")
        else:
            lines.append(f"  {name:<{column}}  {told.pop(0)}".rstrip())
        lines += [f"  {'':<{column}}  {line}" for line in told if line]
    return "\n".join(lines)


def _lines(title: str, lines: Iterable[str]) -> str:
    return "\n".join([f"{title}:", *(f"  {line}" for line in lines)])


def _wrapped(text: str) -> str:
    return textwrap.fill(text, _width())


def _width() -> int:
    return min(shutil.get_terminal_size((100, 24)).columns, 120)
