"""What the suite does on a GPU: its marked tests, lower precision and compilation against fp32, two ranks, and speed.

python -m tests.measurements.gpu [--only tests,precision,speed,ranks,compile] [--out FILE.json]

Prints tables in Markdown; under eight minutes on one card, which it names. Without a GPU it says so and ends.
Networks are untrained (weights do not change the time), with BatchNorm's statistics taken from the images. ``--tiny``
is a trial on any CPU, whose figures mean nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from benchmark.classifiers.timm_classifier import TimmClassifier
from benchmark.interpreters.cam import CAM, GradCAM
from benchmark.interpreters.rts import RTS
from benchmark.metrics.map_distance import l1
from benchmark.numerics import layers, rng
from benchmark.numerics.images import at_image_size
from benchmark.numerics.modules import freeze
from benchmark.numerics.precisions import BFLOAT16
from benchmark.objectives.joint import Joint
from benchmark.objectives.prediction import Prediction
from benchmark.probes.attack import GradientAttack, Phase
from benchmark.probes.linf_ball import LinfBall
from benchmark.timing.clock import shortest, wait
from benchmark.types import Goal, Interpreter
from tests.helpers import PROJECT, underfire
from tests.measurements.tf32 import tf32

SECTIONS = ("tests", "precision", "speed", "ranks", "compile")
LONGEST = 360.0  # seconds after which no section begins: the whole stays under eight minutes
EPSILON, ALPHA, WEIGHT = 8 / 255, 1 / 255, 20.0


class Scale(NamedTuple):
    """How large the networks and the work are."""

    name: str
    options: dict[str, Any]
    classes: int
    side: int
    batch: int
    steps: int
    repeats: int


FULL = Scale("resnet50", {}, 1000, 224, 64, 10, 5)
TINY = Scale("resnet10t", {"channels": [8, 12, 16, 24], "stem_width": 8}, 10, 48, 4, 2, 1)


class Work(NamedTuple):
    """A network with images, the classes they are to reach, and a key per image."""

    network: TimmClassifier
    image: Tensor
    target: Tensor
    key: Tensor

    @property
    def device(self) -> torch.device:
        return self.image.device


def work_of(scale: Scale, device: torch.device) -> Work:
    """The same network and images on every machine, up to rounding."""
    torch.manual_seed(0)
    network = TimmClassifier(name=scale.name, num_classes=scale.classes, options=scale.options)
    key = rng.sample_keys(0, "gpu", torch.arange(scale.batch))
    coarse = rng.uniform(key, 3, scale.side // 8, scale.side // 8)
    image = torch.cat([at_image_size(channel, (scale.side, scale.side))[:, None] for channel in coarse.unbind(1)], 1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):  # else timm's last BatchNorm of a block is zero: nothing to round
            module.weight.data.uniform_(0.5, 1.5)
            module.momentum = 1.0
    with torch.no_grad():
        network.train()(image[:16])
    target = rng.integers(key, scale.classes, 1)[:, 0]
    return Work(freeze(network).to(device), image.to(device), target.to(device), key.to(device))


def attack(joint: bool, steps: int) -> GradientAttack:
    """ADV2's joint phase, or PGD."""
    return GradientAttack(
        perturbation=LinfBall(epsilon=EPSILON, step_size=ALPHA),
        phases=[Phase(Joint(weight=WEIGHT) if joint else Prediction())],
        steps=steps,
    )


def goal_of(work: Work, interpreter: Interpreter) -> Goal:
    with torch.no_grad():
        return Goal(work.target, interpreter(work.image, work.network(work.image).argmax(1)))


def attacked(work: Work, interpreter: Interpreter, joint: bool, steps: int) -> Callable[[], Tensor]:
    goal = goal_of(work, interpreter)
    return lambda: attack(joint, steps)(interpreter, work.image, goal, work.key).image_BCHW


def bare(work: Work, interpreter: Interpreter | None = None) -> Callable[[], Tensor]:
    """One forward and backward pass of the classifier, or of an interpreter's logits and map."""

    def run() -> Tensor:
        point = work.image.clone().requires_grad_()
        if interpreter is None:
            return torch.autograd.grad(work.network(point).sum(), point)[0]
        explanation = interpreter.explain(point, work.target)
        return torch.autograd.grad(explanation.logits_BK.sum() + explanation.map_Bhw.sum(), point)[0]

    return run


def interpreters(work: Work, scale: Scale) -> dict[str, Interpreter]:
    common = {"classifier": work.network, "image_size": scale.side}
    torch.manual_seed(1)
    made = {"CAM": CAM(**common), "Grad-CAM": GradCAM(**common), "RTS": RTS(**common)}
    return {name: freeze(each).to(work.device) for name, each in made.items()}


