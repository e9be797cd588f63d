"""What defines each artefact and each cell: plain dictionaries that are hashed, without importing torch.

A spec holds everything that a result depends on and nothing else: not paths, loggers, devices or worker counts.
Upstream artefacts stand in it by their hash. Everything here reads the resolved configuration.
"""

from __future__ import annotations

from typing import Any

from benchmark.numerics.precisions import FLOAT32
from benchmark.storage.artefacts import artefact_key
from benchmark.storage.external_file import read_key_map, weights_file
from benchmark.storage.hashing import sha256_file

Config = dict[str, Any]  # the resolved configuration, or one group of it
Spec = dict[str, Any]

# Of the data group: where the files lie, how they are loaded and how many of them are looked at, not what they are.
_LOADING = ("root", "download", "num_workers", "cache", "verify", "val_labels", "boxes", "scale_images")

# Of the data group: keys that its class is not given.
OWN_KEYS = ("name", "fingerprint", "scale_images")

# Of a classifier: how weights from outside are read; and what enters only where it is set.
_OF_CHECKPOINT = ("checkpoint", "checkpoint_entry", "key_map")
_OPTIONAL = ("mean", "std")
KEY_MAP = "classifier.key_map"
USUAL_OPTIMIZER = "adamw"

# The noise that the benign spread is taken under keeps the prediction of all but this share of the samples.
SPREAD_LEVEL = 0.03


def _without(group: Config, names: tuple[str, ...]) -> Spec:
    return {key: value for key, value in group.items() if key not in names}


def data_spec(config: Config) -> Spec:
    """The data set, its seed and, for files on disk, their fingerprint."""
    group = config["data"]
    spec = _without(group, (*_LOADING, "name"))
    if group.get("fingerprint"):
        from benchmark.data.folder_index import fingerprint
        from benchmark.data.folder_layout import Layout

        imagenet = group.get("classes") == "imagenet"
        layout = Layout(group.get("test_folder", "test"), group.get("val_labels"), imagenet, group.get("boxes"))
        spec["fingerprint"] = fingerprint(group["root"], layout)
    return spec


def _precision(config: Config) -> Spec:
    """The precision of layers, where it is not float32; what is compiled differs by rounding alone."""
    precision = (config.get("trainer") or {}).get("precision", FLOAT32)
    return {} if precision == FLOAT32 else {"precision": precision}


def classifier_spec(config: Config, group: Config | None = None) -> Spec:
    """One classifier: architecture, training, seed, data, and the hashes of the classifiers that it is trained against.

    ``group`` stands for another than the explained one.
    """
    chosen = config["classifier"] if group is None else group
    unset = [name for name in _OPTIONAL if chosen.get(name) is None]
    network = _without(chosen, ("label", "architecture", *_OF_CHECKPOINT, *unset))
    network["training"] = _training(chosen["training"])
    spec = {"data": artefact_key("data", data_spec(config)), "classifier": network, **_precision(config)}
    if (start := training_start(chosen)) is not None:
        spec["start"] = artefact_key("classifier", classifier_spec(config, start))
    if sources := training_sources(chosen):
        spec["sources"] = [artefact_key("classifier", classifier_spec(config, source)) for source in sources.values()]
    if chosen["checkpoint"] is not None:
        spec["checkpoint"] = _checksum(chosen["checkpoint"], "classifier.checkpoint")
        read = {"entry": chosen.get("checkpoint_entry"), "key_map": read_key_map(chosen.get("key_map"), KEY_MAP)}
        spec |= {name: value for name, value in read.items() if value is not None}
    return spec


def _training(group: Config) -> Spec:
    """How a classifier is trained; the optimizer enters where it is not the usual one."""
    module = {name: value for name, value in group["module"].items() if (name, value) != ("optimizer", USUAL_OPTIMIZER)}
    return {**_without(group, ("suffix", "sources", "start")), "module": module}


def training_start(group: Config) -> Config | None:
    """The same network as its training finds it, where that is trained too; None where it is not."""
    start = group["training"].get("start")
    if start is None or group["checkpoint"] is not None:
        return None
    return {**group, "training": start, "label": f"{group['architecture']}{start['suffix']}"}


def training_sources(group: Config) -> dict[str, Config]:
    """The classifiers that the training of one needs, in the order of their names; none where it is not trained."""
    if group["checkpoint"] is not None:
        return {}
    return dict(sorted((group["training"].get("sources") or {}).items()))


def _checksum(path: str, key: str) -> str:
    return sha256_file(weights_file(path, key))


