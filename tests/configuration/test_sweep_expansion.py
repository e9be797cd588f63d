"""The cells of a command line are those that Hydra would launch, with the configurations that it would give them."""

from __future__ import annotations

import shutil
import time

import pytest
from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from benchmark.configuration.conf_files import conf_folder
from benchmark.configuration.resolution import as_dict
from benchmark.configuration.sweep_expansion import expand

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


@pytest.mark.parametrize(
    ("words", "seeds"),
    [
        ([], [0]),
        (["trainings=1"], [0]),
        (["trainings=3"], [0, 1, 2]),
        (["seed=7"], [7]),
        (["seed=5,6,9"], [5, 6, 9]),
        (["seed=range(5,10)"], [5, 6, 7, 8, 9]),
        (["trainings=2", "probe.seed=4", "hydra/launcher=joblib"], [0, 1]),
    ],
)
def test_trainings_sweep_the_seed_fastest(words, seeds):
    """Neighbouring jobs, which workers beside each other take, are different trainings; Hydra launches the same."""
    overrides = ["experiment=observation_8", "interpreter=rts,rtsa", *words]
    cells = expand(CONF, "run", overrides).cells
    assert [cell.config["seed"] for cell in cells] == seeds * 18
    with initialize_config_dir(version_base="1.3", config_dir=CONF):
        whole = compose("run", [each for each in overrides if "," not in each], return_hydra_config=True)
    typed = {each.partition("=")[0] for each in words}
    own = [f"{key}={value}" for key, value in whole.hydra.sweeper.params.items() if key not in {*typed, "interpreter"}]
    jobs = launched([*own, *overrides])
    assert len(jobs) == len(cells)
    if "seed" not in typed:
        launched_seeds = [next(int(each[5:]) for each in job if each.startswith("seed=")) for job in jobs]
        assert sorted(launched_seeds) == sorted(seeds * 18)


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "five", "null", "true", "[1]", "1,2"])
def test_a_number_of_trainings_that_is_none_is_refused_before_anything(value):
    with pytest.raises(ValueError, match=r"^trainings is (a|one) whole number, 1 or more"):
        expand(CONF, "run", ["experiment=observation_8", f"trainings={value}"])


def test_trainings_and_seeds_are_not_named_together():
    with pytest.raises(ValueError, match="trainings says how many values seed takes, and seed is named too"):
        expand(CONF, "run", ["experiment=observation_8", "trainings=5", "seed=range(5,10)"])


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


GROUPS = ("budget", "data", "classifier", "interpreter", "probe", "trainer", "logger", "measure", "paths")
OPTIONS = [
    f"{group}={path.relative_to(conf_folder() / group).with_suffix('')}"
    for group in GROUPS
    for path in sorted((conf_folder() / group).rglob("*.yaml"))
    if path.parent.name != "training"
]
OPTIONS += [f"classifier/training={path.stem}" for path in sorted((conf_folder() / "classifier/training").iterdir())]
SWEPT_EXPERIMENTS = [
    path.stem for path in sorted((conf_folder() / "experiment").glob("*.yaml")) if not path.stem.startswith("optuna")
]


def equal_to_hydra(planned, overrides: list[str]) -> bool:
    with initialize_config_dir(version_base="1.3", config_dir=CONF):
        return planned.config == as_dict(compose("run", overrides=overrides))


def jobs_of(experiment: str) -> list[list[str]]:
    """What Hydra launches for an experiment, in the order of its own sweep."""
    with initialize_config_dir(version_base="1.3", config_dir=CONF):
        whole = compose("run", [f"experiment={experiment}"], return_hydra_config=True)
    return launched([f"{key}={value}" for key, value in whole.hydra.sweeper.params.items()])


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_is_composed_as_hydra_does(option):
    fixed = [option, *(["data.root=/nowhere"] if option in ("data=image_folder", "data=imagenet") else [])]
    (planned,) = expand(CONF, "run", fixed).cells
    assert equal_to_hydra(planned, fixed)


@pytest.mark.parametrize("experiment", SWEPT_EXPERIMENTS)
def test_experiments_are_composed_as_hydra_does(experiment):
    """Some of their cells; the slow test takes all."""
    check_experiment(experiment, every=17)


