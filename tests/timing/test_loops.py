"""A loop makes the passes that the table says it needs, no more and no fewer. Times themselves are no test."""

from __future__ import annotations

import time

import pytest
import torch

from benchmark.timing import bare, clock, peers, report
from benchmark.timing.attack_loops import attack_on, counted_maps
from benchmark.timing.loop import Loop
from benchmark.timing.loops import LOOPS
from benchmark.timing.workbench import Workbench
from tests.helpers import configured

BATCH, STEPS = 4, 3
SMALL = (f"batch={BATCH}", f"steps={STEPS}", "budget=smoke", "trainer=cpu")

# Forward and backward passes of the classifier, an image, in each bare pass.
PASSES = {
    **{"F": (1, 0), "FB": (1, 1), "F of 2 B": (2, 0), "FB of 2 B": (2, 2)},
    **{
        "map": (1, 0),
        "another map": (0, 0),
        "trunk": (1, 0),
        "decoder": (0, 0),
        "decoder of 3 B": (0, 0),
        "goal map": (0, 0),
    },
    **{f"FB of {name}'s map": (1, 1) for name in ("rts", "cam", "gradcam", "aid")},
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return Workbench(configured(tmp_path_factory.mktemp("timing"), *SMALL, command="speed"))


def made(bench: Workbench, loop: Loop) -> tuple[float, float]:
    """Forward and backward passes of one step, an image."""
    counts = []
    for work in (loop.work, loop.end or (lambda: None)):
        before = dict(bench.classifier.passes)
        work()
        counts.append([bench.classifier.passes[key] - before[key] for key in ("forward", "backward")])
    forward, backward = ((all_ - end) / loop.units / BATCH for all_, end in zip(*counts, strict=True))
    return forward, backward


def needed(loop: Loop) -> tuple[float, float]:
    pairs = [(count * PASSES[name][0], count * PASSES[name][1]) for name, count in loop.needs.items()]
    return sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)


@pytest.mark.parametrize("name", ["pgd", "short", "rts", "aid", "deletion", "noise", "measure"])
def test_a_loop_makes_the_passes_that_it_needs(bench, name):
    for loop in LOOPS[name](bench):
        assert made(bench, loop) == needed(loop), loop.name


@pytest.mark.parametrize("name", ["rts", "cam", "gradcam"])
def test_adv2_takes_logits_and_map_from_one_pass(bench, name):
    groups = {"rts": bench.config["interpreter"], **bench.config["families"]}
    loop = attack_on(bench, name, bench.interpreter(groups[name]), f"FB of {name}'s map")
    assert made(bench, loop) == needed(loop) == (1, 1)


def test_the_first_map_of_a_search_is_counted_with_the_passes_that_an_attack_needs(bench):
    """60 of Adam's steps from nothing, once; then 8 a step, two looks and the logits, 4 of them with a graph."""
    loop = attack_on(bench, "", bench.interpreter(bench.config["families"]["mask"]), "map")
    assert loop.needs == {"map": 1, "first map": 1 / STEPS}
    assert made(bench, loop) == (11 + 60 / STEPS, 13 + 60 / STEPS)
    assert loop.passes is not None
    loop.passes["map"]()  # finds its own first map
    counts = [made(bench, Loop("", loop.passes[name], {})) for name in ("map", "first map")]
    assert counts == [(11, 13), (60, 60)]


def test_all_families_may_be_left_out(bench, monkeypatch):
    monkeypatch.setattr(bench, "config", {key: value for key, value in bench.config.items() if key != "families"})
    assert [loop.name for loop in LOOPS["adv2"](bench)] == ["ADV2 step on rts"]


def test_passes_with_a_map_are_counted_apart(bench):
    interpreter = bench.interpreter(bench.config["interpreter"])
    with counted_maps(interpreter) as count:
        attack_on(bench, "", interpreter, "map").work()
        interpreter.classifier(bench.image)
    assert count["backward"] == STEPS * BATCH
    assert count["all"] == STEPS * BATCH
    interpreter.explain(bench.image, bench.label)
    assert count["all"] == STEPS * BATCH


def test_a_ratio_is_a_steps_time_over_that_of_what_it_needs(bench, monkeypatch):
    done: list[str] = []

    def timed(works, repeats, device):
        works["loop: needed"]()
        return {"loop": 7.0, "loop: end": 1.0, "loop: needed": 6.0}

    monkeypatch.setattr(report, "shortest", timed)
    monkeypatch.setattr(bare, "passes", lambda bench: {"F": lambda: done.append("F"), "own": lambda: 1 / 0})
    own = {"own": lambda: done.append("own")}
    loop = Loop("loop", lambda: None, {"F": 2, "own": 4, "FB": 0}, units=3, end=lambda: None, passes=own)
    (cost,) = report.costs(bench, [loop], 1)
    assert done == ["F"] * 6 + ["own"] * 12, "as many in a row as the loop makes"
    assert (cost.step, cost.needed, cost.ratio) == (2.0, 2.0, 1.0)
    assert report.lines([cost])[-1] == "| loop | 2000.0 | 2 × F + 4 × own | 2000.0 | 1.00 |"


def test_passes_of_images_that_leave_are_rounded_and_scaled(bench, monkeypatch):
    monkeypatch.setattr(report, "shortest", lambda works, *rest: {"auto": 5.0, "auto: needed": 3.0})
    (cost,) = report.costs(bench, [Loop("auto", lambda: None, {"F": 2.6, "FB": 0.4})], 1)
    assert cost.needed == 3.0, "three passes were timed, and three are needed"
    (cost,) = report.costs(bench, [Loop("auto", lambda: None, {"F": 2.5})], 1)
    assert cost.needed == 3.0 * 2.5 / 2, "of two that were timed"


def test_works_are_timed_in_turn_and_the_first_round_is_left_out():
    done: list[str] = []

    def spin():
        done.append("long")
        start = time.process_time()
        while time.process_time() - start < 0.02:
            pass

    times = clock.shortest({"short": lambda: done.append("short"), "long": spin}, 3, torch.device("cpu"))
    assert done == ["short", "long"] * 4
    assert times["long"] >= 0.02 > times["short"]


@pytest.mark.parametrize(("threads", "used"), [(1, time.process_time), (2, time.perf_counter)])
def test_one_thread_is_timed_by_what_it_works(monkeypatch, threads, used):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert clock.timer(torch.device("cpu")) is used
    assert clock.timer(torch.device("cuda")) is time.perf_counter


def test_what_another_package_lacks_or_raises_is_told(bench, monkeypatch):
    def broken(bench, package):
        raise RuntimeError("no such layer")

    monkeypatch.setattr(peers, "PEERS", {"no_such_package": broken, "json": broken})
    told, missing = peers.compared(bench, 1)
    assert told == []
    assert missing == ["no_such_package is not installed", "json failed with RuntimeError: no such layer"]


def test_two_networks_make_two_passes(bench):
    copied = bench.two_networks.encoder
    before = dict(copied.passes)
    (forward, backward) = made(bench, attack_on(bench, "two", bench.two_networks, "two"))
    assert (forward, backward) == (1, 1)
    assert copied.passes["backward"] - before["backward"] == STEPS * BATCH
