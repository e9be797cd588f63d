"""A loop that is timed, and what it cannot do without."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.timing.bare import Work


@dataclass(frozen=True)
class Loop:
    """A loop of ``units`` steps, and the bare passes that one step needs, by name.

    ``end`` is what the loop does beside its steps: its time is taken off. ``passes`` are the bare works that only this
    loop needs.
    """

    name: str
    work: Work
    needs: dict[str, float]
    units: int = 1
    end: Work | None = None
    passes: dict[str, Work] | None = None
