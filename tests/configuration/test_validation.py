"""Every key has a type and a range: a wrong value is answered by a sentence that names the key as it is typed."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
import time

import pytest
from hydra import initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser

from benchmark.configuration.composition import Composer
from benchmark.configuration.conf_files import conf_folder
from benchmark.configuration.signatures import signature
from benchmark.configuration.sweep_expansion import Planned, composed, expand
from benchmark.configuration.validation import check_values, mistakes
from benchmark.planning.plan import inspect_cell
from tests.helpers import PROJECT, configured, underfire

CONF = str(conf_folder())

# Words of Hydra, OmegaConf and Python, which are no answer to a mistake.
FOREIGN = re.compile(
    r"HYDRA|Hydra|omegaconf|OmegaConf|Traceback|Exception|Error\b|ConfigNode|full_key|object_type|not in struct|"
    r"NoneType|'int'|'str'|'list'|'dict'|unsupported operand|defaults list|interpolation|Interpolation|<class"
)


def answers(*overrides: str) -> list[str]:
    """What ``plan`` says of a command line; nothing if it finds no mistake."""
    try:
        sweep = expand(CONF, "run", list(overrides))
    except ValueError as error:
        return [str(error)]
    found = []
    for planned in sweep.cells:
        found += [str(planned.error)] if planned.config is None else list(mistakes(planned.config))
    return found


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("measure.keep=0.37", "measure.keep is a whole number, 0 or more, got 0.37"),
        ("classifier.training.epochs=-3", "classifier.training.epochs is a whole number, 0 or more, got -3"),
        ("interpreter.stages.selector.steps=-3", "interpreter.stages.selector.steps is a whole number, 0 or more, got"),
        ("interpreter.stages.selector.batch_size=null", "interpreter.stages.selector.batch_size is a whole number, 1"),
        ("data.test=abc", "data.test is a number of images, a whole number of 1 or more, got 'abc'"),
        ("data.train=1e12", "data.train is a number of images, a whole number of 1 or more, got 1000000000000.0"),
        ("data.train=1000000000000", "got 1000000000000: at most 100000000"),
        ("probe.epsilon=null", "probe.epsilon is the perturbation budget in [0, 1] (8/255 = 0.031), got null"),
        ("probe.epsilon=8", "got 8; divide pixel values by 255"),
        ("probe.epsilon=8/255", "fractions are not worked out, write 8/255 as 0.0314"),
        ("probe.epsilon=nan", "probe.epsilon is the perturbation budget in [0, 1] (8/255 = 0.031), got nan"),
        ("probe.step_size=inf", "probe.step_size must be above 0 (1/255 = 0.0039 is usual), got inf"),
        ("probe=null", "probe is null: name one (probe=clean)"),
        ("budget=null", "budget is null: name one (budget=bench)"),
        ("classifier.name=7", "classifier.name is text, got 7"),
        ("interpreter.encoder=abc", "interpreter.encoder is a group of keys (+classifier@interpreter.encoder=NAME)"),
        ("data._target_=7", "data._target_ is the path of a class (package.module.Class), got 7"),
        ("data._target_=benchmark.data.digits.Digit", "did you mean benchmark.data.digits.Digits?"),
        ("data._target_=nowhere.Thing", "data._target_=nowhere.Thing: there is no nowhere"),
        ("trainer.devices=abc", "trainer.devices is a whole number, 1 or more or auto"),
        ("trainer.deterministic=maybe", "trainer.deterministic is true or false or warn, got 'maybe'"),
        ("interpretr=rts", "interpretr is no key of the configuration: did you mean interpreter?"),
        ("probe=adv3", "probe=adv3: there is no such option; did you mean adv2"),
        ("probe.epsilom=0.1", "probe.epsilom is no key of probe: did you mean probe.epsilon?"),
        ("+classifier.lable=x", "classifier.lable is no key of classifier: did you mean classifier.label?"),
        ("+trainer.presision=16", "trainer.presision is no key of trainer: did you mean trainer.precision?"),
        ("+interpreter.network.block=3", "interpreter.network.block is no key of interpreter.network: did you mean"),
        ("~probe.samples", "probe.samples is missing: set it (probe.samples=...)"),
        ("~data.root", "data.root is missing"),
        ("interpreter.reference=strat", "interpreter.reference is a stage of the training (selector, warm_start,"),
        (
            "interpreter.finish_after=begin",
            "interpreter.finish_after is a stage that comes before finish (selector",
        ),
        (
            "interpreter.finish_after=finish",
            "interpreter.finish_after is a stage that comes before finish (selector",
        ),
        ("interpreter.finish_steps=-1", "interpreter.finish_steps is a whole number, 0 or more, got -1"),
        ("interpreter.own_trunk=1", "interpreter.own_trunk is true or false, got 1"),
        ("classifier.training.suffix=7", "classifier.training.suffix is what follows a name"),
        ("+classifier.training.sources.one=abc", "(+classifier@classifier.training.sources.one=NAME)"),
        (
            "classifier.checkpoint=w.pt classifier/training=pgd",
            "classifier.checkpoint takes weights as they are, without training, so that classifier/training=pgd would",
        ),
        (
            "+classifier@probe.surrogate=small_regnet probe.surrogate.checkpoint=w.pt "
            "classifier/training@probe.surrogate.training=pgd",
            "probe.surrogate.checkpoint takes weights as they are, without training, so that probe/surrogate/train",
        ),
        ("split=train", "split is test or calibration, got 'train'"),
        ("force=cells", "force is cell or artefact, or null, got 'cells': did you mean cell?"),
        ("logger.mode=of", "logger.mode is one of offline, online, disabled, got 'of'"),
        ("logger.tags=abc", "logger.tags is a list, each text, got 'abc'"),
        ("seed=-1", "seed is a whole number, 0 or more, got -1"),
        ("seed=99999999999", "seed is a whole number, 0 or more, got 99999999999: at most 4294967295"),
        ("seed=[1,2]", "seed is a whole number, 0 or more, got [1, 2]"),
        ("seed=true", "seed is a whole number, 0 or more, got true"),
        ("probe.targeted=0", "probe.targeted is true or false, got 0"),
        ("+probe.module.goal=hide", "probe.module.goal is one of benign, shape,"),
        ("budget.attack_steps=0.5", "budget.attack_steps is a whole number, 0 or more, got 0.5"),
        ("interpreter.lambda_aid=-1", "interpreter.lambda_aid is a weight, 0 or more, got -1"),
        ("paths.results=null", "paths.results is text, got null"),
        ("data=image_folder", "data.root has no value: set it on the command line (data.root=...)"),
        ("probe.epsilon=${nothing}", "${nothing} refers to a key that is not there"),
        ("probe.epsilon=${probe.epsilon}", "some keys refer to each other in a circle"),
        ("paths.root=${oc.env:UNDERFIRE_NOT_SET}", "the environment variable UNDERFIRE_NOT_SET is not set"),
        ("+seed=3", "+seed: there is such a key already, leave out the +"),
        ("~nothing", "there is no such key"),
        ("seed=[0,", "an override cannot be read: 'seed=[0,' is not key=value"),
        ("=3", "an override cannot be read: '=3' is not key=value"),
        ("probe", "an override cannot be read: 'probe' is not key=value"),
        ("seed=range(0)", "seed=range(0) has no values: there would be no cells"),
        ("seed=1,2", "seed has several values: add -m to sweep over them"),
        ("experiment=attacks,families", "one experiment at a time"),
        ("experiment=observation8", "experiment=observation8: there is no such option; did you mean observation_8"),
    ],
)
def test_a_wrong_value_is_answered_by_a_sentence(override, sentence):
    flags = ["-m"] if "range" in override else []
    (found,) = answers(*flags, *override.split(" "))
    assert sentence in found
    assert not FOREIGN.search(found)


def test_a_value_that_several_parts_take_over_is_told_once_under_its_own_key():
    assert len(answers("probe.epsilon=8")) == 1
    assert len(answers("seed=-1")) == 1
    assert len(answers("probe=fgsm", "probe.epsilon=abc")) == 1, "the step size of fgsm is its epsilon"
    (found,) = answers("interpreter=rtsa", "interpreter.inner.steps=-1")
    assert found.startswith("interpreter.inner.steps is")
    (found,) = answers("interpreter=rtsa", "interpreter.inner.perturbation.decay=0")
    assert found.startswith("interpreter.inner.perturbation.decay is")
    (found,) = answers("budget.selector_lr=0")
    assert found.startswith("budget.selector_lr is a number above 0, got 0")
    (found,) = answers("+interpreter@probe.source=rts", "probe.source.blocks=abc")
    assert found.startswith("probe.source.blocks is a whole number")


def test_mistakes_of_several_keys_are_told_together():
    found = answers("probe.epsilon=8", "probe.step_size=0", "seed=-1", "split=train")
    assert [sentence.split()[0] for sentence in sorted(found)] == ["probe.epsilon", "probe.step_size", "seed", "split"]


@pytest.mark.parametrize("key", ["data.name", "classifier.label", "interpreter.name", "probe.name", "budget.name"])
@pytest.mark.parametrize("name", ["../../x", "a/b", "a\\\\b", "'a\\tb'", "x" * 61, "''", "a..b", "[a]", "null", "con"])
def test_a_name_is_one_portable_file_name(key, name):
    (found,) = answers(f"{key}={name}")
    assert found.startswith(f"{key} is a name that can be a file's")


def test_an_experiment_has_a_name_like_the_others():
    (found,) = answers("+experiment_name=a/b")
    assert found.startswith("experiment_name is a name that can be a file's")


@pytest.mark.parametrize("typed", ["7", "true", "2024", "1.5"])
def test_a_number_typed_as_a_name_is_text(typed):
    for key in ("data.name", "classifier.label", "probe.name"):
        for flags in ([], ["-m", "seed=0,1"]):
            planned = expand(CONF, "run", [*flags, f"{key}={typed}"]).cells[0]
            group, _, name = key.partition(".")
            assert planned.config[group][name] == typed
            assert list(mistakes(planned.config)) == []
    (one, other) = expand(CONF, "run", ["-m", "data.name=7,8"]).cells
    assert (one.config["data"]["name"], other.config["data"]["name"]) == ("7", "8")


def test_every_option_as_it_is_has_no_mistake():
    for group in ("classifier", "interpreter", "probe", "trainer", "logger", "measure", "paths", "data"):
        options = [path.stem for path in (conf_folder() / group).glob("*.yaml") if not path.stem.startswith("_")]
        assert answers("-m", f"{group}={','.join(options)}", "++data.root=/nowhere") == []


def test_a_plain_configuration_is_checked_too(tmp_path):
    """Without the keys that values were typed under, the parts' own keys are named."""
    config = dict(configured(tmp_path, "probe.epsilon=8"))
    assert any(sentence.startswith("probe.epsilon") for sentence in mistakes(config))


