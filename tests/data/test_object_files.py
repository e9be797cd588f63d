"""Object masks for some of the images, and boxes in the XML of PASCAL VOC."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from PIL import Image

from benchmark.data import folder_index, image_folder
from benchmark.data.box_file import read_boxes
from benchmark.data.folder_layout import Layout
from benchmark.processes import notices
from tests.data.folders import folder, plant, save, small


@pytest.fixture(autouse=True)
def told(caplog):
    notices._log.cache_clear()
    caplog.set_level(logging.WARNING, "underfire")
    return caplog


def xml(path, *objects, size=None):
    """A file of boxes; each object is (name, xmin, ymin, xmax, ymax)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = [f"<size><width>{size[0]}</width><height>{size[1]}</height></size>"] if size else []
    for name, *edges in objects:
        pairs = zip(("xmin", "ymin", "xmax", "ymax"), edges, strict=True)
        inner = "".join(f"<{edge}>{value}</{edge}>" for edge, value in pairs)
        parts.append(f"<object><name>{name}</name><bndbox>{inner}</bndbox></object>")
    path.write_text(f"<annotation>{''.join(parts)}</annotation>")
    return path


@pytest.mark.parametrize("memory", [0, 2**31])
def test_masks_for_some_images(tmp_path, memory, monkeypatch, told):
    monkeypatch.setattr(image_folder, "MEMORY", memory)
    root = small(tmp_path, masks=True, size=(16, 16))
    (root / "masks/test/ant/001.png").unlink()
    test = folder(root).split("test")
    batch = test.__getitems__(list(range(6)))
    without = ~batch["mask"].flatten(1).any(1)
    assert without.sum() == 1 and batch["label"][without].item() == 0
    assert torch.equal(batch["mask"][~without], batch["image"][~without][:, 0] > 0.5)
    assert "1 of 6 test images have no object masks in" in told.text and "(e.g. 001.png)" in told.text


@pytest.mark.parametrize("memory", [0, 2**31])
def test_boxes_of_another_name_are_told(tmp_path, memory, monkeypatch, told):
    monkeypatch.setattr(image_folder, "MEMORY", memory)
    root = small(tmp_path, size=(16, 16))
    for stem in ("ant/000", "ant/001"):
        xml(root / "boxes" / "test" / f"{stem}.xml", ("Insect", 1, 1, 8, 8))
    xml(root / "boxes" / "test" / "bee" / "000.xml", ("bee", 1, 1, 8, 8), ("Insect", 1, 1, 8, 8))
    xml(root / "boxes" / "test" / "bee" / "001.xml", ("bee", 40, 40, 48, 48), ("Leaf", 1, 1, 8, 8))  # cut off
    batch = folder(root).split("test").__getitems__(list(range(6)))
    assert (~batch["box"].isnan().any(-1)).sum() == 1
    assert "2 files of boxes have none of their image's class (e.g." in told.text
    assert "its objects are called Insect, expected ant)" in told.text


@pytest.mark.parametrize("memory", [0, 2**31])
@pytest.mark.parametrize("loose", [False, True], ids=["by class", "loose"])
def test_boxes_for_some_images_of_one_split(tmp_path, memory, loose, monkeypatch, told):
    """Twenty-four columns of twenty rows become a square of sixteen: columns move by two, and shrink by 0.8."""
    monkeypatch.setattr(image_folder, "MEMORY", memory)
    root = small(tmp_path, size=(20, 24))
    names = {"ant": ["ant000", "ant001", "ant002", "ant003"], "bee": ["bee000", "bee001"]}
    for name, stems in names.items():
        for index, stem in enumerate(stems):
            (root / "test" / name / f"{index:03}.png").rename(root / "test" / name / f"{stem}.png")
    place = root / "boxes" / "test"
    xml(
        place / ("" if loose else "ant") / "ant000.xml",
        ("ant", 2, 0, 12, 10),
        ("bee", 0, 0, 5, 5),
        ("ant", 0, 10, 24, 20),
    )
    xml(place / ("" if loose else "bee") / "bee001.xml", ("ant", 2, 0, 12, 10))
    data = folder(root)
    test = data.split("test")
    batch = test.__getitems__(list(range(6)))
    box = {file.stem: batch["box"][row] for row, file in enumerate(data._rows["test"].files)}
    assert box["ant000"].tolist() == [[0.0, 0.0, 8.0, 8.0], [0.0, 8.0, 16.0, 16.0]]
    assert all(box[name].isnan().all() for name in box if name != "ant000"), "bee001 has no box of its own class"
    assert "box" not in data.split("train").__getitems__([0])
    assert "4 of 6 test images have no boxes in" in told.text


