"""One job of a command: its outcome is written down, and a user's mistake is logged as a sentence."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hydra import initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from benchmark.commands.common import console
from benchmark.commands.common.sweep_summary import note_outcome, note_sentence
from benchmark.commands.common.worker_device import take
from benchmark.configuration.messages import composition_sentence
from benchmark.configuration.resolution import as_dict
from benchmark.processes import allocator, portable, signals

log = logging.getLogger("underfire")


def job(config: DictConfig, name: Callable[[dict[str, Any]], str], work: Callable[[dict[str, Any]], str]) -> None:
    """Does ``work`` with the resolved configuration; it returns done or cached.

    Errors that a user can correct (ValueError, OSError, ArithmeticError, MemoryError) are logged as a sentence, any
    other error with its traceback. Both end this job alone with the outcome "failed"; a sweep goes on. A job of a
    cluster's queue that receives a stop signal ends with the outcome "stopped", and the sweep's other jobs go on.
    """
    label = "the configured cell"
    console.configure()
    allocator.keep_freed_memory()
    queued = ".hydra_submitit_launcher." in HydraConfig.get().launcher["_target_"]
    signals.install_handlers(isolated=queued)  # also in processes that a launcher has started
    try:
        signals.raise_if_stopped()
        launcher, sweep = HydraConfig.get().launcher, HydraConfig.get().sweep
        take(OmegaConf.to_container(launcher), Path(sweep.dir))  # type: ignore[arg-type]
        resolved = as_dict(config)
        if resolved.get("force") == "artefact" and "BasicLauncher" not in HydraConfig.get().launcher["_target_"]:
            raise ValueError("force=artefact takes away what other processes are using: run it without a launcher")
        portable.check(resolved.get("trainer") or {})
        label = name(resolved)
        status = work(resolved)
    except signals.Stopped as stop:
        if not queued:
            raise
        log.warning("stopped  %s: %s", label, stop)
        note_outcome(label, "stopped", str(stop))
    except (ValueError, OSError, ArithmeticError, MemoryError) as error:
        sentence = sentence_of(error)
        first = note_sentence(label, sentence)
        log.error("failed  %s: %s", label, sentence if first == label else f"as {first}")
        note_outcome(label, "failed", sentence)
    except Exception as error:
        signals.raise_if_stopped()
        log.exception("failed  %s", label)
        note_outcome(label, "failed", f"{type(error).__name__}: {error}".splitlines()[0])
    else:
        note_outcome(label, status)


def sentence_of(error: BaseException) -> str:
    """An error's message; that of the operating system with the file that it is about in front."""
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return (
            f"{error.filename} cannot be read or written ({error.strerror}): name a file or folder that is there and "
            "that you may use"
        )
    return str(error)


def hydras_mistake(error: Exception, conf: str, *, jobs_failed: bool = False) -> str:
    """A sentence on what kept Hydra from starting or ending a job.

    Args:
        jobs_failed: some jobs are known to have failed or to have been killed, after which launchers break off.
    Raises:
        Exception: ``error`` itself, where it is neither a user's mistake nor a launcher's end.
    """
    if isinstance(error, HydraException | OmegaConfBaseException):
        with initialize_config_dir(version_base="1.3", config_dir=conf):
            return composition_sentence(error)
    if isinstance(error, OSError):
        return (
            f"{error.filename or 'the folder of outputs'} cannot be written to ({error.strerror or error}): name a "
            "folder you may write to (paths.root=FOLDER for everything, paths.outputs=FOLDER for this)"
        )
    if isinstance(error, ValueError):
        return str(error)
    if jobs_failed:
        return f"the launcher has broken off: {type(error).__name__}"
    raise error
