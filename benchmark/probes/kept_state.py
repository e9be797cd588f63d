"""The state of an attack under way, kept in a file, so that one that was stopped goes on inside its group of samples.

What an attack changes from step to step names itself: an object's ``STATE`` has the names of its attributes that hold a
tensor, a number, None, another such object, or a list of them. Everything else of an attack is made again from its
settings, to the same bytes.
"""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from benchmark.probes.tensor_file import read_checked, write_checked
from benchmark.processes.signals import Stopped, raise_if_stopped

log = logging.getLogger("underfire")

State = dict[str, Tensor]
_CHANNELS_LAST = "|channels_last"
_ATTACK = "attack"

_current: list[StateKeeper] = []


class StateKeeper:
    """Keeps the state of one group's attack at a time, every so many seconds and at a stop.

    Of several attacks that run one after the other in one group the one under way is kept, with its number; those
    before it are run again.
    """

    def __init__(self, seconds: float, tell: Callable[[str], None] = lambda note: None) -> None:
        """``tell`` is told at every step how far the attack is."""
        self.seconds, self.tell = seconds, tell
        self.file: Path | None = None
        self.found: State | None = None
        self.attacks = 0
        self.written = time.monotonic()

    def begin(self, file: Path) -> None:
        """The attack on another group begins, from the state in its file where there is one."""
        self.file, self.found, self.attacks, self.written = file, None, 0, time.monotonic()
        if file.exists():
            try:
                self.found = read_checked(file)
            except SafetensorError:
                log.warning("%s is damaged; its group is attacked from the start", file)

    def end(self) -> None:
        """The group is finished, and its state not needed any more."""
        if self.file is not None:
            self.file.unlink(missing_ok=True)
        self.file = self.found = None


@contextmanager
def kept_by(keeper: StateKeeper) -> Iterator[None]:
    """Attacks inside are kept by the keeper."""
    _current.append(keeper)
    try:
        yield
    finally:
        _current.remove(keeper)


class UnderWay:
    """One attack on one group. Where nothing keeps states, as in a training, it does nothing."""

    def __init__(self) -> None:
        self.keeper = _current[-1] if _current and _current[-1].file is not None else None
        self.number = 0
        if self.keeper is not None:
            self.number = self.keeper.attacks
            self.keeper.attacks += 1

    def put_back(self, device: torch.device, **parts: Any) -> None:
        """Gives the parts the state that was kept of this attack, if there is one."""
        found = None if self.keeper is None else self.keeper.found
        if found is None or int(found[_ATTACK]) != self.number:
            return
        for name, part in parts.items():
            restore(part, found, name, device)

    def step(self, taken: int, steps: int, **parts: Any) -> None:
        """So many of the steps are taken: writes the parts where it is time to; raises Stopped after a signal."""
        if self.keeper is None:
            return
        self.keeper.tell(f"step {taken} of {steps}")
        try:
            raise_if_stopped()
        except Stopped:
            self._write(parts)
            raise
        if time.monotonic() - self.keeper.written >= self.keeper.seconds:
            self._write(parts)

    def _write(self, parts: dict[str, Any]) -> None:
        keeper = self.keeper
        assert keeper is not None and keeper.file is not None
        keeper.written = time.monotonic()
        state = {_ATTACK: torch.tensor(self.number)}
        try:
            for name, part in parts.items():
                state |= state_of(part, name)
            write_checked(keeper.file, state)
        except TypeError as error:
            log.warning("%s; its group will be attacked from the start", error)
        except OSError as error:
            log.warning("%s cannot be written (%s); its group will be attacked from the start", keeper.file, error)


def state_of(value: Any, name: str) -> State:
    """The tensors and numbers of a value by names that begin with ``name``; None is left out.

    Raises:
        TypeError: an object that may change and does not say what of it.
    """
    if value is None:
        return {}
    if isinstance(value, Tensor):
        last = value.ndim == 4 and not value.is_contiguous() and value.is_contiguous(memory_format=torch.channels_last)
        return {f"{name}{_CHANNELS_LAST if last else ''}": value.detach().cpu().contiguous()}
    if isinstance(value, bool | int | float):
        return {name: torch.tensor(value, dtype=torch.float64 if isinstance(value, float) else None)}
    if isinstance(value, list | tuple):
        parts = [state_of(each, f"{name}.{index}") for index, each in enumerate(value)]
    elif hasattr(value, "STATE"):
        parts = [state_of(getattr(value, each), f"{name}.{each}") for each in value.STATE]
    elif inspect.isroutine(value):
        parts = []  # a function, or a method of settings, changes nothing
    else:
        raise TypeError(f"{type(value).__name__} has no STATE, the names of what changes in it from step to step")
    return {key: tensor for part in parts for key, tensor in part.items()}


def restore(value: Any, state: State, name: str, device: torch.device) -> None:
    """Gives an object with STATE, and those in it, what :func:`state_of` has told of it."""
    if isinstance(value, list | tuple):
        for index, each in enumerate(value):
            restore(each, state, f"{name}.{index}", device)
        return
    for attribute in getattr(value, "STATE", ()):
        key, now = f"{name}.{attribute}", getattr(value, attribute)
        if hasattr(now, "STATE") or isinstance(now, list | tuple):
            restore(now, state, key, device)
        elif not inspect.isroutine(now):
            setattr(value, attribute, _value(state, key, device))


def _value(state: State, key: str, device: torch.device) -> Tensor | float | None:
    if (last := state.get(f"{key}{_CHANNELS_LAST}")) is not None:
        return last.to(device).contiguous(memory_format=torch.channels_last)
    if (found := state.get(key)) is None:
        return None
    return found.to(device) if found.ndim else found.item()
