"""One sentence a claim and objective, never worded stronger than its interval.

"Reproduced" is said of the paper's own objective alone. A claim of several parts (noise kinds and levels) is as
strong as its weakest part, and the sentence says how many parts hold.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from benchmark.report.claims.attack import MANY_STEPS, NOT_CONVERGED, NOT_MEASURED, SUCCESS_DIFFERS
from benchmark.report.claims.noise import EXPECTED
from benchmark.report.claims.rows import FLAGGED, ClaimRow, notes, select_rows
from benchmark.report.claims.subject import Subject
from benchmark.report.labels import CLAIMS, metric_name, probe_name, short_metric_name
from benchmark.report.statistics import decision_rules

UNMEASURED = "not measured"


@dataclass(frozen=True)
class Headline:
    """The verdict on one claim of one objective, and the sentence that says it."""

    claim: str
    objective: str
    interpreter: str
    verdict: str
    sentence: str


def amount(row: ClaimRow) -> str:
    """'+0.120 [0.100, 0.140], n 120 / 90' with the ratio where there is one."""
    if row.difference is None:
        return f"n {row.n} / {row.n_sources}"
    interval = f" [{row.low:.3f}, {row.high:.3f}]" if row.low is not None and row.high is not None else ""
    ratio = f", {row.ratio:.2f} times" if row.ratio is not None else ""
    return f"{row.difference:+.3f}{interval}{ratio}, n {row.n} / {row.n_sources}"


def tally(rows: list[ClaimRow]) -> str:
    """'holds in 3 of 4, not distinguishable in 1'."""
    count = Counter(row.verdict for row in rows)
    parts = [f"{verdict} in {count[verdict]}" for verdict in decision_rules.VERDICTS if count[verdict]]
    if not parts:
        return UNMEASURED
    first, *others = parts
    return ", ".join([f"{first} of {len(rows)}", *others])


@dataclass(frozen=True)
class _Assessment:
    """``complete``: all that the claim speaks of was measured, and holds under the stronger attack too."""

    verdict: str
    complete: bool
    body: str
    caveat: str = ""


def _noise(rows: list[ClaimRow], subject: Subject) -> _Assessment:
    primary = select_rows(rows, claim="noise", role="primary")
    if not primary:
        return _Assessment(UNMEASURED, False, "")
    measured = {(row.probe, row.level) for row in primary}
    absent = [probe_name(probe, level) for probe, level in EXPECTED if (probe, level) not in measured]
    each = "; ".join(f"{probe_name(row.probe, row.level)}: {amount(row)}, {row.verdict}" for row in primary)
    differences = select_rows(rows, claim="noise", population="wrong - right")
    parts = [f"in map L1 it {tally(primary)} ({each})"]
    parts.append(f"the sharper form (difference in differences, wrong - right) {tally(differences)}")
    for metric, column in (("iou_distance", "map_iou"), ("spearman_distance", "map_spearman")):
        parts.append(f"in {short_metric_name(column)} it {tally(select_rows(rows, claim='noise', metric=metric))}")
    parts.append(f"beyond a mere change of class it {tally(select_rows(rows, claim='noise', metric='class_excess'))}")
    sign = select_rows(rows, claim="noise", probe="sign")
    control = f"{amount(sign[0])} under random-sign noise of the attack's size" if sign else UNMEASURED
    parts.append(f"control of plain sensitivity: {control}")
    if absent:
        parts.append(f"{UNMEASURED}: {', '.join(absent)}")
    body = ". ".join(_capital(part) for part in parts) + "."
    caveat = notes(*dict.fromkeys(part for row in primary for part in row.note.split("; ") if _is_withheld(part)))
    return _Assessment(decision_rules.conjunction([row.verdict for row in primary]), not absent, body, caveat)


def _is_withheld(note: str) -> bool:
    return note.startswith(FLAGGED)


def _attack(rows: list[ClaimRow], subject: Subject) -> _Assessment:
    primary = select_rows(rows, claim="attack", role="primary", metric="map_l1")
    if not primary:
        attacks = [subject.cohort.find(name, "adv2") for name in (subject.interpreter, subject.reference)]
        return _Assessment(UNMEASURED, False, "The two attacks were not the same." if all(attacks) else "")
    row = primary[0]
    success = select_rows(rows, claim="attack", probe="adv2", metric="success", steps_factor=1)[0]
    longer = select_rows(rows, claim="attack", steps_factor=MANY_STEPS, metric="map_l1", population="all")
    both = select_rows(rows, claim="attack", role="secondary", metric="map_l1")
    parts = [f"In map L1 on all attacked samples: {amount(row)}, {row.verdict}"]
    parts += [f"Where both attacks succeed: {amount(other)}, {other.verdict}" for other in both]
    parts.append(f"Success rate: {amount(success)}")
    parts += [f"At {MANY_STEPS} times the steps: {amount(other)}, {other.verdict}" for other in longer]
    caveats = (FLAGGED, SUCCESS_DIFFERS, NOT_CONVERGED, NOT_MEASURED)
    caveat = "; ".join(part for part in row.note.split("; ") if part.startswith(caveats))
    complete = bool(longer) and all(other.verdict == decision_rules.HOLDS for other in longer)
    return _Assessment(row.verdict, complete, ". ".join(parts) + ".", caveat)


def _harmless(rows: list[ClaimRow], subject: Subject) -> _Assessment:
    overall = select_rows(rows, claim="harmless", role="overall")
    if not overall:
        return _Assessment(UNMEASURED, False, "")
    parts = [
        f"{metric_name(row.metric)} {amount(row)} ({row.question}): {row.verdict}"
        for row in select_rows(rows, claim="harmless", role="primary")
    ]
    note = f". {_capital(overall[0].note)}" if overall[0].note else ""
    return _Assessment(overall[0].verdict, True, _capital("; ".join(parts)) + note + ".")


_ASSESSORS = {"noise": _noise, "attack": _attack, "harmless": _harmless}


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _opening(claim: str, subject: Subject, assessment: _Assessment) -> str:
    """How the sentence starts: the only place where "reproduced" is ever said."""
    objective = (
        "the paper's objective"
        if subject.objective == "paper"
        else f"objective '{subject.objective}' (not the paper's)"
    )
    start = f"Claim {CLAIMS[claim].number} ({CLAIMS[claim].statement}), {objective}: {assessment.verdict}"
    caveat = notes(assessment.caveat, subject.caveat)
    end = f" ({caveat})." if caveat else "."
    if subject.objective != "paper" or assessment.verdict not in (decision_rules.HOLDS, decision_rules.DOES_NOT_HOLD):
        return start + end
    if assessment.verdict == decision_rules.DOES_NOT_HOLD:
        return start + ", not reproduced here" + end
    if assessment.complete and not subject.caveat:
        return start + ", reproduced" + end
    return start + (" at the stated steps" if claim == "attack" else " where it was measured") + end


def headlines(subject: Subject, rows: list[ClaimRow]) -> list[Headline]:
    """One headline for each of the three claims, from this subject's own rows."""
    lines = []
    for claim, assess in _ASSESSORS.items():
        assessment = assess(rows, subject)
        sentence = " ".join(part for part in (_opening(claim, subject, assessment), assessment.body) if part)
        lines.append(Headline(claim, subject.objective, subject.interpreter, assessment.verdict, sentence))
    return lines
