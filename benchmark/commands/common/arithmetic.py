"""A little of what cells are made of, hashed: whether this machine repeats its bytes, and gives those of others.

``python -m benchmark.commands.common.arithmetic`` prints the hash; with the environment of portable arithmetic it is to
be the same on every x86 CPU with AVX2.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

# In portable mode on one thread, by version of torch: of the machine of docs/results/v2_portable (AMD EPYC).
PORTABLE = {"2.15.0": "77fc07be9ed8"}


def fingerprint(threads: int = 1) -> str:
    """12 hex digits of a small network's weights after some steps of a training, and of images attacked on it."""
    import torch
    from torch import nn

    from benchmark.numerics import rng

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        key = rng.sample_keys(0, "doctor", torch.arange(16))
        image, label = rng.uniform(key, 3, 32, 32), rng.integers(key, 10, 1)[:, 0]
        with torch.random.fork_rng(devices=[]):  # what is drawn here is put in anew
            layers = [nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 32, 3, stride=2)]
            network = nn.Sequential(*layers, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10))
        for number, weight in enumerate(network.parameters()):
            drawn = rng.uniform(rng.sample_keys(number, "doctor", torch.arange(weight.numel())), 1)
            weight.data.copy_(0.2 * (drawn.reshape(weight.shape) - 0.5))
        optimizer = torch.optim.Adam(network.parameters(), lr=0.01, fused=True)
        for _ in range(5):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(image), label).backward()
            optimizer.step()
        network.eval()
        attacked = image.clone()
        for _ in range(5):
            point = attacked.requires_grad_()
            (gradient,) = torch.autograd.grad(nn.functional.cross_entropy(network(point), label), point)
            attacked = (point.detach() + gradient.sign() / 255).clamp(0, 1)
        tensors = [*(weight.detach() for weight in network.parameters()), attacked]
    finally:
        torch.set_num_threads(before)
    return hashlib.sha256(b"".join(each.numpy().tobytes() for each in tensors)).hexdigest()[:12]


def portable_fingerprint() -> str:
    """The same in portable mode, by a process of its own; empty where that fails (a CPU without AVX2)."""
    from benchmark.processes.portable import ENVIRONMENT

    ran = subprocess.run(
        [sys.executable, "-m", "benchmark.commands.common.arithmetic"],
        env={**os.environ, **ENVIRONMENT, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.stdout.strip() if ran.returncode == 0 else ""


if __name__ == "__main__":
    print(fingerprint())
