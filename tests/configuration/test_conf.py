"""Every option composes, and its arguments bind to what it names: a misspelt key in a yaml fails here."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from typing import Any

import pytest
import yaml
from hydra import compose, initialize_config_dir

from benchmark.__main__ import COMMANDS, PLANNERS, conf_folder
from benchmark.configuration.sweep_expansion import as_dict
from tests.helpers import PROJECT

CONF = conf_folder()
GROUPS = {
    group: sorted(str(path.relative_to(CONF / group).with_suffix("")) for path in (CONF / group).rglob("*.yaml"))
    for group in ("budget", "data", "classifier", "interpreter", "probe", "trainer", "logger", "measure", "paths")
}
CASES = [(group, option) for group, options in GROUPS.items() for option in options]
OPTUNA = pytest.mark.skipif(
    importlib.util.find_spec("hydra_plugins.hydra_optuna_sweeper") is None, reason="pip install 'underfire[optuna]'"
)
EXPERIMENTS = [
    pytest.param(path.stem, marks=[OPTUNA] if path.stem.startswith("optuna") else [])
    for path in sorted((CONF / "experiment").glob("*.yaml"))
]

# What the runners supply when they build an object.
SUPPLIED = {
    "classifier",
    "encoder",
    "image_size",
    "network",
    "interpreter",
    "scale",
    "probe",
    "reference",
    "spread",
    "members",
}
SUPPLIED |= {"blur", "faithful", "callbacks", "logger", "enable_progress_bar"}


# Told of by the line above, or by their group.
FAMILIAR = {"name", "label", "calibration", "test"}


def composed(command: str, *overrides: str) -> dict[str, Any]:
    with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        return as_dict(compose(command, overrides=["data.root=/nowhere", *overrides]))


def targets(node: Any, where: str = ""):
    """Every node with a ``_target_``, and where it stands."""
    if isinstance(node, dict):
        if "_target_" in node:
            yield where, node
        for key, value in node.items():
            yield from targets(value, f"{where}.{key}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from targets(value, f"{where}[{index}]")


def check_binding(config: dict[str, Any]) -> int:
    found = 0
    for where, node in targets({key: value for key, value in config.items() if key != "trainer"}):
        module, _, name = node["_target_"].rpartition(".")
        parameters = inspect.signature(getattr(importlib.import_module(module), name)).parameters
        given = set(node) - {"_target_", "_partial_"} - ({"name", "fingerprint"} if where == ".data" else set())
        assert given <= set(parameters), f"{where}: {given - set(parameters)} unknown to {node['_target_']}"
        needed = {key for key, value in parameters.items() if value.default is value.empty}
        assert needed <= given | SUPPLIED, f"{where}: {needed - given - SUPPLIED} missing for {node['_target_']}"
        found += 1
    return found


@pytest.mark.parametrize(("group", "option"), CASES, ids=lambda value: value)
def test_every_option_composes_and_binds(group, option):
    extra = ["data.root=/nowhere"] if group == "data" else []
    assert check_binding(composed("run", f"{group}={option}", *extra)) > 5


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_composes_and_binds(experiment):
    config = composed("run", f"experiment={experiment}")
    assert config["experiment_name"] == experiment
    assert check_binding(config) > 5


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - set(PLANNERS)))
def test_every_command_composes(command):
    with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        assert as_dict(compose(command))


def test_budgets_have_the_same_keys():
    keys = {
        option: set(yaml.safe_load((CONF / "budget" / f"{option}.yaml").read_text())) for option in GROUPS["budget"]
    }
    assert len({frozenset(each) for each in keys.values()}) == 1, keys


def test_seeds_are_fed_by_one_and_can_be_set_alone():
    config = composed("run", "seed=7", "interpreter.seed=3")
    assert (config["classifier"]["seed"], config["interpreter"]["seed"], config["probe"]["seed"]) == (7, 3, 7)
    assert config["data"]["seed"] == 0
    assert config["interpreter"]["stages"]["finish"]["module"]["seed"] == 3


def test_every_yaml_says_what_it_is():
    for path in CONF.rglob("*.yaml"):
        assert path.read_text().startswith("#"), path


def test_every_key_of_the_basic_options_is_commented():
    """Presets are differences; the files they differ from tell of every key."""
    for name in ("run", "report", "data/digits", "classifier/timm", "interpreter/rts", "probe/clean", "budget/bench"):
        for line in (CONF / f"{name}.yaml").read_text().splitlines():
            key, colon, value = line.partition(":")
            if not colon or line.startswith(("#", " ", "-")) or key in {"defaults", "hydra", "_target_"}:
                continue
            assert "#" in value or not value.strip() or key in FAMILIAR, (name, line)


def test_nothing_is_said_of_one_machine():
    for path in [*CONF.rglob("*.yaml"), PROJECT / "Makefile", PROJECT / "README.md"]:
        assert "/home/" not in path.read_text()
