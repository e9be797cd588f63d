"""The command line itself: options, version, exit statuses, Ctrl-C, and what Hydra raises before a job."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from hydra import compose, initialize_config_dir

from benchmark import __main__ as entry
from benchmark.commands.common.job import hydras_mistake, sentence_of
from benchmark.commands.common.options import EXIT_STATUS, Parser, Settings, launch_options
from benchmark.configuration.sweep_expansion import expand
from benchmark.planning.precheck import precheck_command
from benchmark.storage.formats import FORMAT
from tests.helpers import PROJECT, underfire

CONF = str(entry.conf_folder())


# As in a terminal; a process that was started in the background ignores SIGINT, and so would its children.
LISTENING = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"


def python(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", LISTENING + code, *arguments],
        cwd=PROJECT,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("command", ["train_classifier", "train_interpreter"])
def test_the_check_before_the_first_job_knows_a_sweep(command):
    with pytest.raises(ValueError, match="seed has several values: add -m"):
        precheck_command(CONF, command, ["seed=0,1"])
    precheck_command(CONF, command, ["seed=0,1"], multirun=True)


class TestOptions:
    def test_settings_and_options_come_in_any_order(self, tmp_path):
        words = ["probe=pgd", "-m", "seed=0,1", "-cd", str(tmp_path), "+a=-3"]
        flags, settings = launch_options("run", words)
        assert settings == Settings(["probe=pgd", "seed=0,1", "+a=-3"], True, str(tmp_path))
        assert flags == ["--multirun", f"--config-dir={tmp_path}"]

    def test_those_of_hydra_are_handed_on(self):
        assert launch_options("run", ["--cfg", "job", "--resolve", "a=b", "-i"])[0] == [
            "--resolve",
            "--cfg=job",
            "--info=all",
        ]

    @pytest.mark.parametrize("words", [["--dry"], ["a=b", "-x"], ["--multi"], ["--cfg", "jobs"]])
    @pytest.mark.parametrize("command", ["run", "report"])
    def test_an_unknown_one_is_a_sentence(self, command, words, capsys):
        with pytest.raises(SystemExit) as end:
            launch_options(command, words)
        assert end.value.code == 2
        told = capsys.readouterr().err
        assert told.startswith(f"underfire {command}: ") and told.count("\n") == 1
        assert "invalid choice" in told or f"{words[-1]} is no option of {command}; there are --multirun" in told

    @pytest.mark.parametrize("command", ["plan", "status"])
    def test_so_it_is_for_plan_and_status(self, command, capsys):
        with pytest.raises(SystemExit) as end:
            entry._command(command)(CONF, ["probe=pgd", "--shallow"])
        assert end.value.code == 2
        assert f"underfire {command}: --shallow is no option of {command}; there are" in capsys.readouterr().err

    def test_a_config_dir_that_is_not_there(self, tmp_path, capsys):
        with pytest.raises(SystemExit) as end:
            Parser("plan").settings(["--config-dir", str(tmp_path / "gone")])
        assert end.value.code == 2
        assert "gone is not there: name a folder with options" in capsys.readouterr().err

    def test_help_names_the_exit_statuses(self, capsys):
        with pytest.raises(SystemExit):
            entry._command("plan")(CONF, ["--help"])
        helped = " ".join(capsys.readouterr().out.split())
        assert EXIT_STATUS in helped
        assert EXIT_STATUS in entry.usage()
        with initialize_config_dir(version_base="1.3", config_dir=CONF):
            footer = compose("report", return_hydra_config=True).hydra.help.footer
        assert EXIT_STATUS in " ".join(footer.split())

    @pytest.mark.parametrize("words", [["--version"], ["plan", "--version"]])
    def test_version(self, words, monkeypatch, capsys):
        monkeypatch.setattr(sys, "argv", ["underfire", *words])
        monkeypatch.setattr("benchmark.commands.common.console.end_on_interrupt", lambda: None)
        entry.main()
        told = capsys.readouterr().out
        assert told.startswith("underfire ") and f"records of format {FORMAT['cell']}" in told


class TestConfigDir:
    """A folder with options beside those of conf/, for plan and status as for run."""

    @pytest.fixture
    def folder(self, tmp_path):
        for group, text in (("probe/mine", "defaults: [normal_03]\nname: mine"), ("extra/one", "a: 1")):
            path = tmp_path / f"{group}.yaml"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text + "\n")
        (tmp_path / "extra" / "two.yaml").write_text("a: 2\n")
        return tmp_path

    def test_its_options_are_planned(self, folder):
        (cell,) = expand(CONF, "run", ["probe=mine"], config_dir=str(folder)).cells
        assert cell.config["probe"]["name"] == "mine"
        swept = expand(CONF, "run", ["-m", "probe=mine,pgd", "+extra=one,two"], config_dir=str(folder)).cells
        assert [(each.config["probe"]["name"], each.config["extra"]["a"]) for each in swept] == [
            *(("mine", 1), ("mine", 2), ("pgd", 1), ("pgd", 2))
        ]

    def test_without_it_they_are_not_there(self, folder):
        (cell,) = expand(CONF, "run", ["probe=mine"]).cells
        assert "mine" in cell.error

    def test_run_and_plan_take_it(self, folder, tmp_path):
        ran = underfire(tmp_path, "plan", "-cd", str(folder), "probe=mine", "budget=smoke", "--cells")
        assert ran.returncode == 0, ran.stderr
        assert "-mine_0.03-s0-" in ran.stdout


class TestCtrlC:
    COMMANDS = sorted(set(entry.COMMANDS) - set(entry.STOPPABLE))

    @pytest.mark.parametrize("command", COMMANDS)
    def test_is_one_line_and_130(self, tmp_path, command):
        """It comes while the command's own code is imported."""
        code = (
            "import os, signal, sys; from benchmark import __main__ as m\n"
            "m._command = lambda name: os.kill(os.getpid(), signal.SIGINT)\n"
            "m.main()"
        )
        ran = python(code, command, UNDERFIRE_ROOT=str(tmp_path))
        assert (ran.returncode, ran.stderr, ran.stdout) == (130, "underfire: stopped by Ctrl-C\n", "")

    def test_is_not_swallowed_by_an_import(self, tmp_path):
        (tmp_path / "greedy.py").write_text(
            "import os, signal\ntry:\n    os.kill(os.getpid(), signal.SIGINT)\nexcept BaseException:\n    pass\n"
        )
        code = (
            "import sys; from benchmark.commands.common import console; console.end_on_interrupt()\n"
            f"sys.path.append({str(tmp_path)!r}); print('before'); import greedy; print('after')"
        )
        ran = python(code)
        assert (ran.returncode, ran.stdout) == (130, "before\n")

    def test_the_second_one_ends_what_the_first_one_lets_finish(self):
        code = (
            "import os, signal\n"
            "from benchmark.commands.common import console; from benchmark.processes import signals\n"
            "console.end_on_interrupt(); signals.install_handlers()\n"
            "os.kill(os.getpid(), signal.SIGINT); print('between', flush=True); os.kill(os.getpid(), signal.SIGINT)\n"
            "print('after')"
        )
        ran = python(code)
        assert (ran.returncode, ran.stdout) == (130, "between\n")
        assert "Traceback" not in ran.stderr

    def test_where_it_is_ignored_it_stays_so(self):
        code = (
            "import os, signal; from benchmark.commands.common import console\n"
            "signal.signal(signal.SIGINT, signal.SIG_IGN); console.end_on_interrupt()\n"
            "os.kill(os.getpid(), signal.SIGINT); print('after')"
        )
        assert python(code).stdout == "after\n"

    def test_of_a_watch_shows_the_cursor_again(self, tmp_path):
        code = (
            "import os, signal, sys, time; from benchmark.commands import status\n"
            "from benchmark.commands.common import console; from benchmark import __main__ as m\n"
            "console.end_on_interrupt(); status.time.sleep = lambda seconds: os.kill(os.getpid(), signal.SIGINT)\n"
            "status.main(str(m.conf_folder()), ['--watch', 'budget=smoke', 'probe=clean'])"
        )
        ran = python(code, UNDERFIRE_ROOT=str(tmp_path))
        assert (ran.returncode, ran.stderr) == (130, "underfire: stopped by Ctrl-C\n")
        assert "1 cells: 0 done, 1 missing" in ran.stdout


class TestWhatHydraRaises:
    def test_a_mistake_of_the_operating_system_names_the_file(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(OSError, match="Not a directory") as raised:
            (tmp_path / "file" / "outputs").mkdir()
        told = hydras_mistake(raised.value, CONF)
        assert told.startswith(f"{tmp_path / 'file' / 'outputs'} cannot be written to (Not a directory)")
        assert sentence_of(raised.value).startswith(f"{tmp_path / 'file' / 'outputs'} cannot be read or written")

    def test_its_own_is_in_our_words(self, tmp_path):
        ran = underfire(tmp_path, "report", "resample=3")
        assert ran.returncode == 1
        assert ran.stderr.startswith("underfire: resample is no key of the configuration")
        assert "HYDRA" not in ran.stderr

    def test_another_error_keeps_its_traceback(self):
        with pytest.raises(RuntimeError, match="a bug"):
            hydras_mistake(RuntimeError("a bug"), CONF)
        told = hydras_mistake(RuntimeError("a worker was killed"), CONF, jobs_failed=True)
        assert told == "the launcher has broken off: RuntimeError"


def test_an_interrupt_number_is_what_shells_say():
    assert 128 + signal.SIGINT == 130
