"""``python -m benchmark completion SHELL``: what makes a shell complete commands, options, groups and keys."""

from __future__ import annotations

import shlex
import sys

from benchmark.commands.common.completion_words import completions
from benchmark.commands.common.options import Parser

ABOUT = (
    "Prints a few lines for your shell (bash, zsh or fish), after which the tab key completes the words of "
    "'underfire': commands, options, groups and their options, keys. "
    'bash: add  eval "$(underfire completion bash)"  to ~/.bashrc; '
    "zsh: the same with zsh, in ~/.zshrc after compinit; "
    "fish: underfire completion fish > ~/.config/fish/completions/underfire.fish"
)

# Readline begins a word anew after "=" and ",": what stands before is cut off again.
SCRIPTS = {
    "bash": """\
_underfire() {
  local line="${COMP_LINE:0:COMP_POINT}" word="${COMP_WORDS[COMP_CWORD]}" whole each
  whole="${line##*[[:space:]]}"
  [[ $word == [=:] ]] && word=""
  local IFS=$'\\n'
  COMPREPLY=($(@ completion --words "$line" 2>/dev/null))
  for each in "${COMPREPLY[@]}"; do [[ $each == *[=.] ]] && compopt -o nospace 2>/dev/null; done
  COMPREPLY=("${COMPREPLY[@]#"${whole%"$word"}"}")
}
complete -F _underfire underfire
""",
    "zsh": """\
_underfire() {
  local -a found
  found=("${(@f)$(@ completion --words "$LBUFFER" 2>/dev/null)}")
  compadd -Q -S '' -- "${found[@]:#}"
}
compdef _underfire underfire
""",
    "fish": """\
complete --command underfire --no-files --arguments '(@ completion --words (commandline --cut-at-cursor) 2>/dev/null)'
""",
}


def parser() -> Parser:
    """The options, and the shell."""
    made = Parser("completion", ABOUT)
    made.add_argument("shell", nargs="?", choices=tuple(SCRIPTS), help="the shell that it is for")
    made.add_argument("--words", metavar="LINE", help="print the words that may end this line, one a line")
    return made


def main(conf: str, arguments: list[str]) -> int:
    """Prints the script of a shell, or the words that complete a line."""
    reader = parser()
    options, others = reader.split(arguments)
    if others:
        reader.error(f"{others[0]!r} is nothing that it takes: name one shell, {', '.join(SCRIPTS)}")
    if options.words is not None:
        print("\n".join(completions(options.words)))
        return 0
    if options.shell is None:
        reader.error(f"name the shell: {', '.join(SCRIPTS)}")
    print(SCRIPTS[options.shell].replace("@ ", f"{_this_program()} "), end="")
    return 0


def _this_program() -> str:
    """How this process was started, with whole paths: a shell may stand in any folder."""
    words = sys.orig_argv
    as_module = words[1:3] == ["-m", "benchmark"] or len(words) < 2
    return shlex.join([sys.executable, "-m", "benchmark"] if as_module else [sys.executable, words[1]])
