"""The speed command: its table, and mistakes in its settings. Times themselves are no test on a shared machine."""

from __future__ import annotations

import pytest

from tests.helpers import underfire

SMALL = ("budget=smoke", "batch=4", "steps=2", "repeats=1", "trainer=cpu")


def test_a_table_is_told_and_nothing_is_kept(tmp_path):
    ran = underfire(
        tmp_path, "speed", "interpreter=cam", "loops=[pgd,adv2_auto]", "auto_passes=12", "peers=true", *SMALL
    )
    assert ran.returncode == 0, ran.stderr
    assert "| loop | ms | bare passes that it needs | ms of these | ratio |" in ran.stderr
    assert "| PGD step |" in ran.stderr
    assert "| adv2_auto on cam |" in ran.stderr
    assert "theirs / ours" in ran.stderr
    assert not (tmp_path / "results").exists()


def test_images_of_any_size_are_drawn(tmp_path):
    ran = underfire(tmp_path, "speed", "image_size=40", "interpreter=cam", "loops=[short]", *SMALL)
    assert ran.returncode == 0, ran.stderr
    assert "small_resnet at 40 px, 4 images, cpu" in ran.stderr
    assert "| ADV2 of 3 steps on cam, a step |" in ran.stderr


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("interpreter=rise", "no gradient"),
        ("loops=[pdg]", "no such loop; there are pgd"),
        ("peers=[foolbocks]", "nothing is compared of that name; there are torchattacks, foolbox"),
        ("interpreter=grad", "cannot be told apart"),
    ],
)
def test_what_cannot_be_timed_is_told(tmp_path, override, words):
    loops = ["loops=[adv2,adv2_auto]"] if override.startswith("interpreter") else []
    ran = underfire(tmp_path, "speed", override, *loops, *SMALL)
    assert ran.returncode == 1
    assert words in ran.stderr
