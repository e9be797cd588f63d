"""Weights from outside that do not fit: what is wrong is named, and nothing is ever unpickled."""

from __future__ import annotations

import os
import warnings

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from benchmark.engine.external_weights import load_external_weights

KEY = "classifier.checkpoint"


@pytest.fixture
def module():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


def refused(path, module, words, error=ValueError):
    before = {name: value.clone() for name, value in module.state_dict().items()}
    with pytest.raises(error, match=words) as found:
        load_external_weights(path, module, KEY)
    sentence = str(found.value)
    assert sentence.startswith(KEY) and "weights_only" not in sentence and "\n" not in sentence
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items()), "nothing was loaded"


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_nan_and_infinity_are_counted(tmp_path, module, suffix):
    state = {name: value.clone() for name, value in module.state_dict().items()}
    state["0.weight"][1] = torch.nan
    state["1.running_var"][0] = torch.inf
    file = tmp_path / f"w{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(state, file)
    refused(file, module, r"3 of the 12 values of 0\.weight are NaN or infinite \(and 1 more tensors\)")


@pytest.mark.parametrize(
    ("dtype", "kind"),
    [
        (torch.complex64, "complex64"),
        (torch.int32, "int32"),
        (torch.bool, "bool"),
        (torch.float8_e4m3fn, "float8_e4m3fn"),
        (torch.float8_e5m2, "float8_e5m2"),
    ],
)
def test_types_that_weights_do_not_have(tmp_path, module, dtype, kind):
    state = module.state_dict() | {"0.weight": module[0].weight.detach().to(dtype)}
    torch.save(state, tmp_path / "w.pt")
    refused(tmp_path / "w.pt", module, rf"0\.weight is {kind}, this run needs float32 .*tensor\.float\(\)")


def test_counts_that_are_no_whole_numbers(tmp_path, module):
    torch.save(module.state_dict() | {"1.num_batches_tracked": torch.tensor(1.5)}, tmp_path / "w.pt")
    refused(tmp_path / "w.pt", module, r"num_batches_tracked is float32, this run needs int64")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_are_taken(tmp_path, module, dtype):
    weight = torch.ones(4, 3, dtype=dtype)
    torch.save(module.state_dict() | {"0.weight": weight}, tmp_path / "w.pt")
    load_external_weights(tmp_path / "w.pt", module, KEY)
    assert module[0].weight.dtype == torch.float32 and (module[0].weight == 1).all()


@pytest.mark.parametrize("prefix", ["module.", "network.", "model.", "_orig_mod.", "module.net.", "any.thing."])
@pytest.mark.parametrize("inside", [False, True], ids=["bare", "in net"])
def test_prefixes_are_taken_off(tmp_path, module, prefix, inside, caplog):
    """Also where our own names begin with "net."; other tensors beside the network are left out, and told."""
    state = {name: value + 1 for name, value in module.state_dict().items()}
    torch.save(
        {"head.x": torch.ones(2)} | {f"{prefix}{name}": value for name, value in state.items()}, tmp_path / "w.pt"
    )
    caplog.set_level("INFO", "underfire")
    load_external_weights(tmp_path / "w.pt", nn.ModuleDict({"net": module}) if inside else module, KEY)
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())
    assert (
        f"names without '{prefix.removesuffix('net.') if inside else prefix}'; 1 others are left out (such as head.x)"
        in caplog.text
    )


def test_tensors_beyond_ours_under_the_prefix_are_refused(tmp_path, module):
    state = {f"model.{name}": value for name, value in module.state_dict().items()}
    torch.save(state | {"model.2.weight": torch.ones(2)}, tmp_path / "w.pt")
    refused(tmp_path / "w.pt", module, r"0 of its 7 tensors are missing , 1 are not ours \(such as 2\.weight\)")


@pytest.mark.parametrize("name", ["model", "ema", "model_state_dict", "net", "state_dict"])
def test_the_one_entry_with_tensors_is_taken(tmp_path, module, name):
    state = {each: value + 1 for each, value in module.state_dict().items()}
    torch.save({name: state, "epoch": 3, "optimizer": {"lr": 0.1}}, tmp_path / "w.pt")
    load_external_weights(tmp_path / "w.pt", module, KEY)
    assert all(torch.equal(value, state[each]) for each, value in module.state_dict().items())


def test_of_two_entries_one_has_to_be_named(tmp_path, module):
    state = {name: value + 1 for name, value in module.state_dict().items()}
    torch.save({"state_dict": module.state_dict(), "ema": state}, tmp_path / "w.pt")
    refused(tmp_path / "w.pt", module, "under 'state_dict' and 'ema': name the ones .*checkpoint_entry=state_dict")
    with pytest.raises(ValueError, match=r"no entry 'emma' with tensors \('state_dict', 'ema'\): correct .*_entry"):
        load_external_weights(tmp_path / "w.pt", module, KEY, entry="emma")
    load_external_weights(tmp_path / "w.pt", module, KEY, entry="ema")
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())


