"""From a configuration node to the object it describes."""

from __future__ import annotations

from typing import Any

import hydra.utils
from hydra.errors import InstantiationException


def instantiate(node: dict[str, Any], **arguments: Any) -> Any:
    """The object of ``node``'s ``_target_``; a mistake in its arguments comes as the part's own sentence.

    Raises:
        ValueError, OSError, ArithmeticError: what the part raised, without Hydra's wrapping.
    """
    try:
        return hydra.utils.instantiate(node, _convert_="all", **arguments)
    except InstantiationException as error:
        cause: BaseException | None = error
        while isinstance(cause, InstantiationException):
            cause = cause.__cause__
        if isinstance(cause, ValueError | OSError | ArithmeticError):
            raise cause from None
        raise
