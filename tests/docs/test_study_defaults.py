"""The defaults of both objectives are what the rule chooses among the published settings of the study."""

from __future__ import annotations

import pytest

from benchmark.report.cohorts.settings import flat
from benchmark.report.published.pack import read_pack
from benchmark.report.selection.aid_study import KEYS, results
from tests.docs.tables import RESULTS
from tests.helpers import configured


@pytest.mark.parametrize("name", ["rtsa", "rtsa_anchored"])
def test_the_default_is_the_choice_on_the_standard_classifier(name, tmp_path):
    (chosen,) = [
        each.setting
        for each in results(read_pack(RESULTS / "aid_study").records)
        if each.chosen and (each.setting.classifier, each.setting.interpreter) == ("small_resnet", name)
    ]
    default = flat(configured(tmp_path, f"interpreter={name}", "budget=bench"))
    for key in KEYS:
        mine, theirs = default[key], chosen.values[key]
        assert mine == theirs or not (mine or theirs), key  # a key that was not there yet sets nothing
