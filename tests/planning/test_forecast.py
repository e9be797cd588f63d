"""Hours and gigabytes of a sweep beforehand: the counts by hand, what is shared, what several jobs make of it, and what
a smoke sweep then takes."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import torch

from benchmark.configuration.conf_files import conf_folder
from benchmark.configuration.sweep_expansion import expand
from benchmark.pipeline.cell import run_cell
from benchmark.planning import forecast as module
from benchmark.planning.forecast import Cost, forecast, loops_of
from benchmark.planning.forecast_text import duration, sentences, size
from benchmark.planning.image_counts import class_count, image_count, image_size
from benchmark.planning.kept_times import KeptTimes, LoopTimes, Span, machine_of
from benchmark.planning.plan import plan
from benchmark.planning.work import BISECTION, COARSE_TO_FINE, steps_of, work_of, work_of_cell
from benchmark.timing.unit_times import unit_times
from tests.data.folders import small
from tests.helpers import configured, underfire

SMOKE = ["budget=smoke", "logger=none", "trainer=cpu", "trainer.threads=1"]


def swept(root: Path, *overrides: str):
    sweep = expand(str(conf_folder()), "run", [f"paths.root={root}", *SMOKE, *overrides])
    return sweep, plan(sweep)


def known(sweep, made, root: Path, seconds: float = 0.01) -> KeptTimes:
    """Times of every loop of a sweep: the same for all."""
    times = KeptTimes(root / "store", "here")
    for loop in loops_of(sweep.cells, made):
        times.note(loop, timed=seconds, size=1000)
    return times


class TestCounts:
    """Units of smoke cells, worked out by hand from conf/budget/smoke.yaml."""

    def units(self, root, *overrides):
        _, made = swept(root, *overrides)
        return {ref.name: {loop.name: units for loop, units in work_of(ref)} for ref in made.needed[0]}

    def test_of_trainings(self, tmp_path):
        units = self.units(tmp_path, "interpreter=rtsa", "probe=pgd")
        assert units["classifier"] == {"classifier step": 6 * 2 * 128, "forward": 6 * 128, "start": 1}
        assert units["interpreter selector"]["stage step"] == 4 * 64
        assert units["interpreter finish"]["stage step"] == 2 * 64

    def test_of_noise_and_spread(self, tmp_path):
        units = self.units(tmp_path, "probe=normal")
        assert units["noise normal 0.03"] == {"forward": BISECTION * 128}
        coarse = self.units(tmp_path, "probe=normal", "+data.scale_images=50")
        assert coarse["noise normal 0.03"] == {"forward": COARSE_TO_FINE * 50}
        assert units["spread"] == {"map": 6 * 32}
        assert units["probed"]["probe step"] == 128  # all that are classified right: at most all

    def test_of_attacks(self, tmp_path):
        assert self.units(tmp_path, "probe=pgd")["probed"]["probe step"] == 32 * 6 + 320  # and the checks on 8 samples
        for probe, steps in (("adv2_x10", 60), ("adv2_auto", 12), ("cw", 5 * 6), ("fgsm", 1), ("normal", 1)):
            config = configured(tmp_path, f"probe={probe}")
            assert steps_of(config["probe"]["module"]) == steps

    def test_of_measuring(self, tmp_path):
        probed = {loop.name: units for loop, units in work_of_cell(configured(tmp_path, "probe=pgd"))}
        assert probed == {"map": 3 * 32, "start": 2}
        clean = {loop.name: units for loop, units in work_of_cell(configured(tmp_path, "probe=clean"))}
        assert clean["forward"] == 50 * 16  # deletion and insertion
        assert clean["map"] == 2 * 128 + 5 * 32

    def test_seeds_and_weights_are_no_other_loop(self, tmp_path):
        def loops(*overrides):
            sweep, made = swept(tmp_path, "interpreter=rtsa", "probe=adv2", *overrides)
            return set(loops_of(sweep.cells, made))

        assert loops("seed=1", "probe.weight=3.5", "probe.steps=9", "interpreter.lambda_aid=0.5") == loops()
        assert loops("interpreter.blocks=3") != loops()
        assert loops("data.image_size=64") != loops()


class TestImages:
    def test_of_sets_that_are_known(self, tmp_path):
        digits = configured(tmp_path)
        assert [image_count(digits, split) for split in ("train", "calibration", "test")] == [256, 128, 128]
        cifar = configured(tmp_path, "data=cifar10", "budget=bench", "data.test=null", "data.train=null")
        assert [image_count(cifar, split) for split in ("train", "calibration", "test")] == [45_000, 2500, 10_000]
        assert (image_size(cifar), class_count(cifar)) == (32, 10)

    def test_of_a_folder(self, tmp_path):
        root = small(tmp_path / "images")
        config = configured(tmp_path, "data=image_folder", f"data.root={root}", "data.name=own")
        assert class_count(config) == 2
        assert [image_count(config, split) for split in ("train", "calibration", "test")] == [27, 3, 6]


class TestSharing:
    def test_what_is_shared_counts_once(self, tmp_path):
        sweep, made = swept(tmp_path, "-m", "interpreter=rts,rtsa", "probe=pgd,adv2")
        found = forecast(sweep.cells, made, known(sweep, made, tmp_path))
        assert len(found.artefacts) == len(made.uses)
        apart = sum((cost for cost in found.artefacts.values()), Cost())
        cells = sum(0.01 * units for each in sweep.cells for _, units in work_of_cell(each.config))
        assert found.total.seconds.likely == pytest.approx(apart.seconds.likely + cells)
        assert found.total.seconds.likely == pytest.approx(sum(c.seconds.likely for c in found.cells.values()))
        assert found.cells[0].seconds.likely > 2 * found.cells[1].seconds.likely  # the first trains what all need
        assert found.total.seconds.low < found.total.seconds.likely < found.total.seconds.high

    def test_what_is_done_costs_nothing(self, tmp_path):
        sweep, made = swept(tmp_path, "-m", "interpreter=rts", "probe=pgd,adv2")
        times = known(sweep, made, tmp_path)
        whole = forecast(sweep.cells, made, times).total.seconds.likely
        (classifier,) = (ref for ref in made.uses if ref.kind == "classifier")
        made.made[classifier] = "done"
        left = forecast(sweep.cells, made, times)
        assert classifier not in left.artefacts
        spared = sum(units for _, units in work_of(classifier)) * 0.01
        assert left.total.seconds.likely == pytest.approx(whole - spared)
        for cell in made.cells:
            cell.state = "done"
        assert forecast(sweep.cells, made, times).total == Cost()

    def test_an_attack_whose_step_is_dear_is_named(self, tmp_path):
        sweep, made = swept(tmp_path, "-m", "interpreter=rts,grad", "probe=adv2")
        times = known(sweep, made, tmp_path)
        assert not forecast(sweep.cells, made, times).dear
        (step,) = [each for each in loops_of(sweep.cells, made) if each.label.startswith("step of adv2 on grad")]
        times.loops[step.key].timed[:] = [0.19]
        found = forecast(sweep.cells, made, times)
        assert found.dear == {step.label: pytest.approx(19)}
        assert f"dear: a {step.label} takes 19 times a forward pass" in sentences(found)

    def test_jobs_wait_for_what_another_makes(self):
        """Two jobs and three cells that share one artefact of 10 s, each with 1 s of its own: 12 s and not 11.5 s."""
        shared = object()
        queue = [([shared], Span(1, 1, 1))] * 3
        seconds = {shared: Span(10, 10, 10)}
        assert module._wall(queue, seconds, 1, "likely") == 13
        assert module._wall(queue, seconds, 2, "likely") == 12
        assert module._wall(queue, seconds, 3, "likely") == 11

    def test_a_faster_device(self, tmp_path):
        sweep, made = swept(tmp_path, "probe=pgd")
        times = known(sweep, made, tmp_path)
        usual, fast = (forecast(sweep.cells, made, times, faster=each).total.seconds for each in (1, 10))
        assert fast.likely == pytest.approx(usual.likely / 10)
        assert fast.high / fast.low > usual.high / usual.low

    def test_a_loop_without_a_time_is_named(self, tmp_path):
        sweep, made = swept(tmp_path, "probe=pgd")
        found = forecast(sweep.cells, made, KeptTimes(tmp_path / "store", "here"))
        assert {loop.name for loop in found.unknown} >= {"classifier step", "stage step", "probe step", "map"}
        assert any("no time of it is known here" in line for line in sentences(found))


class TestDisk:
    def test_bytes_of_images_and_records(self, tmp_path):
        sweep, made = swept(tmp_path, "probe=pgd")
        found = forecast(sweep.cells, made, known(sweep, made, tmp_path))
        (probed,) = (cost for ref, cost in found.artefacts.items() if ref.kind == "probed")
        assert probed.bytes == 32 * (3 * 48**2 + 300)
        assert found.fits and any("that are free" in line for line in sentences(found))

    def test_too_little_room_is_a_sentence(self, tmp_path, monkeypatch):
        sweep, made = swept(tmp_path, "probe=pgd")
        monkeypatch.setattr(module, "_free", lambda folder: 1000)
        found = forecast(sweep.cells, made, known(sweep, made, tmp_path))
        assert not found.fits
        assert any("the disk has no room for it" in line for line in sentences(found))

    def test_words_of_amounts(self):
        assert [duration(each) for each in (3.21, 95, 400, 7000, 4e5)] == [
            "3.2 s",
            "95 s",
            "6.7 min",
            "1.9 h",
            "4.6 days",
        ]
        assert [size(each) for each in (2.5e6, 3.2e9)] == ["2.5 MB", "3.2 GB"]


class TestKeptTimes:
    def test_a_range_comes_from_what_work_took(self):
        assert LoopTimes("", timed=[9.0], worked=[1.0, 3.0, 2.0]).span() == Span(1.0, 2.0, 3.0)
        timed = LoopTimes("", timed=[1.0]).span()
        assert timed.low < timed.likely == 1.0 < timed.high

    def test_they_are_kept_by_machine(self, tmp_path):
        sweep, made = swept(tmp_path, "probe=pgd")
        times = known(sweep, made, tmp_path)
        times.keep()
        other = KeptTimes(tmp_path / "store", "there")
        other.keep()
        again = KeptTimes(tmp_path / "store", "here")
        assert again.loops == times.loops
        assert not again.missing(loops_of(sweep.cells, made))
        assert KeptTimes(tmp_path / "store", "there").missing(loops_of(sweep.cells, made))

    def test_a_damaged_file_is_none(self, tmp_path):
        (tmp_path / "times.json").write_text("{")
        assert KeptTimes(tmp_path, "here").loops == {}

    def test_a_store_that_cannot_be_written_to_keeps_none(self, tmp_path, caplog):
        caplog.set_level("INFO", logger="underfire")
        (tmp_path / "store").write_text("a file, where a folder would have to be made")
        KeptTimes(tmp_path / "store", "here").keep()
        assert "times of loops are not kept: paths.store" in caplog.text

    def test_finished_work_teaches_and_counts_once(self, tmp_path, monkeypatch):
        """An artefact of 64 s whose work is known: the time of its unit, from the record's configuration."""
        config = configured(tmp_path, "probe=pgd")
        made = plan(expand(str(conf_folder()), "run", [f"paths.root={tmp_path}", *SMOKE, "probe=pgd"]))
        (selector,) = (ref for ref in made.uses if ref.name == "interpreter selector")
        monkeypatch.setattr(KeptTimes, "_seconds", lambda self, ref: 64.0 if ref.key == selector.key else None)
        folder = tmp_path / "results" / "a"
        folder.mkdir(parents=True)
        cell = {"status": "done", "config": config, "device": "D", "threads": 1, "facts": {"accuracy": 1.0}}
        (folder / "cell.json").write_text(json.dumps(cell))
        times = KeptTimes(tmp_path / "store", "D, threads: 1")
        assert (times.learn(tmp_path / "results"), times.learn(tmp_path / "results")) == (1, 0)
        (loop, units), *_ = work_of(selector)
        assert times.loops[loop.key].worked == [64.0 / units]
        assert KeptTimes(tmp_path / "store", "E, threads: 1").learn(tmp_path / "results") == 1
        assert not KeptTimes(tmp_path / "store", "E, threads: 1").loops


