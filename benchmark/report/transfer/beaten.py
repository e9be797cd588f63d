"""Attacks that a transferred one beats: images made against another network do better than those made against this one.

An attack that sees gradients is at least as strong as one that does not. Where it is not, its gradients are masked or
it is too weak (Athalye et al. 2018, "Obfuscated gradients give a false sense of security", section 3.1; Carlini et al.
2019, "On evaluating adversarial robustness", section 4.3).
"""

from __future__ import annotations

import copy
import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from benchmark.report.cohorts.cohort import IDENTITY
from benchmark.report.cohorts.settings import flat
from benchmark.report.statistics import decision_rules
from benchmark.report.statistics.bootstrap import DEFAULT_BOOTSTRAP, Bootstrap, Estimate
from benchmark.report.statistics.hierarchical import ERROR_RATE, holm
from benchmark.report.statistics.paired import pair
from benchmark.storage.flags import BEATEN_BY_TRANSFER, ordered
from benchmark.storage.records import Record

_BOUNDS = ("epsilon", "radius")  # settings of a probe that bound its perturbation


def with_beaten_flags(
    records: Sequence[Record], evidence: Sequence[Record], bootstrap: Bootstrap = DEFAULT_BOOTSTRAP
) -> list[Record]:
    """The records in their order. A direct attack that a transferred one beats has the flag ``beaten_by_transfer``,
    and ``beaten_by`` in its cell, the names of the cells that beat it.

    evidence: finished and failed records among which transferred attacks are looked for; those on the same network and
    interpreter, of the same setting and bound, are compared, and of these the samples that both hold with the same
    goal. A transferred attack beats a direct one if it reaches the goal more often; or if it does not reach it less
    often, and leaves maps closer to the benign ones where both reach it. Both by paired differences over sources, with
    Holm's correction over everything that one direct attack is compared with.
    """
    transferred: dict[str, list[Record]] = defaultdict(list)
    for record in evidence:
        if _is_attack(record) and not is_direct(record):
            transferred[_target(record)].append(record)
    return [_flagged(record, transferred, bootstrap) for record in records]


def is_direct(record: Record) -> bool:
    """Whether the images were made against the very network and interpreter whose maps the cell measures."""
    config = record.cell.get("config") or {}
    probe = config.get("probe") or {}
    others = ((probe.get("source"), "interpreter"), (probe.get("surrogate"), "classifier"))
    return all(attacked is None or attacked == config.get(section) for attacked, section in others)


def _flagged(record: Record, transferred: dict[str, list[Record]], bootstrap: Bootstrap) -> Record:
    if not transferred or not _is_attack(record) or not is_direct(record):
        return record
    names = _winners(record, transferred.get(_target(record), []), bootstrap)
    if not names:
        return record
    flagged = copy.copy(record)  # samples that were read stay read
    found = [*(record.cell.get("flags") or ()), BEATEN_BY_TRANSFER]
    vars(flagged)["cell"] = {**record.cell, "flags": ordered(found), "beaten_by": names}
    return flagged


def _winners(direct: Record, transferred: Sequence[Record], bootstrap: Bootstrap) -> list[str]:
    """Names of the transferred attacks that beat a direct one."""
    compared = [(str(other.cell["name"]), p) for other in transferred for p in _p_values(direct, other, bootstrap)]
    corrected = holm([p for _, p in compared])
    found = [name for (name, _), p in zip(compared, corrected, strict=True) if p <= ERROR_RATE]
    return sorted(set(found))


def _p_values(direct: Record, other: Record, bootstrap: Bootstrap) -> list[float]:
    """p of "the other does no better", of each way to do better that is open to it."""
    pairs = pair([(direct, other)], bootstrap)
    success = pairs.compare("success", pairs.all_samples()).difference
    found = [_p(success, better=success.value < 0)]
    if _aims_at_benign_map(direct) and decision_rules.larger(success) != decision_rules.HOLDS:
        distance = pairs.compare("map_l1", pairs.both("success")).difference
        found.append(_p(distance, better=distance.value > 0))
    return found


def _p(difference: Estimate, *, better: bool) -> float:
    """p of no difference; 1 where the other is not better, or where too few samples say so."""
    return difference.p() if better and decision_rules.larger(difference) != decision_rules.TOO_FEW else 1.0


def _probe(record: Record) -> dict[str, Any]:
    return (record.cell.get("config") or {}).get("probe") or {}


def _is_attack(record: Record) -> bool:
    """Whether a finished cell holds an attack in a stated bound that is to change the class."""
    if record.cell.get("status") != "done" or all(_probe(record).get(name) is None for name in _BOUNDS):
        return False
    return not _goal(record).startswith("keep") and "goal" in record.samples and "map_l1" in record.samples


def _goal(record: Record) -> str:
    module = _probe(record).get("module")
    return str((module.get("goal") if isinstance(module, dict) else None) or "benign")


def _aims_at_benign_map(record: Record) -> bool:
    named_so = str(record.cell["probe"]).startswith("adv2")
    return _goal(record) == "benign" and (named_so or bool(_probe(record).get("needs_map")))


def _target(record: Record) -> str:
    """What was measured, in which setting and bound, as text: cells with the same one may be compared."""
    cell, artefacts = record.cell, record.cell.get("artefacts") or {}
    weights = {name: key for name, key in artefacts.items() if name.split()[0] in ("data", "classifier", "interpreter")}
    interpreter = flat((cell.get("config") or {}).get("interpreter") or {})
    interpreter.pop("attack_weight", None)  # of attacks, and of no map
    bounds = [_probe(record).get(name) for name in _BOUNDS]
    parts = [*(cell.get(name) for name in IDENTITY), cell["interpreter"], cell.get("versions"), weights]
    return json.dumps([*parts, interpreter, bounds], sort_keys=True, default=str)
