"""The first screen: a sentence a claim, its verdict for each objective, and the paper's sentence beside it."""

from __future__ import annotations

from typing import Any

from benchmark.report.claims.sentences import Headline, p_text
from benchmark.report.claims.verdicts import Verdicts
from benchmark.report.labels import CLAIMS, interpreter_name
from benchmark.report.statistics import decision_rules
from benchmark.storage.flags import BY_NAME

# How a word looks on the page, beside being said: for the claim, against it, in part, or not decided.
_KINDS = {
    decision_rules.HOLDS: "yes",
    decision_rules.GIVES_AWAY: "yes",
    decision_rules.DOES_NOT_HOLD: "no",
    decision_rules.MOVES_FURTHER: "part",
    decision_rules.MOVES: "part",
}


def claims_view(verdicts: Verdicts) -> list[dict[str, Any]]:
    """A card a claim, in the order of their numbers."""
    cards = []
    for claim, name in CLAIMS.items():
        lines = [line for line in verdicts.headlines if line.claim == claim]
        if lines:
            cards.append(
                {
                    "number": name.number,
                    "sentence": sentence(name.statement, lines),
                    "paper": name.paper,
                    "objectives": [_objective(line) for line in lines],
                }
            )
    return cards


def sentence(statement: str, lines: list[Headline]) -> str:
    """'Benign maps stay as they are: holds for RTSA, not distinguishable for RTSA anchored.'"""
    opening = statement[:1].upper() + statement[1:]
    if all(line.verdict == decision_rules.ONE_TRAINING for line in lines):
        return f"{opening}: one training, numbers without a verdict."
    words: dict[str, list[str]] = {}
    for line in lines:
        words.setdefault(line.verdict, []).append(interpreter_name(line.interpreter))
    return f"{opening}: " + "; ".join(f"{word} for {' and '.join(names)}" for word, names in words.items()) + "."


def _objective(line: Headline) -> dict[str, Any]:
    found = line.assessment
    before = f"{line.uncorrected} before Holm's correction" if line.uncorrected != line.verdict else ""
    return {
        "interpreter": line.interpreter,
        "name": interpreter_name(line.interpreter),
        "papers": line.objective == "paper",
        "word": line.verdict,
        "kind": _KINDS.get(line.verdict, "open"),
        "before": before,
        "numbers": [part for part in found.numbers.split("; ") if part],
        "flags": [(flag, BY_NAME[flag].sentence) for flag in found.flags if flag in BY_NAME],
        "trainings": found.trainings,
        "passes": None if found.passes is None else f"{found.passes:.0f}",
        "n": f"{found.n} / {found.n_sources}",
        "p": f"{p_text(line.p)}, {p_text(line.p_holm)} after Holm" if line.p is not None else "",
        "sentence": line.sentence,
    }
