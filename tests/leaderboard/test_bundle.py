"""A bundle is data: it is read whole or refused, and nothing in it is unpacked, imported, instantiated or unpickled."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import stat
import zipfile

import numpy as np
import pandas as pd
import pytest

from benchmark.leaderboard import sealed_file
from benchmark.leaderboard.bundle import read_bundle, write_bundle
from benchmark.leaderboard.check import faults_of
from benchmark.leaderboard.sealed_file import Refused
from benchmark.storage.hashing import own_checksum
from tests.leaderboard.entries import attacked, clean

TEXTS = {"name": "mine", "by": "Jo"}


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    return attacked(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def bundle(record, tmp_path_factory):
    path = tmp_path_factory.mktemp("bundles") / "mine.zip"
    write_bundle(path, [record], kind="attack", **TEXTS)
    return path


def members(path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def rewritten(path, target, change, *, sealed=True):
    """A copy with other members; ``sealed``: with the hashes that they have now."""
    files = members(path)
    change(files)
    if sealed:
        manifest = json.loads(files.pop("bundle.json"))
        manifest["files"] = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        files = {"bundle.json": json.dumps(manifest).encode(), **files}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return target


def in_cell(name: str, key: str) -> str:
    return f"cells/{key}/{name}"


def test_a_bundle_holds_what_went_in(bundle, record, tmp_path):
    found = read_bundle(bundle)
    assert (found.kind, found.name, found.by) == ("attack", "mine", "Jo") and found.weights == {}
    (own,) = found.records
    pd.testing.assert_frame_equal(own.samples, record.samples)
    for name in ("benign", "probed"):
        np.testing.assert_array_equal(own.images[name], record.images[name])
        np.testing.assert_array_equal(own.maps[name], record.maps[name])
    assert "root" not in own.cell["config"]["data"] and "paths" not in own.cell["config"]
    assert faults_of(found) == []
    again = tmp_path / "again.zip"
    write_bundle(again, [record], kind="attack", **TEXTS)
    assert again.read_bytes() == bundle.read_bytes()


def test_a_defence_takes_its_clean_cell_and_the_hashes_of_its_weights(record, tmp_path):
    with pytest.raises(ValueError, match="its clean cells too"):
        write_bundle(tmp_path / "x.zip", [record], kind="defence", **TEXTS)
    both = [record, clean(tmp_path / "results")]
    with pytest.raises(ValueError, match="name the store"):
        write_bundle(tmp_path / "x.zip", both, kind="defence", **TEXTS)
    store = tmp_path / "store"
    keys = {
        key: name.split()[0]
        for each in both
        for name, key in each.cell["artefacts"].items()
        if name.split()[0] in ("classifier", "interpreter")
    }
    store.mkdir()
    with pytest.raises(ValueError, match="the weights of classifier are not in"):
        write_bundle(tmp_path / "x.zip", both, kind="defence", store=store, **TEXTS)
    for key, kind in keys.items():
        (store / kind / key).mkdir(parents=True)
        text = json.dumps({"checksums": {"weights.safetensors": f"sum of {key}"}})
        (store / kind / key / "artefact.json").write_text(text)
    write_bundle(tmp_path / "x.zip", both, kind="defence", store=store, **TEXTS)
    found = read_bundle(tmp_path / "x.zip")
    assert found.weights == {key: f"sum of {key}" for key in keys} and len(found.records) == 2


@pytest.mark.parametrize(
    "texts, words",
    [
        ({"name": " ", "by": "Jo"}, "name is a text"),
        ({"name": "x" * 201, "by": "Jo"}, "at most 200 characters"),
        ({"name": "x", "by": ""}, "by is a text"),
    ],
)
def test_an_entry_has_a_name_and_an_author(record, tmp_path, texts, words):
    with pytest.raises(ValueError, match=words):
        write_bundle(tmp_path / "x.zip", [record], kind="attack", **texts)


@pytest.mark.parametrize(
    "name",
    [
        "../evil.json",
        "/etc/passwd",
        "cells/../../evil/cell.json",
        "cells\\evil\\cell.json",
        "C:/evil.json",
        "cells/0123456789abcdef/weights.pt",
        "cells/0123456789abcdef/__init__.py",
        "cells/0123456789abcdef/samples.pkl",
        "cells/0123456789abcdef/sub/cell.json",
        "cells/0123456789ABCDEF/cell.json",
        "plugin.py",
    ],
)
def test_no_member_leads_out_of_the_bundle_or_is_code(bundle, tmp_path, name):
    target = rewritten(bundle, tmp_path / "x.zip", lambda files: files.update({name: b"x"}))
    with pytest.raises(Refused, match="which no bundle holds"):
        read_bundle(target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.zip"], "nothing was unpacked"


def test_links_encrypted_and_repeated_members_are_refused(bundle, tmp_path):
    def write(change, name):
        path = tmp_path / name
        with zipfile.ZipFile(path, "w") as file:
            for each, content in members(bundle).items():
                info = zipfile.ZipInfo(each)
                change(info)
                file.writestr(info, content)
        return path

    link = write(lambda info: setattr(info, "external_attr", (stat.S_IFLNK | 0o777) << 16), "link.zip")
    with pytest.raises(Refused, match="no plain file but a link"):
        read_bundle(link)
    content = bytearray(bundle.read_bytes())
    at = content.index(b"PK\x01\x02")
    content[at + 8] |= 1
    (tmp_path / "locked.zip").write_bytes(content)
    with pytest.raises(Refused, match="is encrypted"):
        read_bundle(tmp_path / "locked.zip")
    with zipfile.ZipFile(tmp_path / "twice.zip", "w") as file:
        for each, body in members(bundle).items():
            file.writestr(each, body)
        with pytest.warns(UserWarning, match="Duplicate name"):
            file.writestr("bundle.json", b"{}")
    with pytest.raises(Refused, match="twice"):
        read_bundle(tmp_path / "twice.zip")


def test_bombs_are_refused_before_they_are_unpacked(bundle, tmp_path, monkeypatch):
    key = read_bundle(bundle).records[0].cell["cell"]
    zeros = rewritten(
        bundle,
        tmp_path / "zeros.zip",
        lambda files: files.update({in_cell("images.safetensors", key): bytes(64 << 20)}),
    )
    assert zeros.stat().st_size < 1 << 20
    with pytest.raises(Refused, match="more than a bundle may hold"):
        read_bundle(zeros)
    monkeypatch.setitem(sealed_file.LARGEST, "parquet", 100)
    with pytest.raises(Refused, match="more than a bundle may hold"):
        read_bundle(bundle)
    monkeypatch.undo()
    monkeypatch.setattr(sealed_file, "_check_members", lambda path, infos: None)  # a header that lies
    monkeypatch.setitem(sealed_file.LARGEST, "parquet", 100)
    with pytest.raises(Refused, match="unpacks to more than"):
        read_bundle(bundle)


def test_what_was_changed_is_refused(bundle, tmp_path):
    key = read_bundle(bundle).records[0].cell["cell"]
    for number, name in enumerate(["cell.json", "samples.parquet", "images.safetensors", "maps.safetensors"]):
        target = tmp_path / f"{number}.zip"
        rewritten(bundle, target, lambda files, name=name: files.update({in_cell(name, key): b"changed"}), sealed=False)
        with pytest.raises(Refused, match="has changed since the bundle was made"):
            read_bundle(target)

    def easier(files):
        cell = json.loads(files[in_cell("cell.json", key)])
        cell["facts"]["benign_spread"] = 0.9
        files[in_cell("cell.json", key)] = json.dumps(cell).encode()

    with pytest.raises(Refused, match="or has changed"):
        read_bundle(rewritten(bundle, tmp_path / "spread.zip", easier))
    half = tmp_path / "half.zip"
    half.write_bytes(bundle.read_bytes()[: len(bundle.read_bytes()) // 2])
    with pytest.raises(Refused, match="is no zip file"):
        read_bundle(half)
    with pytest.raises(FileNotFoundError, match="there is no bundle"):
        read_bundle(tmp_path / "none.zip")


class Boom:
    """Leaves a file where it is unpickled or called."""

    def __init__(self, path) -> None:
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_nothing_in_a_bundle_is_executed(bundle, tmp_path):
    fired = tmp_path / "fired"
    key = read_bundle(bundle).records[0].cell["cell"]

    def plant(files):
        files["configuration.yaml"] = f"!!python/object/apply:builtins.open ['{fired}', 'w']\n".encode()
        cell = json.loads(files[in_cell("cell.json", key)])
        bomb = {"_target_": "builtins.open", "_args_": [str(fired), "w"]}
        cell["config"]["interpreter"]["network"] = cell["config"]["probe"]["module"] = bomb
        cell["config"]["classifier"]["name"] = "${oc.env:HOME}"
        cell["checksum"] = own_checksum(cell)
        files[in_cell("cell.json", key)] = json.dumps(cell).encode()

    target = rewritten(bundle, tmp_path / "x.zip", plant)
    found = read_bundle(target)
    assert faults_of(found) == []
    from benchmark.leaderboard.recheck import recheck

    outcome = recheck(found, [], {})
    assert not outcome.cells and "no record here has its classifier and interpreter" in outcome.notes[0]
    assert not fired.exists()
    for name in ("samples.parquet", "images.safetensors", "maps.safetensors"):
        body = pickle.dumps(Boom(fired))
        changed = rewritten(
            bundle, tmp_path / "y.zip", lambda files, name=name, body=body: files.update({in_cell(name, key): body})
        )
        with pytest.raises(Refused):
            read_bundle(changed)
    assert not fired.exists()


@pytest.mark.parametrize(
    "text, words",
    [
        (b"\xff", "is no JSON"),
        (b"[1]", "no JSON object"),
        (b'{"format": NaN}', "is no number of JSON"),
        (b"[" * 100_000, "is no JSON"),
        (b"{}", "no record of a finished cell"),
    ],
)
def test_json_that_is_none(bundle, tmp_path, text, words):
    key = read_bundle(bundle).records[0].cell["cell"]
    changed = rewritten(bundle, tmp_path / "x.zip", lambda files: files.update({in_cell("cell.json", key): text}))
    with pytest.raises(Refused, match=words):
        read_bundle(changed)


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda table: table.assign(success="yes"), "neither of numbers nor of flags"),
        (lambda table: table.assign(further=1), "no column 'further'"),
        (lambda table: table.assign(map_l1=np.float32(3)), "lies in"),
        (lambda table: table.assign(sample_id=0), "one twice"),
        (lambda table: table[:0], "no sample"),
    ],
)
def test_tables_that_do_not_fit(bundle, tmp_path, change, words):
    found = read_bundle(bundle).records[0]
    buffer = io.BytesIO()
    change(found.samples).to_parquet(buffer, index=False)
    name = in_cell("samples.parquet", found.cell["cell"])
    changed = rewritten(bundle, tmp_path / "x.zip", lambda files: files.update({name: buffer.getvalue()}))
    with pytest.raises(Refused, match=words):
        read_bundle(changed)


def contradiction(bundle, tmp_path, *, samples=None, tensors=None, cell=None) -> list[str]:
    from safetensors.numpy import save

    found = read_bundle(bundle).records[0]
    key = found.cell["cell"]

    def change(files):
        if samples is not None:
            buffer = io.BytesIO()
            samples(found.samples.copy()).to_parquet(buffer, index=False)
            files[in_cell("samples.parquet", key)] = buffer.getvalue()
        for name, edit in (tensors or {}).items():
            arrays = {each: array.copy() for each, array in getattr(found, name).items()}
            edit(arrays)
            files[in_cell(f"{name}.safetensors", key)] = save(arrays)
        if cell is not None:
            content = json.loads(files[in_cell("cell.json", key)])
            cell(content)
            content["checksum"] = own_checksum(content)
            files[in_cell("cell.json", key)] = json.dumps(content).encode()

    return faults_of(read_bundle(rewritten(bundle, tmp_path / "x.zip", change)))


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"samples": lambda t: t.assign(success=~t["success"])}, "the column success"),
        ({"samples": lambda t: t.assign(pred_probe=t["label"])}, "the column success"),
        ({"samples": lambda t: t.assign(map_l1=t["map_l1"] / 4)}, "the column map_l1"),
        ({"samples": lambda t: t.assign(looks_benign=1 - t["looks_benign"])}, "looks_benign"),
        ({"samples": lambda t: t.assign(linf=t["linf"] / 2)}, "the column linf"),
        ({"samples": lambda t: t.assign(pred_benign=(t["label"] + 1) % 10)}, "classified wrong before"),
        ({"samples": lambda t: t[:-1]}, "199 samples, cell.json says 200"),
        ({"tensors": {"images": lambda a: a["probed"].__setitem__((0, 0, 0, 0), 0)}}, "column linf"),
        ({"tensors": {"images": lambda a: a["sample_id"].__setitem__(0, 1)}}, "1 samples have no image"),
        ({"tensors": {"images": lambda a: a.pop("benign")}}, "does not hold benign and probed"),
        ({"tensors": {"maps": lambda a: a["probed"].__setitem__(0, np.nan)}}, "NaN"),
        ({"cell": lambda c: c["config"]["probe"].update(epsilon=4 / 255)}, "more than epsilon=4/255"),
        ({"cell": lambda c: c["facts"].pop("benign_spread")}, "no benign spread"),
    ],
)
def test_a_bundle_that_contradicts_itself(bundle, tmp_path, changes, words):
    assert any(words in fault for fault in contradiction(bundle, tmp_path, **changes))
