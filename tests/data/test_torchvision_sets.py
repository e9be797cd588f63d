"""Data sets of torchvision, from archives in their real formats that the tests write themselves."""

from __future__ import annotations

import hashlib
import pickle
import socket
from urllib.error import URLError

import numpy as np
import pytest
import torch
from scipy.io import savemat
from torchvision import datasets

from benchmark.data.groups import check_labels
from benchmark.data.torchvision_sets import TorchvisionSet
from benchmark.types import Data, ImageSet

NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def written(path, value) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(value))
    return hashlib.md5(path.read_bytes()).hexdigest()


@pytest.fixture
def cifar(tmp_path, monkeypatch):
    """Five training batches of 40 and a test batch of 30; returns (pixels, labels) of train and test."""
    rng = np.random.default_rng(0)
    folder, planted, lists = tmp_path / "cifar-10-batches-py", {}, {}
    for split, files in {"train": [f"data_batch_{n}" for n in range(1, 6)], "test": ["test_batch"]}.items():
        count = 40 if split == "train" else 30
        parts, lists[split] = [], []
        for file in files:
            data, labels = rng.integers(0, 256, (count, 3072), dtype=np.uint8), rng.permutation(count) % 10
            lists[split].append([file, written(folder / file, {"data": data, "labels": labels.tolist()})])
            parts.append((data.reshape(-1, 3, 32, 32), labels))
        planted[split] = tuple(np.concatenate(part) for part in zip(*parts, strict=True))
    meta = written(folder / "batches.meta", {"label_names": NAMES})
    monkeypatch.setattr(datasets.CIFAR10, "train_list", lists["train"])
    monkeypatch.setattr(datasets.CIFAR10, "test_list", lists["test"])
    monkeypatch.setattr(datasets.CIFAR10, "meta", {"filename": "batches.meta", "key": "label_names", "md5": meta})
    return planted


@pytest.fixture
def offline(monkeypatch):
    """No look-up of any host succeeds."""

    def refuse(*_args, **_options):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def cifar10(root, **knobs) -> TorchvisionSet:
    return TorchvisionSet(**{"dataset": "CIFAR10", "root": str(root), "seed": 0, "download": False, **knobs})


def test_it_is_what_the_suite_calls_data(tmp_path, cifar):
    data = cifar10(tmp_path)
    assert isinstance(data, Data) and data.class_names == NAMES and data.num_classes == 10 and data.image_size == 32
    for name, count in {"train": 150, "calibration": 50, "test": 30}.items():
        images = data.split(name)
        assert isinstance(images, ImageSet) and not images.has_masks and len(images) == count
        check_labels(images, 10)
        assert len(set(np.bincount(images.label_N))) == 1  # classes stay balanced
        assert np.array_equal(images.source_id_N, images.sample_id_N)


def test_every_image_comes_once_with_its_label(tmp_path, cifar):
    data = cifar10(tmp_path)
    for origin, names in {"train": ("train", "calibration"), "test": ("test",)}.items():
        pixels, labels = cifar[origin]
        found = {image.tobytes(): label for image, label in zip(pixels, labels, strict=True)}
        for name in names:
            arrays = data.split(name).arrays
            for image, label in zip(arrays["image"].numpy(), arrays["label"].tolist(), strict=True):
                assert found.pop(image.tobytes()) == label
        assert not found


def test_ids_counts_and_seed(tmp_path, cifar):
    everything, few = cifar10(tmp_path), cifar10(tmp_path, train=20, calibration=1000, test=10)
    ids = {name: everything.split(name).sample_id_N for name in ("train", "calibration", "test")}
    assert sorted([*ids["train"], *ids["calibration"]]) == list(range(200))
    assert ids["test"].tolist() == [2_000_000_000 + row for row in range(30)]
    for name, count in {"train": 20, "calibration": 50, "test": 10}.items():
        assert len(few.split(name)) == count
        assert torch.equal(few.split(name).arrays["image"], everything.split(name).arrays["image"][:count])
    assert np.bincount(few.split("train").label_N).tolist() == [2] * 10
    again, other = cifar10(tmp_path).split("test"), cifar10(tmp_path, seed=1).split("test")
    assert torch.equal(again.arrays["image"], everything.split("test").arrays["image"])
    assert not torch.equal(other.arrays["image"], again.arrays["image"])


