"""What can be wrong with a configuration, found before anything costly starts and without importing torch.

Types and ranges are those of benchmark/configuration/groups.py and of the constructors that receive the values
(benchmark/configuration/signatures.py). What concerns several keys at once is below, in :func:`_joint`.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from benchmark.configuration.groups import Run
from benchmark.configuration.messages import EXAMPLES, null_group
from benchmark.configuration.signatures import OURS, Argument, NoSuchTarget, Signature, signature
from benchmark.numerics.expectations import expectation, near, shown
from benchmark.numerics.precisions import BFLOAT16, FLOAT32
from benchmark.storage.atomic import make_folder

# Arguments that are put in when a part is built.
_SUPPLIED = {"classifier", "encoder", "image_size", "network", "interpreter", "scale", "members", "sources"}
_RESERVED = {"_target_", "_partial_", "_recursive_", "_convert_", "_args_"}


def check_folders(config: dict[str, Any]) -> None:
    """Raises an OSError with a sentence for a folder that cannot be written to or has no room."""
    make_folder(Path(config["paths"]["results"]), "paths.results")
    make_folder(Path(config["paths"]["store"]), "paths.store")


def check_values(config: dict[str, Any], *, whole: bool = True) -> None:
    """Raises a ValueError with a sentence for every value that cannot be; touches no folder.

    Args:
        whole: whether the configuration is that of ``run``; other commands have some of its groups, and own keys.
    """
    if found := list(mistakes(config, whole=whole)):
        raise ValueError("; also: ".join(found))


def mistakes(config: dict[str, Any], *, whole: bool = True) -> Iterator[str]:
    """A sentence for every value that cannot be, as far as that can be told without building anything.

    Each names the key as it is typed: a value that parts take over from another key is told under that key, once.
    """
    check = _Check(getattr(config, "origins", {}))
    if whole:
        check.group("", config, Run)
    else:
        check.groups(config, Run)
    yield from check.found.values()
    if isinstance(trainer := config.get("trainer"), dict):
        yield from _portably(trainer)
    if "interpreter" in config and not any(key.startswith("interpreter") for key in check.found):
        yield from _references(config)
    yield from _trained_from_outside(config)
    joined = ("", "level", "steps", "warmup", "module")
    if "probe" in config and not any(check.typed("probe", name).strip(".") in check.found for name in joined):
        yield from _joint(config["probe"])


def _trained_from_outside(group: dict[str, Any], path: str = "") -> Iterator[str]:
    """Trainings that would not happen, of any classifier in the configuration: weights from outside are taken as they
    are.
    """
    for name, node in group.items():
        if not isinstance(node, dict):
            continue
        key = f"{path}{name}"
        training = node.get("training")
        suffix = training.get("suffix") if isinstance(training, dict) else None
        if node.get("checkpoint") is not None and suffix:
            yield (
                f"{key}.checkpoint takes weights as they are, without training, so that "
                f"{key.replace('.', '/')}/training={str(suffix).strip('_')} would not happen: leave one of the two "
                f"away ({key}.label=NAME says how weights were trained elsewhere)"
            )
        yield from _trained_from_outside(node, f"{key}.")


def _references(config: dict[str, Any]) -> Iterator[str]:
    """Stages that are none: of the measured interpreter, its members, and the one that is attacked."""
    group = config["interpreter"]
    groups = {"interpreter": group, "probe.source": (config.get("probe") or {}).get("source")}
    groups |= {f"interpreter.members.{name}": member for name, member in (group.get("members") or {}).items()}
    for key, interpreter in groups.items():
        if not isinstance(interpreter, dict) or not isinstance(interpreter.get("stages"), dict):
            continue  # a mistake of its own
        reference, stages = interpreter.get("reference"), list(interpreter["stages"])
        if reference is not None and reference not in stages:
            yield f"{key}.reference is a stage of the training ({', '.join(stages)}), or null, got {reference!r}"
        elif reference is not None and interpreter["stages"][reference]["steps"] == 0:
            yield f"{key}.reference={reference} is a stage of 0 steps, which is none: raise its steps"
        yield from _order(key, interpreter)


def _order(key: str, interpreter: dict[str, Any]) -> Iterator[str]:
    """A stage that goes on from one that does not come before it, or whose anchor would be an untrained decoder."""
    before: list[str] = []
    for name, stage in interpreter["stages"].items():
        after = stage.get("after")
        typed = f"{key}.{name}_after" if f"{name}_after" in interpreter else f"{key}.stages.{name}.after"
        if after is not None and after not in before:
            yield f"{typed} is a stage that comes before {name} ({', '.join(before)}), got {after!r}"
        elif after is not None and after != before[-1] and interpreter.get("lambda_anchor"):
            yield (
                f"{typed}={after} starts {name} before {before[-1]}, and interpreter.lambda_anchor anchors the maps to "
                f"those of the start: set it to 0, or {typed}={before[-1]}"
            )
        before.append(name)


def _joint(probe: dict[str, Any]) -> Iterator[str]:
    """What has to go together in a probe whose values are each right."""
    if probe["level"] is None and (probe["module"] or {}).get("kind") in ("normal", "uniform"):
        yield "probe.level is null: noise needs a misclassification rate between 0 and 1 (0.03, 0.30)"
    warmup, steps = probe.get("warmup", 0), probe.get("steps", 0)
    if warmup > steps:
        yield f"probe.warmup is a part of probe.steps ({steps}), got {warmup}"


def _portably(trainer: dict[str, Any]) -> Iterator[str]:
    """What portable arithmetic does not go with."""
    if trainer.get("portable") is not True:
        return
    others = {"compile": trainer.get("compile") is True, "precision": trainer.get("precision") == BFLOAT16}
    for name, value, usual in (("compile", "true", "false"), ("precision", BFLOAT16, FLOAT32)):
        if others[name]:
            yield (
                f"trainer.portable=true gives the same bytes on every CPU, and trainer.{name}={value} computes with "
                f"what the CPU at hand has: set trainer.portable=false, or trainer.{name}={usual}"
            )


@dataclasses.dataclass(frozen=True)
class _Field:
    """A key of a group: what it may be, whether it has to be there, and the groups that it holds."""

    argument: Argument
    group: type | None = None  # the value is this group
    groups: type | None = None  # the value is a mapping of such groups
    nullable: bool = True


@cache
def _fields(group: type) -> dict[str, _Field]:
    hints = typing.get_type_hints(group, include_extras=True)
    return {each.name: _field(hints[each.name], _required(each)) for each in dataclasses.fields(group)}


def _required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _field(hint: Any, required: bool) -> _Field:
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    for each in options:
        nullable = len(options) > 1
        if dataclasses.is_dataclass(each) and isinstance(each, type):
            return _Field(Argument(None, required), group=each, nullable=nullable)
        held = typing.get_args(each)
        if typing.get_origin(each) is dict and dataclasses.is_dataclass(held[1]) and isinstance(held[1], type):
            return _Field(Argument(None, required), groups=held[1], nullable=nullable)
    return _Field(Argument(expectation(hint), required))


class _Check:
    """A walk through a configuration; ``found`` holds one sentence for each key as it is typed."""

    def __init__(self, origins: dict[str, str]) -> None:
        self.found: dict[str, str] = {}
        self.origins = origins
        self.sources = set(origins.values())

    def note(self, key: str, sentence: str) -> None:
        self.found.setdefault(key, sentence)

    def typed(self, group: str, name: str) -> str:
        """The key that a value was typed under: its own, or the one that it is taken from."""
        key = f"{group}.{name}" if group else name
        for _ in range(20):
            if key not in self.origins:
                break
            key = self.origins[key]
        return key

    def group(self, key: str, node: dict[str, Any], kind: type) -> None:
        """A group of known keys."""
        fields, arguments = _fields(kind), self.target(key, node) if "_target_" in node else None
        for name, value in node.items():
            where = self.typed(key, name)
            if field := fields.get(name):
                self.field(where, value, field)
                continue
            if arguments is not None and name in arguments.arguments:
                self.value(where, value, arguments.arguments[name])
            elif not (name in _RESERVED or getattr(kind, "open", False) or where in self.sources):
                known = arguments is not None or "_target_" not in node
                if known and not (arguments is not None and arguments.open):
                    self.unknown(key, name, [*fields, *(arguments.arguments if arguments else ())])
            self.parts(where, value)
        for name, field in fields.items():
            if field.argument.required and name not in node:
                self.missing(key, name)
        if arguments is not None:
            self.complete(key, node, arguments)

    def groups(self, node: dict[str, Any], kind: type) -> None:
        """Those of the known keys that are there."""
        fields = _fields(kind)
        for name in node.keys() & fields.keys():
            self.field(self.typed("", name), node[name], fields[name])

    def field(self, where: str, value: Any, field: _Field) -> None:
        if field.group is None and field.groups is None:
            self.value(where, value, field.argument)
            self.parts(where, value)
        elif isinstance(value, dict):
            if field.group is not None:
                self.group(where, value, field.group)
            for name, held in value.items() if field.groups is not None else ():
                self.field(self.typed(where, name), held, _Field(field.argument, group=field.groups, nullable=False))
        elif value is None:
            if not field.nullable:
                self.missing("", where)
        else:
            null = ", or null" if field.nullable else ""
            self.note(where, f"{where} is a group of keys{_choice(where)}{null}, got {shown(value)}")

    def value(self, where: str, value: Any, argument: Argument) -> None:
        if argument.expected is not None and not argument.expected.accepts(value):
            self.note(where, argument.expected.sentence(where, value))

    def parts(self, key: str, node: Any) -> None:
        """Every part below a node."""
        if isinstance(node, dict):
            found = self.target(key, node) if "_target_" in node else None
            for name, value in node.items():
                where = self.typed(key, str(name))
                if found is not None and name not in _RESERVED:
                    if name in found.arguments:
                        self.value(where, value, found.arguments[name])
                    elif not found.open:
                        self.unknown(key, name, list(found.arguments))
                self.parts(where, value)
            if found is not None:
                self.complete(key, node, found)
        elif isinstance(node, list):
            for index, value in enumerate(node):
                self.parts(self.typed(key, str(index)), value)

    def target(self, key: str, node: dict[str, Any]) -> Signature | None:
        """The arguments of a part, if its source can be read."""
        where, target = self.typed(key, "_target_"), node["_target_"]
        if not isinstance(target, str) or not all(part.isidentifier() for part in target.split(".")):
            self.note(where, f"{where} is the path of a class (package.module.Class), got {shown(target)}")
            return None
        try:
            return signature(target)
        except NoSuchTarget as error:
            own = target.partition(".")[0] in OURS or not error.near
            hint = f": did you mean {target.rpartition('.')[0]}.{error.near[0]}?" if own and error.near else ""
            self.note(where, f"{where}={target}: there is no {error}{hint}")
            return None

    def complete(self, key: str, node: dict[str, Any], found: Signature) -> None:
        """Tells of arguments that a part lacks."""
        if node.get("_partial_"):
            return
        for name, argument in found.arguments.items():
            if argument.required and name not in node and name not in _SUPPLIED:
                self.missing(key, name)

    def missing(self, key: str, name: str) -> None:
        where = f"{key}.{name}" if key else name
        if where in EXAMPLES:
            self.note(where, null_group(where))
        else:
            self.note(where, f"{where} is missing: set it ({where}=...)")

    def unknown(self, key: str, name: str, known: list[str]) -> None:
        where = f"{key}.{name}" if key else name
        found = near(name, known)
        hint = f"did you mean {f'{key}.' if key else ''}{found[0]}?" if found else f"there are {', '.join(known)}"
        self.note(where, f"{where} is no key of {key or 'the configuration'}: {hint}")


def _choice(where: str) -> str:
    """How a group is named on the command line."""
    if where in EXAMPLES:
        return f" ({where}={EXAMPLES[where]})"
    kinds = {"encoder": "classifier", "surrogate": "classifier", "source": "interpreter"}
    group, _, name = where.rpartition(".")
    kind = "classifier" if group.endswith("training.sources") else kinds.get(name)
    return f" (+{kind}@{where}=NAME)" if kind else ""
