"""What a process says on the terminal: messages, a line each on standard error, and the end by Ctrl-C."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType


def configure() -> None:
    """Also in workers of a launcher, which start without what the first process has set; a second call does nothing."""
    if not logging.getLogger().handlers:
        logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
        for name in ("hydra", "fontTools", "matplotlib"):
            logging.getLogger(name).setLevel(logging.WARNING)
    os.environ.setdefault("WANDB_SILENT", "true")


def complete_streams() -> None:
    """Gives this process the standard streams that it was started without (``>&-``), and lets it print what they hold.

    Without, the next file that is opened would take the number of a closed stream, and print and log into it would
    fail. Signs that the terminal's encoding lacks are replaced.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the smallest free number, which is this one
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, os.fdopen(number, "w"))
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace" if name == "stderr" else "replace")


def exit_status(work: Callable[[], int]) -> int:
    """The exit status of ``work``, after its output has been written.

    A reader that has left (``| head``) ends it without a word and with 141, as it ends other programs.
    """
    try:
        status = work()
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing more is written at the end
        return 128 + signal.SIGPIPE
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(f"underfire: the output could not be written ({error.strerror or error})", file=sys.stderr)
        return 1


def command_line() -> str:
    """The command line of this process as it can be typed again."""
    words = sys.orig_argv[1:]
    if words[:2] == ["-m", "benchmark"]:
        return shlex.join(["python", *words])
    return shlex.join([Path(words[0]).name, *words[1:]]) if words else ""


def end_on_interrupt(advice: str = "") -> None:
    """Makes Ctrl-C end this process at once with one line and exit status 130, whatever it does, also an import.

    An exception would be swallowed by some of what it passes. Where SIGINT is ignored, as in a shell's background, it
    stays so.

    Args:
        advice: the end of that line: how to go on.
    """
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        return
    own = os.getpid()
    told = f"underfire: stopped by Ctrl-C{advice}\n".encode(errors="replace")

    def end(number: int, frame: FrameType | None) -> None:
        if os.getpid() == own:  # a forked process says nothing
            with contextlib.suppress(Exception):  # in the middle of a print
                sys.stdout.flush()
            os.write(2, (b"\n" if sys.stderr.isatty() else b"") + told)  # after the terminal's ^C
        os._exit(128 + signal.SIGINT)

    signal.signal(signal.SIGINT, end)
