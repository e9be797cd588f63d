"""What the rows of one subject say about one claim: a word, its p, and the numbers behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmark.report.claims.attack import SUCCESS_DIFFERS, attack_verdict
from benchmark.report.claims.noise import EXPECTED
from benchmark.report.claims.rows import FLAGGED, ClaimRow, notes, select_rows
from benchmark.report.cohorts.strongest import STRONGEST
from benchmark.report.labels import metric_name, probe_name, short_metric_name
from benchmark.report.statistics import decision_rules

UNMEASURED = "not measured"
NOT_CONVERGED = "not_converged"
_NO_WORD = (decision_rules.ONE_TRAINING, decision_rules.FEW_TRAININGS)


@dataclass(frozen=True)
class Assessment:
    """``complete``: all that the claim speaks of was measured, under an attack that converged.

    p: of the word; None where there is no word. weaker: the word and its p that stand if the correction takes this one.
    numbers: the least that a table shows; body: the sentences after the first.
    """

    verdict: str
    complete: bool
    body: str
    caveat: str = ""
    p: float | None = None
    weaker: tuple[str, float] | None = None
    numbers: str = ""
    n: int = 0
    n_sources: int = 0
    trainings: int = 0
    passes: float | None = None
    flags: tuple[str, ...] = ()


NOTHING_MEASURED = Assessment(UNMEASURED, False, "")


def amount(row: ClaimRow) -> str:
    """'+0.120 [0.100, 0.140], n 120 / 90' with the ratio where there is one."""
    size = f"n {row.n} / {row.n_sources}"
    if row.difference is None:
        return size
    return f"{short_amount(row)}, {size}"


def short_amount(row: ClaimRow) -> str:
    """'+0.120 [0.100, 0.140], 1.20 times'."""
    if row.difference is None:
        return UNMEASURED
    interval = f" [{row.low:.3f}, {row.high:.3f}]" if row.low is not None and row.high is not None else ""
    ratio = f", {row.ratio:.2f} times" if row.ratio is not None else ""
    return f"{row.difference:+.3f}{interval}{ratio}"


def tally(rows: list[ClaimRow]) -> str:
    """'holds in 3 of 4, not distinguishable in 1'."""
    count = Counter(row.verdict for row in rows)
    parts = [f"{verdict} in {count[verdict]}" for verdict in decision_rules.VERDICTS if count[verdict]]
    if not parts:
        return UNMEASURED
    first, *others = parts
    return ", ".join([f"{first} of {len(rows)}", *others])


def _word(row: ClaimRow) -> str:
    """', holds'; nothing where the row has no word of its own."""
    return "" if row.verdict in _NO_WORD else f", {row.verdict}"


def _p(rows: Sequence[ClaimRow], verdict: str) -> float | None:
    """p of "all of these": of the weakest part; of a refutation by one of several, that part's times their number."""
    known = [row for row in rows if row.p is not None]
    if not known or verdict not in (*decision_rules.DECIDED, decision_rules.NOT_DISTINGUISHABLE):
        return None
    if verdict == decision_rules.DOES_NOT_HOLD:
        refuted = min(row.p or 0.0 for row in known if row.verdict == verdict)
        return min(1.0, len(known) * refuted)
    return max(row.p or 0.0 for row in known)


def _flags(rows: Sequence[ClaimRow]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(flag for row in rows for flag in row.flags))


def _sizes(rows: Sequence[ClaimRow]) -> dict[str, Any]:
    """n, n_sources and trainings of the row with the fewest samples."""
    smallest = min(rows, key=lambda row: row.n)
    trainings = min(row.trainings for row in rows)
    return {"n": smallest.n, "n_sources": smallest.n_sources, "trainings": trainings}


def _withheld(rows: Sequence[ClaimRow]) -> list[str]:
    parts = [part for row in rows for part in row.note.split("; ") if part.startswith(FLAGGED)]
    return list(dict.fromkeys(parts))


def noise(rows: list[ClaimRow]) -> Assessment:
    """Claim 1: as strong as the weakest of its kinds and levels."""
    primary = select_rows(rows, claim="noise", role="primary")
    if not primary:
        return NOTHING_MEASURED
    measured = {(row.probe, row.level) for row in primary}
    absent = [probe_name(probe, level) for probe, level in EXPECTED if (probe, level) not in measured]
    each = "; ".join(f"{probe_name(row.probe, row.level)}: {amount(row)}{_word(row)}" for row in primary)
    parts = [f"in map L1: {tally(primary)} ({each})"]
    differences = select_rows(rows, claim="noise", population="wrong - right")
    parts.append(f"the sharper form (difference in differences, wrong - right): {tally(differences)}")
    for metric, column in (("iou_distance", "map_iou"), ("spearman_distance", "map_spearman")):
        parts.append(f"in {short_metric_name(column)}: {tally(select_rows(rows, claim='noise', metric=metric))}")
    parts.append(f"beyond a mere change of class: {tally(select_rows(rows, claim='noise', metric='class_excess'))}")
    if any(row.verdict in _NO_WORD for row in primary):  # numbers alone
        parts = [f"in map L1: {each}"]
        parts.append("the sharper form (wrong - right): " + "; ".join(map(short_amount, differences)))
    sign = select_rows(rows, claim="noise", probe="sign")
    control = f"{amount(sign[0])} under random-sign noise of the attack's size" if sign else UNMEASURED
    parts.append(f"control of plain sensitivity: {control}")
    if absent:
        parts.append(f"{UNMEASURED}: {', '.join(absent)}")
    verdict = decision_rules.conjunction([row.verdict for row in primary])
    ratios = [row.ratio for row in primary if row.ratio is not None]
    low, high = (f"{end(ratios):.2f}" if ratios else "" for end in (min, max))
    return Assessment(
        verdict,
        not absent,
        ". ".join(capital(part) for part in parts) + ".",
        notes(*_withheld(primary)),
        _p(primary, verdict),
        numbers=f"map L1 {low} times" if low == high else f"map L1 {low} to {high} times",
        **_sizes(primary),
        flags=_flags(primary),
    )


