"""Random numbers that depend on (seed, purpose, sample id, epoch) and on nothing else.

Order, batch composition, device count and resuming cannot change them, because there is no state: element ``i`` of a
sample's numbers is a hash of the sample's 64-bit key and ``i`` (SplitMix64, Steele et al., OOPSLA 2014, used as a
counter-based generator). All integer work is exact on every device.
"""

from __future__ import annotations

import hashlib
import math

import torch
from torch import Tensor

from benchmark.numerics.roots import square_root

_GOLDEN = -7046029254386353131  # 0x9E3779B97F4A7C15 as a signed 64-bit integer
_MIX_1 = -4658895280553007687  # 0xBF58476D1CE4E5B9
_MIX_2 = -7723592293110705685  # 0x94D049BB133111EB


def _shift(word: Tensor, bits: int) -> Tensor:
    """Logical right shift (torch's ``>>`` carries the sign)."""
    return (word >> bits) & ((1 << (64 - bits)) - 1)


def _mix(word: Tensor) -> Tensor:
    word = (word ^ _shift(word, 30)) * _MIX_1
    word = (word ^ _shift(word, 27)) * _MIX_2
    return word ^ _shift(word, 31)


def sample_keys(seed: int, purpose: str, id_N: Tensor, epoch: int = 0) -> Tensor:
    """One 64-bit key (N,) int64 per sample id, for the random numbers of one purpose in one epoch."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{epoch}".encode()).digest()
    base = int.from_bytes(digest[:8], "big", signed=True)
    return _mix(_mix(id_N.to(torch.int64) * _GOLDEN + base) + base)


def _words(key_N: Tensor, count: int) -> Tensor:
    counter = torch.arange(1, count + 1, device=key_N.device, dtype=torch.int64) * _GOLDEN
    return _mix(key_N[:, None] + counter)


def uniform(key_N: Tensor, *shape: int) -> Tensor:
    """U[0, 1) of shape (N, *shape), float32 on the key's device, 24 bits each."""
    words = _words(key_N, math.prod(shape))
    return (_shift(words, 40).float() * 2.0**-24).reshape(len(key_N), *shape)


def normal(key_N: Tensor, *shape: int) -> Tensor:
    """N(0, 1) of shape (N, *shape), float32 on the key's device (Box-Muller, two values a word; |value| < 5.8)."""
    count = math.prod(shape)
    words = _words(key_N, (count + 1) // 2)
    radius = square_root(-2.0 * torch.log((_shift(words, 40).float() + 1.0) * 2.0**-24))
    angle = (_shift(words, 8) & 0xFFFFFF).float() * (2.0 * math.pi * 2.0**-24)
    pair = torch.cat([radius * torch.cos(angle), radius * torch.sin(angle)], dim=1)
    return pair[:, :count].reshape(len(key_N), *shape)


def integers(key_N: Tensor, high: int, *shape: int) -> Tensor:
    """Integers in [0, high), int64 of shape (N, *shape); the bias of the scaling is below high / 2**31."""
    if high < 1:
        raise ValueError(f"integers() needs high >= 1, got {high}")
    words = _words(key_N, math.prod(shape))
    return ((_shift(words, 33) * high) >> 31).reshape(len(key_N), *shape)


def permutation(seed: int, purpose: str, count: int, epoch: int = 0) -> Tensor:
    """A permutation of range(count), int64 (count,), fresh for every epoch."""
    words = sample_keys(seed, purpose, torch.arange(count), epoch)
    return torch.argsort(words, stable=True)
