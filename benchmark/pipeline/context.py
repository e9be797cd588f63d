"""What one command works with: the resolved configuration, the store, the device, and what has been spent."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from benchmark.configuration.specs import Config, source_config
from benchmark.planning.required_artefacts import ArtefactRef
from benchmark.processes import portable, ranks
from benchmark.storage.artefacts import Artefact, Store

log = logging.getLogger("underfire")

# Artefacts that force=artefact has already made anew in this process: the cells of a sweep share them.
_remade: set[str] = set()


@dataclass(frozen=True)
class Ledger:
    """What a cell has spent and used: seconds a stage, keys of artefacts by name, names of those made here."""

    seconds: dict[str, float] = field(default_factory=dict)
    artefacts: dict[str, str] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class RunContext:
    """The resolved configuration of one cell and what its stages share. Sets the number of threads, if configured.

    divisor: what groups of a fixed size are divided by, after memory has run out. prefix: stands before the names of
    artefacts of parts beside the measured ones.
    """

    config: Config
    divisor: int = 1
    prefix: str = ""
    ledger: Ledger = field(default_factory=Ledger)

    def __post_init__(self) -> None:
        if (threads := portable.threads(self.config["trainer"])) is not None:
            torch.set_num_threads(threads)

    @property
    def store(self) -> Store:
        """The artefacts that all cells share."""
        return Store(self.config["paths"]["store"])

    def for_interpreter(self, group: Config) -> RunContext:
        """The same context with another interpreter; one ledger for both."""
        return replace(self, config={**self.config, "interpreter": group}, prefix=f"{self.prefix}{group['name']}: ")

    def for_source(self) -> RunContext:
        """The context of what the probe attacks: this one, or that of ``probe.source`` and ``probe.surrogate``."""
        config = source_config(self.config)
        return self if config is self.config else replace(self, config=config, prefix=f"{self.prefix}source: ")

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
        """Samples of one pass that neither gradients nor batch statistics join: fewer after memory has run out."""
        return max(usual // self.divisor, 1)

    def is_made(self, ref: ArtefactRef) -> bool:
        """Whether an artefact is in the store; its checksums are checked when it is used."""
        return self.config["force"] != "artefact" and self.store.is_made(ref.kind, ref.key)

    def artefact(
        self, ref: ArtefactRef, make: Callable[[Path], dict[str, Any]], *, single_process: bool = True
    ) -> Artefact:
        """An artefact from the store, or made now by ``make(folder)``, which returns its metrics.

        single_process: in a distributed run the main process makes it while the others wait; else all of them do.
        """
        if self.config["force"] == "artefact" and ref.key not in _remade:
            _remade.add(ref.key)
            ranks.broadcast(lambda: self.store.discard(ref.kind, ref.spec))
        name = f"{self.prefix}{ref.name}"
        with self.timed(name):
            artefact = self.store.get(ref.kind, ref.spec, make, single_process=single_process)
        self.ledger.artefacts[name] = artefact.key
        if artefact.made:
            self.ledger.made.append(name)
            log.info("made %s %s in %.1f s", name, artefact.key, self.ledger.seconds[name])
        return artefact

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Adds the seconds spent inside to ``stage``."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.ledger.seconds[stage] = self.ledger.seconds.get(stage, 0.0) + time.perf_counter() - start


@contextmanager
def seeded(seed: int, purpose: str) -> Iterator[None]:
    """Initial weights inside are drawn from (seed, purpose); the global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int.from_bytes(hashlib.sha256(f"{seed}/{purpose}".encode()).digest()[:7], "big"))
        yield
