"""The configured data set, loaded once a process."""

from __future__ import annotations

from benchmark.configuration.instantiation import instantiate
from benchmark.configuration.specs import OWN_KEYS, Config, data_spec
from benchmark.storage.hashing import content_hash
from benchmark.types import Data

_loaded: dict[str, Data] = {}


def load_data(config: Config) -> Data:
    """The data set of ``config["data"]``; the last one is kept, so that the cells of a sweep share it."""
    key = content_hash(data_spec(config))
    if key not in _loaded:
        _loaded.clear()
        group = {name: value for name, value in config["data"].items() if name not in OWN_KEYS}
        _loaded[key] = instantiate(group)
    return _loaded[key]