def test_signatures_are_read_without_importing_the_module():
    code = (
        "import sys; from benchmark.configuration.signatures import signature\n"
        "found = signature('lightning_modules.rtsa.LitRTSA')\n"
        "print(found.arguments['kappa'].expected.words, 'torch' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "a cap of a map distance in (0, 1], or null False"


def test_a_class_of_the_users_own_is_read_and_never_executed(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "from dataclasses import dataclass\nfrom typing import Literal, Optional\nimport missing_module\n"
        "Mode = Literal['a', 'b']\n"
        "class Base:\n    def __init__(self, size: int, *, mode: Mode = 'a', other: missing_module.X = 3): ...\n"
        "class Mine(Base): ...\n"
        "class Open:\n    def __init__(self, **anything): ...\n"
        "def make(size: Optional[int], rest: list[float] = ()): ...\n"
        "@dataclass\nclass Held:\n    size: int\n    name: 'str' = ''\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    mine = signature("mine.Mine").arguments
    assert (mine["size"].expected.words, mine["size"].required) == ("a whole number", True)
    assert (mine["mode"].expected.words, mine["other"].expected) == ("a or b", None)
    assert signature("mine.Open").open
    assert signature("mine.make").arguments["size"].expected.words == "a whole number, or null"
    assert not signature("mine.make").arguments["rest"].expected.accepts([1.0, "x"])
    assert signature("mine.Held").arguments["name"].expected.words == "text"
    assert signature("mine.Absent") is None
    (found,) = answers("+probe.module._target_=mine.Mine", "+probe.module={size: abc}", "probe=clean")
    assert "mine" not in sys.modules and "probe.module.size is a whole number, got 'abc'" in found


def test_checking_a_cell_takes_less_than_a_millisecond(tmp_path):
    config = configured(tmp_path)
    list(mistakes(config))
    start = time.process_time()
    for _ in range(50):
        list(mistakes(config))
    assert (time.process_time() - start) / 50 < 2e-3, "0.5 ms on an idle machine"


def test_other_commands_answer_in_the_same_words(tmp_path):
    for command, override, words in (
        ("train_classifier", "classifier.training.epochs=-3", "classifier.training.epochs is a whole number"),
        ("report", "resample=3", "did you mean resamples?"),
    ):
        ran = underfire(tmp_path, command, override)
        assert ran.returncode == 1
        assert words in ran.stderr
        assert not FOREIGN.search(ran.stderr + ran.stdout)


# --- every key, every wrong value ---------------------------------------------------------------------------------

WRONG = {
    "list": "[1,2]",
    "word": "wrong",
    "nan": "nan",
    "infinity": "inf",
    "null": "null",
    "negative": "-3",
    "fraction": "0.37",
    "huge": "1000000000000000000000000000000",
    "group": "{a: {b: 1}}",
    "empty": "''",
    "yes": "true",
    "number": "7",
    "path": "../x",
}


def keys(node: object, where: str = "") -> list[str]:
    """Every key of a configuration, but those inside lists and Hydra's own."""
    if not isinstance(node, dict):
        return [where]
    below = [keys(value, f"{where}.{name}" if where else name) for name, value in node.items()]
    return [*([where] if where else []), *itertools.chain(*below)]


def check_wrong_values(fixed: list[str], names: list[str], values: dict[str, str]) -> dict[str, list[str]]:
    """Plans each key with each wrong value; returns for each key the kinds of values that were let through."""
    passed: dict[str, list[str]] = {}
    with initialize_config_dir(version_base="1.3", config_dir=CONF):
        composer = Composer("run", OverridesParser.create().parse_overrides, fixed)
        merged = composer.merged(fixed)
        for key, kind in itertools.product(names, values):
            override = f"{key}={values[kind]}"
            try:
                found = composed(composer, merged, fixed, [override])
                cell, _ = inspect_cell(Planned((), None, found) if isinstance(found, str) else Planned((), found))
            except Exception as error:
                raise AssertionError(f"{override}: {type(error).__name__}: {error}") from error
            assert not FOREIGN.search(cell.sentence), (override, cell.sentence)
            assert "\n" not in cell.sentence, (override, cell.sentence)
            if cell.state != "wrong":
                passed.setdefault(key, []).append(kind)
    return passed


# Keys that hold what people like (names, folders, options that timm and captum take), and keys whose value is not yet a
# part's argument.
FREE = re.compile(
    r"^(paths|logger\.(entity|group|project|tags)|interpreter\.(checkpoint|options)|data\.root)|"
    r"(classifier|encoder|surrogate)\.(name|checkpoint|options)|network\.options|\.name$|\.label$|objective|_target_|_partial_|^modules|\.method$"
)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "fixed",
    [
        [],
        ["interpreter=rtsa", "probe=cw"],
        ["interpreter=mask", "probe=adv2_stadv"],
        ["interpreter=rise", "probe=normal_03", "data=image_folder", "data.root=/nowhere"],
        ["interpreter=smoothgrad", "probe=topk", "data=cifar10", "trainer=ddp"],
        ["interpreter=ensemble", "probe=adv2_cw"],
        ["interpreter=captum", "probe=sign"],
        ["interpreter=cam", "+interpreter@probe.source=rts", "+classifier@probe.surrogate=small_regnet"],
        ["interpreter=integrated_gradients", "probe=fixed_label"],
        ["interpreter=rts", "+classifier@interpreter.encoder=small_resnet"],
    ],
    ids=lambda fixed: " ".join(fixed) or "default",
)
def test_every_key_with_every_wrong_value(fixed):
    (planned,) = expand(CONF, "run", fixed).cells
    names = [key for key in keys(planned.config) if not (conf_folder() / key).is_dir()]
    passed = check_wrong_values(fixed, names, WRONG)
    never = {"word", "nan", "infinity", "group", "empty", "path"}
    known = {key: set(kinds) for key, kinds in passed.items() if not FREE.search(key)}
    found = {key: kinds for key, kinds in known.items() if kinds & never or {"huge"} == kinds - {"number", "negative"}}
    assert found == {}
    groups = {key for key in names if any(other.startswith(f"{key}.") for other in names)}
    through = {key: passed[key] for key in groups & passed.keys() if not FREE.search(key)}
    assert all(kinds == ["null"] for kinds in through.values()), through


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_option_of_a_group_is_answered_by_a_sentence(kind):
    (found,) = answers(f"probe={WRONG[kind]}")
    assert found.startswith(("probe", "there is no probe/")) and not FOREIGN.search(found), found


def test_some_keys_with_some_wrong_values():
    """The slow test takes all."""
    names = ["seed", "probe.steps", "measure.blur", "data.image_size", "trainer.threads", "interpreter.seed"]
    values = {kind: WRONG[kind] for kind in ("list", "word", "nan", "negative", "group")}
    assert check_wrong_values([], names, values) == {}


def test_an_anchor_to_a_decoder_that_is_not_trained_is_a_mistake(tmp_path):
    config = configured(tmp_path, "interpreter=rtsa_anchored", "interpreter.finish_after=selector")
    with pytest.raises(ValueError, match=r"finish_after=selector starts finish before start, and .*lambda_anchor"):
        check_values(config)
    check_values(configured(tmp_path, "interpreter=rtsa", "interpreter.finish_after=selector"))
