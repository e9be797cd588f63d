"""The roughness of a flow field, the penalty of spatial attacks (Xiao et al., stAdv, ICLR 2018)."""

from __future__ import annotations

from torch import Tensor

from benchmark.numerics.roots import square_root


def flow_roughness(flow_B2HW: Tensor) -> Tensor:
    """L_flow = sum over neighbours p, q of sqrt(|du|^2 + |dv|^2), each pair once, per sample (B,); flow in pixels.

    1e-12 under the root keeps the gradient finite where neighbours move equally.
    """
    rows = square_root(flow_B2HW.diff(dim=2).square().sum(1) + 1e-12)
    columns = square_root(flow_B2HW.diff(dim=3).square().sum(1) + 1e-12)
    return rows.flatten(1).sum(1) + columns.flatten(1).sum(1)
