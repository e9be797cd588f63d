"""Images that cameras, scanners and people make: each loads right, or is named in one message."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageOps

from benchmark.data import image_folder
from benchmark.data.image_file import check_header, read_image
from tests.data.folders import folder, save, small


def arrow() -> np.ndarray:
    """An image that no turn or mirror leaves as it is."""
    pixels = np.zeros((24, 40, 3), np.uint8)
    pixels[:8, :30, 0] = 255
    pixels[:, 30:, 1] = 200
    return pixels


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_photographs_are_turned_as_exif_says(tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {} if suffix == "png" else {"quality": 95}
    file = save(tmp_path / f"a.{suffix}", arrow(), exif=exif, **options)
    upright = save(tmp_path / "b.png", np.asarray(ImageOps.exif_transpose(Image.open(file)).convert("RGB")))
    assert abs(read_image(file, 24).astype(int) - read_image(upright, 24)).max() <= 1
    check_header(file)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("exif", [b"Exif\x00\x00damaged", b"Exif\x00\x00II*\x00\xff\xff\xff\xff", b""])
def test_damaged_exif_data_say_nothing(tmp_path, exif):
    file = save(tmp_path / "a.jpg", arrow(), exif=exif, quality=95)
    plain = save(tmp_path / "b.jpg", arrow(), quality=95)
    assert np.array_equal(read_image(file, 24), read_image(plain, 24))


def test_a_long_strip_loads_and_a_point_is_named(tmp_path):
    strip = np.zeros((10, 10_000, 3), np.uint8)
    strip[:, 4980:5020] = 255  # its centred square, and what bicubic weights reach
    assert (read_image(save(tmp_path / "strip.png", strip), 16) == 255).all()
    with pytest.raises(ValueError, match=r"point\.png has 1x1 pixels, at least 8 a side are expected"):
        read_image(save(tmp_path / "point.png", strip[:1, :1]), 16)


def test_names_in_any_script(tmp_path):
    root = small(tmp_path)
    for split in ("train", "test"):
        (root / split / "ant").rename(root / split / "蚂蚁 ñ")
        (root / split / "蚂蚁 ñ" / "000.png").rename(root / split / "蚂蚁 ñ" / "фото №1.png")
    data = folder(root)
    assert data.class_names == ["bee", "蚂蚁 ñ"] and len(data.split("test")) == 6


@pytest.mark.parametrize("memory", [0, 2**31])
def test_images_that_cannot_be_read_are_named_together(tmp_path, memory, monkeypatch):
    monkeypatch.setattr(image_folder, "MEMORY", memory)
    root = small(tmp_path)
    for place in ("ant/000", "ant/002", "bee/001"):
        (root / "test" / f"{place}.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match="is not an image that can be read") as told:
        folder(root).split("test")
    assert str(told.value).endswith("\n(3 in all)")
    assert all(str(root / "test" / f"{place}.png") in str(told.value) for place in ("ant/000", "ant/002", "bee/001"))


def test_reading_stops_after_some_images_that_cannot_be_read(tmp_path):
    root = small(tmp_path)
    for file in (root / "train").rglob("*.png"):
        file.write_bytes(b"no image")
    with pytest.raises(ValueError, match="is not an image that can be read") as told:
        folder(root).split("train")
    assert str(told.value).endswith("\n(and perhaps there are more, the others were not read)")
