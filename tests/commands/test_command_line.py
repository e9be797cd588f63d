"""The command line itself: options, version, exit statuses, Ctrl-C, and what Hydra raises before a job."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from benchmark import __main__ as entry
from benchmark.commands.common.catalogue import COMMANDS
from benchmark.commands.common.help_page import EXIT_STATUS, command_page, overview, topic_page
from benchmark.commands.common.job import hydras_mistake, sentence_of
from benchmark.commands.common.options import Parser, Settings, launch_options
from benchmark.configuration.conf_files import conf_folder, keys_of_group
from benchmark.configuration.sweep_expansion import expand
from benchmark.planning.precheck import precheck_command
from benchmark.storage.formats import FORMAT
from tests.helpers import PROJECT, underfire

CONF = str(conf_folder())


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
        flags, _ = launch_options("run", ["--cfg", "job", "--resolve", "a=b", "-i"])
        assert flags == ["--cfg=job", "--resolve", "--info=all"]

    @pytest.mark.parametrize("words", [["--dry"], ["a=b", "-x"], ["--multi"], ["--cfg", "jobs"]])
    @pytest.mark.parametrize("command", ["run", "report"])
    def test_an_unknown_one_is_a_sentence(self, command, words, capsys):
        with pytest.raises(SystemExit) as end:
            launch_options(command, words)
        assert end.value.code == 2
        told = capsys.readouterr().err
        assert told.startswith(f"underfire {command}: ") and told.count("\n") == 1
        assert "invalid choice" in told or f"{words[-1]} is no option of {command}" in told

    @pytest.mark.parametrize("command", ["plan", "status"])
    def test_so_it_is_for_plan_and_status(self, command, capsys):
        with pytest.raises(SystemExit) as end:
            entry._command(command)(CONF, ["probe=pgd", "--xyz"])
        assert end.value.code == 2
        assert f"underfire {command}: --xyz is no option of {command}; there are" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("words", "near"),
        [(["run", "--mutlirun"], "--multirun"), (["plan", "--cell"], "--cells"), (["report", "--jsno=1"], "--json")],
    )
    def test_one_that_is_almost_spelt_right_is_named(self, words, near, capsys):
        with pytest.raises(SystemExit):
            entry._status(words[0], words[1:])
        assert f"is no option of {words[0]}: did you mean {near}" in capsys.readouterr().err

    def test_a_config_dir_that_is_not_there(self, tmp_path, capsys):
        with pytest.raises(SystemExit) as end:
            Parser("plan").settings(["--config-dir", str(tmp_path / "gone")])
        assert end.value.code == 2
        assert "gone is not there: name a folder with options" in capsys.readouterr().err

    @pytest.mark.parametrize("words", [["--version"], ["plan", "--version"]])
    def test_version(self, words, monkeypatch, capsys):
        monkeypatch.setattr(sys, "argv", ["underfire", *words])
        monkeypatch.setattr("benchmark.commands.common.console.end_on_interrupt", lambda advice: None)
        with pytest.raises(SystemExit) as end:
            entry.main()
        assert end.value.code == 0
        told = capsys.readouterr().out
        assert told.startswith("underfire ") and f"records of format {FORMAT['cell']}" in told


class TestHelp:
    """One layout for the command line, a command, and a group of options."""

    @pytest.mark.parametrize("command", sorted(COMMANDS))
    def test_of_every_command(self, command, capsys):
        with pytest.raises(SystemExit) as end:
            entry._status(command, ["--help"])
        assert end.value.code == 0
        told = " ".join(capsys.readouterr().out.split())
        assert told.startswith(f"usage: python -m benchmark {command} ")
        assert "options: " in told and "--help, -h" in told and told.endswith(EXIT_STATUS)
        assert (", --json" in told or " --json " in told) == COMMANDS[command].json

    def test_of_all_commands(self, capsys):
        assert entry._help([]) == 0
        told = capsys.readouterr().out
        text = " ".join(told.split())
        assert all(f"  {name} " in told and command.about in text for name, command in COMMANDS.items())
        assert EXIT_STATUS in " ".join(overview().split())

    def test_settings_come_with_their_choices_and_comments(self):
        told = " ".join(command_page("run", []).split())
        assert "probe=adv2 adv2 adv2_auto" in told
        assert "split=test the samples that are measured: test | calibration" in told
        assert "python -m benchmark run interpreter=rtsa probe=adv2" in told
        assert "hydra" not in told and "modules" not in told

    def test_of_a_group_and_of_an_option(self):
        told = " ".join(topic_page("probe").split())
        assert "probe=pgd" in told and "probe.epsilon" in told and "perturbation budget" in told
        keys = {key.name: key.value for key in keys_of_group([conf_folder()], "probe", "adv2")}
        assert keys["probe.name"] == "adv2"  # the option's own, not that of the file that it includes
        assert keys["probe.encoder_weight"] == "0.1"
        assert not any("phases." in name for name in keys)  # in a list: not set by a key with dots

    @pytest.mark.parametrize(
        ("topic", "told"),
        [
            ("prob", "did you mean probe?"),
            ("probe/adv3", "did you mean adv2"),
            ("run", "usage: "),
        ],
    )
    def test_a_word_that_is_none(self, topic, told, capsys):
        if topic in COMMANDS:
            with pytest.raises(SystemExit):
                entry._help([topic])
        else:
            assert entry._help([topic]) == 2
        out = capsys.readouterr()
        assert told in out.out + out.err

    def test_a_command_that_is_none(self, monkeypatch, capsys):
        monkeypatch.setattr(sys, "argv", ["underfire", "reprot"])
        monkeypatch.setattr("benchmark.commands.common.console.end_on_interrupt", lambda advice: None)
        with pytest.raises(SystemExit) as end:
            entry.main()
        assert end.value.code == 2
        assert capsys.readouterr().err == "underfire: 'reprot' is no command: did you mean report?\n"


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
    @pytest.mark.parametrize("command", sorted(COMMANDS))
    def test_is_one_line_and_130(self, tmp_path, command):
        code = (
            "import os, signal, sys; from benchmark import __main__ as m\n"
            "m._status = lambda command, words: os.kill(os.getpid(), signal.SIGINT)\n"
            "m.main()"
        )
        ran = python(code, command, "probe=pgd", UNDERFIRE_ROOT=str(tmp_path))
        assert ran.returncode == 130 and ran.stdout == ""
        first, *rest = ran.stderr.splitlines()
        goes_on = "goes on" if COMMANDS[command].stoppable else "begins again"
        assert first == f"underfire: stopped by Ctrl-C; the same command {goes_on}:"
        assert rest[-1].endswith(f" {command} probe=pgd")

    @pytest.mark.parametrize("command", ["report", "plan"])
    def test_while_the_commands_own_code_is_imported(self, tmp_path, command):
        code = (
            "import os, signal, sys; from benchmark import __main__ as m\n"
            "m._command = lambda name: os.kill(os.getpid(), signal.SIGINT)\n"
            "m.main()"
        )
        ran = python(code, command, UNDERFIRE_ROOT=str(tmp_path))
        assert ran.returncode == 130 and ran.stderr.startswith("underfire: stopped by Ctrl-C")

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

    def test_between_two_batches_it_says_how_to_go_on(self):
        code = (
            "import signal, sys; from benchmark import __main__ as m; from benchmark.processes.signals import Stopped\n"
            "def stopped(name): raise Stopped(signal.SIGINT)\n"
            "m._command = stopped\n"
            "m.main()"
        )
        ran = python(code, "plan", "a b")
        assert ran.returncode == 130
        assert "the same command goes on where this one was:\n  " in ran.stderr
        assert ran.stderr.endswith(" plan 'a b'\n")

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
        assert ran.stderr.startswith("underfire: resample is no key of the configuration: did you mean resamples?")
        assert "HYDRA" not in ran.stderr

    def test_another_error_keeps_its_traceback(self):
        with pytest.raises(RuntimeError, match="a bug"):
            hydras_mistake(RuntimeError("a bug"), CONF)
        told = hydras_mistake(RuntimeError("a worker was killed"), CONF, jobs_failed=True)
        assert told == "the launcher has broken off: RuntimeError"


def test_an_interrupt_number_is_what_shells_say():
    assert 128 + signal.SIGINT == 130