def test_a_smoke_sweep_takes_what_was_foreseen(tmp_path):
    """Within a factor of two, in seconds of the CPU on one thread, which other processes disturb little."""
    before = torch.get_num_threads()
    sweep, made = swept(tmp_path, "-m", "interpreter=rts", "probe=clean,pgd")
    machine, threads = machine_of(sweep.cells[0].config)
    times = KeptTimes(tmp_path / "store", machine)
    try:
        for loop, seconds, bytes_made in unit_times(loops_of(sweep.cells, made), threads):
            times.note(loop, timed=seconds, size=bytes_made)
        found = forecast(sweep.cells, made, times)
        assert not found.unknown
        start = time.process_time()
        for planned in sweep.cells:
            run_cell(planned.config)
        took = time.process_time() - start
    finally:
        torch.set_num_threads(before)
    foreseen = found.total.seconds
    assert took / 2 <= foreseen.likely <= 2 * took, f"{foreseen} foreseen, {took:.1f} s of the CPU taken"
    written = sum(path.stat().st_size for folder in ("store", "results") for path in (tmp_path / folder).rglob("*.*"))
    caches = sum(path.stat().st_size for path in (tmp_path / "store" / "data").rglob("*.*"))
    assert (written - caches) / 2 <= found.total.bytes <= 2 * (written - caches)


