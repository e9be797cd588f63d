"""The fields of cell.json, and which of them identify a cell."""

from __future__ import annotations

from benchmark.storage.schema import CellField, When

IDENTITY: tuple[CellField, ...] = (
    CellField("name", "string", "name of the record's folder: the fields below and the first digits of `cell`"),
    CellField("data", "string", "the data set, `data.name`"),
    CellField("classifier", "string", "the classifier that is explained, `classifier.label`"),
    CellField("interpreter", "string", "the interpreter that is measured, `interpreter.name`"),
    CellField("probe", "string", "noise, attack or `clean`, `probe.name`"),
    CellField("level", "number or null", "misclassification rate that noise is calibrated to, `probe.level`"),
    CellField("steps_factor", "integer", "by what an attack's steps are multiplied, `probe.steps_factor`"),
    CellField("seed", "integer", "seed of the run"),
    CellField("data_seed", "integer", "seed of the data set, `data.seed`"),
    CellField("split", "string", "`test` or `calibration`"),
    CellField("budget", "string", "group of sizes and steps, `budget.name`"),
    CellField("experiment", "string or null", "the experiment that the cell was computed for; not part of `cell`"),
)

FIELDS: tuple[CellField, ...] = (
    CellField("format", "integer", "version of the record's format"),
    CellField("cell", "string", "hash of everything that the result depends on, 16 hex digits"),
    *IDENTITY,
    CellField("config", "object", "the whole resolved configuration"),
    CellField("n_samples", "integer", "rows of samples.parquet", When.DONE),
    CellField("n_sources", "integer", "different values of `source_id`", When.DONE),
    CellField("class_names", "object", "name of every class that occurs, in the split too, by its number", When.DONE),
    CellField("artefacts", "object", "hash of every artefact that was used, by its part in the cell", When.DONE),
    CellField(
        "by_class", "object", "by class `n`, images of it in the split, and `right`, those classified so", When.DONE
    ),
    CellField("facts", "object", "numbers, and names of layers, about the whole cell, see below", When.DONE),
    CellField("flags", "array", "names of what makes the result weak or no evidence, see below", When.DONE),
    CellField("seconds", "object", "time by stage; about 0 where the store had the artefact", When.DONE),
    CellField("counts", "object", "`forward` and `backward` passes of the classifier, in samples", When.DONE),
    CellField("versions", "object", "of Python, this suite and the packages that compute"),
    CellField("commit", "string or null", "commit of the suite, with `-dirty` where files had changed"),
    CellField("device", "string", "name of the GPU or CPU"),
    CellField("cpu", "string", "name of the CPU"),
    CellField("threads", "integer", "CPU threads of torch"),
    CellField("portable", "boolean", "whether the arithmetic was portable (`trainer.portable`)"),
    CellField("status", "string", "`done` or `failed`"),
    CellField("reason", "object", "`stage`, `error` and `hint` of what went wrong", When.FAILED),
    CellField("checksums", "object", "SHA-256 of every other file; empty in a failed cell"),
    CellField("checksum", "string", "SHA-256 of this object without this field, keys sorted"),
)

FACTS: tuple[CellField, ...] = (
    CellField("accuracy", "number", "share of the split that the classifier gets right; only these samples are used"),
    CellField("balanced_accuracy", "number", "mean over classes of the share that the classifier gets right"),
    CellField("benign_spread", "number", "L1 by which maps move when nothing that matters changes"),
    CellField("alarm_threshold_5", "number", "95 % quantile of the L1 of harmless pairs of maps, on calibration"),
    CellField("alarm_threshold_1", "number", "99 % quantile of the L1 of harmless pairs of maps, on calibration"),
    CellField("n_without_map", "integer", "samples whose benign map is constant: their distances are NaN"),
    CellField("batch_size", "integer", "samples of a group, after any lack of memory"),
    CellField(
        "n_without_object_iou",
        "integer",
        "samples without an object IoU: no or an empty mask, or a constant map",
        When.CLEAN,
    ),
    CellField("n_with_object", "integer", "samples with a measure of the object, by a mask or a box", When.CLEAN),
    CellField("box_threshold", "number", "share of a map's range at which its box is cut out", When.BOXES),
    CellField("n_box_threshold", "integer", "calibration samples that it fits best; 0: the default", When.BOXES),
    CellField("noise_scale", "number", "calibrated scale of the noise", When.NOISE),
    CellField("rate_calibration", "number", "misclassification rate at this scale on calibration", When.NOISE),
    CellField("n_calibration", "integer", "samples of that calibration", When.NOISE),
    CellField("rate_measured", "number", "misclassification rate on the cell's samples", When.NOISE),
    CellField("rate_measured_low", "number", "lower end of its 95 % interval over sources", When.NOISE),
    CellField("rate_measured_high", "number", "upper end of its 95 % interval over sources", When.NOISE),
    CellField("target_layer", "string", "module of the network whose output makes the map", When.CAM),
    CellField("surrogate_map_l1", "number", "mean L1 between the maps of interpreter and surrogate", When.SURROGATE),
    CellField("other_map_l1", "number", "mean L1 between the interpreter's maps of different images", When.SURROGATE),
    CellField("n_zero_gradient", "integer", "samples whose gradient was exactly zero at every step", When.ATTACK),
    CellField("random_better", "number", "share of a few samples on which random signs do better", When.ATTACK),
    CellField("unbounded_success", "number", "share of them that the attack gets without its bound", When.BOUNDED),
    CellField("transfer_better", "number", "share of them on which a transferred attack does better", When.ATTACK),
)

IDENTITY_FIELDS: tuple[str, ...] = tuple(field.name for field in IDENTITY)
FIELD_NAMES = frozenset(field.name for field in FIELDS)

# What commands that read records filter by, and what a run in W&B is tagged with.
FILTER_FIELDS: tuple[str, ...] = tuple(name for name in IDENTITY_FIELDS if name not in ("name", "steps_factor"))
TAG_FIELDS = ("data", "classifier", "interpreter", "probe", "budget")
