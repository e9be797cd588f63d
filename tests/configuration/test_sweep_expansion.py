"""The cells of a command line are those that Hydra would launch, with the configurations that it would give them."""

from __future__ import annotations

import pytest
from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser

from benchmark.__main__ import conf_folder
from benchmark.configuration.sweep_expansion import as_dict, expand

CONF = str(conf_folder())


def launched(overrides: list[str]) -> list[list[str]]:
    """What Hydra's own sweeper makes of a command line."""
    parsed = OverridesParser.create().parse_overrides(overrides)
    (batch,) = BasicSweeper.split_arguments(parsed, max_batch_size=None)
    return [list(job) for job in batch]


@pytest.mark.parametrize(
    "overrides",
    [
        ["interpreter=rts,rtsa", "probe=normal,uniform", "probe.level=0.03,0.3", "seed=0,1,2"],
        ["seed=0,1", "probe=pgd", "probe.epsilon=0.01,0.02", "+interpreter@probe.source=rts,cam"],
        ["interpreter=rtsa", "interpreter.kappa=null,0.25", "budget=smoke", "logger.tags=[a],[b]"],
        ["classifier=timm", "classifier.name=resnet18,resnet26d", "probe=clean", "data.name=a b,c"],
    ],
)
def test_equals_what_hydra_launches(overrides):
    sweep = expand(CONF, "run", ["-m", *overrides])
    assert sweep.multirun
    with initialize_config_dir(version_base="1.3", config_dir=CONF):
        theirs = [as_dict(compose("run", overrides=job)) for job in launched(overrides)]
    ours = [planned.config for planned in sweep.cells]
    assert len(ours) == len(theirs)
    assert all(config in ours for config in theirs)
    assert all(config in theirs for config in ours)


def test_an_experiment_s_own_sweep_is_expanded_and_may_be_narrowed():
    assert len(expand(CONF, "run", ["experiment=observation_8"]).cells) == 27
    narrowed = expand(CONF, "run", ["experiment=observation_8", "interpreter=rts"])
    assert {planned.config["interpreter"]["name"] for planned in narrowed.cells} == {"rts"}
    assert len(narrowed.cells) == 9
    sources = expand(CONF, "run", ["experiment=transfer", "interpreter=cam", "interpreter@probe.source=rts,cam"])
    assert [planned.config["probe"]["source"]["name"] for planned in sources.cells] == ["rts", "cam"]


def test_one_cell_without_a_sweep():
    sweep = expand(CONF, "run", ["probe=pgd"])
    assert not sweep.multirun
    (planned,) = sweep.cells
    assert planned.config["probe"]["name"] == "pgd"


def test_several_values_need_the_flag():
    with pytest.raises(ValueError, match="add -m"):
        expand(CONF, "run", ["seed=0,1"])


@pytest.mark.parametrize("override", ["seed=interval(0,1)", "seed=[0,", "=3"])
def test_what_cannot_be_read_or_counted_is_refused(override):
    with pytest.raises(ValueError, match=r"override|counted"):
        expand(CONF, "run", ["-m", override])


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["interpreter=rtz"], "rtz"),
        (["probe.epsilom=1"], "epsilom"),
        (["data=image_folder"], "data.root has no value"),
        (["trainer=${nothing}"], "nothing"),
    ],
)
def test_a_mistake_belongs_to_its_cells(overrides, words):
    sweep = expand(CONF, "run", ["-m", "seed=0,1", *overrides])
    assert all(planned.config is None for planned in sweep.cells)
    assert all(words in planned.error for planned in sweep.cells)
    one_of_two = expand(CONF, "run", ["-m", "interpreter=rts,rtz"])
    assert [planned.config is None for planned in one_of_two.cells] == [False, True]
