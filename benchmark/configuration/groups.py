"""What every group of the configuration holds, with types and ranges; parts with a ``_target_`` say theirs themselves.

Fields without a default have to be there. Groups with a ``_target_`` (data, trainer) also take its arguments.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from benchmark.numerics.bounds import (
    Epsilon,
    ImageCount,
    Label,
    Level,
    Positive,
    Seed,
    StepSize,
    Suffix,
    Text,
    UnitInterval,
    Weight,
    WholeNonNegative,
    WholePositive,
)
from benchmark.numerics.expectations import Part
from benchmark.numerics.precisions import FLOAT32, Precision


@dataclass(frozen=True)
class Budget:
    """Sizes and step counts that the other groups take over; null takes all images there are."""

    name: Label
    train_images: ImageCount | None
    calibration_images: ImageCount | None
    test_images: ImageCount | None
    noise_images: WholePositive | None
    noise_images_30: WholePositive | None
    attack_images: WholePositive | None
    converged_images: WholePositive | None
    batch_size: WholePositive
    keep: WholeNonNegative
    spread_images: WholePositive
    faithful_images: WholeNonNegative
    classifier_epochs: WholeNonNegative
    selector_steps: WholeNonNegative
    warm_start_steps: WholeNonNegative
    small_start_steps: WholeNonNegative
    train_size: WholePositive | None
    start_steps: WholeNonNegative
    selector_batch: WholePositive
    selector_lr: Positive
    decoder_batch: WholePositive
    decoder_lr: Positive
    finish_lr: Positive
    finish_steps: WholeNonNegative
    inner_steps: WholeNonNegative
    inner_step_size: StepSize
    attack_warmup: WholeNonNegative
    attack_steps: WholeNonNegative
    auto_passes: WholePositive


@dataclass(frozen=True)
class Data:
    """A data set's own keys, beside the arguments of its ``_target_``.

    scale_images: calibration images that noise scales are found on; null for all.
    """

    name: Label
    fingerprint: bool = False
    scale_images: WholePositive | None = None


@dataclass(frozen=True)
class ClassifierTraining:
    """How a classifier is trained; ``sources`` are further classifiers that its training needs.

    start: how its weights at the start are trained; null for random ones (or timm's).
    """

    suffix: Suffix
    epochs: WholeNonNegative
    batch_size: WholePositive
    module: Part
    sources: dict[str, Classifier] = field(default_factory=dict)
    start: ClassifierTraining | None = None


@dataclass(frozen=True)
class Classifier:
    """A timm network and its training."""

    name: Text
    architecture: Label
    label: Label
    pretrained: bool
    checkpoint: Text | None
    small_input: bool
    options: dict[str, Any] | None
    seed: Seed
    training: ClassifierTraining
    checkpoint_entry: Text | None = None
    key_map: dict[str, str] | Text | None = None
    mean: list[float] | None = None
    std: list[Positive] | None = None


@dataclass(frozen=True)
class Stage:
    """One stage of an interpreter's training; it goes on from the stage named ``after``, null for the one before."""

    steps: WholeNonNegative
    batch_size: WholePositive
    module: Part
    after: Text | None = None


@dataclass(frozen=True)
class Interpreter:
    """An interpreter's common keys; further ones are handed to its parts by interpolation."""

    open: ClassVar[bool] = True

    name: Label
    attack_weight: Weight
    seed: Seed
    encoder: Classifier | None
    checkpoint: Text | None
    reference: Text | None
    network: Part
    stages: dict[str, Stage]
    members: dict[str, Interpreter] | None = None
    inner: Part | None = None


@dataclass(frozen=True)
class Probe:
    """A probe's common keys; further ones are handed to its parts by interpolation."""

    open: ClassVar[bool] = True

    name: Label
    level: Level | None
    steps_factor: WholePositive
    samples: WholePositive | None
    batch_size: WholePositive
    needs_map: bool
    seed: Seed
    source: Interpreter | None
    surrogate: Classifier | None
    module: Part | None
    epsilon: Epsilon = 0.0
    steps: WholeNonNegative = 0
    warmup: WholeNonNegative = 0


@dataclass(frozen=True)
class Measure:
    """What is measured beside the maps' distances."""

    keep: WholeNonNegative
    spread_samples: WholePositive
    faithful_samples: WholeNonNegative
    harmless_samples: WholeNonNegative
    iou_threshold: UnitInterval
    top_share: UnitInterval
    blur: Positive


@dataclass(frozen=True)
class Trainer:
    """What is asked of Lightning's Trainer, beside its further arguments, and what is the suite's own.

    threads: of the CPU. keep_minutes: between two checkpoints.
    """

    accelerator: Literal["auto", "cpu", "gpu", "cuda"]
    devices: WholePositive | Literal["auto"] | list[WholeNonNegative]
    threads: WholePositive | None
    portable: bool = False
    precision: Precision = FLOAT32
    compile: bool = False
    keep_minutes: Positive = 10
    strategy: Literal["auto", "ddp"] = "auto"
    num_nodes: WholePositive = 1
    deterministic: bool | Literal["warn"] = True
    inference_mode: bool = False
    use_distributed_sampler: bool = False
    num_sanity_val_steps: WholeNonNegative = 0
    enable_model_summary: bool = False
    log_every_n_steps: WholePositive = 10


@dataclass(frozen=True)
class Logger:
    """Weights & Biases."""

    mode: Literal["offline", "online", "disabled"]
    project: Text
    entity: Text | None
    group: Text | None
    tags: list[Text]
    patience: Positive
    images: WholeNonNegative


@dataclass(frozen=True)
class Paths:
    """The folders that are written to and read from."""

    root: Text
    store: Text
    data: Text
    results: Text
    report: Text
    wandb: Text
    outputs: Text


@dataclass(frozen=True)
class Modules:
    """The LightningModules that a cell runs."""

    probe: Part
    measure: Part


@dataclass(frozen=True)
class Run:
    """The whole configuration of one cell."""

    seed: Seed
    split: Literal["test", "calibration"]
    force: Literal["cell", "artefact"] | None
    objective: Text | list[Text] | None
    retry: Literal["failed"] | None
    budget: Budget
    data: Data
    classifier: Classifier
    interpreter: Interpreter
    probe: Probe
    measure: Measure
    trainer: Trainer
    logger: Logger
    paths: Paths
    modules: Modules
    experiment_name: Label = ""
    trainings: WholePositive = 1