def precisions(device: torch.device) -> dict[str, bool]:
    """TF32 by the name of the precision; a CPU has none."""
    return {"fp32, TF32 off": False} | ({"fp32, TF32 on": True} if device.type == "cuda" else {})


def against_fp32(scale: Scale, device: torch.device, variants: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """How far logits, gradients, attacked images and maps under each setting are from those of fp32 without TF32.

    The images are attacked under the setting and judged in fp32.

    Args:
        variants: by name the keys of ``trainer`` that say how layers run; "TF32" has none.
    """
    work = work_of(scale, device)
    cam = CAM(classifier=work.network, image_size=scale.side).to(device)
    with tf32(False):
        goal = goal_of(work, cam)
        reference = _facts(work, cam, goal, scale)
    rows = []
    for name, settings in variants.items():
        start = time.perf_counter()
        with tf32(name == "TF32"), layers.configured(settings):
            bare(work)()
            wait(device)
            first = time.perf_counter() - start
            made = _facts(work, cam, goal, scale)
        logits, gradient, pgd, adv2 = reference
        rows.append(
            {
                "variant": name,
                "logits, relative error": float((made[0] - logits).norm() / logits.norm()),
                "same class": float((made[0].argmax(1) == logits.argmax(1)).float().mean()),
                "gradient's signs that agree": float((made[1].sign() == gradient.sign()).float().mean()),
                **{f"PGD {key}": value for key, value in _judged(work, made[2], pgd).items()},
                **{f"ADV2 on CAM {key}": value for key, value in _judged(work, made[3], adv2, scale).items()},
                "first pass, s": first,
                "pass / fp32's": _pass_ratio(work, scale, settings, name == "TF32"),
            }
        )
    return rows


def _facts(work: Work, cam: CAM, goal: Goal, scale: Scale) -> tuple[Tensor, ...]:
    with torch.no_grad():
        logits = work.network(work.image)
    images = [attack(joint, 2 * scale.steps)(cam, work.image, goal, work.key).image_BCHW for joint in (False, True)]
    return logits.float(), bare(work)().float(), *images


def _judged(work: Work, image: Tensor, reference: Tensor, scale: Scale | None = None) -> dict[str, float]:
    """Success by the fp32 network, of this image and of the reference; with a scale also the distance of CAM's maps."""
    told = {}
    with tf32(False), torch.no_grad():
        for name, each in (("", image), (" by fp32", reference)):
            told[f"success{name}"] = float((work.network(each).argmax(1) == work.target).float().mean())
        if scale is not None:
            cam = CAM(classifier=work.network, image_size=scale.side).to(work.device)
            benign = goal_of(work, cam).map_Bhw
            for name, each in (("", image), (" by fp32", reference)):
                told[f"map L1{name}"] = float(l1(benign, cam(each, work.target)).mean())
    return told


def _pass_ratio(work: Work, scale: Scale, settings: dict[str, Any], allowed: bool) -> float:
    def under(which: bool, how: dict[str, Any]) -> Callable[[], None]:
        run = bare(work)

        def inside() -> None:
            with tf32(which), layers.configured(how):
                run()

        return inside

    works = {"fp32": under(False, {}), "it": under(allowed, settings)}
    times = shortest(works, 2 * scale.repeats, work.device)
    return times["it"] / times["fp32"]


def precision(scale: Scale, device: torch.device) -> list[dict[str, Any]]:
    on_gpu: dict[str, dict[str, Any]] = {"TF32": {}} if device.type == "cuda" else {}
    return against_fp32(scale, device, {**on_gpu, f"trainer.precision={BFLOAT16}": {"precision": BFLOAT16}})


def compilation(scale: Scale, device: torch.device) -> list[dict[str, Any]]:
    both = {"precision": BFLOAT16, "compile": True}
    return against_fp32(scale, device, {"trainer.compile=true": {"compile": True}, "compiled, in bfloat16": both})


def speed(scale: Scale, device: torch.device) -> list[dict[str, Any]]:
    """Milliseconds of an attack step, images x steps a second, and the step over its bare pass."""
    rows = []
    for name, allowed in precisions(device).items():
        work = work_of(scale, device)
        with tf32(allowed):
            made = interpreters(work, scale)
            works: dict[str, Callable[[], Any]] = {"classifier": bare(work)}
            works |= {f"{each} bare": bare(work, interpreter) for each, interpreter in made.items()}
            loops = {"PGD": ("classifier", made["CAM"], False)}
            loops |= {f"ADV2 on {each}": (f"{each} bare", made[each], True) for each in made}
            for loop, (_, interpreter, joint) in loops.items():
                works[loop] = attacked(work, interpreter, joint, scale.steps)
                works[f"{loop} end"] = attacked(work, interpreter, joint, 0)
            times = shortest(works, scale.repeats, device)
        rows.append(_row(name, "bare pass", times["classifier"], times["classifier"], times["classifier"], scale))
        for loop, (needed, _, _) in loops.items():
            step = (times[loop] - times[f"{loop} end"]) / scale.steps
            rows.append(_row(name, loop, step, times[needed], times["classifier"], scale))
    return rows


def _row(precision: str, loop: str, step: float, needed: float, classifier: float, scale: Scale) -> dict[str, Any]:
    return {
        "precision": precision,
        "loop": loop,
        "ms a step": 1e3 * step,
        "images x steps / s": scale.batch / step,
        "step / bare pass": step / needed,
        "step / classifier's pass": step / classifier,
    }


def marked_tests(scale: Scale, device: torch.device) -> str:
    """The last line of pytest -m gpu, on the file of these tests; warnings are no errors: another torch has others."""
    options = ["-m", "gpu", "-o", "filterwarnings=default", "-p", "no:cacheprovider", "tests/test_gpu.py"]
    command = [sys.executable, "-m", "pytest", *options]
    ran = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=100)
    lines = [line for line in ran.stdout.splitlines() if line.startswith(("FAILED", "ERROR", "E  "))]
    return "\n".join([*lines[:20], (ran.stdout.strip().splitlines() or [ran.stderr[-300:]])[-1]])


