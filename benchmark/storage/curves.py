"""curves.parquet of a record: how the map distance of an attack fell with its passes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

# member: of the attack, "all" for the whole attack. passes: of an image, a member's own. success_rate: share of the n
# samples whose class was reached by then. map_l1: mean of their smallest map distance so far, NaN where there is none.
COLUMNS = ("member", "passes", "success_rate", "map_l1", "n")


def curve_table(curves: dict[str, np.ndarray]) -> pd.DataFrame:
    """A row per member and number of passes.

    Args:
        curves: (N, G) each, ``passes`` and a smallest distance for every member: infinite where the class is not
            reached by then, NaN in rows of samples that the member was not needed for.
    """
    import numpy as np
    import pandas as pd

    passes_G = curves["passes"][0] if len(curves["passes"]) else []
    rows = []
    for member, curve_NG in curves.items():
        if member == "passes":
            continue
        used_MG = curve_NG[~np.isnan(curve_NG).any(axis=1)].astype(np.float64)
        for point, passes in enumerate(passes_G):
            reached = used_MG[np.isfinite(used_MG[:, point]), point]
            share = len(reached) / len(used_MG) if len(used_MG) else np.nan
            distance = reached.mean() if len(reached) else np.nan
            rows.append((member, int(passes), share, distance, len(used_MG)))
    return pd.DataFrame(rows, columns=list(COLUMNS))