@pytest.mark.parametrize("goals", ["all", "trained"])
@pytest.mark.parametrize("probe", ["adv2_other_image", "topk", "adv2_auto", "pgd"])
def test_attacks_of_every_goal_can_be_timed(tmp_path, probe, goals):
    """An attack whose goal maps are those of other images is given some, and goals where training images have some."""
    sweep, made = swept(tmp_path, "interpreter=gradcam", f"probe={probe}", f"probe.goal_classes={goals}")
    (step,) = (loop for loop in loops_of(sweep.cells, made) if loop.name == "probe step")
    ((loop, seconds, _),) = unit_times([step], 1)
    assert loop is step and seconds > 0


def test_the_command_tells_it(tmp_path):
    ran = underfire(tmp_path, "plan", *SMOKE, "probe=pgd", "--jobs", "2", "--json", "--quick")
    told = json.loads(ran.stdout)
    assert set(told["forecast"]["seconds"]) == {"low", "likely", "high"}
    assert told["forecast"]["jobs"] == 2 and told["forecast"]["fits"]
    assert told["cells"][0]["cost"]["unknown"] > 0
    assert not (tmp_path / "store").exists()  # nothing was timed, nothing is written
    assert underfire(tmp_path, "plan", *SMOKE, "--jobs", "0").returncode == 2


def test_a_set_of_unknown_size_is_said(tmp_path):
    sweep, made = swept(tmp_path, "probe=pgd")
    for planned, needed in zip(sweep.cells, made.needed, strict=True):
        for config in (planned.config, *(ref.config for ref in needed)):
            config["data"] |= {"_target_": "mine.Data", "test": None}
    found = forecast(sweep.cells, made, KeptTimes(tmp_path, "here"))
    assert [loop.label for loop in found.unknown] == ["all work on data=digits, whose number of images is not known"]
