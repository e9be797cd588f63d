"""Any folder of images: which pixels, numbers and splits come out, and what is said about a bad folder."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from benchmark.data import image_folder
from benchmark.data.groups import check_labels
from benchmark.data.image_folder import ImageFolder
from benchmark.types import Data, ImageSet
from tests.data.folders import folder, plant, save, small

SPLITS = ("train", "calibration", "test")


def pixels_of(image_set, row: int) -> np.ndarray:
    return (image_set.__getitems__([row])["image"][0] * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()


def test_it_is_what_the_suite_calls_data(tmp_path):
    data = folder(small(tmp_path))
    assert isinstance(data, Data) and all(isinstance(data.split(name), ImageSet) for name in SPLITS)
    assert data.class_names == ["ant", "bee"] and data.num_classes == 2 and data.image_size == 16
    for name in SPLITS:
        check_labels(data.split(name), data.num_classes)
        assert not data.split(name).has_masks and "mask" not in data.split(name).__getitems__([0])


def test_calibration_is_a_seeded_share_of_each_class_of_train(tmp_path):
    plant(
        tmp_path, {"train": {"ant": 200, "bee": 70, "cat": 20}, "test": {"ant": 1, "bee": 1, "cat": 1}}, size=(16, 16)
    )
    data = folder(tmp_path)
    calibration, train = data.split("calibration"), data.split("train")
    assert np.bincount(calibration.label_N).tolist() == [20, 7, 5]  # 10 %, and at least 5
    assert sorted([*calibration.sample_id_N, *train.sample_id_N]) == list(range(290))
    again, other = folder(tmp_path).split("calibration"), folder(tmp_path, seed=1).split("calibration")
    assert torch.equal(again.arrays["image"], calibration.arrays["image"])
    assert not torch.equal(other.arrays["image"], calibration.arrays["image"])


def test_each_image_keeps_its_own_number_label_and_pixels(tmp_path):
    """The planted pixels, found again by hand, stand under exactly one number."""
    data = folder(small(tmp_path, size=(16, 16)))
    found = {}
    for name in SPLITS:
        images = data.split(name)
        for row in range(len(images)):
            found[pixels_of(images, row).tobytes()] = (name, data.class_names[images.label_N[row]])
        assert np.array_equal(images.source_id_N, images.sample_id_N)
    for path in tmp_path.glob("*/*/*.png"):
        split, label = found.pop(np.asarray(Image.open(path)).tobytes())
        assert label == path.parent.name and (split == "test") == (path.parts[-3] == "test")
    assert not found
    assert sorted(data.split("test").sample_id_N) == [2_000_000_000 + index for index in range(6)]


def test_a_calibration_folder_wins(tmp_path):
    sizes = {"train": {"ant": 2, "bee": 2}, "calibration": {"ant": 3, "bee": 1}, "test": {"ant": 1, "bee": 1}}
    data = folder(plant(tmp_path, sizes))
    assert len(data.split("train")) == 4
    assert sorted(data.split("calibration").sample_id_N) == [1_000_000_000 + index for index in range(4)]


def test_the_first_n_by_id_hold_all_classes_in_their_proportions(tmp_path):
    plant(tmp_path, {"train": {"ant": 120, "bee": 60}, "test": {"ant": 60, "bee": 30}}, size=(16, 16))
    data = folder(tmp_path)
    for name in SPLITS:
        images = data.split(name)
        label_N = images.label_N[np.argsort(images.sample_id_N)]
        for count in range(1, len(label_N) + 1):
            assert abs((label_N[:count] == 0).sum() - count * 2 / 3) <= 1


def test_counts_take_the_first_by_id_and_cap_at_what_is_there(tmp_path):
    small(tmp_path)
    everything = folder(tmp_path)
    few = folder(tmp_path, train=7, calibration=4, test=3)
    for name, count in {"train": 7, "calibration": 4, "test": 3}.items():
        assert few.split(name).sample_id_N.tolist() == sorted(everything.split(name).sample_id_N)[:count]
    assert len(folder(tmp_path, test=1000).split("test")) == 6


def test_large_sets_are_read_lazily_with_the_same_results(tmp_path, monkeypatch):
    small(tmp_path, masks=True)
    memory = folder(tmp_path).split("train")
    monkeypatch.setattr(image_folder, "MEMORY", 1000)
    lazy = folder(tmp_path).split("train")
    assert type(lazy) is not type(memory) and lazy.has_masks and memory.has_masks
    rows = [5, 0, 11, 5]
    ours, theirs = lazy.__getitems__(rows), memory.__getitems__(rows)
    assert ours.keys() == theirs.keys() == {"image", "label", "sample_id", "source_id", "mask"}
    assert all(torch.equal(ours[name], theirs[name]) and ours[name].dtype == theirs[name].dtype for name in ours)


def test_the_largest_centred_square_is_resized_with_antialiasing(tmp_path):
    """Dark left and right, stripes of a pixel in the middle square: only the stripes' mean is left."""
    wide = np.full((64, 128, 3), 10, np.uint8)
    wide[:, 32:96] = np.tile(np.array([0, 255], np.uint8), 32)[None, :, None]
    for split in ("train", "test"):
        for index in range(6):
            save(tmp_path / split / "ant" / f"{index}.png", wide)
    pixels = pixels_of(folder(tmp_path).split("test"), 0).astype(int)
    assert pixels.shape == (16, 16, 3) and abs(pixels[:, 2:-2] - 127.5).max() < 12


