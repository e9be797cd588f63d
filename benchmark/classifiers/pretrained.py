"""Whether timm's pretrained weights can be had: asked within seconds, before a client retries for minutes."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from typing import Any

import timm
from huggingface_hub import constants, try_to_load_from_cache

SECONDS = 10.0  # for name resolution, connection and answer together
FILES = ("model.safetensors", "pytorch_model.bin")  # what timm looks for in a repository of the hub


def check_pretrained(name: str, seconds: float = SECONDS) -> None:
    """Raises where the pretrained weights of timm's ``name`` are neither in the cache nor within reach.

    Raises:
        ValueError: timm has none. OSError: nothing answers within ``seconds``, or only that the server is out of order.
    """
    source: Any = timm.get_pretrained_cfg(name)
    if source is None or not (source.file or source.hf_hub_id or source.url or source.state_dict):
        raise ValueError(
            f"timm has no pretrained weights for {name}: set classifier.pretrained=false, or name weights of your own "
            "with classifier.checkpoint"
        )
    if source.file or source.state_dict:
        return
    url = source.url
    if source.hf_hub_id:
        repository, _, revision = source.hf_hub_id.partition("@")
        files = (source.hf_hub_filename,) if source.hf_hub_filename else FILES
        if any(isinstance(try_to_load_from_cache(repository, file, revision=revision or None), str) for file in files):
            return
        if constants.HF_HUB_OFFLINE:
            raise not_downloaded(name, "they are not in the cache, and HF_HUB_OFFLINE forbids to look elsewhere")
        url = f"{constants.ENDPOINT}/{repository}/resolve/{revision or 'main'}/{files[0]}"
    if (reason := unreachable(url, seconds)) is not None:
        raise not_downloaded(name, reason)


def not_downloaded(name: str, reason: object) -> OSError:
    """The sentence about pretrained weights that could not be had."""
    return OSError(
        f"the pretrained weights of {name} could not be downloaded ({reason}); set classifier.pretrained=false, "
        "or fetch them once on a machine with a network and set HF_HOME to that cache"
    )


def unreachable(url: str, seconds: float) -> str | None:
    """Why nothing useful answers at a URL; None where it is within reach, whatever it says about the file.

    The request runs beside, because looking up a name obeys no timeout.
    """
    reasons: list[str | None] = []
    thread = threading.Thread(target=lambda: reasons.append(_no_answer(url, seconds)), daemon=True)
    thread.start()
    thread.join(seconds)
    host = url.partition("//")[2].partition("/")[0]
    return reasons[0] if reasons else f"{host} does not answer within {seconds:g} s"


def _no_answer(url: str, seconds: float) -> str | None:
    host = url.partition("//")[2].partition("/")[0]
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=seconds):
            return None
    except urllib.error.HTTPError as error:
        return f"{host} answers {error.code} {error.reason}" if error.code >= 500 else None
    except (OSError, ValueError) as error:
        return f"{host} cannot be reached: {getattr(error, 'reason', error)}"
    except Exception as error:  # of http.client: an answer that is no HTTP
        return f"{host} gives no answer in HTTP ({type(error).__name__})"
