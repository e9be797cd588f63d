"""What artefacts and cells cost, in units of the loops that they are made of: the counts, without any time.

A unit is one image in one pass of a loop: a step of a training on a batch of 64 is 64 units, and so is a step of an
attack on 64 images.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from benchmark.configuration.specs import Config
from benchmark.planning.image_counts import image_count, image_size
from benchmark.planning.required_artefacts import ArtefactRef
from benchmark.storage.hashing import content_hash

# Passes of an image that the calibration of a noise takes, by bisection over all images and coarse to fine: means of
# 200 planted curves of 2,000 samples each, at the 3 % and the 30 % level.
BISECTION, COARSE_TO_FINE = 11, 3
MAPS_OF_SPREAD = 6  # of an image: benign, noisy, four shifts
EDITED = 50  # images an image that deletion and insertion score
_LAYERS = ("precision", "compile")  # keys of trainer that trainings and attacks depend on
# Image steps of the checks of an attack on 8 samples: without its bound, transferred, and by random signs.
_CHECKS = 8 * 40


@dataclass(frozen=True)
class Loop:
    """A kind of loop: ``key`` is a hash of all that the time of one unit depends on.

    name: classifier step | stage step | forward | map | probe step | start. label: for people. config: one that it
    occurs in; part: of that a classifier's group or a training stage's name.
    """

    key: str
    name: str = field(compare=False)
    label: str = field(compare=False)
    config: Config = field(compare=False, repr=False)
    part: Any = field(default=None, compare=False, repr=False)


Work = tuple[Loop, float]  # and how many units of it


def work_of(ref: ArtefactRef, accuracy: float = 1.0) -> list[Work]:
    """What making an artefact takes. ``accuracy``: the share of images that are classified right, where unknown 1."""
    config = ref.config
    if not _known(config):
        return [(_unknown(config), 1)]
    if ref.kind == "classifier":
        return _classifier(config, ref.part)
    if ref.kind == "interpreter":
        return _stage(config, ref.part)
    if ref.kind == "predictions":
        return [(forward_loop(config), _count(config, ref.spec["split"])), (start_loop(config), 1)]
    calibration = accuracy * _count(config, "calibration")
    if ref.kind == "scale":
        most = config["data"].get("scale_images")
        passes = BISECTION * calibration if most is None else COARSE_TO_FINE * min(most, calibration)
        return [(forward_loop(config), passes)]
    if ref.kind == "spread":
        return [(_map(config), MAPS_OF_SPREAD * min(config["measure"]["spread_samples"], calibration))]
    probe = config["probe"]
    checks = _CHECKS if _steps(probe["module"]) else 0
    units = samples_of(config, accuracy) * steps_of(probe["module"])
    return [(_probe(config), units + checks), (start_loop(config), 1)]


def work_of_cell(config: Config, accuracy: float = 1.0) -> list[Work]:
    """What a cell takes beside its artefacts: the measures, and its start."""
    if not _known(config):
        return [(_unknown(config), 1)]
    settings, probe = config["measure"], config["probe"]
    samples = samples_of(config, accuracy)
    if probe["module"] is not None:
        return [(_map(config), 3 * samples), (start_loop(config), 2)]
    maps = samples * (2 if config["interpreter"].get("reference") else 1)
    maps += (MAPS_OF_SPREAD - 1) * min(settings["harmless_samples"], samples)
    scored = min(settings["faithful_samples"], samples)
    return [(_map(config), maps), (forward_loop(config), EDITED * scored), (start_loop(config), 2)]


def samples_of(config: Config, accuracy: float = 1.0) -> float:
    """The samples that a cell measures."""
    there = accuracy * _count(config, config["split"])
    wanted = config["probe"]["samples"]
    return there if wanted is None else min(wanted, there)


def _classifier(config: Config, group: Config) -> list[Work]:
    training, train = group["training"], _count(config, "train")
    if group["checkpoint"] is not None or training["epochs"] == 0:
        return []
    batch = min(training["batch_size"], train)
    steps = training["epochs"] * (train // batch)
    key = {"network": _network(config, group), "module": training["module"], "batch": batch}
    loop = _loop("classifier step", key, f"training step of {group['label']}", config, group)
    looked_at = training["epochs"] * _count(config, "calibration")
    return [(loop, steps * batch), (forward_loop(config, group), looked_at), (start_loop(config), 1)]


def _stage(config: Config, stage: str) -> list[Work]:
    interpreter = config["interpreter"]
    if stage == "checkpoint" or not interpreter["stages"][stage]["steps"]:
        return []
    settings = interpreter["stages"][stage]
    batch = min(settings["batch_size"], _count(config, "train"))
    key = {"network": _explained(config), "module": settings["module"], "batch": batch}
    loop = _loop("stage step", key, f"training step of {interpreter['name']}, {stage}", config, stage)
    return [(loop, settings["steps"] * batch), (start_loop(config), 1)]


def forward_loop(config: Config, group: Config | None = None) -> Loop:
    """A forward pass of the classifier, or of that of ``group``."""
    chosen = config["classifier"] if group is None else group
    return _loop("forward", {"network": _network(config, chosen)}, f"pass of {chosen['label']}", config, chosen)


def _map(config: Config) -> Loop:
    label = f"map of {config['interpreter']['name']} on {config['classifier']['label']}"
    return _loop("map", {"network": _explained(config)}, label, config)


def _probe(config: Config) -> Loop:
    probe = config["probe"]
    on = _explained(config) if probe["needs_map"] else _network(config, config["classifier"])
    key = {"network": on, "module": _without_counts(probe["module"])}
    where = f"{config['interpreter']['name']} on " if probe["needs_map"] else ""
    return _loop("probe step", key, f"step of {probe['name']} on {where}{config['classifier']['label']}", config)


def start_loop(config: Config) -> Loop:
    """What a Trainer, the networks' building and the writing of files take once, however few the images are."""
    network = _network(config, config["classifier"])
    return _loop("start", {"network": network}, f"start of a Trainer on {config['classifier']['label']}", config)