def attack(rows: list[ClaimRow]) -> Assessment:
    """Claim 2, by the strongest attack."""
    primary = select_rows(rows, claim="attack", role="primary")
    if not primary:
        return NOTHING_MEASURED
    row = primary[0]
    success = select_rows(rows, claim="attack", probe=STRONGEST, metric="success")[0]
    joint, *alarm = select_rows(rows, claim="attack", role="effect")
    both = select_rows(rows, claim="attack", probe=STRONGEST, metric="map_l1", role="secondary")
    alone = [r for r in select_rows(rows, claim="attack", metric="map_l1", role="secondary") if r.probe != STRONGEST]
    tried = next(part for part in row.note.split("; ") if part.startswith("best of"))
    budget = f", {row.passes:.0f} passes an image" if row.passes else ""
    parts = [f"In map L1 on all attacked samples ({tried}{budget}): {amount(row)}{_word(row)}"]
    parts += [f"Where both attacks succeed: {amount(other)}{_word(other)}" for other in both]
    parts.append(f"Joint success (class reached and map within the benign spread): {_from_to(joint)}")
    parts += [f"AUC of the pair alarm: {_auc(one)}" for one in alarm] or [f"Pair alarm: {UNMEASURED}"]
    parts.append(f"Success rate: {amount(success)}")
    parts += [f"{probe_name(other.probe)} alone: {amount(other)}{_word(other)}" for other in alone]
    verdict, p, measured = attack_verdict(rows)
    gives = verdict == decision_rules.GIVES_AWAY and row.verdict == decision_rules.HOLDS and row.p is not None
    numbers = [
        f"map L1 {short_amount(row)}",
        f"joint success {_from_to(joint)}",
        *(f"AUC {_auc(one)}" for one in alarm),
    ]
    return Assessment(
        verdict,
        measured and NOT_CONVERGED not in row.flags,
        ". ".join(parts) + ".",
        notes(*_withheld(primary), SUCCESS_DIFFERS if SUCCESS_DIFFERS in row.note else ""),
        p,
        weaker=(decision_rules.MOVES_FURTHER, row.p or 0.0) if gives else None,
        numbers="; ".join(numbers),
        **_sizes(primary),
        passes=row.passes,
        flags=_flags(primary),
    )


def _from_to(row: ClaimRow) -> str:
    """'0.980 to 0.640 (-0.340 [-0.400, -0.280])'."""
    if row.reference is None or row.value is None:
        return UNMEASURED
    return f"{row.reference:.3f} to {row.value:.3f} ({short_amount(row)})"


def _auc(row: ClaimRow) -> str:
    """'0.610 [0.580, 0.640], of RTS 0.590'."""
    interval = f" [{row.value_low:.3f}, {row.value_high:.3f}]" if row.value_low is not None else ""
    return f"{row.value or 0:.3f}{interval}, of RTS {row.reference or 0:.3f}"


def harmless(rows: list[ClaimRow]) -> Assessment:
    """Claim 3, an equivalence in every margin."""
    overall = select_rows(rows, claim="harmless", role="overall")
    if not overall:
        return NOTHING_MEASURED
    primary = select_rows(rows, claim="harmless", role="primary")
    parts = [f"{metric_name(row.metric)} {amount(row)} ({row.question}){_word(row)}" for row in primary]
    note = f". {capital(overall[0].note)}" if overall[0].note else ""
    verdict = overall[0].verdict
    return Assessment(
        verdict,
        True,
        capital("; ".join(parts)) + note + ".",
        notes(*_withheld(primary)),
        _p(primary, verdict),
        numbers="; ".join(f"{short_metric_name(row.metric)} {short_amount(row)}" for row in primary),
        **_sizes(primary),
        flags=_flags(primary),
    )


def capital(text: str) -> str:
    """With a capital first letter."""
    return text[:1].upper() + text[1:]


ASSESSORS = {"noise": noise, "attack": attack, "harmless": harmless}
