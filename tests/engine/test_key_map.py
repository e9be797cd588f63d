"""Names of other people's tensors: by order, by patterns, and what does not fit."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from benchmark.engine.external_weights import load_external_weights
from benchmark.storage.external_file import read_key_map, weights_file

KEY = "classifier.checkpoint"


@pytest.fixture
def module():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1))


def theirs(module, names: str = "_conv0 _norm0 _conv1") -> dict[str, torch.Tensor]:
    """The tensors, each of other values, under other names."""
    stems = dict(zip("012", names.split(), strict=True))
    return {f"{stems[name[0]]}{name[1:]}": value + 1 for name, value in module.state_dict().items()}


def load(tmp_path, module, state, **options):
    torch.save(state, tmp_path / "w.pt")
    load_external_weights(tmp_path / "w.pt", module, KEY, **options)


def test_by_order(tmp_path, module, caplog):
    caplog.set_level("INFO", "underfire")
    state = theirs(module)
    load(tmp_path, module, state, key_map="order")
    assert all(torch.equal(*pair) for pair in zip(module.state_dict().values(), state.values(), strict=True))
    assert "9 tensors paired by their order (_conv0.weight -> 0.weight, " in caplog.text
    assert "_conv1.bias -> 2.bias)" in caplog.text


def test_by_order_without_the_counters_of_old_files(tmp_path, module):
    state = {name: value for name, value in theirs(module).items() if not name.endswith("num_batches_tracked")}
    load(tmp_path, module, state, key_map="order")
    assert module.state_dict()["1.num_batches_tracked"] == 0 and torch.equal(module[2].bias, state["_conv1.bias"])


def test_by_patterns(tmp_path, module):
    state = theirs(module)
    load(tmp_path, module, state, key_map={"^_norm0": "1", r"^_conv0\b": "0", "^_conv1": "2"})
    assert all(torch.equal(*pair) for pair in zip(module.state_dict().values(), state.values(), strict=True))


def test_patterns_before_a_prefix(tmp_path, module):
    state = {f"module.{name}": value for name, value in theirs(module).items()}
    load(tmp_path, module, state, key_map={"_norm0": "1", "_conv0": "0", "_conv1": "2"})
    assert torch.equal(module[0].weight, state["module._conv0.weight"])


@pytest.mark.parametrize(
    ("change", "key_map", "words"),
    [
        (lambda s: s, None, r"9 of its 9 tensors are missing .*_conv0\.bias.*only the names differ.*key_map"),
        (lambda s: dict(list(s.items())[:-1]), "order", "8 tensors cannot be paired by their order with the 9"),
        (
            lambda s: dict([*list(s.items())[7:], *list(s.items())[:7]]),
            "order",
            r"orders differ at tensor 0 of 9, _conv1\.weight \(4, 4, 1, 1\) in the file and 0\.weight \(4, 3, 1, 1\)",
        ),
        (  # equal shapes, and names that say which is which
            lambda s: dict(sorted(s.items(), key=lambda pair: pair[0].replace("norm0.weight", "norm0.z"))),
            "order",
            "orders differ at tensor",
        ),
        (lambda s: s, {"(": "0"}, "is no regular expression"),
        (lambda s: s, {"^_conv.": "0"}, r"gives _conv0\.weight and _conv1\.weight the same name 0\.weight"),
        (lambda s: s, {"^_norm0": "1"}, r"4 of its 9 tensors are missing .*4 are not ours .*_conv0\.bias"),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_is_loaded(tmp_path, module, change, key_map, words):
    before = {name: value.clone() for name, value in module.state_dict().items()}
    with pytest.raises(ValueError, match=words):
        load(tmp_path, module, change(theirs(module)), key_map=key_map)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_variances_below_zero_give_a_wrong_order_away(tmp_path, module):
    """Running mean and variance swapped, under names that say nothing."""
    values = list(theirs(module).values())
    values[4], values[5] = torch.ones(4), torch.tensor([0.5, -0.5, 0.1, 0.2])
    with pytest.raises(ValueError, match=r"1\.running_var has values below 0, .*paired with the wrong ones"):
        load(tmp_path, module, {f"t{index}": value for index, value in enumerate(values)}, key_map="order")


def test_the_map_in_a_yaml_file(tmp_path):
    file = tmp_path / "names.yaml"
    file.write_text("'^features\\.': 'stages.'\n")
    assert read_key_map(str(file), "classifier.key_map") == {r"^features\.": "stages."}
    assert read_key_map("order", "k") == "order" and read_key_map(None, "k") is None
    file.write_text("- 1\n")
    for wrong in (str(file), {"a": 1}):
        with pytest.raises(ValueError, match=r"classifier\.key_map is null, 'order', or regular expressions"):
            read_key_map(wrong, "classifier.key_map")
    with pytest.raises(FileNotFoundError, match=r"none\.yaml is not there"):
        read_key_map(str(tmp_path / "none.yaml"), "classifier.key_map")


def test_files_of_packages(tmp_path, monkeypatch):
    (tmp_path / "some_weights" / "models").mkdir(parents=True)
    (tmp_path / "some_weights" / "__init__.py").write_text("raise SystemExit('nothing of it is executed')\n")
    (tmp_path / "some_weights" / "models" / "w.pt").write_bytes(b"w")
    monkeypatch.syspath_prepend(tmp_path)
    assert weights_file("pkg://some_weights/models/w.pt", KEY).read_bytes() == b"w"
    with pytest.raises(FileNotFoundError, match=r"pkg://some_weights/other\.pt is not there"):
        weights_file("pkg://some_weights/other.pt", KEY)
    with pytest.raises(
        FileNotFoundError, match=r"package absent_weights, which is not .*: pip install absent-weights$"
    ):
        weights_file("pkg://absent_weights/models/w.pt", KEY)


def test_a_network_that_is_there_twice_has_to_be_chosen(tmp_path, module):
    sides = {
        side: {n: v + at for n, v in module.state_dict().items()} for at, side in enumerate(("teacher", "student"))
    }
    both = {f"{side}.{name}": value for side, state in sides.items() for name, value in state.items()}
    for key_map in (None, "order"):
        with pytest.raises(ValueError, match=r"more than once, under 'teacher' and 'student': .*_entry=teacher$"):
            load(tmp_path, module, both, key_map=key_map)
    with pytest.raises(ValueError, match=r"under 'model\.teacher' and 'model\.student': .*_entry=model\.teacher$"):
        load(tmp_path, module, {"model": both, "ema": sides["teacher"]}, entry="model")
    for state, within in ((both, ""), ({"state_dict": both, "epoch": 3}, ""), ({"model": both, "ema": both}, "model.")):
        for side in sides:
            load(tmp_path, module, state, entry=f"{within}{side}")
            assert all(torch.equal(value, sides[side][name]) for name, value in module.state_dict().items())


def test_a_network_that_is_registered_twice_is_one(tmp_path, module):
    own = {name: value + 1 for name, value in module.state_dict().items()}
    load(tmp_path, module, {f"{side}.{name}": value for side in ("loss.model", "model") for name, value in own.items()})
    assert all(torch.equal(value, own[name]) for name, value in module.state_dict().items())


def test_by_order_without_what_is_beside_the_network(tmp_path, module):
    """As torch.optim.swa_utils.AveragedModel keeps it, with old counters and without."""
    state = {f"module.{name}": value for name, value in theirs(module).items()}
    for kept in (state, {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}):
        load(tmp_path, module, {"n_averaged": torch.tensor(3), **kept}, key_map="order")
        assert torch.equal(module[2].bias, state["module._conv1.bias"])


def test_safetensors_keep_no_order(tmp_path, module):
    save_file(theirs(module), tmp_path / "w.safetensors")
    with pytest.raises(ValueError, match=r"do not keep the order of their tensors: save them as \.pt"):
        load_external_weights(tmp_path / "w.safetensors", module, KEY, key_map="order")
