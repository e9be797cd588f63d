"""The Trainer that a run makes."""

from __future__ import annotations

from pytorch_lightning.accelerators import CUDAAccelerator

from benchmark.engine.trainer import make_trainer
from tests.helpers import configured


def test_the_cpu_is_taken_without_a_word_where_a_gpu_is(tmp_path, monkeypatch):
    """trainer=cpu is a choice; Lightning would warn of the GPU that is not used."""
    monkeypatch.setattr(CUDAAccelerator, "is_available", staticmethod(lambda: True))
    trainer = make_trainer(configured(tmp_path), logger=False)
    assert trainer.accelerator.name() == "cpu"
