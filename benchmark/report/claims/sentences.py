"""One sentence a claim and objective, never worded stronger than its interval and its correction.

"Reproduced" is said of the paper's own objective alone. A claim of several parts (noise kinds and levels) is as
strong as its weakest part, and the sentence says how many parts hold. One training has numbers and no verdict.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.report.claims.assessment import UNMEASURED, Assessment
from benchmark.report.claims.rows import notes
from benchmark.report.claims.subject import Subject
from benchmark.report.labels import CLAIMS
from benchmark.report.statistics import decision_rules

REPRODUCES = {
    "noise": decision_rules.HOLDS,
    "attack": decision_rules.GIVES_AWAY,
    "harmless": decision_rules.HOLDS,
}


@dataclass(frozen=True)
class Headline:
    """The verdict on one claim of one objective, and the sentence that says it.

    verdict: after the correction; uncorrected: before it. p_holm: None where there is no p.
    """

    claim: str
    objective: str
    interpreter: str
    verdict: str
    sentence: str
    uncorrected: str
    p: float | None
    p_holm: float | None
    assessment: Assessment


def headline(
    claim: str, subject: Subject, assessment: Assessment, verdict: str, p: float | None, p_holm: float | None
) -> Headline:
    """The headline of a claim whose verdict after the correction is given."""
    opening = _opening(claim, subject, assessment, verdict, p, p_holm)
    sentence = " ".join(part for part in (opening, assessment.body) if part)
    about = claim, subject.objective, subject.interpreter
    return Headline(*about, verdict, sentence, assessment.verdict, p, p_holm, assessment)


def p_text(p: float | None) -> str:
    """'0.012', '< 0.001', or a dash."""
    return "–" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def _opening(
    claim: str, subject: Subject, assessment: Assessment, verdict: str, p: float | None, p_holm: float | None
) -> str:
    """How the sentence starts: the only place where "reproduced" is ever said."""
    is_papers = subject.objective == "paper"
    objective = "the paper's objective" if is_papers else f"objective '{subject.objective}' (not the paper's)"
    start = f"Claim {CLAIMS[claim].number} ({CLAIMS[claim].statement}), {objective}"
    tests = f"p {p_text(p)}, after Holm {p_text(p_holm)}" if p is not None else ""
    before = f"{assessment.verdict} before the correction" if assessment.verdict != verdict else ""
    flags = f"flags: {', '.join(assessment.flags)}" if assessment.flags and not assessment.caveat else ""
    caveat = notes(before, tests, assessment.caveat, flags, subject.caveat)
    end = f" ({caveat})." if caveat else "."
    if verdict == decision_rules.ONE_TRAINING:
        return f"{start}, {verdict}{end}"
    start += f": {verdict}"
    if verdict == UNMEASURED:
        return start + end
    if verdict != decision_rules.WITHHELD and assessment.trainings > 1:
        start += f" over {assessment.trainings} trainings"
    return start + (_of_the_paper(claim, subject, assessment, verdict) if is_papers else "") + end


def _of_the_paper(claim: str, subject: Subject, assessment: Assessment, verdict: str) -> str:
    """What the verdict says of the paper's own sentence."""
    if verdict == decision_rules.DOES_NOT_HOLD:
        return ", not reproduced here"
    if verdict in (decision_rules.MOVES_FURTHER, decision_rules.MOVES):
        return ", which is less than the paper says"
    if verdict != REPRODUCES[claim]:
        return ""
    if assessment.complete and not subject.caveat:
        return ", reproduced"
    return ", by the attacks that were tried" if claim == "attack" else ", where it was measured"