def test_masks_follow_their_images(tmp_path):
    data = folder(small(tmp_path, size=(20, 16), masks=True))
    for name in SPLITS:
        batch = data.split(name).__getitems__([0, 1])
        assert batch["mask"].dtype == torch.bool
        assert torch.equal(batch["mask"], batch["image"][:, 0] > 0.5)


GREY, INK = np.full((16, 16), 100, np.uint8), np.full((16, 16, 4), (204, 0, 0, 0), np.uint8)


@pytest.mark.parametrize(
    ("pixels", "mode", "suffix", "expected"),
    [
        (GREY, "1", ".png", None),
        (GREY, "L", ".jpg", (100, 100, 100)),
        (GREY, "L", ".bmp", (100, 100, 100)),
        (INK[..., :3], "P", ".png", (204, 0, 0)),
        (INK[..., :3], "P", ".gif", (204, 0, 0)),
        (INK[..., :3], "RGB", ".WEBP", (204, 0, 0)),
        (INK[..., :3], "CMYK", ".jpeg", (204, 0, 0)),
        (INK, "RGBA", ".png", (255, 255, 255)),  # wholly transparent: the white behind it
        (INK, "LA", ".png", (255, 255, 255)),
        (INK, "P", ".png", (255, 255, 255)),
    ],
)
def test_modes(tmp_path, pixels, mode, suffix, expected):
    small(tmp_path)
    for path in (tmp_path / "test" / "bee").iterdir():
        path.unlink()
    save(tmp_path / "test" / "bee" / f"odd{suffix}", pixels, mode)
    test = folder(tmp_path).split("test")
    pixels = pixels_of(test, int(np.flatnonzero(test.label_N == 1)[0]))
    if expected is None:
        assert set(np.unique(pixels)) <= {0, 255}
    else:
        assert abs(pixels.astype(int) - expected).max() <= 4


def test_half_transparent_pixels_mix_with_white(tmp_path):
    small(tmp_path)
    half = np.full((20, 24, 4), (200, 0, 100, 128), np.uint8)
    for path in (tmp_path / "test" / "bee").iterdir():
        save(path, half)
    test = folder(tmp_path).split("test")
    pixels = pixels_of(test, int(np.flatnonzero(test.label_N == 1)[0])).astype(int)
    assert abs(pixels - (227, 127, 177)).max() <= 2


