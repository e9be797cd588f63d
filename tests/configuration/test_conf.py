"""Every option composes, and its arguments bind to what it names: a misspelt key in a yaml fails here."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from benchmark.commands.common.catalogue import COMMANDS
from benchmark.configuration.conf_files import conf_folder
from benchmark.configuration.resolution import as_dict
from benchmark.configuration.specs import OWN_KEYS
from tests.helpers import PROJECT

CONF = conf_folder()
GROUPS = {
    group: sorted(str(path.relative_to(CONF / group).with_suffix("")) for path in (CONF / group).glob(files))
    for group, files in {
        **dict.fromkeys(
            ("budget", "data", "interpreter", "probe", "trainer", "logger", "measure", "paths"), "**/*.yaml"
        ),
        "classifier": "*.yaml",
        "classifier/training": "*.yaml",
    }.items()
}
CASES = [(group, option) for group, options in GROUPS.items() for option in options]
OPTUNA = pytest.mark.skipif(
    importlib.util.find_spec("hydra_plugins.hydra_optuna_sweeper") is None, reason="pip install 'underfire[optuna]'"
)
EXPERIMENTS = [
    pytest.param(path.stem, marks=[OPTUNA] if path.stem.startswith("optuna") else [])
    for path in sorted((CONF / "experiment").glob("*.yaml"))
]

# What the pipeline supplies when it builds an object.
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
    "sources",
}
SUPPLIED |= {
    "blur",
    "n_faithfulness_samples",
    "harmless_noise",
    "n_harmless_samples",
    "callbacks",
    "logger",
    "enable_progress_bar",
}

# Keys of every group, and Hydra's own.
FAMILIAR = {"name", "label", "hydra", "_target_"}

# A key with a value of its own: not a node, and not an interpolation of a key that is commented where it is defined.
KEY_WITH_VALUE = re.compile(r" *(\w+): +(?!\$\{|&)(.*)")


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
        given = set(node) - {"_target_", "_partial_"} - (set(OWN_KEYS) if where == ".data" else set())
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


@pytest.mark.parametrize("command", sorted(name for name, command in COMMANDS.items() if command.launched))
def test_every_command_composes(command):
    with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        assert as_dict(compose(command))


def test_budgets_have_the_same_keys():
    keys = {option: set(composed("run", f"budget={option}")["budget"]) for option in GROUPS["budget"]}
    assert len({frozenset(each) for each in keys.values()}) == 1, keys


def test_every_attack_draws_its_goals_where_it_is_told_to():
    for option in GROUPS["probe"]:
        module = composed("run", f"probe={option}", "++probe.goal_classes=trained")["probe"]["module"] or {}
        if module.get("_target_", "").endswith(".GoalAttack"):
            assert module["goal_classes"] == "trained", option


def test_seeds_are_fed_by_one_and_can_be_set_alone():
    config = composed("run", "seed=7", "interpreter.seed=3")
    assert (config["classifier"]["seed"], config["interpreter"]["seed"], config["probe"]["seed"]) == (7, 3, 7)
    assert config["data"]["seed"] == 0
    assert config["interpreter"]["stages"]["finish"]["module"]["seed"] == 3


def test_every_yaml_says_what_it_is():
    for path in CONF.rglob("*.yaml"):
        assert path.read_text().startswith("#"), path


def commented_keys(folder: Path) -> set[str]:
    lines = [line for path in folder.glob("*.yaml") for line in path.read_text().splitlines()]
    return {match[1] for line in lines if (match := re.match(r" *(\w+):.* # ", line))}


@pytest.mark.parametrize("group", ["", *GROUPS])
def test_every_key_is_commented_where_it_is_defined(group):
    """In one of the files of its group, or of the bases."""
    known = commented_keys(CONF / group) | commented_keys(CONF / group / "training") | commented_keys(CONF) | FAMILIAR
    for path in (CONF / group).glob("*.yaml"):
        for line in path.read_text().splitlines():
            if match := KEY_WITH_VALUE.match(line):
                assert match[1] in known, (path.name, line)


def test_bases_are_no_options():
    """A base is a file ``conf/_NAME.yaml``: in a group's folder Hydra's messages would name it among the options."""
    assert [path for path in CONF.rglob("_*") if path.parent != CONF] == []
    for base in CONF.glob("_*.yaml"):
        users = [
            path for path in CONF.rglob("*.yaml") if re.search(rf"- /?{base.stem}(@_here_)?$", path.read_text(), re.M)
        ]
        assert users, f"{base.name} is the base of nothing"


@pytest.mark.parametrize("group", ["probe", "measure", "paths", "budget", "data", "experiment"])
def test_interpolations_are_absolute_where_a_group_has_one_place(group):
    for path in (CONF / group).rglob("*.yaml"):
        assert "${." not in path.read_text(), path


def test_an_interpreter_and_a_classifier_keep_to_their_own_keys_wherever_they_are_composed():
    config = composed(
        "run",
        "interpreter=ensemble",
        "interpreter.members.rts.blur=1.5",
        "+interpreter@probe.source=rtsa",
        "probe.source.blur=2.5",
        "+classifier@probe.surrogate=small_regnet",
        "probe.surrogate.seed=5",
        "+classifier@probe.source.encoder=small_resnet",
        "probe.source.encoder.seed=6",
    )
    assert config["interpreter"]["members"]["rts"]["stages"]["start"]["module"]["blur"] == 1.5
    assert config["probe"]["source"]["stages"]["start"]["module"]["blur"] == 2.5
    assert config["probe"]["surrogate"]["training"]["module"]["seed"] == 5
    assert config["probe"]["source"]["encoder"]["training"]["module"]["seed"] == 6
    assert config["classifier"]["training"]["module"]["seed"] == 0


def test_how_a_classifier_is_trained_is_chosen_for_each_and_is_part_of_its_label():
    config = composed(
        "run",
        "classifier=small_regnet",
        "classifier/training=ensemble",
        "+classifier@probe.surrogate=small_resnet",
        "classifier/training@probe.surrogate.training=trades",
        "probe.surrogate.seed=5",
        "+classifier@interpreter.encoder=fine_resnet",
        "classifier/training@interpreter.encoder.training=pgd",
        "classifier.training.sources.small_resnet.seed=7",
    )
    classifier, surrogate, encoder = (
        config["classifier"],
        config["probe"]["surrogate"],
        config["interpreter"]["encoder"],
    )
    labels = [each["label"] for each in (classifier, surrogate, encoder)]
    assert labels == ["small_regnet_ensemble", "small_resnet_trades", "fine_resnet_pgd"]
    sources = classifier["training"]["sources"]
    assert {name: source["label"] for name, source in sources.items()} == {name: name for name in sources}
    assert sources["small_resnet"]["training"]["module"]["seed"] == 7 and surrogate["training"]["module"]["seed"] == 5
    assert composed("run", "classifier=timm", "classifier.name=resnet18")["classifier"]["label"] == "resnet18"


@pytest.mark.parametrize("probe", ["adv2", "adv2_stadv", "adv2_cw"])
def test_adv2_has_its_two_phases_with_any_perturbation(probe):
    config = composed("run", f"probe={probe}", "probe.warmup=7", "probe.weight=3")
    warmup, joint = config["probe"]["module"]["attack"]["phases"]
    assert warmup["steps"] == 7 and "weight" not in warmup["objective"]
    assert joint["steps"] is None and joint["objective"]["weight"] == 3


def test_no_path_of_one_machine():
    for path in [*CONF.rglob("*.yaml"), PROJECT / "Makefile", PROJECT / "README.md"]:
        assert "/home/" not in path.read_text()
