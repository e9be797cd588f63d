"""Folders of some of ImageNet's classes, read as its 1,000; validation images without class folders."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from scipy.io import savemat

from benchmark.data import folder_index, imagenet_classes
from benchmark.data.folder_layout import Layout
from benchmark.data.imagenette import Imagenette
from benchmark.data.split_check import check_data
from benchmark.processes import notices
from tests.data.folders import folder, plant, save

TENCH, SPRINGER, CHURCH = "n01440764", "n02102040", "n03028079"  # classes 0, 217 and 497 of every ImageNet network


@pytest.fixture(autouse=True)
def told(caplog):
    notices._log.cache_clear()
    caplog.set_level(logging.WARNING, "underfire")
    return caplog


def photographs(root, names=(TENCH, SPRINGER, CHURCH), test="val"):
    return plant(root, {"train": dict.fromkeys(names, 20), test: dict.fromkeys(names, 2)})


def imagenet(root, **knobs):
    return folder(root, **{"classes": "imagenet", "test_folder": "val", **knobs})


def test_the_table_is_that_of_the_networks():
    """Hand-picked rows of the list that every ImageNet network is trained with."""
    words = imagenet_classes.words()
    assert len(words) == len(set(words)) == len(imagenet_classes.indices()) == 1000
    for name, index, word in (
        (TENCH, 0, "tench"),
        (SPRINGER, 217, "English springer"),
        (CHURCH, 497, "church"),
        ("n02012849", 134, "crane (n02012849)"),
        ("n03126707", 517, "crane (n03126707)"),
        ("n15075141", 999, "toilet tissue"),
    ):
        assert imagenet_classes.indices()[name] == index and words[index] == word
    assert list(imagenet_classes.indices()) == sorted(imagenet_classes.indices())


@pytest.mark.parametrize("names", [[CHURCH], [TENCH, CHURCH, SPRINGER]])
def test_labels_are_the_indices_of_the_network(tmp_path, names, told):
    data = imagenet(photographs(tmp_path, names), calibration_share=0.5)
    assert data.num_classes == 1000 == len(data.class_names) and data.class_names[497] == "church"
    index = {TENCH: 0, SPRINGER: 217, CHURCH: 497}
    for split, count in (("train", 10), ("calibration", 10), ("test", 2)):
        label, number = np.unique(data.split(split).label_N, return_counts=True)
        assert label.tolist() == sorted(index[name] for name in names) and set(number) == {count}
        assert data.classes_of(split).tolist() == label.tolist()
    check_data(data, ("train", "test"), 0.3)
    assert "classes have" not in told.text  # nothing is said of the other 990


def test_all_thousand_classes(tmp_path):
    names = list(imagenet_classes.indices())
    for split in ("train", "val"):
        for name in names:
            (tmp_path / split / name).mkdir(parents=True)
            for index in range(6 if split == "train" else 1):
                (tmp_path / split / name / f"{index}.png").write_bytes(b"x")  # is not opened
    data = imagenet(tmp_path)
    assert sorted(data._rows["test"].label_N) == list(range(1000))
    for row in (0, 500, 999):
        assert names[data._rows["test"].label_N[row]] == data._rows["test"].files[row].parent.name


def test_folders_that_are_no_class_are_named(tmp_path):
    root = photographs(tmp_path, [TENCH, "n00000001", "dogs"])
    with pytest.raises(
        ValueError, match=r"n01440764.* but 2 of 3 in .* are none: dogs, n00000001; .*data\.classes=folders"
    ):
        imagenet(root)


def test_splits_may_have_other_classes(tmp_path, told):
    plant(tmp_path, {"train": {TENCH: 8, CHURCH: 8}, "val": {CHURCH: 2, SPRINGER: 2}})
    data = imagenet(tmp_path)
    assert data.classes_of("test").tolist() == [217, 497] and data.classes_of("train").tolist() == [0, 497]
    assert "1 of 2 classes of val/ have no folder in train/ (e.g. English springer)" in told.text


def test_as_classes_of_their_own_with_a_hint(tmp_path, told):
    data = folder(photographs(tmp_path, test="test"))
    assert data.class_names == [TENCH, SPRINGER, CHURCH] and data.num_classes == 3
    assert "the 3 class folders" in told.text and "data.classes=imagenet reads them as its 1,000 classes" in told.text


FLAT = {"ILSVRC2012_val_00000001": CHURCH, "ILSVRC2012_val_00000002": TENCH, "ILSVRC2012_val_00000003": CHURCH}


def flat(root, pixels=None):
    """Three validation images without class folders, each of another grey value."""
    plant(root, {"train": {TENCH: 8, CHURCH: 8}})
    for grey, name in enumerate(FLAT):
        save(root / "val" / f"{name}.JPEG", np.full((20, 20, 3), 60 * grey, np.uint8))
    return root


def by_words(root):
    lines = [f"{name}.JPEG {label}" for name, label in FLAT.items()]
    (root / "val_labels.txt").write_text("\n".join(reversed(lines)))


def by_class_number(root):
    index = imagenet_classes.indices()
    (root / "val.txt").write_text("\n".join(f"{name}.JPEG {index[label]}" for name, label in FLAT.items()))


def as_kaggle_does(root):
    rows = ["ImageId,PredictionString", *(f"{name},{label} 85 1 499 272 " for name, label in FLAT.items())]
    (root.parent / "LOC_val_solution.csv").write_text("\n".join(rows))


def by_the_challenges_numbers(root):
    """ILSVRC2012_ID runs from 1 and is no network's order."""
    kit = root / "ILSVRC2012_devkit_t12" / "data"
    kit.mkdir(parents=True)
    (kit / "ILSVRC2012_validation_ground_truth.txt").write_text("\n".join(["2", "1", "2", ""]))
    kind = [("ILSVRC2012_ID", "O"), ("WNID", "O")]
    savemat(kit / "meta.mat", {"synsets": np.array([(1, TENCH), (2, CHURCH), (3, "n00000001")], dtype=kind)})


