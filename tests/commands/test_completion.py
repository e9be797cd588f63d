"""What the tab key offers, by the words themselves and in a real bash."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from benchmark.commands.common.catalogue import COMMANDS
from benchmark.commands.common.completion_words import completions
from benchmark.commands.completion import SCRIPTS
from benchmark.configuration.conf_files import conf_folder, options_of
from tests.helpers import PROJECT, underfire


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("underfire re", ["report"]),
        ("underfire s", ["select", "speed", "status", "submit", "sync"]),
        ("underfire run --mu", ["--multirun"]),
        ("underfire plan --ce", ["--cells"]),
        ("underfire run prob", ["probe.", "probe="]),
        ("underfire run probe=pg", ["probe=pgd"]),
        ("underfire run -m probe=pgd,fg", ["probe=pgd,fgsm"]),
        ("underfire run probe.eps", ["probe.epsilon="]),
        ("underfire run classifier/tr", ["classifier/training="]),
        ("underfire run classifier/training=tr", ["classifier/training=trades"]),
        ("underfire run +classifier@probe.surrogate=tim", ["+classifier@probe.surrogate=timm"]),
        ("underfire status experiment=fam", ["experiment=families", "experiment=families_photographs"]),
        ("underfire report interp", ["interpreter="]),
        ("underfire speed rep", ["repeats="]),
        ("underfire help prob", ["probe"]),
        ("underfire nothing ", []),
        ("underfire run 'a b", []),
    ],
)
def test_words(line, found):
    assert completions(line) == found


def test_an_empty_word_offers_everything():
    assert set(COMMANDS) < set(completions("underfire "))
    offered = completions("underfire run ")
    assert {"seed=", "data=", "budget=", "trainer."} < set(offered)
    assert completions("underfire run data=") == [f"data={each}" for each in options_of([conf_folder()], "data")]


def test_a_further_folder_counts(tmp_path):
    (tmp_path / "probe").mkdir()
    (tmp_path / "probe" / "mine.yaml").write_text("defaults: [pgd]\nown_key: 1   # of ours\n")
    assert completions(f"underfire run -cd {tmp_path} probe=mi") == ["probe=mine"]
    assert completions(f"underfire run --config-dir={tmp_path} probe.own") == ["probe.own_key="]


def bash(script: str, line: str) -> list[str]:
    """What bash would offer for a line; its words are split as readline splits them."""
    code = f"""
{script}
COMP_LINE={line!r} COMP_POINT=${{#COMP_LINE}}
read -ra COMP_WORDS <<< "${{COMP_LINE//=/ = }}"
[[ $COMP_LINE == *[[:space:]] ]] && COMP_WORDS+=("")
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_underfire
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    ran = subprocess.run(["bash", "-c", code], capture_output=True, text=True, cwd=PROJECT, check=True, timeout=60)
    return ran.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_in_bash(tmp_path):
    ran = underfire(tmp_path, "completion", "bash")
    assert ran.returncode == 0 and sys.executable in ran.stdout
    assert bash(ran.stdout, "underfire sta") == ["status"]
    assert bash(ran.stdout, "underfire run probe.eps") == ["probe.epsilon="]
    assert bash(ran.stdout, "underfire run probe=fg") == ["fgsm"]  # readline's word begins behind the =
    assert len(bash(ran.stdout, "underfire run probe=")) > 10


@pytest.mark.parametrize("shell", sorted(SCRIPTS))
def test_the_lines_are_read_by_their_shell(shell, tmp_path):
    if (program := shutil.which(shell)) is None:
        pytest.skip(f"there is no {shell}")
    path = tmp_path / "lines"
    path.write_text(SCRIPTS[shell])
    subprocess.run([program, "-n", str(path)], check=True, timeout=60)


def test_a_shell_has_to_be_named(tmp_path):
    ran = underfire(tmp_path, "completion")
    assert ran.returncode == 2
    assert ran.stderr == "underfire completion: name the shell: bash, zsh, fish\n"
