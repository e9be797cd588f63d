"""Records and artefacts of another version: never read, called done, called damaged, or deleted."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pandas as pd
import pytest

from benchmark.commands.common.integrity import check_files, named_by_others, unused
from benchmark.configuration.sweep_expansion import Planned, Sweep
from benchmark.planning import plan as planning
from benchmark.planning.plan_tables import render
from benchmark.report.build import build_report
from benchmark.storage.artefacts import Store, is_other_format
from benchmark.storage.formats import FORMAT, format_of, records_left_out
from benchmark.storage.hashing import own_checksum
from benchmark.storage.record_check import OtherFormat
from benchmark.storage.records import (
    is_done,
    is_failed,
    other_formats,
    read_record,
    read_records,
    scan_records,
    write_record,
)

SAMPLES = pd.DataFrame({"success": [True, False]})
KEY = "0123456789abcdef"


def write(root: Path, name: str, version: int | None = None, **further: object) -> Path:
    """A finished record, rewritten as ``version`` of the suite would have it, its own checksum right."""
    write_record(root / name, SAMPLES, {}, {"name": name, "probe": "pgd", "artefacts": {"classifier": KEY}})
    if version is not None:
        rewrite(root / name / "cell.json", format=version, **further)
    return root / name


def rewrite(path: Path, **changes: object) -> None:
    content = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({**content, "checksum": own_checksum(content)}, indent=1))


@pytest.mark.parametrize("version", [FORMAT["cell"] - 1, FORMAT["cell"] + 1, 99])
class TestARecordOfAnotherFormat:
    def test_is_not_read_and_not_done(self, tmp_path, version):
        folder = write(tmp_path, "other", version)
        with pytest.raises(OtherFormat, match=f"of format {version}, this suite writes {FORMAT['cell']}: run the cell"):
            read_record(folder)
        assert not is_done(folder)

    def test_whatever_else_that_version_writes(self, tmp_path, version):
        folder = write(tmp_path, "other", version, status="failed", checksums=None, mood="good")
        rewrite(folder / "cell.json", checksum="of another kind")
        with pytest.raises(OtherFormat):
            read_record(folder)
        assert not is_failed(folder)

    def test_readers_count_it_in_one_sentence(self, tmp_path, version, caplog):
        write(tmp_path, "ours")
        for name in "abc":
            write(tmp_path, name, version)
        with caplog.at_level(logging.WARNING, "underfire"):
            (record,) = read_records(tmp_path)
        assert record.folder.name == "ours"
        assert caplog.messages == [
            f"3 records of format {version}, this suite writes {FORMAT['cell']}: left out; run their cells again or "
            "report them with the version that wrote them"
        ]

    def test_is_missing_from_a_plan_which_says_so(self, tmp_path, version, monkeypatch):
        folder = write(tmp_path / "results", "other", version)
        paths = {"store": str(tmp_path / "store"), "results": str(tmp_path / "results")}
        cell = planning.CellStatus("other", (), *planning._cell_state(folder))
        assert cell.state == "missing"
        monkeypatch.setattr(planning, "inspect_cell", lambda planned: (cell, []))
        made = planning.plan(Sweep(False, [Planned((), {"paths": paths})]))
        assert made.count("done") == 0
        (note,) = made.notes
        assert note.startswith(f"1 record of format {version}")
        assert note in str(list(render(made).renderables)[-1])

    def test_keeps_what_it_names_from_gc(self, tmp_path, version):
        folder = write(tmp_path / "results", "other", version, artefacts=None, needs=[{"of": KEY}])
        store = Store(tmp_path / "store")
        needed = tmp_path / "store" / "classifier" / KEY
        needed.mkdir(parents=True)
        idle = store.get("classifier", {"a": 1}, lambda partial: {}).path
        scan = scan_records(folder.parent)
        assert unused(store.root, scan.records, named_by_others(scan.other)) == [idle]

    def test_is_no_fault(self, tmp_path, version):
        write(tmp_path / "results", "other", version)
        checked = check_files(tmp_path / "store", tmp_path / "results")
        assert (checked.records, checked.faults) == ([], [])
        assert checked.notes[0].startswith(f"1 record of format {version}")


def test_other_formats_are_seen_from_the_first_bytes(tmp_path):
    assert format_of(write(tmp_path, "ours") / "cell.json") == FORMAT["cell"]
    folder = write(tmp_path, "other", 7)
    (folder / "cell.json").write_text(json.dumps({"status": "done", "format": 7}))
    write(tmp_path, "damaged").joinpath("cell.json").write_text("{")
    assert other_formats(tmp_path) == [7]


def test_several_formats_are_one_sentence():
    told = records_left_out([1, 3, 1])
    assert told.startswith(f"2 records of format 1 and 1 of format 3, this suite writes {FORMAT['cell']}: left out;")
    assert records_left_out([]) == ""


def test_a_report_of_nothing_else_says_so_once(tmp_path, caplog):
    write(tmp_path / "results", "other", 1)
    write(tmp_path / "results", "cut").joinpath("samples.parquet").unlink()
    with (
        caplog.at_level(logging.WARNING, "underfire"),
        pytest.raises(ValueError, match="there are 1 damaged records and 1 of another format"),
    ):
        build_report(tmp_path / "results", tmp_path / "report")
    damaged, other = caplog.messages
    assert "samples.parquet is missing" in damaged
    assert other.startswith("1 record of format 1")


class TestAnArtefactOfAnotherFormat:
    @pytest.fixture
    def other(self, tmp_path):
        folder = Store(tmp_path / "store").get("classifier", {"a": 1}, lambda partial: {"n": 1}).path
        rewrite(folder / "artefact.json", format=99)
        return folder

    def test_is_not_taken_but_made_again(self, tmp_path, other, caplog):
        store = Store(tmp_path / "store")
        assert is_other_format(other)
        assert not store.is_made("classifier", other.name)
        assert planning._artefact_state(other) == "missing"
        with caplog.at_level(logging.WARNING, "underfire"):
            assert store.get("classifier", {"a": 1}, lambda partial: {"n": 2}).metrics == {"n": 2}
        assert f"is of format 99, this suite writes {FORMAT['classifier']} and is made again" in caplog.text
        assert store.is_made("classifier", other.name)

    def test_is_no_fault(self, tmp_path, other):
        checked = check_files(tmp_path / "store", tmp_path / "results")
        assert (checked.faults, checked.unusable) == ([], {other.name})
        assert checked.notes == ["1 artefact of another version of the suite: not checked"]

    def test_a_further_entry_of_a_manifest_is_no_damage(self, tmp_path, other):
        rewrite(other / "artefact.json", format=FORMAT["classifier"], host="elsewhere")
        assert not Store(tmp_path / "store").get("classifier", {"a": 1}, lambda partial: {}).made