def test_test_images_that_repeat_training_images_are_told_once(tmp_path, cifar, monkeypatch, caplog):
    cifar10(tmp_path)
    assert not caplog.records
    train, test = cifar["train"][0][[0, 90]], cifar["test"][0][:28]
    batch = {"data": np.concatenate([train, test]).reshape(30, 3072), "labels": [0] * 30}
    checksum = written(tmp_path / "cifar-10-batches-py" / "test_batch", batch)
    monkeypatch.setattr(datasets.CIFAR10, "test_list", [["test_batch", checksum]])
    cifar10(tmp_path), cifar10(tmp_path)
    assert caplog.text.count("2 of 30 test images of CIFAR10 are train images too, pixel by pixel") == 1


def test_channels_first_and_no_class_names(tmp_path, monkeypatch):
    """SVHN keeps (H, W, 3, N) in a .mat file and calls the digit 0 "10"."""
    lists = {}
    for split, count in (("train", 100), ("test", 20)):
        pixels = np.random.default_rng(count).integers(0, 256, (32, 32, 3, count), dtype=np.uint8)
        savemat(tmp_path / f"{split}.mat", {"X": pixels, "y": (np.arange(count) % 10 + 1)[:, None]})
        checksum = hashlib.md5((tmp_path / f"{split}.mat").read_bytes()).hexdigest()
        lists[split] = [f"http://no.host/{split}.mat", f"{split}.mat", checksum]
    monkeypatch.setattr(datasets.SVHN, "split_list", lists)
    data = TorchvisionSet(dataset="SVHN", root=str(tmp_path), seed=0, download=False)
    assert data.class_names == [str(digit) for digit in range(10)] and data.image_size == 32
    test = data.split("test")
    expected = {pixels[..., row].transpose(2, 0, 1).tobytes(): (row + 1) % 10 for row in range(20)}
    assert {
        image.numpy().tobytes(): int(label) for image, label in zip(test.arrays["image"], test.label_N, strict=True)
    } == expected


@pytest.mark.parametrize(
    ("dataset", "archive"),
    [
        ("CIFAR10", "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"),
        ("CIFAR100", "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"),
        ("SVHN", "http://ufldl.stanford.edu/housenumbers/train_32x32.mat"),
        ("STL10", "http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz"),
    ],
)
def test_a_refused_download_says_what_was_tried_and_what_to_do(tmp_path, offline, dataset, archive):
    with pytest.raises(OSError, match=r"data=image_folder data.root=FOLDER") as caught:
        TorchvisionSet(dataset=dataset, root=str(tmp_path), seed=0)
    assert type(caught.value) is OSError and not isinstance(caught.value, URLError)
    message = str(caught.value)
    assert f"fetching {archive} failed" in message and f"not whole in {tmp_path}" in message
    assert f"put {archive.rsplit('/', 1)[1]} there by hand" in message and "\n" not in message


def test_without_download_nothing_is_fetched(tmp_path, offline):
    with pytest.raises(OSError, match=r"data.download is false .*put cifar-10-python.tar.gz there by hand"):
        cifar10(tmp_path)


def test_a_damaged_batch_is_not_read(tmp_path, cifar, offline):
    file = tmp_path / "cifar-10-batches-py" / "data_batch_3"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(OSError, match="CIFAR10 is not whole"):
        cifar10(tmp_path)


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        (
            {"dataset": "ImageNet"},
            r"one of CIFAR10, CIFAR100, STL10, SVHN \(for others use data=image_folder\), got 'ImageNet'",
        ),
        ({"calibration_share": 0}, "between 0 and 1, got 0"),
        ({"test": 0}, "test is a number of images, a whole number of 1 or more, or null, got 0"),
        ({"calibration_share": 0.99}, "class 'airplane' has 20 training images, of which 20 would be taken"),
    ],
)
def test_a_bad_knob_is_told_in_a_sentence(tmp_path, cifar, knobs, message):
    with pytest.raises(ValueError, match=message):
        cifar10(tmp_path, **knobs)


def test_an_unknown_split_is_refused(tmp_path, cifar):
    with pytest.raises(ValueError, match="train, calibration or test, got 'val'"):
        cifar10(tmp_path).split("val")
