"""A mistake gets a sentence before any training starts, and loses nothing."""

from __future__ import annotations

import shutil
from collections import namedtuple

import pytest
import torch
from safetensors.torch import save_file

from benchmark.configuration.cells import Cell
from benchmark.configuration.validation import mistakes
from benchmark.engine.external_weights import load_external_weights
from benchmark.pipeline.cell import run_cell
from benchmark.storage import atomic
from tests.helpers import configured, underfire


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["classifier=timm", "classifier.name=resnet81"], r"near ones: .*resnet"),
        (
            ["classifier=timm", "classifier.name=vit_tiny_patch16_224", "+classifier.options.img_size=48"],
            "distinct res",
        ),
        (["probe.epsilon=-0.1"], r"probe\.epsilon"),
        (["probe.epsilon=8"], "divide pixel values by 255"),
        (["probe.step_size=0"], r"probe\.step_size"),
        (["probe.steps=-1"], r"probe\.steps"),
        (["probe.warmup=99"], r"probe\.warmup"),
        (["probe.weight=-1"], r"probe\.weight is a weight, 0 or more"),
        (["probe.samples=0"], r"probe\.samples"),
        (["probe=normal", "probe.level=0"], r"probe\.level"),
        (["probe=normal", "probe.level=1.5"], r"probe\.level"),
        (["interpreter=rtsa", "interpreter.lambda_aid=-1"], "lambda_aid"),
        (["interpreter=rtsa", "interpreter.kappa=0"], "kappa"),
        (["interpreter.blocks=9"], "distinct resolutions"),
        (["interpreter=cam", "data.image_size=32"], r"1x1 places.*data\.image_size.*classifier\.small_input=true"),
        (["interpreter=gradcam"], "2x2 places"),
        (["interpreter=grad", "interpreter.pool=16"], r"3x3 places.*interpreter\.pool"),
        (["interpreter=mask", "interpreter.cells=3"], r"3x3 places.*interpreter\.cells"),
        (["interpreter.blur=0"], "blur"),
        (["data.image_size=8"], "at least 32"),
        (["split=train"], "test or calibration"),
        (["force=everything"], "cell or artefact"),
        (["trainer.accelerator=gpu"], "no.* GPU|GPU and this machine has none"),
        (["interpreter=grad", "interpreter.beta=0"], r"interpreter\.beta .* above 0, got 0"),
        (["interpreter=guided_backprop", "interpreter.beta=-1"], r"interpreter\.beta"),
        (["interpreter=mask", "interpreter.beta=0", "probe=clean"], r"interpreter\.beta"),
        (["probe.epsilon=8/255"], r"write 8/255 as 0\.0314"),
        (["probe.steps=2.5"], r"probe\.steps is a whole number, 0 or more, got 2\.5"),
        (["probe=normal", "probe.level=null"], r"probe\.level is null"),
        (["budget.classifier_epochs=-1"], r"budget\.classifier_epochs is a whole number, 0 or more"),
        (["seed=-1"], "seed is a whole number, 0 or more, got -1"),
        (["measure.blur=60"], r"measure\.blur is a sigma"),
        (["measure.iou_threshold=0"], r"measure\.iou_threshold"),
        (["budget.keep=-1"], r"budget\.keep is a whole number, 0 or more, got -1"),
        (["measure.top_share=abc"], r"measure\.top_share is a number above 0 and at most 1, got 'abc'"),
        (["measure.spread_samples=0"], r"measure\.spread_samples is a whole number, 1 or more, got 0"),
        (["data.image_size=abc"], r"data\.image_size is a whole number"),
        (
            ["probe=normal", "probe.level=abc"],
            r"probe\.level is a misclassification rate .*, or null, got 'abc'",
        ),
        (["interpreter=grad", "interpreter.beta=abc"], r"interpreter\.beta is a number above 0, got 'abc'"),
        (["interpreter=grad", "interpreter.pool=7"], r"divides the image's 48"),
        (["probe=topk", "probe.share=1.5"], r"share"),
        (
            ["interpreter=cam", "classifier=fine_resnet", "interpreter.checkpoint=README.md"],
            "interpreter=cam is not trained",
        ),
        (["classifier=timm", "classifier.name=vit_tiny_patch16_224", "interpreter=gradcam"], r"options\.img_size=48"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_bad_settings_are_told_before_any_training(tmp_path, overrides, words):
    if "trainer.accelerator=gpu" in overrides and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    config = configured(tmp_path, *overrides)
    with pytest.raises((ValueError, OSError), match=words):
        run_cell(config)
    assert not list((tmp_path / "store").glob("classifier/*")), "nothing was trained"


def test_a_results_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("in the way")
    config = configured(tmp_path, f"paths.results={tmp_path}/file/results")
    with pytest.raises(OSError, match=r"paths\.results .* cannot be made"):
        run_cell(config)


def test_a_full_disk(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(atomic.shutil, "disk_usage", lambda path: usage(10**12, 10**12, 10**6))
    with pytest.raises(OSError, match="at least 200 MB are needed"):
        run_cell(configured(tmp_path))


def test_a_failed_cell_leaves_a_record_with_its_reason(tmp_path):
    from benchmark.storage.records import read_records

    with pytest.raises(ValueError, match="distinct resolutions"):
        run_cell(configured(tmp_path, "interpreter.blocks=9"))
    (record,) = read_records(tmp_path / "results")
    assert record.cell["status"] == "failed"
    assert record.cell["reason"]["error"] == "ValueError"
    assert "distinct resolutions" in record.cell["reason"]["hint"]


def test_a_store_that_cannot_be_made_leaves_a_row_to_retry(tmp_path):
    from benchmark.storage.records import read_records

    with pytest.raises(OSError, match=r"paths\.store /proc/nothing"):
        run_cell(configured(tmp_path, "paths.store=/proc/nothing"))
    (record,) = read_records(tmp_path / "results")
    assert record.cell["status"] == "failed"


def test_unknown_options_and_keys_are_answered_by_name(tmp_path):
    unknown_option = underfire(tmp_path, "run", "interpreter=rtz")
    assert unknown_option.returncode == 1
    assert "rtz" in unknown_option.stderr
    assert "rtsa" in unknown_option.stderr, "the options there are"
    unknown_key = underfire(tmp_path, "run", "probe.epsilom=0.1")
    assert unknown_key.returncode == 1
    assert "epsilom" in unknown_key.stderr
    unknown_command = underfire(tmp_path, "rum")
    assert unknown_command.returncode == 2
    assert "run" in unknown_command.stderr


class TestCheckpoints:
    """Weights that do not belong are refused by name."""

    @pytest.fixture
    def module(self):
        return torch.nn.Linear(3, 2)

    def test_missing(self, tmp_path, module):
        with pytest.raises(FileNotFoundError, match="is not there"):
            load_external_weights(tmp_path / "none.pt", module, "classifier.checkpoint")

    def test_damaged(self, tmp_path, module):
        path = tmp_path / "weights.safetensors"
        save_file(module.state_dict(), path)
        path.write_bytes(path.read_bytes()[:-4])
        with pytest.raises(ValueError, match="damaged"):
            load_external_weights(path, module, "classifier.checkpoint")

    def test_empty(self, tmp_path, module):
        (tmp_path / "none.pt").touch()
        with pytest.raises(ValueError, match="is damaged"):
            load_external_weights(tmp_path / "none.pt", module, "classifier.checkpoint")

    def test_a_pickle_is_never_run(self, tmp_path, module):
        torch.save(module, tmp_path / "whole.pt")
        with pytest.raises(ValueError, match="more than tensors"):
            load_external_weights(tmp_path / "whole.pt", module, "classifier.checkpoint")

    def test_another_network(self, tmp_path, module):
        save_file({"other": torch.zeros(1)}, tmp_path / "w.safetensors")
        with pytest.raises(ValueError, match="another network: 2 of its 2 tensors are missing"):
            load_external_weights(tmp_path / "w.safetensors", module, "classifier.checkpoint")

    def test_another_class_count(self, tmp_path, module):
        torch.save(torch.nn.Linear(3, 7).state_dict(), tmp_path / "w.pt")
        with pytest.raises(ValueError, match="another number of classes"):
            load_external_weights(tmp_path / "w.pt", module, "classifier.checkpoint")

    def test_another_classifier(self, tmp_path, module):
        save_file(module.state_dict(), tmp_path / "weights.safetensors")
        (tmp_path / "config.yaml").write_text("classifier: aaaa\n")
        load_external_weights(tmp_path, module, "interpreter.checkpoint", classifier="aaaa")
        with pytest.raises(ValueError, match="trained for another classifier"):
            load_external_weights(tmp_path, module, "interpreter.checkpoint", classifier="bbbb")

    def test_the_right_one_is_taken(self, tmp_path, module):
        torch.save({"state_dict": {"weight": torch.ones(2, 3), "bias": torch.zeros(2)}}, tmp_path / "w.ckpt")
        load_external_weights(tmp_path / "w.ckpt", module, "classifier.checkpoint")
        assert (module.weight == 1).all()


def test_a_trained_interpreter_serves_as_a_checkpoint_for_its_classifier_alone(tmp_path):
    folder, _ = run_cell(configured(tmp_path, "probe=clean"))
    (finish,) = (path for path in (tmp_path / "store" / "interpreter").glob("*/") if "LitRTSA" in _stage(path))
    again, status = run_cell(configured(tmp_path, "probe=clean", f"interpreter.checkpoint={finish}"))
    assert status == "done"
    assert again != folder
    with pytest.raises(ValueError, match="trained for another classifier"):
        run_cell(configured(tmp_path, "probe=clean", f"interpreter.checkpoint={finish}", "classifier.seed=1"))


def test_the_encoder_is_part_of_a_cell_with_somebody_else_s_weights(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(b"weights")
    given = f"interpreter.checkpoint={tmp_path}/w.safetensors"
    names = {
        Cell(configured(tmp_path, given, *encoder)).name
        for encoder in (
            [],
            ["+classifier@interpreter.encoder=small_resnet", "interpreter.encoder.seed=7"],
            ["+classifier@interpreter.encoder=small_regnet"],
        )
    }
    assert len(names) == 3


def _stage(path) -> str:
    config = path / "config.yaml"
    return config.read_text() if config.exists() else ""


def test_nan_in_training_keeps_what_was_finished(tmp_path):
    config = configured(tmp_path, "probe=clean", "interpreter.stages.start.module.lr=1e30")
    with pytest.raises(FloatingPointError, match=r"LitRTS: the loss is .* at step \d"):
        run_cell(config)
    assert len(list((tmp_path / "store" / "classifier").glob("*/artefact.json"))) == 1
    run_cell(configured(tmp_path, "probe=clean"))
    shutil.rmtree(tmp_path / "results")


def test_every_mistake_of_a_cell_is_told_at_once(tmp_path):
    found = list(mistakes(configured(tmp_path, "probe.epsilon=8", "probe.step_size=0", "seed=-1", "split=train")))
    for word in ("probe.epsilon", "probe.step_size", "split is test", "seed is a whole number"):
        assert any(word in sentence for sentence in found), word


@pytest.mark.parametrize("group", ["interpreter", "logger", "probe"])
def test_a_group_that_is_null_is_a_sentence(tmp_path, group):
    (sentence,) = mistakes({**configured(tmp_path), group: None})
    assert sentence.startswith(f"{group} is null: name one")