def test_a_folder_of_boxes_elsewhere(tmp_path):
    root = small(tmp_path / "set", size=(16, 16))
    xml(tmp_path / "annotations" / "test" / "000.xml", ("ant", 4, 4, 8, 8), ("bee", 1, 1, 2, 2))
    test = folder(root, boxes=str(tmp_path / "annotations")).split("test")
    batch = test.__getitems__(list(range(6)))
    assert sorted(batch["box"][~batch["box"].isnan().any(-1)].tolist()) == [[1, 1, 2, 2], [4, 4, 8, 8]]
    with pytest.raises(FileNotFoundError, match=r"data\.boxes=/nowhere is no folder"):
        folder(root, boxes="/nowhere")
    (tmp_path / "annotations" / "test" / "000.xml").rename(tmp_path / "annotations" / "test" / "other.xml")
    with pytest.raises(FileNotFoundError, match=r"boxes in .*, but for none of the 6 images"):
        folder(root, boxes=str(tmp_path / "annotations"))


def test_the_fingerprint_knows_boxes(tmp_path):
    root, found = small(tmp_path), []
    for objects in ([], [("ant", 1, 1, 2, 2)], [("ant", 1, 1, 2, 2), ("bee", 1, 1, 2, 2)]):
        if objects:
            xml(root / "boxes/test/ant/000.xml", *objects)
        folder_index._fingerprint.cache_clear()
        found.append(folder_index.fingerprint(str(root), Layout()))
    assert len(set(found)) == 3


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("upright", [False, True], ids=["of the stored image", "of the upright image"])
def test_boxes_turn_with_their_image(tmp_path, orientation, upright):
    """A white rectangle on black, found again in the pixels that Pillow itself turns upright."""
    pixels = np.zeros((60, 90, 3), np.uint8)
    pixels[12:30, 24:60] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = save(tmp_path / "turned.png", pixels, exif=exif)
    shown = np.asarray(image_folder.read_image(file, 60))[..., 0] > 127
    rows, columns = np.flatnonzero(shown.any(1)), np.flatnonzero(shown.any(0))
    expected = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
    box, size = (24, 12, 60, 30), (90, 60)
    if upright:
        if orientation < 5:
            pytest.skip("the size does not tell it from the stored one")
        from PIL import ImageOps

        whole = np.asarray(ImageOps.exif_transpose(Image.open(file)))[..., 0] > 127
        down, right = np.flatnonzero(whole.any(1)), np.flatnonzero(whole.any(0))
        box, size = (right[0], down[0], right[-1] + 1, down[-1] + 1), (60, 90)
    found = read_boxes(xml(tmp_path / "b.xml", ("ant", *box), size=size), file, ("ant",), 60)
    assert found.tolist() == [expected]


def test_boxes_by_the_size_that_the_file_gives(tmp_path):
    file = save(tmp_path / "a.png", np.zeros((32, 32, 3), np.uint8))
    found = read_boxes(xml(tmp_path / "b.xml", ("ant", 100, 0, 200, 100), size=(200, 200)), file, ("ant",), 16)
    assert found.tolist() == [[8, 0, 16, 8]]


def test_boxes_outside_of_the_square_are_left_out(tmp_path):
    file = save(tmp_path / "a.png", np.zeros((20, 60, 3), np.uint8))
    found = read_boxes(xml(tmp_path / "b.xml", ("ant", 0, 0, 20, 20), ("ant", 10, 5, 30, 15)), file, ("ant",), 20)
    assert found.tolist() == [[0, 5, 10, 15]]


@pytest.mark.parametrize(
    "text", ["", "<annotation>", "<a><object><name>ant</name></object></a>", "<a><object><bndbox/></object></a>"]
)
def test_what_is_no_file_of_boxes_is_named(tmp_path, text):
    root = plant(tmp_path, {"train": {"ant": 8, "bee": 8}, "test": {"ant": 2, "bee": 2}})
    bad = root / "boxes" / "test" / "ant" / "000.xml"
    bad.parent.mkdir(parents=True)
    bad.write_text(text)
    with pytest.raises(ValueError, match=r"000\.xml is no file of boxes .*<xmin>"):
        folder(root).split("test")
    xml(bad, ("ant", 5, 5, 5, 9))
    with pytest.raises(ValueError, match=r"the box \(5\.0, 5\.0, 5\.0, 9\.0\) has no area"):
        folder(root).split("test")