def _loop(name: str, key: Config, label: str, config: Config, part: Any = None) -> Loop:
    layers = {} if name in ("forward", "map", "start") else {each: config["trainer"].get(each) for each in _LAYERS}
    hashed = content_hash({"loop": name, "size": image_size(config), **_cost(key), **layers})
    return Loop(hashed, name, f"{label}, {image_size(config)} px", config, part)


def _network(config: Config, group: Config) -> Config:
    return {name: group[name] for name in ("name", "small_input", "options")}


def _explained(config: Config) -> Config:
    interpreter = config["interpreter"]
    members = {name: member["network"] for name, member in (interpreter.get("members") or {}).items()}
    encoder = interpreter.get("encoder")
    return {
        "classifier": _network(config, config["classifier"]),
        "interpreter": interpreter["network"],
        "members": members,
        "encoder": None if encoder is None else _network(config, encoder),
    }


def _cost(node: Any) -> Any:
    """What of some settings changes the time of a unit: not seeds, and of weights and rates only whether they are 0."""
    if isinstance(node, dict):
        return {name: _cost(_weight(name, value)) for name, value in node.items() if name != "seed"}
    if isinstance(node, list | tuple):
        return [_cost(value) for value in node]
    if isinstance(node, float):
        return node != 0
    return re.sub(r".*\.", "", node) if isinstance(node, str) else node


def _weight(name: str, value: Any) -> Any:
    """A weight as a float, also where it was typed as a whole number."""
    return float(value) if name == "weight" and isinstance(value, int) else value


def _without_counts(node: Any) -> Any:
    if isinstance(node, dict):
        left_out = ("steps", "steps_factor", "passes", "rounds")
        return {name: _without_counts(value) for name, value in node.items() if name not in left_out}
    return [_without_counts(value) for value in node] if isinstance(node, list) else node


def _steps(module: Config) -> int:
    """The steps that an attack takes on an image; 0 for what is no attack."""
    attack = module.get("attack")
    if not isinstance(attack, dict):
        return 0
    if "passes" in attack:
        return int(attack["passes"])
    inner = _steps(attack) * int(attack.get("rounds", 1)) if isinstance(attack.get("attack"), dict) else 0
    return inner or int(attack.get("steps") or 1) * int(attack.get("steps_factor") or 1)


def steps_of(module: Config) -> int:
    """The steps that a probe takes on an image, over all rounds; 1 for noise."""
    return max(_steps(module), 1)


def _known(config: Config) -> bool:
    return all(image_count(config, split) for split in ("train", "calibration", config["split"]))


def _unknown(config: Config) -> Loop:
    """Stands for all work on a data set that does not say beforehand how many images it has."""
    name = config["data"]["name"]
    return Loop(f"unknown {name}", "unknown", f"all work on data={name}, whose number of images is not known", config)


def _count(config: Config, split: str) -> int:
    count = image_count(config, split)
    return 0 if count is None else count
