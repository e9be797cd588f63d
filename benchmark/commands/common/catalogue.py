"""Every command of the command line: what it is for, and how it is started.

A command is a line here and a module ``benchmark/commands/NAME.py`` with ``main``. One that Hydra launches also has
``conf/NAME.yaml``: the first comment of that file, with its examples, and the comments of its keys are the command's
help, and ``main(config)`` gets the composed configuration. One that is not launched gets the folder of the
configuration and its own words, ``main(conf, arguments) -> exit status``, and reads them with the ``Parser``
(benchmark/commands/common/options.py) that its ``parser()`` makes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Heading = Literal["compute", "before and while", "read the records", "look after the files", "the command line itself"]


@dataclass(frozen=True)
class Command:
    """What the command line has to know of a command before its module is imported.

    about: one line of the overview. launched: by Hydra, else the command reads its own words. settings: the file of
    conf/ whose keys it takes; None is that of its own name. stoppable: a signal ends it between two batches, once it
    works; others end at once. filters: the words of ``run`` (data=..., probe=...) choose records. json: ``--json``
    prints what it found on standard output.
    """

    heading: Heading
    about: str
    launched: bool = True
    settings: str | None = None
    stoppable: bool = False
    filters: bool = False
    json: bool = False


COMMANDS = {
    "run": Command("compute", "compute one cell of the benchmark, or with -m a sweep of them", stoppable=True),
    "train_classifier": Command("compute", "train a classifier into the store", stoppable=True),
    "train_interpreter": Command(
        "compute", "train an interpreter (and the classifier it explains) into the store", stoppable=True
    ),
    "plan": Command(
        "before and while",
        "what a sweep would compute: cells, shared artefacts, mistakes, hours and gigabytes",
        launched=False,
        settings="run",
        json=True,
    ),
    "status": Command(
        "before and while", "how far a running or finished sweep is", launched=False, settings="run", json=True
    ),
    "doctor": Command(
        "before and while", "what this installation has: versions, devices, disk, what repeats to the byte", json=True
    ),
    "speed": Command("before and while", "time the steps of an attack against the bare passes they need"),
    "report": Command(
        "read the records", "read the records and write tables, figures and verdicts", filters=True, json=True
    ),
    "publish": Command(
        "read the records", "pack finished records into a small folder, to be shipped and compared with", filters=True
    ),
    "select": Command(
        "read the records", "choose settings by a fixed rule, from calibration records", filters=True, json=True
    ),
    "leaderboard": Command(
        "read the records", "one table a threat model, from results and from what others entered", json=True
    ),
    "submit": Command(
        "read the records", "pack records and their images into one file, to enter the leaderboard", filters=True
    ),
    "sync": Command("read the records", "send records to Weights & Biases after the fact", filters=True),
    "dashboard": Command(
        "read the records",
        "make a workspace view and a report in Weights & Biases",
        launched=False,
        filters=True,
        json=True,
    ),
    "verify": Command(
        "look after the files", "check artefacts and records, or an entry of the leaderboard, again", json=True
    ),
    "gc": Command("look after the files", "list, or delete, artefacts that no record needs"),
    "completion": Command(
        "the command line itself",
        "print what makes a shell complete commands, options and keys",
        launched=False,
        settings="",
    ),
}


def settings_file(name: str) -> str:
    """The file of conf/ (without .yaml) whose keys a command takes; empty where it takes none."""
    own = COMMANDS[name].settings
    return name if own is None else own