@pytest.mark.slow
@pytest.mark.parametrize("experiment", SWEPT_EXPERIMENTS)
def test_every_cell_of_every_experiment_is_composed_as_hydra_does(experiment):
    check_experiment(experiment, every=1)


def check_experiment(experiment: str, every: int) -> None:
    fixed = ["++data.root=/nowhere", f"experiment={experiment}"]
    cells, jobs = expand(CONF, "run", fixed).cells, jobs_of(experiment)
    assert len(cells) == len(jobs) > 1
    for planned in cells[::every]:
        (job,) = (each for each in jobs if set(planned.overrides) <= set(each))
        assert equal_to_hydra(planned, [*fixed, *job])


@pytest.mark.parametrize(
    "overrides",
    [
        ["probe=pgd,adv2", "probe.module.attack.phases.0.steps=3"],
        ["probe=clean,pgd", "+interpreter@probe.source=rts,cam", "interpreter=grad,rts"],
        ["interpreter=rts,cam", "+interpreter@interpreter.members.a=grad,rise", "probe=clean"],
        ["interpreter=rts,grad", "++probe.extra={a: 1, b: [2, 3]}", "probe=clean,pgd", "~interpreter.inner"],
        ["interpreter=rts,rtsa", "interpreter.inner={a: 1}", "seed=0,1"],
        ["probe=normal,uniform", "probe.level=0.03,0.3", "probe.seed=${data.seed}", "data.name=x_${seed}"],
        ["+classifier@interpreter.encoder=small_resnet,timm", "interpreter=rts,rtsa", "interpreter.encoder.seed=1"],
        ["classifier/training=standard,pgd,ensemble", "classifier=small_resnet,small_regnet", "seed=0,1"],
        ["+classifier@probe.surrogate=timm,fine_resnet", "classifier/training@probe.surrogate.training=trades,pgd"],
        ["budget=smoke,bench", "classifier=timm,small_resnet", "classifier.options={a: 1}"],
        ["data=digits,cifar10", "data.train=null,5", "logger.tags=[a,b]", "trainer=cpu,ddp"],
    ],
)
def test_unusual_overrides_are_composed_as_hydra_does(overrides):
    """Overrides of lists, groups and packages inside packages; what does not compose does not compose in either."""
    sweep = expand(CONF, "run", ["-m", *overrides])
    with initialize_config_dir(version_base="1.3", config_dir=CONF):
        for job, planned in zip(launched(overrides), sweep.cells, strict=True):
            try:
                theirs = as_dict(compose("run", overrides=job))
            except (HydraException, OmegaConfBaseException):
                theirs = None
            ours = [each.config for each in sweep.cells]
            assert theirs in ours, (job, planned.error)


def test_one_experiment_at_a_time():
    for flags in ([], ["-m"]):
        with pytest.raises(ValueError, match="one experiment at a time"):
            expand(CONF, "run", [*flags, "experiment=attacks,families"])


def test_a_sweep_without_values_is_a_mistake():
    with pytest.raises(ValueError, match=r"seed=range\(0\) has no values"):
        expand(CONF, "run", ["-m", "seed=range(0)"])


def test_an_option_with_a_sweep_of_its_own_is_honoured_alone_and_refused_in_a_sweep(tmp_path):
    shutil.copytree(CONF, tmp_path / "conf")
    (tmp_path / "conf" / "probe" / "own.yaml").write_text(
        "# @package _global_\n"
        "defaults:\n  - /probe/pgd@probe\n  - _self_\n"
        "hydra:\n  mode: MULTIRUN\n  sweeper:\n    params:\n      seed: 0,1,2\n"
    )
    assert len(expand(str(tmp_path / "conf"), "run", ["probe=own"]).cells) == 3
    sweep = expand(str(tmp_path / "conf"), "run", ["-m", "probe=clean,own"])
    assert "a sweep of its own" in str(sweep.cells[1].error)


TEN = "cam,gradcam,gradcam_pp,grad,smoothgrad,rts,rtsa,mask,rise,guided_backprop"


def test_planning_costs_little():
    """Figures for 1,000 cells of 250 combinations of groups and 10,000 over values are 4 s and 20 s of CPU."""
    start = time.process_time()
    sweep = expand(CONF, "run", ["-m", f"interpreter={TEN}", "probe=fgsm,pgd,adv2,clean,normal", "seed=range(4)"])
    assert len(sweep.cells) == 200
    assert time.process_time() - start < 4
