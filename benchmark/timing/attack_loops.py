"""The loops of attacks, each with the bare passes that it needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from benchmark.configuration.instantiation import instantiate
from benchmark.interpreters.base import TrunkInterpreter
from benchmark.timing import bare
from benchmark.timing.bare import Work
from benchmark.timing.loop import Loop
from benchmark.timing.workbench import Workbench
from benchmark.types import Explanation, Interpreter

SHORT = 3  # steps of an attack as a training has it inside


def _attack(
    bench: Workbench, name: str, interpreter: Interpreter, joint: bool, needs: dict[str, float], **passes: Work
) -> Loop:
    steps, goal = bench.config["steps"], bench.goal(interpreter)  # type: ignore[arg-type]
    surrogate = interpreter.surrogate()

    def attacked(steps: int) -> Work:
        attack = bench.attack(bench.config["probe"], joint=joint, steps=steps)
        return lambda: attack(surrogate, bench.image, goal, bench.key_B)

    return Loop(name, attacked(steps), needs, steps, attacked(0), passes)


def pgd(bench: Workbench) -> Iterator[Loop]:
    """A step needs the classifier's forward and backward pass."""
    yield _attack(bench, "PGD step", bench.explained, False, {"FB": 1})


def adv2(bench: Workbench) -> Iterator[Loop]:
    """A step needs one forward and backward pass for logits and map together."""
    families = {bench.config["interpreter"]["name"]: bench.config["interpreter"], **bench.config.get("families", {})}
    for name, group in families.items():
        interpreter = bench.explained if group is bench.config["interpreter"] else bench.interpreter(group)
        if not interpreter.differentiable:
            raise ValueError(f"interpreter={group['name']} has no gradient to attack by, nothing to time")
        yield attack_on(bench, f"ADV2 step on {name}", interpreter, f"FB of {name}'s map")


def attack_on(bench: Workbench, name: str, interpreter: Interpreter, needs: str) -> Loop:
    """ADV2's joint phase on an interpreter, whose bare pass is called ``needs``.

    Where every step starts from the map of the step before (MASK), the attack also has to find the first one.
    """
    surrogate = interpreter.surrogate()
    each: dict[str, float] = {needs: 1}
    passes = {needs: bare.explained(bench, surrogate)}
    if surrogate.warm_started() is not surrogate:
        each["first map"] = 1 / bench.config["steps"]
        passes["first map"] = bare.map_alone(bench, surrogate)
    return _attack(bench, name, interpreter, True, each, **passes)


def short(bench: Workbench) -> Iterator[Loop]:
    """Attacks of a few steps, whole, as trainings have them inside: nothing of their beginning or end is taken off."""
    interpreter, name = bench.explained, bench.config["interpreter"]["name"]
    goal, surrogate = bench.goal(interpreter), interpreter.surrogate()

    def whole(joint: bool) -> Work:
        attack = bench.attack(bench.config["probe"], joint=joint, steps=SHORT)
        return lambda: attack.last_iterate(surrogate, bench.image, goal, bench.key_B)

    yield Loop(f"PGD of {SHORT} steps, a step", whole(False), {"FB": 1}, SHORT)
    if interpreter.differentiable:
        needs = f"FB of {name}'s map"
        passes = {needs: bare.explained(bench, surrogate)}
        yield Loop(f"ADV2 of {SHORT} steps on {name}, a step", whole(True), {needs: 1}, SHORT, passes=passes)


def adv2_auto(bench: Workbench) -> Iterator[Loop]:
    """The whole attack; the passes that it needs are those that it makes, counted, with a map and without."""
    interpreter = bench.explained
    if not isinstance(interpreter, TrunkInterpreter):
        raise ValueError(
            f"adv2_auto's passes cannot be told apart on interpreter={bench.config['interpreter']['name']}, whose map "
            "takes passes of its own: time it on one whose map comes with the logits (rts, cam, gradcam)"
        )
    probe = instantiate(bench.config["auto"]["module"])
    name = bench.config["interpreter"]["name"]

    def work() -> None:
        probe(interpreter, bench.image, bench.label, bench.batch["sample_id"])

    with counted_maps(interpreter) as count:
        before = dict(bench.classifier.passes)
        work()
    made = {key: value - before[key] for key, value in bench.classifier.passes.items()}
    size = len(bench.image)
    backward = {"map": count["backward"] / size, "alone": (made["backward"] - count["backward"]) / size}
    forward = (made["forward"] - made["backward"]) / size
    needs = {f"FB of {name}'s map": backward["map"], "FB": backward["alone"], "F": forward}
    passes = {f"FB of {name}'s map": bare.explained(bench, interpreter.surrogate())}
    yield Loop(f"adv2_auto on {name}", work, needs, passes=passes)


@contextmanager
def counted_maps(interpreter: Any) -> Iterator[Counter[str]]:
    """Counts the images whose logits and map are asked for together, with a gradient (``backward``) and in all."""
    count: Counter[str] = Counter()
    explanation: Callable[[Tensor, Tensor], Explanation] = interpreter.explanation

    def counting(image_BCHW: Tensor, class_B: Tensor) -> Explanation:
        count["all"] += len(image_BCHW)
        count["backward"] += len(image_BCHW) * image_BCHW.requires_grad
        return explanation(image_BCHW, class_B)

    interpreter.explanation = counting
    try:
        yield count
    finally:
        del interpreter.explanation