def stage_specs(config: Config) -> list[tuple[str, Spec]]:
    """(name, spec) of the training stages of the interpreter in order, each on top of the one that it says.

    Weights from outside (``interpreter.checkpoint``) are one stage, "checkpoint".
    """
    group = config["interpreter"]
    classifier = artefact_key("classifier", classifier_spec(config))
    encoder = group.get("encoder")
    encoder_key = None if encoder is None else artefact_key("classifier", classifier_spec(config, encoder))
    networks = {"classifier": classifier, "encoder": encoder_key}
    if group.get("checkpoint") is not None:
        checksum = _checksum(group["checkpoint"], "interpreter.checkpoint")
        return [("checkpoint", {**networks, "network": group["network"], "checkpoint": checksum})]
    keys: dict[str, str] = {}
    stages = []
    for name, after in stage_order(group).items():
        stage = _without(group["stages"][name], ("after",))
        trained = {**networks, "network": _trained_network(group, name), "stage": stage}
        spec = {**trained, "after": None if after is None else keys[after], **_precision(config)}
        keys[name] = artefact_key("interpreter", spec)
        stages.append((name, spec))
    return stages


def _trained_network(group: Config, stage: str) -> Config:
    """What of an interpreter's network a stage's weights depend on: the selector's confidence in the last stage alone.

    The stages before train at confidence 0, so that they are shared by interpreters that differ in it.
    """
    network: Config = of_stage(group, stage)["network"]
    if "confidence" not in network or stage == list(group["stages"])[-1]:
        return network
    return {**network, "confidence": 0.0}


def of_stage(group: Config, stage: str) -> Config:
    """The interpreter as a stage trains it: a trunk of its own is trained, and there, in the last stage alone.

    So the stages before are shared with the interpreters that have none.
    """
    if not group["network"].get("own_trunk") or stage not in list(group["stages"])[:-1]:
        return group
    return {**group, "own_trunk": False, "network": {**group["network"], "own_trunk": False}}


def stage_order(group: Config) -> dict[str, str | None]:
    """Of each training stage of an interpreter, in order, the one that it goes on from; None for the first.

    Stages of 0 steps are left out, but for the last, whose weights are the result.
    """
    found: dict[str, str | None] = {}
    previous = None
    stages = group.get("stages", {})
    for name, stage in stages.items():
        if stage["steps"] == 0 and name != list(stages)[-1]:
            continue
        found[name] = stage.get("after") or previous
        previous = name
    return found


def interpreter_spec(config: Config) -> Spec:
    """The interpreter as it is measured: its last stage, or its settings alone where nothing is trained."""
    network = config["interpreter"]["network"]
    if members := config["interpreter"].get("members"):
        specs = [interpreter_spec({**config, "interpreter": member}) for member in members.values()]
        return {"members": specs, "network": network}
    if stages := stage_specs(config):
        return {"last_stage": artefact_key("interpreter", stages[-1][1]), "network": network}
    return {"classifier": artefact_key("classifier", classifier_spec(config)), "network": network}


def predictions_spec(config: Config, split: str) -> Spec:
    """The classifier's decisions on one split, without a probe."""
    return {"classifier": artefact_key("classifier", classifier_spec(config)), "split": split}


def scale_spec(config: Config, module: Spec, level: float) -> Spec:
    """A calibrated noise scale."""
    classifier = artefact_key("classifier", classifier_spec(config))
    return {"classifier": classifier, "noise": module, "level": level, **_scale_images(config)}


def _scale_images(config: Config) -> Spec:
    """Where noise scales are found on a part of calibration, its size: what such a scale enters depends on it."""
    count = config["data"].get("scale_images")
    return {} if count is None else {"scale_images": count}


def spread_noise(config: Config) -> Spec:
    """The noise that the benign spread is taken under: normal, drawn from the data seed."""
    return {"_target_": "benchmark.probes.noise.Noise", "kind": "normal", "seed": config["data"]["seed"]}


def spread_spec(config: Config) -> Spec:
    """An interpreter's benign spread."""
    samples = config["measure"]["spread_samples"]
    return {"interpreter": interpreter_spec(config), "samples": samples, "level": SPREAD_LEVEL, **_scale_images(config)}


def probed_spec(config: Config) -> Spec:
    """The perturbed images; only a probe that needs maps depends on the interpreter."""
    config = source_config(config)
    probe = config["probe"]
    spec = {
        "classifier": artefact_key("classifier", classifier_spec(config)),
        "split": config["split"],
        "samples": probe["samples"],
        "batch_size": probe["batch_size"],
        "module": probe["module"],
        "level": probe["level"],
        **_precision(config),
    }
    if probe["level"] is not None:
        spec |= _scale_images(config)
    if probe["needs_map"]:
        spec["interpreter"] = interpreter_spec(config)
    return spec


def source_config(config: Config) -> Config:
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


def cell_spec(config: Config) -> Spec:
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
        **_scale_images(config),
    }
    if probe.get("source") is not None:
        spec["source"] = probe["source"]["name"]
    if probe.get("surrogate") is not None:
        spec["surrogate"] = probe["surrogate"]["label"]
    if probe["module"] is not None:
        spec["probed"] = artefact_key("probed", probed_spec(config))
    return spec