def test_entries_inside_of_entries_have_a_dot(tmp_path, module):
    state, averaged = ({name: value + n for name, value in module.state_dict().items()} for n in (1, 2))
    torch.save(
        {"model": {"state_dict": state, "epoch": 3}, "ema": {"decay": 0.9, "shadow": averaged}}, tmp_path / "w.pt"
    )
    refused(tmp_path / "w.pt", module, r"under 'model\.state_dict' and 'ema\.shadow': name the ones to take")
    load_external_weights(tmp_path / "w.pt", module, KEY, entry="ema.shadow")
    assert all(torch.equal(value, averaged[name]) for name, value in module.state_dict().items())
    torch.save({"model": {"state_dict": state, "epoch": 3}}, tmp_path / "w.pt")
    load_external_weights(tmp_path / "w.pt", module, KEY)
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())


def test_tensors_deeper_in_a_file_are_no_second_network(tmp_path, module):
    """A metric, an optimizer's moments: what loads without them loads beside them."""
    state = {name: value + 1 for name, value in module.state_dict().items()}
    beside = {"metrics": {"val": {"accuracy": torch.ones(1)}}, "optimizer": {"moments": {"0": torch.ones(2)}}}
    torch.save({"state_dict": state, **beside}, tmp_path / "w.pt")
    load_external_weights(tmp_path / "w.pt", module, KEY)
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())


def test_a_state_dict_inside_is_taken(tmp_path, module):
    torch.save({"state_dict": module.state_dict(), "epoch": 3}, tmp_path / "w.ckpt")
    load_external_weights(tmp_path / "w.ckpt", module, KEY)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "damaged: it is empty"),
        (b"<html>log in</html>", "a text file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:12", r"a pointer of Git LFS.*git lfs pull"),
        (b"PK\x03\x04" + bytes(60), "damaged: it ends too early"),
        (b"\x80\x02}q\x00.", "does not hold a state_dict of tensors|damaged"),
        (bytes(range(256)), "damaged"),
        (b"\xff\xff\xff\xff\x00\x00\x00\x00{", "damaged"),
    ],
    ids=["empty", "text", "git lfs", "zip", "pickle", "bytes", "header"],
)
@pytest.mark.parametrize("name", ["w.pt", "w.safetensors", "w.bin"])
def test_a_file_that_is_no_weights(tmp_path, module, content, words, name):
    (tmp_path / name).write_bytes(content)
    refused(tmp_path / name, module, words)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([1, 2], "but a list"),
        (torch.zeros(3), "but one Tensor"),
        ({}, "it is empty"),
        ({"lr": 0.1, "steps": 3}, r"it holds 'lr': float, 'steps': int"),
    ],
    ids=["list", "tensor", "nothing", "settings"],
)
def test_a_file_of_something_else(tmp_path, module, content, words):
    torch.save(content, tmp_path / "w.pt")
    refused(tmp_path / "w.pt", module, rf"does not hold a state_dict of tensors.*{words}")


def test_objects_are_named_and_never_made(tmp_path, module):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "made"),)

    torch.save({"weight": Trap()}, tmp_path / "w.pt")
    refused(tmp_path / "w.pt", module, r"more than tensors \(.*mkdir\), and objects in files are never loaded")
    torch.save(nn.Linear(3, 2), tmp_path / "w.pt")
    refused(tmp_path / "w.pt", module, r"more than tensors \(torch\.nn\.modules\.linear\.Linear\)")
    assert not (tmp_path / "made").exists()


def test_a_torchscript_archive(tmp_path, module):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing is deprecated; archives made by it are not gone
        torch.jit.trace(module.eval(), torch.zeros(1, 3)).save(str(tmp_path / "w.pt"))
    refused(tmp_path / "w.pt", module, "a TorchScript archive")


def test_a_broken_config_beside_the_weights(tmp_path, module):
    save_file(module.state_dict(), tmp_path / "weights.safetensors")
    for broken in (b"a: [1", b"\xff\xfe\x00", b"\tkey: 1"):
        (tmp_path / "config.yaml").write_bytes(broken)
        refused(tmp_path, module, r"config\.yaml, which says what .* is damaged \(no YAML\)")


def test_folders_without_weights_and_other_files(tmp_path, module):
    refused(tmp_path, module, r"is a folder without weights\.safetensors", FileNotFoundError)
    os.mkfifo(tmp_path / "pipe.pt")
    refused(tmp_path / "pipe.pt", module, "is no regular file", FileNotFoundError)
    refused(tmp_path / "none.pt", module, "is not there", FileNotFoundError)
