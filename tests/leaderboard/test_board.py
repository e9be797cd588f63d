"""The leaderboard: rows from records, external attacks beside them, and a page that strangers' texts cannot break."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from benchmark.commands.leaderboard import shipped
from benchmark.leaderboard.board import build, check_file, read_check, write_check
from benchmark.leaderboard.bundle import write_bundle
from benchmark.leaderboard.page import render, write_board
from benchmark.report.statistics.bootstrap import Bootstrap
from tests.helpers import PROJECT
from tests.leaderboard.entries import PUBLISHED, attacked, clean, published

FEW = Bootstrap(50)
SEEDS = (5, 6, 7)


def bundled(folder, name="strong", *, kind="attack", checked=True, faults=(), seeds=SEEDS, by="Jo", url="", **options):
    """A bundle in a folder, of an attack on the published RTS, and what a re-check of it found."""
    folder.mkdir(exist_ok=True)
    records = [attacked(folder / f"{name}-results", seed=seed, **options) for seed in seeds]
    path = folder / f"{name}.zip"
    write_bundle(path, records, kind=kind, name=name, by=by, url=url)
    if checked:
        here = {"joint_success": 1.0, "success": 1.0, "map_l1": 0.01}
        write_check(path, {"cells": [{"here": here, "reported": here}], "faults": list(faults), "machine": "a CPU"})
    return path


@pytest.fixture(scope="module")
def board():
    return build([PUBLISHED], bootstrap=FEW)


def row(board, defence="none"):
    (found,) = [entry for _, entries in board.tables for entry in entries if entry.defence == defence]
    return found


def test_published_results_are_rows(board):
    ((threat, entries),) = board.tables
    assert threat.title == "digits (data seed 0), L∞ 8/255, 300 passes an image, budget bench"
    assert [entry.defence for entry in entries] == ["AID, anchored objective", "AID, paper objective", "none"]
    plain = row(board)
    assert plain.trainings == 5 and plain.by == "the suite, v1" and plain.training == "standard"
    accuracy = [published(seed=seed).cell["facts"]["accuracy"] for seed in range(5, 10)]
    assert plain.accuracy == pytest.approx(np.mean(accuracy))
    best = []
    for seed in range(5, 10):
        cells = [
            published(probe=probe, seed=seed).samples.set_index("sample_id") for probe in ("adv2", "adv2_auto", "pgd")
        ]
        closest = np.min([np.where(each["success"], each["map_l1"], np.inf) for each in cells], axis=0)
        spread = published(seed=seed).cell["facts"]["benign_spread"]
        best.append(np.mean(closest <= spread))
    assert plain.reported.joint_success.value == pytest.approx(np.mean(best), abs=2e-3)
    assert plain.rechecked is None and plain.external == () and not plain.is_broken
    assert plain.harm == "" and row(board, "AID, paper objective").harm.startswith("harmless: holds; object IoU -0.0")


def test_all_results_that_ship_are_on_the_board():
    every = {path.parent.name for path in (PROJECT / "docs" / "results").glob("*/index.json")}
    folders = shipped()
    assert every - {folder.name for folder in folders} == {"rts_confidence"}, "which has no attack"
    found = build(folders, bootstrap=Bootstrap(2))
    splits = [threat.split for threat, _ in found.tables]
    assert splits == sorted(splits, reverse=True) and set(splits) == {"test", "calibration"}
    calibration = found.tables[-1][1]
    assert {entry.training for entry in calibration} == {"standard", "pgd"}
    robust = [entry for entry in calibration if entry.training == "pgd"]
    assert max(entry.strongest.joint_success.value for entry in robust) < 0.1
    assert not found.notes and len({id(entry) for _, rows in found.tables for entry in rows}) >= 20
    page = render(found)
    assert "lambda_aid=80.0" in page and "where settings were chosen" in page


def test_a_stronger_attack_replaces_the_number_and_is_named(board, tmp_path):
    bundled(tmp_path, "strong", distance=0.001)
    found = build([PUBLISHED], tmp_path, FEW)
    weaker_than_one = row(board).reported.joint_success.value
    assert weaker_than_one < 1
    now = row(found)
    assert now.is_broken and now.strongest.joint_success.value == 1.0
    assert (now.strongest.attack, now.strongest.by) == ("strong", "Jo")
    assert now.reported == row(board).reported, "what was reported stays beside it"
    told = now.as_dict()
    assert told["strongest_attack"] == {"attack": "strong", "by": "Jo"} and told["joint_success"]["value"] == 1.0
    assert told["reported"]["joint_success"]["value"] == pytest.approx(weaker_than_one)
    assert "strong by Jo" in render(found)
    for defence in ("AID, paper objective", "AID, anchored objective"):
        assert row(found, defence).external == ()


@pytest.mark.parametrize(
    "options, listed",
    [
        ({"checked": False, "distance": 0.001}, True),  # nobody has measured it again
        ({"distance": 0.3}, True),  # the maps give it away
        ({"distance": 0.001, "count": 40}, True),  # on a few images, chosen by whoever sent it
        ({"distance": 0.001, "epsilon": 16 / 255}, False),  # of another threat model
    ],
)
def test_what_does_not_replace_it(board, tmp_path, options, listed):
    bundled(tmp_path, **options)
    found = build([PUBLISHED], tmp_path, FEW)
    assert not row(found).is_broken and bool(row(found).external) == listed
    assert row(found).strongest == row(board).reported
    if not options.get("checked", True):
        assert "not re-checked, does not count" in render(found)
    if "count" in options:
        assert "on fewer images of a training, does not count" in render(found)
    if not listed:
        assert "no entry has the method and the threat model" in found.notes[0]


def test_bundles_that_do_not_hold_are_left_out_with_a_sentence(tmp_path):
    bundled(tmp_path, "repeats", distance=0.001, faults=["success is 0.1 here and 1.0 in the bundle"], seeds=(5,))
    (tmp_path / "damaged.zip").write_bytes(b"PK nothing")
    found = build([PUBLISHED], tmp_path, FEW)
    assert row(found).external == ()
    assert sorted(note.split(":")[0] for note in found.notes) == ["damaged.zip is left out", "repeats.zip is left out"]


def test_a_check_is_of_these_bytes_alone(tmp_path):
    path = bundled(tmp_path, seeds=(5,))
    assert read_check(path)["machine"] == "a CPU"
    other = bundled(tmp_path, "other", checked=False, seeds=(6,))
    check_file(other).write_bytes(check_file(path).read_bytes())
    assert read_check(other) is None
    check_file(path).write_text("{")
    assert read_check(path) is None


def test_a_defence_is_a_row_of_its_own(board, tmp_path):
    store = tmp_path / "store"
    records = [attacked(tmp_path / "results", distance=0.3), clean(tmp_path / "results")]
    for record in records:
        for name, key in record.cell["artefacts"].items():
            if name.split()[0] in ("classifier", "interpreter"):
                folder = store / name.split()[0] / key
                folder.mkdir(parents=True, exist_ok=True)
                (folder / "artefact.json").write_text('{"checksums": {"weights.safetensors": "0"}}')
    (tmp_path / "bundles").mkdir()
    path = tmp_path / "bundles" / "d.zip"
    write_bundle(path, records, kind="defence", name="Shield", by="Ann", url="https://example.org", store=store)
    here = {"joint_success": 0.02, "success": 1.0, "map_l1": 0.3}
    write_check(path, {"cells": [{"here": here, "reported": here}], "faults": [], "machine": "a CPU"})
    found = build([PUBLISHED], tmp_path / "bundles", FEW)
    (own,) = [entry for _, entries in found.tables for entry in entries if entry.name]
    assert (own.by, own.name, own.trainings, own.source) == ("Ann", "Shield", 1, "d.zip")
    assert own.reported.joint_success.value == 0.0 and own.rechecked["joint_success"] == 0.02
    assert own.reported.pair_alarm_auc.value > 0.9
    assert found.tables[0][1][0] is own, "the best defence stands first"
    page = render(found)
    assert '<a href="https://example.org" rel="nofollow noopener">Shield</a>' in page and "0.020" in page


class Reader(HTMLParser):
    """What a browser would load or run."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loaded: list[str] = []
        self.handlers: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.loaded += [
            value for name, value in attrs if name in ("src", "srcset") or (tag == "link" and name == "href")
        ]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]


def test_the_page_is_one_file_and_texts_are_escaped(tmp_path):
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    bundled(tmp_path, "x", distance=0.001, by=evil, seeds=(5,))
    page, data = write_board(build([PUBLISHED], tmp_path, FEW), tmp_path / "out")
    reader = Reader()
    reader.feed(page.read_text(encoding="utf-8"))
    assert reader.tags.count("script") == 1 and "img" not in reader.tags
    assert reader.loaded == [] and reader.handlers == []
    assert "alert(1)" in page.read_text(encoding="utf-8"), "shown as text"
    assert not re.search(r"https?://", page.read_text(encoding="utf-8"))
    tables = json.loads(data.read_text(encoding="utf-8"))["tables"]
    assert tables[0]["entries"][-1]["external"][0]["by"] == evil
    assert tables[0]["threat_model"]["epsilon"] == pytest.approx(8 / 255)


def test_results_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        build([tmp_path / "none"])
    with pytest.raises(ValueError, match="no finished cell of an attack"):
        build([tmp_path])
