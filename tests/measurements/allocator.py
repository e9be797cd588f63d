"""Passes at 224 px with and without freed memory kept: ``python -m tests.measurements.allocator [ROUNDS]``.

Each measurement is a process of its own on one thread, the two in turn: a forward and a backward pass of an untrained
network, the gradient in the image alone. Prints milliseconds an image and page faults a step.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time

import timm
import torch

from benchmark.processes.allocator import keep_freed_memory

BATCH, SIDE, WARM_UP, STEPS = 16, 224, 2, 6
NETWORKS = ("efficientnet_lite0", "resnet50")


def measured(name: str) -> dict[str, float]:
    """Milliseconds an image, and page faults a step, of this process."""
    torch.set_num_threads(1)
    network = timm.create_model(name).eval().requires_grad_(False)
    image = torch.rand(BATCH, 3, SIDE, SIDE)
    seconds, faults = [], 0
    for step in range(WARM_UP + STEPS):
        before, start = resource.getrusage(resource.RUSAGE_SELF).ru_minflt, time.perf_counter()
        inputs = image.clone().requires_grad_()
        torch.autograd.grad(network(inputs).square().sum(), inputs)
        if step >= WARM_UP:
            seconds.append(time.perf_counter() - start)
            faults += resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    return {"ms": 1000 * statistics.median(seconds) / BATCH, "faults": faults / STEPS}


def main() -> None:
    if sys.argv[1:2] == ["process"]:
        if sys.argv[3] == "kept":
            keep_freed_memory()
        print(json.dumps(measured(sys.argv[2])))
        return
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    for name in NETWORKS:
        found: dict[str, list[dict[str, float]]] = {"as it is": [], "kept": []}
        for _ in range(rounds):
            for way, seen in found.items():
                command = [sys.executable, "-m", "tests.measurements.allocator", "process", name, way]
                ran = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
                seen.append(json.loads(ran.stdout.splitlines()[-1]))
        for way, seen in found.items():
            times = ", ".join(f"{each['ms']:.1f}" for each in seen)
            print(
                f"{name}, {way}: {times} ms an image; {statistics.median(each['faults'] for each in seen):,.0f} faults"
            )


if __name__ == "__main__":
    main()
