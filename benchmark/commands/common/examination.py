"""What ``doctor`` looks at: each heading a function of the configuration, with the warnings and faults it finds."""

from __future__ import annotations

import os
import platform
import shutil
from importlib import metadata
from pathlib import Path

import torch

from benchmark.commands.common.arithmetic import PORTABLE, fingerprint, portable_fingerprint
from benchmark.configuration.specs import Config
from benchmark.processes import portable
from benchmark.processes.machine import cores, has_avx2, memory, processor
from benchmark.storage.atomic import FLOOR
from benchmark.storage.formats import FORMAT
from benchmark.storage.suite_version import VERSION

NEEDED = (
    *("torch", "torchvision", "timm", "pytorch-lightning", "hydra-core", "omegaconf", "wandb", "torchmetrics", "numpy"),
    *("scipy", "pandas", "pyarrow", "matplotlib", "safetensors", "hydra-joblib-launcher", "hydra-submitit-launcher"),
)
EXTRAS = {
    "captum": "peers",
    "grad-cam": "peers",
    "torchattacks": "peers",
    "foolbox": "peers",
    "quantus": "peers",
    "hydra-optuna-sweeper": "optuna",
}
_GB = 1e9
_LITTLE_DISK, _LITTLE_MEMORY = 5 * _GB, 3 * _GB


class Examination:
    """Facts by heading; warnings: sentences on what may surprise; faults: on what keeps ``run`` from working."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.warnings: list[str] = []
        self.faults: list[str] = []
        self.facts: dict[str, dict[str, str]] = {
            "suite": self._suite(),
            "packages": self._packages(),
            "machine": self._machine(),
            "threads": self._threads(),
            "folders": self._folders(),
            "Weights & Biases": self._wandb(),
        }
        if config["repeats"]:
            self.facts["what repeats to the byte here"] = self._repeats()

    def _suite(self) -> dict[str, str]:
        return {
            "underfire": VERSION,
            "records": f"format {FORMAT['cell']}",
            "python": f"{platform.python_version()}, {platform.platform()}",
        }

    def _packages(self) -> dict[str, str]:
        found = {name: _version(name) for name in NEEDED}
        if missing := [name for name, version in found.items() if version is None]:
            self.faults.append(f"not installed: {', '.join(missing)}: pip install underfire, or make setup")
        told = {name: version or "missing" for name, version in found.items()}
        extra = {name: _version(name) or f"not installed (underfire[{group}])" for name, group in EXTRAS.items()}
        return told | extra

    def _machine(self) -> dict[str, str]:
        told = {"CPU": f"{processor()}, {cores()} cores for this process"}
        if (found := memory()) is not None:
            free, whole = found
            told["memory"] = f"{free / _GB:.1f} of {whole / _GB:.1f} GB free"
            if free < _LITTLE_MEMORY:
                self.warnings.append(f"{free / _GB:.1f} GB of memory are free: groups of samples may have to be halved")
        count = torch.cuda.device_count()
        for number in range(count):
            card = torch.cuda.get_device_properties(number)
            told[f"GPU {number}"] = f"{card.name}, {card.total_memory / _GB:.0f} GB, CUDA {torch.version.cuda}"
        if not count:
            told["GPU"] = "none that torch can use"
            if self.config["trainer"]["accelerator"] in ("gpu", "cuda"):
                self.faults.append("trainer.accelerator asks for a GPU and there is none: use trainer=auto or cpu")
            elif Path("/proc/driver/nvidia").exists():
                self.warnings.append(f"there is an NVIDIA driver, and this torch ({torch.__version__}) uses no GPU")
        told["scheduler"] = "SLURM (sbatch)" if shutil.which("sbatch") else "none"
        return told

    def _threads(self) -> dict[str, str]:
        own = portable.threads(self.config["trainer"])
        used = torch.get_num_threads() if own is None else own
        if used > cores():
            self.warnings.append(f"{used} threads on {cores()} cores slow each other down: set trainer.threads")
        return {
            "of a process": f"{used} ({'torch chooses' if own is None else 'trainer.threads, or portable'})",
            "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "not set"),
        }

    def _folders(self) -> dict[str, str]:
        told = {}
        for name in ("store", "data", "results", "report", "wandb", "outputs"):
            path = Path(self.config["paths"][name]).absolute()
            there = next(each for each in (path, *path.parents) if each.exists())
            free = shutil.disk_usage(there).free
            told[name] = f"{path}, {free / _GB:.1f} GB free{'' if path.exists() else ', will be made'}"
            if not os.access(there, os.W_OK | os.X_OK) or not there.is_dir():
                self.faults.append(f"paths.{name}={path} cannot be written to: name a folder you may write to")
            elif free < FLOOR:
                self.faults.append(f"paths.{name}={path} has {free / 1e6:.0f} MB free: nothing is started there")
            elif free < _LITTLE_DISK:
                self.warnings.append(f"paths.{name}={path} has {free / _GB:.1f} GB free: plan says what a sweep needs")
        return told

    def _wandb(self) -> dict[str, str]:
        logger = self.config["logger"]
        known = bool(os.environ.get("WANDB_API_KEY"))
        if logger["mode"] == "online" and not known and not Path("~/.netrc").expanduser().exists():
            self.warnings.append("logger=wandb_online, and no login is known: wandb login, or WANDB_API_KEY")
        return {
            "mode": f"{logger['mode']} (logger=wandb | wandb_online | none), project {logger['project']}",
            "WANDB_API_KEY": "set" if known else "not set (wandb login keeps a key in ~/.netrc)",
        }

    def _repeats(self) -> dict[str, str]:
        first, second, threaded = fingerprint(), fingerprint(), fingerprint(threads=2)
        if first != second:
            self.warnings.append("a small training gave other bytes the second time: nothing repeats exactly here")
        capability = torch.backends.cpu.get_cpu_capability()
        told = {
            "again": f"{'yes' if first == second else 'NO'} ({first}): the same bytes in the same process",
            "other threads": "the same"
            if threaded == first
            else "other bytes with two threads than with one, as usual",
            "set now": "portable" if portable.is_on() else f"as it is, CPU capability {capability}",
        }
        if has_avx2() is False:
            told["portable mode"] = "not here: the CPU has no AVX2 (trainer.portable=true)"
            return told
        found, kept = portable_fingerprint(), PORTABLE.get(torch.__version__.partition("+")[0])
        if not found:
            told["portable mode"] = "not here: a process in portable mode failed"
        elif kept is None:
            told["portable mode"] = f"{found}, nothing to compare with under torch {torch.__version__} (there is: " + (
                ", ".join(PORTABLE) + ")"
            )
        else:
            same = "the bytes of" if found == kept else "OTHER bytes than"
            told["portable mode"] = f"{found}, {same} the published portable results' machine (AMD EPYC, {kept})"
        return told


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
