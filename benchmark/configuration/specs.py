"""What defines each artefact and each cell: plain dictionaries that are hashed, without importing torch.

A spec holds everything that a result depends on and nothing else: not paths, loggers, devices or worker counts.
Upstream artefacts stand in it by their hash. Everything here reads the resolved configuration.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmark.storage.artefacts import artefact_key
from benchmark.storage.hashing import sha256_file
from benchmark.storage.paths import WEIGHTS

Spec = dict[str, Any]

# Of a configuration group: where things lie and how they are loaded, not what they are.
_PLACES = ("root", "download", "num_workers", "cache", "verify")


def _without(group: Spec, names: tuple[str, ...]) -> Spec:
    return {key: value for key, value in group.items() if key not in names}


def data_spec(config: Spec) -> Spec:
    """The data set, its seed and, for files on disk, their fingerprint."""
    group = config["data"]
    spec = _without(group, (*_PLACES, "name"))
    if group.get("fingerprint"):
        from benchmark.data.folder_index import fingerprint

        spec["fingerprint"] = fingerprint(group["root"])
    return spec


def classifier_spec(config: Spec, group: Spec | None = None) -> Spec:
    """One classifier: architecture, training, seed, data. ``group`` stands for another than the explained one."""
    chosen = config["classifier"] if group is None else group
    spec = {"data": artefact_key("data", data_spec(config)), "classifier": _without(chosen, ("label", "checkpoint"))}
    if chosen["checkpoint"] is not None:
        spec["checkpoint"] = _checksum(chosen["checkpoint"], "classifier.checkpoint")
    return spec


def _checksum(path: str, key: str) -> str:
    file = Path(path) / WEIGHTS if Path(path).is_dir() else Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"{key}={path} is not there: name a .safetensors or .pt file, or an artefact's folder")
    return sha256_file(file)


def stage_specs(config: Spec) -> list[tuple[str, Spec]]:
    """(name, spec) of the training stages of the interpreter in order, each on top of the one before."""
    group = config["interpreter"]
    classifier = artefact_key("classifier", classifier_spec(config))
    encoder = group.get("encoder")
    own = None if encoder is None else artefact_key("classifier", classifier_spec(config, encoder))
    if group.get("checkpoint") is not None:
        checksum = _checksum(group["checkpoint"], "interpreter.checkpoint")
        spec = {"classifier": classifier, "encoder": own, "network": group["network"], "checkpoint": checksum}
        return [("checkpoint", spec)]
    before, stages = None, []
    for name, stage in group.get("stages", {}).items():
        spec = {
            "classifier": classifier,
            "encoder": own,
            "network": group["network"],
            "stage": stage,
            "after": before,
        }
        before = artefact_key("interpreter", spec)
        stages.append((name, spec))
    return stages


def interpreter_spec(config: Spec) -> Spec:
    """The interpreter as it is measured: its last stage, or its own settings where nothing is trained."""
    if members := config["interpreter"].get("members"):
        own = [interpreter_spec({**config, "interpreter": member}) for member in members.values()]
        return {"members": own, "network": config["interpreter"]["network"]}
    stages = stage_specs(config)
    if stages:
        return {"last_stage": artefact_key("interpreter", stages[-1][1]), "network": config["interpreter"]["network"]}
    return {
        "classifier": artefact_key("classifier", classifier_spec(config)),
        "network": config["interpreter"]["network"],
    }


def predictions_spec(config: Spec) -> Spec:
    """The classifier's decisions on one split, without a probe."""
    return {"classifier": artefact_key("classifier", classifier_spec(config)), "split": config["split"]}


def scale_spec(config: Spec, module: Spec, level: float) -> Spec:
    """A calibrated noise scale."""
    return {"classifier": artefact_key("classifier", classifier_spec(config)), "noise": module, "level": level}


def spread_noise(config: Spec) -> tuple[Spec, float]:
    """The noise that the benign spread is taken under, and its level: normal, 3 %, drawn from the data seed."""
    return {"_target_": "benchmark.probes.noise.Noise", "kind": "normal", "seed": config["data"]["seed"]}, 0.03


def spread_spec(config: Spec) -> Spec:
    """An interpreter's benign spread."""
    measure = config["measure"]
    _, level = spread_noise(config)
    return {"interpreter": interpreter_spec(config), "samples": measure["spread_samples"], "level": level}


def probed_spec(config: Spec) -> Spec:
    """The probed images; only a probe that reads maps depends on the interpreter."""
    config = source_config(config)
    probe = config["probe"]
    spec = {
        "classifier": artefact_key("classifier", classifier_spec(config)),
        "split": config["split"],
        "samples": probe["samples"],
        "batch_size": probe["batch_size"],
        "module": probe["module"],
        "level": probe["level"],
    }
    if probe["needs_map"]:
        spec["interpreter"] = interpreter_spec(config)
    return spec


def source_config(config: Spec) -> Spec:
    """The configuration that a probe attacks: ``probe.source`` and ``probe.surrogate`` stand for what is measured."""
    probe = config["probe"]
    source, surrogate = probe.get("source"), probe.get("surrogate")
    if source is None and surrogate is None:
        return config
    return {
        **config,
        "interpreter": config["interpreter"] if source is None else source,
        "classifier": config["classifier"] if surrogate is None else surrogate,
        "probe": {**probe, "source": None, "surrogate": None},
    }


def cell_spec(config: Spec) -> Spec:
    """One row of the benchmark."""
    probe = config["probe"]
    spec = {
        "interpreter": interpreter_spec(config),
        "name": config["interpreter"]["name"],
        "split": config["split"],
        "samples": probe["samples"],
        "batch_size": probe["batch_size"],
        "measure": config["measure"],
        "budget": config["budget"]["name"],
    }
    if probe.get("source") is not None:
        spec["source"] = probe["source"]["name"]
    if probe.get("surrogate") is not None:
        spec["surrogate"] = probe["surrogate"]["label"]
    if probe["module"] is not None:
        spec["probed"] = artefact_key("probed", probed_spec(config))
    return spec


def cell_name(config: Spec) -> str:
    """The record's folder: readable, and unique by its hash."""
    probe = config["probe"]
    told = probe["level"]
    level = "" if told is None else f"_{told:g}" if isinstance(told, int | float) else f"_{told}"  # a mistake has a row
    factor = "" if probe["steps_factor"] == 1 else f"_x{probe['steps_factor']}"
    source = "" if probe.get("source") is None else f"_from_{probe['source']['name']}"
    source += "" if probe.get("surrogate") is None else f"_on_{probe['surrogate']['label']}"
    parts = [config["data"]["name"], config["classifier"]["label"], config["interpreter"]["name"]]
    return "-".join(
        [
            *parts,
            f"{probe['name']}{level}{factor}{source}",
            f"s{config['seed']}",
            artefact_key("cell", cell_spec(config))[:8],
        ]
    )
