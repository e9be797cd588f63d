"""The published results can be compared with what today's configuration computes."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from benchmark.configuration.cells import Cell
from benchmark.configuration.conf_files import conf_folder
from benchmark.configuration.sweep_expansion import expand
from benchmark.report.compare.figures_of import kind_of
from benchmark.report.compare.reference import differing_settings
from benchmark.report.published.location import published_sets
from benchmark.report.published.pack import read_pack


@pytest.mark.parametrize("folder", published_sets(), ids=lambda folder: folder.name)
def test_observation_8_is_set_as_the_published_trainings_were(folder):
    """Else reports would leave out the comparison: publish anew, or make the setting absent where it sets nothing."""
    published = {kind_of(record): record for record in read_pack(folder).records}
    planned = expand(str(conf_folder()), "run", ["experiment=observation_8"]).cells
    today = [SimpleNamespace(cell=Cell(each.config).identity()) for each in planned if each.config]
    assert {kind_of(record) for record in today} == published.keys()
    assert {kind_of(record): differing_settings(record, published[kind_of(record)]) for record in today} == {
        kind: [] for kind in published
    }
