"""Mistakes on the command line and in conf/ in our own words, with a near name where there is one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hydra.core.global_hydra import GlobalHydra
from omegaconf.errors import OmegaConfBaseException

from benchmark.configuration.resolution import no_value
from benchmark.numerics.expectations import near

EXAMPLES = {
    "budget": "bench",
    "data": "digits",
    "classifier": "small_resnet",
    "interpreter": "rts",
    "probe": "clean",
    "measure": "default",
    "trainer": "auto",
    "logger": "none",
    "paths": "default",
}


def composition_sentence(error: BaseException) -> str:
    """What is wrong with a command line or a file of conf/, from the error that its composition ended with."""
    if isinstance(error, ValueError) and not isinstance(error, OmegaConfBaseException):
        return str(error)  # our own
    text = " ".join(_texts(error))
    if found := re.search(r"Could not find '([^']+)'", text):
        return _no_option(found[1], re.search(r"Available options in '([^']+)'", text))
    if found := re.search(r"(?:Missing mandatory value|missing value): '?([\w.]+)", text):
        return str(no_value(found[1]))
    for pattern, words in _PATTERNS:
        if found := re.search(pattern, text):
            return words.format(*found.groups())
    return f"the configuration cannot be put together: {_tidy(text) or type(error).__name__}"


_PATTERNS = (
    (r"Interpolation (?:key )?'([^']+)' not found", "${{{0}}} refers to a key that is not there"),
    (r"Environment variable '([^']+)' not found", "the environment variable {0} is not set"),
    (r"Unsupported interpolation type '?([\w.]+)", "${{{0}:...}} is no way to refer to a value: use ${{key}}"),
    (r"Recursive interpolation|recursion depth", "some keys refer to each other in a circle"),
    (r"Could not override '([^']+)'\. No match in the defaults list", "{0} is no group of options"),
    (r"Could not append '([^']+)'|An item is already at '([^']+)'", "there is such a key already: leave out the +"),
    (r"Could not delete.*?'([^']+)' does not exist", "~{0}: there is no such key"),
    (r"Could not delete.*?'([^']+)'", "~{0}: its value is another"),
    (r"Could not delete '([^']+)'", "~{0}: there is no such group"),
    (r"Multiple values for (\S+?)\.", "{0} is given twice: name it once"),
    (r"Error merging override (\S+)", "{0} cannot be put where it is: the key holds another kind of value"),
    (r"Could not override '([^']+)'", "{0} is no key of the configuration"),
    (r"config group '([^']+)' does not exist", "{0} is no group of options"),
    (r"Key '([^']+)' is not in struct", "{0} is no key of the configuration"),
    (r'(?:while \w+ing|in) .*"([^"]+\.yaml)", line (\d+)', "{0}, line {1}, is not YAML that can be read"),
)


def _texts(error: BaseException) -> Iterator[str]:
    """The messages of an error and of those that it came from, each on one line."""
    seen: BaseException | None = error
    while seen is not None:
        lines = (line.strip() for line in str(seen).splitlines())
        yield " ".join(line for line in lines if line and not line.startswith(("Set the env", "See http")))
        seen = seen.__cause__


def _no_option(path: str, listed: re.Match[str] | None) -> str:
    group = listed[1] if listed else path.rpartition("/")[0]
    option = path.removeprefix(f"{group}/")
    there = GlobalHydra.instance().config_loader().get_group_options(group) if group else []
    there = [each for each in there if not each.startswith("_")]
    found = near(option, there)
    hint = f"did you mean {', '.join(found)}? " if found else ""
    hint += f"there are {', '.join(there)}"
    return f"{group}={option}: there is no such option; {hint}" if there else f"there is no {path}.yaml in conf/"


def _tidy(text: str) -> str:
    """Without names of classes of errors and pointers into the interpreter."""
    text = re.sub(r"\b\w*(?:Error|Exception|Config|Node)\b:?|full_key: \S*|object_type=\S*|HYDRA_\w+(=1)?", "", text)
    return " ".join(text.split())[:300]


def null_group(group: str) -> str:
    """What is said of a group that no option is chosen for."""
    return f"{group} is null: name one ({group}={EXAMPLES.get(group, 'NAME')})"


def unreadable(text: str) -> str:
    """What is said of an override that is not key=value."""
    return f"an override cannot be read: {text!r} is not key=value; quote special signs: 'key=\"a, b\"'"
