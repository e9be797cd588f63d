"""Artefacts: made once, whole or not there, known by their content."""

from __future__ import annotations

import logging
import multiprocessing
import time
from collections import namedtuple

import pytest

from benchmark.storage import artefacts, atomic
from benchmark.storage.artefacts import Store, artefact_key, corruption
from benchmark.storage.formats import FORMAT
from benchmark.storage.hashing import content_hash

SPEC = {"seed": 0, "module": {"lr": 0.001, "name": "net"}, "layers": [1, 2]}


def write(folder):
    (folder / "weights.safetensors").write_bytes(b"weights")
    return {"accuracy": 0.5}


def slow(folder):
    with (folder.parent / "made").open("a") as file:
        file.write("once\n")
    time.sleep(0.5)
    return write(folder)


def ask(root):
    Store(root).get("classifier", SPEC, slow)


class TestHash:
    def test_golden_values(self):
        """These change only with a version in benchmark/storage/formats.py: stored artefacts would be lost."""
        assert content_hash(SPEC) == "58d74043af16c469"
        assert FORMAT["classifier"] == 2
        assert artefact_key("classifier", SPEC) == "3503166724af5bad"

    def test_our_classes_go_by_their_name_and_others_by_their_path(self):
        one, other = (
            {"net": [{"_target_": f"{module}.Net", "_args_": [1]}]} for module in ("benchmark.a", "benchmark.b.c")
        )
        assert artefact_key("classifier", one) == artefact_key("classifier", other)
        mine, yours = ({"net": {"_target_": f"{module}.Net"}} for module in ("mine", "yours"))
        assert artefact_key("classifier", mine) != artefact_key("classifier", yours)

    def test_order_and_kind_of_whole_number_do_not_matter(self):
        turned = {"layers": [1, 2], "module": {"name": "net", "lr": 0.001}, "seed": 0.0}
        assert content_hash(turned) == content_hash(SPEC)

    @pytest.mark.parametrize(
        "other",
        [
            {**SPEC, "seed": 1},
            {**SPEC, "layers": [2, 1]},
            {**SPEC, "module": {"lr": 0.001 + 2e-19, "name": "net"}},
            {**SPEC, "seed": "0"},
            {**SPEC, "seed": None},
            {**SPEC, "seed": False},
        ],
    )
    def test_content_does(self, other):
        assert content_hash(other) != content_hash(SPEC)

    def test_what_cannot_be_hashed_is_named(self):
        with pytest.raises(TypeError, match=r"spec\.module\.net is a set"):
            content_hash({"module": {"net": {1}}})
        with pytest.raises(TypeError, match="finite"):
            content_hash({"lr": float("nan")})


def state(root, spec):
    """done, missing or damaged."""
    store = Store(root)
    folder = store.path("classifier", store.key("classifier", spec))
    if not folder.exists():
        return "missing"
    return "damaged" if corruption(folder) else "done"


def test_made_once_and_then_found(tmp_path):
    first = Store(tmp_path).get("classifier", SPEC, write)
    again = Store(tmp_path).get("classifier", SPEC, lambda folder: pytest.fail("made twice"))
    assert (first.made, again.made) == (True, False)
    assert again.path == first.path == tmp_path / "classifier" / first.key
    assert again.metrics == {"accuracy": 0.5}
    assert state(tmp_path, SPEC) == "done"
    assert state(tmp_path, {}) == "missing"


def test_two_processes_make_it_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=ask, args=(tmp_path,)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert (tmp_path / "classifier" / "made").read_text() == "once\n"


@pytest.mark.parametrize(
    "corrupt",
    [
        lambda folder: (folder / "weights.safetensors").write_bytes(b"weightz"),
        lambda folder: (folder / "weights.safetensors").unlink(),
        lambda folder: (folder / "artefact.json").write_text("{"),
        lambda folder: (folder / "metrics.json").write_text("{}"),
    ],
    ids=["changed", "missing", "truncated", "metrics"],
)
def test_what_is_damaged_is_named_and_made_again(tmp_path, corrupt, caplog):
    made = Store(tmp_path).get("classifier", SPEC, write)
    corrupt(made.path)
    assert state(tmp_path, SPEC) == "damaged"
    with caplog.at_level(logging.WARNING, "underfire"):
        again = Store(tmp_path).get("classifier", SPEC, write)
    assert again.made
    assert "is damaged" in caplog.text
    assert (again.path / "weights.safetensors").read_bytes() == b"weights"


def test_a_failing_make_leaves_its_part_and_nothing_finished(tmp_path):
    def fail(folder):
        (folder / "half").write_text("half")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        Store(tmp_path).get("classifier", SPEC, fail)
    assert state(tmp_path, SPEC) == "missing"
    seen = []
    Store(tmp_path).get("classifier", SPEC, lambda folder: seen.extend(folder.iterdir()) or write(folder))
    assert [path.name for path in seen] == ["half"], "a later make finds what there was"


def test_discard_forgets(tmp_path):
    Store(tmp_path).get("classifier", SPEC, write)
    Store(tmp_path).discard("classifier", SPEC)
    assert state(tmp_path, SPEC) == "missing"


def test_a_full_disk_is_an_error_before_anything_is_made(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(atomic.shutil, "disk_usage", lambda path: usage(10**12, 10**12, 10**6))
    with pytest.raises(OSError, match="MB are needed"):
        Store(tmp_path).get("classifier", SPEC, lambda folder: pytest.fail("made"))
    assert artefacts.corruption(tmp_path) is not None