@pytest.mark.parametrize("pixels", [GREY.astype(np.uint16), GREY.astype(np.int32), GREY.astype(np.float32)])
def test_modes_that_8_bits_cannot_show_are_refused(tmp_path, pixels, monkeypatch):
    """Found by the header also where nothing is decoded up front."""
    small(tmp_path)
    image = Image.fromarray(pixels)
    image.save(tmp_path / "test" / "ant" / "deep.png", format="TIFF")
    message = rf"deep\.png has mode {image.mode}, .* 8-bit"
    with pytest.raises(ValueError, match=message):
        folder(tmp_path).split("test")
    monkeypatch.setattr(image_folder, "MEMORY", 0)
    with pytest.raises(ValueError, match=message):
        folder(tmp_path).split("test")


@pytest.mark.parametrize(
    "content", [b"", b"no image at all", b"\x89PNG\r\n\x1a\n broken", b"\xff\xd8\xff\xe0 broken", b"BM"]
)
@pytest.mark.parametrize("memory", [0, 2**31])
def test_an_unreadable_image_is_named_before_anything_else_happens(tmp_path, content, memory, monkeypatch):
    small(tmp_path)
    (tmp_path / "train" / "bee" / "bad.jpg").write_bytes(content)
    monkeypatch.setattr(image_folder, "MEMORY", memory)
    data = folder(tmp_path, calibration_share=0.9)
    with pytest.raises(ValueError, match=r"bee/bad\.jpg .*: restore the file or remove it"):
        [data.split(name) for name in SPLITS]


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp", "gif"])
def test_truncated_pixels_are_named_when_they_are_read(tmp_path, suffix, monkeypatch):
    small(tmp_path)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = save(tmp_path / "test" / "bee" / f"cut.{suffix}", noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(ValueError, match=rf"cut\.{suffix} .*: restore the file or remove it"):
        folder(tmp_path).split("test")
    monkeypatch.setattr(image_folder, "MEMORY", 0)
    with pytest.raises(ValueError, match=rf"cut\.{suffix} .*: restore the file or remove it"):
        folder(tmp_path).split("test").__getitems__(list(range(7)))


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp", "gif"])
def test_truncated_pixels_of_a_large_set_are_named_before_anything_is_trained(tmp_path, suffix, monkeypatch):
    small(tmp_path)
    monkeypatch.setattr(image_folder, "MEMORY", 0)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = save(tmp_path / "test" / "bee" / f"cut.{suffix}", noise)
    data = folder(tmp_path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ValueError, match=rf"cut\.{suffix} .*: restore the file or remove it"):
        data.split("test")


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_bytes_after_the_end_of_an_image_do_no_harm(tmp_path, suffix, monkeypatch):
    small(tmp_path)
    monkeypatch.setattr(image_folder, "MEMORY", 0)
    path = save(tmp_path / "test" / "bee" / f"more.{suffix}", np.full((16, 16, 3), 9, np.uint8))
    path.write_bytes(path.read_bytes() + bytes(500))
    assert len(folder(tmp_path).split("test")) == 7


@pytest.mark.parametrize("size", [(1, 1), (1, 200), (7, 64)])
@pytest.mark.parametrize("memory", [0, 2**31])
def test_an_image_of_a_few_pixels_is_named(tmp_path, size, memory, monkeypatch):
    small(tmp_path)
    monkeypatch.setattr(image_folder, "MEMORY", memory)
    save(tmp_path / "test" / "bee" / "dot.png", np.zeros((*size, 3), np.uint8))
    message = rf"dot\.png has {size[1]}x{size[0]} pixels, at least 8 a side are expected: remove it or replace it"
    with pytest.raises(ValueError, match=message):
        folder(tmp_path).split("test")


def _no_class(root):
    shutil.rmtree(root / "train")
    (root / "train").mkdir()


def _no_image(root):
    shutil.rmtree(root / "train" / "bee")
    (root / "train" / "bee").mkdir()
    (root / "train" / "bee" / "notes.txt").write_text("no image")


def _few(root):
    for path in sorted((root / "train" / "bee").iterdir())[5:]:
        path.unlink()


def _twins(root):
    save(root / "test" / "ant" / "001.bmp", np.zeros((20, 24, 3), np.uint8))


def _odd_mask(root):
    save(root / "masks" / "test" / "ant" / "001.png", np.zeros((8, 8), np.uint8))


@pytest.mark.parametrize(
    ("harm", "kind", "message"),
    [
        (shutil.rmtree, FileNotFoundError, "does not exist, expected ROOT/train/CLASS/IMAGE.*: correct data.root"),
        (lambda root: shutil.rmtree(root / "train"), FileNotFoundError, "no folder 'train', .*found masks, test"),
        (lambda root: shutil.rmtree(root / "test"), FileNotFoundError, "no folder 'test', expected"),
        (_no_class, ValueError, "train has no class folder in it, .*one folder a class"),
        (_no_image, ValueError, "train/bee has no image directly in it .*: add images or remove the class"),
        (lambda root: (root / "test" / "cat").mkdir(), ValueError, r"cat \(1 of 3\) of test/ is not in train/"),
        (lambda root: shutil.rmtree(root / "test" / "bee"), ValueError, r"bee \(1 of 2\) of train/ is not in test/"),
        (_few, ValueError, "class 'bee' has 5 training images, of which 5 would be taken for calibration"),
        (
            lambda root: [file.rename(file.with_suffix(".gif")) for file in (root / "masks/test").rglob("*.png")],
            FileNotFoundError,
            r"object masks in .*test, but for none of the 6 images, for example .*png \(expected .*png\)",
        ),
        (_twins, ValueError, r"ant/001\.bmp and 001\.png would share the mask .*001\.png: rename one of the images"),
        (_odd_mask, ValueError, r"mask .*001\.png has 8x8 pixels, its image 24x20"),
        (lambda root: (root / "masks/test/ant/001.png").write_text("x"), ValueError, r"001\.png is not a mask"),
    ],
)
@pytest.mark.parametrize("memory", [0, 2**31])
def test_a_bad_folder_is_told_in_a_sentence(tmp_path, harm, kind, message, memory, monkeypatch):
    monkeypatch.setattr(image_folder, "MEMORY", memory)
    root = small(tmp_path / "set", masks=True)
    harm(root)
    with pytest.raises(kind, match=message):
        folder(root).split("test")


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"root": "???"}, "data.root is not set: name the folder"),
        ({"image_size": 15}, "at least 16, got 15"),
        ({"calibration_share": 1.0}, "between 0 and 1, got 1.0"),
        ({"train": 0}, "train is a number of images, a whole number of 1 or more, or null"),
        ({"seed": -1}, "seed is a whole number, 0 or more, got -1"),
    ],
)
def test_a_bad_knob_is_told_in_a_sentence(tmp_path, knobs, message):
    with pytest.raises(ValueError, match=message):
        ImageFolder(**{"root": str(small(tmp_path)), "seed": 0, "image_size": 16, **knobs})


def test_an_unknown_split_is_refused(tmp_path):
    with pytest.raises(ValueError, match=re.escape("train, calibration or test, got 'val'")):
        folder(small(tmp_path)).split("val")


def test_litter_is_left_out(tmp_path):
    small(tmp_path)
    for name in (
        "train/.ipynb_checkpoints/x.png",
        "train/ant/.hidden.png",
        "train/ant/deeper/x.png",
        "train/loose.png",
    ):
        save(tmp_path / name, GREY)
    (tmp_path / "train/ant/Thumbs.db").write_text("")
    assert len(folder(tmp_path).split("train")) + len(folder(tmp_path).split("calibration")) == 30
