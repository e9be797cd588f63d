"""Networks are built once a cell, when they are used; before a training they are tried out once more."""

from __future__ import annotations

from benchmark.classifiers.timm_classifier import TimmClassifier
from benchmark.interpreters.rts import RTS
from benchmark.pipeline.cell import run_cell
from tests.helpers import configured


def counted(monkeypatch, kind) -> list[None]:
    """An entry for every network of a kind that is built from now on."""
    built: list[None] = []
    make = kind.__init__

    def count(self, *args, **kwargs):
        built.append(None)
        make(self, *args, **kwargs)

    monkeypatch.setattr(kind, "__init__", count)
    return built


def test_each_network_is_built_once_where_all_is_trained(tmp_path, monkeypatch):
    run_cell(configured(tmp_path, "interpreter=rts", "probe=clean"))
    classifiers, interpreters = counted(monkeypatch, TimmClassifier), counted(monkeypatch, RTS)
    _, status = run_cell(configured(tmp_path, "interpreter=rts", "probe=pgd"))
    assert (status, len(classifiers), len(interpreters)) == ("done", 1, 1)