def ranks(scale: Scale, device: torch.device) -> str:
    """A smoke cell by two processes under NCCL."""
    if (count := torch.cuda.device_count()) < 2:
        return f"not run: it takes two GPUs, and there {'is' if count == 1 else 'are'} {count or 'none'}"
    with tempfile.TemporaryDirectory() as root:
        words = ["budget=smoke", "logger=none", "trainer=ddp", "trainer.accelerator=gpu", "probe=pgd"]
        ran = underfire(Path(root), "run", *words)
    return f"exit status {ran.returncode}: {(ran.stderr.strip().splitlines() or [''])[-1]}"


RUN: dict[str, Callable[[Scale, torch.device], Any]] = {
    "tests": marked_tests,
    "precision": precision,
    "compile": compilation,
    "ranks": ranks,
    "speed": speed,
}


def table(rows: list[dict[str, Any]]) -> str:
    """Rows as a table in Markdown."""
    shown = [[f"{value:.4g}" if isinstance(value, float) else str(value) for value in row.values()] for row in rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [list(rows[0]), ["---"] * len(rows[0]), *shown])


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default=",".join(SECTIONS))
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    scale = TINY if options.tiny else FULL
    device = torch.device("cuda" if torch.cuda.is_available() and not options.tiny else "cpu")
    if unknown := set(options.only.split(",")) - set(SECTIONS):
        parser.error(f"--only takes some of {', '.join(SECTIONS)}, got {', '.join(sorted(unknown))}")
    if device.type == "cpu" and not options.tiny:
        print("not run: there is no GPU here (--tiny tries the script on the CPU)")
        return {}
    begun = time.perf_counter()
    card = torch.cuda.get_device_name() if device.type == "cuda" else platform.processor() or "CPU"
    told: dict[str, Any] = {"device": card, "torch": torch.__version__, "scale": scale._asdict()}
    told |= {"cuda": torch.version.cuda, "TF32 override": os.environ.get("NVIDIA_TF32_OVERRIDE")}
    print(f"{card}, torch {torch.__version__}: {scale.name} at {scale.side} px, {scale.batch} images", flush=True)
    for name in options.only.split(","):
        start = time.perf_counter()
        try:
            if start - begun > LONGEST:
                raise TimeoutError(f"{LONGEST:.0f} s were over before it began: run it alone, --only {name}")
            told[name] = RUN[name](scale, device)
        except Exception as error:  # the other sections are worth their time all the same
            told[name] = f"failed: {type(error).__name__}: {error}"
        text = told[name] if isinstance(told[name], str) else table(told[name])
        print(f"\n### {name} ({time.perf_counter() - start:.0f} s)\n\n{text}", flush=True)
        if options.out:
            options.out.write_text(json.dumps(told, indent=1))
    return told


if __name__ == "__main__":
    main()
