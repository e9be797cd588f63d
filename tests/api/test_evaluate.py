"""An evaluation has the numbers of a cell on the same images, and of a case that is worked out by hand."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch

import benchmark
from benchmark.pipeline.artefacts.benign_spread import get_benign_spread
from benchmark.pipeline.artefacts.classifier import get_classifier
from benchmark.pipeline.artefacts.dataset import load_data
from benchmark.pipeline.artefacts.interpreter import get_interpreter
from benchmark.pipeline.context import RunContext
from benchmark.pipeline.evaluation import evaluate
from tests.api.nets import MEAN, STD, images, own_net
from tests.helpers import PROJECT, configured


def taken(image_set, ids) -> dict:
    rows = {sample: row for row, sample in enumerate(image_set.sample_id_N.tolist())}
    return image_set.__getitems__([rows[sample] for sample in ids])


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("cell")


@pytest.mark.parametrize("method, attack", [("gradcam", "adv2_auto"), ("grad", "adv2"), ("gradcam", "pgd")])
def test_the_numbers_are_those_of_a_cell(root, method, attack):
    config = configured(root, "classifier.small_input=true", f"interpreter={method}", f"probe={attack}")
    ctx = RunContext(config)
    cell = evaluate(ctx)
    rows = cell.measurements.samples
    data, classifier = load_data(config), get_classifier(ctx)
    spread = get_benign_spread(ctx, get_interpreter(ctx, classifier))
    calibration = data.split("calibration")
    order = np.argsort(calibration.sample_id_N, kind="stable")
    everything = calibration.__getitems__(order.tolist())
    batch = taken(data.split("test"), rows["sample_id"])
    keys = {"adv2_auto": ("passes",), "adv2": ("steps", "warmup"), "pgd": ("steps",)}[attack]
    result = benchmark.evaluate(
        classifier,
        batch["image"],
        batch["label"],
        method,
        [attack],
        config["probe"]["epsilon"],
        calibration=(everything["image"], everything["label"], everything["sample_id"]),
        sources=batch["source_id"],
        ids=batch["sample_id"],
        batch_size=config["probe"]["batch_size"],
        **{key: config["probe"][key] for key in keys},
    )
    found = result.samples
    # Whether a map looks benign depends on the spread, whose calibration samples are other ones; see below.
    shared = [name for name in rows if name in found and name not in ("label", "looks_benign")]
    assert {"success", "map_l1", "map_ssim", "goal", "pred_probe", "linf", "passes"} <= set(shared)
    for name in shared:
        exact = rows[name].dtype.kind in "biu"
        np.testing.assert_allclose(
            found[name].to_numpy(float), rows[name].to_numpy(float), rtol=0, atol=0 if exact else 1e-5, err_msg=name
        )
    missing = set(rows) - set(found) - {"confidence_benign"}
    assert not missing, "every column of a record"
    kept = len(cell.measurements.tensors["images"]["sample_id"])
    images_kept = torch.from_numpy(cell.measurements.tensors["images"]["probed"])
    assert torch.equal((result.images[attack][:kept] * 255).round().to(torch.uint8), images_kept)
    # The cell takes the first 32 calibration samples for its spread, this call all of them.
    assert spread.spread == pytest.approx(result.spread, rel=0.5)
    known = found["map_l1"].notna()
    assert (found["looks_benign"] == (found["map_l1"] <= result.spread))[known].all()
    assert set(result.flags[attack]) == set(cell.flags or ())


def test_faithfulness_is_that_of_a_clean_cell(root):
    config = configured(
        root, "classifier.small_input=true", "interpreter=gradcam", "probe=clean", "measure.faithful_samples=8"
    )
    ctx = RunContext(config)
    rows = evaluate(ctx).measurements.samples
    scored = rows["deletion"].notna()
    assert scored.sum() == 8 < len(rows)
    data, classifier = load_data(config), get_classifier(ctx)
    batch = taken(data.split("test"), rows["sample_id"])
    result = benchmark.evaluate(
        classifier,
        batch["image"],
        batch["label"],
        "gradcam",
        ["fgsm"],
        ids=batch["sample_id"],
        batch_size=config["probe"]["batch_size"],
        blur=config["measure"]["blur"],
    )
    found = result.records["clean"].samples
    for name in ("deletion", "insertion"):
        assert found[name].std() > 0 and found[name].between(0, 1).all()
        np.testing.assert_allclose(found[name][scored], rows[name][scored], rtol=0, atol=1e-5, err_msg=name)
        assert result.estimates["clean", name].value == pytest.approx(found[name].mean())
    wider = benchmark.evaluate(classifier, batch["image"], batch["label"], "gradcam", ["fgsm"], blur=3.0)
    assert wider.estimates["clean", "deletion"].value != result.estimates["clean", "deletion"].value
    for blur in (0, 12):
        with pytest.raises(ValueError, match=f"above 0 and below a quarter of the side of 48, got {blur}"):
            benchmark.evaluate(classifier, batch["image"], batch["label"], "gradcam", ["fgsm"], blur=blur)


@pytest.fixture(scope="module")
def result():
    model = benchmark.wrap(own_net(), mean=MEAN, std=STD).eval()
    image = images(40)
    label = model(image).argmax(1)
    label[3] = (label[3] + 1) % 4
    return benchmark.evaluate(model, image, label, attacks=["pgd", "adv2_auto"], epsilon=16 / 255, passes=40, steps=20)


def test_the_frame_says_what_the_samples_say(result):
    frame = result.frame.set_index(["attack", "metric"])
    assert frame.loc[("clean", "accuracy"), "value"] == pytest.approx(39 / 40)
    for name in ("pgd", "adv2_auto"):
        own = result.samples[result.samples["attack"] == name]
        assert len(own) == 39 and 3 not in set(own["sample_id"])
        known = own["map_l1"].notna()
        joint = (own["success"] & (own["map_l1"] <= result.spread))[known]
        for metric, value in {"success": own["success"], "map_l1": own["map_l1"], "joint_success": joint}.items():
            assert frame.loc[(name, metric), "value"] == pytest.approx(value.mean()), (name, metric)
        assert (frame["low"] <= frame["value"] + 1e-9).all() and (frame["value"] <= frame["high"] + 1e-9).all()
    known = result.samples.groupby("sample_id")["map_l1"].transform(lambda column: column.notna().all())
    pairs = result.samples[known].pivot(index="sample_id", columns="attack", values=["success", "map_l1"])
    best = [
        min((row["map_l1"][a] for a in ("pgd", "adv2_auto") if row["success"][a]), default=None)
        for _, row in pairs.iterrows()
    ]
    expected = np.mean([value is not None and value <= result.spread for value in best])
    assert frame.loc[("strongest", "joint_success"), "value"] == pytest.approx(expected)
    harmless = result.records["clean"].samples
    both = pd.concat([harmless["harmless_noise_l1"], harmless["harmless_shift_l1"]]).dropna().to_numpy()
    won = [
        np.mean(np.where(d > both, 1.0, np.where(d == both, 0.5, 0.0)))
        for d in result.samples[(result.samples["attack"] == "pgd") & result.samples["success"]]["map_l1"].dropna()
    ]
    assert frame.loc[("pgd", "pair_alarm_auc"), "value"] == pytest.approx(np.mean(won))


def test_a_result_is_shown(result, tmp_path):
    text = str(result)
    assert text.startswith("gradcam: accuracy 0.975 [") and "adv2_auto" in text and "strongest" in text
    assert "deletion AUC 0." in text and "(lower is better), insertion AUC 0." in text
    assert "<table" in result._repr_html_()
    figure = result.plot()
    figure.savefig(tmp_path / "figure.png")
    assert len(figure.axes) == 3 and [each.get_text() for each in figure.axes[0].get_yticklabels()] == [
        "pgd",
        "adv2_auto",
        "strongest",
    ]
    assert set(result.flags) == {"pgd", "adv2_auto"}
    assert all(": " in sentence for sentence in result.explain_flags())


def test_an_attack_that_cannot_attack_is_flagged():
    """A quantised input hides the gradient: the attack is no evidence, and says so."""

    class Quantised(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = own_net()

        def forward(self, image):
            return self.net((image * 20).round() / 20 + 0 * image)

    model = benchmark.wrap(Quantised(), mean=MEAN, std=STD).eval()
    label = model(images()).argmax(1)
    found = benchmark.evaluate(model, images(), label, attacks=["pgd"], steps=5)
    assert "zero_gradient" in found.flags["pgd"]
    assert "could not attack" in found.explain_flags()[0]


def test_published_results_are_loaded():
    found = benchmark.load_results(PROJECT / "docs" / "results" / "v1")
    assert len(found) == 135 and len(found.where(interpreter="rts", probe="adv2_auto")) == 5
    assert set(found.cells["seed"]) == {5, 6, 7, 8, 9}
    assert {"map_l1", "success"} <= set(found[0].samples) or "object_iou" in found[0].samples
    with pytest.raises(ValueError, match="no cell has the field 'interpeter'"):
        found.where(interpeter="rts")
    some = found.where(interpreter="rts", probe="adv2_auto", seed=5).frame
    assert some.set_index(["metric", "population"]).loc[("success", "all"), "value"] == pytest.approx(1.0)


def test_importing_costs_what_torch_costs():
    script = (
        "import sys, benchmark; assert 'torch' not in sys.modules and 'numpy' not in sys.modules; dir(benchmark);"
        "benchmark.wrap; benchmark.explain; benchmark.attack; benchmark.evaluate; benchmark.load_results;"
        "print([name for name in ('hydra', 'pytorch_lightning', 'timm', 'wandb', 'captum') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert ran.stdout.strip() == "[]", ran.stdout + ran.stderr