@pytest.mark.parametrize("labels", [by_words, by_class_number, as_kaggle_does, by_the_challenges_numbers])
def test_validation_images_without_class_folders(tmp_path, labels):
    root = flat(tmp_path / "set")
    labels(root)
    test = imagenet(root).split("test")
    grey = test.__getitems__([0, 1, 2])["image"][:, 0, 0, 0] * 255
    found = {round(float(value) / 60): label for value, label in zip(grey, test.label_N, strict=True)}
    assert found == {0: 497, 1: 0, 2: 497}


def test_a_label_file_by_name_and_what_is_wrong_with_it(tmp_path):
    root = flat(tmp_path / "set")
    with pytest.raises(
        FileNotFoundError, match=r"no class folder, and none of val_labels\.txt, .*data\.val_labels=FILE"
    ):
        imagenet(root)
    with pytest.raises(FileNotFoundError, match=r"data\.val_labels=/nowhere is not there"):
        imagenet(root, val_labels="/nowhere")
    file = tmp_path / "mine.txt"
    file.write_text(f"ILSVRC2012_val_00000001 {CHURCH}\n")
    with pytest.raises(ValueError, match=r"no label for 2 of the 3 images .*00000002\.JPEG"):
        imagenet(root, val_labels=str(file))
    file.write_text("ILSVRC2012_val_00000001 n00000001\n")
    with pytest.raises(ValueError, match="the label 'n00000001', which is no class of ImageNet"):
        imagenet(root, val_labels=str(file))
    file.write_text("1\n2\n")
    with pytest.raises(ValueError, match=r"has 2 labels, .* 3 images"):
        imagenet(root, val_labels=str(file))
    file.write_text("1\n2\n1\n")
    with pytest.raises(FileNotFoundError, match=r"meta\.mat explains: get it"):
        imagenet(root, val_labels=str(file))


def test_the_fingerprint_knows_flat_images_and_their_labels(tmp_path):
    root, layout = flat(tmp_path / "set"), Layout(test="val", imagenet=True)

    def taken():
        folder_index._fingerprint.cache_clear()
        return folder_index.fingerprint(str(root), layout)

    by_words(root)
    first = taken()
    text = (root / "val_labels.txt").read_text()
    (root / "val_labels.txt").write_text(text.replace(TENCH, CHURCH))
    second = taken()
    save(root / "val" / "ILSVRC2012_val_00000002.JPEG", np.full((90, 90, 3), 9, np.uint8))
    assert len({first, second, taken()}) == 3


def test_imagenette(tmp_path, monkeypatch):
    photographs(tmp_path / "imagenette2-320")
    for file in (tmp_path / "imagenette2-320").rglob("*.png"):
        file.rename(file.with_suffix(".jpeg"))  # torchvision looks at the name alone
    data = Imagenette(root=str(tmp_path), seed=0, image_size=16, download=False)
    assert data.num_classes == 1000 and set(data.split("test").label_N) == {0, 217, 497}
    words = r"Imagenette is not in .*imagenette2-160 and data\.download is false .*data=image_folder .*classes=imagenet"
    with pytest.raises(OSError, match=words):
        Imagenette(root=str(tmp_path), seed=0, image_size=16, size="160px", download=False)

    def offline(*arguments, **options):
        raise OSError("no network")

    monkeypatch.setattr("torchvision.datasets.imagenette.download_and_extract_archive", offline)
    with pytest.raises(OSError, match=r"fetching https://.*imagenette2-160\.tgz failed \(no network\)"):
        Imagenette(root=str(tmp_path), seed=0, image_size=16, size="160px")
