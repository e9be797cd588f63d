"""The speed command: what it times stands in the right order. Times themselves are no test on a shared machine."""

from __future__ import annotations

import pytest

from tests.helpers import underfire


def test_ratios_are_told_and_nothing_is_kept(tmp_path):
    ran = underfire(
        tmp_path, "speed", "interpreter=cam", "budget=smoke", "batch=8", "steps=2", "repeats=2", "trainer=cpu"
    )
    assert ran.returncode == 0, ran.stderr
    assert "of the bare forward and backward of its map" in ran.stderr
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(("override", "words"), [("interpreter=rise", "no gradient")])
def test_what_cannot_be_timed_is_told(tmp_path, override, words):
    ran = underfire(tmp_path, "speed", override, "budget=smoke", "trainer=cpu")
    assert ran.returncode == 1
    assert words in ran.stderr
