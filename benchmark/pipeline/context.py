"""What one command works with: resolved configuration, store, clocks, device."""

from __future__ import annotations

import copy
import hashlib
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from benchmark.configuration.specs import source_config
from benchmark.processes import ranks
from benchmark.storage.artefacts import Artefact, Store

log = logging.getLogger("underfire")

# Artefacts already made anew by force=artefact in this process: cells of a sweep share them.
_forced: set[str] = set()


class RunContext:
    """One cell's configuration as plain dictionaries, its store, and what it has spent so far."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.store = Store(config["paths"]["store"])
        self.seconds: dict[str, float] = {}
        self.made: list[str] = []
        self.artefacts: dict[str, str] = {}
        self.prefix = ""  # of artefacts' names, for parts beside the measured ones
        self.shrink = 1  # by what groups of fixed size are divided, after the memory did not suffice
        threads = config["trainer"]["threads"]
        if threads is not None:
            torch.set_num_threads(int(threads))

    def explained_by(self, interpreter: dict[str, Any]) -> RunContext:
        """The same place with another interpreter; what is spent and made there counts here."""
        return self._with({**self.config, "interpreter": interpreter}, interpreter["name"])

    def for_source(self) -> RunContext:
        """The place of what the probe attacks: this one, or with ``probe.source`` and ``probe.surrogate`` in place."""
        config = source_config(self.config)
        return self if config is self.config else self._with(config, "attacked")

    def _with(self, config: dict[str, Any], name: str) -> RunContext:
        other = copy.copy(self)
        other.config = config
        other.prefix = f"{self.prefix}{name}: "
        return other

    @property
    def device(self) -> torch.device:
        """Where models run: what trainer.accelerator asks for, a GPU under "auto" where there is one."""
        accelerator = self.config["trainer"]["accelerator"]
        if accelerator in ("gpu", "cuda") and not torch.cuda.is_available():
            raise ValueError("trainer.accelerator asks for a GPU and this machine has none: use trainer=auto or cpu")
        if accelerator == "cpu" or not torch.cuda.is_available():
            return torch.device("cpu")
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK") or 0) if ranks.world_size() > 1 else 0)

    def group_size(self, usual: int) -> int:
        """Samples of one pass that no gradient and no batch statistics join: fewer where the memory did not suffice."""
        return max(usual // self.shrink, 1)

    def artefact(
        self,
        kind: str,
        name: str,
        spec: dict[str, Any],
        make: Callable[[Path], dict[str, Any]],
        *,
        alone: bool = True,
    ) -> Artefact:
        """From the store, or made now (``alone``: see Store.get); ``name`` is what the record calls it."""
        if self.config["force"] == "artefact" and (key := self.store.key(kind, spec)) not in _forced:
            _forced.add(key)
            ranks.broadcast(lambda: self.store.discard(kind, spec))
        name = f"{self.prefix}{name}"
        with self.timed(name):
            artefact = self.store.get(kind, spec, make, single_process=alone)
        self.artefacts[name] = artefact.key
        if artefact.made:
            self.made.append(name)
            log.info("made %s %s in %.1f s", name, artefact.key, self.seconds[name])
        return artefact

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Adds the time spent inside to ``stage``."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - start


@contextmanager
def seeded(seed: int, purpose: str) -> Iterator[None]:
    """Initial weights drawn from (seed, purpose), the global generator left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int.from_bytes(hashlib.sha256(f"{seed}/{purpose}".encode()).digest()[:7], "big"))
        yield
